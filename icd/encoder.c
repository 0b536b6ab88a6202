/* SPDX-License-Identifier: MIT */
#include "encoder.h"

#include "instance.h"

bool vdc_enc_crosses(const struct vdc_encoder *e, VkStructureType type)
{
    return vdc_peer_knows_struct(&e->instance->peer, type);
}

uint32_t vdc_enc_gather(struct vdc_encoder *e, uint32_t where, const void *from, size_t element,
                        uint64_t count, size_t stride)
{
    if (stride == element || count < 2)
        return vdc_enc_copy(e, where, from, element, count);
    uint32_t at = 0;
    if (from) {
        at = count > VD_RECORD_MAX ? (e->failed = true, 0) : vdc_enc_reserve(e, element * count);
        for (uint64_t i = 0; at && i < count; i++)
            memcpy(e->base + at + i * element, (const char *)from + i * stride, element);
    }
    vdc_enc_put64(e, where, at);
    return at;
}

void vdc_enc_string(struct vdc_encoder *e, uint32_t where, const char *text)
{
    vdc_enc_copy(e, where, text, 1, text ? strlen(text) + 1 : 0);
}

void vdc_enc_strings(struct vdc_encoder *e, uint32_t where, const char *const *texts,
                     uint64_t count)
{
    const uint32_t list = vdc_enc_list(e, where, texts, count);
    for (uint32_t i = 0; list && i < count; i++)
        vdc_enc_string(e, list + i * 8, texts[i]);
}

void vdc_enc_dispatchables(struct vdc_encoder *e, uint32_t where, const void *const *handles,
                           uint64_t count)
{
    const uint32_t list = vdc_enc_list(e, where, handles, count);
    for (uint32_t i = 0; list && i < count; i++)
        vdc_enc_put64(e, list + i * 8, vdc_id_of(handles[i]));
}

#if !VD_WIRE_IS_NATIVE
uint32_t vdc_enc_converted(struct vdc_encoder *e, uint32_t where, const void *from,
                           const struct vdc_conversion *c, uint64_t count, size_t stride)
{
    uint32_t at = 0;
    if (from && count) {
        at = count > VD_RECORD_MAX ? (e->failed = true, 0) : vdc_enc_reserve(e, c->wire * count);
        for (uint64_t i = 0; at && i < count; i++)
            c->convert(e->base + at + i * c->wire, (const char *)from + i * stride);
    }
    vdc_enc_put64(e, where, at);
    return at;
}
#endif

/* What comes back is echoed from its first byte on. */
static void mark_echo(struct vdc_encoder *e, uint32_t at)
{
    if (!e->echo)
        e->echo = at;
}

void vdc_enc_echoed(struct vdc_encoder *e, uint32_t at)
{
    if (at)
        mark_echo(e, at);
}

/* From here on a copy is saved by naming the bytes instead of sending them. */
#define SHARE_MIN (16u << 10)

/* False: there is no memory to share, or nothing that may be. */
static bool share_sized(struct vdc_encoder *e, uint32_t where, const void *from, uint64_t size,
                        bool back)
{
    struct vdc_share *share = e->ops->share ? e->ops->share(e, size) : NULL;
    if (!share)
        return false;
    const uint32_t at = vdc_enc_reserve(e, 16);
    vdc_enc_put64(e, where, at);
    if (!at)
        return true;
    vdc_enc_put64(e, at, size | VD_SIZED_SHARED);
    vdc_enc_put64(e, at + 8, share->pointer);
    if (!back)
        memcpy(share->part.map, from, size);
    return true;
}

void vdc_enc_sized(struct vdc_encoder *e, uint32_t where, const void *from, uint64_t size,
                   bool back, bool share)
{
    uint32_t at = 0;
    if (share && from && size >= SHARE_MIN && share_sized(e, where, from, size, back))
        return;
    if (from && size)
        at = size > VD_RECORD_MAX - 8 ? (e->failed = true, 0) : vdc_enc_reserve(e, 8 + size);
    vdc_enc_put64(e, where, at);
    if (!at)
        return;
    vdc_enc_put64(e, at, size);
    memcpy(e->base + at + 8, from, size);
    if (back)
        mark_echo(e, at);
}

void vdc_enc_out(struct vdc_encoder *e, uint32_t where, const void *to, size_t element,
                 uint64_t count)
{
    uint64_t pointer = 0;
    if (to) {
        if (count > VD_RECORD_MAX || e->out_size + vd_align(element * count) > VD_RECORD_MAX) {
            e->failed = true;
        } else {
            pointer = VD_POINTER_OUT | e->out_size;
            e->out_size += (uint32_t)vd_align(element * count);
        }
    }
    vdc_enc_put64(e, where, pointer);
}

