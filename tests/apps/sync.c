/* SPDX-License-Identifier: MIT
 *
 * Everything that waits: fences, semaphores of both kinds, events, queries, idle.
 */
#include "common.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "colour_frag.h"
#include "frame_vert.h"

enum {
    SHORT_NS = 20 * 1000 * 1000,
    WORD_COUNT = 1024,
};

static struct gpu gpu;
static struct buffer words; /* host-visible target of fills, to see that work was done */

static VkFence create_fence(VkFenceCreateFlags flags)
{
    VkFence fence;
    must(vkCreateFence(gpu.device,
                       &(VkFenceCreateInfo){
                           .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO,
                           .flags = flags,
                       },
                       NULL, &fence));
    return fence;
}

static VkSemaphore create_semaphore(void)
{
    VkSemaphore semaphore;
    must(vkCreateSemaphore(
        gpu.device, &(VkSemaphoreCreateInfo){.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO},
        NULL, &semaphore));
    return semaphore;
}

static VkSemaphore create_timeline(uint64_t value)
{
    VkSemaphore semaphore;
    must(vkCreateSemaphore(gpu.device,
                           &(VkSemaphoreCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                               .pNext =
                                   &(VkSemaphoreTypeCreateInfo){
                                       .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                       .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
                                       .initialValue = value,
                                   },
                           },
                           NULL, &semaphore));
    return semaphore;
}

static uint64_t timeline_value(VkSemaphore semaphore)
{
    uint64_t value;
    must(vkGetSemaphoreCounterValue(gpu.device, semaphore, &value));
    return value;
}

static void timeline_signal(VkSemaphore semaphore, uint64_t value)
{
    must(vkSignalSemaphore(gpu.device, &(VkSemaphoreSignalInfo){
                                           .sType = VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO,
                                           .semaphore = semaphore,
                                           .value = value,
                                       }));
}

static VkResult timeline_wait(uint32_t count, const VkSemaphore *semaphores, const uint64_t *values,
                              bool any, uint64_t timeout)
{
    return vkWaitSemaphores(gpu.device,
                            &(VkSemaphoreWaitInfo){
                                .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                .flags = any ? VK_SEMAPHORE_WAIT_ANY_BIT : 0,
                                .semaphoreCount = count,
                                .pSemaphores = semaphores,
                                .pValues = values,
                            },
                            timeout);
}

static VkResult timeline_wait_one(VkSemaphore semaphore, uint64_t value, uint64_t timeout)
{
    return timeline_wait(1, &semaphore, &value, false, timeout);
}

/* Commands that fill the buffer with a value, for the host to see. */
static VkCommandBuffer record_fill(uint32_t value)
{
    const VkCommandBuffer commands = commands_begin(&gpu);
    memory_barrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                   VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT);
    vkCmdFillBuffer(commands, words.handle, 0, VK_WHOLE_SIZE, value);
    memory_barrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                   VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    commands_end(commands);
    return commands;
}

static void free_commands(VkCommandBuffer commands)
{
    vkFreeCommandBuffers(gpu.device, gpu.pool, 1, &commands);
}

static void expect_words(uint32_t value)
{
    const uint32_t *map = words.map;
    for (uint32_t i = 0; i < WORD_COUNT; i++)
        expect(map[i] == value, "word %u is %#x, not %#x", i, map[i], value);
}

static void expect_duration(uint64_t start, uint64_t least, uint64_t most)
{
    const uint64_t duration = now_ns() - start;
    expect(duration >= least && duration <= most,
           "waited %" PRIu64 " us, expected between %" PRIu64 " and %" PRIu64, duration / 1000,
           least / 1000, most / 1000);
}

struct timeline_batch {
    VkSemaphore wait;
    uint64_t wait_value;
    VkCommandBuffer commands;
    VkSemaphore signal;
    uint64_t signal_value;
};

static void submit_timeline(uint32_t count, const struct timeline_batch *batches, VkFence fence)
{
    static const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
    VkSubmitInfo submits[4];
    VkTimelineSemaphoreSubmitInfo timelines[4];
    expect(count <= ARRAY_SIZE(submits), "too many batches");
    for (uint32_t i = 0; i < count; i++) {
        const struct timeline_batch *batch = &batches[i];
        timelines[i] = (VkTimelineSemaphoreSubmitInfo){
            .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
            .waitSemaphoreValueCount = batch->wait != VK_NULL_HANDLE,
            .pWaitSemaphoreValues = &batch->wait_value,
            .signalSemaphoreValueCount = batch->signal != VK_NULL_HANDLE,
            .pSignalSemaphoreValues = &batch->signal_value,
        };
        submits[i] = (VkSubmitInfo){
            .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
            .pNext = &timelines[i],
            .waitSemaphoreCount = batch->wait != VK_NULL_HANDLE,
            .pWaitSemaphores = &batch->wait,
            .pWaitDstStageMask = &stage,
            .commandBufferCount = batch->commands != NULL,
            .pCommandBuffers = &batch->commands,
            .signalSemaphoreCount = batch->signal != VK_NULL_HANDLE,
            .pSignalSemaphores = &batch->signal,
        };
    }
    must(vkQueueSubmit(gpu.queue, count, submits, fence));
}

