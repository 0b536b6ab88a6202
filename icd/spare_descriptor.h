/* SPDX-License-Identifier: MIT
 *
 * A descriptor that the process keeps back, so that one that is needed for a moment only, to map shared
 * memory, can still be received where the application has used up its own.
 */
#ifndef VIADUCT_ICD_SPARE_DESCRIPTOR_H
#define VIADUCT_ICD_SPARE_DESCRIPTOR_H

/* Sets one aside, unless there is one, or none to be had. Thread-safe, as is the other. */
void vdc_spare_descriptor_keep(void);
/* Gives it up: the next descriptor of the process takes its place. */
void vdc_spare_descriptor_use(void);

#endif
