/* SPDX-License-Identifier: MIT
 *
 * Instances and devices that come and go.
 *
 *   lifecycle [--count N]   N times an instance and a device with a little work, without growth
 *   lifecycle --instances   two instances with two devices at once, work in turn
 *   lifecycle --fork        a child process is forked between vkCreateInstance and vkCreateDevice
 *   lifecycle --fork-busy   children are forked while threads ask for fences, and have lives of their own
 *   lifecycle --leader MODE the process's first thread ends, and leaves Vulkan behind. MODE is what becomes of
 *                           SIGTERM: `default`, `handled`, `awaited` by another thread; or `none`: the instance is
 *                           destroyed, and the process ends by itself. Says "ready" first.
 *   lifecycle --leave N     N instances that are not destroyed; `fork` and `destroy`: see run_leave
 */
#include "common.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "processes.h"

enum {
    GROWTH_LIMIT_KB = 2048,
    WORD_COUNT = 1024,
};

static const struct gpu_options options = {.name = "lifecycle"};

static long resident_kb(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    expect(file, "cannot read /proc/self/status");
    long kb = 0;
    char line[256];
    while (fgets(line, sizeof(line), file))
        if (sscanf(line, "VmRSS: %ld", &kb) == 1)
            break;
    fclose(file);
    expect(kb > 0, "no VmRSS in /proc/self/status");
    return kb;
}

struct work {
    struct buffer words;
    VkCommandBuffer commands;
    VkFence fence;
    uint32_t value;
};

