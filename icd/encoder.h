/* SPDX-License-Identifier: MIT
 *
 * Writing records. An encoder appends to a buffer that may move while it grows, so places in a
 * record are offsets, never pointers. Generated code calls these functions; the layout that results
 * is the canonical one of protocol/README.md.
 */
#ifndef VIADUCT_ICD_ENCODER_H
#define VIADUCT_ICD_ENCODER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <vulkan/vulkan_core.h>

#include "protocol/descriptor.h"
#include "protocol/record.h"
#include "protocol/wire.h"

#include "object.h"
#include "shm_pool.h"

struct vdc_encoder;
struct vdc_share;

/* What calls and recorded command buffers do in ways of their own. */
struct vdc_encoder_ops {
    /* Makes room for `capacity` bytes from base, moving the record; false when it cannot. */
    bool (*grow)(struct vdc_encoder *e, uint64_t capacity);
    /* Memory beside the record, until the call has ended; NULL: no memory. NULL for records that
     * outlive the call: they share nothing. */
    struct vdc_share *(*share)(struct vdc_encoder *e, uint64_t size);
};

struct vdc_encoder {
    uint8_t *base;     /* start of the record */
    uint32_t size;     /* bytes written so far */
    uint32_t capacity; /* bytes available from base */
    uint32_t at;       /* offset of the arguments */
    uint32_t out_size; /* output area asked for so far */
    uint32_t echo;     /* first byte that returns, 0: none */
    uint32_t news;     /* where the ids of new handles stand */
    uint32_t new_count;
    uint32_t
        outer; /* a count of the enclosing struct, which arrays further in have as their length */
    uint16_t opcode; /* of a record of the ring */
    bool failed;     /* out of memory, or over VD_RECORD_MAX: the record is not sent */
    const struct vdc_encoder_ops *ops;
    struct vdc_instance *instance;
    struct vdc_device *device; /* NULL at instance level */
};

static inline void vdc_enc_put32(struct vdc_encoder *e, uint32_t at, uint32_t value)
{
    memcpy(e->base + at, &value, sizeof(value));
}

static inline void vdc_enc_put64(struct vdc_encoder *e, uint32_t at, uint64_t value)
{
    memcpy(e->base + at, &value, sizeof(value));
}

static inline void vdc_enc_zero(struct vdc_encoder *e, uint32_t at, size_t size)
{
    memset(e->base + at, 0, size);
}

/* Keeps only these bits of a byte. */
static inline void vdc_enc_mask(struct vdc_encoder *e, uint32_t at, uint8_t bits)
{
    e->base[at] &= bits;
}

/* Whether a struct of a chain is one that the server knows, too; else it stays here. */
bool vdc_enc_crosses(const struct vdc_encoder *e, VkStructureType type);

/* Appends `size` bytes; returns their offset, or 0. Only the padding behind them is zeroed. */
static inline uint32_t vdc_enc_reserve(struct vdc_encoder *e, uint64_t size)
{
    const uint64_t end = e->size + ((size + 7) & ~UINT64_C(7));
    if (size > VD_RECORD_MAX || end > VD_RECORD_MAX ||
        (end > e->capacity && !e->ops->grow(e, end))) {
        e->failed = true;
        return 0;
    }
    const uint32_t at = e->size;
    if (size & 7)
        vdc_enc_put64(e, (uint32_t)end - 8, 0);
    e->size = (uint32_t)end;
    return at;
}

/* Copies an array behind the record and points the member at `where` to it. Returns the offset of
 * the copy; 0, with a NULL pointer written, for no array (NULL, no elements) or on failure. */
static inline uint32_t vdc_enc_copy(struct vdc_encoder *e, uint32_t where, const void *from,
                                    size_t element, uint64_t count)
{
    uint32_t at = 0;
    if (from && count) {
        at = count > VD_RECORD_MAX ? (e->failed = true, 0) : vdc_enc_reserve(e, element * count);
        if (at)
            memcpy(e->base + at, from, element * count);
    }
    vdc_enc_put64(e, where, at);
    return at;
}

