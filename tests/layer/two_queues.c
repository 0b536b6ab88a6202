/* SPDX-License-Identifier: MIT
 *
 * A second queue for a driver that has one, for tests. What is submitted to the first one waits here
 * for its timeline semaphores, in order, and what is submitted to the second one passes it. If that
 * waits for a binary semaphore that a batch of the first one is to signal, it stays in the driver,
 * as it would stay in its queue.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "layer.h"

#define MANY 8

/* What the loader writes to. */
static struct {
    void *dispatch;
} second;

static VkQueue real;
static pthread_mutex_t driver = PTHREAD_MUTEX_INITIALIZER; /* around the one queue */

static bool is_second(VkQueue queue)
{
    return (void *)queue == &second;
}

/* ---- The first queue */

struct held {
    struct held *next;
    VkSubmitInfo info;
    VkTimelineSemaphoreSubmitInfo values;
    VkSemaphore waits[MANY], signals[MANY];
    VkPipelineStageFlags stages[MANY];
    uint64_t wait_values[MANY], signal_values[MANY];
    VkCommandBuffer commands[MANY];
    VkFence fence;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct held *first, **last = &first;
static pthread_t thread;
static VkDevice the_device;
static bool stop;

static const void *copy(void *to, const void *from, uint32_t count, size_t size)
{
    if (count > MANY)
        abort();
    return count && from ? memcpy(to, from, count * size) : NULL;
}

static void hold(const VkSubmitInfo *info, VkFence fence)
{
    struct held *held = calloc(1, sizeof(*held));
    held->info = *info;
    held->fence = fence;
    held->info.pWaitSemaphores =
        copy(held->waits, info->pWaitSemaphores, info->waitSemaphoreCount, sizeof(VkSemaphore));
    held->info.pSignalSemaphores = copy(held->signals, info->pSignalSemaphores,
                                        info->signalSemaphoreCount, sizeof(VkSemaphore));
    held->info.pWaitDstStageMask = copy(held->stages, info->pWaitDstStageMask,
                                        info->waitSemaphoreCount, sizeof(VkPipelineStageFlags));
    held->info.pCommandBuffers = copy(held->commands, info->pCommandBuffers,
                                      info->commandBufferCount, sizeof(VkCommandBuffer));
    held->info.pNext = NULL;
    const VkTimelineSemaphoreSubmitInfo *values =
        vd_chain_find(info->pNext, VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO);
    if (values) {
        held->values = *values;
        held->values.pNext = NULL;
        held->values.pWaitSemaphoreValues = copy(held->wait_values, values->pWaitSemaphoreValues,
                                                 values->waitSemaphoreValueCount, sizeof(uint64_t));
        held->values.pSignalSemaphoreValues =
            copy(held->signal_values, values->pSignalSemaphoreValues,
                 values->signalSemaphoreValueCount, sizeof(uint64_t));
        held->info.pNext = &held->values;
    }
    pthread_mutex_lock(&lock);
    *last = held;
    last = &held->next;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* Returns when what it waits for has come, but for binary semaphores. */
static void await(const struct held *held)
{
    for (uint32_t i = 0; i < held->info.waitSemaphoreCount; i++) {
        if (held->wait_values[i])
            NEXT(the_device, vkWaitSemaphores)
        (the_device,
         &(VkSemaphoreWaitInfo){
             .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
             .semaphoreCount = 1,
             .pSemaphores = &held->waits[i],
             .pValues = &held->wait_values[i],
         },
         UINT64_MAX);
    }
}

static void *run(void *unused)
{
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!first && !stop)
            pthread_cond_wait(&changed, &lock);
        struct held *held = first;
        if (!held)
            break;
        pthread_mutex_unlock(&lock);
        await(held);
        pthread_mutex_lock(&driver);
        NEXT(the_device, vkQueueSubmit)(real, 1, &held->info, held->fence);
        pthread_mutex_unlock(&driver);
        pthread_mutex_lock(&lock);
        first = held->next;
        if (!first)
            last = &first;
        pthread_cond_broadcast(&changed);
        free(held);
    }
    pthread_mutex_unlock(&lock);
    return unused;
}

