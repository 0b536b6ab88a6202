/* SPDX-License-Identifier: MIT */
#include "semaphore.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "calls.h"
#include "device.h"
#include "entrypoints.h"

/* A value on its way. */
struct pending {
    uint64_t value;
    struct vdc_point point;
};

/* Of a timeline semaphore that only this client signals. For others the host is asked. */
struct vdc_semaphore {
    pthread_mutex_t lock;
    uint64_t value; /* known to be reached */
    struct pending *pending;
    uint32_t count, capacity;
};

/* Stands for what is known of a semaphore of either kind that is shared by opaque descriptor. */
static struct vdc_semaphore shared;

bool vdc_semaphore_is_shared(struct vdc_instance *instance, VkSemaphore semaphore)
{
    return vdc_id_object(instance, (uint64_t)semaphore) == &shared;
}

static struct vdc_semaphore *semaphore_of(struct vdc_instance *instance, VkSemaphore semaphore)
{
    struct vdc_semaphore *known = vdc_id_object(instance, (uint64_t)semaphore);
    return known == &shared ? NULL : known;
}

static void destroy(struct vdc_semaphore *semaphore)
{
    if (!semaphore)
        return;
    pthread_mutex_destroy(&semaphore->lock);
    free(semaphore->pending);
    free(semaphore);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkCreateSemaphore(VkDevice device,
                                                     const VkSemaphoreCreateInfo *pCreateInfo,
                                                     const VkAllocationCallbacks *pAllocator,
                                                     VkSemaphore *pSemaphore)
{
    const VkSemaphoreTypeCreateInfo *type = NULL;
    bool exported = false;
    for (const VkBaseInStructure *in = pCreateInfo->pNext; in; in = in->pNext) {
        if (in->sType == VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO)
            type = (const VkSemaphoreTypeCreateInfo *)in;
        else if (in->sType == VK_STRUCTURE_TYPE_EXPORT_SEMAPHORE_CREATE_INFO)
            exported = ((const VkExportSemaphoreCreateInfo *)in)->handleTypes &
                       VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_OPAQUE_FD_BIT;
    }
    struct vdc_semaphore *semaphore = exported ? &shared : NULL;
    if (!exported && type && type->semaphoreType == VK_SEMAPHORE_TYPE_TIMELINE) {
        semaphore = calloc(1, sizeof(*semaphore));
        if (!semaphore)
            return VK_ERROR_OUT_OF_HOST_MEMORY;
        pthread_mutex_init(&semaphore->lock, NULL);
        semaphore->value = type->initialValue;
    }
    const VkResult result = vdc_call_vkCreateSemaphore(device, pCreateInfo, pAllocator, pSemaphore);
    if (result == VK_SUCCESS)
        vdc_id_set_object(vdc_instance_of(device), (uint64_t)*pSemaphore, semaphore);
    else if (semaphore != &shared)
        destroy(semaphore);
    return result;
}

VKAPI_ATTR void VKAPI_CALL vdc_vkDestroySemaphore(VkDevice device, VkSemaphore handle,
                                                  const VkAllocationCallbacks *pAllocator)
{
    struct vdc_semaphore *semaphore = semaphore_of(vdc_instance_of(device), handle);
    vdc_call_vkDestroySemaphore(device, handle, pAllocator);
    destroy(semaphore);
}

/* The value now; forgets what has been reached. Under the lock. */
static uint64_t settle(struct vdc_semaphore *semaphore, const struct vdc_waiter *waiter)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < semaphore->count; i++) {
        const struct pending *pending = &semaphore->pending[i];
        if (!vdc_point_done(waiter, pending->point))
            semaphore->pending[kept++] = *pending;
        else if (pending->value > semaphore->value)
            semaphore->value = pending->value;
    }
    semaphore->count = kept;
    return semaphore->value;
}

static uint64_t value_of(struct vdc_semaphore *semaphore, const struct vdc_waiter *waiter)
{
    pthread_mutex_lock(&semaphore->lock);
    const uint64_t value = settle(semaphore, waiter);
    pthread_mutex_unlock(&semaphore->lock);
    return value;
}

