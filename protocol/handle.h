/* SPDX-License-Identifier: MIT
 *
 * Handles: the client chooses an id for each object; both ends index arrays with it.
 */
#ifndef VIADUCT_PROTOCOL_HANDLE_H
#define VIADUCT_PROTOCOL_HANDLE_H

#include <stdint.h>

/* id = type << 56 | generation << 32 | index. Index 0 is never used, so that 0 stays
 * VK_NULL_HANDLE. The generation makes a handle that was freed differ from its successor. */
#define VD_ID_INDEX_MAX      (1u << 24)
#define VD_ID_GENERATION_MAX 0xffffffu

static inline uint32_t vd_id_index(uint64_t id)
{
    return (uint32_t)id;
}

/* Type and generation together: what a table entry is compared with, in one go. */
static inline uint32_t vd_id_key(uint64_t id)
{
    return (uint32_t)(id >> 32);
}

static inline uint8_t vd_id_type(uint64_t id)
{
    return (uint8_t)(id >> 56);
}

static inline uint64_t vd_id_make(uint8_t type, uint32_t generation, uint32_t index)
{
    return (uint64_t)type << 56 | (uint64_t)(generation & VD_ID_GENERATION_MAX) << 32 | index;
}

#endif
