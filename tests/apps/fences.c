/* SPDX-License-Identifier: MIT
 *
 * Fences that two devices share by descriptor: one of them signals, both wait and reset. The devices
 * belong to two instances, and then to two processes, of which one is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "processes.h"

#include "common.h"

#define SHORT_NS (SECOND_NS / 50)
/* More than anybody keeps descriptors on their way. */
#define ROUNDS 200
/* More than a system call takes words to sleep on. */
#define MANY 150

#define OPAQUE VK_EXTERNAL_FENCE_HANDLE_TYPE_OPAQUE_FD_BIT

struct side {
    struct gpu gpu;
    PFN_vkGetFenceFdKHR get_fd;
    PFN_vkImportFenceFdKHR import_fd;
};

static VkExternalFenceProperties properties_of(const struct gpu *gpu,
                                               VkExternalFenceHandleTypeFlagBits type)
{
    VkExternalFenceProperties properties = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_FENCE_PROPERTIES,
        .externalFenceFeatures = ~0u,
    };
    vkGetPhysicalDeviceExternalFenceProperties(
        gpu->physical,
        &(VkPhysicalDeviceExternalFenceInfo){
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_FENCE_INFO,
            .handleType = type,
        },
        &properties);
    return properties;
}

static void side_init(struct side *side, const char *name)
{
    static const char *const extension = VK_KHR_EXTERNAL_FENCE_FD_EXTENSION_NAME;
    const VkPhysicalDeviceTimelineSemaphoreFeatures timeline = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES,
        .timelineSemaphore = VK_TRUE,
    };
    struct gpu_options options = {.name = name};
    gpu_init(&side->gpu, &options);
    if (!gpu_has_extension(side->gpu.physical, extension)) {
        expect(properties_of(&side->gpu, OPAQUE).externalFenceFeatures == 0,
               "descriptors without %s", extension);
        printf("fences: skipped, there is no %s\n", extension);
        exit(EXIT_SKIPPED);
    }
    gpu_finish_device(&side->gpu);
    options.device_extensions = &extension;
    options.device_extension_count = 1;
    options.features = &timeline;
    gpu_init_device(&side->gpu, &options);
    side->get_fd = (PFN_vkGetFenceFdKHR)vkGetDeviceProcAddr(side->gpu.device, "vkGetFenceFdKHR");
    side->import_fd =
        (PFN_vkImportFenceFdKHR)vkGetDeviceProcAddr(side->gpu.device, "vkImportFenceFdKHR");
    expect(side->get_fd && side->import_fd, "the commands are missing");
}

/* ---- Fences */

enum {
    SIGNALED = 1, /* from the beginning */
    EXPORTED = 2, /* may be */
};

static VkFence create(const struct side *side, int how)
{
    const VkExportFenceCreateInfo export = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_FENCE_CREATE_INFO,
        .handleTypes = OPAQUE,
    };
    VkFence fence;
    must(vkCreateFence(side->gpu.device,
                       &(VkFenceCreateInfo){
                           .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO,
                           .pNext = how & EXPORTED ? &export : NULL,
                           .flags = how & SIGNALED ? VK_FENCE_CREATE_SIGNALED_BIT : 0,
                       },
                       NULL, &fence));
    return fence;
}

static void destroy(const struct side *side, VkFence fence)
{
    vkDestroyFence(side->gpu.device, fence, NULL);
}

static int descriptor(const struct side *side, VkFence fence)
{
    int fd = -1;
    must(side->get_fd(side->gpu.device,
                      &(VkFenceGetFdInfoKHR){
                          .sType = VK_STRUCTURE_TYPE_FENCE_GET_FD_INFO_KHR,
                          .fence = fence,
                          .handleType = OPAQUE,
                      },
                      &fd));
    expect(fd >= 0, "vkGetFenceFdKHR gave %d", fd);
    return fd;
}

static VkResult try_import(const struct side *side, VkFence fence, VkFenceImportFlags flags, int fd)
{
    return side->import_fd(side->gpu.device,
                           &(VkImportFenceFdInfoKHR){
                               .sType = VK_STRUCTURE_TYPE_IMPORT_FENCE_FD_INFO_KHR,
                               .fence = fence,
                               .flags = flags,
                               .handleType = OPAQUE,
                               .fd = fd,
                           });
}

static void import(const struct side *side, VkFence fence, int fd)
{
    must(try_import(side, fence, 0, fd));
}

static void borrow(const struct side *side, VkFence fence, int fd)
{
    must(try_import(side, fence, VK_FENCE_IMPORT_TEMPORARY_BIT, fd));
}

