/* SPDX-License-Identifier: MIT
 *
 * A Vulkan driver's library without a loader: driver LIBRARY.so [ROUNDS]; or handed to one that knows
 * VK_LUNARG_direct_driver_loading: driver LIBRARY.so --direct
 *
 * Checks the interface that drivers have for loaders, that its device works, and that the library
 * can be unloaded.
 */
#include "expect.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vk_icd.h>

#define WORDS   10000u
#define PATTERN 0xb1a6f00du

static void *symbol(void *library, const char *name)
{
    void *found = dlsym(library, name);
    expect(found, "the library has no %s", name);
    return found;
}

static int count_threads(void)
{
    int threads = 0;
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    expect(file, "cannot read /proc/self/status");
    while (fgets(line, sizeof(line), file))
        sscanf(line, "Threads: %d", &threads);
    fclose(file);
    return threads;
}

/* Dispatchable handles begin with a word that the loader overwrites with its own. */
static void expect_magic(const void *handle, const char *what)
{
    uintptr_t magic;
    memcpy(&magic, handle, sizeof(magic));
    expect(magic == ICD_LOADER_MAGIC, "%s begins with %#zx instead of the loader's magic", what,
           (size_t)magic);
}

static void check_negotiation(void *library, uint32_t least)
{
    const PFN_vkNegotiateLoaderICDInterfaceVersion negotiate =
        (PFN_vkNegotiateLoaderICDInterfaceVersion)symbol(
            library, "vk_icdNegotiateLoaderICDInterfaceVersion");
    uint32_t version = 1000;
    must(negotiate(&version));
    expect(version >= least && version < 1000, "it offers interface version %u for 1000", version);
    const uint32_t newest = version;
    version = 5;
    must(negotiate(&version));
    expect(version == 5, "it offers version %u for 5, and can do %u", version, newest);
    if (newest < 7)
        return;
    /* Where all that the loader is given is this one. */
    const PFN_vkGetInstanceProcAddr get =
        (PFN_vkGetInstanceProcAddr)symbol(library, "vk_icdGetInstanceProcAddr");
    expect(get(NULL, "vk_icdNegotiateLoaderICDInterfaceVersion") == (PFN_vkVoidFunction)negotiate,
           "vk_icdGetInstanceProcAddr does not know vk_icdNegotiateLoaderICDInterfaceVersion");
    expect(get(NULL, "vk_icdGetPhysicalDeviceProcAddr"),
           "vk_icdGetInstanceProcAddr does not know vk_icdGetPhysicalDeviceProcAddr");
    expect(!get(NULL, "vk_icdNoSuchFunction"), "vk_icdNoSuchFunction exists");
}

/* The driver is handed to a loader, which looks for no other. */
static void load_directly(void *library)
{
    void *loader = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    expect(loader, "%s", dlerror());
    const PFN_vkGetInstanceProcAddr get =
        (PFN_vkGetInstanceProcAddr)symbol(loader, "vkGetInstanceProcAddr");
    const VkDirectDriverLoadingInfoLUNARG driver = {
        .sType = VK_STRUCTURE_TYPE_DIRECT_DRIVER_LOADING_INFO_LUNARG,
        .pfnGetInstanceProcAddr =
            (PFN_vkGetInstanceProcAddrLUNARG)symbol(library, "vk_icdGetInstanceProcAddr"),
    };
    const VkDirectDriverLoadingListLUNARG list = {
        .sType = VK_STRUCTURE_TYPE_DIRECT_DRIVER_LOADING_LIST_LUNARG,
        .mode = VK_DIRECT_DRIVER_LOADING_MODE_EXCLUSIVE_LUNARG,
        .driverCount = 1,
        .pDrivers = &driver,
    };
    for (int i = 0; i < 3; i++) {
        VkInstance instance;
        must(((PFN_vkCreateInstance)get(NULL, "vkCreateInstance"))(
            &(VkInstanceCreateInfo){
                .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                .pNext = &list,
                .enabledExtensionCount = 1,
                .ppEnabledExtensionNames =
                    (const char *const[]){VK_LUNARG_DIRECT_DRIVER_LOADING_EXTENSION_NAME},
            },
            NULL, &instance));
        VkPhysicalDevice physical;
        uint32_t count = 1;
        must_be(VK_SUCCESS,
                ((PFN_vkEnumeratePhysicalDevices)get(instance, "vkEnumeratePhysicalDevices"))(
                    instance, &count, &physical));
        expect(count == 1, "%u devices", count);
        VkPhysicalDeviceProperties properties;
        ((PFN_vkGetPhysicalDeviceProperties)get(instance, "vkGetPhysicalDeviceProperties"))(
            physical, &properties);
        printf("driver: handed to the loader, it has %s\n", properties.deviceName);
        ((PFN_vkDestroyInstance)get(instance, "vkDestroyInstance"))(instance, NULL);
    }
}

