/* SPDX-License-Identifier: MIT */
#include "command_buffer.h"

#include <stdlib.h>

#include "common/trace.h"

#include "call.h"
#include "calls.h"
#include "device.h"
#include "entrypoints.h"
#include "opcodes.h"

#define CHUNK_FIRST (16u << 10)
#define CHUNK_MAX   (1u << 20)
#define POOL_KEEPS  16u

/* A piece of a stream. While the server may still read it, it is not written again. */
struct vdc_chunk {
    struct vdc_chunk *next;
    struct vdc_shm_part part;
    uint32_t used;       /* bytes of whole records */
    uint64_t busy_until; /* ring position of the record that handed it over; 0: never was */
};

/* Children are externally synchronised with their pool, so nothing here takes a lock. */
struct vdc_command_pool {
    struct vdc_command_buffer *buffers;
    struct vdc_chunk *free;
    uint32_t free_count;
};

static struct vdc_command_pool *pool_of(VkDevice device, VkCommandPool pool)
{
    return vdc_id_object(vdc_instance_of(device), (uint64_t)pool);
}

static bool chunk_ready(struct vdc_connection *connection, const struct vdc_chunk *chunk)
{
    return chunk->busy_until <= vdc_ring_consumed(connection->ring);
}

static void chunk_destroy(struct vdc_instance *instance, struct vdc_chunk *chunk)
{
    vdc_shm_pool_free_after(instance->memory, &chunk->part, chunk->busy_until);
    free(chunk);
}

static struct vdc_chunk *chunk_get(struct vdc_command_buffer *cb, uint32_t size)
{
    struct vdc_instance *instance = cb->base.instance;
    struct vdc_command_pool *pool = cb->pool;
    for (struct vdc_chunk **at = &pool->free; *at; at = &(*at)->next) {
        struct vdc_chunk *chunk = *at;
        if (chunk->part.size < size || !chunk_ready(instance->connection, chunk))
            continue;
        *at = chunk->next;
        pool->free_count--;
        chunk->used = 0;
        chunk->next = NULL;
        return chunk;
    }
    uint64_t wanted = cb->last ? cb->last->part.size * 2 : CHUNK_FIRST;
    if (wanted > CHUNK_MAX)
        wanted = CHUNK_MAX;
    if (wanted < size)
        wanted = size;
    struct vdc_chunk *chunk = calloc(1, sizeof(*chunk));
    if (chunk && vdc_shm_pool_alloc(instance->memory, wanted, &chunk->part) != VK_SUCCESS) {
        free(chunk);
        chunk = NULL;
    }
    return chunk;
}

static void chunk_put(struct vdc_command_buffer *cb, struct vdc_chunk *chunk)
{
    struct vdc_command_pool *pool = cb->pool;
    if (pool->free_count >= POOL_KEEPS) {
        chunk_destroy(cb->base.instance, chunk);
        return;
    }
    chunk->next = pool->free;
    pool->free = chunk;
    pool->free_count++;
}

static void drop_stream(struct vdc_command_buffer *cb)
{
    while (cb->first) {
        struct vdc_chunk *next = cb->first->next;
        chunk_put(cb, cb->first);
        cb->first = next;
    }
    cb->last = NULL;
    cb->chunk_count = 0;
    cb->encoder.base = NULL;
    cb->encoder.capacity = 0;
    cb->encoder.size = 0;
    cb->names_others = false;
}

/* What was recorded is of no interest any more. */
static void discard(struct vdc_command_buffer *cb)
{
    drop_stream(cb);
    vdc_recording_end(&cb->base.device->recordings, &cb->recording, (VkDevice)cb->base.device);
}

/* The records of the last chunk end where the encoder stands. */
static void seal(struct vdc_command_buffer *cb)
{
    if (cb->last)
        cb->last->used = (uint32_t)(cb->encoder.base - (uint8_t *)cb->last->part.map);
}

/* Moves to a new chunk, taking the first `keep` bytes of an unfinished record along. */
static bool next_chunk(struct vdc_command_buffer *cb, uint64_t size, uint32_t keep)
{
    struct vdc_encoder *e = &cb->encoder;
    struct vdc_chunk *chunk = size <= VD_RECORD_MAX ? chunk_get(cb, (uint32_t)size) : NULL;
    if (!chunk) {
        if (cb->error == VK_SUCCESS)
            cb->error = VK_ERROR_OUT_OF_HOST_MEMORY;
        return false;
    }
    seal(cb);
    if (keep)
        memcpy(chunk->part.map, e->base, keep);
    if (cb->last)
        cb->last->next = chunk;
    else
        cb->first = chunk;
    cb->last = chunk;
    cb->chunk_count++;
    e->base = chunk->part.map;
    e->capacity = (uint32_t)chunk->part.size;
    return true;
}

bool vdc_command_buffer_room(struct vdc_command_buffer *cb, uint32_t size)
{
    return next_chunk(cb, size, 0);
}

