/* SPDX-License-Identifier: MIT
 *
 * The virtio-gpu device and QEMU's display, which this program is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/virtio_gpu.h>

#include "protocol/virtio_gpu.h"

#include "machine.h"

/* What the device says to QEMU's display (docs/interop/vhost-user-gpu.rst). */
enum display_message {
    DISPLAY_GET_FEATURES = 1,
    DISPLAY_SET_FEATURES = 2,
    DISPLAY_GET_INFO = 3,
    DISPLAY_CURSOR_POS = 4,
    DISPLAY_CURSOR_POS_HIDE = 5,
    DISPLAY_CURSOR_UPDATE = 6,
    DISPLAY_SCANOUT = 7,
    DISPLAY_UPDATE = 8,
    DISPLAY_GET_EDID = 11,
};

struct display_header {
    uint32_t request, flags, size;
};

/* The next message has to be this one, with so many bytes. */
static void expect_display(int display, uint32_t request, void *payload, uint32_t size)
{
    struct display_header header;
    assert_int_equal(recv(display, &header, sizeof(header), MSG_WAITALL), sizeof(header));
    assert_int_equal(header.request, request);
    assert_int_equal(header.size, size);
    if (size > 0)
        assert_int_equal(recv(display, payload, size, MSG_WAITALL), size);
}

static void answer_display(int display, uint32_t request, const void *payload, uint32_t size)
{
    const struct display_header header = {.request = request, .flags = 4, .size = size};
    assert_int_equal(send(display, &header, sizeof(header), 0), sizeof(header));
    assert_int_equal(send(display, payload, size, 0), size);
}

/* The display's protocol features: EDIDs. */
static int connect_display(struct machine *m)
{
    const uint64_t features = 1;
    int sockets[2];
    const struct timeval limit = {.tv_sec = TIMEOUT_MS / 1000};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    machine_send(m, GPU_SET_SOCKET, "", 0, sockets[1]);
    close(sockets[1]);
    expect_display(sockets[0], DISPLAY_GET_FEATURES, NULL, 0);
    answer_display(sockets[0], DISPLAY_GET_FEATURES, &features, sizeof(features));
    uint64_t taken;
    expect_display(sockets[0], DISPLAY_SET_FEATURES, &taken, sizeof(taken));
    return sockets[0];
}

#define CURSOR_SIDE 64u

struct cursor_message {
    uint32_t scanout, x, y, hot_x, hot_y;
    uint32_t pixels[CURSOR_SIDE * CURSOR_SIDE];
};

static uint32_t cursor(struct machine *m, uint32_t type, uint32_t resource, uint32_t x, uint32_t y)
{
    const struct virtio_gpu_update_cursor update = {
        .hdr.type = type,
        .pos = {.scanout_id = 0, .x = x, .y = y},
        .resource_id = resource,
        .hot_x = 3,
        .hot_y = 5,
    };
    return machine_request(m, 1, &update, sizeof(update));
}

/* QEMU's pictures of a display have no cursor, so this is where one is looked at. */
static void the_cursor_is_shown_as_it_is(void **state)
{
    struct machine *m = *state;
    const int display = connect_display(m);
    const struct virtio_gpu_resource_create_2d create = {.hdr.type =
                                                             VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
                                                         .resource_id = 7,
                                                         .format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
                                                         .width = CURSOR_SIDE,
                                                         .height = CURSOR_SIDE};
    assert_int_equal(machine_request(m, 0, &create, sizeof(create)), VIRTIO_GPU_RESP_OK_NODATA);
    assert_int_equal(machine_attach(m, 7, PAGES_AT, 4), VIRTIO_GPU_RESP_OK_NODATA);
    for (uint32_t i = 0; i < CURSOR_SIDE * CURSOR_SIDE; i++) {
        const uint32_t pixel = i * UINT32_C(0x01030507);
        memcpy(machine_reversed(m, PAGES_AT, 4, i * 4), &pixel, sizeof(pixel));
    }
    const struct virtio_gpu_transfer_to_host_2d transfer = {.hdr.type =
                                                                VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
                                                            .r = {0, 0, CURSOR_SIDE, CURSOR_SIDE},
                                                            .resource_id = 7};
    assert_int_equal(machine_request(m, 0, &transfer, sizeof(transfer)), VIRTIO_GPU_RESP_OK_NODATA);

    cursor(m, VIRTIO_GPU_CMD_UPDATE_CURSOR, 7, 100, 200);
    struct cursor_message shown;
    expect_display(display, DISPLAY_CURSOR_UPDATE, &shown, sizeof(shown));
    assert_int_equal(shown.x, 100);
    assert_int_equal(shown.y, 200);
    assert_int_equal(shown.hot_x, 3);
    assert_int_equal(shown.hot_y, 5);
    for (uint32_t i = 0; i < CURSOR_SIDE * CURSOR_SIDE; i++)
        assert_int_equal(shown.pixels[i], i * UINT32_C(0x01030507));
    uint32_t position[3];
    expect_display(display, DISPLAY_CURSOR_POS, position, sizeof(position));

    cursor(m, VIRTIO_GPU_CMD_MOVE_CURSOR, 7, 1001, 603);
    expect_display(display, DISPLAY_CURSOR_POS, position, sizeof(position));
    assert_int_equal(position[1], 1001);
    assert_int_equal(position[2], 603);

    cursor(m, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 1, 2);
    expect_display(display, DISPLAY_CURSOR_UPDATE, &shown, sizeof(shown));
    assert_int_equal(shown.pixels[1], 0);
    expect_display(display, DISPLAY_CURSOR_POS_HIDE, position, sizeof(position));
    close(display);
    machine_assert_alive(m);
}

