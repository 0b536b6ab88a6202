/* SPDX-License-Identifier: MIT
 *
 * The parts of a device. All of it is one thread around one epoll: nothing in it may block, but for
 * answers to the frontend, which waits for them.
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_DEVICE_PRIVATE_H
#define VIADUCT_SERVER_VIRTIO_GPU_DEVICE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/virtio_gpu.h>

#include "protocol/record.h"
#include "protocol/virtio_gpu.h"

#include "guest_memory.h"
#include "virtqueue.h"

#define VG_QUEUE_CONTROL 0
#define VG_QUEUE_CURSOR  1
#define VG_QUEUES        2

#define VG_SCANOUTS VIRTIO_GPU_MAX_SCANOUTS

struct vg_device;
struct vg_context;
struct vg_display;
struct vg_vhost_user;

/* Something that epoll watches; data.ptr is this. */
struct vg_source {
    void (*ready)(struct vg_device *device, struct vg_source *source, uint32_t events);
    int fd;
};

/* A request of the guest, until it is answered. */
struct vg_command {
    struct vg_command *next;
    unsigned queue;
    struct vg_chain chain;
    uint32_t size; /* bytes of request */
    union {
        struct virtio_gpu_ctrl_hdr header;
        uint8_t bytes[1]; /* the request, private */
        uint64_t align;
    } request;
};

struct vg_commands {
    struct vg_command *first;
    struct vg_command **last;
};

void vg_commands_init(struct vg_commands *commands);
void vg_commands_append(struct vg_commands *commands, struct vg_command *command);
struct vg_command *vg_commands_take(struct vg_commands *commands);

struct vg_resource {
    struct vg_resource *next; /* in its bucket */
    uint32_t id;
    bool is_3d;
    uint32_t target, format, width, height;
    uint64_t picture;           /* where the first pixel lies */
    uint32_t pitch;             /* bytes from row to row */
    uint8_t *pixels;            /* of a 2D resource: width * 4 bytes a row */
    struct vg_segment *backing; /* guest pages, NULL: none */
    uint32_t backing_count;
    uint64_t backing_size;
    uint64_t *backing_start; /* the byte at which each segment begins */
    /* Workers that have the pages mapped. While there are any, what would free the pages is not
     * answered. */
    uint32_t users;
    struct vg_commands freeing;
};

#define VG_RESOURCE_BUCKETS 1024

struct vg_rect {
    uint32_t x, y, width, height; /* empty: width 0 */
};

struct vg_scanout {
    uint32_t resource; /* 0: off */
    struct vg_rect rect;
};

struct vg_device {
    unsigned number;
    int epoll;
    int spawn;
    bool failed; /* the device has to end */
    struct vg_vhost_user *vhost_user;
    struct vg_memory memory;
    struct vg_queue queues[VG_QUEUES];
    struct vg_source kicks[VG_QUEUES];
    struct vg_display *display;
    struct vg_scanout scanouts[VG_SCANOUTS];
    struct vg_resource *resources[VG_RESOURCE_BUCKETS];
    uint64_t pixel_bytes; /* of all 2D resources */
    struct vg_context *contexts;
    struct vg_context *dying; /* destroyed by the guest, their workers still there */
    uint32_t worker_count;    /* ever started: their numbers */
    unsigned parked_count;
};

/* ---- device.c */

bool vg_device_watch(struct vg_device *device, struct vg_source *source, uint32_t events);
void vg_device_change(struct vg_device *device, struct vg_source *source, uint32_t events);
void vg_device_unwatch(struct vg_device *device, struct vg_source *source);

/* Answers a command and frees it. `response` begins with a struct virtio_gpu_ctrl_hdr, whose type is
 * set and the rest 0. */
void vg_respond(struct vg_device *device, struct vg_command *command, void *response, size_t size);
/* With a type and nothing else. */
void vg_respond_type(struct vg_device *device, struct vg_command *command, uint32_t type);
/* Frees it without an answer: its queue has been reset. */
void vg_command_free(struct vg_command *command);

