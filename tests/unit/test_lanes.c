/* SPDX-License-Identifier: MIT
 *
 * Streams that several threads replay.
 */
#include "fixture.h"

#include <unistd.h>

#include "args.h"
#include "server/execute.h"

#define LANES 4
/* Command buffers, each of its own pool. */
#define LANE_POOL(i)   ID(VkCommandPool, 300 + (i))
#define LANE_BUFFER(i) ID(VkCommandBuffer, 320 + (i))
/* So many that it is worth to wake somebody up for them. */
#define LANE_DRAWS 300

static int open_lanes(void **state)
{
    struct test_record r;
    if (open_device_with(state, LANES) != 0)
        return -1;
    struct test_client *client = *state;
    for (uint32_t i = 0; i < LANES; i++) {
        make_command_pool(&r, LANE_POOL(i));
        accepted(client, &r);
        make_command_buffer(&r, LANE_POOL(i), LANE_BUFFER(i));
        accepted(client, &r);
    }
    return 0;
}

/* The first of its draws has so many vertices. */
static bool record(struct test_client *client, uint32_t lane, uint32_t vertices)
{
    struct stream stream = {.flags = VD_STREAM_ALONE};
    stream_begin(&stream);
    stream_draw_of(&stream, vertices);
    for (uint32_t i = 1; i < LANE_DRAWS; i++)
        stream_draw(&stream);
    return stream_replay(client, &stream, LANE_BUFFER(lane));
}

static void settle(struct test_client *client)
{
    struct test_record r;
    make_destroy_buffer(&r, DEVICE, BUFFER);
    accepted(client, &r);
}

static void lanes_are_replayed_at_the_same_time(void **state)
{
    struct test_client *client = *state;
    fake_driver.meeting = LANES;
    for (uint32_t i = 0; i < LANES; i++)
        assert_true(record(client, i, FAKE_MEETING));
    settle(client);
    /* Each had to see all the others. */
    assert_int_equal(fake_driver.met, LANES);
    assert_int_equal(fake_driver.draws, LANES * LANE_DRAWS);
}

static void one_lane_alone_is_put_off(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    assert_true(record(client, 0, 3));
    assert_int_equal(fake_driver.draws, 0);
    assert_true(vds_context_idle(client->context));
    assert_int_equal(fake_driver.draws, LANE_DRAWS);
    /* Or until it is needed. */
    static const uint16_t opcodes[] = {VD_OP_vkResetCommandBuffer, VD_OP_vkQueueSubmit,
                                       VD_OP_vkAllocateCommandBuffers};
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(record(client, 0, 3));
        assert_int_equal(fake_driver.draws, (i + 1) * LANE_DRAWS);
        switch (opcodes[i]) {
        case VD_OP_vkResetCommandBuffer:
            make_simple(&r, VD_OP_vkResetCommandBuffer, LANE_BUFFER(0), false);
            break;
        case VD_OP_vkQueueSubmit:
            make_submit_of(&r, LANE_BUFFER(0));
            break;
        default:
            make_command_buffer(&r, LANE_POOL(0), ID(VkCommandBuffer, 340));
        }
        accepted(client, &r);
        assert_int_equal(fake_driver.draws, (i + 2) * LANE_DRAWS);
    }
}

static void a_lane_keeps_its_order(void **state)
{
    struct test_client *client = *state;
    fake_driver.blocked = true;
    assert_true(record(client, 0, FAKE_BLOCKED));
    assert_true(record(client, 1, FAKE_BLOCKED));
    for (int i = 0; i < 20; i++)
        assert_true(record(client, 0, 3));
    usleep(50000);
    assert_int_equal(fake_driver.draws, 0);
    fake_driver.blocked = false;
    settle(client);
    assert_int_equal(fake_driver.draws, 22 * LANE_DRAWS);
}

