/* SPDX-License-Identifier: MIT
 *
 * Command buffers: streams that are replayed, and those that are refused.
 */
#include "fixture.h"

#include "args.h"

static void make_bind(struct test_record *r, const uint64_t *buffers, uint32_t count)
{
    const struct vd_args_vkCmdBindVertexBuffers args = {.bindingCount = count};
    const uint64_t offsets[8] = {0};
    record_begin(r, VD_OP_vkCmdBindVertexBuffers, &args, sizeof(args), false);
    record_put(r, ARG(r, struct vd_args_vkCmdBindVertexBuffers, pBuffers), buffers, 8 * count);
    record_put(r, ARG(r, struct vd_args_vkCmdBindVertexBuffers, pOffsets), offsets, 8 * count);
}

static void make_multi_draw(struct test_record *r, uint32_t stride)
{
    const struct vd_args_vkCmdDrawMultiEXT args = {
        .drawCount = 2,
        .instanceCount = 1,
        .stride = stride,
    };
    const VkMultiDrawInfoEXT draws[2] = {{0, 3}, {3, 3}};
    record_begin(r, VD_OP_vkCmdDrawMultiEXT, &args, sizeof(args), false);
    record_put(r, ARG(r, struct vd_args_vkCmdDrawMultiEXT, pVertexInfo), draws, sizeof(draws));
}

static void streams_are_replayed(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    struct stream stream = {0};
    const uint64_t buffers[3] = {BUFFER, 0, BUFFER};
    stream_begin(&stream);
    stream_draw(&stream);
    make_bind(&r, buffers, 3);
    stream_add(&stream, &r);
    stream_draw(&stream);
    make_multi_draw(&r, sizeof(VkMultiDrawInfoEXT));
    stream_add(&stream, &r);
    assert_true(stream_replay(client, &stream, COMMAND_BUFFER));
    assert_int_equal(fake_driver.draws, 4);
    assert_int_equal(fake_driver.bound_count, 3);
    assert_int_equal((uintptr_t)fake_driver.bound[0], client_host_handle(client, BUFFER));
    assert_null(fake_driver.bound[1]);
    assert_int_equal((uintptr_t)fake_driver.bound[2], client_host_handle(client, BUFFER));
    assert_false(client_is_lost(client));
    /* The client's memory is as it was. */
    assert_memory_equal(client->replies->map + CHUNKS + 64, stream.bytes + 8, stream.size - 8);
}

/* Records of one kind in a row are replayed in one go, each with its own arguments and checks. */
static void runs_are_replayed(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    struct stream stream = {0};
    const uint64_t one[1] = {BUFFER}, other[1] = {0}, two[2] = {BUFFER, BUFFER},
                   unknown[1] = {ID(VkBuffer, 132)};
    stream_begin(&stream);
    for (uint32_t i = 1; i <= 4; i++)
        stream_draw_of(&stream, i);
    make_bind(&r, one, 1);
    stream_add(&stream, &r);
    make_bind(&r, other, 1);
    stream_add(&stream, &r);
    assert_true(stream_replay(client, &stream, COMMAND_BUFFER));
    assert_int_equal(fake_driver.draws, 4);
    assert_int_equal(fake_driver.vertices, 1 + 2 + 3 + 4);
    assert_int_equal(fake_driver.bound_count, 1);
    assert_null(fake_driver.bound[0]);
    /* One of another size ends it. */
    make_bind(&r, two, 2);
    stream_add(&stream, &r);
    assert_true(stream_replay(client, &stream, COMMAND_BUFFER));
    assert_int_equal(fake_driver.bound_count, 2);
    /* One that is wrong is the last. */
    make_bind(&r, unknown, 1);
    stream_add(&stream, &r);
    stream_draw_of(&stream, 5);
    assert_false(stream_replay(client, &stream, COMMAND_BUFFER));
    assert_int_equal(fake_driver.draws, 12);
}

/* Of which the recorder keeps the end only, and that begins within a run. */
static void long_runs_are_replayed(void **state)
{
    struct test_client *client = *state;
    struct stream stream = {0};
    const uint32_t count = 1000;
    stream_begin(&stream);
    for (uint32_t i = 1; i <= count; i++)
        stream_draw_of(&stream, i);
    assert_true(stream_replay(client, &stream, COMMAND_BUFFER));
    assert_int_equal(fake_driver.draws, count);
    assert_int_equal(fake_driver.vertices, count * (count + 1) / 2);
}

static void open_streams_go_on(void **state)
{
    struct test_client *client = *state;
    struct stream first = {.flags = VD_STREAM_OPEN}, part = {.flags = VD_STREAM_OPEN}, last = {0};
    stream_draw(&part);
    /* Nothing is open yet. */
    assert_false(stream_replay(client, &part, COMMAND_BUFFER));
    stream_begin(&first);
    stream_draw(&first);
    assert_true(stream_replay(client, &first, COMMAND_BUFFER));
    assert_int_equal(fake_driver.draws, 1);
    assert_int_equal(fake_driver.begun, 1);
    assert_int_equal(fake_driver.ended, 0);
    assert_true(stream_replay(client, &part, COMMAND_BUFFER));
    assert_int_equal(fake_driver.draws, 2);
    stream_draw(&last);
    assert_true(stream_replay(client, &last, COMMAND_BUFFER));
    assert_int_equal(fake_driver.draws, 3);
    assert_int_equal(fake_driver.begun, 1);
    assert_int_equal(fake_driver.ended, 1);
    /* It has ended. */
    assert_false(stream_replay(client, &last, COMMAND_BUFFER));

    /* The rest may be empty, but nothing else may. */
    struct test_record r;
    const struct vd_stream rest = {.command_buffer = COMMAND_BUFFER};
    assert_true(stream_replay(client, &first, COMMAND_BUFFER));
    record_begin(&r, VD_OP_STREAM, &rest, sizeof(rest), false);
    accepted(client, &r);
    assert_int_equal(fake_driver.ended, 2);
    refused(client, &r);
    /* Or it begins anew. */
    assert_true(stream_replay(client, &first, COMMAND_BUFFER));
    assert_true(stream_replay(client, &first, COMMAND_BUFFER));
    assert_int_equal(fake_driver.begun, 4);
}

