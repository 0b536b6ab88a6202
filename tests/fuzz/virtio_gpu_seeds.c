/* SPDX-License-Identifier: MIT
 *
 * What guests, their workers and QEMU's display do, from beginning to end.
 */
#include <string.h>

#include <linux/virtio_gpu.h>

#include "opcodes.h"
#include "protocol/virtio_gpu.h"
#include "server/virtio_gpu/link.h"

#include "seeds.h"
#include "virtio_gpu_steps.h"

struct story {
    uint8_t bytes[8192];
    size_t size;
};

static void tell(struct story *story, enum step step, const void *bytes, size_t size)
{
    uint8_t *to = story->bytes + story->size;
    to[0] = (uint8_t)step;
    to[1] = (uint8_t)size;
    if (size > 0)
        memcpy(to + 2, bytes, size);
    story->size += 2 + size;
}

#define TELL(story, step, type, ...) tell(story, step, &(const type){__VA_ARGS__}, sizeof(type))

struct attach {
    struct virtio_gpu_resource_attach_backing attach;
    struct virtio_gpu_mem_entry entries[2];
};

/* A resource with pages, of which the first two need not lie behind each other. */
static void tell_backing(struct story *story, uint32_t id, uint64_t at, uint32_t size)
{
    TELL(story, STEP_REQUEST, struct attach,
         .attach = {.hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
                    .resource_id = id,
                    .nr_entries = 2},
         .entries = {{.addr = RAM_BASE + at, .length = size / 2},
                     {.addr = RAM_BASE + at + size, .length = size / 2}});
}

static void tell_picture(struct story *story, uint32_t id, uint32_t format, uint32_t side)
{
    TELL(story, STEP_REQUEST, struct virtio_gpu_resource_create_2d,
         .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, .resource_id = id, .format = format,
         .width = side, .height = side);
    tell_backing(story, id, 0x10000, 2 * 8192);
    TELL(story, STEP_REQUEST, struct virtio_gpu_transfer_to_host_2d,
         .hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, .r = {0, 0, side, side},
         .resource_id = id);
}

static void tell_display(struct story *story, uint32_t format)
{
    static const struct {
        uint32_t request, flags, size;
        uint64_t features;
    } __attribute__((packed)) features = {1, 4, 8, 3};
    tell(story, STEP_DISPLAY, &features, sizeof(features));
    tell_picture(story, 1, format, 64);
    TELL(story, STEP_REQUEST, struct virtio_gpu_set_scanout, .hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT,
         .r = {0, 0, 64, 64}, .resource_id = 1);
    TELL(story, STEP_REQUEST, struct virtio_gpu_transfer_to_host_2d,
         .hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, .r = {8, 8, 16, 16}, .resource_id = 1);
    TELL(story, STEP_REQUEST, struct virtio_gpu_resource_flush,
         .hdr = {.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH, .flags = VIRTIO_GPU_FLAG_FENCE},
         .r = {8, 8, 16, 16}, .resource_id = 1);
    TELL(story, STEP_CURSOR, struct virtio_gpu_update_cursor,
         .hdr.type = VIRTIO_GPU_CMD_UPDATE_CURSOR, .pos = {.x = 5}, .resource_id = 1);
    TELL(story, STEP_CURSOR, struct virtio_gpu_update_cursor,
         .hdr.type = VIRTIO_GPU_CMD_MOVE_CURSOR, .pos = {.x = 6});
    TELL(story, STEP_CURSOR, struct virtio_gpu_update_cursor,
         .hdr.type = VIRTIO_GPU_CMD_UPDATE_CURSOR);
    TELL(story, STEP_REQUEST, struct virtio_gpu_resource_detach_backing,
         .hdr.type = VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, .resource_id = 1);
    TELL(story, STEP_REQUEST, struct virtio_gpu_resource_unref,
         .hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF, .resource_id = 1);
}

static void tell_questions(struct story *story)
{
    TELL(story, STEP_REQUEST, struct virtio_gpu_ctrl_hdr, .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO);
    TELL(story, STEP_REQUEST, struct virtio_gpu_cmd_get_edid, .hdr.type = VIRTIO_GPU_CMD_GET_EDID);
    TELL(story, STEP_REQUEST, struct virtio_gpu_get_capset_info,
         .hdr.type = VIRTIO_GPU_CMD_GET_CAPSET_INFO);
    TELL(story, STEP_REQUEST, struct virtio_gpu_get_capset, .hdr.type = VIRTIO_GPU_CMD_GET_CAPSET,
         .capset_id = VD_CAPSET_ID, .capset_version = VD_PROTOCOL_VERSION);
    TELL(story, STEP_REQUEST, struct virtio_gpu_transfer_host_3d,
         .hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D);
}

/* What the display answers to what it is asked when it is connected, and when the guest asks. */
static void tell_answers(struct story *story, uint32_t request, uint32_t size)
{
    struct {
        uint32_t request, flags, size;
        uint8_t payload[240];
    } answer = {.request = request, .flags = 4, .size = size};
    tell(story, STEP_DISPLAY, &answer,
         12 + (size < sizeof(answer.payload) ? size : sizeof(answer.payload)));
    for (uint32_t left = size > 240 ? size - 240 : 0; left;) {
        const uint32_t part = left < 240 ? left : 240;
        tell(story, STEP_DISPLAY, answer.payload, part);
        left -= part;
    }
}

