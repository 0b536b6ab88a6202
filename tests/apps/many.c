/* SPDX-License-Identifier: MIT
 *
 * Many devices at the same time, on all physical devices that there are, in turn. What is submitted to the
 * first one and to the last one gets done.
 *
 *     many DEVICES
 */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>

#define SIZE 4096u
#define MARK 0x5eed0000u

static struct gpu gpu;

static VkPhysicalDevice *list_physical(uint32_t *count)
{
    must(vkEnumeratePhysicalDevices(gpu.instance, count, NULL));
    VkPhysicalDevice *list = calloc(*count + 1, sizeof(VkPhysicalDevice));
    must(vkEnumeratePhysicalDevices(gpu.instance, count, list));
    return list;
}

static VkDevice make_device(VkPhysicalDevice physical)
{
    VkDevice device;
    must(vkCreateDevice(physical,
                        &(VkDeviceCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                            .queueCreateInfoCount = 1,
                            .pQueueCreateInfos =
                                &(VkDeviceQueueCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                    .queueCount = 1,
                                    .pQueuePriorities = (const float[]){1.0f},
                                },
                        },
                        NULL, &device));
    return device;
}

/* Has the device fill a buffer, and looks at it. */
static void use(VkPhysicalDevice physical, VkDevice device, uint32_t mark)
{
    struct gpu one = {.physical = physical, .device = device};
    vkGetPhysicalDeviceMemoryProperties(physical, &one.memory);
    vkGetDeviceQueue(device, 0, 0, &one.queue);
    must(vkCreateCommandPool(
        device, &(VkCommandPoolCreateInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO},
        NULL, &one.pool));
    struct buffer buffer;
    buffer_init_host(&one, &buffer, SIZE, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    VkCommandBuffer commands = commands_begin(&one);
    vkCmdFillBuffer(commands, buffer.handle, 0, SIZE, mark);
    commands_finish(&one, commands);
    for (uint32_t i = 0; i < SIZE / 4; i++)
        expect(((const uint32_t *)buffer.map)[i] == mark, "word %u is %#x instead of %#x", i,
               ((const uint32_t *)buffer.map)[i], mark);
    buffer_finish(&one, &buffer);
    vkDestroyCommandPool(device, one.pool, NULL);
}

int main(int argc, char **argv)
{
    const uint32_t count = argc > 1 ? (uint32_t)atoi(argv[1]) : 70;
    gpu_init_instance(&gpu, &(struct gpu_options){.name = "many"});
    uint32_t physical_count;
    VkPhysicalDevice *physical = list_physical(&physical_count);
    expect(physical_count > 0 && count > 0, "there is no device");
    VkDevice *devices = calloc(count, sizeof(VkDevice));
    for (uint32_t i = 0; i < count; i++)
        devices[i] = make_device(physical[i % physical_count]);
    use(physical[0], devices[0], MARK);
    use(physical[(count - 1) % physical_count], devices[count - 1], MARK + count);
    for (uint32_t i = 0; i < count; i++)
        vkDestroyDevice(devices[i], NULL);
    vkDestroyInstance(gpu.instance, NULL);
    printf("many: %u devices on %u\n", count, physical_count);
    free(devices);
    free(physical);
    return 0;
}
