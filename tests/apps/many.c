/* SPDX-License-Identifier: MIT
 *
 * Many devices at the same time, on all physical devices that there are, in turn, each with one queue or with
 * all queues of all families. What is submitted to the first one and to the last one gets done, on all of
 * their queues at once.
 *
 *     many DEVICES [--queues]
 */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAMILIES_MAX 16
#define SIZE         4096u
#define MARK         0x5eed0000u

static struct gpu gpu;
static bool all_queues;

static VkPhysicalDevice *list_physical(uint32_t *count)
{
    must(vkEnumeratePhysicalDevices(gpu.instance, count, NULL));
    VkPhysicalDevice *list = calloc(*count + 1, sizeof(VkPhysicalDevice));
    must(vkEnumeratePhysicalDevices(gpu.instance, count, list));
    return list;
}

/* Of each family the first queue, or all: how many there are in families[], and the sum. */
static uint32_t count_queues(VkPhysicalDevice physical, uint32_t *families, uint32_t *family_count)
{
    VkQueueFamilyProperties has[FAMILIES_MAX];
    *family_count = all_queues ? FAMILIES_MAX : 1;
    vkGetPhysicalDeviceQueueFamilyProperties(physical, family_count, has);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < *family_count; i++)
        sum += families[i] = all_queues ? has[i].queueCount : 1;
    return sum;
}

static VkDevice make_device(VkPhysicalDevice physical)
{
    uint32_t families[FAMILIES_MAX], family_count;
    const uint32_t sum = count_queues(physical, families, &family_count);
    float *priorities = calloc(sum, sizeof(*priorities));
    VkDeviceQueueCreateInfo queues[FAMILIES_MAX];
    for (uint32_t i = 0; i < family_count; i++)
        queues[i] = (VkDeviceQueueCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
            .queueFamilyIndex = i,
            .queueCount = families[i],
            .pQueuePriorities = priorities,
        };
    VkDevice device;
    must(vkCreateDevice(physical,
                        &(VkDeviceCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                            .queueCreateInfoCount = family_count,
                            .pQueueCreateInfos = queues,
                        },
                        NULL, &device));
    free(priorities);
    return device;
}

/* What one queue does: it fills a part of the buffer. */
struct work {
    VkQueue queue;
    VkCommandBuffer commands;
    VkFence fence;
};

static void begin(const struct gpu *gpu, struct work *work, VkBuffer buffer, uint32_t part,
                  uint32_t mark)
{
    work->commands = commands_begin(gpu);
    vkCmdFillBuffer(work->commands, buffer, (VkDeviceSize)part * SIZE, SIZE, mark + part);
    commands_end(work->commands);
    must(vkCreateFence(gpu->device,
                       &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO}, NULL,
                       &work->fence));
    must(vkQueueSubmit(work->queue, 1,
                       &(VkSubmitInfo){
                           .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                           .commandBufferCount = 1,
                           .pCommandBuffers = &work->commands,
                       },
                       work->fence));
}

/* Has each of the device's queues fill its part of a buffer, and looks at it. Returns how many there are. */
static uint32_t use(VkPhysicalDevice physical, VkDevice device, uint32_t mark)
{
    uint32_t families[FAMILIES_MAX], family_count;
    const uint32_t sum = count_queues(physical, families, &family_count);
    struct gpu one = {.physical = physical, .device = device};
    vkGetPhysicalDeviceMemoryProperties(physical, &one.memory);
    struct buffer buffer;
    buffer_init_host(&one, &buffer, sum * SIZE, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    struct work *work = calloc(sum, sizeof(*work));
    VkCommandPool pools[FAMILIES_MAX];
    uint32_t part = 0;
    for (uint32_t i = 0; i < family_count; i++) {
        must(vkCreateCommandPool(device,
                                 &(VkCommandPoolCreateInfo){
                                     .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                     .queueFamilyIndex = i,
                                 },
                                 NULL, &pools[i]));
        one.pool = pools[i];
        for (uint32_t queue = 0; queue < families[i]; queue++, part++) {
            vkGetDeviceQueue(device, i, queue, &work[part].queue);
            begin(&one, &work[part], buffer.handle, part, mark);
        }
    }
    for (part = 0; part < sum; part++) {
        must(vkWaitForFences(device, 1, &work[part].fence, VK_TRUE, LONG_NS));
        must(vkQueueWaitIdle(work[part].queue));
        const uint32_t *words = (const uint32_t *)buffer.map + (size_t)part * SIZE / 4;
        for (uint32_t i = 0; i < SIZE / 4; i++)
            expect(words[i] == mark + part, "word %u of queue %u is %#x instead of %#x", i, part,
                   words[i], mark + part);
        vkDestroyFence(device, work[part].fence, NULL);
    }
    for (uint32_t i = 0; i < family_count; i++)
        vkDestroyCommandPool(device, pools[i], NULL);
    buffer_finish(&one, &buffer);
    free(work);
    return sum;
}

int main(int argc, char **argv)
{
    const uint32_t count = argc > 1 ? (uint32_t)atoi(argv[1]) : 70;
    all_queues = argc > 2 && strcmp(argv[2], "--queues") == 0;
    gpu_init_instance(&gpu, &(struct gpu_options){.name = "many"});
    uint32_t physical_count;
    VkPhysicalDevice *physical = list_physical(&physical_count);
    expect(physical_count > 0 && count > 0, "there is no device");
    VkDevice *devices = calloc(count, sizeof(VkDevice));
    for (uint32_t i = 0; i < count; i++)
        devices[i] = make_device(physical[i % physical_count]);
    use(physical[0], devices[0], MARK);
    const uint32_t queues =
        use(physical[(count - 1) % physical_count], devices[count - 1], MARK + count);
    for (uint32_t i = 0; i < count; i++)
        vkDestroyDevice(devices[i], NULL);
    vkDestroyInstance(gpu.instance, NULL);
    printf("many: %u devices on %u, with %u queues\n", count, physical_count, queues);
    free(devices);
    free(physical);
    return 0;
}
