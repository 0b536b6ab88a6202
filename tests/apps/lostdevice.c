/* SPDX-License-Identifier: MIT
 *
 * A client that is in the middle of something when its server is killed:
 *
 *   lostdevice submit      submits and waits in a loop
 *   lostdevice fence       waits for a fence of work that never ends
 *   lostdevice timeline    waits for a timeline semaphore that never gets there
 *   lostdevice idle        waits for the device with such work on it
 *   lostdevice create      creates and destroys objects and allocates in a loop
 *   lostdevice acquire     acquires and presents to a headless swapchain in a loop
 *   lostdevice shared      waits, as another client, for a shared fence of such work; says "alone"
 *                          before it becomes that client, which SIGUSR2 lets it
 *   lostdevice hold        has a device and 256 MiB, and sleeps (it never notices)
 *
 * It prints "ready" when it is at it. SIGUSR1 says that the server is being killed now. Then it
 * must get VK_ERROR_DEVICE_LOST within a second, and everything after that must still end: it
 * destroys what it has and exits with 0.
 */
#include "common.h"

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct gpu gpu;
static struct buffer words;
static VkFence fence;
static VkSemaphore timeline;
static VkSurfaceKHR surface;
static VkSwapchainKHR swapchain;
static _Atomic uint64_t killed_at; /* now_ns() when the signal came */
static _Atomic bool may_go_on;

static void on_signal(int number)
{
    if (number == SIGUSR1)
        atomic_store(&killed_at, now_ns());
    else
        atomic_store(&may_go_on, true);
}

static void say_ready(void)
{
    static bool said;
    if (!said) {
        printf("ready\n");
        fflush(stdout);
        said = true;
    }
}

static VkCommandBuffer record_fill(void)
{
    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdFillBuffer(commands, words.handle, 0, VK_WHOLE_SIZE, 7);
    commands_end(commands);
    return commands;
}

static VkResult submit(VkCommandBuffer commands)
{
    return vkQueueSubmit(gpu.queue, 1,
                         &(VkSubmitInfo){
                             .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                             .commandBufferCount = 1,
                             .pCommandBuffers = &commands,
                         },
                         fence);
}

static VkResult loop_submit(void)
{
    const VkCommandBuffer commands = record_fill();
    for (uint32_t round = 0;; round++) {
        VkResult result = submit(commands);
        if (result == VK_SUCCESS)
            result = vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, UINT64_MAX);
        if (result == VK_SUCCESS)
            result = vkResetFences(gpu.device, 1, &fence);
        if (result != VK_SUCCESS)
            return result;
        if (round == 10)
            say_ready();
    }
}

/* Work that waits for a value which nobody signals. */
static void submit_endless_with(VkFence signaled)
{
    const VkCommandBuffer commands = record_fill();
    must(vkQueueSubmit(
        gpu.queue, 1,
        &(VkSubmitInfo){
            .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
            .pNext =
                &(VkTimelineSemaphoreSubmitInfo){
                    .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
                    .waitSemaphoreValueCount = 1,
                    .pWaitSemaphoreValues = &(const uint64_t){1},
                },
            .waitSemaphoreCount = 1,
            .pWaitSemaphores = &timeline,
            .pWaitDstStageMask = &(const VkPipelineStageFlags){VK_PIPELINE_STAGE_ALL_COMMANDS_BIT},
            .commandBufferCount = 1,
            .pCommandBuffers = &commands,
        },
        signaled));
}

static void submit_endless(void)
{
    submit_endless_with(fence);
    say_ready();
}

static VkResult wait_fence(void)
{
    submit_endless();
    return vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, UINT64_MAX);
}

static VkResult wait_timeline(void)
{
    submit_endless();
    return vkWaitSemaphores(gpu.device,
                            &(VkSemaphoreWaitInfo){
                                .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                .semaphoreCount = 1,
                                .pSemaphores = &timeline,
                                .pValues = &(const uint64_t){1},
                            },
                            UINT64_MAX);
}

static VkResult wait_idle(void)
{
    submit_endless();
    return vkDeviceWaitIdle(gpu.device);
}

