/* SPDX-License-Identifier: MIT */
#include "fence.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/process_lock.h"

#include "chain.h"
#include "device.h"
#include "entrypoints.h"
#include "extensions.h"
#include "fence_payload.h"
#include "opcodes.h"

struct vdc_fence {
    struct vdc_local_object base;
    bool signaled;
    struct vdc_point point; /* number 0: nothing pending */

    struct vdc_fence_payload *shared; /* counts instead of the above; NULL: none */
    struct vdc_fence_payload *hidden; /* what was shared before `shared` was borrowed */
    bool borrowed;                    /* until the next reset */
};

/* Around the members of all fences, for a few instructions: a fence may be waited for while another
 * thread submits it. `shared` and what follows change only where nobody else may use the fence. */
VD_PROCESS_LOCK(lock)

static struct vdc_fence *fence_of(VkFence handle)
{
    return (struct vdc_fence *)(uintptr_t)handle;
}

static bool is_signaled(const struct vdc_waiter *waiter, VkFence handle)
{
    pthread_mutex_lock(&lock);
    const struct vdc_fence fence = *fence_of(handle);
    pthread_mutex_unlock(&lock);
    if (fence.shared)
        return vdc_fence_payload_is_signaled(fence.shared);
    return fence.signaled || (fence.point.number && vdc_point_done(waiter, fence.point));
}

bool vdc_fence_is_shared(VkFence handle)
{
    return handle && fence_of(handle)->shared;
}

/* ---- What is going to signal them */

void vdc_fence_attach(struct vdc_instance *instance, VkFence handle, struct vdc_point point)
{
    struct vdc_fence *fence = fence_of(handle);
    if (!fence)
        return;
    if (fence->shared) {
        if (point.number == 0)
            vdc_fence_payload_signal(fence->shared);
        return;
    }
    pthread_mutex_lock(&lock);
    fence->signaled = point.number == 0;
    fence->point = point;
    pthread_mutex_unlock(&lock);
    /* Somebody may wait for it already. */
    vdc_waiter_changed(instance->connection->waiter);
}

void vdc_fence_expect(VkFence handle, uint64_t queue, uint64_t number)
{
    const struct vdc_fence *fence = fence_of(handle);
    if (fence && fence->shared)
        vdc_fence_payload_expect(fence->shared, queue, number);
}

bool vdc_fence_withdraw(VkFence handle, uint64_t queue)
{
    const struct vdc_fence *fence = fence_of(handle);
    if (!fence || !fence->shared)
        return false;
    vdc_fence_payload_withdraw(fence->shared, queue);
    return true;
}

