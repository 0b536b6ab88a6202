/* SPDX-License-Identifier: MIT
 *
 * Allocation callbacks, failing ones too.
 */
#include "common.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static struct gpu gpu;

/* Allocation callbacks: what is taken is given back, and with the same user data. */
struct allocations {
    _Atomic int64_t count;
    _Atomic uint64_t total;
    _Atomic int64_t fail_after; /* negative: never */
};

static void *callback_allocate(void *data, size_t size, size_t alignment,
                               VkSystemAllocationScope scope)
{
    (void)scope;
    struct allocations *allocations = data;
    if (size == 0)
        return NULL;
    if (atomic_load(&allocations->fail_after) >= 0 &&
        atomic_fetch_sub(&allocations->fail_after, 1) <= 0) {
        atomic_store(&allocations->fail_after, 0);
        return NULL;
    }
    /* The size stands in front, for callback_reallocate. */
    const size_t front = alignment > 16 ? alignment : 16;
    uint8_t *memory = aligned_alloc(front, (front + size + front - 1) / front * front);
    if (!memory)
        return NULL;
    memcpy(memory + front - 8, &(uint32_t){(uint32_t)front}, 4);
    memcpy(memory + front - 4, &(uint32_t){(uint32_t)size}, 4);
    atomic_fetch_add(&allocations->count, 1);
    atomic_fetch_add(&allocations->total, 1);
    return memory + front;
}

static void callback_free(void *data, void *memory)
{
    struct allocations *allocations = data;
    if (!memory)
        return;
    uint32_t front;
    memcpy(&front, (uint8_t *)memory - 8, 4);
    atomic_fetch_sub(&allocations->count, 1);
    free((uint8_t *)memory - front);
}

static void *callback_reallocate(void *data, void *original, size_t size, size_t alignment,
                                 VkSystemAllocationScope scope)
{
    if (size == 0) {
        callback_free(data, original);
        return NULL;
    }
    uint8_t *memory = callback_allocate(data, size, alignment, scope);
    if (memory && original) {
        uint32_t old_size;
        memcpy(&old_size, (uint8_t *)original - 4, 4);
        memcpy(memory, original, old_size < size ? old_size : size);
        callback_free(data, original);
    }
    return memory;
}

static void use_callbacks(const VkAllocationCallbacks *callbacks)
{
    VkFence fence;
    VkSemaphore semaphore;
    VkBuffer buffer;
    VkDeviceMemory memory;
    VkCommandPool pool;
    VkSampler sampler;
    must(vkCreateFence(gpu.device,
                       &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO},
                       callbacks, &fence));
    must(vkCreateSemaphore(
        gpu.device, &(VkSemaphoreCreateInfo){.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO},
        callbacks, &semaphore));
    must(vkCreateBuffer(gpu.device,
                        &(VkBufferCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                            .size = 4096,
                            .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                        },
                        callbacks, &buffer));
    must(vkAllocateMemory(gpu.device,
                          &(VkMemoryAllocateInfo){
                              .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                              .allocationSize = 4096,
                          },
                          callbacks, &memory));
    must(vkCreateCommandPool(gpu.device,
                             &(VkCommandPoolCreateInfo){
                                 .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                 .queueFamilyIndex = gpu.family,
                             },
                             callbacks, &pool));
    VkCommandBuffer commands[8];
    must(vkAllocateCommandBuffers(gpu.device,
                                  &(VkCommandBufferAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                      .commandPool = pool,
                                      .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                      .commandBufferCount = ARRAY_SIZE(commands),
                                  },
                                  commands));
    must(vkCreateSampler(gpu.device,
                         &(VkSamplerCreateInfo){.sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO},
                         callbacks, &sampler));
    vkDestroySampler(gpu.device, sampler, callbacks);
    vkDestroyCommandPool(gpu.device, pool, callbacks);
    vkFreeMemory(gpu.device, memory, callbacks);
    vkDestroyBuffer(gpu.device, buffer, callbacks);
    vkDestroySemaphore(gpu.device, semaphore, callbacks);
    vkDestroyFence(gpu.device, fence, callbacks);
}

static void test_allocation_callbacks(void)
{
    struct allocations allocations = {.fail_after = -1};
    const VkAllocationCallbacks callbacks = {
        .pUserData = &allocations,
        .pfnAllocation = callback_allocate,
        .pfnReallocation = callback_reallocate,
        .pfnFree = callback_free,
    };
    use_callbacks(&callbacks);
    expect(atomic_load(&allocations.count) == 0, "%" PRIi64 " allocations were not given back",
           atomic_load(&allocations.count));

    /* An instance and a device of their own, made and unmade with callbacks. */
    VkInstance instance;
    must(vkCreateInstance(
        &(VkInstanceCreateInfo){
            .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
            .pApplicationInfo =
                &(VkApplicationInfo){
                    .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                    .apiVersion = VK_API_VERSION_1_3,
                },
            .ppEnabledLayerNames = GARBAGE_POINTER,
            .ppEnabledExtensionNames = GARBAGE_POINTER,
        },
        &callbacks, &instance));
    VkPhysicalDevice physical;
    uint32_t count = 1;
    vkEnumeratePhysicalDevices(instance, &count, &physical);
    VkDevice device;
    must(vkCreateDevice(physical,
                        &(VkDeviceCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                            .queueCreateInfoCount = 1,
                            .pQueueCreateInfos =
                                &(VkDeviceQueueCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                    .queueFamilyIndex = gpu.family,
                                    .queueCount = 1,
                                    .pQueuePriorities = &(const float){0.5f},
                                },
                            .ppEnabledExtensionNames = GARBAGE_POINTER,
                        },
                        &callbacks, &device));
    vkDestroyDevice(device, &callbacks);
    vkDestroyInstance(instance, &callbacks);
    expect(atomic_load(&allocations.count) == 0, "%" PRIi64 " allocations were not given back",
           atomic_load(&allocations.count));

    /* The first, second, third, ... allocation fails: an error, or nobody asked for the memory. */
    for (int64_t nth = 0; nth < 4; nth++) {
        atomic_store(&allocations.fail_after, nth);
        VkFence fence = VK_NULL_HANDLE;
        const VkResult fence_result = vkCreateFence(
            gpu.device, &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO},
            &callbacks, &fence);
        VkCommandPool pool = VK_NULL_HANDLE;
        const VkResult pool_result =
            vkCreateCommandPool(gpu.device,
                                &(VkCommandPoolCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                    .queueFamilyIndex = gpu.family,
                                },
                                &callbacks, &pool);
        expect((fence_result == VK_SUCCESS || fence_result == VK_ERROR_OUT_OF_HOST_MEMORY) &&
                   (pool_result == VK_SUCCESS || pool_result == VK_ERROR_OUT_OF_HOST_MEMORY),
               "without memory, creation gave %s and %s", result_name(fence_result),
               result_name(pool_result));
        atomic_store(&allocations.fail_after, -1);
        if (fence_result == VK_SUCCESS)
            vkDestroyFence(gpu.device, fence, &callbacks);
        if (pool_result == VK_SUCCESS)
            vkDestroyCommandPool(gpu.device, pool, &callbacks);
        expect(atomic_load(&allocations.count) == 0, "%" PRIi64 " allocations were not given back",
               atomic_load(&allocations.count));
    }
}

static const struct program_part parts[] = {
    {"allocation callbacks", test_allocation_callbacks},
};

int main(void)
{
    gpu_init(&gpu, &(struct gpu_options){.name = "callbacks"});
    run_parts("callbacks", parts, ARRAY_SIZE(parts));
    gpu_finish(&gpu);
    return 0;
}
