/* SPDX-License-Identifier: MIT
 *
 * Submissions, semaphores, and those who wait for them.
 */
#include "fixture.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "common/clock.h"
#include "server/shm.h"

/* ---- Submissions */

static void submissions_are_counted(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    struct vd_completion_queue *queue = &client->completion->queues[0];
    make_submit(&r, 1);
    accepted(client, &r);
    await_count(&queue->done, 1);
    make_submit(&r, 3);
    accepted(client, &r);
    await_count(&queue->done, 4);
    /* Nobody can tell the first two from the last. */
    assert_int_equal(fake_driver.signal_count, 1);
    assert_int_equal(fake_driver.signalled[0], 4);
    make_submit(&r, 0);
    accepted(client, &r);
    await_count(&queue->done, 5);

    struct vd_args_vkQueueSubmit2 args = {.queue = HANDLE(VkQueue, QUEUE), .submitCount = 2};
    const VkSubmitInfo2 infos[2] = {{.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2},
                                    {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2}};
    record_begin(&r, VD_OP_vkQueueSubmit2, &args, sizeof(args), false);
    record_put(&r, ARG(&r, struct vd_args_vkQueueSubmit2, pSubmits), infos, sizeof(infos));
    accepted(client, &r);
    await_count(&queue->done, 7);

    const struct vd_args_vkQueueBindSparse bind = {.queue = HANDLE(VkQueue, QUEUE)};
    record_begin(&r, VD_OP_vkQueueBindSparse, &bind, sizeof(bind), false);
    accepted(client, &r);
    await_count(&queue->done, 8);
    make_submit(&r, 1);
    accepted(client, &r);
    await_count(&queue->done, 9);

    fake_driver.hold = true;
    make_submit(&r, 2);
    accepted(client, &r);
    usleep(20000);
    assert_int_equal(atomic_load(&queue->done), 9);
    fake_driver_finish();
    await_count(&queue->done, 11);
    assert_false(client_is_lost(client));
}

static void who_executes_looks_itself(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    struct vd_completion_queue *queue = &client->completion->queues[0];
    client->looks = true;
    fake_driver.hold = true;
    make_submit(&r, 2);
    accepted(client, &r);
    vds_context_look(client->context);
    assert_int_equal(atomic_load(&queue->done), 0);
    fake_driver_finish();
    usleep(20000);
    /* Nobody else has. */
    assert_int_equal(atomic_load(&queue->done), 0);
    vds_context_look(client->context);
    assert_int_equal(atomic_load(&queue->done), 2);

    fake_driver.hold = true;
    make_submit(&r, 1);
    accepted(client, &r);
    vds_context_look(client->context);
    vds_context_leave(client->context);
    fake_driver_finish();
    await_count(&queue->done, 3);
    /* What was not left to anybody is waited for at the end. */
    fake_driver.hold = false;
    make_submit(&r, 1);
    accepted(client, &r);
}

/* Three batches, the second of which signals a semaphore: who sees that may want to know its end before
 * the third one's. */
static void batches_that_signal_are_told(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t semaphore = SEMAPHORE;
    make_semaphore(&r, SEMAPHORE);
    accepted(client, &r);

    const struct vd_args_vkQueueSubmit args = {.queue = HANDLE(VkQueue, QUEUE), .submitCount = 3};
    VkSubmitInfo infos[3] = {{.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO},
                             {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .signalSemaphoreCount = 1},
                             {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO}};
    record_begin(&r, VD_OP_vkQueueSubmit, &args, sizeof(args), false);
    uint32_t at =
        record_put(&r, ARG(&r, struct vd_args_vkQueueSubmit, pSubmits), infos, sizeof(infos));
    record_put(&r, at + (uint32_t)(sizeof(infos[0]) + offsetof(VkSubmitInfo, pSignalSemaphores)),
               &semaphore, sizeof(semaphore));
    accepted(client, &r);
    assert_int_equal(fake_driver.signal_count, 3);
    assert_int_equal(fake_driver.signalled[1], 2);
    assert_int_equal(fake_driver.signalled[2], 3);

    const struct vd_args_vkQueueSubmit2 args2 = {.queue = HANDLE(VkQueue, QUEUE), .submitCount = 3};
    const VkSemaphoreSubmitInfo signal = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
                                          .semaphore = (VkSemaphore)semaphore};
    const VkSubmitInfo2 infos2[3] = {
        {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2},
        {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2, .signalSemaphoreInfoCount = 1},
        {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2}};
    record_begin(&r, VD_OP_vkQueueSubmit2, &args2, sizeof(args2), false);
    at = record_put(&r, ARG(&r, struct vd_args_vkQueueSubmit2, pSubmits), infos2, sizeof(infos2));
    record_put(&r,
               at + (uint32_t)(sizeof(infos2[0]) + offsetof(VkSubmitInfo2, pSignalSemaphoreInfos)),
               &signal, sizeof(signal));
    accepted(client, &r);
    assert_int_equal(fake_driver.signal_count, 3);
    assert_int_equal(fake_driver.signalled[1], 5);
    assert_int_equal(fake_driver.signalled[2], 6);
    await_count(&client->completion->queues[0].done, 6);
    assert_false(client_is_lost(client));
}

