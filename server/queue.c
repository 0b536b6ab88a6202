/* SPDX-License-Identifier: MIT
 *
 * Submissions. Each batch whose end somebody can tell also signals the queue's timeline semaphore with
 * the batch's number: its arrays are copied, with one more element, to memory that the queue keeps.
 */
#include "queue.h"

#include <stdatomic.h>
#include <string.h>

#include "common/chain.h"

#include "args.h"
#include "buffer.h"
#include "context_private.h"
#include "device.h"
#include "device_fault.h"
#include "execution.h"
#include "flight.h"
#include "log.h"
#include "names.h"
#include "replay.h"

/* The decoder has checked that the first parameter is a queue, and not a poisoned object. */
struct vds_queue *vds_queue_of(const struct vds_execution *x)
{
    return vds_object_links(&x->context->objects, x->decoder.first)->data;
}

/* ---- Scratch memory of a submission */

struct scratch {
    uint8_t *at;
};

static void *take(struct scratch *scratch, size_t count, size_t element)
{
    void *taken = scratch->at;
    scratch->at += vd_align(count * element);
    return taken;
}

/* A copy of an array with room for one more. */
static void *extend(struct scratch *scratch, const void *array, uint32_t count, size_t element)
{
    uint8_t *copy = take(scratch, (size_t)count + 1, element);
    if (count)
        memcpy(copy, array, count * element);
    memset(copy + count * element, 0, element);
    return copy;
}

/* Enough for the semaphores of one old-style batch, waits and signals. */
static size_t old_size(uint32_t waits, uint32_t signals)
{
    const size_t each = sizeof(VkSemaphore) + sizeof(uint64_t) + 2 * sizeof(uint32_t);
    return ((size_t)waits + signals) * each + 256;
}

/* ---- Old-style batches: VkSubmitInfo and VkBindSparseInfo */

/* The semaphores of a batch of either kind. */
struct batch {
    const void **chain;
    uint32_t *wait_count, *signal_count;
    const VkSemaphore **waits, **signals;
    const VkPipelineStageFlags **wait_stages; /* NULL: none */
};

/* Values may be missing for semaphores that are all binary. */
static const uint64_t *extend_values(struct scratch *scratch, const uint64_t *values,
                                     uint32_t count, uint32_t given, uint64_t value)
{
    uint64_t *copy = take(scratch, (size_t)count + 1, sizeof(*copy));
    for (uint32_t i = 0; i < count; i++)
        copy[i] = values && i < given ? values[i] : 0;
    copy[count] = value;
    return copy;
}

static const uint32_t *extend_indices(struct scratch *scratch, const uint32_t *indices,
                                      uint32_t count, uint32_t given)
{
    uint32_t *copy = take(scratch, (size_t)count + 1, sizeof(*copy));
    for (uint32_t i = 0; i <= count; i++)
        copy[i] = indices && i < given && i < count ? indices[i] : 0;
    return copy;
}

/* Whether somebody can tell when batch `i` has finished. Fences and waits for a queue are about the last
 * batch of a call; those before it can be told from the next one by the semaphores that they signal. A
 * signal costs the driver's thread about what an empty batch does. */
static bool is_told(uint32_t i, uint32_t count, uint32_t signals)
{
    return i + 1 == count || signals;
}

/* Makes the batch signal `number`, if `told`, and wait for the one before where that is not certain to come
 * first by itself. The chain is a private copy, so that what stands in it may be changed. */