/* Only for encoders with stream_ops. */
static struct vdc_command_buffer *buffer_of_encoder(struct vdc_encoder *e)
{
    return (struct vdc_command_buffer *)((char *)e - offsetof(struct vdc_command_buffer, encoder));
}

static bool grow(struct vdc_encoder *e, uint64_t capacity)
{
    return next_chunk(buffer_of_encoder(e), capacity, e->size);
}

static const struct vdc_encoder_ops stream_ops = {.grow = grow};

void vdc_command_buffer_failed(struct vdc_encoder *e)
{
    struct vdc_command_buffer *cb = buffer_of_encoder(e);
    e->failed = false;
    if (cb->error == VK_SUCCESS)
        cb->error = VK_ERROR_OUT_OF_HOST_MEMORY;
}

/* ---- Pools */

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkCreateCommandPool(VkDevice device,
                                                       const VkCommandPoolCreateInfo *pCreateInfo,
                                                       const VkAllocationCallbacks *pAllocator,
                                                       VkCommandPool *pCommandPool)
{
    struct vdc_command_pool *pool = calloc(1, sizeof(*pool));
    if (!pool)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    const VkResult result =
        vdc_call_vkCreateCommandPool(device, pCreateInfo, pAllocator, pCommandPool);
    if (result != VK_SUCCESS)
        free(pool);
    else
        vdc_id_set_object(vdc_instance_of(device), (uint64_t)*pCommandPool, pool);
    return result;
}

static void buffer_destroy(struct vdc_command_buffer *cb)
{
    struct vdc_instance *instance = cb->base.instance;
    discard(cb);
    if (cb->prev)
        cb->prev->next = cb->next;
    else
        cb->pool->buffers = cb->next;
    if (cb->next)
        cb->next->prev = cb->prev;
    vdc_id_free(instance, cb->base.id);
    free(cb);
}

