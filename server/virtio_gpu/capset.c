/* SPDX-License-Identifier: MIT */
#include "capset.h"

#include <string.h>

#include "server/context.h"

uint32_t vg_capset_get_info(struct vg_command *command)
{
    struct virtio_gpu_get_capset_info request;
    memcpy(&request, command->request.bytes, sizeof(request));
    struct virtio_gpu_resp_capset_info response = {.hdr.type = VIRTIO_GPU_RESP_OK_CAPSET_INFO};
    if (request.capset_index == 0) {
        response.capset_id = VD_CAPSET_ID;
        response.capset_max_version = VD_PROTOCOL_VERSION;
        response.capset_max_size = sizeof(struct vd_capset);
    }
    vg_command_respond(command, &response, sizeof(response));
    return 0;
}

uint32_t vg_capset_get(struct vg_command *command)
{
    struct virtio_gpu_get_capset request;
    memcpy(&request, command->request.bytes, sizeof(request));
    struct {
        struct virtio_gpu_ctrl_hdr header;
        struct vd_capset capset;
    } response = {.header.type = VIRTIO_GPU_RESP_OK_CAPSET};
    if (request.capset_id != VD_CAPSET_ID)
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    vds_capset_fill(&response.capset);
    vg_command_respond(command, &response, sizeof(response));
    return 0;
}
