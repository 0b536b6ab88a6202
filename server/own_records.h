/* SPDX-License-Identifier: MIT
 *
 * Records of Viaduct's own (protocol/README.md, section 7): decoded and called like commands.
 */
#ifndef VIADUCT_SERVER_OWN_RECORDS_H
#define VIADUCT_SERVER_OWN_RECORDS_H

#include "replay.h"

/* Opcodes below this one. */
#define VDS_OWN_RECORDS 64

extern const struct vds_command vds_own_records[VDS_OWN_RECORDS];

/* Each where what it is about stands. */
bool vds_decode_stream(struct vds_decoder *d, void *body);
void vds_call_stream(struct vds_execution *x, void *body);
bool vds_decode_get_queue(struct vds_decoder *d, void *body);
void vds_call_get_queue(struct vds_execution *x, void *body);
bool vds_decode_get_physical_devices(struct vds_decoder *d, void *body);
void vds_call_get_physical_devices(struct vds_execution *x, void *body);
bool vds_decode_update_descriptors(struct vds_decoder *d, void *body);
void vds_call_update_descriptors(struct vds_execution *x, void *body);
bool vds_decode_get_memory_file(struct vds_decoder *d, void *body);
void vds_call_get_memory_file(struct vds_execution *x, void *body);
bool vds_decode_signal_fence(struct vds_decoder *d, void *body);
void vds_call_signal_fence(struct vds_execution *x, void *body);
bool vds_decode_signal_semaphore(struct vds_decoder *d, void *body);
void vds_call_signal_semaphore(struct vds_execution *x, void *body);

#endif