static void trim(struct vdc_instance *instance, struct vdc_command_pool *pool)
{
    while (pool->free) {
        struct vdc_chunk *next = pool->free->next;
        chunk_destroy(instance, pool->free);
        pool->free = next;
    }
    pool->free_count = 0;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkDestroyCommandPool(VkDevice device, VkCommandPool commandPool,
                                                    const VkAllocationCallbacks *pAllocator)
{
    struct vdc_command_pool *pool = pool_of(device, commandPool);
    if (!pool)
        return;
    /* First: ids must not be given again before the server knows that they are free. */
    vdc_call_vkDestroyCommandPool(device, commandPool, pAllocator);
    while (pool->buffers)
        buffer_destroy(pool->buffers);
    trim(vdc_instance_of(device), pool);
    free(pool);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkResetCommandPool(VkDevice device, VkCommandPool commandPool,
                                                      VkCommandPoolResetFlags flags)
{
    struct vdc_command_pool *pool = pool_of(device, commandPool);
    for (struct vdc_command_buffer *cb = pool->buffers; cb; cb = cb->next)
        discard(cb);
    return vdc_call_vkResetCommandPool(device, commandPool, flags);
}

VKAPI_ATTR void VKAPI_CALL vdc_vkTrimCommandPool(VkDevice device, VkCommandPool commandPool,
                                                 VkCommandPoolTrimFlags flags)
{
    trim(vdc_instance_of(device), pool_of(device, commandPool));
    vdc_call_vkTrimCommandPool(device, commandPool, flags);
}

/* ---- Command buffers */

VKAPI_ATTR VkResult VKAPI_CALL
vdc_vkAllocateCommandBuffers(VkDevice device, const VkCommandBufferAllocateInfo *pAllocateInfo,
                             VkCommandBuffer *pCommandBuffers)
{
    struct vdc_instance *instance = vdc_instance_of(device);
    struct vdc_command_pool *pool = pool_of(device, pAllocateInfo->commandPool);
    const uint32_t count = pAllocateInfo->commandBufferCount;
    VkResult result = VK_SUCCESS;
    uint32_t made;
    for (made = 0; made < count; made++) {
        struct vdc_command_buffer *cb = calloc(1, sizeof(*cb));
        const uint64_t id = cb ? vdc_id_new(instance, VD_TYPE_VkCommandBuffer, 0) : 0;
        if (!id) {
            free(cb);
            result = VK_ERROR_OUT_OF_HOST_MEMORY;
            break;
        }
        vdc_dispatchable_init(&cb->base, id, instance, (struct vdc_device *)device);
        cb->encoder.ops = &stream_ops;
        cb->encoder.instance = instance;
        cb->encoder.device = (struct vdc_device *)device;
        cb->pool = pool;
        cb->level = pAllocateInfo->level;
        cb->next = pool->buffers;
        if (cb->next)
            cb->next->prev = cb;
        pool->buffers = cb;
        pCommandBuffers[made] = (VkCommandBuffer)cb;
    }
    if (result == VK_SUCCESS)
        result = vdc_call_vkAllocateCommandBuffers(device, pAllocateInfo, pCommandBuffers);
    if (result == VK_SUCCESS)
        return VK_SUCCESS;
    while (made--)
        buffer_destroy((struct vdc_command_buffer *)pCommandBuffers[made]);
    memset(pCommandBuffers, 0, count * sizeof(*pCommandBuffers));
    return result;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkFreeCommandBuffers(VkDevice device, VkCommandPool commandPool,
                                                    uint32_t commandBufferCount,
                                                    const VkCommandBuffer *pCommandBuffers)
{
    vdc_call_vkFreeCommandBuffers(device, commandPool, commandBufferCount, pCommandBuffers);
    for (uint32_t i = 0; i < commandBufferCount; i++)
        if (pCommandBuffers[i])
            buffer_destroy((struct vdc_command_buffer *)pCommandBuffers[i]);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkBeginCommandBuffer(VkCommandBuffer commandBuffer,
                                                        const VkCommandBufferBeginInfo *pBeginInfo)
{
    struct vdc_command_buffer *cb = (struct vdc_command_buffer *)commandBuffer;
    discard(cb);
    cb->error = VK_SUCCESS;
    vdc_recording_begin(&cb->base.device->recordings, &cb->recording);
    VkCommandBufferBeginInfo info = *pBeginInfo;
    if (cb->level == VK_COMMAND_BUFFER_LEVEL_PRIMARY)
        info.pInheritanceInfo = NULL; /* may be anything in a primary */
    return vdc_call_vkBeginCommandBuffer(commandBuffer, &info);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkResetCommandBuffer(VkCommandBuffer commandBuffer,
                                                        VkCommandBufferResetFlags flags)
{
    discard((struct vdc_command_buffer *)commandBuffer);
    return vdc_call_vkResetCommandBuffer(commandBuffer, flags);
}

/* The only moment at which recording touches the control ring. */
static VkResult send_stream(struct vdc_command_buffer *cb, uint32_t flags)
{
    struct vdc_connection *connection = cb->base.instance->connection;
    seal(cb);
    const size_t size = sizeof(struct vd_record) + sizeof(struct vd_stream) +
                        cb->chunk_count * sizeof(struct vd_stream_chunk);
    uint64_t small[32];
    uint64_t *buffer = size <= sizeof(small) ? small : malloc(size);
    if (!buffer)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    struct vd_record *record = (struct vd_record *)buffer;
    *record = (struct vd_record){.size = (uint32_t)size, .opcode = VD_OP_STREAM};
    struct vd_stream *stream = (struct vd_stream *)(record + 1);
    struct vd_stream_chunk *entry = (struct vd_stream_chunk *)(stream + 1);
    *stream = (struct vd_stream){
        .command_buffer = cb->base.id,
        .flags = flags | (cb->names_others ? 0 : VD_STREAM_ALONE),
    };
    uint64_t bytes = 0;
    for (struct vdc_chunk *chunk = cb->first; chunk; chunk = chunk->next) {
        /* A chunk that a growing record left before its first record was complete is empty. */
        if (!chunk->used)
            continue;
        entry[stream->chunk_count++] = (struct vd_stream_chunk){
            .shm = chunk->part.shm,
            .size = chunk->used,
            .offset = chunk->part.offset,
        };
        bytes += chunk->used;
    }
    record->size =
        (uint32_t)(sizeof(*record) + sizeof(*stream) + stream->chunk_count * sizeof(*entry));
    uint64_t position = 0;
    const uint64_t traced = vd_trace_begin();
    const VkResult result = vdc_ring_send(connection->ring, record, &position);
    vd_trace_end(traced,
                 flags & VD_STREAM_OPEN ? "a part of a command buffer" : "vkEndCommandBuffer",
                 bytes);
    for (struct vdc_chunk *chunk = cb->first; chunk; chunk = chunk->next)
        chunk->busy_until = position;
    vdc_ring_count(connection->ring, 0, bytes);
    if (buffer != small)
        free(buffer);
    /* A lost device shows at submission, as it does natively. */
    return result == VK_ERROR_DEVICE_LOST ? VK_SUCCESS : result;
}

void vdc_command_buffer_hand_over(VkCommandBuffer commandBuffer)
{
    struct vdc_command_buffer *cb = (struct vdc_command_buffer *)commandBuffer;
    if (!cb || cb->error != VK_SUCCESS || !cb->first)
        return;
    cb->error = send_stream(cb, VD_STREAM_OPEN);
    drop_stream(cb);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkEndCommandBuffer(VkCommandBuffer commandBuffer)
{
    struct vdc_command_buffer *cb = (struct vdc_command_buffer *)commandBuffer;
    const VkResult result = cb->error == VK_SUCCESS ? send_stream(cb, 0) : cb->error;
    vdc_recording_end(&cb->base.device->recordings, &cb->recording, (VkDevice)cb->base.device);
    return result;
}
