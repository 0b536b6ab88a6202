/* SPDX-License-Identifier: MIT
 *
 * What each command answers when things go wrong: only what vk.xml lists for it.
 *
 *   answers LIBRARY.so lost           says "ready", and goes on at SIGUSR1, which comes when the server
 *                                     has ended
 *   answers LIBRARY.so memory NUMBER  during each call all malloc() fail but the first NUMBER
 *   answers LIBRARY.so descriptors    there is no file descriptor left
 *
 * The driver is loaded without a loader, which would not survive some of it. One line for each command
 * that returns a VkResult: its name, what it answered, and whether that is listed.
 */
#include "expect.h"

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <vulkan/vk_icd.h>
#include <vulkan/vulkan.h>

#include "answers_calls.h"

/* ---- Memory, which this program's malloc() may refuse */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

/* How many times more memory may be had; of this thread, others go on. */
static _Thread_local unsigned mallocs_left = UINT32_MAX;

static bool is_refused(void)
{
    if (mallocs_left == UINT32_MAX || mallocs_left-- > 0)
        return false;
    mallocs_left = 0;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return is_refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return is_refused() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return is_refused() ? NULL : __libc_realloc(old, size);
}

#include "any.h"

/* ---- The driver */

static void load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    expect(library, "%s", dlerror());
    const PFN_vkNegotiateLoaderICDInterfaceVersion negotiate =
        (PFN_vkNegotiateLoaderICDInterfaceVersion)dlsym(library,
                                                        "vk_icdNegotiateLoaderICDInterfaceVersion");
    get_instance = (PFN_vkGetInstanceProcAddr)dlsym(library, "vk_icdGetInstanceProcAddr");
    expect(negotiate && get_instance, "this is no driver");
    uint32_t version = 5;
    must(negotiate(&version));
}

static void make_all(void)
{
    make_instance();
    must(INSTANCE(vkCreateHeadlessSurfaceEXT)(
        any_VkInstance,
        &(VkHeadlessSurfaceCreateInfoEXT){
            .sType = VK_STRUCTURE_TYPE_HEADLESS_SURFACE_CREATE_INFO_EXT,
        },
        NULL, &any_VkSurfaceKHR));
    make_device();
    make_objects();
    must(DEVICE(vkCreateSwapchainKHR)(any_VkDevice,
                                      &(VkSwapchainCreateInfoKHR){
                                          .sType = VK_STRUCTURE_TYPE_SWAPCHAIN_CREATE_INFO_KHR,
                                          .surface = any_VkSurfaceKHR,
                                          .minImageCount = 3,
                                          .imageFormat = VK_FORMAT_B8G8R8A8_UNORM,
                                          .imageExtent = {16, 16},
                                          .imageArrayLayers = 1,
                                          .imageUsage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT,
                                          .preTransform = VK_SURFACE_TRANSFORM_IDENTITY_BIT_KHR,
                                          .compositeAlpha = VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR,
                                          .presentMode = VK_PRESENT_MODE_FIFO_KHR,
                                      },
                                      NULL, &any_VkSwapchainKHR));
    must(DEVICE(vkCreateDeferredOperationKHR)(any_VkDevice, NULL, &any_VkDeferredOperationKHR));
}

/* ---- Asking */

/* Those that are open stay open. */
static void limit_descriptors(rlim_t count)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
    expect(setrlimit(RLIMIT_NOFILE, &limit) == 0, "%s", strerror(errno));
}

static bool is_listed(const struct answers *command, VkResult result)
{
    const VkResult *listed = command->results;
    while (*listed != VK_RESULT_MAX_ENUM && *listed != result)
        listed++;
    return *listed == result;
}

static PFN_vkVoidFunction find(const char *name)
{
    const PFN_vkVoidFunction function = get_device(any_VkDevice, name);
    return function ? function : get_instance(any_VkInstance, name);
}

