/* SPDX-License-Identifier: MIT
 *
 * What VIADUCT_DEBUG=stats prints of each command, and VIADUCT_TRACE.
 */
#ifndef VIADUCT_ICD_PROFILE_H
#define VIADUCT_ICD_PROFILE_H

#include <stdint.h>

struct vd_profile;

/* NULL where nobody asked for statistics, or without memory. Also opens the trace, if there is to be
 * one. */
struct vd_profile *vd_profile_create(void);
void vd_profile_destroy(struct vd_profile *profile);

/* A record of the ring was written. */
void vd_profile_call(struct vd_profile *profile, uint16_t opcode, uint64_t bytes);
/* Its answer has come. */
void vd_profile_answer(struct vd_profile *profile, uint16_t opcode, uint64_t waited_ns);

/* A line for each command, the one that was waited for longest first. */
void vd_profile_print(struct vd_profile *profile);

#endif
