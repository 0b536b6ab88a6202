/* SPDX-License-Identifier: MIT */
#include "own_records.h"

#include "protocol/physical_device.h"
#include "protocol/record.h"

#include "driver_environment.h"
#include "opcodes.h"

/* VD_OP_SYNC: whoever waits for the answer waits for what came before. */
static bool decode_sync(struct vds_decoder *d, void *body)
{
    (void)d;
    (void)body;
    return true;
}

static void call_sync(struct vds_execution *x, void *body)
{
    (void)x;
    (void)body;
}

const struct vds_command vds_own_records[VDS_OWN_RECORDS] = {
    [VD_OP_STREAM] = {.decode = vds_decode_stream,
                      .call = vds_call_stream,
                      .size = sizeof(struct vd_stream),
                      .flags = VDS_COMMAND_SILENT},
    [VD_OP_GET_QUEUE] = {.decode = vds_decode_get_queue,
                         .call = vds_call_get_queue,
                         .size = sizeof(struct vd_get_queue),
                         .flags = VDS_COMMAND_KEEPS_TURN},
    [VD_OP_GET_PHYSICAL_DEVICES] = {.decode = vds_decode_get_physical_devices,
                                    .call = vds_call_get_physical_devices,
                                    .size = sizeof(struct vd_get_physical_devices),
                                    .flags = VDS_COMMAND_ANSWERED | VDS_COMMAND_KEEPS_TURN},
    [VD_OP_UPDATE_DESCRIPTORS] = {.decode = vds_decode_update_descriptors,
                                  .call = vds_call_update_descriptors,
                                  .size = sizeof(uint64_t),
                                  .flags = VDS_COMMAND_SILENT},
    [VD_OP_SIGNAL_FENCE] = {.decode = vds_decode_signal_fence,
                            .call = vds_call_signal_fence,
                            .size = sizeof(struct vd_signal_fence),
                            .flags = VDS_COMMAND_SILENT},
    [VD_OP_SIGNAL_SEMAPHORE] = {.decode = vds_decode_signal_semaphore,
                                .call = vds_call_signal_semaphore,
                                .size = sizeof(struct vd_signal_semaphore),
                                .flags = VDS_COMMAND_SILENT},
    [VD_OP_GET_MEMORY_FILE] = {.decode = vds_decode_get_memory_file,
                               .call = vds_call_get_memory_file,
                               .size = sizeof(struct vd_get_memory_file),
                               .flags = VDS_COMMAND_ANSWERED | VDS_COMMAND_KEEPS_TURN},
    [VD_OP_ENVIRONMENT] = {.decode = vds_decode_environment,
                           .call = vds_call_environment,
                           .flags = VDS_COMMAND_SILENT | VDS_COMMAND_KEEPS_TURN},
    [VD_OP_SYNC] = {.decode = decode_sync, .call = call_sync, .flags = VDS_COMMAND_ANSWERED},
};