/* The queue can be used, or has been kicked. */
void vg_device_process_queue(struct vg_device *device, unsigned queue);
/* The queues stop: nothing may touch the guest's memory any more. */
void vg_device_stop(struct vg_device *device);
/* The guest's driver begins anew. */
void vg_device_reset(struct vg_device *device);

/* ---- vhost_user.c */

/* Does not own the socket. NULL without memory. */
struct vg_vhost_user *vg_vhost_user_create(struct vg_device *device, int socket);
void vg_vhost_user_destroy(struct vg_vhost_user *vhost_user);

/* ---- resource.c. Handlers answer with a response type, or 0: the command is kept or has been
 * answered. */

struct vg_resource *vg_resource_find(struct vg_device *device, uint32_t id);
uint32_t vg_resource_create_2d(struct vg_device *device, struct vg_command *command);
uint32_t vg_resource_create_3d(struct vg_device *device, struct vg_command *command);
uint32_t vg_resource_unref(struct vg_device *device, struct vg_command *command);
uint32_t vg_resource_attach_backing(struct vg_device *device, struct vg_command *command);
uint32_t vg_resource_detach_backing(struct vg_device *device, struct vg_command *command);
uint32_t vg_resource_transfer_2d(struct vg_device *device, struct vg_command *command);
uint32_t vg_resource_transfer_3d(struct vg_device *device, struct vg_command *command);
/* A worker no longer uses it. */
void vg_resource_unuse(struct vg_device *device, struct vg_resource *resource);
/* Where a word of its guest pages is mapped; NULL: outside, or misaligned. */
_Atomic uint32_t *vg_resource_word(struct vg_device *device, const struct vg_resource *resource,
                                   uint64_t offset);
void vg_resources_clear(struct vg_device *device);
/* A buffer shows this from now on. False: it is not within its guest pages. */
bool vg_resource_set_picture(struct vg_resource *resource,
                             const struct vd_virtio_gpu_picture *picture);
/* Copies a row of pixels, as x8r8g8b8. False: there are none. */
bool vg_resource_row(struct vg_device *device, const struct vg_resource *resource, uint32_t x,
                     uint32_t y, uint32_t width, uint32_t *pixels);

/* ---- display.c */

struct vg_display *vg_display_create(struct vg_device *device);
void vg_display_destroy(struct vg_display *display);
/* Owns the socket from then on; -1: none any more. */
void vg_display_connect(struct vg_display *display, int socket);
/* All scanouts and the cursor are off. */
void vg_display_reset(struct vg_display *display);
/* Commands that wait for QEMU are answered without it. */
void vg_display_flush_commands(struct vg_display *display);
/* No scanout shows the resource any more. */
void vg_display_forget(struct vg_display *display, uint32_t resource);
uint32_t vg_display_get_info(struct vg_device *device, struct vg_command *command);
uint32_t vg_display_get_edid(struct vg_device *device, struct vg_command *command);
uint32_t vg_display_set_scanout(struct vg_device *device, struct vg_command *command);
uint32_t vg_display_resource_flush(struct vg_device *device, struct vg_command *command);
uint32_t vg_display_update_cursor(struct vg_device *device, struct vg_command *command);

/* ---- context_3d.c */

uint32_t vg_context_create(struct vg_device *device, struct vg_command *command);
uint32_t vg_context_destroy(struct vg_device *device, struct vg_command *command);
uint32_t vg_context_attach(struct vg_device *device, struct vg_command *command);
uint32_t vg_context_detach(struct vg_device *device, struct vg_command *command);
uint32_t vg_context_submit(struct vg_device *device, struct vg_command *command);
uint32_t vg_context_capset_info(struct vg_device *device, struct vg_command *command);
uint32_t vg_context_capset(struct vg_device *device, struct vg_command *command);
/* The guest frees the resource or its pages: workers are to let go of it. */
void vg_contexts_release(struct vg_device *device, struct vg_resource *resource);
/* Ends all workers at once and answers all that waits. */
void vg_contexts_stop(struct vg_device *device);
void vg_contexts_clear(struct vg_device *device);
/* What has waited too long is answered. Returns milliseconds until it has to be called again, -1:
 * nothing waits. */
int vg_contexts_expire(struct vg_device *device);

#endif
