/* SPDX-License-Identifier: MIT
 *
 * Devices that say they are the same one of the same driver (deviceUUID, driverUUID) promise that opaque
 * descriptors can be exchanged. Each device of one instance exports memory, and each of another one imports
 * it: that works where it is promised, and nothing is promised where it does not.
 *
 *   identity [SOCKET]     the second instance's server, if it is another one
 */
#include "common.h"
#include "resources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DEVICES = 4,
    SIZE = 65536,
};

struct side {
    VkInstance instance;
    struct gpu gpus[DEVICES];
    VkPhysicalDeviceIDProperties ids[DEVICES];
    uint32_t count;
};

static const char *const extension = VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME;

static void side_init(struct side *side)
{
    struct gpu first = {0};
    const struct gpu_options options = {
        .name = "identity",
        .device_extensions = &extension,
        .device_extension_count = 1,
    };
    gpu_init_instance(&first, &options);
    side->instance = first.instance;
    VkPhysicalDevice devices[DEVICES];
    side->count = DEVICES;
    must(vkEnumeratePhysicalDevices(side->instance, &side->count, devices));
    for (uint32_t i = 0; i < side->count; i++) {
        struct gpu *gpu = &side->gpus[i];
        gpu->instance = side->instance;
        gpu->physical = devices[i];
        side->ids[i] = (VkPhysicalDeviceIDProperties){
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES,
        };
        VkPhysicalDeviceProperties2 properties = {
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
            .pNext = &side->ids[i],
        };
        vkGetPhysicalDeviceProperties2(devices[i], &properties);
        gpu->properties = properties.properties;
        vkGetPhysicalDeviceMemoryProperties(devices[i], &gpu->memory);
        must(vkCreateDevice(devices[i],
                            &(VkDeviceCreateInfo){
                                .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                .queueCreateInfoCount = 1,
                                .pQueueCreateInfos =
                                    &(VkDeviceQueueCreateInfo){
                                        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                        .queueCount = 1,
                                        .pQueuePriorities = &(const float){1.0f},
                                    },
                                .enabledExtensionCount = 1,
                                .ppEnabledExtensionNames = &extension,
                            },
                            NULL, &gpu->device));
    }
}

static void side_finish(struct side *side)
{
    for (uint32_t i = 0; i < side->count; i++)
        vkDestroyDevice(side->gpus[i].device, NULL);
    vkDestroyInstance(side->instance, NULL);
}

static VkMemoryAllocateInfo allocation(const struct gpu *gpu, const void *chain)
{
    return (VkMemoryAllocateInfo){
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = chain,
        .allocationSize = SIZE,
        .memoryTypeIndex =
            find_memory_type(gpu, UINT32_MAX, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT, 0),
    };
}

/* Whether `to` sees in a descriptor of `from` what that has written. */
static bool is_exchanged(const struct gpu *from, const struct gpu *to)
{
    const VkExportMemoryAllocateInfo exported = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
        .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT,
    };
    VkDeviceMemory memory, other = VK_NULL_HANDLE;
    const VkMemoryAllocateInfo info = allocation(from, &exported);
    must(vkAllocateMemory(from->device, &info, NULL, &memory));
    uint32_t *words, *seen = NULL;
    must(vkMapMemory(from->device, memory, 0, VK_WHOLE_SIZE, 0, (void **)&words));
    words[7] = 0x1de47171;
    VkImportMemoryFdInfoKHR import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR,
        .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT,
    };
    const PFN_vkGetMemoryFdKHR get =
        (PFN_vkGetMemoryFdKHR)vkGetDeviceProcAddr(from->device, "vkGetMemoryFdKHR");
    must(get(from->device,
             &(VkMemoryGetFdInfoKHR){
                 .sType = VK_STRUCTURE_TYPE_MEMORY_GET_FD_INFO_KHR,
                 .memory = memory,
                 .handleType = import.handleType,
             },
             &import.fd));
    const VkMemoryAllocateInfo importing = allocation(to, &import);
    const VkResult result = vkAllocateMemory(to->device, &importing, NULL, &other);
    if (result == VK_SUCCESS)
        must(vkMapMemory(to->device, other, 0, VK_WHOLE_SIZE, 0, (void **)&seen));
    const bool exchanged = seen && seen[7] == 0x1de47171;
    if (result == VK_SUCCESS)
        vkFreeMemory(to->device, other, NULL);
    vkFreeMemory(from->device, memory, NULL);
    return exchanged;
}

int main(int argc, char **argv)
{
    static struct side a, b;
    side_init(&a);
    if (argc > 1)
        setenv("VTEST_SOCKET_NAME", argv[1], 1);
    side_init(&b);
    for (uint32_t i = 0; i < a.count; i++) {
        for (uint32_t j = 0; j < b.count; j++) {
            const bool promised =
                memcmp(a.ids[i].deviceUUID, b.ids[j].deviceUUID, VK_UUID_SIZE) == 0 &&
                memcmp(a.ids[i].driverUUID, b.ids[j].driverUUID, VK_UUID_SIZE) == 0;
            const char *from = a.gpus[i].properties.deviceName,
                       *to = b.gpus[j].properties.deviceName;
            printf("%s to %s: %s\n", from, to, promised ? "promised" : "not promised");
            expect(is_exchanged(&a.gpus[i], &b.gpus[j]) == promised, "%s to %s: %s", from, to,
                   promised ? "promised, and does not work" : "works, and is not promised");
            expect(!a.ids[i].deviceLUIDValid || !strncmp(from, "llvmpipe", 8), "there is a LUID");
        }
    }
    side_finish(&a);
    side_finish(&b);
    return 0;
}
