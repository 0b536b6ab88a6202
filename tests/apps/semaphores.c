/* SPDX-License-Identifier: MIT
 *
 * Semaphores that two devices share by descriptor: one of them signals, the other one waits. The
 * devices belong to two instances, and then to two processes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "processes.h"

#include "common.h"

#define SHORT_NS (SECOND_NS / 50)
/* More than anybody keeps descriptors on their way. */
#define ROUNDS 200

#define OPAQUE VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_OPAQUE_FD_BIT
#define SYNC   VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT

struct side {
    struct gpu gpu;
    PFN_vkGetSemaphoreFdKHR get_fd;
    PFN_vkImportSemaphoreFdKHR import_fd;
};

static void side_init(struct side *side, const char *name)
{
    static const char *const extension = VK_KHR_EXTERNAL_SEMAPHORE_FD_EXTENSION_NAME;
    const VkPhysicalDeviceTimelineSemaphoreFeatures timeline = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES,
        .timelineSemaphore = VK_TRUE,
    };
    struct gpu_options options = {.name = name};
    gpu_init(&side->gpu, &options);
    if (!gpu_has_extension(side->gpu.physical, extension)) {
        printf("semaphores: skipped, there is no %s\n", extension);
        exit(EXIT_SKIPPED);
    }
    gpu_finish_device(&side->gpu);
    options.device_extensions = &extension;
    options.device_extension_count = 1;
    options.features = &timeline;
    gpu_init_device(&side->gpu, &options);
    side->get_fd =
        (PFN_vkGetSemaphoreFdKHR)vkGetDeviceProcAddr(side->gpu.device, "vkGetSemaphoreFdKHR");
    side->import_fd =
        (PFN_vkImportSemaphoreFdKHR)vkGetDeviceProcAddr(side->gpu.device, "vkImportSemaphoreFdKHR");
    expect(side->get_fd && side->import_fd, "the commands are missing");
}

/* ---- Semaphores */

static VkSemaphore create(const struct side *side, VkSemaphoreType type,
                          VkExternalSemaphoreHandleTypeFlags exported)
{
    const VkExportSemaphoreCreateInfo export = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_SEMAPHORE_CREATE_INFO,
        .handleTypes = exported,
    };
    const VkSemaphoreTypeCreateInfo kind = {
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
        .pNext = exported ? &export : NULL,
        .semaphoreType = type,
    };
    VkSemaphore semaphore;
    must(vkCreateSemaphore(side->gpu.device,
                           &(VkSemaphoreCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                               .pNext = &kind,
                           },
                           NULL, &semaphore));
    return semaphore;
}

static VkSemaphore create_binary(const struct side *side,
                                 VkExternalSemaphoreHandleTypeFlags exported)
{
    return create(side, VK_SEMAPHORE_TYPE_BINARY, exported);
}

static VkSemaphore create_timeline(const struct side *side,
                                   VkExternalSemaphoreHandleTypeFlags exported)
{
    return create(side, VK_SEMAPHORE_TYPE_TIMELINE, exported);
}

static void destroy(const struct side *side, VkSemaphore semaphore)
{
    vkDestroySemaphore(side->gpu.device, semaphore, NULL);
}

static int descriptor(const struct side *side, VkSemaphore semaphore,
                      VkExternalSemaphoreHandleTypeFlagBits type)
{
    int fd = -2;
    must(side->get_fd(side->gpu.device,
                      &(VkSemaphoreGetFdInfoKHR){
                          .sType = VK_STRUCTURE_TYPE_SEMAPHORE_GET_FD_INFO_KHR,
                          .semaphore = semaphore,
                          .handleType = type,
                      },
                      &fd));
    expect(fd >= (type == SYNC ? -1 : 0), "vkGetSemaphoreFdKHR gave %d", fd);
    return fd;
}

