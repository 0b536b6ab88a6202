/* SPDX-License-Identifier: MIT
 *
 * The guest's resources: images of pixels that lie here (2D), and names for pages of the guest (3D).
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_RESOURCE_H
#define VIADUCT_SERVER_VIRTIO_GPU_RESOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/virtio_gpu.h"

#include "command.h"
#include "guest_memory.h"

struct vg_resource;
struct vg_resources;

/* Told about what happens to resources that it may know. */
struct vg_resource_listener {
    /* The guest frees the resource or its pages, which waits for vg_resource_unuse(). */
    void (*freeing)(void *data, struct vg_resource *resource);
    /* The guest has freed the resource: from now on there is no such id. */
    void (*freed)(void *data, uint32_t id);
};

/* `memory`, `listener` and `data` must outlive it. NULL without memory. */
struct vg_resources *vg_resources_create(const struct vg_memory *memory,
                                         const struct vg_resource_listener *listener, void *data);
void vg_resources_destroy(struct vg_resources *resources);
/* Without a word to the listener or the guest, which begins anew. Nobody uses a resource any more. */
void vg_resources_clear(struct vg_resources *resources);

/* Handlers, as in gpu.c. */
uint32_t vg_resource_create_2d(struct vg_resources *resources, struct vg_command *command);
uint32_t vg_resource_create_3d(struct vg_resources *resources, struct vg_command *command);
uint32_t vg_resource_unref(struct vg_resources *resources, struct vg_command *command);
uint32_t vg_resource_attach_backing(struct vg_resources *resources, struct vg_command *command);
uint32_t vg_resource_detach_backing(struct vg_resources *resources, struct vg_command *command);
uint32_t vg_resource_transfer_2d(struct vg_resources *resources, struct vg_command *command);
uint32_t vg_resource_transfer_3d(struct vg_resources *resources, struct vg_command *command);

/* NULL: there is none. */
struct vg_resource *vg_resource_find(const struct vg_resources *resources, uint32_t id);
uint32_t vg_resource_id(const struct vg_resource *resource);

/* ---- Pixels */

/* Whether all of the rectangle lies within the resource. */
bool vg_resource_contains(const struct vg_resource *resource, const struct virtio_gpu_rect *rect);
bool vg_resource_has_size(const struct vg_resource *resource, uint32_t width, uint32_t height);
/* Copies a row of pixels, as x8r8g8b8. False: there are none. */
bool vg_resource_row(const struct vg_resource *resource, uint32_t x, uint32_t y, uint32_t width,
                     uint32_t *pixels);
/* Sets what scanouts show of the shared memory. False: it is not within the guest pages. */
bool vg_resource_set_layout(struct vg_resource *resource,
                            const struct vd_virtio_gpu_scanout_layout *layout);

/* ---- Guest pages */

/* Whether it is a buffer with pages, as shared memory has to be. */
bool vg_resource_is_shareable(const struct vg_resource *resource);
/* Whether the guest waits for it to be let go of. */
bool vg_resource_is_freeing(const struct vg_resource *resource);
/* Where its pages lie: `count` segments with `size` bytes in all. */
const struct vg_segment *vg_resource_pages(const struct vg_resource *resource, uint32_t *count,
                                           uint64_t *size);
const struct vg_memory *vg_resource_memory(const struct vg_resource *resource);
/* Where a word of its pages is mapped; NULL: outside, or misaligned. */
_Atomic uint32_t *vg_resource_word(const struct vg_resource *resource, uint64_t offset);

/* A worker has its pages mapped, or no longer. While one has, what would free the pages is not
 * answered. The last vg_resource_unuse() may free the resource. */
void vg_resource_use(struct vg_resource *resource);
void vg_resource_unuse(struct vg_resource *resource);

#endif
