/* SPDX-License-Identifier: MIT
 *
 * What VIADUCT_DEBUG=stats prints of each command, and VIADUCT_TRACE.
 */
#ifndef VIADUCT_ICD_PROFILE_H
#define VIADUCT_ICD_PROFILE_H

#include <stdint.h>

struct vdc_profile;

/* NULL where nobody asked for statistics, or without memory. Also opens the trace, if there is to be
 * one. */
struct vdc_profile *vdc_profile_create(void);
void vdc_profile_destroy(struct vdc_profile *profile);

/* A record of the ring was written. */
void vdc_profile_call(struct vdc_profile *profile, uint16_t opcode, uint64_t bytes);
/* Its answer has come. */
void vdc_profile_answer(struct vdc_profile *profile, uint16_t opcode, uint64_t waited_ns);

/* A line for each command, the one that was waited for longest first. */
void vdc_profile_print(struct vdc_profile *profile);

#endif
