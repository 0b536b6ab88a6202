/* SPDX-License-Identifier: MIT
 *
 * What VIADUCT_DEBUG=stats prints of each command, and VIADUCT_TRACE.
 */
#ifndef VIADUCT_ICD_PROFILE_H
#define VIADUCT_ICD_PROFILE_H

#include <stdint.h>

struct vdc_connection;
struct vdc_profile;

/* NULL where nobody asked for statistics, or without memory. Also opens the trace, if there is to be
 * one. */
struct vdc_profile *vdc_profile_create(void);
/* Prints what there is to say, which otherwise happens when the process ends: totals, then a line for
 * each command, the one that was waited for longest first. Before the connection is destroyed. */
void vdc_profile_destroy(struct vdc_profile *profile);
/* Whose numbers the totals are; until then there is nothing to print. */
void vdc_profile_begin(struct vdc_profile *profile, const struct vdc_connection *connection);

/* A record of the ring was written. */
void vdc_profile_call(struct vdc_profile *profile, uint16_t opcode, uint64_t bytes);
/* Its answer has come. */
void vdc_profile_answer(struct vdc_profile *profile, uint16_t opcode, uint64_t waited_ns);

#endif