static void is(VkResult wanted, const struct side *side, VkFence fence)
{
    must_be(wanted, vkGetFenceStatus(side->gpu.device, fence));
}

static void reset(const struct side *side, VkFence fence)
{
    must(vkResetFences(side->gpu.device, 1, &fence));
}

static VkResult wait_one(const struct side *side, VkFence fence, uint64_t timeout)
{
    return vkWaitForFences(side->gpu.device, 1, &fence, VK_TRUE, timeout);
}

/* ---- Gates: work behind them is not done before they are opened */

static VkSemaphore gate_create(const struct side *side)
{
    VkSemaphore gate;
    must(vkCreateSemaphore(side->gpu.device,
                           &(VkSemaphoreCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                               .pNext =
                                   &(VkSemaphoreTypeCreateInfo){
                                       .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                       .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
                                   },
                           },
                           NULL, &gate));
    return gate;
}

static void gate_open(const struct side *side, VkSemaphore gate)
{
    must(vkSignalSemaphore(side->gpu.device, &(VkSemaphoreSignalInfo){
                                                 .sType = VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO,
                                                 .semaphore = gate,
                                                 .value = 1,
                                             }));
}

/* At rest, for nothing may be destroyed that is being worked with. */
static void gate_destroy(const struct side *side, VkSemaphore gate)
{
    must(vkQueueWaitIdle(side->gpu.queue));
    vkDestroySemaphore(side->gpu.device, gate, NULL);
}

static void submit(const struct side *side, VkSemaphore gate, VkFence fence)
{
    const VkTimelineSemaphoreSubmitInfo values = {
        .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
        .waitSemaphoreValueCount = gate ? 1 : 0,
        .pWaitSemaphoreValues = &(const uint64_t){1},
    };
    must(vkQueueSubmit(
        side->gpu.queue, 1,
        &(VkSubmitInfo){
            .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
            .pNext = &values,
            .waitSemaphoreCount = gate ? 1 : 0,
            .pWaitSemaphores = &gate,
            .pWaitDstStageMask = &(VkPipelineStageFlags){VK_PIPELINE_STAGE_ALL_COMMANDS_BIT},
        },
        fence));
}

/* Opens one while somebody sleeps. */
struct opener {
    const struct side *side;
    VkSemaphore gate;
    pthread_t thread;
};

static void *open_later(void *data)
{
    const struct opener *opener = data;
    sleep_ms(20);
    gate_open(opener->side, opener->gate);
    return NULL;
}

static void opener_start(struct opener *opener, const struct side *side, VkSemaphore gate)
{
    *opener = (struct opener){.side = side, .gate = gate};
    expect(pthread_create(&opener->thread, NULL, open_later, opener) == 0, "no thread");
}

/* `signaler` signals at `from` what `waiter` waits for at `to`, asleep. */
static void pass(const struct side *signaler, VkFence from, const struct side *waiter, VkFence to)
{
    struct opener opener;
    const VkSemaphore gate = gate_create(signaler);
    submit(signaler, gate, from);
    is(VK_NOT_READY, waiter, to);
    must_be(VK_TIMEOUT, wait_one(waiter, to, SHORT_NS));
    opener_start(&opener, signaler, gate);
    must(wait_one(waiter, to, LONG_NS));
    pthread_join(opener.thread, NULL);
    is(VK_SUCCESS, signaler, from);
    is(VK_SUCCESS, waiter, to);
    gate_destroy(signaler, gate);
}

/* ---- The tests */

static void test_properties(const struct side *side)
{
    const VkExternalFenceProperties opaque = properties_of(&side->gpu, OPAQUE);
    expect(opaque.externalFenceFeatures == (VK_EXTERNAL_FENCE_FEATURE_EXPORTABLE_BIT |
                                            VK_EXTERNAL_FENCE_FEATURE_IMPORTABLE_BIT),
           "features %#x", opaque.externalFenceFeatures);
    expect(opaque.compatibleHandleTypes & OPAQUE, "a type that does not fit itself");
    expect(opaque.exportFromImportedHandleTypes & OPAQUE, "what is imported can not be passed on");
    expect(properties_of(&side->gpu, VK_EXTERNAL_FENCE_HANDLE_TYPE_OPAQUE_WIN32_BIT)
                   .externalFenceFeatures == 0,
           "handles of Windows");
}