static void timeline_values_are_kept(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t semaphore = ID(VkSemaphore, 160), value = 42;
    make_semaphore(&r, semaphore);
    accepted(client, &r);
    const VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .signalSemaphoreCount = 1};
    const VkTimelineSemaphoreSubmitInfo values = {
        .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO, .signalSemaphoreValueCount = 1};
    const struct vd_args_vkQueueSubmit args = {.queue = HANDLE(VkQueue, QUEUE), .submitCount = 1};
    record_begin(&r, VD_OP_vkQueueSubmit, &args, sizeof(args), false);
    const uint32_t at =
        record_put(&r, ARG(&r, struct vd_args_vkQueueSubmit, pSubmits), &info, sizeof(info));
    record_put(&r, at + (uint32_t)offsetof(VkSubmitInfo, pSignalSemaphores), &semaphore, 8);
    const uint32_t link =
        record_put(&r, at + (uint32_t)offsetof(VkSubmitInfo, pNext), &values, sizeof(values));
    record_put(&r, link + (uint32_t)offsetof(VkTimelineSemaphoreSubmitInfo, pSignalSemaphoreValues),
               &value, 8);
    accepted(client, &r);
    await_count(&client->completion->queues[0].done, 1);
    assert_int_equal(fake_driver.signal_count, 2);
    assert_int_equal(fake_driver.signalled[0], 42);
    assert_int_equal(fake_driver.signalled[1], 1);
}

/* ---- Semaphores by descriptor */

static void make_import(struct test_record *r, VkExternalSemaphoreHandleTypeFlagBits type,
                        uint32_t fd)
{
    const struct vd_args_vkImportSemaphoreFdKHR args = {.device = HANDLE(VkDevice, DEVICE)};
    const VkImportSemaphoreFdInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_SEMAPHORE_FD_INFO_KHR,
        .semaphore = HANDLE(VkSemaphore, SEMAPHORE),
        .handleType = type,
        .fd = (int)fd,
    };
    record_begin(r, VD_OP_vkImportSemaphoreFdKHR, &args, sizeof(args), true);
    record_put(r, ARG(r, struct vd_args_vkImportSemaphoreFdKHR, pImportSemaphoreFdInfo), &info,
               sizeof(info));
}

static void make_export(struct test_record *r, VkExternalSemaphoreHandleTypeFlagBits type)
{
    const struct vd_args_vkGetSemaphoreFdKHR args = {.device = HANDLE(VkDevice, DEVICE)};
    const VkSemaphoreGetFdInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_GET_FD_INFO_KHR,
        .semaphore = HANDLE(VkSemaphore, SEMAPHORE),
        .handleType = type,
    };
    record_begin(r, VD_OP_vkGetSemaphoreFdKHR, &args, sizeof(args), true);
    record_put(r, ARG(r, struct vd_args_vkGetSemaphoreFdKHR, pGetFdInfo), &info, sizeof(info));
    record_out(r, ARG(r, struct vd_args_vkGetSemaphoreFdKHR, pFd), sizeof(int));
}

static const VkExternalSemaphoreHandleTypeFlagBits opaque_fd =
    VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_OPAQUE_FD_BIT;