/* ---- Creation and destruction */

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkCreateFence(VkDevice handle,
                                                 const VkFenceCreateInfo *pCreateInfo,
                                                 const VkAllocationCallbacks *pAllocator,
                                                 VkFence *pFence)
{
    (void)pAllocator;
    const struct vdc_device *device = (const struct vdc_device *)handle;
    struct vdc_instance *instance = device->base.instance;
    const VkExportFenceCreateInfo *export =
        vd_chain_find(pCreateInfo->pNext, VK_STRUCTURE_TYPE_EXPORT_FENCE_CREATE_INFO);
    struct vdc_fence *fence = vdc_local_object_create(instance, VD_TYPE_VkFence, sizeof(*fence));
    if (!fence)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    fence->signaled = pCreateInfo->flags & VK_FENCE_CREATE_SIGNALED_BIT;
    if (export && (export->handleTypes & VK_EXTERNAL_FENCE_HANDLE_TYPE_OPAQUE_FD_BIT) &&
        device->physical_device->extensions[VD_EXT_KHR_external_fence_fd]) {
        const VkResult result =
            vdc_fence_payload_create(instance->connection, fence->signaled, &fence->shared);
        if (result != VK_SUCCESS) {
            vdc_local_object_destroy(instance, &fence->base);
            return result;
        }
    }
    *pFence = (VkFence)(uintptr_t)fence;
    return VK_SUCCESS;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkDestroyFence(VkDevice device, VkFence handle,
                                              const VkAllocationCallbacks *pAllocator)
{
    (void)pAllocator;
    struct vdc_fence *fence = fence_of(handle);
    if (!fence)
        return;
    vdc_fence_payload_destroy(fence->shared);
    vdc_fence_payload_destroy(fence->hidden);
    vdc_local_object_destroy(vdc_instance_of(device), &fence->base);
}

/* ---- Sharing */

/* What was borrowed goes back. */
static void restore(struct vdc_fence *fence)
{
    if (fence->borrowed) {
        vdc_fence_payload_destroy(fence->shared);
        fence->shared = fence->hidden;
        fence->hidden = NULL;
        fence->borrowed = false;
    }
}

VKAPI_ATTR VkResult VKAPI_CALL
vdc_vkImportFenceFdKHR(VkDevice device, const VkImportFenceFdInfoKHR *pImportFenceFdInfo)
{
    struct vdc_fence *fence = fence_of(pImportFenceFdInfo->fence);
    struct vdc_fence_payload *payload;
    if (pImportFenceFdInfo->handleType != VK_EXTERNAL_FENCE_HANDLE_TYPE_OPAQUE_FD_BIT)
        return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    const VkResult result = vdc_fence_payload_import(vdc_instance_of(device)->connection,
                                                     pImportFenceFdInfo->fd, &payload);
    if (result != VK_SUCCESS)
        return result;
    restore(fence);
    if (pImportFenceFdInfo->flags & VK_FENCE_IMPORT_TEMPORARY_BIT) {
        fence->hidden = fence->shared;
        fence->borrowed = true;
    } else {
        vdc_fence_payload_destroy(fence->shared);
    }
    fence->shared = payload;
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetFenceFdKHR(VkDevice device,
                                                   const VkFenceGetFdInfoKHR *pGetFdInfo, int *pFd)
{
    (void)device;
    /* Only fences that were made for it or imported may be asked for a descriptor. */
    const struct vdc_fence_payload *shared = fence_of(pGetFdInfo->fence)->shared;
    *pFd = shared ? vdc_fence_payload_export(shared) : -1;
    return *pFd >= 0 ? VK_SUCCESS : VK_ERROR_TOO_MANY_OBJECTS;
}

/* ---- Their state */

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkResetFences(VkDevice device, uint32_t fenceCount,
                                                 const VkFence *pFences)
{
    (void)device;
    for (uint32_t i = 0; i < fenceCount; i++)
        restore(fence_of(pFences[i]));
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < fenceCount; i++) {
        struct vdc_fence *fence = fence_of(pFences[i]);
        if (fence->shared) {
            vdc_fence_payload_reset(fence->shared);
        } else {
            fence->signaled = false;
            fence->point = (struct vdc_point){0};
        }
    }
    pthread_mutex_unlock(&lock);
    return VK_SUCCESS;
}

#define FEW_FENCES 16

struct wait {
    const struct vdc_waiter *waiter;
    const VkFence *fences;
    uint32_t count;
    bool all;
};

static bool is_over(const void *data)
{
    const struct wait *wait = data;
    for (uint32_t i = 0; i < wait->count; i++)
        if (is_signaled(wait->waiter, wait->fences[i]) != wait->all)
            return !wait->all;
    return wait->all;
}

/* Where all are waited for, those that do not fit can wait for those that do. */
static uint32_t shared_words(const void *data, struct vdc_futex_word *words, uint32_t capacity)
{
    const struct wait *wait = data;
    uint32_t count = 0;
    for (uint32_t i = 0; i < wait->count && (count < capacity || !wait->all); i++) {
        struct vdc_fence_payload *shared = fence_of(wait->fences[i])->shared;
        if (!shared || vdc_fence_payload_is_signaled(shared))
            continue;
        if (count < capacity)
            words[count] = vdc_fence_payload_await(shared);
        count++;
    }
    return count;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkWaitForFences(VkDevice device, uint32_t fenceCount,
                                                   const VkFence *pFences, VkBool32 waitAll,
                                                   uint64_t timeout)
{
    struct vdc_waiter *waiter = vdc_instance_of(device)->connection->waiter;
    /* Read once: the application's list may be gone before the wait is over. */
    VkFence few[FEW_FENCES];
    VkFence *fences = fenceCount <= FEW_FENCES ? few : malloc(fenceCount * sizeof(*fences));
    if (!fences)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    memcpy(fences, pFences, fenceCount * sizeof(*fences));
    const struct wait wait = {waiter, fences, fenceCount, waitAll || fenceCount == 1};
    const VkResult result = vdc_wait_words(waiter, is_over, shared_words, &wait, timeout);
    if (fences != few)
        free(fences);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetFenceStatus(VkDevice device, VkFence fence)
{
    const VkResult result = vdc_vkWaitForFences(device, 1, &fence, VK_TRUE, 0);
    return result == VK_TIMEOUT ? VK_NOT_READY : result;
}