#define SUBMISSION(story, type, ...) \
    TELL(                            \
        story, STEP_SUBMIT,          \
        struct {                     \
            uint8_t context;         \
            type request;            \
        } __attribute__((packed)),   \
        .context = 1, .request = {__VA_ARGS__})

static void tell_memory(struct story *story, uint32_t id)
{
    TELL(story, STEP_REQUEST, struct virtio_gpu_resource_create_3d,
         .hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_3D, .resource_id = id, .format = 64,
         .width = 16384, .height = 1, .depth = 1, .array_size = 1);
    tell_backing(story, id, id * 0x10000, 2 * 8192);
    TELL(story, STEP_REQUEST, struct virtio_gpu_ctx_resource,
         .hdr = {.type = VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, .ctx_id = 1}, .resource_id = id);
    SUBMISSION(story, struct vd_virtio_gpu_register,
               .record = {sizeof(struct vd_virtio_gpu_register), VD_VIRTIO_GPU_REGISTER, 0},
               .resource = id, .shm = id);
}

static void tell_context(struct story *story)
{
    TELL(story, STEP_REQUEST, struct virtio_gpu_ctx_create,
         .hdr = {.type = VIRTIO_GPU_CMD_CTX_CREATE, .ctx_id = 1}, .nlen = 4,
         .context_init = VD_CAPSET_ID, .debug_name = "fuzz");
    for (uint32_t id = 2; id < 5; id++) {
        tell_memory(story, id);
        TELL(story, STEP_WORKER, struct vg_link_message, .type = VG_LINK_ADDED, .token = id - 1);
    }
    SUBMISSION(
        story,
        struct {
            struct vd_record record;
            struct vd_setup setup;
        },
        .record = {sizeof(struct vd_record) + sizeof(struct vd_setup), VD_OP_SETUP, 0},
        .setup = {VD_PROTOCOL_VERSION, 2, 3, 0});
    SUBMISSION(story, struct vd_virtio_gpu_watch,
               .record = {sizeof(struct vd_virtio_gpu_watch), VD_VIRTIO_GPU_WATCH, 0});
    SUBMISSION(story, struct vd_virtio_gpu_wait,
               .record = {sizeof(struct vd_virtio_gpu_wait), VD_VIRTIO_GPU_WAIT, 0}, .shm = 2,
               .offset = 64);
    SUBMISSION(story, struct vd_virtio_gpu_wake,
               .record = {sizeof(struct vd_virtio_gpu_wake), VD_VIRTIO_GPU_WAKE, 0}, .shm = 3,
               .offset = 64);
    SUBMISSION(
        story, struct vd_virtio_gpu_scanout_layout,
        .record = {sizeof(struct vd_virtio_gpu_scanout_layout), VD_VIRTIO_GPU_SCANOUT_LAYOUT, 0},
        .shm = 4, .pitch = 256, .width = 64, .height = 32);
    TELL(story, STEP_REQUEST, struct virtio_gpu_set_scanout, .hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT,
         .r = {0, 0, 64, 32}, .resource_id = 4);
    TELL(story, STEP_REQUEST, struct virtio_gpu_resource_flush,
         .hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH, .r = {0, 0, 64, 32}, .resource_id = 4);
}

static void tell_end(struct story *story)
{
    TELL(story, STEP_REQUEST, struct virtio_gpu_ctx_resource,
         .hdr = {.type = VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, .ctx_id = 1}, .resource_id = 4);
    TELL(story, STEP_REQUEST, struct virtio_gpu_resource_unref,
         .hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF, .resource_id = 4);
    TELL(story, STEP_WORKER, struct vg_link_message, .type = VG_LINK_REMOVED, .token = 3);
    TELL(story, STEP_REQUEST, struct virtio_gpu_ctx_destroy,
         .hdr = {.type = VIRTIO_GPU_CMD_CTX_DESTROY, .ctx_id = 1});
}

void make_seeds(void)
{
    static const uint32_t formats[] = {
        VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
        VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM,
        VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM,
    };
    struct story story = {.size = 0};
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        story.size = 0;
        tell_display(&story, formats[i]);
        if (i == 0)
            write_variants(story.bytes, story.size, 2);
        write_seed(story.bytes, story.size);
    }
    story.size = 0;
    tell_questions(&story);
    write_variants(story.bytes, story.size, 2);
    for (uint32_t request = 1; request < 14; request++) {
        static const uint32_t sizes[] = {0, 8, 408, 1056};
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            story.size = 0;
            tell_display(&story, formats[0]);
            tell_questions(&story);
            tell_answers(&story, 3, 408); /* of GET_DISPLAY_INFO, and GET_EDID is next */
            tell_answers(&story, request, sizes[i]);
            tell_questions(&story);
            tell_answers(&story, request, sizes[i]);
            write_seed(story.bytes, story.size);
        }
    }
    story.size = 0;
    tell_context(&story);
    const size_t before = story.size;
    tell_end(&story);
    write_variants(story.bytes, story.size, 2);
    story.size = before;
    TELL(&story, STEP_WORKER, struct vg_link_message, .type = VG_LINK_REFUSED, .token = 2);
    tell_end(&story);
    write_seed(story.bytes, story.size);
    story.size = before;
    tell(&story, STEP_WORKER_DIES, NULL, 0);
    tell_context(&story);
    write_seed(story.bytes, story.size);
    story.size = before;
    tell(&story, STEP_RESET, NULL, 0);
    write_seed(story.bytes, story.size);
}