static void test_instances(const struct side *a, const struct side *b)
{
    const VkFence exported = create(a, EXPORTED), imported = create(b, EXPORTED);
    import(b, imported, descriptor(a, exported));
    for (int i = 0; i < 3; i++) {
        pass(a, exported, b, imported);
        reset(i % 2 ? a : b, i % 2 ? exported : imported);
        is(VK_NOT_READY, a, exported);
        pass(b, imported, a, exported);
        reset(a, exported);
        is(VK_NOT_READY, b, imported);
    }
    /* What is imported outlives what it was exported from, and can be exported itself. */
    destroy(a, exported);
    const VkFence again = create(a, 0);
    import(a, again, descriptor(b, imported));
    pass(b, imported, a, again);
    destroy(b, imported);
    is(VK_SUCCESS, a, again);
    destroy(a, again);
}

/* A fence is exported in every state that it can be in. */
static void test_states(const struct side *a, const struct side *b)
{
    const VkFence signaled = create(a, EXPORTED | SIGNALED), pending = create(a, EXPORTED);
    const VkFence first = create(b, 0), second = create(b, SIGNALED);
    const VkSemaphore gate = gate_create(a);
    import(b, first, descriptor(a, signaled));
    is(VK_SUCCESS, b, first);
    submit(a, gate, pending);
    import(b, second, descriptor(a, pending));
    is(VK_NOT_READY, b, second);
    gate_open(a, gate);
    must(wait_one(b, second, LONG_NS));
    /* A fence has been signalled when its work is known to be over. */
    for (int i = 0; i < 50; i++) {
        reset(b, second);
        submit(a, VK_NULL_HANDLE, pending);
        must(vkQueueWaitIdle(a->gpu.queue));
        is(VK_SUCCESS, a, pending);
        is(VK_SUCCESS, b, second);
    }
    /* Also without work. */
    reset(a, pending);
    must(vkQueueSubmit(a->gpu.queue, 0, NULL, pending));
    must(wait_one(b, second, LONG_NS));
    gate_destroy(a, gate);
    destroy(a, signaled);
    destroy(a, pending);
    destroy(b, first);
    destroy(b, second);
}

/* What is imported until the next reset leaves what the fence was before. */
static void test_temporary(const struct side *a, const struct side *b)
{
    const VkFence exported = create(a, EXPORTED), other = create(a, EXPORTED | SIGNALED);
    const VkFence borrower = create(b, SIGNALED);
    for (int i = 0; i < 3; i++) {
        borrow(b, borrower, descriptor(a, exported));
        pass(a, exported, b, borrower);
        reset(b, borrower); /* what it is now, not what it was */
        is(VK_NOT_READY, b, borrower);
        is(VK_SUCCESS, a, exported);
        reset(a, exported);
        submit(b, VK_NULL_HANDLE, borrower);
        must(wait_one(b, borrower, LONG_NS));
        is(VK_NOT_READY, a, exported);
    }
    /* The same over a fence that is shared itself; the second loan replaces the first one. */
    import(b, borrower, descriptor(a, other));
    borrow(b, borrower, descriptor(a, other));
    borrow(b, borrower, descriptor(a, exported));
    is(VK_NOT_READY, b, borrower);
    pass(b, borrower, a, exported);
    is(VK_SUCCESS, a, other);
    reset(b, borrower);
    is(VK_NOT_READY, a, other);
    is(VK_SUCCESS, a, exported);
    pass(a, other, b, borrower);
    /* For good, in the middle of a loan. */
    borrow(b, borrower, descriptor(a, other));
    reset(a, exported);
    import(b, borrower, descriptor(a, exported));
    pass(a, exported, b, borrower);
    reset(b, borrower);
    is(VK_NOT_READY, a, exported);
    destroy(b, borrower);
    destroy(a, exported);
    destroy(a, other);
}

static VkResult wait_all(const struct side *side, const VkFence *fences, uint32_t count,
                         uint64_t timeout)
{
    return vkWaitForFences(side->gpu.device, count, fences, VK_TRUE, timeout);
}

static VkResult wait_any(const struct side *side, const VkFence *fences, uint32_t count,
                         uint64_t timeout)
{
    return vkWaitForFences(side->gpu.device, count, fences, VK_FALSE, timeout);
}

static uint64_t work_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