static void number_batch(struct vds_queue *queue, struct scratch *scratch,
                         const struct batch *batch, uint64_t number, bool told, bool wait)
{
    const uint32_t waits = *batch->wait_count, signals = *batch->signal_count;
    if (!told && !wait)
        return;
    VkTimelineSemaphoreSubmitInfo *values =
        (void *)vd_chain_find(*batch->chain, VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO);
    VkDeviceGroupSubmitInfo *group =
        (void *)vd_chain_find(*batch->chain, VK_STRUCTURE_TYPE_DEVICE_GROUP_SUBMIT_INFO);
    if (!values) {
        values = take(scratch, 1, sizeof(*values));
        *values = (VkTimelineSemaphoreSubmitInfo){
            .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
            .pNext = *batch->chain,
        };
        *batch->chain = values;
    }

    if (told) {
        VkSemaphore *semaphores = extend(scratch, *batch->signals, signals, sizeof(VkSemaphore));
        semaphores[signals] = queue->timeline;
        *batch->signals = semaphores;
        *batch->signal_count = signals + 1;
        values->pSignalSemaphoreValues =
            extend_values(scratch, values->pSignalSemaphoreValues, signals,
                          values->signalSemaphoreValueCount, number);
        values->signalSemaphoreValueCount = signals + 1;
        if (group) {
            group->pSignalSemaphoreDeviceIndices =
                extend_indices(scratch, group->pSignalSemaphoreDeviceIndices, signals,
                               group->signalSemaphoreCount);
            group->signalSemaphoreCount = signals + 1;
        }
    }
    if (!wait)
        return;

    VkSemaphore *semaphores = extend(scratch, *batch->waits, waits, sizeof(VkSemaphore));
    semaphores[waits] = queue->timeline;
    *batch->waits = semaphores;
    *batch->wait_count = waits + 1;
    values->pWaitSemaphoreValues = extend_values(scratch, values->pWaitSemaphoreValues, waits,
                                                 values->waitSemaphoreValueCount, number - 1);
    values->waitSemaphoreValueCount = waits + 1;
    if (group) {
        group->pWaitSemaphoreDeviceIndices = extend_indices(
            scratch, group->pWaitSemaphoreDeviceIndices, waits, group->waitSemaphoreCount);
        group->waitSemaphoreCount = waits + 1;
    }
    if (batch->wait_stages) {
        VkPipelineStageFlags *stages =
            extend(scratch, *batch->wait_stages, waits, sizeof(VkPipelineStageFlags));
        stages[waits] = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
        *batch->wait_stages = stages;
    }
}

/* Leaves out waits for what the client has signalled. The record is a private copy, whose arrays may
 * be changed. */
static void drop_signalled(struct vds_device *device, const struct batch *batch)
{
    if (device->signalled.count == 0)
        return;
    VkTimelineSemaphoreSubmitInfo *values =
        (void *)vd_chain_find(*batch->chain, VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO);
    VkDeviceGroupSubmitInfo *group =
        (void *)vd_chain_find(*batch->chain, VK_STRUCTURE_TYPE_DEVICE_GROUP_SUBMIT_INFO);
    VkSemaphore *waits = (VkSemaphore *)*batch->waits;
    VkPipelineStageFlags *stages =
        batch->wait_stages ? (VkPipelineStageFlags *)*batch->wait_stages : NULL;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *batch->wait_count; i++) {
        if (vds_semaphore_list_take(&device->signalled, waits[i]))
            continue;
        waits[kept] = waits[i];
        if (stages)
            stages[kept] = stages[i];
        if (values && values->pWaitSemaphoreValues && i < values->waitSemaphoreValueCount)
            ((uint64_t *)values->pWaitSemaphoreValues)[kept] = values->pWaitSemaphoreValues[i];
        if (group && group->pWaitSemaphoreDeviceIndices && i < group->waitSemaphoreCount) {
            ((uint32_t *)group->pWaitSemaphoreDeviceIndices)[kept] =
                group->pWaitSemaphoreDeviceIndices[i];
        }
        kept++;
    }
    *batch->wait_count = kept;
    if (values && values->waitSemaphoreValueCount > kept)
        values->waitSemaphoreValueCount = kept;
    if (group && group->waitSemaphoreCount > kept)
        group->waitSemaphoreCount = kept;
}

static void drop_signalled2(struct vds_device *device, VkSubmitInfo2 *submit)
{
    VkSemaphoreSubmitInfo *waits = (VkSemaphoreSubmitInfo *)submit->pWaitSemaphoreInfos;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < submit->waitSemaphoreInfoCount; i++)
        if (!vds_semaphore_list_take(&device->signalled, waits[i].semaphore))
            waits[kept++] = waits[i];
    submit->waitSemaphoreInfoCount = kept;
}

/* ---- All three */