void vdc_enc_inout(struct vdc_encoder *e, uint32_t where, const void *from, size_t element,
                   uint64_t count)
{
    vdc_enc_echoed(e, vdc_enc_copy(e, where, from, element, count));
}

uint32_t vdc_enc_shape(struct vdc_encoder *e, uint32_t where, const void *to, size_t element,
                       uint64_t count)
{
    uint32_t at = 0;
    if (to) {
        at = count > VD_RECORD_MAX ? (e->failed = true, 0) : vdc_enc_reserve(e, element * count);
        if (at) {
            vdc_enc_zero(e, at, element * count);
            mark_echo(e, at);
        }
    }
    vdc_enc_put64(e, where, at);
    return at;
}

void vdc_enc_new(struct vdc_encoder *e, uint32_t where, const void *to, uint8_t type,
                 uint64_t count, uint64_t pool)
{
    const uint32_t at = to && count <= VD_RECORD_MAX ? vdc_enc_reserve(e, 8 * count) : 0;
    vdc_enc_put64(e, where, at);
    if (to && !at)
        e->failed = true;
    for (uint32_t i = 0; at && i < count; i++) {
        const uint64_t id = e->failed ? 0 : vdc_id_new(e->instance, type, pool);
        if (!id)
            e->failed = true;
        vdc_enc_put64(e, at + i * 8, id);
    }
    if (at) {
        e->news = at;
        e->new_count = (uint32_t)count;
        mark_echo(e, at);
    }
}

void vdc_enc_new_dispatchables(struct vdc_encoder *e, uint32_t where, const void *const *objects,
                               uint64_t count)
{
    vdc_enc_dispatchables(e, where, objects, count);
}

const void *vdc_fill_echo(const struct vdc_fill *f, uint32_t at, uint64_t size)
{
    if (!f->echo_from || at < f->echo_from || at > f->record_size || size > f->record_size - at)
        return NULL;
    return f->echo + (at - f->echo_from);
}

const void *vdc_fill_out_at(const struct vdc_fill *f, uint32_t where, size_t element,
                            uint64_t count)
{
    uint64_t pointer;
    memcpy(&pointer, f->record + where, sizeof(pointer));
    if (!(pointer & VD_POINTER_OUT))
        return NULL;
    const uint64_t at = pointer & ~VD_POINTER_OUT;
    const bool came = at <= f->out_size && count <= (f->out_size - at) / element;
    return came ? f->out + at : NULL;
}

const void *vdc_fill_inout_at(const struct vdc_fill *f, uint32_t where, size_t element,
                              uint64_t count)
{
    const uint32_t at = vdc_fill_pointer(f, where);
    return at ? vdc_fill_echo(f, at, element * count) : NULL;
}

void vdc_fill_out(const struct vdc_fill *f, uint32_t where, void *to, size_t element,
                  uint64_t count)
{
    const void *from = vdc_fill_out_at(f, where, element, count);
    if (from && to)
        memcpy(to, from, element * count);
}

void vdc_fill_inout(const struct vdc_fill *f, uint32_t where, void *to, size_t element,
                    uint64_t count)
{
    const void *from = vdc_fill_inout_at(f, where, element, count);
    if (from && to)
        memcpy(to, from, element * count);
}

#if !VD_WIRE_IS_NATIVE
void vdc_fill_converted(const struct vdc_conversion *c, void *to, const void *from, uint64_t count)
{
    for (uint64_t i = 0; from && to && i < count; i++)
        c->convert((char *)to + i * c->native, (const char *)from + i * c->wire);
}
#endif

void vdc_fill_sized(const struct vdc_fill *f, uint32_t where, void *to)
{
    const uint32_t at = vdc_fill_pointer(f, where);
    if (!at || !to)
        return;
    const uint64_t size = vdc_fill_asked64(f, at);
    if (size & VD_SIZED_SHARED) {
        const uint64_t pointer = vdc_fill_asked64(f, at + 8);
        const struct vdc_share *share = f->shares;
        while (share && share->pointer != pointer)
            share = share->next;
        if (share && f->result >= 0)
            memcpy(to, share->part.map, size & ~VD_SIZED_SHARED);
        return;
    }
    const void *from = vdc_fill_echo(f, at + 8, size);
    if (from)
        memcpy(to, from, size);
}