static void bad_streams_are_refused(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    struct stream stream = {0}, bad;
    const uint64_t buffers[2] = {BUFFER, BUFFER};
    stream_begin(&stream);
    make_bind(&r, buffers, 2);
    const uint32_t bind_at = stream.size;
    stream_add(&stream, &r);

    assert_false(stream_replay(client, &stream, 0));
    assert_false(stream_replay(client, &stream, BUFFER));
    assert_false(stream_replay(client, &stream, ID(VkCommandBuffer, 130)));
    for (uint32_t size = 16; size < stream.size; size += 8) {
        bad = stream;
        bad.size = size;
        if (size != bind_at)
            assert_false(stream_replay(client, &bad, COMMAND_BUFFER));
    }
    static const uint32_t counts[] = {1, 3, 0x20000000, 0xffffffff};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        bad = stream;
        memcpy(bad.bytes + bind_at + 8 +
                   offsetof(struct vd_args_vkCmdBindVertexBuffers, bindingCount),
               &counts[i], 4);
        assert_false(stream_replay(client, &bad, COMMAND_BUFFER));
    }
    /* Strides that would lead the driver out of the record. */
    static const uint32_t strides[] = {0, 4, 12, 0x7ffffff8};
    for (size_t i = 0; i < sizeof(strides) / sizeof(strides[0]); i++) {
        bad = (struct stream){0};
        stream_begin(&bad);
        make_multi_draw(&r, strides[i]);
        stream_add(&bad, &r);
        assert_false(stream_replay(client, &bad, COMMAND_BUFFER));
    }
    bad = (struct stream){0};
    stream_draw(&bad);
    assert_false(stream_replay(client, &bad, COMMAND_BUFFER));
    bad = (struct stream){0};
    stream_begin(&bad);
    stream_begin(&bad);
    assert_false(stream_replay(client, &bad, COMMAND_BUFFER));
    /* What belongs to the ring. */
    bad = (struct stream){0};
    stream_begin(&bad);
    make_buffer(&r, DEVICE, ID(VkBuffer, 131), false);
    stream_add(&bad, &r);
    assert_false(stream_replay(client, &bad, COMMAND_BUFFER));
    /* What belongs to streams, in the ring. */
    make_bind(&r, buffers, 2);
    refused(client, &r);
    make_simple(&r, VD_OP_vkEndCommandBuffer, COMMAND_BUFFER, false);
    refused(client, &r);
    /* A reply from within. */
    bad = stream;
    bad.bytes[bind_at + 6] = VD_RECORD_REPLY;
    assert_false(stream_replay(client, &bad, COMMAND_BUFFER));

    /* Chunks that lie elsewhere. */
    struct {
        struct vd_stream stream;
        struct vd_stream_chunk chunk;
    } args = {
        .stream = {.command_buffer = COMMAND_BUFFER, .chunk_count = 1},
        .chunk = {.shm = client->replies->id, .offset = CHUNKS, .size = stream.size},
    };
    memcpy(client->replies->map + CHUNKS, stream.bytes, stream.size);
    record_begin(&r, VD_OP_STREAM, &args, sizeof(args), false);
    accepted(client, &r);
    const struct vd_stream_chunk chunks[] = {
        {.shm = 99, .offset = CHUNKS, .size = stream.size},
        {.shm = client->replies->id, .offset = SHARED_SIZE - 8, .size = stream.size},
        {.shm = client->replies->id, .offset = UINT64_MAX - 7, .size = stream.size},
        {.shm = client->replies->id, .offset = CHUNKS + 4, .size = stream.size},
        {.shm = client->replies->id, .offset = CHUNKS, .size = stream.size + 4},
        {.shm = client->replies->id, .offset = CHUNKS, .size = 0},
        {.shm = client->replies->id, .offset = 0, .size = 0xfffffff8},
    };
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        args.chunk = chunks[i];
        record_begin(&r, VD_OP_STREAM, &args, sizeof(args), false);
        refused(client, &r);
    }
    args.stream.chunk_count = 0xffffffff;
    record_begin(&r, VD_OP_STREAM, &args, sizeof(args), false);
    refused(client, &r);
}

static void a_failed_recording_is_not_executed(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    struct stream stream = {0};
    const uint64_t id = ID(VkBuffer, 140);
    fake_driver.next_result = VK_ERROR_OUT_OF_HOST_MEMORY;
    make_buffer(&r, DEVICE, id, false);
    accepted(client, &r);
    stream_begin(&stream);
    make_bind(&r, &id, 1);
    stream_add(&stream, &r);
    stream_draw(&stream);
    assert_true(stream_replay(client, &stream, COMMAND_BUFFER));
    assert_true(client_is_lost(client));
    assert_int_equal(fake_driver.draws, 0);
    assert_int_equal(fake_driver.bound_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(streams_are_replayed, open_command_buffer),
        TEST(runs_are_replayed, open_command_buffer),
        TEST(long_runs_are_replayed, open_command_buffer),
        TEST(open_streams_go_on, open_command_buffer),
        TEST(bad_streams_are_refused, open_command_buffer),
        TEST(a_failed_recording_is_not_executed, open_command_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