void vdc_semaphore_expect(struct vdc_instance *instance, VkSemaphore handle, uint64_t value,
                          struct vdc_point point)
{
    struct vdc_waiter *waiter = instance->connection->waiter;
    struct vdc_semaphore *semaphore = semaphore_of(instance, handle);
    if (!semaphore)
        return;
    pthread_mutex_lock(&semaphore->lock);
    if (semaphore->count == semaphore->capacity)
        settle(semaphore, waiter);
    if (semaphore->count == semaphore->capacity) {
        const uint32_t larger = semaphore->capacity ? 2 * semaphore->capacity : 8;
        struct pending *moved = realloc(semaphore->pending, larger * sizeof(*moved));
        if (moved) {
            semaphore->pending = moved;
            semaphore->capacity = larger;
        } else {
            /* No memory to remember another: the oldest must be over before it is forgotten. */
            vdc_wait_point(waiter, semaphore->pending[0].point, UINT64_MAX);
            settle(semaphore, waiter);
        }
    }
    if (semaphore->count < semaphore->capacity)
        semaphore->pending[semaphore->count++] = (struct pending){value, point};
    pthread_mutex_unlock(&semaphore->lock);
    vdc_waiter_changed(waiter);
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkSignalSemaphore(VkDevice device,
                                                     const VkSemaphoreSignalInfo *pSignalInfo)
{
    struct vdc_instance *instance = vdc_instance_of(device);
    const VkResult result = vdc_call_vkSignalSemaphore(device, pSignalInfo);
    struct vdc_semaphore *semaphore = semaphore_of(instance, pSignalInfo->semaphore);
    if (result != VK_SUCCESS || !semaphore)
        return result;
    pthread_mutex_lock(&semaphore->lock);
    if (pSignalInfo->value > semaphore->value)
        semaphore->value = pSignalInfo->value;
    pthread_mutex_unlock(&semaphore->lock);
    vdc_waiter_changed(instance->connection->waiter);
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetSemaphoreCounterValue(VkDevice device, VkSemaphore handle,
                                                              uint64_t *pValue)
{
    struct vdc_semaphore *semaphore = semaphore_of(vdc_instance_of(device), handle);
    if (!semaphore)
        return vdc_call_vkGetSemaphoreCounterValue(device, handle, pValue);
    *pValue = value_of(semaphore, vdc_instance_of(device)->connection->waiter);
    return vdc_device_status((struct vdc_device *)device);
}

#define FEW_SEMAPHORES 16

struct awaited {
    struct vdc_semaphore *semaphore;
    uint64_t value;
};

struct wait {
    const struct vdc_waiter *waiter;
    const struct awaited *awaited;
    uint32_t count;
    bool all;
};

static bool is_over(const void *data)
{
    const struct wait *wait = data;
    for (uint32_t i = 0; i < wait->count; i++) {
        const struct awaited *awaited = &wait->awaited[i];
        if ((value_of(awaited->semaphore, wait->waiter) >= awaited->value) != wait->all)
            return !wait->all;
    }
    return wait->all;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkWaitSemaphores(VkDevice device,
                                                    const VkSemaphoreWaitInfo *pWaitInfo,
                                                    uint64_t timeout)
{
    struct vdc_instance *instance = vdc_instance_of(device);
    const uint32_t count = pWaitInfo->semaphoreCount;
    /* Read once: the application's lists may be gone before the wait is over. */
    struct awaited few[FEW_SEMAPHORES];
    struct awaited *awaited = count <= FEW_SEMAPHORES ? few : malloc(count * sizeof(*awaited));
    if (!awaited)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    bool known = true;
    for (uint32_t i = 0; i < count && known; i++) {
        awaited[i] = (struct awaited){semaphore_of(instance, pWaitInfo->pSemaphores[i]),
                                      pWaitInfo->pValues[i]};
        known = awaited[i].semaphore;
    }
    struct vdc_waiter *waiter = instance->connection->waiter;
    const struct wait wait = {waiter, awaited, count,
                              !(pWaitInfo->flags & VK_SEMAPHORE_WAIT_ANY_BIT)};
    const VkResult result = known ? vdc_wait_until(waiter, is_over, &wait, timeout)
                                  : vdc_call_vkWaitSemaphores(device, pWaitInfo, timeout);
    if (awaited != few)
        free(awaited);
    return result;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkImportSemaphoreFdKHR(
    VkDevice device, const VkImportSemaphoreFdInfoKHR *pImportSemaphoreFdInfo)
{
    struct vdc_instance *instance = vdc_instance_of(device);
    const int fd = pImportSemaphoreFdInfo->fd;
    VkImportSemaphoreFdInfoKHR info = *pImportSemaphoreFdInfo;
    VkResult result = VK_SUCCESS;
    if (fd >= 0 || info.handleType != VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT) {
        uint32_t given = 0;
        result = vdc_link_fd_give(&instance->connection->link, fd, &given);
        info.fd = (int)given;
    } /* else it stands for what is signalled already */
    if (result == VK_SUCCESS)
        result = vdc_call_vkImportSemaphoreFdKHR(device, &info);
    if (result != VK_SUCCESS)
        return result;
    if (fd >= 0)
        close(fd); /* an import takes what it is given */
    if (info.handleType == VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_OPAQUE_FD_BIT) {
        destroy(semaphore_of(instance, info.semaphore));
        vdc_id_set_object(instance, (uint64_t)info.semaphore, &shared);
    } /* else it was copied */
    return VK_SUCCESS;
}

VKAPI_ATTR VkResult VKAPI_CALL vdc_vkGetSemaphoreFdKHR(VkDevice device,
                                                       const VkSemaphoreGetFdInfoKHR *pGetFdInfo,
                                                       int *pFd)
{
    int id = -1;
    const VkResult result = vdc_call_vkGetSemaphoreFdKHR(device, pGetFdInfo, &id);
    *pFd = -1;
    return result == VK_SUCCESS && id != -1
               ? vdc_link_fd_take(&vdc_instance_of(device)->connection->link, (uint32_t)id, pFd)
               : result;
}
