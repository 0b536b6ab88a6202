/* SPDX-License-Identifier: MIT
 *
 * The virtio-gpu device's queues and 2D resources as QEMU and a guest see them. Most of what this
 * guest does no sane one would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/virtio_gpu.h>

#include "machine.h"
#include "virtio_gpu_commands.h"

static void every_length_is_answered(void **state)
{
    struct machine *m = *state;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const unsigned queue = commands[i] >> 8 == 3 ? 1 : 0;
        for (uint32_t size = 0; size <= 128; size++) {
            uint8_t bytes[128] = {0};
            memcpy(bytes, &commands[i], sizeof(commands[i]));
            machine_request(m, queue, bytes, size);
        }
    }
    machine_assert_alive(m);
}

static uint32_t small_random(struct machine *m)
{
    static const uint32_t edges[] = {0, 1, 2, 3, 4, 64, 4096, 0x7fffffff, 0x80000000, 0xffffffff};
    m->seed = m->seed * 1103515245 + 12345;
    const uint32_t value = m->seed >> 8;
    return value % 3 ? edges[value % (sizeof(edges) / sizeof(edges[0]))] : value % 5;
}

static void nonsense_is_survived(void **state)
{
    struct machine *m = *state;
    for (unsigned round = 0; round < 20000; round++) {
        uint32_t words[40];
        for (size_t i = 0; i < 40; i++)
            words[i] = small_random(m);
        words[0] = commands[small_random(m) % COMMAND_COUNT];
        words[1] &= 1;
        words[4] %= 4;
        words[6] %= 6;
        machine_request(m, words[0] >> 8 == 3, words, sizeof(words));
    }
    machine_assert_alive(m);
}

static void malformed_descriptors_come_back(void **state)
{
    struct machine *m = *state;
    struct vring_desc *desc = machine_descs(m, 0);
    struct vring_desc *table = (struct vring_desc *)(m->ram + TABLE_AT);
    const uint64_t at = RAM_BASE + REQUEST_AT, table_at = RAM_BASE + TABLE_AT;
    const uint16_t next = VRING_DESC_F_NEXT, indirect = VRING_DESC_F_INDIRECT;

    table[0] = (struct vring_desc){table_at, 16, indirect, 0};
    const struct vring_desc firsts[] = {
        {at, 24, next, 0},          /* a loop */
        {at, 24, next, QUEUE_SIZE}, /* beyond the table */
        {at, 24, next, 0xffff},
        {0, 24, 0, 0}, /* no memory */
        {RAM_BASE + RAM_SIZE - 8, 24, 0, 0},
        {UINT64_MAX - 7, 24, 0, 0},
        {at, 0xffffffff, 0, 0},          /* a request of 4 GiB */
        {at, 24, VRING_DESC_F_WRITE, 0}, /* nothing to read */
        {table_at, 16, indirect, 0},     /* indirect within indirect */
        {table_at, 15, indirect, 0},
        {table_at, 0, indirect, 0},
        {table_at, 0xfffffff0, indirect, 0},
        {0, 16, indirect, 0},
        {table_at, 16, indirect | next, 1},
    };
    for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
        desc[0] = firsts[i];
        machine_offer(m, 0, 0);
        machine_await(m, 0);
        machine_assert_alive(m);
    }
    /* An answer where there is no memory, and one before its request. */
    const struct virtio_gpu_ctrl_hdr info = {.type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO};
    memcpy(m->ram + REQUEST_AT, &info, sizeof(info));
    desc[0] = (struct vring_desc){at, sizeof(info), next, 1};
    desc[1] = (struct vring_desc){64, 4096, VRING_DESC_F_WRITE, 0};
    machine_offer(m, 0, 0);
    assert_int_equal(machine_await(m, 0), 0);
    desc[0] = (struct vring_desc){RAM_BASE + ANSWER_AT, 4096, VRING_DESC_F_WRITE | next, 1};
    desc[1] = (struct vring_desc){at, sizeof(info), 0, 0};
    machine_offer(m, 0, 0);
    assert_int_equal(machine_await(m, 0), 0);
    machine_assert_alive(m);
}

