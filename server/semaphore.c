/* SPDX-License-Identifier: MIT
 *
 * Semaphores that no queue signals, semaphores by descriptor, and the end of semaphores. Drivers that
 * build timeline semaphores from others (Mesa's common code) let go of what a batch waited for only
 * after they have signalled that it finished; a semaphore that is destroyed as soon as that is seen,
 * as the specification allows, is then used after it was freed. So a semaphore stays until each queue
 * has finished a batch that was submitted later.
 */
#include "semaphore.h"

#include <stdlib.h>
#include <unistd.h>

#include "args.h"
#include "context_private.h"
#include "device.h"
#include "queue.h"
#include "replay.h"

/* More that are to be destroyed are worth a wait for all queues; more that are signalled, a
 * submission. */
#define SEMAPHORES_MAX 256

static void destroy(struct vd_device *device, struct vd_semaphores *semaphores)
{
    for (uint32_t i = 0; i < semaphores->count; i++) {
        device->dispatch.vkDestroySemaphore(device->handle, semaphores->handles[i], NULL);
    }
    semaphores->count = 0;
}

/* Whether each queue has finished a batch after those that were known at the mark. */
static bool is_passed(const struct vd_device *device)
{
    for (struct vd_queue *queue = device->queues; queue; queue = queue->next) {
        pthread_mutex_lock(&queue->lock);
        const uint64_t done = queue->done;
        pthread_mutex_unlock(&queue->lock);
        if (queue->mark && done <= queue->mark) {
            return false;
        }
    }
    return true;
}

static bool append(struct vd_semaphores *semaphores, VkSemaphore handle)
{
    if (!semaphores->handles) {
        semaphores->handles = calloc(SEMAPHORES_MAX, sizeof(*semaphores->handles));
    }
    if (!semaphores->handles || semaphores->count == SEMAPHORES_MAX) {
        return false;
    }
    semaphores->handles[semaphores->count++] = handle;
    return true;
}

/* Lets those go that nothing uses any more, and begins to wait for the next ones. */
static void advance(struct vd_device *device)
{
    if (device->leaving.count && is_passed(device)) {
        destroy(device, &device->leaving);
    }
    if (device->leaving.count == 0 && device->retired.count) {
        const struct vd_semaphores empty = device->leaving;
        device->leaving = device->retired;
        device->retired = empty;
        for (struct vd_queue *queue = device->queues; queue; queue = queue->next) {
            queue->mark = queue->number;
        }
    }
}

void vd_replay_vkDestroySemaphore(struct vd_decoder *d, void *body)
{
    const struct vd_args_vkDestroySemaphore *a = body;
    struct vd_device *device = d->owner;
    if (!a->semaphore) {
        return;
    }
    vd_semaphore_take_signalled(device, a->semaphore);
    advance(device);
    if (!append(&device->retired, a->semaphore)) {
        /* Waiting for a queue is a batch of its own, or as good as one. */
        device->dispatch.vkDeviceWaitIdle(device->handle);
        vd_semaphores_finish(device);
        device->dispatch.vkDestroySemaphore(device->handle, a->semaphore, NULL);
    }
}

void vd_semaphores_finish(struct vd_device *device)
{
    destroy(device, &device->leaving);
    destroy(device, &device->retired);
    free(device->leaving.handles);
    free(device->retired.handles);
    free(device->signalled.handles);
    device->leaving = device->retired = device->signalled = (struct vd_semaphores){0};
}

/* ---- Signalled by the client */

bool vd_semaphore_take_signalled(struct vd_device *device, VkSemaphore semaphore)
{
    struct vd_semaphores *signalled = &device->signalled;
    for (uint32_t i = 0; i < signalled->count; i++) {
        if (signalled->handles[i] == semaphore) {
            signalled->handles[i] = signalled->handles[--signalled->count];
            return true;
        }
    }
    return false;
}

/* The driver must know. */
static void submit_signal(struct vd_context *context, struct vd_device *device,
                          VkSemaphore semaphore)
{
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .signalSemaphoreCount = 1,
        .pSignalSemaphores = &semaphore,
    };
    if (!device->queues ||
        device->dispatch.vkQueueSubmit(device->queues->handle, 1, &submit, VK_NULL_HANDLE)) {
        vd_context_lose(context, "a semaphore could not be signalled");
    }
}

bool vd_execute_signal_semaphore(struct vd_context *context, uint8_t *bytes)
{
    const struct vd_record *record = (const struct vd_record *)bytes;
    const struct vd_signal_semaphore *args = (const struct vd_signal_semaphore *)(record + 1);
    if (record->flags || record->size != sizeof(*record) + sizeof(*args)) {
        return vd_malformed(record, "flags, or arguments of a wrong size");
    }
    const struct vd_object *object =
        vd_object_find_type(&context->objects, args->semaphore, VD_TYPE_VkSemaphore);
    if (!object) {
        return vd_malformed(record, "no such semaphore");
    }
    struct vd_device *device = vd_object_links(&context->objects, object->owner)->data;
    const VkSemaphore handle = (VkSemaphore)(uintptr_t)object->handle;
    if (!handle || !device) {
        vd_context_lose(context, "a semaphore is signalled whose creation failed");
        return true;
    }
    vd_semaphore_take_signalled(device, handle); /* twice is no more than once */
    if (!append(&device->signalled, handle)) {
        submit_signal(context, device, handle);
    }
    return true;
}

/* Before its payload leaves, or another one hides it. */
static void settle_signal(const struct vd_decoder *d, VkSemaphore semaphore)
{
    if (vd_semaphore_take_signalled(d->owner, semaphore)) {
        submit_signal(d->context, d->owner, semaphore);
    }
}

/* ---- Descriptors, which the host's driver makes and takes, stand in records as ids */

void vd_replay_vkImportSemaphoreFdKHR(struct vd_decoder *d, void *body)
{
    const struct vd_args_vkImportSemaphoreFdKHR *a = body;
    if (!d->device->vkImportSemaphoreFdKHR) {
        vd_dec_fail(d, "the host has no such command");
        return;
    }
    VkImportSemaphoreFdInfoKHR info = *a->pImportSemaphoreFdInfo;
    const bool is_signalled =
        info.handleType == VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT && info.fd == -1;
    if (!is_signalled) {
        info.fd = vd_shm_take_fd(d->context->shm, (uint32_t)info.fd);
        if (info.fd < 0) {
            vd_dec_fail(d, "imports a descriptor that was not given");
            return;
        }
    }
    settle_signal(d, info.semaphore);
    d->result = d->device->vkImportSemaphoreFdKHR(a->device, &info);
    if (d->result != VK_SUCCESS && info.fd >= 0) {
        close(info.fd); /* else the driver's */
    }
}

void vd_replay_vkGetSemaphoreFdKHR(struct vd_decoder *d, void *body)
{
    struct vd_args_vkGetSemaphoreFdKHR *a = body;
    if (!d->device->vkGetSemaphoreFdKHR) {
        vd_dec_fail(d, "the host has no such command");
        return;
    }
    int fd = -1;
    settle_signal(d, a->pGetFdInfo->semaphore);
    d->result = d->device->vkGetSemaphoreFdKHR(a->device, a->pGetFdInfo, &fd);
    if (d->result == VK_SUCCESS && fd >= 0) {
        fd = (int)vd_shm_add_fd(d->context->shm, fd);
        d->result = fd ? VK_SUCCESS : VK_ERROR_TOO_MANY_OBJECTS;
    }
    *a->pFd = fd;
}