/* Who waits does not look again and again. */
static void test_sleep(const struct side *a, const struct side *b)
{
    const VkFence exported = create(a, EXPORTED);
    const VkFence fences[] = {create(b, 0), create(b, EXPORTED), create(b, 0)};
    const uint32_t count = ARRAY_SIZE(fences);
    import(b, fences[2], descriptor(a, exported));
    const uint64_t before = work_ns();
    must_be(VK_TIMEOUT, wait_any(b, fences, count, SECOND_NS / 5));
    must_be(VK_TIMEOUT, wait_all(b, fences, count, SECOND_NS / 5));
    must_be(VK_TIMEOUT, wait_one(b, fences[2], SECOND_NS / 5));
    const uint64_t worked = work_ns() - before;
    expect(worked < SECOND_NS / 20, "%u ms of work to wait", (unsigned)(worked / 1000000));
    for (uint32_t i = 0; i < count; i++)
        destroy(b, fences[i]);
    destroy(a, exported);
}

/* Of fences of three kinds, each comes first once, and each comes last. */
static void test_mixtures(const struct side *a, const struct side *b)
{
    enum {
        OWN,
        SHARED,
        FOREIGN,
        KINDS
    };
    for (int first = 0; first < KINDS; first++) {
        const VkFence exported = create(a, EXPORTED);
        const VkFence fences[KINDS] = {create(b, 0), create(b, EXPORTED), create(b, 0)};
        const struct side *const sides[KINDS] = {b, b, a};
        VkSemaphore gates[KINDS];
        struct opener opener;
        import(b, fences[FOREIGN], descriptor(a, exported));
        for (int i = 0; i < KINDS; i++) {
            /* In the order in which they are going to be opened, for queues have one. */
            const int kind = (first + i) % KINDS;
            gates[kind] = gate_create(sides[kind]);
            submit(sides[kind], gates[kind], kind == FOREIGN ? exported : fences[kind]);
        }
        must_be(VK_TIMEOUT, wait_any(b, fences, KINDS, SHORT_NS));
        must_be(VK_TIMEOUT, wait_all(b, fences, KINDS, SHORT_NS));
        for (int i = 0; i < KINDS; i++) {
            const int kind = (first + i) % KINDS;
            opener_start(&opener, sides[kind], gates[kind]);
            if (i == 0)
                must(wait_any(b, fences, KINDS, LONG_NS));
            else if (i == KINDS - 1)
                must(wait_all(b, fences, KINDS, LONG_NS));
            else
                must(wait_one(b, fences[kind], LONG_NS));
            pthread_join(opener.thread, NULL);
            is(VK_SUCCESS, b, fences[kind]);
        }
        for (int kind = 0; kind < KINDS; kind++) {
            gate_destroy(sides[kind], gates[kind]);
            destroy(b, fences[kind]);
        }
        destroy(a, exported);
    }
}

static void test_many_at_once(const struct side *a, const struct side *b)
{
    VkFence exported[MANY], imported[MANY];
    const VkSemaphore gate = gate_create(a);
    struct opener opener;
    for (int i = 0; i < MANY; i++) {
        exported[i] = create(a, EXPORTED);
        imported[i] = create(b, 0);
        import(b, imported[i], descriptor(a, exported[i]));
    }
    submit(a, gate, exported[MANY - 1]);
    must_be(VK_TIMEOUT, wait_any(b, imported, MANY, SHORT_NS));
    opener_start(&opener, a, gate);
    must(wait_any(b, imported, MANY, LONG_NS));
    pthread_join(opener.thread, NULL);
    gate_destroy(a, gate);

    const VkSemaphore other = gate_create(a);
    must_be(VK_TIMEOUT, wait_all(b, imported, MANY, SHORT_NS));
    for (int i = 0; i < MANY - 1; i++)
        submit(a, i == MANY / 2 ? other : VK_NULL_HANDLE, exported[i]);
    opener_start(&opener, a, other);
    must(wait_all(b, imported, MANY, LONG_NS));
    pthread_join(opener.thread, NULL);
    gate_destroy(a, other);
    for (int i = 0; i < MANY; i++) {
        destroy(a, exported[i]);
        destroy(b, imported[i]);
    }
}

static void test_many(const struct side *side)
{
    const VkFence exported = create(side, EXPORTED);
    const int before = count_descriptors();
    for (int i = 0; i < ROUNDS; i++) {
        const VkFence imported = create(side, i % 3 ? 0 : EXPORTED);
        const int unused = descriptor(side, exported);
        const int used = descriptor(side, exported);
        expect(used != unused, "the same descriptor twice");
        must(try_import(side, imported, i % 2 ? VK_FENCE_IMPORT_TEMPORARY_BIT : 0, used));
        submit(side, VK_NULL_HANDLE, exported);
        must(wait_one(side, imported, LONG_NS));
        reset(side, exported);
        destroy(side, imported);
        close(unused);
    }
    const int after = count_descriptors();
    expect(after <= before, "%d descriptors before, %d after", before, after);
    destroy(side, exported);
}

