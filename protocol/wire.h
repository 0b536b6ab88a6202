/* SPDX-License-Identifier: MIT
 *
 * The wire's layout is that of an LP64 machine. There a struct of Vulkan's is what crosses, and none of this
 * says anything. Elsewhere (i386) each struct that is laid out in another way has a mirror, generated from
 * vk.xml, and is converted member by member.
 */
#ifndef VIADUCT_PROTOCOL_WIRE_H
#define VIADUCT_PROTOCOL_WIRE_H

#include <stddef.h>
#include <stdint.h>

#if UINTPTR_MAX == UINT64_MAX

#define VD_WIRE_IS_NATIVE 1
/* A type as it crosses. */
#define VD_WIRE(type) type
/* A member of arguments that is as large as a pointer: 8 bytes. */
#define VD_WIDE(type) type
/* What stands in such a member: an id in place of a dispatchable handle, a number in place of a pointer. */
#define VD_WIDE_ID(type, id)    ((type)(uintptr_t)(id))
#define VD_WIDE_NUMBER(pointer) (pointer)
/* Copies one, into the wire's layout or out of it. */
#define VD_TO_WIRE(type, to, from)   (*(to) = *(from))
#define VD_FROM_WIRE(type, to, from) (*(to) = *(from))

#else

#include "wire_structs.h"

#define VD_WIRE_IS_NATIVE            0
#define VD_WIRE(type)                vd_wire_##type
#define VD_WIDE(type)                _Alignas(8) uint64_t
#define VD_WIDE_ID(type, id)         (id)
#define VD_WIDE_NUMBER(pointer)      ((uintptr_t)(pointer))
#define VD_TO_WIRE(type, to, from)   vd_to_wire_##type(to, from)
#define VD_FROM_WIRE(type, to, from) vd_from_wire_##type(to, from)

/* More than an address space holds is as much as it can hold. */
static inline void vd_from_wire_size_t(void *native, const void *wire)
{
    const uint64_t value = *(const uint64_t *)wire;
    *(size_t *)native = value < SIZE_MAX ? (size_t)value : SIZE_MAX;
}

static inline void vd_to_wire_size_t(void *wire, const void *native)
{
    *(uint64_t *)wire = *(const size_t *)native;
}

#endif

#endif