static void import(const struct side *side, VkSemaphore semaphore,
                   VkExternalSemaphoreHandleTypeFlagBits type, bool temporary, int fd)
{
    must(side->import_fd(side->gpu.device,
                         &(VkImportSemaphoreFdInfoKHR){
                             .sType = VK_STRUCTURE_TYPE_IMPORT_SEMAPHORE_FD_INFO_KHR,
                             .semaphore = semaphore,
                             .flags = temporary ? VK_SEMAPHORE_IMPORT_TEMPORARY_BIT : 0,
                             .handleType = type,
                             .fd = fd,
                         }));
}

/* ---- Batches without work, that only wait and signal */

struct batch {
    VkSemaphore wait, signal; /* or none */
    uint64_t wait_value, signal_value;
    VkFence fence;
};

static void submit(const struct side *side, const struct batch *batch)
{
    const VkTimelineSemaphoreSubmitInfo values = {
        .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
        .waitSemaphoreValueCount = batch->wait ? 1 : 0,
        .pWaitSemaphoreValues = &batch->wait_value,
        .signalSemaphoreValueCount = batch->signal ? 1 : 0,
        .pSignalSemaphoreValues = &batch->signal_value,
    };
    const VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .pNext = &values,
        .waitSemaphoreCount = batch->wait ? 1 : 0,
        .pWaitSemaphores = &batch->wait,
        .pWaitDstStageMask = &(VkPipelineStageFlags){VK_PIPELINE_STAGE_ALL_COMMANDS_BIT},
        .signalSemaphoreCount = batch->signal ? 1 : 0,
        .pSignalSemaphores = &batch->signal,
    };
    must(vkQueueSubmit(side->gpu.queue, 1, &info, batch->fence));
}

static VkFence create_fence(const struct side *side)
{
    VkFence fence;
    must(vkCreateFence(side->gpu.device,
                       &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO}, NULL,
                       &fence));
    return fence;
}

static VkResult wait_fence(const struct side *side, VkFence fence, uint64_t timeout)
{
    return vkWaitForFences(side->gpu.device, 1, &fence, VK_TRUE, timeout);
}

static void open_gate(const struct side *side, VkSemaphore gate)
{
    must(vkSignalSemaphore(side->gpu.device, &(VkSemaphoreSignalInfo){
                                                 .sType = VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO,
                                                 .semaphore = gate,
                                                 .value = 1,
                                             }));
}

/* `waiter` waits, at `to`, for what `signaler` signals at `from` once it is let to. */
static void pass(const struct side *signaler, VkSemaphore from, const struct side *waiter,
                 VkSemaphore to)
{
    const VkSemaphore gate = create_timeline(signaler, 0);
    const VkFence fence = create_fence(waiter);
    submit(signaler, &(struct batch){.wait = gate, .wait_value = 1, .signal = from});
    submit(waiter, &(struct batch){.wait = to, .fence = fence});
    must_be(VK_TIMEOUT, wait_fence(waiter, fence, SHORT_NS));
    open_gate(signaler, gate);
    must(wait_fence(waiter, fence, LONG_NS));
    must(vkQueueWaitIdle(signaler->gpu.queue));
    vkDestroyFence(waiter->gpu.device, fence, NULL);
    destroy(signaler, gate);
}

/* ---- The tests */

static VkExternalSemaphoreFeatureFlags features(const struct side *side, VkSemaphoreType kind,
                                                VkExternalSemaphoreHandleTypeFlagBits type)
{
    VkExternalSemaphoreProperties properties = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_SEMAPHORE_PROPERTIES,
    };
    vkGetPhysicalDeviceExternalSemaphoreProperties(
        side->gpu.physical,
        &(VkPhysicalDeviceExternalSemaphoreInfo){
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_SEMAPHORE_INFO,
            .pNext =
                &(VkSemaphoreTypeCreateInfo){
                    .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                    .semaphoreType = kind,
                },
            .handleType = type,
        },
        &properties);
    if (properties.externalSemaphoreFeatures)
        expect(properties.compatibleHandleTypes & type, "a type that does not fit itself");
    return properties.externalSemaphoreFeatures;
}

static bool has_both(const struct side *side, VkSemaphoreType kind,
                     VkExternalSemaphoreHandleTypeFlagBits type)
{
    const VkExternalSemaphoreFeatureFlags both =
        VK_EXTERNAL_SEMAPHORE_FEATURE_EXPORTABLE_BIT | VK_EXTERNAL_SEMAPHORE_FEATURE_IMPORTABLE_BIT;
    return (features(side, kind, type) & both) == both;
}