static void test_fence_states(void)
{
    const VkFence fence = create_fence(0), done = create_fence(VK_FENCE_CREATE_SIGNALED_BIT);
    must_be(VK_NOT_READY, vkGetFenceStatus(gpu.device, fence));
    must(vkGetFenceStatus(gpu.device, done));
    must(vkWaitForFences(gpu.device, 1, &done, VK_TRUE, 0));
    must(vkWaitForFences(gpu.device, 1, &done, VK_TRUE, UINT64_MAX));
    must_be(VK_TIMEOUT, vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, 0));
    uint64_t start = now_ns();
    must_be(VK_TIMEOUT, vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, SHORT_NS));
    expect_duration(start, SHORT_NS - SHORT_NS / 10, 5 * SECOND_NS);

    const VkFence both[] = {fence, done};
    must(vkWaitForFences(gpu.device, 2, both, VK_FALSE, LONG_NS));
    start = now_ns();
    must_be(VK_TIMEOUT, vkWaitForFences(gpu.device, 2, both, VK_TRUE, SHORT_NS));
    expect_duration(start, SHORT_NS - SHORT_NS / 10, 5 * SECOND_NS);

    must(vkResetFences(gpu.device, 2, both));
    must_be(VK_NOT_READY, vkGetFenceStatus(gpu.device, done));
    must_be(VK_TIMEOUT, vkWaitForFences(gpu.device, 2, both, VK_FALSE, 0));
    vkDestroyFence(gpu.device, fence, NULL);
    vkDestroyFence(gpu.device, done, NULL);
}

static void test_fence_of_submit(void)
{
    const VkFence fence = create_fence(0);
    /* No batch at all, a batch without work, and work. */
    must(vkQueueSubmit(gpu.queue, 0, NULL, fence));
    must(vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, LONG_NS));
    must(vkGetFenceStatus(gpu.device, fence));
    must(vkResetFences(gpu.device, 1, &fence));

    must(vkQueueSubmit(gpu.queue, 1, &(VkSubmitInfo){.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO},
                       fence));
    must(vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, LONG_NS));
    must(vkResetFences(gpu.device, 1, &fence));

    for (uint32_t i = 0; i < 200; i++) {
        const VkCommandBuffer commands = record_fill(i);
        commands_submit(&gpu, commands, fence);
        must(vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, LONG_NS));
        must(vkResetFences(gpu.device, 1, &fence));
        expect_words(i);
        free_commands(commands);
    }

    /* A fence without work waits for what was submitted before it. */
    const VkSemaphore gate = create_timeline(0);
    const VkCommandBuffer commands = record_fill(0xf00d);
    submit_timeline(1, &(struct timeline_batch){gate, 1, commands, VK_NULL_HANDLE, 0},
                    VK_NULL_HANDLE);
    const VkFence all[] = {fence, create_fence(0), create_fence(0)};
    must(vkQueueSubmit(gpu.queue, 0, NULL, fence));
    const VkSubmitInfo nothing[2] = {{.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO},
                                     {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO}};
    must(vkQueueSubmit(gpu.queue, 2, nothing, all[1]));
    const VkSubmitInfo2 nothing2 = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2};
    must(vkQueueSubmit2(gpu.queue, 1, &nothing2, all[2]));
    must_be(VK_TIMEOUT, vkWaitForFences(gpu.device, 3, all, VK_FALSE, SHORT_NS));
    for (int i = 0; i < 3; i++)
        must_be(VK_NOT_READY, vkGetFenceStatus(gpu.device, all[i]));
    timeline_signal(gate, 1);
    must(vkWaitForFences(gpu.device, 3, all, VK_TRUE, LONG_NS));
    expect_words(0xf00d);
    free_commands(commands);
    vkDestroyFence(gpu.device, all[1], NULL);
    vkDestroyFence(gpu.device, all[2], NULL);

    /* A wait, or a signal, is work. */
    must(vkResetFences(gpu.device, 1, &fence));
    const VkSemaphore after = create_timeline(0);
    submit_timeline(1, &(struct timeline_batch){gate, 2, VK_NULL_HANDLE, after, 7}, fence);
    must_be(VK_TIMEOUT, vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, SHORT_NS));
    timeline_signal(gate, 2);
    must(vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, LONG_NS));
    must(timeline_wait_one(after, 7, LONG_NS)); /* lavapipe signals it behind the fence */
    vkDestroySemaphore(gpu.device, after, NULL);
    vkDestroySemaphore(gpu.device, gate, NULL);
    vkDestroyFence(gpu.device, fence, NULL);
}

/* Many fences in flight, waited for in an order that is not the order of submission. */
static void test_fences_in_flight(void)
{
    enum {
        COUNT = 32
    };
    VkFence fences[COUNT];
    VkCommandBuffer commands[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        fences[i] = create_fence(0);
        commands[i] = record_fill(i);
        commands_submit(&gpu, commands[i], fences[i]);
    }
    must(vkWaitForFences(gpu.device, COUNT, fences, VK_FALSE, LONG_NS));
    must(vkWaitForFences(gpu.device, 1, &fences[COUNT - 1], VK_TRUE, LONG_NS));
    for (uint32_t i = COUNT; i-- > 0;)
        must(vkGetFenceStatus(gpu.device, fences[i]));
    must(vkWaitForFences(gpu.device, COUNT, fences, VK_TRUE, 0));
    expect_words(COUNT - 1);
    for (uint32_t i = 0; i < COUNT; i++) {
        vkDestroyFence(gpu.device, fences[i], NULL);
        free_commands(commands[i]);
    }
}