/* A call that was senseless has cost the device. */
static void make_again_what_is_lost(void)
{
    if (DEVICE(vkDeviceWaitIdle)(any_VkDevice) != VK_SUCCESS)
        make_all();
}

static void wait_for_loss(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    expect(sigprocmask(SIG_BLOCK, &set, NULL) == 0, "%s", strerror(errno));
    printf("ready\n");
    int number;
    sigwait(&set, &number);
    while (DEVICE(vkDeviceWaitIdle)(any_VkDevice) == VK_SUCCESS)
        sched_yield();
}

/* Where nobody answers, what a command without a result fills is zero. */
static void check_outputs_of_lost(void)
{
    VkMemoryDedicatedRequirements dedicated = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_REQUIREMENTS,
        .prefersDedicatedAllocation = 77,
    };
    VkMemoryRequirements2 requirements = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2,
        .pNext = &dedicated,
        .memoryRequirements = {77, 77, 77},
    };
    DEVICE(vkGetBufferMemoryRequirements2)
    (any_VkDevice,
     &(VkBufferMemoryRequirementsInfo2){
         .sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_REQUIREMENTS_INFO_2,
         .buffer = any_VkBuffer,
     },
     &requirements);
    expect(requirements.pNext == &dedicated && requirements.memoryRequirements.size == 0 &&
               requirements.memoryRequirements.memoryTypeBits == 0 &&
               dedicated.prefersDedicatedAllocation == 0,
           "memory requirements are garbage");
    VkFormatProperties3 more = {
        .sType = VK_STRUCTURE_TYPE_FORMAT_PROPERTIES_3,
        .optimalTilingFeatures = 77,
    };
    VkFormatProperties2 format = {
        .sType = VK_STRUCTURE_TYPE_FORMAT_PROPERTIES_2,
        .pNext = &more,
        .formatProperties = {77, 77, 77},
    };
    INSTANCE(vkGetPhysicalDeviceFormatProperties2)
    (any_VkPhysicalDevice, VK_FORMAT_R8G8B8A8_UNORM, &format);
    expect(format.formatProperties.bufferFeatures == 0 && more.optimalTilingFeatures == 0,
           "the properties of formats are garbage");
    uint32_t count = 77;
    const VkResult result = INSTANCE(vkGetPhysicalDeviceSurfaceFormatsKHR)(
        any_VkPhysicalDevice, any_VkSurfaceKHR, &count, NULL);
    expect(result < 0, "a surface has %u formats", count);
}

int main(int argc, char **argv)
{
    expect(argc >= 3, "answers LIBRARY.so lost|memory NUMBER|descriptors");
    const bool lost = strcmp(argv[2], "lost") == 0;
    const bool no_descriptors = strcmp(argv[2], "descriptors") == 0;
    const unsigned mallocs = argc > 3 ? (unsigned)atoi(argv[3]) : UINT32_MAX;
    setvbuf(stdout, NULL, _IOLBF, 0);
    load(argv[1]);
    make_all();
    if (lost) {
        wait_for_loss();
        check_outputs_of_lost();
    }
    unsigned bad = 0, asked = 0, succeeded = 0;
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        const struct answers *command = &answers[i];
        if (!lost)
            make_again_what_is_lost();
        const PFN_vkVoidFunction function = find(command->name);
        if (!function) {
            printf("%s: not offered\n", command->name);
            continue;
        }
        limit_descriptors(no_descriptors ? 0 : RLIM_INFINITY);
        mallocs_left = mallocs;
        const VkResult result = command->call(function);
        mallocs_left = UINT32_MAX;
        limit_descriptors(RLIM_INFINITY);
        const bool listed = is_listed(command, result);
        printf("%s: %s%s\n", command->name, result_name(result),
               listed ? "" : " IS NOT LISTED, but");
        if (!listed)
            printf("  %s\n", command->listed);
        bad += !listed;
        succeeded += result >= 0;
        asked++;
    }
    printf("answers: %u commands, %u succeeded, %u answers that are not listed\n", asked, succeeded,
           bad);
    return bad || asked < 100;
}