static void test_properties(const struct side *side)
{
    expect(has_both(side, VK_SEMAPHORE_TYPE_BINARY, OPAQUE), "no opaque descriptors");
    expect(features(side, VK_SEMAPHORE_TYPE_BINARY,
                    VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_OPAQUE_WIN32_BIT) == 0,
           "handles of Windows");
}

static void test_instances(const struct side *a, const struct side *b)
{
    const VkSemaphore exported = create_binary(a, OPAQUE), imported = create_binary(b, 0);
    import(b, imported, OPAQUE, false, descriptor(a, exported, OPAQUE));
    for (int i = 0; i < 3; i++) {
        pass(a, exported, b, imported);
        pass(b, imported, a, exported);
    }
    /* What is imported outlives what it was exported from. */
    destroy(a, exported);
    pass(b, imported, b, imported);
    destroy(b, imported);
}

/* What is imported for one wait leaves what the semaphore was before. */
static void test_temporary(const struct side *a, const struct side *b)
{
    const VkSemaphore exported = create_binary(a, OPAQUE), borrower = create_binary(b, 0);
    for (int i = 0; i < 3; i++) {
        import(b, borrower, OPAQUE, true, descriptor(a, exported, OPAQUE));
        pass(a, exported, b, borrower);
        pass(b, borrower, b, borrower);
    }
    pass(a, exported, a, exported);
    destroy(a, exported);
    destroy(b, borrower);
}

static void test_many(const struct side *side)
{
    const VkSemaphore exported = create_binary(side, OPAQUE);
    const int before = count_descriptors();
    for (int i = 0; i < ROUNDS; i++) {
        const VkSemaphore imported = create_binary(side, 0);
        const int unused = descriptor(side, exported, OPAQUE);
        const int used = descriptor(side, exported, OPAQUE);
        expect(used != unused, "the same descriptor twice");
        import(side, imported, OPAQUE, i % 2, used);
        submit(side, &(struct batch){.signal = exported});
        submit(side, &(struct batch){.wait = imported});
        must(vkQueueWaitIdle(side->gpu.queue));
        destroy(side, imported);
        close(unused);
    }
    destroy(side, exported);
    const int after = count_descriptors();
    /* A native driver may keep one open for the semaphore that it exports. */
    expect(after <= before, "%d descriptors before, %d after", before, after);
}

static uint64_t value_of(const struct side *side, VkSemaphore timeline)
{
    uint64_t value;
    must(vkGetSemaphoreCounterValue(side->gpu.device, timeline, &value));
    return value;
}

static VkResult wait_value(const struct side *side, VkSemaphore timeline, uint64_t value,
                           uint64_t timeout)
{
    return vkWaitSemaphores(side->gpu.device,
                            &(VkSemaphoreWaitInfo){
                                .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                .semaphoreCount = 1,
                                .pSemaphores = &timeline,
                                .pValues = &value,
                            },
                            timeout);
}

static void test_timeline(const struct side *a, const struct side *b)
{
    if (!has_both(a, VK_SEMAPHORE_TYPE_TIMELINE, OPAQUE)) {
        printf("  none that are shared\n");
        return;
    }
    const VkSemaphore exported = create_timeline(a, OPAQUE), imported = create_timeline(b, 0);
    import(b, imported, OPAQUE, false, descriptor(a, exported, OPAQUE));
    must_be(VK_TIMEOUT, wait_value(b, imported, 1, SHORT_NS));
    open_gate(a, exported);
    must(wait_value(b, imported, 1, LONG_NS));
    expect(value_of(b, imported) == 1, "the value is %" PRIu64, value_of(b, imported));
    submit(b, &(struct batch){.signal = imported, .signal_value = 5});
    must(wait_value(a, exported, 5, LONG_NS));
    expect(value_of(a, exported) == 5, "the value is %" PRIu64, value_of(a, exported));
    must_be(VK_TIMEOUT, wait_value(a, exported, 6, SHORT_NS));
    destroy(a, exported);
    destroy(b, imported);
}

