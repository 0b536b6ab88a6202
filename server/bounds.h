/* SPDX-License-Identifier: MIT
 *
 * Checks of numbers that drivers follow without a look, for generated code (codegen/bounds.py).
 *
 * What they protect is the worker's own memory: a driver on the CPU follows each of them there, and many
 * others copy what is recorded into arrays of their own. They keep a mistake of the client from going
 * far, and say which one it was. They are no border: shaders reach what they like.
 */
#ifndef VIADUCT_SERVER_BOUNDS_H
#define VIADUCT_SERVER_BOUNDS_H

#include "decode.h"
#include "device_limits.h"

/* ---- What is known of an object, by its id. Where it is not known, nothing is refused. */

/* Bytes of a buffer or of memory, queries of a pool. */
static inline uint64_t vds_known_size(const struct vds_decoder *d, uint64_t id)
{
    const uint64_t size =
        vds_object_find(d->objects, id) ? vds_object_links(d->objects, vd_id_index(id))->size : 0;
    return size ? size : UINT64_MAX;
}

/* The memory types, as bits, that a resource may have, or that memory is of; the values that a query of
 * a pool writes. */
static inline uint32_t vds_known_kinds(const struct vds_decoder *d, uint64_t id)
{
    const uint32_t kinds =
        vds_object_find(d->objects, id) ? vds_object_links(d->objects, vd_id_index(id))->kinds : 0;
    return kinds ? kinds : UINT32_MAX;
}

/* What is kept of an image. */
struct vds_image_facts {
    VkImageType type;
    VkFormat format;
    VkExtent3D extent;
    uint32_t levels, layers;
    uint64_t sizes[3]; /* bytes of memory, of each plane if they are disjoint; 0: not known */
    /* Bytes of one layer as VK_HOST_IMAGE_COPY_MEMCPY wants them, by level and plane. */
    uint64_t memcpy_sizes[16][3];
};

/* NULL: nothing is. */
static inline const struct vds_image_facts *vds_known_facts(const struct vds_decoder *d,
                                                            uint64_t id)
{
    return vds_object_find_type(d->objects, id, VD_TYPE_VkImage)
               ? vds_object_links(d->objects, vd_id_index(id))->data
               : NULL;
}

/* ---- Checks */

/* Whether [offset, offset + size) lies within `limit`, where VK_WHOLE_SIZE is the rest of it. */
static inline bool vds_within(uint64_t offset, uint64_t size, uint64_t limit)
{
    return offset <= limit && (size == VK_WHOLE_SIZE || size <= limit - offset);
}

/* The same of `count` elements, `stride` bytes apart. */
bool vds_array_within(uint64_t offset, uint64_t count, uint64_t stride, uint64_t element,
                      uint64_t limit);

/* The same of the results of queries, each of so many values. */
bool vds_results_fit(uint64_t offset, uint32_t count, uint64_t stride, VkQueryResultFlags flags,
                     uint32_t values, uint64_t limit);

/* Whether what needs `size` bytes may be bound to memory at an offset. */
static inline bool vds_bind_fits(uint64_t offset, uint64_t size, uint64_t memory)
{
    return memory == UINT64_MAX || size == UINT64_MAX || vds_within(offset, size, memory);
}

/* The same of an image, or of the plane that the chain names. */
bool vds_image_fits(const struct vds_image_facts *image, const void *chain, uint64_t offset,
                    uint64_t memory);

/* Whether a part of an image is a part of it. */
bool vds_image_holds(const struct vds_image_facts *image, const VkImageSubresourceLayers *part,
                     const VkOffset3D *offset, const VkExtent3D *extent);
/* The same of what is copied from another image, whose texels the extent counts. */
bool vds_image_holds_copy(const struct vds_image_facts *image, const VkImageSubresourceLayers *part,
                          const VkOffset3D *offset, const VkExtent3D *extent,
                          const struct vds_image_facts *from);
/* Whether a buffer has the bytes that go to that part, or come from it. */
bool vds_image_copy_fits(const struct vds_image_facts *image, uint64_t size, uint64_t offset,
                         uint32_t row_length, uint32_t image_height,
                         const VkImageSubresourceLayers *part, const VkExtent3D *extent);

/* ---- Sizes of what comes with a length of the client's own */

/* The copy that is decoded from here on: its image, still an id, and its flags. */
void vds_remember_copy(struct vds_decoder *d, VkImage image, VkHostImageCopyFlags flags);
/* What pictures coded from here on are made with. */
void vds_remember_points(struct vds_decoder *d, VkVideoSessionParametersKHR parameters);
/* Bytes of one of its regions. */
uint64_t vds_copy_bytes(const struct vds_decoder *d, uint32_t row_length, uint32_t image_height,
                        const VkImageSubresourceLayers *part, const VkExtent3D *extent);
/* Bytes of the opaque capture data that this command takes or gives. */
uint64_t vds_capture_bytes(const struct vds_decoder *d);
/* Bytes of a descriptor in a descriptor buffer, at least. */
uint64_t vds_descriptor_size(const struct vds_decoder *d, VkDescriptorType type);

#endif