/* The other client loses nothing, but must not wait for ever. */
static VkResult wait_shared(void)
{
    static const char *const extension = VK_KHR_EXTERNAL_FENCE_FD_EXTENSION_NAME;
    const struct gpu_options options = {
        .name = "other",
        .device_extensions = &extension,
        .device_extension_count = 1,
    };
    const VkExportFenceCreateInfo export = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_FENCE_CREATE_INFO,
        .handleTypes = VK_EXTERNAL_FENCE_HANDLE_TYPE_OPAQUE_FD_BIT,
    };
    struct gpu other;
    VkFence exported, imported;
    int fd;
    must(vkCreateFence(gpu.device,
                       &(VkFenceCreateInfo){
                           .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO,
                           .pNext = &export,
                       },
                       NULL, &exported));
    const PFN_vkGetFenceFdKHR get_fd =
        (PFN_vkGetFenceFdKHR)vkGetDeviceProcAddr(gpu.device, "vkGetFenceFdKHR");
    must(get_fd(gpu.device,
                &(VkFenceGetFdInfoKHR){
                    .sType = VK_STRUCTURE_TYPE_FENCE_GET_FD_INFO_KHR,
                    .fence = exported,
                    .handleType = VK_EXTERNAL_FENCE_HANDLE_TYPE_OPAQUE_FD_BIT,
                },
                &fd));
    submit_endless_with(exported);
    printf("alone\n");
    fflush(stdout);
    while (!atomic_load(&may_go_on))
        sleep_ms(1);

    gpu_init(&other, &options);
    must(vkCreateFence(other.device,
                       &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO}, NULL,
                       &imported));
    const PFN_vkImportFenceFdKHR import_fd =
        (PFN_vkImportFenceFdKHR)vkGetDeviceProcAddr(other.device, "vkImportFenceFdKHR");
    must(import_fd(other.device, &(VkImportFenceFdInfoKHR){
                                     .sType = VK_STRUCTURE_TYPE_IMPORT_FENCE_FD_INFO_KHR,
                                     .fence = imported,
                                     .handleType = VK_EXTERNAL_FENCE_HANDLE_TYPE_OPAQUE_FD_BIT,
                                     .fd = fd,
                                 }));
    must_be(VK_TIMEOUT, vkWaitForFences(other.device, 1, &imported, VK_TRUE, SECOND_NS / 20));
    say_ready();
    must(vkWaitForFences(other.device, 1, &imported, VK_TRUE, UINT64_MAX));
    const VkResult result = vkDeviceWaitIdle(gpu.device);
    must(vkDeviceWaitIdle(other.device));
    vkDestroyFence(other.device, imported, NULL);
    vkDestroyFence(gpu.device, exported, NULL);
    gpu_finish(&other);
    return result;
}

/* Most of these cannot return VK_ERROR_DEVICE_LOST: they have to end in some way, and the device is
 * asked how it is. */
static VkResult loop_create(void)
{
    for (uint32_t round = 0;; round++) {
        VkBuffer buffer = VK_NULL_HANDLE;
        VkDeviceMemory memory = VK_NULL_HANDLE;
        vkCreateBuffer(gpu.device,
                       &(VkBufferCreateInfo){
                           .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                           .size = 4096,
                           .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                       },
                       NULL, &buffer);
        const VkResult allocated =
            vkAllocateMemory(gpu.device,
                             &(VkMemoryAllocateInfo){
                                 .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                 .allocationSize = 4096,
                             },
                             NULL, &memory);
        vkDestroyBuffer(gpu.device, buffer, NULL);
        vkFreeMemory(gpu.device, allocated == VK_SUCCESS ? memory : VK_NULL_HANDLE, NULL);
        const VkResult result = vkQueueWaitIdle(gpu.queue);
        if (result != VK_SUCCESS)
            return result;
        if (round == 10)
            say_ready();
    }
}

