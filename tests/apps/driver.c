/* SPDX-License-Identifier: MIT
 *
 * A Vulkan driver's library without a loader: driver LIBRARY.so [ROUNDS]
 *
 * Checks the interface that drivers have for loaders, and that the library can be unloaded.
 */
#include "common.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vk_icd.h>

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

static void check_negotiation(void *library)
{
    const PFN_vkNegotiateLoaderICDInterfaceVersion negotiate =
        (PFN_vkNegotiateLoaderICDInterfaceVersion)symbol(
            library, "vk_icdNegotiateLoaderICDInterfaceVersion");
    uint32_t version = 1000;
    must(negotiate(&version));
    expect(version >= 5 && version < 1000, "it offers interface version %u for 1000", version);
    const uint32_t newest = version;
    version = 5;
    must(negotiate(&version));
    expect(version == 5, "it offers version %u for 5, and can do %u", version, newest);
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
    ((PFN_vkDestroyDevice)get_device(device, "vkDestroyDevice"))(device, NULL);
    ((PFN_vkDestroyInstance)get(instance, "vkDestroyInstance"))(instance, NULL);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: driver LIBRARY.so [ROUNDS]\n");
        return 2;
    }
    const int rounds = argc > 2 ? atoi(argv[2]) : 5;
    for (int i = 0; i < rounds; i++) {
        void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        expect(library, "%s", dlerror());
        check_negotiation(library);
        one_round(library);
        one_round(library);
        dlclose(library);
        /* A thread of an unloaded library has no code left to run. */
        expect(count_threads() == 1, "%d threads are left after unloading", count_threads());
    }
    printf("driver: loaded and unloaded %d times\n", rounds);
    return 0;
}