static void test_sync_fd(const struct side *a, const struct side *b)
{
    if (!has_both(a, VK_SEMAPHORE_TYPE_BINARY, SYNC)) {
        printf("  there are none\n");
        return;
    }
    const VkSemaphore exported = create_binary(a, SYNC), imported = create_binary(b, 0);
    import(b, imported, SYNC, true, -1);
    submit(b, &(struct batch){.wait = imported});
    must(vkQueueWaitIdle(b->gpu.queue));
    for (int i = 0; i < 3; i++) {
        submit(a, &(struct batch){.signal = exported});
        import(b, imported, SYNC, true, descriptor(a, exported, SYNC));
        submit(b, &(struct batch){.wait = imported});
        must(vkQueueWaitIdle(b->gpu.queue));
    }
    must(vkQueueWaitIdle(a->gpu.queue));
    destroy(a, exported);
    destroy(b, imported);
}

/* ---- Two processes: the first one signals, the other one waits; then the other way round. */

enum step {
    SIGNAL_IS_SUBMITTED,
    WAIT_HANGS,
    WAIT_IS_OVER,
    IS_SIGNALLED,
};

static _Noreturn void be_the_other_process(int socket)
{
    struct side side;
    const int fd = listen_for(socket, SIGNAL_IS_SUBMITTED);
    expect(fd >= 0, "no descriptor came");
    side_init(&side, "other process");
    const VkSemaphore imported = create_binary(&side, 0);
    const VkFence fence = create_fence(&side);
    import(&side, imported, OPAQUE, false, fd);
    submit(&side, &(struct batch){.wait = imported, .fence = fence});
    must_be(VK_TIMEOUT, wait_fence(&side, fence, SHORT_NS));
    say(socket, WAIT_HANGS, -1);
    must(wait_fence(&side, fence, LONG_NS));
    say(socket, WAIT_IS_OVER, -1);
    submit(&side, &(struct batch){.signal = imported});
    say(socket, IS_SIGNALLED, -1);
    must(vkQueueWaitIdle(side.gpu.queue));
    listen_for(socket, WAIT_IS_OVER);
    vkDestroyFence(side.gpu.device, fence, NULL);
    destroy(&side, imported);
    gpu_finish(&side.gpu);
    exit(EXIT_SUCCESS);
}

static void test_processes(const struct side *side, int socket, pid_t child)
{
    const VkSemaphore exported = create_binary(side, OPAQUE), gate = create_timeline(side, 0);
    const int fd = descriptor(side, exported, OPAQUE);
    submit(side, &(struct batch){.wait = gate, .wait_value = 1, .signal = exported});
    say(socket, SIGNAL_IS_SUBMITTED, fd);
    close(fd);
    listen_for(socket, WAIT_HANGS);
    open_gate(side, gate);
    listen_for(socket, WAIT_IS_OVER);
    listen_for(socket, IS_SIGNALLED);
    submit(side, &(struct batch){.wait = exported});
    must(vkQueueWaitIdle(side->gpu.queue));
    say(socket, WAIT_IS_OVER, -1);
    destroy(side, exported);
    destroy(side, gate);
    int status;
    expect(waitpid(child, &status, 0) == child && status == 0, "the other process: %x", status);
}

int main(void)
{
    int socket;
    const pid_t child = other_process(&socket, be_the_other_process);

    struct side a, b;
    side_init(&a, "semaphores");
    side_init(&b, "importer");
    section("properties");
    test_properties(&a);
    section("two instances");
    test_instances(&a, &b);
    section("imported for one wait");
    test_temporary(&a, &b);
    section("many times");
    test_many(&a);
    section("timelines");
    test_timeline(&a, &b);
    section("sync descriptors");
    test_sync_fd(&a, &b);
    section("two processes");
    test_processes(&a, socket, child);
    gpu_finish(&b.gpu);
    gpu_finish(&a.gpu);
    printf("semaphores: 7 tests passed\n");
    return 0;
}