/* An array of `count` pointers, each still to be written; else as vdc_enc_copy(). */
static inline uint32_t vdc_enc_list(struct vdc_encoder *e, uint32_t where, const void *from,
                                    uint64_t count)
{
#if VD_WIRE_IS_NATIVE
    return vdc_enc_copy(e, where, from, 8, count);
#else
    uint32_t at = 0;
    if (from && count)
        at = count > VD_RECORD_MAX ? (e->failed = true, 0) : vdc_enc_reserve(e, 8 * count);
    vdc_enc_put64(e, where, at);
    return at;
#endif
}

#if VD_WIRE_IS_NATIVE
#define VDC_ENC_COPY(e, where, from, type, count) vdc_enc_copy(e, where, from, sizeof(type), count)
#define VDC_ENC_GATHER(e, where, from, type, count, stride) \
    vdc_enc_gather(e, where, from, sizeof(type), count, stride)
#define VDC_ENC_INOUT(e, where, from, type, count) \
    vdc_enc_inout(e, where, from, sizeof(type), count)
#define VDC_FILL_OUT(f, where, to, type, count)   vdc_fill_out(f, where, to, sizeof(type), count)
#define VDC_FILL_INOUT(f, where, to, type, count) vdc_fill_inout(f, where, to, sizeof(type), count)
#else
#define VDC_ENC_COPY(e, where, from, type, count) \
    vdc_enc_converted(e, where, from, VDC_CONVERSION(to, type), count, sizeof(type))
#define VDC_ENC_GATHER(e, where, from, type, count, stride) \
    vdc_enc_converted(e, where, from, VDC_CONVERSION(to, type), count, stride)
#define VDC_ENC_INOUT(e, where, from, type, count) \
    vdc_enc_echoed(e, VDC_ENC_COPY(e, where, from, type, count))
#define VDC_FILL_OUT(f, where, to, type, count)        \
    vdc_fill_converted(VDC_CONVERSION(from, type), to, \
                       vdc_fill_out_at(f, where, sizeof(VD_WIRE(type)), count), count)
#define VDC_FILL_INOUT(f, where, to, type, count)      \
    vdc_fill_converted(VDC_CONVERSION(from, type), to, \
                       vdc_fill_inout_at(f, where, sizeof(VD_WIRE(type)), count), count)