static void test_idle(void)
{
    const VkFence fence = create_fence(0);
    VkCommandBuffer commands = record_fill(1111);
    commands_submit(&gpu, commands, fence);
    must(vkQueueWaitIdle(gpu.queue));
    expect_words(1111);
    must(vkGetFenceStatus(gpu.device, fence));
    must(vkResetFences(gpu.device, 1, &fence));
    free_commands(commands);

    commands = record_fill(2222);
    commands_submit(&gpu, commands, fence);
    must(vkDeviceWaitIdle(gpu.device));
    expect_words(2222);
    must(vkGetFenceStatus(gpu.device, fence));
    free_commands(commands);
    vkDestroyFence(gpu.device, fence, NULL);

    commands = record_fill(3333);
    commands_submit(&gpu, commands, VK_NULL_HANDLE);
    must(vkQueueWaitIdle(gpu.queue));
    must(vkQueueWaitIdle(gpu.queue));
    must(vkDeviceWaitIdle(gpu.device));
    expect_words(3333);
    free_commands(commands);
}

static void test_timeline_host(void)
{
    const VkSemaphore a = create_timeline(5), b = create_timeline(0);
    expect(timeline_value(a) == 5 && timeline_value(b) == 0,
           "initial values %" PRIu64 " and %" PRIu64, timeline_value(a), timeline_value(b));
    must(timeline_wait_one(a, 5, 0));
    must(timeline_wait_one(a, 3, LONG_NS));
    must_be(VK_TIMEOUT, timeline_wait_one(a, 6, 0));
    uint64_t start = now_ns();
    must_be(VK_TIMEOUT, timeline_wait_one(a, 6, SHORT_NS));
    expect_duration(start, SHORT_NS - SHORT_NS / 10, 5 * SECOND_NS);

    timeline_signal(a, 7);
    expect(timeline_value(a) == 7, "signalled 7, is %" PRIu64, timeline_value(a));
    must(timeline_wait_one(a, 6, LONG_NS));

    const VkSemaphore both[] = {a, b};
    must(timeline_wait(2, both, (const uint64_t[]){7, 1}, true, LONG_NS));
    must_be(VK_TIMEOUT, timeline_wait(2, both, (const uint64_t[]){7, 1}, false, SHORT_NS));
    must_be(VK_TIMEOUT, timeline_wait(2, both, (const uint64_t[]){8, 1}, true, SHORT_NS));
    timeline_signal(b, UINT64_C(0x123456789));
    must(timeline_wait(2, both, (const uint64_t[]){7, UINT64_C(0x123456789)}, false, 0));
    vkDestroySemaphore(gpu.device, a, NULL);
    vkDestroySemaphore(gpu.device, b, NULL);
}

static void test_timeline_gpu(void)
{
    const VkSemaphore semaphore = create_timeline(0);
    for (uint64_t value = 1; value <= 50; value++) {
        const VkCommandBuffer commands = record_fill((uint32_t)value);
        submit_timeline(1,
                        &(struct timeline_batch){
                            .commands = commands,
                            .signal = semaphore,
                            .signal_value = value * 10,
                        },
                        VK_NULL_HANDLE);
        /* A value that is jumped over counts as reached. Once only: the validation layer of
         * Debian 12 does not believe it for ten seconds. */
        must(timeline_wait_one(semaphore, value == 1 ? 5 : value * 10, LONG_NS));
        expect(timeline_value(semaphore) == value * 10, "the value is %" PRIu64 ", not %" PRIu64,
               timeline_value(semaphore), value * 10);
        expect_words((uint32_t)value);
        free_commands(commands);
    }
    vkDestroySemaphore(gpu.device, semaphore, NULL);
}

/* The first batch's signal must be seen while the second batch of the same submit still waits. */
static void test_timeline_batches(void)
{
    const VkSemaphore semaphore = create_timeline(0), host = create_timeline(0);
    const VkCommandBuffer first = record_fill(10), second = record_fill(20);
    const VkFence fence = create_fence(0);
    submit_timeline(2,
                    (const struct timeline_batch[]){
                        {VK_NULL_HANDLE, 0, first, semaphore, 1},
                        {host, 1, second, semaphore, 2},
                    },
                    fence);
    must(timeline_wait_one(semaphore, 1, LONG_NS));
    expect(timeline_value(semaphore) == 1, "the second batch did not wait");
    expect_words(10);
    must_be(VK_TIMEOUT, timeline_wait_one(semaphore, 2, SHORT_NS));
    must_be(VK_NOT_READY, vkGetFenceStatus(gpu.device, fence));
    timeline_signal(host, 1);
    must(timeline_wait_one(semaphore, 2, LONG_NS));
    must(vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, LONG_NS));
    expect_words(20);
    vkDestroyFence(gpu.device, fence, NULL);
    free_commands(first);
    free_commands(second);
    vkDestroySemaphore(gpu.device, semaphore, NULL);
    vkDestroySemaphore(gpu.device, host, NULL);
}

struct waiter {
    pthread_t thread;
    VkSemaphore semaphore;
    uint64_t value;
    VkFence fence;
    VkResult result;
};

static void *wait_in_thread(void *data)
{
    struct waiter *waiter = data;
    if (waiter->fence)
        waiter->result = vkWaitForFences(gpu.device, 1, &waiter->fence, VK_TRUE, LONG_NS);
    else
        waiter->result = timeline_wait_one(waiter->semaphore, waiter->value, LONG_NS);
    return NULL;
}

