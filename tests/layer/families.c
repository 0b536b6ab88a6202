/* SPDX-License-Identifier: MIT
 *
 * A driver with three queue families and 200 queues, as GPUs have them, on one queue of a driver that has no
 * more. What such a driver would not forgive ends the process here.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "layer.h"

#define FAMILIES 3
#define QUEUES   200
#define POOLS    1024 /* that live, of command pools and of command buffers */
#define BUFFERS  1024

static const VkQueueFamilyProperties families[FAMILIES] = {
    {
        .queueFlags = VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT | VK_QUEUE_TRANSFER_BIT,
        .queueCount = 1,
        .minImageTransferGranularity = {1, 1, 1},
    },
    {
        .queueFlags = VK_QUEUE_COMPUTE_BIT | VK_QUEUE_TRANSFER_BIT,
        .queueCount = 167,
        .minImageTransferGranularity = {1, 1, 1},
    },
    {
        .queueFlags = VK_QUEUE_TRANSFER_BIT,
        .queueCount = 32,
        .minImageTransferGranularity = {16, 16, 8},
    },
};

/* What the loader and whoever calls it see. */
struct queue {
    void *dispatch; /* the loader's */
    VkQueue real;
    uint32_t family; /* its index + 1; 0: the device has no such queue */
};

static pthread_mutex_t driver = PTHREAD_MUTEX_INITIALIZER; /* around the one queue */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct queue queues[FAMILIES][QUEUES];
static VkDevice the_device; /* one at a time */
static struct owned {
    uint64_t handle; /* 0: free */
    uint64_t pool;
    uint32_t family;
} pools[POOLS], buffers[BUFFERS];

static void ends(const char *why)
{
    fprintf(stderr, "VK_LAYER_VIADUCT_families: %s\n", why);
    abort();
}

/* ---- Physical devices */

/* To be asked for while the instance is created; later the loader gives the whole chain's. */
static PFN_vkGetPhysicalDeviceQueueFamilyProperties families_below;
static PFN_vkCreateDevice create_device_below;

/* What these have in common with the driver's only one. */
static VkQueueFamilyProperties family(VkPhysicalDevice device, uint32_t index)
{
    uint32_t count = 1;
    VkQueueFamilyProperties below = {0};
    families_below(device, &count, &below);
    VkQueueFamilyProperties shown = families[index];
    shown.timestampValidBits = below.timestampValidBits;
    return shown;
}

static VKAPI_ATTR void VKAPI_CALL get_families(VkPhysicalDevice device, uint32_t *count,
                                               VkQueueFamilyProperties *shown)
{
    if (!shown || *count > FAMILIES)
        *count = FAMILIES;
    for (uint32_t i = 0; shown && i < *count; i++)
        shown[i] = family(device, i);
}

static VKAPI_ATTR void VKAPI_CALL get_families2(VkPhysicalDevice device, uint32_t *count,
                                                VkQueueFamilyProperties2 *shown)
{
    if (!shown || *count > FAMILIES)
        *count = FAMILIES;
    for (uint32_t i = 0; shown && i < *count; i++)
        shown[i].queueFamilyProperties = family(device, i);
}

/* ---- Devices */

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
    memset(queues, 0, sizeof(queues));
    for (uint32_t i = 0; i < info->queueCreateInfoCount; i++) {
        const VkDeviceQueueCreateInfo *wanted = &info->pQueueCreateInfos[i];
        if (wanted->queueFamilyIndex >= FAMILIES ||
            wanted->queueCount > families[wanted->queueFamilyIndex].queueCount)
            ends("a device with queues that there are not");
        for (uint32_t q = 0; q < wanted->queueCount; q++)
            queues[wanted->queueFamilyIndex][q].family = wanted->queueFamilyIndex + 1;
    }
    const VkDeviceQueueCreateInfo one = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueCount = 1,
        .pQueuePriorities = (const float[]){1.0f},
    };
    VkDeviceCreateInfo changed = *info;
    changed.queueCreateInfoCount = 1;
    changed.pQueueCreateInfos = &one;
    const VkResult result = create_device_below(physical, &changed, alloc, device);
    if (result == VK_SUCCESS)
        the_device = *device;
    return result;
}