static const VkExternalSemaphoreHandleTypeFlagBits sync_fd =
    VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT;

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void semaphores_are_imported(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    make_semaphore(&r, SEMAPHORE);
    accepted(client, &r);
    /* What was not given, or used before. */
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const uint32_t id = vds_shm_add_fd(client->shm, fd);
    const uint32_t bad[] = {0, client->replies->id, id + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        make_import(&r, opaque_fd, bad[i]);
        refused(client, &r);
    }
    make_import(&r, opaque_fd, id);
    answered(client, &r, VK_SUCCESS);
    /* A duplicate, out of reach of whatever other threads open, is the driver's now. */
    assert_false(is_open(fd));
    assert_true(fake_driver.imported_fd > fd);
    assert_true(is_open(fake_driver.imported_fd));
    close(fake_driver.imported_fd);
    refused(client, &r);

    /* What the driver does not want is closed, once, whether or not the driver has closed it. */
    for (int closes = 0; closes < 2; closes++) {
        const int other = open("/dev/null", O_RDONLY | O_CLOEXEC);
        make_import(&r, opaque_fd, vds_shm_add_fd(client->shm, other));
        fake_driver.closes_fd = closes;
        fake_driver.next_result = VK_ERROR_INVALID_EXTERNAL_HANDLE;
        answered(client, &r, VK_ERROR_INVALID_EXTERNAL_HANDLE);
        assert_false(is_open(other));
        assert_false(is_open(fake_driver.refused_fd));
    }

    /* What is signalled already has no descriptor. */
    make_import(&r, sync_fd, UINT32_MAX);
    answered(client, &r, VK_SUCCESS);
    assert_int_equal(fake_driver.imported_fd, -1);
}

static int answered_fd(const struct test_client *client)
{
    int fd;
    memcpy(&fd, client_reply_bytes(client), sizeof(fd));
    return fd;
}

static void semaphores_are_exported(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    make_semaphore(&r, SEMAPHORE);
    accepted(client, &r);
    fake_driver.exported_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    make_export(&r, opaque_fd);
    answered(client, &r, VK_SUCCESS);
    assert_true(answered_fd(client) > 0);
    assert_int_equal(vds_shm_take_fd(client->shm, (uint32_t)answered_fd(client)),
                     fake_driver.exported_fd);
    close(fake_driver.exported_fd);

    fake_driver.exported_fd = -1;
    make_export(&r, sync_fd);
    answered(client, &r, VK_SUCCESS);
    assert_int_equal(answered_fd(client), -1);

    fake_driver.next_result = VK_ERROR_TOO_MANY_OBJECTS;
    answered(client, &r, VK_ERROR_TOO_MANY_OBJECTS);
}

/* ---- Semaphores that no queue signals */

static void destroy_semaphore(struct test_client *client, uint64_t id)
{
    struct test_record r;
    const struct vd_args_vkDestroySemaphore args = {.device = HANDLE(VkDevice, DEVICE),
                                                    .semaphore = HANDLE(VkSemaphore, id)};
    record_begin(&r, VD_OP_vkDestroySemaphore, &args, sizeof(args), false);
    accepted(client, &r);
}

static void signal_semaphore(struct test_client *client, uint64_t id)
{
    struct test_record r;
    const struct vd_signal_semaphore args = {.semaphore = id};
    record_begin(&r, VD_OP_SIGNAL_SEMAPHORE, &args, sizeof(args), false);
    accepted(client, &r);
}

#define NTH(i) ID(VkSemaphore, 150 + (i))
static const uint64_t three_values[3] = {10, 20, 30};

/* Batches that wait for these three, with stages 1, 2, 4 and values 10, 20, 30. */
static void make_submit_waiting(struct test_record *r)
{
    const struct vd_args_vkQueueSubmit args = {.queue = HANDLE(VkQueue, QUEUE), .submitCount = 1};
    const VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .waitSemaphoreCount = 3};
    const VkTimelineSemaphoreSubmitInfo values = {
        .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO, .waitSemaphoreValueCount = 3};
    const uint64_t three[3] = {NTH(0), NTH(1), NTH(2)};
    const VkPipelineStageFlags stages[3] = {1, 2, 4};
    record_begin(r, VD_OP_vkQueueSubmit, &args, sizeof(args), false);
    const uint32_t at =
        record_put(r, ARG(r, struct vd_args_vkQueueSubmit, pSubmits), &info, sizeof(info));
    record_put(r, at + (uint32_t)offsetof(VkSubmitInfo, pWaitSemaphores), three, sizeof(three));
    record_put(r, at + (uint32_t)offsetof(VkSubmitInfo, pWaitDstStageMask), stages, sizeof(stages));
    const uint32_t link =
        record_put(r, at + (uint32_t)offsetof(VkSubmitInfo, pNext), &values, sizeof(values));
    record_put(r, link + (uint32_t)offsetof(VkTimelineSemaphoreSubmitInfo, pWaitSemaphoreValues),
               three_values, sizeof(three_values));
}

