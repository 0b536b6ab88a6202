/* SPDX-License-Identifier: MIT
 *
 * The name of this program, as logs and settings for programs have it.
 */
#ifndef VIADUCT_ICD_PROGRAM_NAME_H
#define VIADUCT_ICD_PROGRAM_NAME_H

#include <stddef.h>

/* The file's name without its folders, for Wine's that of the Windows program; cut to `size` bytes with the NUL. */
void vdc_program_name(char *name, size_t size);

#endif