static VKAPI_ATTR void VKAPI_CALL get_queue(VkDevice device, uint32_t index_of_family,
                                            uint32_t index, VkQueue *queue)
{
    VkQueue real;
    if (index_of_family >= FAMILIES || index >= QUEUES || !queues[index_of_family][index].family)
        ends("a queue that was not asked for");
    NEXT(device, vkGetDeviceQueue)(device, 0, 0, &real);
    struct queue *ours = &queues[index_of_family][index];
    *ours = (struct queue){*(void **)real, real, index_of_family + 1};
    *queue = (VkQueue)ours;
}

static VKAPI_ATTR void VKAPI_CALL get_queue2(VkDevice device, const VkDeviceQueueInfo2 *info,
                                             VkQueue *queue)
{
    get_queue(device, info->queueFamilyIndex, info->queueIndex, queue);
}

/* ---- Command buffers, which belong to a family's queues */

static void remember(struct owned *list, uint32_t size, struct owned what)
{
    uint32_t i = 0;
    pthread_mutex_lock(&lock);
    while (i < size && list[i].handle)
        i++;
    if (i == size)
        ends("too many of them for this layer");
    list[i] = what;
    pthread_mutex_unlock(&lock);
}

static uint32_t family_of(const struct owned *list, uint32_t size, uint64_t handle)
{
    uint32_t found = FAMILIES;
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < size; i++)
        if (list[i].handle == handle)
            found = list[i].family;
    pthread_mutex_unlock(&lock);
    return found;
}

static void forget(struct owned *list, uint32_t size, uint64_t handle, uint64_t pool)
{
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < size; i++)
        if ((handle && list[i].handle == handle) || (pool && list[i].pool == pool))
            list[i] = (struct owned){0};
    pthread_mutex_unlock(&lock);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_pool(VkDevice device,
                                                  const VkCommandPoolCreateInfo *info,
                                                  const VkAllocationCallbacks *alloc,
                                                  VkCommandPool *pool)
{
    VkCommandPoolCreateInfo changed = *info;
    changed.queueFamilyIndex = 0;
    const VkResult result = NEXT(device, vkCreateCommandPool)(device, &changed, alloc, pool);
    if (info->queueFamilyIndex >= FAMILIES)
        ends("a pool of a family that there is not");
    if (result == VK_SUCCESS)
        remember(pools, POOLS, (struct owned){(uint64_t)*pool, 0, info->queueFamilyIndex});
    return result;
}

static VKAPI_ATTR void VKAPI_CALL destroy_pool(VkDevice device, VkCommandPool pool,
                                               const VkAllocationCallbacks *alloc)
{
    forget(buffers, BUFFERS, 0, (uint64_t)pool);
    forget(pools, POOLS, (uint64_t)pool, 0);
    NEXT(device, vkDestroyCommandPool)(device, pool, alloc);
}

static VKAPI_ATTR VkResult VKAPI_CALL allocate(VkDevice device,
                                               const VkCommandBufferAllocateInfo *info,
                                               VkCommandBuffer *made)
{
    const uint64_t pool = (uint64_t)info->commandPool;
    const VkResult result = NEXT(device, vkAllocateCommandBuffers)(device, info, made);
    for (uint32_t i = 0; result == VK_SUCCESS && i < info->commandBufferCount; i++)
        remember(buffers, BUFFERS,
                 (struct owned){(uint64_t)made[i], pool, family_of(pools, POOLS, pool)});
    return result;
}