static void make_submit2_waiting(struct test_record *r)
{
    const struct vd_args_vkQueueSubmit2 args = {.queue = HANDLE(VkQueue, QUEUE), .submitCount = 1};
    const VkSubmitInfo2 info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2,
                                .waitSemaphoreInfoCount = 3};
    VkSemaphoreSubmitInfo waits[3];
    for (int i = 0; i < 3; i++) {
        waits[i] = (VkSemaphoreSubmitInfo){
            .sType = VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO,
            .semaphore = HANDLE(VkSemaphore, NTH(i)),
            .value = three_values[i],
            .stageMask = 1u << i,
        };
    }
    record_begin(r, VD_OP_vkQueueSubmit2, &args, sizeof(args), false);
    const uint32_t at =
        record_put(r, ARG(r, struct vd_args_vkQueueSubmit2, pSubmits), &info, sizeof(info));
    record_put(r, at + (uint32_t)offsetof(VkSubmitInfo2, pWaitSemaphoreInfos), waits,
               sizeof(waits));
}

static void make_bind_waiting(struct test_record *r)
{
    const struct vd_args_vkQueueBindSparse args = {.queue = HANDLE(VkQueue, QUEUE),
                                                   .bindInfoCount = 1};
    const uint64_t three[3] = {NTH(0), NTH(1), NTH(2)};
    const VkBindSparseInfo info = {.sType = VK_STRUCTURE_TYPE_BIND_SPARSE_INFO,
                                   .waitSemaphoreCount = 3};
    record_begin(r, VD_OP_vkQueueBindSparse, &args, sizeof(args), false);
    const uint32_t at =
        record_put(r, ARG(r, struct vd_args_vkQueueBindSparse, pBindInfo), &info, sizeof(info));
    record_put(r, at + (uint32_t)offsetof(VkBindSparseInfo, pWaitSemaphores), three, sizeof(three));
}

/* Whether the last batch waited for these of the three, a bit for each; after and between sparse
 * bindings also for the queue's own semaphore. */
static void waited_for(struct test_client *client, uint32_t which, bool stages, bool values)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < 3; i++) {
        if (which >> i & 1) {
            assert_int_equal((uintptr_t)fake_driver.waited[n], client_host_handle(client, NTH(i)));
            assert_int_equal(fake_driver.wait_stages[n], stages ? 1u << i : 0);
            assert_int_equal(fake_driver.wait_values[n], values ? three_values[i] : 0);
            n++;
        }
    }
    for (uint32_t i = 0; i < 3 && fake_driver.wait_count > n; i++)
        assert_int_not_equal((uintptr_t)fake_driver.waited[n], client_host_handle(client, NTH(i)));
    assert_in_range(fake_driver.wait_count, n, n + 1);
}

static void what_the_client_signals_is_not_waited_for(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    void (*const make[])(struct test_record *) = {make_bind_waiting, make_submit_waiting,
                                                  make_submit2_waiting};
    for (int i = 0; i < 3; i++) {
        make_semaphore(&r, NTH(i));
        accepted(client, &r);
    }
    const uint32_t submits = fake_driver.submits;
    for (int kind = 0; kind < 3; kind++) {
        for (uint32_t which = 0; which < 8; which++) {
            for (int i = 0; i < 3; i++)
                if (which >> i & 1)
                    signal_semaphore(client, NTH(i));
            make[kind](&r);
            accepted(client, &r);
            waited_for(client, 7 & ~which, kind != 0, kind != 0);
            accepted(client, &r); /* signalled once, waited for once */
            waited_for(client, 7, kind != 0, kind != 0);
        }
    }
    /* Nothing else was submitted. */
    assert_int_equal(fake_driver.submits - submits, 3 * 8 * 2);
    assert_false(client_is_lost(client));
}