static void work_start(const struct gpu *gpu, struct work *work, uint32_t value)
{
    buffer_init_host(gpu, &work->words, WORD_COUNT * sizeof(uint32_t),
                     VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    work->value = value;
    work->commands = commands_begin(gpu);
    vkCmdFillBuffer(work->commands, work->words.handle, 0, VK_WHOLE_SIZE, value);
    memory_barrier(work->commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                   VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    commands_end(work->commands);
    must(vkCreateFence(gpu->device,
                       &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO}, NULL,
                       &work->fence));
    commands_submit(gpu, work->commands, work->fence);
}

static void work_finish(const struct gpu *gpu, struct work *work)
{
    must(vkWaitForFences(gpu->device, 1, &work->fence, VK_TRUE, LONG_NS));
    const uint32_t *words = work->words.map;
    for (uint32_t i = 0; i < WORD_COUNT; i++)
        expect(words[i] == work->value, "word %u is %#x, not %#x", i, words[i], work->value);
    vkDestroyFence(gpu->device, work->fence, NULL);
    vkFreeCommandBuffers(gpu->device, gpu->pool, 1, &work->commands);
    buffer_finish(gpu, &work->words);
}

static void do_work(const struct gpu *gpu, uint32_t value)
{
    struct work work;
    work_start(gpu, &work, value);
    work_finish(gpu, &work);
}

static void one_life(uint32_t number)
{
    struct gpu gpu;
    gpu_init(&gpu, &options);
    do_work(&gpu, number + 1);
    gpu_finish(&gpu);
}

static int run_count(uint32_t count)
{
    /* What caches and allocators take once is not growth, and it takes some rounds. */
    const uint32_t warm_up = count >= 500 ? count / 10 : (count + 1) / 2;
    long before = 0;
    int descriptors_before = 0;
    for (uint32_t i = 0; i < count; i++) {
        one_life(i);
        if (i + 1 == warm_up) {
            before = resident_kb();
            descriptors_before = count_descriptors();
        }
    }
    const long after = resident_kb();
    const int descriptors_after = count_descriptors();
    printf("lifecycle: %u lives, resident %ld KiB after %u, %ld KiB at the end\n", count, before,
           warm_up, after);
    expect(after - before <= GROWTH_LIMIT_KB, "grew by %ld KiB", after - before);
    expect(descriptors_after <= descriptors_before, "file descriptors: %d after %u, %d at the end",
           descriptors_before, warm_up, descriptors_after);
    return 0;
}

static int run_instances(void)
{
    struct gpu gpus[2];
    gpu_init_instance(&gpus[0], &options);
    gpu_init_instance(&gpus[1], &options);
    gpu_init_device(&gpus[0], &options);
    gpu_init_device(&gpus[1], &options);

    /* Two devices of one instance as well. */
    struct gpu sibling = {.instance = gpus[0].instance};
    gpu_init_device(&sibling, &options);

    for (uint32_t round = 0; round < 20; round++) {
        struct work works[3];
        work_start(&gpus[0], &works[0], 3 * round);
        work_start(&gpus[1], &works[1], 3 * round + 1);
        work_start(&sibling, &works[2], 3 * round + 2);
        work_finish(&gpus[1], &works[1]);
        work_finish(&sibling, &works[2]);
        work_finish(&gpus[0], &works[0]);
    }

    /* The others live on when one goes. */
    gpu_finish_device(&gpus[0]);
    do_work(&gpus[1], 100);
    do_work(&sibling, 101);
    gpu_finish_device(&sibling);
    vkDestroyInstance(gpus[0].instance, NULL);
    do_work(&gpus[1], 102);
    gpu_init(&gpus[0], &options);
    do_work(&gpus[0], 103);
    do_work(&gpus[1], 104);
    gpu_finish(&gpus[1]);
    do_work(&gpus[0], 105);
    gpu_finish(&gpus[0]);
    printf("lifecycle: two instances and three devices side by side\n");
    return 0;
}

static void join_child(pid_t child, const char *what)
{
    int status;
    expect(waitpid(child, &status, 0) == child, "waitpid");
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child that %s ended with %s %d",
           what, WIFSIGNALED(status) ? "signal" : "status",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* The child must not disturb what the parent has, whatever way it ends. */
static int run_fork(void)
{
    struct gpu gpu;
    gpu_init_instance(&gpu, &options);
    fflush(stdout);

    /* Ends through exit(): the destructors of all libraries run in the child too. */
    pid_t child = fork();
    if (child == 0)
        exit(0);
    expect(child > 0, "fork");
    join_child(child, "only exits");

    /* Lives of its own while the parent goes on. */
    child = fork();
    if (child == 0) {
        for (uint32_t i = 0; i < 3; i++)
            one_life(i);
        exit(0);
    }
    expect(child > 0, "fork");
    gpu_init_device(&gpu, &options);
    for (uint32_t i = 0; i < 20; i++)
        do_work(&gpu, i);
    join_child(child, "has instances of its own");
    do_work(&gpu, 50);

    /* With a device, and work done on it. */
    child = fork();
    if (child == 0)
        _exit(0);
    expect(child > 0, "fork");
    join_child(child, "ends at once");
    do_work(&gpu, 51);
    gpu_finish(&gpu);
    printf("lifecycle: forked three times, parent and children computed\n");
    return 0;
}

static atomic_bool enough;

static void *ask(void *data)
{
    const struct gpu *gpu = data;
    const VkFence fence = fence_create(gpu, 0);
    while (!enough)
        must_be(VK_NOT_READY, vkGetFenceStatus(gpu->device, fence));
    vkDestroyFence(gpu->device, fence, NULL);
    return NULL;
}

static int run_fork_busy(void)
{
    enum {
        CHILDREN = 30
    };
    struct gpu gpu;
    pthread_t threads[4];
    gpu_init(&gpu, &options);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        expect(!pthread_create(&threads[i], NULL, ask, &gpu), "no thread");
    fflush(stdout);
    for (uint32_t i = 0; i < CHILDREN; i++) {
        const pid_t child = fork();
        if (child == 0) {
            alarm(60); /* who waits for a thread of the parent waits for ever */
            one_life(i);
            _exit(0);
        }
        expect(child > 0, "fork");
        join_child(child, "was forked while others ask");
    }
    enough = true;
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    gpu_finish(&gpu);
    printf("lifecycle: %d children of a busy process\n", CHILDREN);
    return 0;
}

/* Ends without destroying: `fork`: one, as a child does; `destroy`: one, which is destroyed after all;
 * else so many. */
static int run_leave(const char *mode)
{
    static struct gpu gpus[8];
    const bool destroys = !strcmp(mode, "destroy"), forks = !strcmp(mode, "fork");
    const uint32_t count = destroys || forks ? 1 : (uint32_t)atoi(mode);
    expect(count && count <= ARRAY_SIZE(gpus), "--leave %s", mode);
    for (uint32_t i = 0; i < count; i++) {
        gpu_init(&gpus[i], &options);
        do_work(&gpus[i], i);
    }
    if (destroys)
        gpu_finish(&gpus[0]);
    fflush(stdout);
    if (forks) {
        const pid_t child = fork();
        if (child == 0)
            exit(0);
        expect(child > 0, "fork");
        join_child(child, "leaves what is not its own");
    }
    return 0;
}

static struct gpu left_behind;

static void *outlive(void *mode)
{
    sleep_ms(200); /* the first thread ends meanwhile */
    if (!strcmp(mode, "none")) {
        gpu_finish(&left_behind);
    } else if (!strcmp(mode, "awaited")) {
        sigset_t set;
        int number;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        printf("ready\n");
        fflush(stdout);
        expect(!sigwait(&set, &number) && number == SIGTERM, "sigwait");
        _exit(4);
    }
    printf("ready\n");
    fflush(stdout);
    return NULL;
}

static void handle(int number)
{
    (void)number;
    _exit(3);
}

static int run_leader(char *mode)
{
    pthread_t thread;
    if (!strcmp(mode, "handled"))
        signal(SIGTERM, handle);
    gpu_init(&left_behind, &options);
    do_work(&left_behind, 1);
    /* After the driver has made its threads: they must not take it. */
    if (!strcmp(mode, "awaited")) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
    }
    expect(!pthread_create(&thread, NULL, outlive, mode), "no thread");
    pthread_exit(NULL);
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"count", required_argument, NULL, 'c'},
        {"instances", no_argument, NULL, 'i'},
        {"fork", no_argument, NULL, 'f'},
        {"fork-busy", no_argument, NULL, 'b'},
        {"leader", required_argument, NULL, 'l'},
        {"leave", required_argument, NULL, 'L'},
        {0},
    };
    uint32_t count = 100;
    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (option) {
        case 'c':
            count = (uint32_t)strtoul(optarg, NULL, 10);
            expect(count > 0, "--count %s", optarg);
            break;
        case 'i':
            return run_instances();
        case 'f':
            return run_fork();
        case 'b':
            return run_fork_busy();
        case 'l':
            return run_leader(optarg);
        case 'L':
            return run_leave(optarg);
        default:
            return 2;
        }
    }
    return run_count(count);
}