/* A queue that becomes larger than it may be, behind its place in memory, is none. */
static void queues_keep_to_their_size(void **state)
{
    struct machine *m = *state;
    const uint32_t many[2] = {0, 1 << 20};
    const uint16_t far = 0xffff;
    const struct virtio_gpu_ctrl_hdr info = {.type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO};
    struct vring_desc *desc = machine_descs(m, 0);
    memcpy(m->ram + REQUEST_AT, &info, sizeof(info));
    desc[far] = (struct vring_desc){RAM_BASE + REQUEST_AT, sizeof(info), VRING_DESC_F_NEXT, 1};
    desc[1] = (struct vring_desc){RAM_BASE + ANSWER_AT, 4096, VRING_DESC_F_WRITE, 0};
    uint8_t features[20];
    machine_send(m, SET_VRING_NUM, many, sizeof(many), -1);
    machine_send(m, GET_FEATURES, "", 0, -1);
    assert_int_equal(recv(m->socket, features, sizeof(features), MSG_WAITALL), sizeof(features));
    memset(m->ram + ANSWER_AT, 0, 4);
    machine_offer(m, 0, far);
    usleep(200000); /* in which it would be answered */
    uint32_t answer;
    memcpy(&answer, m->ram + ANSWER_AT, sizeof(answer));
    assert_int_equal(answer, 0);
    machine_start_queues(m);
    machine_assert_alive(m);
}

static void pixels_stay_within_bounds(void **state)
{
    struct machine *m = *state;
    const struct virtio_gpu_resource_create_2d create = {.hdr.type =
                                                             VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
                                                         .resource_id = 1,
                                                         .format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
                                                         .width = 33,
                                                         .height = 7};
    assert_int_equal(machine_request(m, 0, &create, sizeof(create)), VIRTIO_GPU_RESP_OK_NODATA);
    assert_int_equal(machine_request(m, 0, &create, sizeof(create)),
                     VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
    assert_int_equal(machine_attach(m, 1, PAGES_AT, 1), VIRTIO_GPU_RESP_OK_NODATA);
    static const struct {
        struct virtio_gpu_rect r;
        uint64_t offset;
        bool good;
    } cases[] = {
        {{0, 0, 33, 7}, 0, true},           {{1, 1, 32, 6}, 136, true},
        {{0, 0, 34, 7}, 0, false},          {{1, 0, 33, 7}, 0, false},
        {{0, 1, 33, 7}, 0, false},          {{0, 0, 33, 7}, 4096, false},
        {{0, 0, 33, 7}, UINT64_MAX, false}, {{0xffffffff, 0, 2, 1}, 0, false},
        {{0, 0xffffffff, 1, 2}, 0, false},  {{0, 0, 33, 7}, 3500, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct virtio_gpu_transfer_to_host_2d transfer = {
            .hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
            .r = cases[i].r,
            .offset = cases[i].offset,
            .resource_id = 1};
        const uint32_t answer = machine_request(m, 0, &transfer, sizeof(transfer));
        assert_int_equal(answer == VIRTIO_GPU_RESP_OK_NODATA, cases[i].good);
    }
}

/* The same two pages over and over, which no list of pages of a real guest holds. */
static void lists_of_pages_end(void **state)
{
    struct machine *m = *state;
    enum {
        ENTRIES = 8000
    };
    static struct {
        struct virtio_gpu_resource_attach_backing attach;
        struct virtio_gpu_mem_entry entries[ENTRIES];
    } request;
    for (unsigned i = 0; i < ENTRIES; i++)
        request.entries[i] = (struct virtio_gpu_mem_entry){
            .addr = RAM_BASE + PAGES_AT + (i % 2) * 8192, .length = 4096};
    uint32_t made = 0;
    uint32_t answer = VIRTIO_GPU_RESP_OK_NODATA;
    while (answer == VIRTIO_GPU_RESP_OK_NODATA && made < 100) {
        const uint32_t id = made + 1;
        assert_int_equal(machine_create_buffer(m, id, 4096), VIRTIO_GPU_RESP_OK_NODATA);
        request.attach = (struct virtio_gpu_resource_attach_backing){
            .hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
            .resource_id = id,
            .nr_entries = ENTRIES};
        answer = machine_request(m, 0, &request, sizeof(request));
        made += answer == VIRTIO_GPU_RESP_OK_NODATA;
    }
    assert_int_equal(answer, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
    assert_int_equal(made, 1);
    /* What is given back may be used again. */
    assert_int_equal(machine_simple(m, VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, 0, 1),
                     VIRTIO_GPU_RESP_OK_NODATA);
    assert_int_equal(machine_request(m, 0, &request, sizeof(request)), VIRTIO_GPU_RESP_OK_NODATA);
    machine_assert_alive(m);
}

static void features_that_were_not_offered_end_the_device(void **state)
{
    struct machine *m = *state;
    const uint64_t packed = UINT64_C(1) << 34 | UINT64_C(1) << 32;
    machine_send(m, SET_FEATURES, &packed, sizeof(packed), -1);
    char byte;
    assert_int_equal(recv(m->socket, &byte, 1, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, machine_set_up, machine_tear_down)
        TEST(every_length_is_answered),
        TEST(nonsense_is_survived),
        TEST(malformed_descriptors_come_back),
        TEST(queues_keep_to_their_size),
        TEST(pixels_stay_within_bounds),
        TEST(lists_of_pages_end),
        TEST(features_that_were_not_offered_end_the_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