static void what_the_client_signals_is_told_to_others(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    make_semaphore(&r, SEMAPHORE);
    accepted(client, &r);
    fake_driver.exported_fd = -1;
    for (int i = 0; i < 2; i++) {
        signal_semaphore(client, SEMAPHORE);
        const uint32_t submits = fake_driver.submits;
        for (int again = 0; again < 2; again++) {
            if (i == 0)
                make_export(&r, sync_fd);
            else
                make_import(&r, sync_fd, UINT32_MAX);
            answered(client, &r, VK_SUCCESS);
            assert_int_equal(fake_driver.submits, submits + 1);
            assert_int_equal(fake_driver.signal_count, 1);
        }
    }
    /* More than are remembered. */
    const uint32_t submits = fake_driver.submits;
    for (uint64_t i = 0; i < 300; i++) {
        make_semaphore(&r, ID(VkSemaphore, 200 + i));
        accepted(client, &r);
        signal_semaphore(client, ID(VkSemaphore, 200 + i));
        signal_semaphore(client, ID(VkSemaphore, 200));
    }
    assert_int_equal(fake_driver.submits - submits, 300 - 256);
}

static void signals_are_checked(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    make_semaphore(&r, SEMAPHORE);
    accepted(client, &r);
    signal_semaphore(client, SEMAPHORE);
    destroy_semaphore(client, SEMAPHORE);
    const uint64_t wrong[] = {SEMAPHORE, 0, BUFFER, ID(VkSemaphore, 99), DEVICE, UINT64_MAX};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const struct vd_signal_semaphore args = {.semaphore = wrong[i]};
        record_begin(&r, VD_OP_SIGNAL_SEMAPHORE, &args, sizeof(args), false);
        refused(client, &r);
    }
    make_semaphore(&r, ID(VkSemaphore, 98));
    accepted(client, &r);
    const struct vd_signal_semaphore args[2] = {{ID(VkSemaphore, 98)}, {ID(VkSemaphore, 98)}};
    record_begin(&r, VD_OP_SIGNAL_SEMAPHORE, args, sizeof(args), false);
    refused(client, &r);
    record_begin(&r, VD_OP_SIGNAL_SEMAPHORE, args, sizeof(args[0]), true);
    refused(client, &r);

    /* One whose creation failed. */
    fake_driver.next_result = VK_ERROR_OUT_OF_HOST_MEMORY;
    make_semaphore(&r, ID(VkSemaphore, 97));
    accepted(client, &r);
    assert_false(client_is_lost(client));
    signal_semaphore(client, ID(VkSemaphore, 97));
    assert_true(client_is_lost(client));
}

/* ---- SYNC */

static void sync_is_answered_behind_what_was_submitted(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint32_t submits = fake_driver.submits;
    make_submit(&r, 1);
    accepted(client, &r);
    make_sync(&r);
    answered(client, &r, VK_SUCCESS);
    assert_int_equal(fake_driver.submits, submits + 1);

    /* Those who wait must not wait for ever. */
    vds_context_lose(client->context, "by the test");
    answered(client, &r, VK_SUCCESS);
}

static void sync_wants_nothing_but_an_answer(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    record_begin(&r, VD_OP_SYNC, NULL, 0, false);
    refused(client, &r);
    const uint64_t args = 0;
    record_begin(&r, VD_OP_SYNC, &args, sizeof(args), true);
    refused(client, &r);
    make_sync(&r);
    struct vd_reply_request *request = (struct vd_reply_request *)(r.bytes + 8);
    request->out_size = 8;
    refused(client, &r);
    request->out_size = 0;
    accepted(client, &r);
}

/* ---- The life of semaphores */

