/* SPDX-License-Identifier: MIT
 *
 * Checking records. Generated code walks a record in canonical order and calls these functions,
 * which patch it in place: ids become the host's handles, offsets become pointers. The record is a
 * private copy; nothing here looks at memory that the client can still write.
 *
 * Decoding is a function of the record's bytes and the object table. It neither waits nor calls the
 * driver, and changes nothing but the record: what is to happen stands in a plan.
 */
#ifndef VIADUCT_SERVER_DECODE_H
#define VIADUCT_SERVER_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <vulkan/vulkan_core.h>

#include "protocol/record.h"

#include "object.h"
#include "objects.h"
#include "opcodes.h"
#include "plan.h"

struct vds_image_facts;
struct vds_limits;

/* A place in what returns to the client, and what to put back there before it does. */
struct vds_restore {
    uint32_t offset; /* in the record */
    uint64_t value;
};

struct vds_decoder {
    const struct vds_object_table *objects;
    uint8_t *record;
    uint32_t size;
    uint32_t cursor;      /* where the next pointee must lie */
    uint32_t echo;        /* first byte that returns, 0: none */
    uint32_t owner_index; /* in the object table: the device that everything must belong to */
    const struct vds_limits *limits; /* of that device; never NULL */
    uint32_t first;                  /* index of the first parameter's object */
    uint32_t pool;                   /* index of the pool decoded last */
    uint32_t outer; /* a count of the enclosing struct, the length of arrays further in */
    uint16_t opcode;
    bool alone;  /* of a stream: it may name no other command buffer */
    bool failed; /* malformed: the connection must end */
    /* Of the copy to or from host memory that is being decoded; NULL: nothing is known of its image. */
    const struct vds_image_facts *image;
    VkHostImageCopyFlags copy_flags;
    uint64_t operating_points; /* of the video session parameters in use */
    struct vds_plan plan;

    uint8_t *out; /* the output area, zeroed, private */
    uint32_t out_size;
    uint32_t out_cursor;
    struct vds_restore *restores;
    uint32_t restore_count, restore_capacity;
};

void vds_decoder_init(struct vds_decoder *d, const struct vds_object_table *objects);
/* Starts a record at instance level, without output; what the decoder allocated stays. */
void vds_decoder_begin(struct vds_decoder *d, uint8_t *record, uint32_t size, uint16_t opcode);
/* Takes out of the record what must not return. */
void vds_decoder_restore(struct vds_decoder *d);
void vds_decoder_finish(struct vds_decoder *d);

enum vds_strictness {
    VDS_STRICT,  /* an unknown handle is an error; 0 is VK_NULL_HANDLE */
    VDS_LENIENT, /* an unknown handle becomes VK_NULL_HANDLE: the driver will not look */
};

/* Says in the log what is wrong with the record, once; always returns false. */
bool vds_dec_fail(struct vds_decoder *d, const char *what);

/* The first parameter: says which device everything must belong to. Must not be NULL. */
bool vds_dec_first(struct vds_decoder *d, uint64_t *handle, uint32_t type);

/* What vds_dec_array and vds_dec_handle leave to them: errors, and records of which a part returns. */
bool vds_dec_array_rare(struct vds_decoder *d, const void **where, uint64_t count, size_t element,
                        bool required, const char *what);
bool vds_dec_handle_rare(struct vds_decoder *d, uint64_t *handle, uint32_t type,
                         enum vds_strictness strictness, const char *what);

/* Claims count × element bytes at the cursor for the pointer at `where` (NULL stays NULL, which is
 * an error where `required` and count > 0), and patches it. */
static inline bool vds_dec_array(struct vds_decoder *d, const void **where, uint64_t count,
                                 size_t element, bool required, const char *what)
{
    if (!*where && (!required || count == 0))
        return true;
    /* Multiplied, not divided: where this is not inlined, a division takes longer than all else. */
    size_t bytes;
    if ((uintptr_t)*where != d->cursor || __builtin_mul_overflow(count, element, &bytes) ||
        bytes > d->size - d->cursor || d->echo)
        return vds_dec_array_rare(d, where, count, element, required, what);
    *where = d->record + d->cursor;
    d->cursor += (uint32_t)vd_align(bytes);
    return true;
}
/* Text, NUL-terminated within the record. */
bool vds_dec_string(struct vds_decoder *d, const char **where, bool required, const char *what);
bool vds_dec_strings(struct vds_decoder *d, const char *const **where, uint64_t count,
                     const char *what);
/* A u64 length and that many bytes; the pointer ends up at the bytes. Whoever gets the pointer takes
 * `needed` of them, and there must be as many. `share`: they may lie in memory that the client can still
 * write, because whoever gets the pointer does not mind. */
bool vds_dec_sized(struct vds_decoder *d, const void **where, bool share, uint64_t needed,
                   bool required, const char *what);
/* A place in the output area: the wire pointer is VD_POINTER_OUT | out_cursor. */
bool vds_dec_out(struct vds_decoder *d, const void **where, uint64_t count, size_t element,
                 bool required, const char *what);
/* vd_shm_pointer() to memory that the call takes; its size is checked by whoever knows it. */
bool vds_dec_shm(struct vds_decoder *d, const void **where, const char *what);
/* An array of ids that the call gives to new objects. Remembers them, zeroes their places. */
bool vds_dec_new(struct vds_decoder *d, const void **where, uint64_t count, uint32_t type,
                 bool required, const char *what);
/* The same of ids that stand at `places`. */
bool vds_dec_births(struct vds_decoder *d, uint64_t *places, uint64_t count, uint32_t type,
                    const char *what);

/* An id to the host's handle: type, generation and device must match. vds_dec_handle_rare does as
 * much, and serves pools and command buffers, too: the last pool is remembered, and what was recorded
 * into a command buffer, or from a command pool, is to be replayed before the call. */
static inline bool vds_dec_handle(struct vds_decoder *d, uint64_t *handle, uint32_t type,
                                  enum vds_strictness strictness, const char *what)
{
    const uint64_t id = *handle;
    if (id == 0)
        return true;
    const struct vds_object *object = vds_object_find_type(d->objects, id, type);
    if (!object || object->owner != d->owner_index || object->handle == 0 || d->echo)
        return vds_dec_handle_rare(d, handle, type, strictness, what);
    *handle = object->handle;
    return true;
}
bool vds_dec_handles(struct vds_decoder *d, void *handles, uint64_t count, uint32_t type,
                     enum vds_strictness strictness, const char *what);
/* A handle of a type (enum vd_type, which may be none) that the record itself tells. An unknown one
 * has no counterpart on the host: a call that only gives it a name is skipped, others are told
 * VK_NULL_HANDLE. */
bool vds_dec_object(struct vds_decoder *d, uint64_t *handle, uint32_t type, const char *what);

/* The struct at `pointer`, which must lie at the cursor, for its sType; nothing is claimed yet.
 * `n` counts the chain's links. NULL: failed. */
VkBaseOutStructure *vds_dec_link(struct vds_decoder *d, const void *pointer, unsigned n,
                                 const char *what);

/* Ids that the call destroys: their entries go after it. The array is still an offset. */
void vds_dec_victim(struct vds_decoder *d, uint64_t id, uint32_t type);
bool vds_dec_victims(struct vds_decoder *d, const uint64_t *offset, uint64_t count, uint32_t type,
                     const char *what);
/* The id of a pool whose children die with the call. */
void vds_dec_emptied(struct vds_decoder *d, uint64_t id);

#endif