static void waiter_start(struct waiter *waiter)
{
    expect(pthread_create(&waiter->thread, NULL, wait_in_thread, waiter) == 0, "pthread_create");
}

static void waiter_join(struct waiter *waiter)
{
    pthread_join(waiter->thread, NULL);
    must(waiter->result);
}

/* Threads wait for values that nobody has promised yet: the GPU and the host reach them later. */
static void test_wait_before_signal(void)
{
    const VkSemaphore semaphore = create_timeline(0);
    struct waiter by_gpu = {.semaphore = semaphore, .value = 1};
    struct waiter by_host = {.semaphore = semaphore, .value = 2};
    waiter_start(&by_gpu);
    waiter_start(&by_host);
    sleep_ms(20);
    const VkCommandBuffer commands = record_fill(77);
    submit_timeline(
        1, &(struct timeline_batch){.commands = commands, .signal = semaphore, .signal_value = 1},
        VK_NULL_HANDLE);
    waiter_join(&by_gpu);
    expect_words(77);
    timeline_signal(semaphore, 2);
    waiter_join(&by_host);
    free_commands(commands);

    /* The GPU waits for the host, and several threads wait for the GPU. */
    const VkFence fence = create_fence(0);
    const VkCommandBuffer later = record_fill(88);
    submit_timeline(1, &(struct timeline_batch){semaphore, 10, later, semaphore, 11}, fence);
    struct waiter waiters[4] = {
        {.fence = fence},
        {.fence = fence},
        {.semaphore = semaphore, .value = 11},
        {.semaphore = semaphore, .value = 11},
    };
    for (size_t i = 0; i < ARRAY_SIZE(waiters); i++)
        waiter_start(&waiters[i]);
    sleep_ms(20);
    must_be(VK_NOT_READY, vkGetFenceStatus(gpu.device, fence));
    timeline_signal(semaphore, 10);
    for (size_t i = 0; i < ARRAY_SIZE(waiters); i++)
        waiter_join(&waiters[i]);
    expect_words(88);
    free_commands(later);
    vkDestroyFence(gpu.device, fence, NULL);
    vkDestroySemaphore(gpu.device, semaphore, NULL);
}

/* What a thread waits for stands in memory that is gone before the wait is over: it is read once. */
struct list_waiter {
    pthread_t thread;
    void *lists;
    bool fences, all;
    uint32_t count;
    _Atomic pid_t id; /* of the thread, when it is about to wait */
    VkResult result;
};

enum {
    LIST_BYTES = 4096,
    LIST_MAX = 40
};

static void *wait_for_list(void *data)
{
    struct list_waiter *waiter = data;
    const uint64_t *values = (const uint64_t *)waiter->lists + LIST_MAX;
    waiter->id = gettid();
    waiter->result =
        waiter->fences
            ? vkWaitForFences(gpu.device, waiter->count, waiter->lists, waiter->all, LONG_NS)
            : vkWaitSemaphores(gpu.device,
                               &(VkSemaphoreWaitInfo){
                                   .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                   .flags = waiter->all ? 0 : VK_SEMAPHORE_WAIT_ANY_BIT,
                                   .semaphoreCount = waiter->count,
                                   .pSemaphores = waiter->lists,
                                   .pValues = values,
                               },
                               LONG_NS);
    return NULL;
}

/* A thread that sleeps whenever it is looked at, for a while, is in its wait. How long it takes to get
 * there depends on what else the machine does. Drivers that look again and again are given a time. */
static void await_sleep(const _Atomic pid_t *id)
{
    for (int asleep = 0, looks = 0; asleep < 20 && looks < 400; looks++, sleep_ms(5)) {
        char path[64], text[256] = "";
        snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)*id);
        FILE *file = *id ? fopen(path, "r") : NULL;
        if (!file)
            continue;
        const char *state = fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
        asleep = state && state[2] == 'S' ? asleep + 1 : 0;
        fclose(file);
    }
}

static void test_wait_lists(void)
{
    static const struct list_waiter kinds[] = {
        {.fences = true, .all = true, .count = 3},
        {.fences = true, .all = false, .count = 2},
        {.fences = true, .all = true, .count = LIST_MAX},
        {.fences = false, .all = true, .count = 3},
        {.fences = false, .all = false, .count = 2},
        {.fences = false, .all = true, .count = LIST_MAX},
    };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct list_waiter waiter = {
            .fences = kinds[i].fences, .all = kinds[i].all, .count = kinds[i].count};
        const VkSemaphore start = create_timeline(0);
        VkFence fences[LIST_MAX];
        waiter.lists =
            mmap(NULL, LIST_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        expect(waiter.lists != MAP_FAILED, "no page");
        uint64_t *values = (uint64_t *)waiter.lists + LIST_MAX;
        for (uint32_t j = 0; j < waiter.count; j++) {
            if (waiter.fences) {
                fences[j] = create_fence(0);
                submit_timeline(1, &(struct timeline_batch){.wait = start, .wait_value = 1},
                                fences[j]);
                ((VkFence *)waiter.lists)[j] = fences[j];
            } else {
                ((VkSemaphore *)waiter.lists)[j] = start;
                values[j] = 1;
            }
        }
        expect(!pthread_create(&waiter.thread, NULL, wait_for_list, &waiter), "pthread_create");
        await_sleep(&waiter.id);
        memset(waiter.lists, 0xee, LIST_BYTES);
        munmap(waiter.lists, LIST_BYTES);
        timeline_signal(start, 1);
        pthread_join(waiter.thread, NULL);
        must(waiter.result);
        must(vkQueueWaitIdle(gpu.queue));
        for (uint32_t j = 0; waiter.fences && j < waiter.count; j++)
            vkDestroyFence(gpu.device, fences[j], NULL);
        vkDestroySemaphore(gpu.device, start, NULL);
    }
}

