/* SPDX-License-Identifier: MIT
 *
 * Semaphores that no queue signals, semaphores by descriptor, and the end of semaphores. Drivers that
 * build timeline semaphores from others (Mesa's common code) let go of what a batch waited for only
 * after they have signalled that it finished; a semaphore that is destroyed as soon as that is seen,
 * as the specification allows, is then used after it was freed. So a semaphore stays until each queue
 * has finished a batch that was submitted later.
 */
#include "semaphore.h"

#include <unistd.h>

#include "args.h"
#include "context_private.h"
#include "device.h"
#include "execute.h"
#include "fd.h"
#include "own_records.h"
#include "queue.h"
#include "replay.h"
#include "shm.h"

static void destroy(struct vds_device *device, struct vds_semaphore_list *semaphores)
{
    for (uint32_t i = 0; i < semaphores->count; i++)
        device->dispatch.vkDestroySemaphore(device->handle, semaphores->handles[i], NULL);
    semaphores->count = 0;
}

/* Whether each queue has finished a batch after those that were known at the mark. */
static bool is_passed(const struct vds_device *device)
{
    for (struct vds_queue *queue = device->queues; queue; queue = queue->next) {
        pthread_mutex_lock(&queue->lock);
        const uint64_t done = queue->done;
        pthread_mutex_unlock(&queue->lock);
        if (queue->mark && done <= queue->mark)
            return false;
    }
    return true;
}

/* Lets those go that nothing uses any more, and begins to wait for the next ones. */
static void advance(struct vds_device *device)
{
    if (device->leaving.count && is_passed(device))
        destroy(device, &device->leaving);
    if (device->leaving.count == 0 && device->retired.count) {
        const struct vds_semaphore_list empty = device->leaving;
        device->leaving = device->retired;
        device->retired = empty;
        for (struct vds_queue *queue = device->queues; queue; queue = queue->next)
            queue->mark = queue->number;
    }
}

void vds_call_vkDestroySemaphore(struct vds_execution *x, void *body)
{
    const struct vd_args_vkDestroySemaphore *a = body;
    struct vds_device *device = x->owner;
    if (!a->semaphore)
        return;
    vds_semaphore_list_take(&device->signalled, a->semaphore);
    advance(device);
    if (!vds_semaphore_list_add(&device->retired, a->semaphore)) {
        /* Waiting for a queue is a batch of its own, or as good as one. */
        device->dispatch.vkDeviceWaitIdle(device->handle);
        destroy(device, &device->leaving);
        destroy(device, &device->retired);
        device->dispatch.vkDestroySemaphore(device->handle, a->semaphore, NULL);
    }
}

void vds_semaphores_finish(struct vds_device *device)
{
    destroy(device, &device->leaving);
    destroy(device, &device->retired);
    vds_semaphore_list_finish(&device->leaving);
    vds_semaphore_list_finish(&device->retired);
    vds_semaphore_list_finish(&device->signalled);
}

/* ---- Signalled by the client */

/* The driver must know. */
static void submit_signal(struct vds_context *context, struct vds_device *device,
                          VkSemaphore semaphore)
{
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .signalSemaphoreCount = 1,
        .pSignalSemaphores = &semaphore,
    };
    device->submitted = true;
    if (!device->queues ||
        device->dispatch.vkQueueSubmit(device->queues->handle, 1, &submit, VK_NULL_HANDLE))
        vds_context_lose(context, "a semaphore could not be signalled");
}

bool vds_decode_signal_semaphore(struct vds_decoder *d, void *body)
{
    struct vd_signal_semaphore *args = body;
    return vds_dec_first(d, &args->semaphore, VD_TYPE_VkSemaphore);
}

void vds_call_signal_semaphore(struct vds_execution *x, void *body)
{
    const struct vd_signal_semaphore *args = body;
    const VkSemaphore semaphore = (VkSemaphore)args->semaphore;
    vds_semaphore_list_take(&x->owner->signalled, semaphore); /* twice is no more than once */
    if (!vds_semaphore_list_add(&x->owner->signalled, semaphore))
        submit_signal(x->context, x->owner, semaphore);
}

/* Before its payload leaves, or another one hides it. */
static void settle_signal(const struct vds_execution *x, VkSemaphore semaphore)
{
    if (vds_semaphore_list_take(&x->owner->signalled, semaphore))
        submit_signal(x->context, x->owner, semaphore);
}

/* ---- Descriptors, which the host's driver makes and takes, stand in records as ids */

void vds_call_vkImportSemaphoreFdKHR(struct vds_execution *x, void *body)
{
    const struct vd_args_vkImportSemaphoreFdKHR *a = body;
    if (!x->device->vkImportSemaphoreFdKHR) {
        vds_dec_fail(&x->decoder, "the host has no such command");
        return;
    }
    VkImportSemaphoreFdInfoKHR info = *a->pImportSemaphoreFdInfo;
    const bool is_signalled =
        info.handleType == VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT && info.fd == -1;
    int fd = -1;
    if (!is_signalled) {
        fd = vds_shm_take_fd(x->context->shm, (uint32_t)info.fd);
        if (fd < 0) {
            vds_dec_fail(&x->decoder, "imports a descriptor that was not given");
            return;
        }
        info.fd = vds_fd_lend(fd);
        if (info.fd < 0) {
            close(fd);
            x->result = VK_ERROR_OUT_OF_HOST_MEMORY;
            return;
        }
    }
    settle_signal(x, info.semaphore);
    const uint64_t number = vds_call_open(x);
    x->result = x->device->vkImportSemaphoreFdKHR(a->device, &info);
    vds_call_close(x, number);
    if (fd >= 0) {
        if (x->result != VK_SUCCESS)
            vds_fd_returned(info.fd);
        close(fd);
    }
}

void vds_call_vkGetSemaphoreFdKHR(struct vds_execution *x, void *body)
{
    struct vd_args_vkGetSemaphoreFdKHR *a = body;
    if (!x->device->vkGetSemaphoreFdKHR) {
        vds_dec_fail(&x->decoder, "the host has no such command");
        return;
    }
    int fd = -1;
    settle_signal(x, a->pGetFdInfo->semaphore);
    const uint64_t number = vds_call_open(x);
    x->result = x->device->vkGetSemaphoreFdKHR(a->device, a->pGetFdInfo, &fd);
    vds_call_close(x, number);
    if (x->result == VK_SUCCESS && fd >= 0) {
        fd = (int)vds_shm_add_fd(x->context->shm, fd);
        x->result = fd ? VK_SUCCESS : VK_ERROR_TOO_MANY_OBJECTS;
    }
    *a->pFd = fd;
}
