/* SPDX-License-Identifier: MIT
 *
 * The virtio-gpu device's contexts: shared memory with their workers, what waits, and their end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include <linux/virtio_gpu.h>

#include "protocol/completion.h"
#include "protocol/virtio_gpu.h"

#include "fake_context.h"
#include "machine.h"

/* Waits like a client: parked by the device, which looks at the word. */
static void wait_for_change(struct machine *m, uint32_t context, uint32_t shm, uint32_t offset,
                            _Atomic uint32_t *word, uint32_t value)
{
    for (int i = 0; atomic_load(word) == value; i++) {
        assert_in_range(i, 0, 20);
        const struct vd_virtio_gpu_wait wait = {
            .record = {.size = sizeof(wait), .opcode = VD_VIRTIO_GPU_WAIT},
            .shm = shm,
            .offset = offset,
            .value = value,
            .thread = 1};
        assert_int_equal(machine_submit(m, context, &wait, sizeof(wait)),
                         VIRTIO_GPU_RESP_OK_NODATA);
    }
}

/* The worker reads and writes the very pages that the guest looks at. */
static void guest_and_worker_share_pages(void **state)
{
    struct machine *m = *state;
    machine_connect_context(m, 1);
    struct vd_ring *ring = (struct vd_ring *)machine_reversed(m, RING_AT, RING_PAGES, 0);
    uint8_t *data = machine_reversed(m, RING_AT, RING_PAGES, VD_RING_DATA_OFFSET);
    struct vd_reply *reply = (struct vd_reply *)machine_reversed(m, RING_AT, RING_PAGES, 0x80000);
    const struct vd_reply_request where = {.shm = 1, .offset = 0x80000};
    for (uint64_t number = 1; number <= 3; number++) {
        memset(reply, 0, sizeof(*reply));
        fake_fill(data + (number - 1) * 64, 64, FAKE_ECHO, &where, 0, number);
        reply->state = VD_REPLY_WAITING;
        atomic_store(&ring->tail, number * 64);
        if (atomic_exchange(&ring->consumer_sleeps, 0)) {
            const struct vd_virtio_gpu_wake wake = {
                .record = {.size = sizeof(wake), .opcode = VD_VIRTIO_GPU_WAKE},
                .shm = 1,
                .offset = offsetof(struct vd_ring, consumer_sleeps)};
            assert_int_equal(machine_submit(m, 1, &wake, sizeof(wake)), VIRTIO_GPU_RESP_OK_NODATA);
        }
        wait_for_change(m, 1, 1, 0x80000, (_Atomic uint32_t *)&reply->state, VD_REPLY_WAITING);
        assert_int_equal(reply->state, VD_REPLY_DONE);
        assert_int_equal(reply->value, number);
    }
    assert_int_equal(machine_simple(m, VIRTIO_GPU_CMD_CTX_DESTROY, 1, 0),
                     VIRTIO_GPU_RESP_OK_NODATA);
    /* Answered once the worker has let go of the pages. */
    assert_int_equal(machine_simple(m, VIRTIO_GPU_CMD_RESOURCE_UNREF, 0, 10),
                     VIRTIO_GPU_RESP_OK_NODATA);
    assert_int_equal(machine_simple(m, VIRTIO_GPU_CMD_RESOURCE_UNREF, 0, 11),
                     VIRTIO_GPU_RESP_OK_NODATA);
    machine_assert_alive(m);
}

/* Gives the worker of context 1 something to die of. */
static void abort_worker(struct machine *m)
{
    struct vd_ring *ring = (struct vd_ring *)machine_reversed(m, RING_AT, RING_PAGES, 0);
    fake_fill(machine_reversed(m, RING_AT, RING_PAGES, VD_RING_DATA_OFFSET), 64, FAKE_ABORT, NULL,
              0, 1);
    atomic_store(&ring->tail, 64);
    const struct vd_virtio_gpu_wake wake = {
        .record = {.size = sizeof(wake), .opcode = VD_VIRTIO_GPU_WAKE},
        .shm = 1,
        .offset = offsetof(struct vd_ring, consumer_sleeps)};
    atomic_store(&ring->consumer_sleeps, 0);
    machine_submit(m, 1, &wake, sizeof(wake));
}

static void a_dead_worker_is_told(void **state)
{
    struct machine *m = *state;
    machine_connect_context(m, 1);
    struct vd_completion *page = (struct vd_completion *)(m->ram + PAGE_AT);
    abort_worker(m);
    wait_for_change(m, 1, 2, 0, &page->lost, 0);
    /* And nobody else minds; a new context gets a new worker. */
    assert_int_equal(machine_simple(m, VIRTIO_GPU_CMD_CTX_DESTROY, 1, 0),
                     VIRTIO_GPU_RESP_OK_NODATA);
    machine_simple(m, VIRTIO_GPU_CMD_RESOURCE_UNREF, 0, 10);
    machine_simple(m, VIRTIO_GPU_CMD_RESOURCE_UNREF, 0, 11);
    memset(m->ram + PAGES_AT, 0, RAM_SIZE - PAGES_AT);
    machine_connect_context(m, 1);
}

/* ---- Watches */

static void offer_watch(struct machine *m, uint16_t slot)
{
    const struct {
        struct virtio_gpu_cmd_submit submit;
        struct vd_virtio_gpu_watch watch;
    } command = {
        .submit = {.hdr = {.type = VIRTIO_GPU_CMD_SUBMIT_3D,
                           .flags = VIRTIO_GPU_FLAG_FENCE,
                           .fence_id = slot,
                           .ctx_id = 1},
                   .size = sizeof(command.watch)},
        .watch = {.record = {.size = sizeof(command.watch), .opcode = VD_VIRTIO_GPU_WATCH}},
    };
    machine_offer_request(m, 0, &command, sizeof(command), slot);
}