/* That a record has to wait stands in its plan. */
static void decoding_does_not_wait(void **state)
{
    struct test_client *client = *state;
    struct vds_execution x;
    struct test_record r;
    fake_driver.blocked = true;
    assert_true(record(client, 0, FAKE_BLOCKED));
    assert_true(record(client, 1, FAKE_BLOCKED));
    vds_execution_init(&x, client->context);
    make_simple(&r, VD_OP_vkResetCommandBuffer, LANE_BUFFER(1), false);
    assert_true(vds_decode(&x, r.bytes));
    const struct vds_plan *plan = &x.decoder.plan;
    assert_int_equal(plan->recording_count, 1);
    assert_int_equal(plan->recordings[0], vd_id_index(LANE_POOL(1)));
    vds_end(&x);
    vds_execution_finish(&x);
    assert_int_equal(fake_driver.draws, 0);
    fake_driver.blocked = false;
    settle(client);
}

static void submissions_wait_for_their_lanes_only(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    fake_driver.blocked = true;
    assert_true(record(client, 0, FAKE_BLOCKED));
    assert_true(record(client, 1, 3));
    make_submit_of(&r, LANE_BUFFER(1));
    accepted(client, &r);
    assert_int_equal(fake_driver.submits, 1);
    assert_int_equal(fake_driver.draws, LANE_DRAWS);
    /* Nor does what may happen while something is recorded wait. */
    make_buffer(&r, DEVICE, ID(VkBuffer, 341), true);
    answered(client, &r, VK_SUCCESS);
    fake_driver.blocked = false;
    make_submit_of(&r, LANE_BUFFER(0));
    accepted(client, &r);
    assert_int_equal(fake_driver.submits, 2);
    assert_int_equal(fake_driver.draws, 2 * LANE_DRAWS);
}

static void streams_of_several_command_buffers_keep_their_place(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    struct stream stream = {0};
    const uint64_t secondary = LANE_BUFFER(1);
    const struct vd_args_vkCmdExecuteCommands args = {.commandBufferCount = 1};
    stream_begin(&stream);
    record_begin(&r, VD_OP_vkCmdExecuteCommands, &args, sizeof(args), false);
    record_put(&r, ARG(&r, struct vd_args_vkCmdExecuteCommands, pCommandBuffers), &secondary, 8);
    stream_add(&stream, &r);

    assert_true(record(client, 0, 3));
    assert_true(record(client, 1, 3));
    assert_true(stream_replay(client, &stream, LANE_BUFFER(0)));
    assert_int_equal(fake_driver.draws, 2 * LANE_DRAWS);
    assert_int_equal(fake_driver.executed, 1);

    stream.flags = VD_STREAM_ALONE;
    stream_replay(client, &stream, LANE_BUFFER(0)); /* may know already, or not */
    settle(client);
    assert_false(vds_context_idle(client->context));
    assert_int_equal(fake_driver.executed, 1);
}

static void note_failure(void *data)
{
    atomic_fetch_add((_Atomic int *)data, 1);
}

static void what_is_malformed_on_a_lane_is_told(void **state)
{
    struct test_client *client = *state;
    _Atomic int failures = 0;
    struct stream bad = {.flags = VD_STREAM_ALONE};
    client->context->options.failed = note_failure;
    client->context->options.data = (void *)&failures;
    fake_driver.blocked = true;
    assert_true(record(client, 0, FAKE_BLOCKED));
    for (uint32_t i = 0; i < LANE_DRAWS; i++)
        stream_draw(&bad);                       /* without a beginning */
    stream_replay(client, &bad, LANE_BUFFER(1)); /* may know already, or not */
    for (int i = 0; i < 5000 && !failures; i++)
        usleep(1000);
    assert_int_equal(failures, 1);
    fake_driver.blocked = false;
    assert_false(vds_context_idle(client->context));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lanes_are_replayed_at_the_same_time, open_lanes),
        TEST(one_lane_alone_is_put_off, open_lanes),
        TEST(a_lane_keeps_its_order, open_lanes),
        TEST(decoding_does_not_wait, open_lanes),
        TEST(submissions_wait_for_their_lanes_only, open_lanes),
        TEST(streams_of_several_command_buffers_keep_their_place, open_lanes),
        TEST(what_is_malformed_on_a_lane_is_told, open_lanes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
