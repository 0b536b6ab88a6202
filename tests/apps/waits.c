/* SPDX-License-Identifier: MIT
 *
 * One thread is in a call whose answer an application waits for, and which takes long; how long do the calls of
 * another thread, which draws frames, take meanwhile? For each such command that Viaduct knows of: waits [COMMAND...]
 *
 * The layer of faults (tests/layer) makes the command take long, and does nothing else for it, so that it does
 * not matter that its arguments are senseless. One line for each command: the longest call of the other thread
 * and which one that was, or that the driver does not have the command, or that nobody asked it.
 */
#include "expect.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <vulkan/vulkan.h>

#include "tests/layer/faults.h"

/* What is much, for whoever is asked for it. */
static unsigned char much[2 << 20];

static const VkSubpassDescription2 *many_subpasses(void)
{
    static VkSubpassDescription2 subpasses[65];
    for (size_t i = 0; i < ARRAY_SIZE(subpasses); i++)
        subpasses[i].sType = VK_STRUCTURE_TYPE_SUBPASS_DESCRIPTION_2;
    return subpasses;
}

#include "waits_calls.h"

#include "any.h"

enum {
    SLOW_MS = 100,
    FRAME_BYTES =
        16 << 20, /* natively the longest call is the wait for them: a millisecond or more */
    SKIPPED = 77,
};

static struct faults *faults;
static _Atomic bool running;

/* ---- The other thread's frames: something of everything, and some work */

struct frames {
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkBuffer buffer;
    VkFence fence;
};

static struct frames frames;

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* VK_NULL_HANDLE: the device is lost, as for all that is done here. */
static VkDeviceMemory allocate(VkDeviceSize size, uint32_t type)
{
    VkDeviceMemory memory = VK_NULL_HANDLE;
    DEVICE(vkAllocateMemory)
    (any_VkDevice,
     &(VkMemoryAllocateInfo){
         .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
         .allocationSize = size,
         .memoryTypeIndex = type,
     },
     NULL, &memory);
    return memory;
}

static void make_frames(void)
{
    must(DEVICE(vkCreateCommandPool)(any_VkDevice,
                                     &(VkCommandPoolCreateInfo){
                                         .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                         .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                     },
                                     NULL, &frames.pool));
    must(DEVICE(vkAllocateCommandBuffers)(
        any_VkDevice,
        &(VkCommandBufferAllocateInfo){
            .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
            .commandPool = frames.pool,
            .commandBufferCount = 1,
        },
        &frames.commands));
    must(DEVICE(vkCreateFence)(any_VkDevice,
                               &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO},
                               NULL, &frames.fence));
    must(DEVICE(vkCreateBuffer)(any_VkDevice,
                                &(VkBufferCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                    .size = FRAME_BYTES,
                                    .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                                },
                                NULL, &frames.buffer));
    VkMemoryRequirements requirements;
    DEVICE(vkGetBufferMemoryRequirements)(any_VkDevice, frames.buffer, &requirements);
    const uint32_t type = (uint32_t)__builtin_ctz(requirements.memoryTypeBits);
    must(DEVICE(vkBindBufferMemory)(any_VkDevice, frames.buffer, allocate(requirements.size, type),
                                    0));
}

/* The longest call so far, and when the last one was over. */
static struct {
    double ms, since;
    const char *call;
} longest;

/* Behind each call. */
static void took(const char *call)
{
    const double now = now_ms();
    if (atomic_load(&faults->slept) && now - longest.since > longest.ms) {
        longest.ms = now - longest.since;
        longest.call = call;
    }
    longest.since = now;
}

static void draw(void)
{
    DEVICE(vkBeginCommandBuffer)
    (frames.commands,
     &(VkCommandBufferBeginInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO});
    took("vkBeginCommandBuffer");
    DEVICE(vkCmdFillBuffer)(frames.commands, frames.buffer, 0, VK_WHOLE_SIZE, 1);
    took("vkCmdFillBuffer");
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &frames.commands,
    };
    DEVICE(vkEndCommandBuffer)(frames.commands);
    took("vkEndCommandBuffer");
    VkResult result = DEVICE(vkQueueSubmit)(any_VkQueue, 1, &submit, frames.fence);
    took("vkQueueSubmit");
    if (result != VK_SUCCESS)
        return;
    result = DEVICE(vkWaitForFences)(any_VkDevice, 1, &frames.fence, VK_TRUE, UINT64_MAX);
    took("vkWaitForFences");
    if (result != VK_SUCCESS)
        return;
    DEVICE(vkResetFences)(any_VkDevice, 1, &frames.fence);
    took("vkResetFences");
}