static uint32_t picture(struct machine *m, uint32_t shm, uint64_t offset, uint32_t pitch,
                        uint32_t width, uint32_t height)
{
    const struct vd_virtio_gpu_scanout_layout record = {
        .record = {.size = sizeof(record), .opcode = VD_VIRTIO_GPU_SCANOUT_LAYOUT},
        .shm = shm,
        .pitch = pitch,
        .offset = offset,
        .width = width,
        .height = height,
    };
    return machine_submit(m, 1, &record, sizeof(record));
}

static uint32_t show_ring(struct machine *m, uint32_t width, uint32_t height)
{
    const struct virtio_gpu_set_scanout set = {
        .hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT, .r = {0, 0, width, height}, .resource_id = 10};
    return machine_request(m, 0, &set, sizeof(set));
}

/* Shared memory as a scanout: rows where the client says that they are, and never beyond its pages. */
static void shared_memory_is_shown_where_it_lies(void **state)
{
    struct machine *m = *state;
    const uint32_t bytes = RING_PAGES * 4096u;
    machine_connect_context(m, 1);
    const int display = connect_display(m);
    assert_int_not_equal(show_ring(m, 5, 3), VIRTIO_GPU_RESP_OK_NODATA);

    const struct {
        uint32_t shm;
        uint64_t offset;
        uint32_t pitch, width, height;
    } wrong[] = {
        {3, 0, 20, 5, 3},          {1, bytes, 20, 5, 3},           {1, bytes - 59, 20, 5, 3},
        {1, UINT64_MAX, 20, 5, 3}, {1, UINT64_MAX - 59, 20, 5, 3}, {1, 0, 19, 5, 3},
        {1, 0, bytes, 5, 3},       {1, 0, UINT32_MAX, 5, 16384},   {1, 0, 20, 0, 3},
        {1, 0, 20, 5, 0},          {1, 0, 4, UINT32_MAX, 1},       {1, 0, 20, 5, UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(picture(m, wrong[i].shm, wrong[i].offset, wrong[i].pitch, wrong[i].width,
                                 wrong[i].height),
                         VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
    }
    assert_int_equal(picture(m, 1, bytes - 60, 20, 5, 3), VIRTIO_GPU_RESP_OK_NODATA);

    /* Across the border of two pages that do not lie side by side. */
    const uint32_t at = 0x81000 - 60, pitch = 44;
    for (uint32_t i = 0; i < 15; i++) {
        const uint32_t pixel = 0xff000000 | (i + 1);
        memcpy(machine_reversed(m, RING_AT, RING_PAGES, at + i / 5 * pitch + i % 5 * 4), &pixel, 4);
    }
    assert_int_equal(picture(m, 1, at, pitch, 5, 3), VIRTIO_GPU_RESP_OK_NODATA);
    assert_int_not_equal(show_ring(m, 6, 3), VIRTIO_GPU_RESP_OK_NODATA);
    assert_int_equal(show_ring(m, 5, 3), VIRTIO_GPU_RESP_OK_NODATA);
    uint32_t size[3];
    expect_display(display, DISPLAY_SCANOUT, size, sizeof(size));
    assert_int_equal(size[1], 5);
    assert_int_equal(size[2], 3);
    struct {
        uint32_t scanout, x, y, width, height;
        uint32_t pixels[15];
    } update;
    expect_display(display, DISPLAY_UPDATE, &update, sizeof(update));
    for (uint32_t i = 0; i < 15; i++)
        assert_int_equal(update.pixels[i], 0xff000000 | (i + 1));
    close(display);
    machine_assert_alive(m);
}

/* QEMU's answer to a question of the guest's last life is not taken for one to this life's. */
static void a_late_answer_is_nobodys(void **state)
{
    struct machine *m = *state;
    const int display = connect_display(m);
    const struct virtio_gpu_cmd_get_edid get_edid = {.hdr.type = VIRTIO_GPU_CMD_GET_EDID};
    const struct virtio_gpu_ctrl_hdr get_info = {.type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO};
    uint32_t scanout;
    machine_offer_request(m, 0, &get_edid, sizeof(get_edid), 1);
    expect_display(display, DISPLAY_GET_EDID, &scanout, sizeof(scanout));
    machine_stop_control_queue(m);
    machine_start_queues(m);
    machine_offer_request(m, 0, &get_info, sizeof(get_info), 1);
    /* It has been read when this is answered. */
    assert_int_equal(machine_create_context(m, 1), VIRTIO_GPU_RESP_OK_NODATA);
    /* An EDID is longer than the other answer, and all of this one's bytes would be modes. */
    struct virtio_gpu_resp_edid edid;
    memset(&edid, 0xee, sizeof(edid));
    answer_display(display, DISPLAY_GET_EDID, &edid, sizeof(edid));
    expect_display(display, DISPLAY_GET_INFO, NULL, 0);
    const struct virtio_gpu_resp_display_info info = {.pmodes[0] = {.r = {0, 0, 1001, 603}}};
    answer_display(display, DISPLAY_GET_INFO, &info, sizeof(info));
    assert_int_equal(machine_await(m, 0), sizeof(info));
    const struct virtio_gpu_resp_display_info *answer = (void *)(m->ram + ANSWER_AT + 0x8000);
    assert_int_equal(answer->hdr.type, VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
    assert_int_equal(answer->pmodes[0].r.width, 1001);
    assert_int_equal(answer->pmodes[0].r.height, 603);
    close(display);
    machine_assert_alive(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup_teardown(function, machine_set_up, machine_tear_down)
        TEST(the_cursor_is_shown_as_it_is),
        TEST(shared_memory_is_shown_where_it_lies),
        TEST(a_late_answer_is_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