static void test_binary_chain(void)
{
    enum {
        COUNT = 8
    };
    VkSemaphore semaphores[COUNT];
    VkCommandBuffer commands[COUNT];
    const VkFence fence = create_fence(0);
    const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_TRANSFER_BIT;
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < COUNT; i++) {
            if (round == 0)
                semaphores[i] = create_semaphore();
            commands[i] = record_fill(round * 100 + i);
            must(vkQueueSubmit(gpu.queue, 1,
                               &(VkSubmitInfo){
                                   .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                                   .waitSemaphoreCount = i > 0,
                                   .pWaitSemaphores = i > 0 ? &semaphores[i - 1] : NULL,
                                   .pWaitDstStageMask = &stage,
                                   .commandBufferCount = 1,
                                   .pCommandBuffers = &commands[i],
                                   .signalSemaphoreCount = 1,
                                   .pSignalSemaphores = &semaphores[i],
                               },
                               VK_NULL_HANDLE));
        }
        /* The last one is consumed without commands, so that the next round can signal it. */
        must(vkQueueSubmit(gpu.queue, 1,
                           &(VkSubmitInfo){
                               .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                               .waitSemaphoreCount = 1,
                               .pWaitSemaphores = &semaphores[COUNT - 1],
                               .pWaitDstStageMask = &stage,
                           },
                           fence));
        must(vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, LONG_NS));
        must(vkResetFences(gpu.device, 1, &fence));
        expect_words(round * 100 + COUNT - 1);
        for (uint32_t i = 0; i < COUNT; i++)
            free_commands(commands[i]);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        vkDestroySemaphore(gpu.device, semaphores[i], NULL);
    vkDestroyFence(gpu.device, fence, NULL);
}

static VkSemaphoreSubmitInfo semaphore_info(VkSemaphore semaphore, uint64_t value,
                                            VkPipelineStageFlags2 stages)
{
    return (VkSemaphoreSubmitInfo){
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
        .semaphore = semaphore,
        .value = value,
        .stageMask = stages,
    };
}

static VkCommandBufferSubmitInfo commands_info(VkCommandBuffer commands)
{
    return (VkCommandBufferSubmitInfo){
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO,
        .commandBuffer = commands,
    };
}

static void test_submit2(void)
{
    const VkSemaphore timeline = create_timeline(0), binary = create_semaphore();
    const VkCommandBuffer first = record_fill(31), second = record_fill(32);
    const VkCommandBuffer third = record_fill(33);
    const VkCommandBufferSubmitInfo third_info = commands_info(third);
    const VkCommandBufferSubmitInfo first_info = commands_info(first);
    const VkCommandBufferSubmitInfo second_info = commands_info(second);
    const VkFence fence = create_fence(0);

    /* Two batches, each of which waits for the host. */
    const VkSemaphoreSubmitInfo wait_1 =
        semaphore_info(timeline, 1, VK_PIPELINE_STAGE_2_ALL_TRANSFER_BIT);
    const VkSemaphoreSubmitInfo signal_2 =
        semaphore_info(timeline, 2, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT);
    const VkSemaphoreSubmitInfo wait_3 =
        semaphore_info(timeline, 3, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT);
    must(vkQueueSubmit2(gpu.queue, 2,
                        (const VkSubmitInfo2[]){
                            {
                                .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                                .waitSemaphoreInfoCount = 1,
                                .pWaitSemaphoreInfos = &wait_1,
                                .commandBufferInfoCount = 1,
                                .pCommandBufferInfos = &first_info,
                                .signalSemaphoreInfoCount = 1,
                                .pSignalSemaphoreInfos = &signal_2,
                            },
                            {
                                .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                                .waitSemaphoreInfoCount = 1,
                                .pWaitSemaphoreInfos = &wait_3,
                                .commandBufferInfoCount = 1,
                                .pCommandBufferInfos = &second_info,
                            },
                        },
                        fence));
    must_be(VK_TIMEOUT, timeline_wait_one(timeline, 2, SHORT_NS));
    timeline_signal(timeline, 1);
    must(timeline_wait_one(timeline, 2, LONG_NS));
    expect_words(31);
    must_be(VK_NOT_READY, vkGetFenceStatus(gpu.device, fence));
    timeline_signal(timeline, 3);
    must(vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, LONG_NS));
    expect_words(32);
    must(vkResetFences(gpu.device, 1, &fence));

    /* Both kinds of semaphore between two batches, signalled at different stages. */
    const VkSemaphoreSubmitInfo between[] = {
        semaphore_info(binary, 0, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT),
        semaphore_info(timeline, 4, VK_PIPELINE_STAGE_2_ALL_TRANSFER_BIT),
    };
    must(vkQueueSubmit2(gpu.queue, 2,
                        (const VkSubmitInfo2[]){
                            {
                                .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                                .commandBufferInfoCount = 1,
                                .pCommandBufferInfos = &third_info,
                                .signalSemaphoreInfoCount = ARRAY_SIZE(between),
                                .pSignalSemaphoreInfos = between,
                            },
                            {
                                .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                                .waitSemaphoreInfoCount = ARRAY_SIZE(between),
                                .pWaitSemaphoreInfos = between,
                            },
                        },
                        fence));
    must(vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, LONG_NS));
    expect(timeline_value(timeline) == 4, "the value is %" PRIu64 ", not 4",
           timeline_value(timeline));
    expect_words(33);
    must(vkResetFences(gpu.device, 1, &fence));

    must(vkQueueSubmit2(gpu.queue, 0, NULL, fence));
    must(vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, LONG_NS));
    vkDestroyFence(gpu.device, fence, NULL);
    free_commands(first);
    free_commands(second);
    free_commands(third);
    vkDestroySemaphore(gpu.device, timeline, NULL);
    vkDestroySemaphore(gpu.device, binary, NULL);
}