/* A driver may look at what a batch waited for after it has signalled its end. */
static void semaphores_outlive_the_batches_before_their_end(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    struct vd_completion_queue *queue = &client->completion->queues[0];
    for (uint64_t i = 0; i < 5; i++) {
        make_semaphore(&r, ID(VkSemaphore, 160 + i));
        accepted(client, &r);
    }
    make_submit(&r, 1);
    accepted(client, &r);
    const uint32_t objects = fake_driver.objects;
    await_count(&queue->done, 1);
    destroy_semaphore(client, ID(VkSemaphore, 160));
    destroy_semaphore(client, ID(VkSemaphore, 161));
    assert_int_equal(client_host_handle(client, ID(VkSemaphore, 160)), 0);
    assert_int_equal(fake_driver.objects, objects);
    /* Behind a later batch there is no use for the first one, and then for the second. */
    make_submit(&r, 1);
    accepted(client, &r);
    await_count(&queue->done, 2);
    destroy_semaphore(client, ID(VkSemaphore, 162));
    assert_int_equal(fake_driver.objects, objects - 1);
    make_submit(&r, 1);
    accepted(client, &r);
    await_count(&queue->done, 3);
    destroy_semaphore(client, ID(VkSemaphore, 163));
    assert_int_equal(fake_driver.objects, objects - 2);
}

/* Most queues of a device are never used: what they need is made with the first submission. */
static void queues_cost_nothing_until_they_are_used(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint32_t objects = fake_driver.objects;
    make_submit(&r, 1);
    accepted(client, &r);
    await_count(&client->completion->queues[0].done, 1);
    const uint32_t more = fake_driver.objects;
    assert_int_equal(more, objects + 1); /* the timeline; fences are not counted */
    make_submit(&r, 1);
    accepted(client, &r);
    await_count(&client->completion->queues[0].done, 2);
    assert_int_equal(fake_driver.objects, more);
}

/* Without later batches they do not pile up for ever. */
static void semaphores_do_not_pile_up(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    make_submit(&r, 1);
    accepted(client, &r);
    await_count(&client->completion->queues[0].done, 1);
    const uint32_t objects = fake_driver.objects;
    for (uint64_t i = 0; i < 2000; i++) {
        make_semaphore(&r, ID(VkSemaphore, 160 + i));
        accepted(client, &r);
        destroy_semaphore(client, ID(VkSemaphore, 160 + i));
        assert_true(fake_driver.objects < objects + 600);
    }
}

/* ---- Waits */

static bool await_reply(struct test_client *client)
{
    for (int i = 0; i < 2000; i++) {
        const _Atomic uint32_t *state = (const _Atomic uint32_t *)&client_reply(client)->state;
        if (atomic_load(state) == VD_REPLY_DONE)
            return true;
        usleep(1000);
    }
    return false;
}

static void waits_do_not_stop_the_ring(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t semaphore = ID(VkSemaphore, 170);
    make_semaphore(&r, semaphore);
    accepted(client, &r);
    make_wait(&r, semaphore, 0);
    answered(client, &r, VK_TIMEOUT);

    for (int i = 0; i < 2; i++) {
        make_wait(&r, semaphore, UINT64_MAX);
        accepted(client, &r);
        if (i == 0)
            assert_int_equal(client_reply(client)->state, VD_REPLY_PENDING);
        const struct vd_args_vkSignalSemaphore args = {.device = HANDLE(VkDevice, DEVICE)};
        const VkSemaphoreSignalInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO,
                                            .semaphore = HANDLE(VkSemaphore, semaphore),
                                            .value = 1};
        record_begin(&r, VD_OP_vkSignalSemaphore, &args, sizeof(args), false);
        record_put(&r, ARG(&r, struct vd_args_vkSignalSemaphore, pSignalInfo), &info, sizeof(info));
        accepted(client, &r);
        assert_true(await_reply(client));
        assert_int_equal(client_reply(client)->result, VK_SUCCESS);
    }
}

static void waits_end_when_the_device_is_lost(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t semaphore = ID(VkSemaphore, 175);
    make_semaphore(&r, semaphore);
    accepted(client, &r);
    make_wait(&r, semaphore, UINT64_MAX);
    accepted(client, &r);
    assert_int_equal(client_reply(client)->state, VD_REPLY_PENDING);
    make_submit(&r, 1); /* the first one makes more than a submission */
    accepted(client, &r);
    await_count(&client->completion->queues[0].done, 1);
    fake_driver.next_result = VK_ERROR_DEVICE_LOST;
    make_submit(&r, 1);
    accepted(client, &r);
    assert_int_equal(client_reply(client)->state, VD_REPLY_DONE);
    assert_int_equal(client_reply(client)->result, VK_ERROR_DEVICE_LOST);
    make_wait(&r, semaphore, UINT64_MAX);
    answered(client, &r, VK_ERROR_DEVICE_LOST);

    /* The driver still waits for it. */
    const uint32_t objects = fake_driver.objects;
    destroy_semaphore(client, semaphore);
    assert_int_equal(fake_driver.objects, objects);
    assert_int_equal(client_host_handle(client, semaphore), 0);
    fake_driver_give_up();
}