/* False: nothing is to be submitted, and x->result says why. */
static bool begin(struct vds_execution *x, struct vds_queue *queue, uint32_t batches,
                  uint64_t fence, size_t scratch_size, struct scratch *scratch)
{
    if (fence)
        return vds_dec_fail(&x->decoder, "a fence, which is the client's business");
    if (atomic_load_explicit(&x->context->lost, memory_order_relaxed)) {
        x->result = VK_ERROR_DEVICE_LOST;
        return false;
    }
    if (!vds_queue_start(queue)) {
        x->result = VK_ERROR_OUT_OF_HOST_MEMORY;
        vds_context_lose(x->context, "a queue can not be used");
        return false;
    }
    if (!vds_buffer_reserve(&queue->scratch, &queue->scratch_capacity, scratch_size)) {
        x->result = VK_ERROR_OUT_OF_HOST_MEMORY;
        vds_context_lose(x->context, "no memory for a submission");
        return false;
    }
    scratch->at = queue->scratch;
    /* Before the driver has them, and may be done. */
    vds_meter_submitted(&x->context->meter, batches);
    return true;
}

/* The numbers are taken either way: the client counts without asking. */
static void end(struct vds_execution *x, struct vds_queue *queue, uint32_t batches, bool sparse)
{
    queue->number += batches;
    queue->sparse = sparse;
    if (x->result == VK_SUCCESS) {
        vds_queue_expect(queue, queue->number);
    } else if (x->result == VK_ERROR_DEVICE_LOST) {
        if (vds_context_lose_device(x->context, "the host's driver says so in %s",
                                    vd_opcode_name(x->decoder.opcode)))
            vds_device_fault_report(queue->device);
    } else {
        vds_context_lose(x->context, "%s: %s", vd_opcode_name(x->decoder.opcode),
                         vd_result_name((VkResult)x->result));
    }
}

void vds_call_vkQueueSubmit(struct vds_execution *x, void *body)
{
    struct vd_args_vkQueueSubmit *a = body;
    struct vds_queue *queue = vds_queue_of(x);
    const uint32_t count = a->submitCount ? a->submitCount : 1;
    size_t size = (size_t)count * sizeof(VkSubmitInfo);
    for (uint32_t i = 0; i < a->submitCount; i++)
        size += old_size(a->pSubmits[i].waitSemaphoreCount, a->pSubmits[i].signalSemaphoreCount);
    struct scratch scratch = {0};
    if (!begin(x, queue, count, (uintptr_t)a->fence, size + old_size(0, 0), &scratch))
        return;

    VkSubmitInfo *submits = take(&scratch, count, sizeof(*submits));
    submits[0] = (VkSubmitInfo){.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO};
    if (a->submitCount)
        memcpy(submits, a->pSubmits, count * sizeof(*submits));
    for (uint32_t i = 0; i < count; i++) {
        const struct batch batch = {
            .chain = &submits[i].pNext,
            .wait_count = &submits[i].waitSemaphoreCount,
            .signal_count = &submits[i].signalSemaphoreCount,
            .waits = &submits[i].pWaitSemaphores,
            .signals = &submits[i].pSignalSemaphores,
            .wait_stages = &submits[i].pWaitDstStageMask,
        };
        drop_signalled(queue->device, &batch);
        number_batch(queue, &scratch, &batch, queue->number + 1 + i,
                     is_told(i, count, *batch.signal_count), i == 0 && queue->sparse);
    }
    for (uint32_t i = 0; i < count; i++)
        vds_flight_submit(x->context->flight, queue->slot, queue->number + 1 + i,
                          submits[i].commandBufferCount, submits[i].pCommandBuffers,
                          sizeof(*submits[i].pCommandBuffers));
    pthread_mutex_lock(&queue->host);
    x->result = x->device->vkQueueSubmit(a->queue, count, submits, VK_NULL_HANDLE);
    pthread_mutex_unlock(&queue->host);
    end(x, queue, count, false);
}