static VkEvent create_event(void)
{
    VkEvent event;
    must(vkCreateEvent(gpu.device,
                       &(VkEventCreateInfo){.sType = VK_STRUCTURE_TYPE_EVENT_CREATE_INFO}, NULL,
                       &event));
    return event;
}

static void test_events(void)
{
    const VkEvent event = create_event(), other = create_event();
    must_be(VK_EVENT_RESET, vkGetEventStatus(gpu.device, event));
    must(vkSetEvent(gpu.device, event));
    must_be(VK_EVENT_SET, vkGetEventStatus(gpu.device, event));
    must(vkResetEvent(gpu.device, event));
    must_be(VK_EVENT_RESET, vkGetEventStatus(gpu.device, event));

    /* The GPU waits in the middle of a command buffer until the host sets the event. */
    const VkFence fence = create_fence(0);
    VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdSetEvent(commands, other, VK_PIPELINE_STAGE_TRANSFER_BIT);
    vkCmdWaitEvents(commands, 1, &event, VK_PIPELINE_STAGE_HOST_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT,
                    1,
                    &(VkMemoryBarrier){
                        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                        .srcAccessMask = VK_ACCESS_HOST_WRITE_BIT,
                        .dstAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                    },
                    0, NULL, 0, NULL);
    vkCmdFillBuffer(commands, words.handle, 0, VK_WHOLE_SIZE, 0xe0e0);
    memory_barrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                   VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    commands_end(commands);
    memset(words.map, 0, words.size);
    commands_submit(&gpu, commands, fence);
    must_be(VK_TIMEOUT, vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, 2 * SHORT_NS));
    expect_words(0);
    must(vkSetEvent(gpu.device, event));
    must(vkWaitForFences(gpu.device, 1, &fence, VK_TRUE, LONG_NS));
    expect_words(0xe0e0);
    must_be(VK_EVENT_SET, vkGetEventStatus(gpu.device, other));
    free_commands(commands);

    /* Set, waited for and reset by the GPU alone. */
    const VkDependencyInfo dependency = {
        .sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
        .memoryBarrierCount = 1,
        .pMemoryBarriers =
            &(VkMemoryBarrier2){
                .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER_2,
                .srcStageMask = VK_PIPELINE_STAGE_2_ALL_TRANSFER_BIT,
                .srcAccessMask = VK_ACCESS_2_TRANSFER_WRITE_BIT,
                .dstStageMask = VK_PIPELINE_STAGE_2_ALL_TRANSFER_BIT,
                .dstAccessMask = VK_ACCESS_2_TRANSFER_WRITE_BIT,
            },
    };
    must(vkResetEvent(gpu.device, event));
    commands = commands_begin(&gpu);
    vkCmdResetEvent(commands, other, VK_PIPELINE_STAGE_TRANSFER_BIT);
    vkCmdFillBuffer(commands, words.handle, 0, VK_WHOLE_SIZE, 1);
    vkCmdSetEvent2(commands, event, &dependency);
    vkCmdWaitEvents2(commands, 1, &event, &dependency);
    vkCmdFillBuffer(commands, words.handle, 0, VK_WHOLE_SIZE, 2);
    vkCmdResetEvent2(commands, event, VK_PIPELINE_STAGE_2_ALL_TRANSFER_BIT);
    memory_barrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                   VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    commands_finish(&gpu, commands);
    expect_words(2);
    must_be(VK_EVENT_RESET, vkGetEventStatus(gpu.device, event));
    must_be(VK_EVENT_RESET, vkGetEventStatus(gpu.device, other));
    vkDestroyFence(gpu.device, fence, NULL);
    vkDestroyEvent(gpu.device, event, NULL);
    vkDestroyEvent(gpu.device, other, NULL);
}

static VkQueryPool create_query_pool(VkQueryType type, uint32_t count)
{
    VkQueryPool pool;
    must(vkCreateQueryPool(gpu.device,
                           &(VkQueryPoolCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                               .queryType = type,
                               .queryCount = count,
                           },
                           NULL, &pool));
    return pool;
}