static void drain(void)
{
    pthread_mutex_lock(&lock);
    while (first)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

/* ---- Both queues */

static VKAPI_ATTR VkResult VKAPI_CALL submit(VkQueue queue, uint32_t count,
                                             const VkSubmitInfo *infos, VkFence fence)
{
    if (!is_second(queue)) {
        const VkSubmitInfo nothing = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO};
        for (uint32_t i = 0; i < count; i++)
            hold(&infos[i], i == count - 1 ? fence : VK_NULL_HANDLE);
        if (!count)
            hold(&nothing, fence);
        return VK_SUCCESS;
    }
    pthread_mutex_lock(&driver);
    const VkResult result = NEXT(the_device, vkQueueSubmit)(real, count, infos, fence);
    pthread_mutex_unlock(&driver);
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL present(VkQueue queue, const VkPresentInfoKHR *info)
{
    if (!is_second(queue))
        drain();
    pthread_mutex_lock(&driver);
    const VkResult result = NEXT(the_device, vkQueuePresentKHR)(real, info);
    pthread_mutex_unlock(&driver);
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL wait_idle(VkDevice device)
{
    drain();
    pthread_mutex_lock(&driver);
    const VkResult result = NEXT(device, vkDeviceWaitIdle)(device);
    pthread_mutex_unlock(&driver);
    return result;
}

static VKAPI_ATTR void VKAPI_CALL get_queue(VkDevice device, uint32_t family, uint32_t index,
                                            VkQueue *queue)
{
    NEXT(device, vkGetDeviceQueue)(device, family, 0, &real);
    second.dispatch = *(void **)real;
    *queue = index ? (VkQueue)&second : real;
}

/* ---- Instances and devices */

/* To be asked for while the instance is created; later the loader gives the whole chain's. */
static PFN_vkGetPhysicalDeviceQueueFamilyProperties families_below;
static PFN_vkGetPhysicalDeviceQueueFamilyProperties2 families2_below;
static PFN_vkCreateDevice create_device_below;

static VKAPI_ATTR void VKAPI_CALL get_families(VkPhysicalDevice device, uint32_t *count,
                                               VkQueueFamilyProperties *families)
{
    families_below(device, count, families);
    for (uint32_t i = 0; families && i < *count; i++)
        families[i].queueCount = 2;
}

static VKAPI_ATTR void VKAPI_CALL get_families2(VkPhysicalDevice device, uint32_t *count,
                                                VkQueueFamilyProperties2 *families)
{
    families2_below(device, count, families);
    for (uint32_t i = 0; families && i < *count; i++)
        families[i].queueFamilyProperties.queueCount = 2;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *alloc,
                                                      VkInstance *instance)
{
    const PFN_vkGetInstanceProcAddr next = step_instance(info);
    const VkResult result =
        ((PFN_vkCreateInstance)next(NULL, "vkCreateInstance"))(info, alloc, instance);
    if (result == VK_SUCCESS) {
        families_below = (PFN_vkGetPhysicalDeviceQueueFamilyProperties)next(
            *instance, "vkGetPhysicalDeviceQueueFamilyProperties");
        families2_below = (PFN_vkGetPhysicalDeviceQueueFamilyProperties2)next(
            *instance, "vkGetPhysicalDeviceQueueFamilyProperties2");
        create_device_below = (PFN_vkCreateDevice)next(*instance, "vkCreateDevice");
    }
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical,
                                                    const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *alloc,
                                                    VkDevice *device)
{
    step_device(info);
    VkDeviceQueueCreateInfo queues = *info->pQueueCreateInfos;
    queues.queueCount = 1;
    VkDeviceCreateInfo changed = *info;
    changed.pQueueCreateInfos = &queues;
    const VkResult result = create_device_below(physical, &changed, alloc, device);
    if (result == VK_SUCCESS) {
        the_device = *device;
        stop = false;
        pthread_create(&thread, NULL, run, NULL);
    }
    return result;
}

static VKAPI_ATTR void VKAPI_CALL destroy_device(VkDevice device,
                                                 const VkAllocationCallbacks *alloc)
{
    if (!device)
        return;
    pthread_mutex_lock(&lock);
    stop = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    NEXT(device, vkDestroyDevice)(device, alloc);
}

/* ---- The loader's way in */

static const struct function device_functions[] = {
    FUNCTION("vkGetDeviceProcAddr", get_device), FUNCTION("vkDestroyDevice", destroy_device),
    FUNCTION("vkDeviceWaitIdle", wait_idle),     FUNCTION("vkGetDeviceQueue", get_queue),
    FUNCTION("vkQueueSubmit", submit),           FUNCTION("vkQueuePresentKHR", present),
};

static const struct function instance_functions[] = {
    FUNCTION("vkGetInstanceProcAddr", get_instance),
    FUNCTION("vkCreateInstance", create_instance),
    FUNCTION("vkCreateDevice", create_device),
    FUNCTION("vkGetPhysicalDeviceQueueFamilyProperties", get_families),
    FUNCTION("vkGetPhysicalDeviceQueueFamilyProperties2", get_families2),
};

DEFINE_LOOK_UPS(instance_functions, device_functions)