/* A function of the device, under its own name. */
#define DEVICE_FUNCTION(name) const PFN_##name name = (PFN_##name)get_device(device, #name)

/* The device fills a buffer, and the mapped memory shows it. */
static void check_work(VkDevice device, VkQueue queue, PFN_vkGetDeviceProcAddr get_device,
                       const VkPhysicalDeviceMemoryProperties *types)
{
    DEVICE_FUNCTION(vkCreateBuffer);
    DEVICE_FUNCTION(vkDestroyBuffer);
    DEVICE_FUNCTION(vkGetBufferMemoryRequirements);
    DEVICE_FUNCTION(vkAllocateMemory);
    DEVICE_FUNCTION(vkFreeMemory);
    DEVICE_FUNCTION(vkBindBufferMemory);
    DEVICE_FUNCTION(vkMapMemory);
    DEVICE_FUNCTION(vkCreateCommandPool);
    DEVICE_FUNCTION(vkDestroyCommandPool);
    DEVICE_FUNCTION(vkAllocateCommandBuffers);
    DEVICE_FUNCTION(vkBeginCommandBuffer);
    DEVICE_FUNCTION(vkCmdFillBuffer);
    DEVICE_FUNCTION(vkEndCommandBuffer);
    DEVICE_FUNCTION(vkCreateFence);
    DEVICE_FUNCTION(vkDestroyFence);
    DEVICE_FUNCTION(vkQueueSubmit);
    DEVICE_FUNCTION(vkWaitForFences);

    VkBuffer buffer;
    must(vkCreateBuffer(device,
                        &(VkBufferCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                            .size = 4 * WORDS,
                            .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                        },
                        NULL, &buffer));
    VkMemoryRequirements needs;
    vkGetBufferMemoryRequirements(device, buffer, &needs);
    const VkMemoryPropertyFlags wanted =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    uint32_t type = 0;
    while (type < types->memoryTypeCount &&
           (!(needs.memoryTypeBits & 1u << type) ||
            (types->memoryTypes[type].propertyFlags & wanted) != wanted))
        type++;
    expect(type < types->memoryTypeCount, "no memory for a buffer that the host can see");
    VkDeviceMemory memory;
    must(vkAllocateMemory(device,
                          &(VkMemoryAllocateInfo){
                              .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                              .allocationSize = needs.size,
                              .memoryTypeIndex = type,
                          },
                          NULL, &memory));
    must(vkBindBufferMemory(device, buffer, memory, 0));
    uint32_t *words;
    must(vkMapMemory(device, memory, 0, VK_WHOLE_SIZE, 0, (void **)&words));
    memset(words, 0, 4 * WORDS);

    VkCommandPool pool;
    must(vkCreateCommandPool(
        device, &(VkCommandPoolCreateInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO},
        NULL, &pool));
    VkCommandBuffer commands;
    must(vkAllocateCommandBuffers(device,
                                  &(VkCommandBufferAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                      .commandPool = pool,
                                      .commandBufferCount = 1,
                                  },
                                  &commands));
    expect_magic(commands, "the command buffer");
    must(vkBeginCommandBuffer(commands, &(VkCommandBufferBeginInfo){
                                            .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO}));
    vkCmdFillBuffer(commands, buffer, 0, VK_WHOLE_SIZE, PATTERN);
    must(vkEndCommandBuffer(commands));
    VkFence fence;
    must(vkCreateFence(device, &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO},
                       NULL, &fence));
    must(vkQueueSubmit(queue, 1,
                       &(VkSubmitInfo){
                           .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                           .commandBufferCount = 1,
                           .pCommandBuffers = &commands,
                       },
                       fence));
    must(vkWaitForFences(device, 1, &fence, VK_TRUE, UINT64_C(60000000000)));
    for (uint32_t i = 0; i < WORDS; i++)
        expect(words[i] == PATTERN, "word %u of the filled buffer is %#x", i, words[i]);

    vkDestroyFence(device, fence, NULL);
    vkDestroyCommandPool(device, pool, NULL);
    vkDestroyBuffer(device, buffer, NULL);
    vkFreeMemory(device, memory, NULL);
}