/* A type whose layout on the wire is not this machine's. */
struct vdc_conversion {
    void (*convert)(void *to, const void *from);
    uint32_t native, wire; /* bytes */
};
#define VDC_CONVERSION(way, type) \
    (&(const struct vdc_conversion){vd_##way##_wire_##type, sizeof(type), sizeof(VD_WIRE(type))})
/* As vdc_enc_copy(), of an array whose elements lie `stride` bytes apart. */
uint32_t vdc_enc_converted(struct vdc_encoder *e, uint32_t where, const void *from,
                           const struct vdc_conversion *c, uint64_t count, size_t stride);
#endif

/* The same of an array whose elements lie `stride` bytes apart. */
uint32_t vdc_enc_gather(struct vdc_encoder *e, uint32_t where, const void *from, size_t element,
                        uint64_t count, size_t stride);
void vdc_enc_string(struct vdc_encoder *e, uint32_t where, const char *text);
void vdc_enc_strings(struct vdc_encoder *e, uint32_t where, const char *const *texts,
                     uint64_t count);
/* An array of dispatchable handles, as ids. */
void vdc_enc_dispatchables(struct vdc_encoder *e, uint32_t where, const void *const *handles,
                           uint64_t count);
/* Memory whose length only the client knows: a u64 of it, then the bytes. `back`: it returns.
 * `share`: much of it goes by way of shared memory, whose first contents are of no interest to what
 * returns. */
void vdc_enc_sized(struct vdc_encoder *e, uint32_t where, const void *from, uint64_t size,
                   bool back, bool share);
/* Output: a place in the reply. `to` only says whether it is wanted: room for nothing is more than
 * NULL, which asks how much there is. */
void vdc_enc_out(struct vdc_encoder *e, uint32_t where, const void *to, size_t element,
                 uint64_t count);
/* Sent and returned. */
void vdc_enc_inout(struct vdc_encoder *e, uint32_t where, const void *from, size_t element,
                   uint64_t count);
/* What was copied to `at` (0: nothing) returns. */
void vdc_enc_echoed(struct vdc_encoder *e, uint32_t at);
/* Structs that return: zeroed, for the caller to write what the server must know. */
uint32_t vdc_enc_shape(struct vdc_encoder *e, uint32_t where, const void *to, size_t element,
                       uint64_t count);
/* Handles that the call creates: new ids, children of `pool` (0: none). Once in a record. */
void vdc_enc_new(struct vdc_encoder *e, uint32_t where, const void *to, uint8_t type,
                 uint64_t count, uint64_t pool);
/* The same for dispatchable objects, which the client made before. */
void vdc_enc_new_dispatchables(struct vdc_encoder *e, uint32_t where, const void *const *objects,
                               uint64_t count);

struct vdc_share {
    struct vdc_share *next;
    uint64_t pointer; /* vd_shm_pointer() */
    struct vdc_shm_part part;
};

/* Sizes that the registry does not state; see policy.toml. */
uint64_t vdc_host_copy_size(struct vdc_encoder *e, uint32_t row_length, uint32_t image_height,
                            const VkImageSubresourceLayers *subresource, const VkExtent3D *extent);
bool vdc_host_copy_is_tight(uint32_t row_length, uint32_t image_height, const VkExtent3D *extent);
uint64_t vdc_descriptor_capture_size(struct vdc_encoder *e);
/* Of a VD_TYPE_VkTensorARM or VD_TYPE_VkTensorViewARM. */
uint64_t vdc_tensor_capture_size(struct vdc_encoder *e, uint32_t type);
uint64_t vdc_group_capture_size(struct vdc_encoder *e);
/* Of a command buffer's encoder, between vkCmdBeginVideoCodingKHR and vkCmdEndVideoCodingKHR. */
uint64_t vdc_buffer_removal_times_size(const struct vdc_encoder *e);

/* What came back: the record as it was sent, and the reply. */
struct vdc_fill {
    const uint8_t *record;
    uint32_t record_size;
    const uint8_t *out;
    uint32_t out_size;
    const uint8_t *echo; /* the record's bytes from echo_from on */
    uint32_t echo_from;
    VkResult result;
    const struct vdc_share *shares; /* what went by way of shared memory */
};

static inline uint32_t vdc_fill_pointer(const struct vdc_fill *f, uint32_t where)
{
    uint64_t pointer;
    memcpy(&pointer, f->record + where, sizeof(pointer));
    return (uint32_t)pointer;
}

static inline VkStructureType vdc_fill_stype(const struct vdc_fill *f, uint32_t at)
{
    VkStructureType type;
    memcpy(&type, f->record + at, sizeof(type));
    return type;
}

static inline uint64_t vdc_fill_asked32(const struct vdc_fill *f, uint32_t where)
{
    uint32_t n = 0;
    if (where)
        memcpy(&n, f->record + where, sizeof(n));
    return n;
}

static inline uint64_t vdc_fill_asked64(const struct vdc_fill *f, uint32_t where)
{
    uint64_t n = 0;
    if (where)
        memcpy(&n, f->record + where, sizeof(n));
    return n;
}

/* Elements to copy: as many as came, never more than were asked for; none where a call fails for
 * lack of room, whose count tells what it needs. */
static inline uint64_t vdc_fill_count(const struct vdc_fill *f, uint64_t came, uint64_t asked)
{
    if (came <= asked)
        return came;
    return f->result == VK_ERROR_NOT_ENOUGH_SPACE_KHR ? 0 : asked;
}

/* The returned bytes of the record at `at`, or NULL where they did not return. */
const void *vdc_fill_echo(const struct vdc_fill *f, uint32_t at, uint64_t size);
/* `count` elements of the output, or of the echo, that the pointer at `where` leads to; NULL: they did not
 * come. */
const void *vdc_fill_out_at(const struct vdc_fill *f, uint32_t where, size_t element,
                            uint64_t count);
const void *vdc_fill_inout_at(const struct vdc_fill *f, uint32_t where, size_t element,
                              uint64_t count);
/* The same, copied to where the application wants it. */
void vdc_fill_out(const struct vdc_fill *f, uint32_t where, void *to, size_t element,
                  uint64_t count);
void vdc_fill_inout(const struct vdc_fill *f, uint32_t where, void *to, size_t element,
                    uint64_t count);
#if !VD_WIRE_IS_NATIVE
void vdc_fill_converted(const struct vdc_conversion *c, void *to, const void *from, uint64_t count);
#endif
void vdc_fill_sized(const struct vdc_fill *f, uint32_t where, void *to);

#endif