void vds_call_vkQueueBindSparse(struct vds_execution *x, void *body)
{
    struct vd_args_vkQueueBindSparse *a = body;
    struct vds_queue *queue = vds_queue_of(x);
    const uint32_t count = a->bindInfoCount ? a->bindInfoCount : 1;
    size_t size = (size_t)count * sizeof(VkBindSparseInfo);
    for (uint32_t i = 0; i < a->bindInfoCount; i++)
        size += old_size(a->pBindInfo[i].waitSemaphoreCount, a->pBindInfo[i].signalSemaphoreCount);
    struct scratch scratch = {0};
    if (!begin(x, queue, count, (uintptr_t)a->fence, size + old_size(0, 0), &scratch))
        return;

    VkBindSparseInfo *binds = take(&scratch, count, sizeof(*binds));
    binds[0] = (VkBindSparseInfo){.sType = VK_STRUCTURE_TYPE_BIND_SPARSE_INFO};
    if (a->bindInfoCount)
        memcpy(binds, a->pBindInfo, count * sizeof(*binds));
    for (uint32_t i = 0; i < count; i++) {
        const struct batch batch = {
            .chain = &binds[i].pNext,
            .wait_count = &binds[i].waitSemaphoreCount,
            .signal_count = &binds[i].signalSemaphoreCount,
            .waits = &binds[i].pWaitSemaphores,
            .signals = &binds[i].pSignalSemaphores,
        };
        const uint64_t number = queue->number + 1 + i;
        drop_signalled(queue->device, &batch);
        number_batch(queue, &scratch, &batch, number, true, number > 1);
    }
    pthread_mutex_lock(&queue->host);
    x->result = x->device->vkQueueBindSparse(a->queue, count, binds, VK_NULL_HANDLE);
    pthread_mutex_unlock(&queue->host);
    end(x, queue, count, true);
}

static const void *command_buffers_of(const VkSubmitInfo2 *submit)
{
    return submit->commandBufferInfoCount ? &submit->pCommandBufferInfos->commandBuffer : NULL;
}

void vds_call_vkQueueSubmit2(struct vds_execution *x, void *body)
{
    struct vd_args_vkQueueSubmit2 *a = body;
    struct vds_queue *queue = vds_queue_of(x);
    const uint32_t count = a->submitCount ? a->submitCount : 1;
    size_t size = (size_t)count * sizeof(VkSubmitInfo2) + sizeof(VkSemaphoreSubmitInfo);
    for (uint32_t i = 0; i < a->submitCount; i++) {
        size += ((size_t)a->pSubmits[i].waitSemaphoreInfoCount +
                 a->pSubmits[i].signalSemaphoreInfoCount + 2) *
                sizeof(VkSemaphoreSubmitInfo);
    }
    struct scratch scratch = {0};
    if (!begin(x, queue, count, (uintptr_t)a->fence, size, &scratch))
        return;

    VkSubmitInfo2 *submits = take(&scratch, count, sizeof(*submits));
    submits[0] = (VkSubmitInfo2){.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2};
    if (a->submitCount)
        memcpy(submits, a->pSubmits, count * sizeof(*submits));
    for (uint32_t i = 0; i < count; i++) {
        VkSubmitInfo2 *submit = &submits[i];
        drop_signalled2(queue->device, submit);
        const VkSemaphoreSubmitInfo signal = {
            .sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
            .semaphore = queue->timeline,
            .value = queue->number + 1 + i,
            .stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT,
        };
        if (is_told(i, count, submit->signalSemaphoreInfoCount)) {
            VkSemaphoreSubmitInfo *signals =
                extend(&scratch, submit->pSignalSemaphoreInfos, submit->signalSemaphoreInfoCount,
                       sizeof(signal));
            signals[submit->signalSemaphoreInfoCount++] = signal;
            submit->pSignalSemaphoreInfos = signals;
        }
        if (i == 0 && queue->sparse) {
            VkSemaphoreSubmitInfo *waits = extend(&scratch, submit->pWaitSemaphoreInfos,
                                                  submit->waitSemaphoreInfoCount, sizeof(signal));
            waits[submit->waitSemaphoreInfoCount] = signal;
            waits[submit->waitSemaphoreInfoCount++].value--;
            submit->pWaitSemaphoreInfos = waits;
        }
    }
    for (uint32_t i = 0; i < count; i++)
        vds_flight_submit(x->context->flight, queue->slot, queue->number + 1 + i,
                          submits[i].commandBufferInfoCount, command_buffers_of(&submits[i]),
                          sizeof(*submits[i].pCommandBufferInfos));
    pthread_mutex_lock(&queue->host);
    x->result = x->device->vkQueueSubmit2(a->queue, count, submits, VK_NULL_HANDLE);
    pthread_mutex_unlock(&queue->host);
    end(x, queue, count, false);
}