/* Descriptors that are none of a fence: refused, and still the caller's. */
static void refuse(const struct side *side, int fd)
{
    const VkFence fence = create(side, SIGNALED);
    expect(fd >= 0, "no descriptor to refuse: %d", errno);
    must_be(VK_ERROR_INVALID_EXTERNAL_HANDLE, try_import(side, fence, 0, fd));
    expect(fcntl(fd, F_GETFD) >= 0, "what was refused has been closed");
    is(VK_SUCCESS, side, fence);
    close(fd);
    destroy(side, fence);
}

static int memory_file(size_t size, int seals)
{
    const int fd = memfd_create("fences", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    expect(fd >= 0 && ftruncate(fd, (off_t)size) == 0 && fcntl(fd, F_ADD_SEALS, seals) == 0,
           "no file in memory: %d", errno);
    return fd;
}

static void test_garbage(const struct side *side)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int ends[2];
    expect(pipe2(ends, O_CLOEXEC) == 0, "no pipe");
    refuse(side, ends[0]);
    refuse(side, ends[1]);
    refuse(side, open("/dev/null", O_RDWR | O_CLOEXEC));
    refuse(side, open("/dev/zero", O_RDWR | O_CLOEXEC));
    refuse(side, memory_file(page, 0));
    refuse(side, memory_file(page, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
    refuse(side, memory_file(0, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
    refuse(side, memory_file(16 * page, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
}

/* ---- Two processes: each signals what the other one waits for; then one is killed. */

enum step {
    IS_SUBMITTED,
    IS_AWAITED,
    IS_OVER,
};

static _Noreturn void be_the_other_process(int socket)
{
    struct side side;
    const int fd = listen_for(socket, IS_SUBMITTED);
    expect(fd >= 0, "no descriptor came");
    side_init(&side, "other process");
    const VkFence imported = create(&side, 0);
    import(&side, imported, fd);
    must_be(VK_TIMEOUT, wait_one(&side, imported, SHORT_NS));
    say(socket, IS_AWAITED, -1);
    must(wait_one(&side, imported, LONG_NS));

    /* Its own, of work that never ends. */
    const VkSemaphore gate = gate_create(&side);
    reset(&side, imported);
    submit(&side, VK_NULL_HANDLE, imported);
    must(wait_one(&side, imported, LONG_NS));
    const VkFence endless = create(&side, EXPORTED);
    submit(&side, gate, endless);
    say(socket, IS_SUBMITTED, descriptor(&side, endless));
    for (;;)
        pause();
}

static void test_processes(const struct side *side, int socket, pid_t child)
{
    const VkFence exported = create(side, EXPORTED), imported = create(side, 0);
    const VkSemaphore gate = gate_create(side);
    const int fd = descriptor(side, exported);
    submit(side, gate, exported);
    say(socket, IS_SUBMITTED, fd);
    close(fd);
    listen_for(socket, IS_AWAITED);
    gate_open(side, gate);
    const int other = listen_for(socket, IS_SUBMITTED);
    is(VK_SUCCESS, side, exported);

    /* Who is killed keeps nobody waiting for ever. */
    import(side, imported, other);
    must_be(VK_TIMEOUT, wait_one(side, imported, SHORT_NS));
    expect(kill(child, SIGKILL) == 0, "the other process is gone");
    must(wait_one(side, imported, LONG_NS));
    int status;
    expect(waitpid(child, &status, 0) == child && WIFSIGNALED(status), "the other process: %x",
           status);
    gate_destroy(side, gate);
    destroy(side, exported);
    destroy(side, imported);
}

int main(void)
{
    int socket;
    const pid_t child = other_process(&socket, be_the_other_process);

    struct side a, b;
    side_init(&a, "fences");
    side_init(&b, "importer");
    section("properties");
    test_properties(&a);
    section("two instances");
    test_instances(&a, &b);
    section("states");
    test_states(&a, &b);
    section("imported until the next reset");
    test_temporary(&a, &b);
    section("asleep");
    test_sleep(&a, &b);
    section("waits for any and all");
    test_mixtures(&a, &b);
    section("many at once");
    test_many_at_once(&a, &b);
    section("many times");
    test_many(&a);
    section("garbage");
    test_garbage(&a);
    section("two processes");
    test_processes(&a, socket, child);
    gpu_finish(&b.gpu);
    gpu_finish(&a.gpu);
    printf("fences: 10 tests passed\n");
    return 0;
}