static void one_round(void *library)
{
    const PFN_vkGetInstanceProcAddr get =
        (PFN_vkGetInstanceProcAddr)symbol(library, "vk_icdGetInstanceProcAddr");
    const PFN_vkGetInstanceProcAddr get_physical =
        (PFN_vkGetInstanceProcAddr)symbol(library, "vk_icdGetPhysicalDeviceProcAddr");
    const PFN_vkCreateInstance create_instance =
        (PFN_vkCreateInstance)get(NULL, "vkCreateInstance");
    expect(create_instance, "no vkCreateInstance");
    expect(get(NULL, "vkEnumerateInstanceExtensionProperties"),
           "no vkEnumerateInstanceExtensionProperties");
    expect(!get(NULL, "vkCreateDevice"), "vkCreateDevice is there without an instance");

    VkInstance instance;
    must(create_instance(
        &(VkInstanceCreateInfo){
            .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
            .pApplicationInfo =
                &(VkApplicationInfo){
                    .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                    .apiVersion = VK_API_VERSION_1_3,
                },
        },
        NULL, &instance));
    expect_magic(instance, "the instance");
    expect(get_physical(instance, "vkGetPhysicalDeviceProperties"),
           "vkGetPhysicalDeviceProperties is no command of physical devices");
    expect(!get_physical(instance, "vkCreateInstance"),
           "vkCreateInstance is a command of physical devices");
    expect(!get_physical(instance, "vkNoSuchCommand"), "vkNoSuchCommand exists");
    expect(!get(instance, "vkNoSuchCommand"), "vkNoSuchCommand exists");

    const PFN_vkEnumeratePhysicalDevices enumerate =
        (PFN_vkEnumeratePhysicalDevices)get(instance, "vkEnumeratePhysicalDevices");
    VkPhysicalDevice physical;
    uint32_t count = 1;
    const VkResult listed = enumerate(instance, &count, &physical);
    expect((listed == VK_SUCCESS || listed == VK_INCOMPLETE) && count == 1,
           "vkEnumeratePhysicalDevices gave %s and %u devices", result_name(listed), count);
    expect_magic(physical, "the physical device");

    const PFN_vkCreateDevice create_device = (PFN_vkCreateDevice)get(instance, "vkCreateDevice");
    VkDevice device;
    must(create_device(physical,
                       &(VkDeviceCreateInfo){
                           .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                           .queueCreateInfoCount = 1,
                           .pQueueCreateInfos =
                               &(VkDeviceQueueCreateInfo){
                                   .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                   .queueCount = 1,
                                   .pQueuePriorities = &(const float){1.0f},
                               },
                       },
                       NULL, &device));
    expect_magic(device, "the device");
    const PFN_vkGetDeviceProcAddr get_device =
        (PFN_vkGetDeviceProcAddr)get(instance, "vkGetDeviceProcAddr");
    const PFN_vkGetDeviceQueue get_queue =
        (PFN_vkGetDeviceQueue)get_device(device, "vkGetDeviceQueue");
    VkQueue queue;
    get_queue(device, 0, 0, &queue);
    expect_magic(queue, "the queue");
    VkPhysicalDeviceMemoryProperties types;
    ((PFN_vkGetPhysicalDeviceMemoryProperties)get(instance, "vkGetPhysicalDeviceMemoryProperties"))(
        physical, &types);
    check_work(device, queue, get_device, &types);
    ((PFN_vkDestroyDevice)get_device(device, "vkDestroyDevice"))(device, NULL);
    ((PFN_vkDestroyInstance)get(instance, "vkDestroyInstance"))(instance, NULL);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: driver LIBRARY.so [ROUNDS [INTERFACE] | --direct]\n");
        return 2;
    }
    if (argc > 2 && !strcmp(argv[2], "--direct")) {
        void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        expect(library, "%s", dlerror());
        load_directly(library);
        return 0;
    }
    const int rounds = argc > 2 ? atoi(argv[2]) : 5;
    /* Viaduct's own version; what other drivers have at least is the caller's to say. */
    const uint32_t least = argc > 3 ? (uint32_t)atoi(argv[3]) : 7;
    for (int i = 0; i < rounds; i++) {
        void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        expect(library, "%s", dlerror());
        check_negotiation(library, least);
        one_round(library);
        one_round(library);
        dlclose(library);
        /* A thread of an unloaded library has no code left to run. */
        expect(count_threads() == 1, "%d threads are left after unloading", count_threads());
    }
    printf("driver: loaded and unloaded %d times\n", rounds);
    return 0;
}