/* A frame, without this command. */
static void frame(const char *without)
{
    longest.since = now_ms();
    if (strcmp(without, "vkAllocateMemory") != 0) {
        const VkDeviceMemory memory = allocate(65536, 0);
        took("vkAllocateMemory");
        DEVICE(vkFreeMemory)(any_VkDevice, memory, NULL);
        took("vkFreeMemory");
    }
    if (strcmp(without, "vkGetEventStatus") != 0) {
        DEVICE(vkGetEventStatus)(any_VkDevice, any_VkEvent);
        took("vkGetEventStatus");
    }
    draw();
}

static void make_all(void)
{
    make_instance();
    make_device();
    make_objects();
    /* One that can be waited for. */
    must(
        DEVICE(vkCreateSemaphore)(any_VkDevice,
                                  &(VkSemaphoreCreateInfo){
                                      .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                                      .pNext =
                                          &(VkSemaphoreTypeCreateInfo){
                                              .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                              .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
                                          },
                                  },
                                  NULL, &any_VkSemaphore));
    make_frames();
}

/* ---- The call */

/* The loader has commands of all extensions, but a driver need not. */
static bool is_offered(const struct waits *command)
{
    static struct extensions offered;
    if (!offered.count) {
        offered.count = ARRAY_SIZE(offered.list);
        must(INSTANCE(vkEnumerateDeviceExtensionProperties)(any_VkPhysicalDevice, NULL,
                                                            &offered.count, offered.list));
    }
    if (!command->extensions[0])
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(command->extensions) && command->extensions[i]; i++)
        for (uint32_t j = 0; j < offered.count; j++)
            if (strcmp(offered.list[j].extensionName, command->extensions[i]) == 0)
                return true;
    return false;
}

static PFN_vkVoidFunction find(const struct waits *command)
{
    return !is_offered(command) ? NULL
           : command->of_device ? get_device(any_VkDevice, command->name)
                                : get_instance(any_VkInstance, command->name);
}

static void *make_call(void *data)
{
    const struct waits *command = data;
    command->call(find(command));
    atomic_store(&running, false);
    return NULL;
}

static void test(const struct waits *command)
{
    if (!find(command)) {
        printf("%s: not there\n", command->name);
        return;
    }
    strcpy(faults->slow, command->name);
    atomic_store(&faults->slept, 0);
    atomic_store(&faults->slow_ms, SLOW_MS);
    atomic_store(&running, true);
    pthread_t thread;
    expect(pthread_create(&thread, NULL, make_call, (void *)command) == 0, "no thread");
    longest.ms = 0;
    longest.call = "none";
    while (atomic_load(&running))
        frame(command->name);
    pthread_join(thread, NULL);
    atomic_store(&faults->slow_ms, 0);
    if (DEVICE(vkDeviceWaitIdle)(any_VkDevice) != VK_SUCCESS) {
        printf("%s: the call is refused\n", command->name);
        make_all();
    } else if (atomic_load(&faults->slept)) {
        printf("%s: %.2f ms in %s\n", command->name, longest.ms, longest.call);
    } else {
        printf("%s: nobody was asked\n", command->name);
    }
}

static bool is_named(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc == 1;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    const char *path = getenv("VIADUCT_FAULTS");
    const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) {
        printf("there is no layer to make calls slow\n");
        return SKIPPED;
    }
    faults = mmap(NULL, sizeof(*faults), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    expect(faults != MAP_FAILED, "no file of faults");
    close(fd);
    get_instance = vkGetInstanceProcAddr;
    make_all();
    atomic_store(&faults->refrain, 1);
    for (int i = 0; i < 4; i++)
        frame("");
    for (size_t i = 0; i < ARRAY_SIZE(waits); i++)
        if (is_named(argc, argv, waits[i].name))
            test(&waits[i]);
    printf("waits: ok\n");
    return 0;
}