static void create_swapchain(void)
{
    must(vkCreateSwapchainKHR(gpu.device,
                              &(VkSwapchainCreateInfoKHR){
                                  .sType = VK_STRUCTURE_TYPE_SWAPCHAIN_CREATE_INFO_KHR,
                                  .surface = surface,
                                  .minImageCount = 4,
                                  .imageFormat = VK_FORMAT_B8G8R8A8_UNORM,
                                  .imageColorSpace = VK_COLOR_SPACE_SRGB_NONLINEAR_KHR,
                                  .imageExtent = {64, 64},
                                  .imageArrayLayers = 1,
                                  .imageUsage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT,
                                  .preTransform = VK_SURFACE_TRANSFORM_IDENTITY_BIT_KHR,
                                  .compositeAlpha = VK_COMPOSITE_ALPHA_OPAQUE_BIT_KHR,
                                  .presentMode = VK_PRESENT_MODE_FIFO_KHR,
                                  .clipped = VK_TRUE,
                              },
                              NULL, &swapchain));
}

static VkResult loop_acquire(void)
{
    create_swapchain();
    for (uint32_t round = 0;; round++) {
        uint32_t index;
        VkResult result =
            vkAcquireNextImageKHR(gpu.device, swapchain, UINT64_MAX, VK_NULL_HANDLE, fence, &index);
        if (result == VK_SUCCESS)
            result = vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, UINT64_MAX);
        if (result == VK_SUCCESS)
            result = vkResetFences(gpu.device, 1, &fence);
        if (result == VK_SUCCESS)
            result = vkQueuePresentKHR(gpu.queue, &(VkPresentInfoKHR){
                                                      .sType = VK_STRUCTURE_TYPE_PRESENT_INFO_KHR,
                                                      .swapchainCount = 1,
                                                      .pSwapchains = &swapchain,
                                                      .pImageIndices = &index,
                                                  });
        if (result != VK_SUCCESS)
            return result;
        if (round == 10)
            say_ready();
    }
}

_Noreturn static VkResult hold(void)
{
    struct buffer large;
    buffer_init_host(&gpu, &large, 256u << 20, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    memset(large.map, 1, large.size);
    const VkCommandBuffer commands = record_fill();
    must(submit(commands));
    must(vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, LONG_NS));
    say_ready();
    for (;;)
        pause();
}

/* After the loss nothing may hang or crash, whatever it returns. */
static void use_what_is_left(void)
{
    const VkResult status = vkGetFenceStatus(gpu.device, fence);
    expect(status == VK_ERROR_DEVICE_LOST || status == VK_SUCCESS,
           "the status of a fence of a lost device is %s", result_name(status));
    memset(words.map, 3, words.size);
    expect(((const uint8_t *)words.map)[words.size - 1] == 3, "mapped memory is gone");
    VkBuffer buffer = VK_NULL_HANDLE;
    if (vkCreateBuffer(gpu.device,
                       &(VkBufferCreateInfo){
                           .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                           .size = 4096,
                           .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                       },
                       NULL, &buffer) == VK_SUCCESS)
        vkDestroyBuffer(gpu.device, buffer, NULL);
    VkCommandBuffer commands = NULL;
    if (vkAllocateCommandBuffers(gpu.device,
                                 &(VkCommandBufferAllocateInfo){
                                     .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                     .commandPool = gpu.pool,
                                     .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                     .commandBufferCount = 1,
                                 },
                                 &commands) == VK_SUCCESS) {
        vkBeginCommandBuffer(commands, &(VkCommandBufferBeginInfo){
                                           .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                       });
        vkCmdFillBuffer(commands, words.handle, 0, VK_WHOLE_SIZE, 1);
        vkEndCommandBuffer(commands);
    }
    VkFence fresh;
    must(vkCreateFence(gpu.device,
                       &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO}, NULL,
                       &fresh));
    const VkResult submitted = vkQueueSubmit(gpu.queue, 1,
                                             &(VkSubmitInfo){
                                                 .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                                 .commandBufferCount = commands != NULL,
                                                 .pCommandBuffers = &commands,
                                             },
                                             fresh);
    expect(submitted == VK_ERROR_DEVICE_LOST, "submitting to a lost device gave %s",
           result_name(submitted));
    must_be(VK_ERROR_DEVICE_LOST, vkDeviceWaitIdle(gpu.device));
    vkDestroyFence(gpu.device, fresh, NULL);
    uint32_t count = 0;
    vkEnumeratePhysicalDevices(gpu.instance, &count, NULL);
    VkPhysicalDeviceProperties properties;
    vkGetPhysicalDeviceProperties(gpu.physical, &properties);
}