static void test_timestamps(void)
{
    enum {
        COUNT = 4,
        STRIDE = 3
    };
    if (gpu.family_properties.timestampValidBits == 0)
        return;
    const VkQueryPool pool = create_query_pool(VK_QUERY_TYPE_TIMESTAMP, COUNT);
    vkResetQueryPool(gpu.device, pool, 0, COUNT);

    /* Unavailable queries: the values stay what they were, the availability says 0. */
    uint64_t results[COUNT * STRIDE + 1];
    const uint64_t untouched = UINT64_C(0xabababababababab);
    memset(results, 0xab, sizeof(results));
    must_be(VK_NOT_READY,
            vkGetQueryPoolResults(gpu.device, pool, 0, COUNT, sizeof(uint64_t) * COUNT, results,
                                  sizeof(uint64_t), VK_QUERY_RESULT_64_BIT));
    expect(results[0] == untouched, "an unavailable result was written");
    must_be(VK_NOT_READY,
            vkGetQueryPoolResults(gpu.device, pool, 0, COUNT, COUNT * STRIDE * sizeof(uint64_t),
                                  results, STRIDE * sizeof(uint64_t),
                                  VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WITH_AVAILABILITY_BIT));
    for (uint32_t i = 0; i < COUNT; i++)
        expect(results[i * STRIDE + 1] == 0, "query %u is available before it was written", i);

    VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdWriteTimestamp(commands, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, pool, 0);
    vkCmdFillBuffer(commands, words.handle, 0, VK_WHOLE_SIZE, 5);
    vkCmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, pool, 1);
    vkCmdWriteTimestamp2(commands, VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT, pool, 3);
    commands_end(commands);
    commands_submit(&gpu, commands, VK_NULL_HANDLE);
    /* Waits on the host, with the submission maybe not begun. Query 2 is never written. */
    must(vkGetQueryPoolResults(gpu.device, pool, 0, 2, 2 * sizeof(uint64_t), results,
                               sizeof(uint64_t),
                               VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
    expect(results[1] >= results[0] && results[0] != untouched && results[0] != 0,
           "timestamps %" PRIu64 " and %" PRIu64, results[0], results[1]);
    must(vkQueueWaitIdle(gpu.queue));
    free_commands(commands);

    const uint64_t first = results[0];
    memset(results, 0xab, sizeof(results));
    must_be(VK_NOT_READY,
            vkGetQueryPoolResults(gpu.device, pool, 0, COUNT, COUNT * STRIDE * sizeof(uint64_t),
                                  results, STRIDE * sizeof(uint64_t),
                                  VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WITH_AVAILABILITY_BIT));
    for (uint32_t i = 0; i < COUNT; i++) {
        expect((results[i * STRIDE + 1] != 0) == (i != 2), "query %u: availability %" PRIu64, i,
               results[i * STRIDE + 1]);
        expect(results[i * STRIDE + 2] == untouched, "written between two results");
    }
    expect(results[COUNT * STRIDE] == untouched, "written beyond the results");
    expect(results[0] == first, "query 0 changed");

    /* 32 bits, and the same again by the GPU into a buffer. */
    uint32_t narrow[3] = {0, 0, 0xcdcdcdcd};
    must(vkGetQueryPoolResults(gpu.device, pool, 0, 2, sizeof(uint32_t) * 2, narrow,
                               sizeof(uint32_t), 0));
    expect(narrow[0] == (uint32_t)first, "32 bits are %#x of %#" PRIx64, narrow[0], first);
    expect(narrow[2] == 0xcdcdcdcd, "written beyond the narrow results");
    commands = commands_begin(&gpu);
    vkCmdCopyQueryPoolResults(commands, pool, 0, 2, words.handle, 64, 32,
                              VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT);
    memory_barrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                   VK_PIPELINE_STAGE_HOST_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
                   VK_ACCESS_HOST_READ_BIT);
    vkCmdResetQueryPool(commands, pool, 1, 1);
    commands_finish(&gpu, commands);
    uint64_t copied;
    memcpy(&copied, (char *)words.map + 64, sizeof(copied));
    expect(copied == first, "copied %#" PRIx64 ", not %#" PRIx64, copied, first);

    /* Reset by the GPU and by the host. */
    must_be(VK_NOT_READY, vkGetQueryPoolResults(gpu.device, pool, 1, 1, sizeof(uint64_t), results,
                                                sizeof(uint64_t), VK_QUERY_RESULT_64_BIT));
    vkResetQueryPool(gpu.device, pool, 0, 1);
    must_be(VK_NOT_READY, vkGetQueryPoolResults(gpu.device, pool, 0, 1, sizeof(uint64_t), results,
                                                sizeof(uint64_t), VK_QUERY_RESULT_64_BIT));
    vkDestroyQueryPool(gpu.device, pool, NULL);
}