static VKAPI_ATTR void VKAPI_CALL free_buffers(VkDevice device, VkCommandPool pool, uint32_t count,
                                               const VkCommandBuffer *list)
{
    for (uint32_t i = 0; i < count; i++)
        forget(buffers, BUFFERS, (uint64_t)list[i], 0);
    NEXT(device, vkFreeCommandBuffers)(device, pool, count, list);
}

/* ---- Submissions */

static VkQueue take(VkQueue queue)
{
    pthread_mutex_lock(&driver);
    return ((struct queue *)queue)->real;
}

static void check(VkQueue queue, VkCommandBuffer buffer)
{
    if (family_of(buffers, BUFFERS, (uint64_t)buffer) + 1 != ((struct queue *)queue)->family)
        ends("a command buffer on a queue of another family");
}

static VKAPI_ATTR VkResult VKAPI_CALL submit(VkQueue queue, uint32_t count,
                                             const VkSubmitInfo *infos, VkFence fence)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t b = 0; b < infos[i].commandBufferCount; b++)
            check(queue, infos[i].pCommandBuffers[b]);
    const VkQueue real = take(queue);
    const VkResult result = NEXT(the_device, vkQueueSubmit)(real, count, infos, fence);
    pthread_mutex_unlock(&driver);
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL submit2(VkQueue queue, uint32_t count,
                                              const VkSubmitInfo2 *infos, VkFence fence)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t b = 0; b < infos[i].commandBufferInfoCount; b++)
            check(queue, infos[i].pCommandBufferInfos[b].commandBuffer);
    const VkQueue real = take(queue);
    const VkResult result = NEXT(the_device, vkQueueSubmit2)(real, count, infos, fence);
    pthread_mutex_unlock(&driver);
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL bind_sparse(VkQueue queue, uint32_t count,
                                                  const VkBindSparseInfo *infos, VkFence fence)
{
    const VkQueue real = take(queue);
    const VkResult result = NEXT(the_device, vkQueueBindSparse)(real, count, infos, fence);
    pthread_mutex_unlock(&driver);
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL present(VkQueue queue, const VkPresentInfoKHR *info)
{
    const VkQueue real = take(queue);
    const VkResult result = NEXT(the_device, vkQueuePresentKHR)(real, info);
    pthread_mutex_unlock(&driver);
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL queue_wait_idle(VkQueue queue)
{
    const VkQueue real = take(queue);
    const VkResult result = NEXT(the_device, vkQueueWaitIdle)(real);
    pthread_mutex_unlock(&driver);
    return result;
}

/* ---- The loader's way in */

static const struct function device_functions[] = {
    FUNCTION("vkGetDeviceProcAddr", get_device),
    FUNCTION("vkGetDeviceQueue", get_queue),
    FUNCTION("vkGetDeviceQueue2", get_queue2),
    FUNCTION("vkCreateCommandPool", create_pool),
    FUNCTION("vkDestroyCommandPool", destroy_pool),
    FUNCTION("vkAllocateCommandBuffers", allocate),
    FUNCTION("vkFreeCommandBuffers", free_buffers),
    FUNCTION("vkQueueSubmit", submit),
    FUNCTION("vkQueueSubmit2", submit2),
    FUNCTION("vkQueueSubmit2KHR", submit2),
    FUNCTION("vkQueueBindSparse", bind_sparse),
    FUNCTION("vkQueuePresentKHR", present),
    FUNCTION("vkQueueWaitIdle", queue_wait_idle),
};

static const struct function instance_functions[] = {
    FUNCTION("vkGetInstanceProcAddr", get_instance),
    FUNCTION("vkCreateInstance", create_instance),
    FUNCTION("vkCreateDevice", create_device),
    FUNCTION("vkGetPhysicalDeviceQueueFamilyProperties", get_families),
    FUNCTION("vkGetPhysicalDeviceQueueFamilyProperties2", get_families2),
};

DEFINE_LOOK_UPS(instance_functions, device_functions)