/* The number of the fence that the answer in this slot signals. */
static uint64_t signalled(const struct machine *m, uint16_t slot)
{
    return ((const struct virtio_gpu_ctrl_hdr *)(m->ram + ANSWER_AT + slot * 0x8000))->fence_id;
}

/* A watch is kept: not answered by time as a wait is, but by the next one, and by the worker's
 * death. Without a worker there is nothing to watch. */
static void a_watch_ends_with_the_worker(void **state)
{
    struct machine *m = *state;
    struct pollfd call = {.fd = m->call[0], .events = POLLIN};
    assert_int_equal(machine_create_context(m, 1), VIRTIO_GPU_RESP_OK_NODATA);
    offer_watch(m, 1);
    machine_await(m, 0);
    assert_int_equal(machine_simple(m, VIRTIO_GPU_CMD_CTX_DESTROY, 1, 0),
                     VIRTIO_GPU_RESP_OK_NODATA);

    machine_connect_context(m, 1);
    eventfd_t count;
    eventfd_read(m->call[0], &count);
    offer_watch(m, 2);
    assert_int_equal(poll(&call, 1, 2500), 0);
    offer_watch(m, 3);
    machine_await(m, 0);
    assert_int_equal(signalled(m, 2), 2);
    assert_int_equal(signalled(m, 3), 0);

    struct vd_completion *page = (struct vd_completion *)(m->ram + PAGE_AT);
    abort_worker(m);
    machine_await(m, 0);
    assert_int_equal(signalled(m, 3), 3);
    assert_int_equal(atomic_load(&page->lost), 1);
    offer_watch(m, 4);
    machine_await(m, 0);
}

static void others_resources_are_out_of_reach(void **state)
{
    struct machine *m = *state;
    assert_int_equal(machine_create_context(m, 1), VIRTIO_GPU_RESP_OK_NODATA);
    assert_int_equal(machine_create_context(m, 2), VIRTIO_GPU_RESP_OK_NODATA);
    assert_int_equal(machine_create_buffer(m, 5, 4096), VIRTIO_GPU_RESP_OK_NODATA);
    /* Not attached, and not there at all. */
    assert_int_equal(machine_register_shm(m, 1, 5, 1), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    assert_int_equal(machine_register_shm(m, 1, 6, 1), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    assert_int_equal(machine_simple(m, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, 2, 5),
                     VIRTIO_GPU_RESP_OK_NODATA);
    /* Attached to another context; without pages; without an id. */
    assert_int_equal(machine_register_shm(m, 1, 5, 1), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    assert_int_equal(machine_register_shm(m, 2, 5, 1), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(machine_attach(m, 5, PAGES_AT, 1), VIRTIO_GPU_RESP_OK_NODATA);
    assert_int_equal(machine_register_shm(m, 2, 5, 0), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(machine_register_shm(m, 2, 5, VD_VIRTIO_GPU_SHM_MAX + 1),
                     VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    /* A context's words belong to it alone. */
    machine_register_shm(m, 2, 5, 1);
    const struct vd_virtio_gpu_wake wake = {
        .record = {.size = sizeof(wake), .opcode = VD_VIRTIO_GPU_WAKE}, .shm = 1};
    assert_int_equal(machine_submit(m, 1, &wake, sizeof(wake)),
                     VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    assert_int_equal(machine_submit(m, 2, &wake, sizeof(wake)), VIRTIO_GPU_RESP_OK_NODATA);
    assert_int_equal(machine_submit(m, 3, &wake, sizeof(wake)),
                     VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID);
    machine_assert_alive(m);
}

/* What is parked never fills the queue, and does not stay when the queue is stopped. */
static void many_waits_do_not_fill_the_queue(void **state)
{
    struct machine *m = *state;
    machine_connect_context(m, 1);
    struct {
        struct virtio_gpu_cmd_submit submit;
        struct vd_virtio_gpu_wait wait;
    } command = {
        .submit = {.hdr = {.type = VIRTIO_GPU_CMD_SUBMIT_3D,
                           .flags = VIRTIO_GPU_FLAG_FENCE,
                           .ctx_id = 1},
                   .size = sizeof(command.wait)},
        .wait = {.record = {.size = sizeof(command.wait), .opcode = VD_VIRTIO_GPU_WAIT}, .shm = 2},
    };
    /* More waits than a context may have parked: the oldest come back. */
    for (uint16_t i = 0; i < 30; i++) {
        command.wait.thread = i;
        command.submit.hdr.fence_id = i;
        machine_offer_request(m, 0, &command, sizeof(command), (uint16_t)(1 + i % 31));
    }
    for (int i = 0; i < 6; i++)
        machine_await(m, 0);
    /* The rest when the frontend stops the queue. */
    machine_stop_control_queue(m);
    for (int i = 0; i < 24; i++)
        machine_await(m, 0);
    /* And a guest that begins anew finds nothing of the last one. */
    memset(m->ram + PAGES_AT, 0, RAM_SIZE - PAGES_AT);
    machine_start_queues(m);
    machine_connect_context(m, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, machine_set_up, machine_tear_down)
        TEST(guest_and_worker_share_pages),     TEST(a_dead_worker_is_told),
        TEST(a_watch_ends_with_the_worker),     TEST(others_resources_are_out_of_reach),
        TEST(many_waits_do_not_fill_the_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