static const struct mode {
    const char *name;
    VkResult (*run)(void);
} modes[] = {
    {"submit", loop_submit}, {"fence", wait_fence},   {"timeline", wait_timeline},
    {"idle", wait_idle},     {"create", loop_create}, {"acquire", loop_acquire},
    {"shared", wait_shared}, {"hold", hold},
};

int main(int argc, char **argv)
{
    const struct mode *mode = NULL;
    for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(modes); i++)
        if (strcmp(argv[1], modes[i].name) == 0)
            mode = &modes[i];
    if (!mode) {
        fprintf(stderr,
                "usage: lostdevice submit|fence|timeline|idle|create|acquire|shared|hold\n");
        return 2;
    }
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_signal, .sa_flags = SA_RESTART}, NULL);
    sigaction(SIGUSR2, &(struct sigaction){.sa_handler = on_signal, .sa_flags = SA_RESTART}, NULL);

    const bool presents = mode->run == loop_acquire;
    const bool shares = mode->run == wait_shared;
    struct gpu_options options = {
        .name = "lostdevice",
        .instance_extensions =
            (const char *const[]){
                VK_KHR_SURFACE_EXTENSION_NAME,
                VK_EXT_HEADLESS_SURFACE_EXTENSION_NAME,
            },
        .instance_extension_count = presents ? 2 : 0,
        .device_extensions =
            (const char *const[]){
                presents ? VK_KHR_SWAPCHAIN_EXTENSION_NAME
                         : VK_KHR_EXTERNAL_FENCE_FD_EXTENSION_NAME,
            },
        .device_extension_count = presents || shares ? 1 : 0,
        .features =
            &(VkPhysicalDeviceVulkan12Features){
                .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                .timelineSemaphore = VK_TRUE,
            },
    };
    gpu_init_instance(&gpu, &options);
    if (presents) {
        const PFN_vkCreateHeadlessSurfaceEXT create =
            (PFN_vkCreateHeadlessSurfaceEXT)vkGetInstanceProcAddr(gpu.instance,
                                                                  "vkCreateHeadlessSurfaceEXT");
        must(create(gpu.instance,
                    &(VkHeadlessSurfaceCreateInfoEXT){
                        .sType = VK_STRUCTURE_TYPE_HEADLESS_SURFACE_CREATE_INFO_EXT,
                    },
                    NULL, &surface));
        options.surface = surface;
    }
    gpu_init_device(&gpu, &options);
    buffer_init_host(&gpu, &words, 65536, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    must(vkCreateFence(gpu.device,
                       &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO}, NULL,
                       &fence));
    must(vkCreateSemaphore(gpu.device,
                           &(VkSemaphoreCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                               .pNext =
                                   &(VkSemaphoreTypeCreateInfo){
                                       .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                       .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
                                   },
                           },
                           NULL, &timeline));

    const VkResult result = mode->run();
    const uint64_t noticed_at = now_ns();
    expect(result == VK_ERROR_DEVICE_LOST, "the loop ended with %s", result_name(result));
    /* The signal is sent just before the kill, but may be delivered just after. */
    for (int i = 0; i < 100 && !atomic_load(&killed_at); i++)
        sleep_ms(10);
    expect(atomic_load(&killed_at), "the device was lost although nobody said so");
    use_what_is_left();

    if (presents)
        vkDestroySwapchainKHR(gpu.device, swapchain, NULL);
    vkDestroySemaphore(gpu.device, timeline, NULL);
    vkDestroyFence(gpu.device, fence, NULL);
    buffer_finish(&gpu, &words);
    vkDestroyCommandPool(gpu.device, gpu.pool, NULL);
    vkDestroyDevice(gpu.device, NULL);
    if (presents)
        vkDestroySurfaceKHR(gpu.instance, surface, NULL);
    vkDestroyInstance(gpu.instance, NULL);

    const uint64_t killed = atomic_load(&killed_at);
    const uint64_t took_ns = noticed_at > killed ? noticed_at - killed : 0;
    printf("lostdevice: %s ended with VK_ERROR_DEVICE_LOST after %" PRIu64 " ms\n", mode->name,
           took_ns / 1000000);
    expect(took_ns < SECOND_NS, "that took too long");
    return 0;
}
