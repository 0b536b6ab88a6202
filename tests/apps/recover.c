/* SPDX-License-Identifier: MIT
 *
 * A program that loses its device and makes another one, while the old one is still there:
 *
 *   recover device       a device of the same instance
 *   recover instance     an instance with a device
 *   recover both         both, and the old device ends first
 *   recover twice        a device of the same instance, which is lost as well
 *   recover unserved     fails as long as nobody serves: says "unserved" first
 *
 * It says "ready" when the server, or its worker, may be killed; SIGUSR1 says that somebody serves
 * again.
 */
#include "common.h"
#include "gpu.h"
#include "recording.h"
#include "resources.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static const struct gpu_options options = {.name = "recover"};
static _Atomic int served;

static void on_signal(int number)
{
    (void)number;
    atomic_fetch_add(&served, 1);
}

static void say_line(const char *line)
{
    printf("%s\n", line);
    fflush(stdout);
}

/* The device does what it is told. */
static void check_work(const struct gpu *gpu)
{
    struct buffer buffer;
    buffer_init_host(gpu, &buffer, 4096, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    const VkCommandBuffer commands = commands_begin(gpu);
    vkCmdFillBuffer(commands, buffer.handle, 0, VK_WHOLE_SIZE, 0x600d600d);
    commands_finish(gpu, commands);
    const uint32_t *words = buffer.map;
    for (uint32_t i = 0; i < 1024; i++)
        expect(words[i] == 0x600d600d, "word %u is %#x", i, words[i]);
    buffer_finish(gpu, &buffer);
}

/* The old physical device still knows what nobody has asked it before. */
static void check_formats(const struct gpu *old)
{
    VkFormatProperties properties;
    vkGetPhysicalDeviceFormatProperties(old->physical, VK_FORMAT_R32G32_SFLOAT, &properties);
    expect(properties.optimalTilingFeatures, "a format that can nothing any more");
}

static void wait_for_server(int before)
{
    while (atomic_load(&served) == before)
        sleep_ms(5);
}

static void lose(const struct gpu *gpu)
{
    const int before = atomic_load(&served);
    say_line("ready");
    VkResult result;
    do {
        sleep_ms(5);
        result = vkQueueSubmit(gpu->queue, 0, NULL, VK_NULL_HANDLE);
        if (result == VK_SUCCESS)
            result = vkDeviceWaitIdle(gpu->device);
    } while (result == VK_SUCCESS);
    expect(result == VK_ERROR_DEVICE_LOST, "%s instead of a lost device", result_name(result));
    wait_for_server(before);
}

/* Of a lost device, which nobody can wait for. */
static void finish_lost(const struct gpu *gpu)
{
    expect(vkDeviceWaitIdle(gpu->device) == VK_ERROR_DEVICE_LOST, "it is not lost");
    vkDestroyCommandPool(gpu->device, gpu->pool, NULL);
    vkDestroyDevice(gpu->device, NULL);
}

static void expect_no_device(const struct gpu *gpu)
{
    VkDevice device = (VkDevice)GARBAGE_HANDLE;
    const VkResult result =
        vkCreateDevice(gpu->physical,
                       &(VkDeviceCreateInfo){
                           .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                           .queueCreateInfoCount = 1,
                           .pQueueCreateInfos =
                               &(VkDeviceQueueCreateInfo){
                                   .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                   .queueFamilyIndex = gpu->family,
                                   .queueCount = 1,
                                   .pQueuePriorities = &(const float){1.0f},
                               },
                       },
                       NULL, &device);
    expect(result == VK_ERROR_DEVICE_LOST, "%s where nobody serves", result_name(result));
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "device";
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_signal}, NULL);
    struct gpu old, device = {0}, instance = {0};
    gpu_init(&old, &options);
    check_work(&old);
    lose(&old);

    if (strcmp(mode, "unserved") == 0) {
        expect_no_device(&old);
        const int before = atomic_load(&served);
        say_line("unserved");
        wait_for_server(before);
    }
    const bool both = strcmp(mode, "both") == 0;
    if (strcmp(mode, "instance") != 0) {
        device.instance = old.instance;
        gpu_init_device(&device, &options);
        check_work(&device);
        check_formats(&old);
    }
    if (both || strcmp(mode, "instance") == 0) {
        gpu_init(&instance, &options);
        check_work(&instance);
    }
    if (strcmp(mode, "twice") == 0) {
        struct gpu lost = device;
        lose(&lost);
        device = (struct gpu){.instance = old.instance};
        gpu_init_device(&device, &options);
        check_work(&device);
        finish_lost(&lost);
    }
    if (both)
        finish_lost(&old);
    if (device.device) {
        check_work(&device);
        gpu_finish_device(&device);
    }
    if (instance.instance) {
        check_work(&instance);
        gpu_finish(&instance);
    }
    if (!both)
        finish_lost(&old);
    vkDestroyInstance(old.instance, NULL);
    printf("recover %s: ok\n", mode);
    return 0;
}