static void loss_is_noticed_where_waits_for_timelines_stay_asleep(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    fake_driver.hold = true;
    make_submit(&r, 1);
    accepted(client, &r);
    assert_false(client_is_lost(client));
    fake_driver.lost_in_silence = true;
    const uint64_t until = vd_clock_ns() + 10 * VD_NS_PER_S;
    while (!client_is_lost(client)) {
        assert_true(vd_clock_ns() < until);
        usleep(10000);
    }
    fake_driver.lost_in_silence = false;
    fake_driver_give_up();
}

static void nobody_waits_for_what_is_told_of_a_loss(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t semaphore = ID(VkSemaphore, 175);
    make_semaphore(&r, semaphore);
    accepted(client, &r);
    fake_driver.hold = true;
    make_submit(&r, 1);
    accepted(client, &r);
    make_wait(&r, semaphore, UINT64_MAX);
    accepted(client, &r);
    fake_driver.thinks = true;
    fake_driver.lost_in_silence = true;
    assert_true(await_reply(client));
    assert_int_equal(client_reply(client)->result, VK_ERROR_DEVICE_LOST);
    await_count(&fake_driver.asked, 1);
    /* The ring's thread takes locks for that. */
    make_wait(&r, semaphore, UINT64_MAX);
    answered(client, &r, VK_ERROR_DEVICE_LOST);
    assert_true(fake_driver.thinks);
    fake_driver.thinks = fake_driver.lost_in_silence = false;
    fake_driver_give_up();
}

static void waits_without_end_do_not_hang_the_end(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t semaphore = ID(VkSemaphore, 180);
    make_semaphore(&r, semaphore);
    accepted(client, &r);
    make_wait(&r, semaphore, UINT64_MAX);
    accepted(client, &r);
    fake_driver.hold = true;
    make_submit(&r, 1);
    accepted(client, &r);
    const time_t start = time(NULL);
    make_simple(&r, VD_OP_vkDestroyDevice, DEVICE, false);
    accepted(client, &r);
    make_simple(&r, VD_OP_vkDestroyInstance, ID(VkInstance, 1), false);
    accepted(client, &r);
    assert_true(time(NULL) - start <= 4);
    /* Both were left to themselves; let them end. */
    vds_context_destroy(client->context);
    const struct vds_context_options options = {0};
    client->context = vds_context_create_on(fake_get_instance_proc_addr, &options, client->shm);
    fake_driver_finish();
    usleep(50000);
    fake_driver.instances = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(submissions_are_counted, open_device),
        TEST(who_executes_looks_itself, open_device),
        TEST(timeline_values_are_kept, open_device),
        TEST(semaphores_are_imported, open_device),
        TEST(semaphores_are_exported, open_device),
        TEST(batches_that_signal_are_told, open_device),
        TEST(what_the_client_signals_is_not_waited_for, open_device),
        TEST(what_the_client_signals_is_told_to_others, open_device),
        TEST(signals_are_checked, open_device),
        TEST(sync_is_answered_behind_what_was_submitted, open_device),
        TEST(sync_wants_nothing_but_an_answer, open_device),
        TEST(semaphores_outlive_the_batches_before_their_end, open_device),
        TEST(queues_cost_nothing_until_they_are_used, open_device),
        TEST(semaphores_do_not_pile_up, open_device),
        TEST(waits_do_not_stop_the_ring, open_device),
        TEST(waits_end_when_the_device_is_lost, open_device),
        TEST(loss_is_noticed_where_waits_for_timelines_stay_asleep, open_device),
        TEST(nobody_waits_for_what_is_told_of_a_loss, open_device),
        TEST(waits_without_end_do_not_hang_the_end, open_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