static void test_occlusion(void)
{
    const VkFormat format = VK_FORMAT_R8G8B8A8_UNORM;
    const VkExtent2D extent = {64, 64};
    struct image image;
    image_init(&gpu, &image,
               &(struct image_options){
                   .format = format,
                   .extent = extent,
                   .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT,
               });
    const VkPipelineLayout layout =
        pipeline_layout_init(&gpu, NULL, VK_SHADER_STAGE_VERTEX_BIT, sizeof(uint32_t));
    const VkPipeline pipeline =
        graphics_pipeline_init(&gpu, &(struct graphics_options){
                                         .layout = layout,
                                         .vertex = {frame_vert, sizeof(frame_vert)},
                                         .fragment = {colour_frag, sizeof(colour_frag)},
                                         .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
                                         .colour_format = format,
                                     });
    const VkQueryPool pool = create_query_pool(VK_QUERY_TYPE_OCCLUSION, 3);

    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdResetQueryPool(commands, pool, 0, 3);
    image_barrier(commands, image.handle,
                  &(VkImageSubresourceRange){VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1},
                  &(struct image_use){
                      VK_IMAGE_LAYOUT_UNDEFINED,
                      VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT,
                      0,
                  },
                  &(struct image_use){
                      VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                      VK_PIPELINE_STAGE_COLOR_ATTACHMENT_OUTPUT_BIT,
                      VK_ACCESS_COLOR_ATTACHMENT_WRITE_BIT,
                  });
    vkCmdBeginRendering(commands,
                        &(VkRenderingInfo){
                            .sType = VK_STRUCTURE_TYPE_RENDERING_INFO,
                            .renderArea = {.extent = extent},
                            .layerCount = 1,
                            .colorAttachmentCount = 1,
                            .pColorAttachments =
                                &(VkRenderingAttachmentInfo){
                                    .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
                                    .imageView = image.view,
                                    .imageLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
                                    .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
                                    .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
                                },
                        });
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, pipeline);
    set_viewport(commands, extent);
    vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_VERTEX_BIT, 0, sizeof(uint32_t),
                       &(const uint32_t){0});
    vkCmdBeginQuery(commands, pool, 0, VK_QUERY_CONTROL_PRECISE_BIT);
    vkCmdDraw(commands, 3, 1, 0, 0);
    vkCmdEndQuery(commands, pool, 0);
    vkCmdBeginQuery(commands, pool, 1, VK_QUERY_CONTROL_PRECISE_BIT);
    vkCmdDraw(commands, 3, 2, 0, 0);
    vkCmdEndQuery(commands, pool, 1);
    vkCmdBeginQuery(commands, pool, 2, 0);
    vkCmdEndQuery(commands, pool, 2);
    vkCmdEndRendering(commands);
    commands_finish(&gpu, commands);

    uint32_t samples[6];
    must(vkGetQueryPoolResults(gpu.device, pool, 0, 3, sizeof(samples), samples,
                               2 * sizeof(uint32_t),
                               VK_QUERY_RESULT_WITH_AVAILABILITY_BIT | VK_QUERY_RESULT_WAIT_BIT));
    expect(samples[1] && samples[3] && samples[5], "an occlusion query is not available");
    expect(samples[0] > 500 && samples[0] < 64 * 64, "the triangle covers %u samples", samples[0]);
    expect(samples[2] == 2 * samples[0], "twice the triangle covers %u, once %u", samples[2],
           samples[0]);
    expect(samples[4] == 0, "nothing covers %u samples", samples[4]);
    vkDestroyQueryPool(gpu.device, pool, NULL);
    vkDestroyPipeline(gpu.device, pipeline, NULL);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
    image_finish(&gpu, &image);
}

/* A submission that is not waited for by anybody until the device goes away. */
static void test_work_left_at_the_end(void)
{
    const VkCommandBuffer commands = record_fill(9);
    for (int i = 0; i < 20; i++)
        must(vkQueueSubmit(gpu.queue, 0, NULL, VK_NULL_HANDLE));
    commands_submit(&gpu, commands, VK_NULL_HANDLE);
}

static const struct test {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"fence states and time limits", test_fence_states},
    {"fences of submits with and without work", test_fence_of_submit},
    {"many fences in flight", test_fences_in_flight},
    {"queue and device idle", test_idle},
    {"timeline semaphores on the host", test_timeline_host},
    {"timeline semaphores signalled by the GPU", test_timeline_gpu},
    {"two batches with a host signal between", test_timeline_batches},
    {"waits before their signals, from threads", test_wait_before_signal},
    {"chains of binary semaphores", test_binary_chain},
    {"vkQueueSubmit2", test_submit2},
    {"events", test_events},
    {"timestamps", test_timestamps},
    {"occlusion queries", test_occlusion},
    {"work nobody waits for", test_work_left_at_the_end},
};

int main(int argc, char **argv)
{
    /* Drivers and layers that read lists again while they wait do not survive that one. */
    const bool only_lists = argc > 1 && strcmp(argv[1], "--lists") == 0;
    gpu_init(&gpu,
             &(struct gpu_options){
                 .name = "sync",
                 .features =
                     &(VkPhysicalDeviceVulkan12Features){
                         .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                         .pNext =
                             &(VkPhysicalDeviceVulkan13Features){
                                 .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
                                 .synchronization2 = VK_TRUE,
                                 .dynamicRendering = VK_TRUE,
                             },
                         .timelineSemaphore = VK_TRUE,
                         .hostQueryReset = VK_TRUE,
                     },
                 .core_features = &(VkPhysicalDeviceFeatures){.occlusionQueryPrecise = VK_TRUE},
             });
    buffer_init_host(&gpu, &words, WORD_COUNT * sizeof(uint32_t), VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    printf("sync:\n");
    for (size_t i = 0; i < ARRAY_SIZE(tests) && !only_lists; i++) {
        section(tests[i].name);
        tests[i].run();
    }
    if (only_lists) {
        section("lists of what is waited for");
        test_wait_lists();
    }
    must(vkDeviceWaitIdle(gpu.device));
    buffer_finish(&gpu, &words);
    gpu_finish(&gpu);
    printf("sync: %zu tests passed\n", only_lists ? 1 : ARRAY_SIZE(tests));
    return 0;
}
