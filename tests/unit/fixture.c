/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <stdlib.h>
#include <unistd.h>

#include "args.h"
#include "server/log.h"
#include "server/shm.h"

/* ---- The client */

const struct vd_reply *client_reply(const struct test_client *client)
{
    return (const struct vd_reply *)(client->replies->map + REPLY_OFFSET);
}

const uint8_t *client_reply_bytes(const struct test_client *client)
{
    return (const uint8_t *)(client_reply(client) + 1);
}

bool client_send_record(struct test_client *client, const struct test_record *r)
{
    return client_send(client, r, client->replies->id);
}

bool client_is_lost(const struct test_client *client)
{
    return atomic_load(&client->completion->lost) != 0;
}

uint64_t client_host_handle(struct test_client *client, uint64_t id)
{
    const struct vds_object *object = vds_object_find(&client->context->objects, id);
    return object ? object->handle : 0;
}

void await_count(_Atomic uint64_t *counter, uint64_t value)
{
    for (int i = 0; i < 2000 && atomic_load(counter) < value; i++)
        usleep(1000);
    assert_int_equal(atomic_load(counter), value);
}

static void open_shared(struct test_client *client)
{
    int fd;
    uint32_t id = vds_shm_add(client->shm, SHARED_SIZE, &fd);
    close(fd);
    client->replies = vds_shm_get(client->shm, id, 0, 0);
    id = vds_shm_add(client->shm, sizeof(struct vd_completion), &fd);
    close(fd);
    client->page = vds_shm_get(client->shm, id, 0, 0);
    client->completion = (struct vd_completion *)client->page->map;
}

static int connect_with(void **state, int lanes)
{
    struct test_client *client = calloc(1, sizeof(*client));
    const struct vds_context_options options = {.lanes = lanes};
    fake_driver_reset();
    vds_log_set_level(getenv("VERBOSE") ? VDS_LOG_INFO : (enum vds_log_level) - 1);
    client->shm = vds_shm_table_create();
    open_shared(client);
    client->context = vds_context_create_on(fake_get_instance_proc_addr, &options, client->shm);
    vds_context_set_completion(client->context, client->completion, sizeof(*client->completion));
    *state = client;
    return client->context ? 0 : -1;
}

int connect_client(void **state)
{
    return connect_with(state, 0);
}

int disconnect(void **state)
{
    struct test_client *client = *state;
    vds_context_destroy(client->context);
    vds_shm_put(client->shm, client->replies);
    vds_shm_put(client->shm, client->page);
    vds_shm_table_destroy(client->shm);
    free(client);
    return fake_driver.instances == 0 ? 0 : -1;
}

/* ---- Beginnings */

int open_device_with(void **state, int lanes)
{
    struct test_record r;
    if (connect_with(state, lanes) != 0)
        return -1;
    struct test_client *client = *state;
    make_instance(&r);
    answered(client, &r, VK_SUCCESS);
    make_get_physical_devices(&r, 65536 - 1024);
    answered(client, &r, VK_SUCCESS);
    make_device(&r, DEVICE, NULL, 0);
    answered(client, &r, VK_SUCCESS);
    make_queue(&r, 0, QUEUE);
    answered(client, &r, VK_SUCCESS);
    make_buffer(&r, DEVICE, BUFFER, false);
    accepted(client, &r);
    return 0;
}

int open_device(void **state)
{
    return open_device_with(state, 0);
}

int open_command_buffer(void **state)
{
    struct test_record r;
    if (open_device(state) != 0)
        return -1;
    make_command_pool(&r, COMMAND_POOL);
    accepted((struct test_client *)*state, &r);
    make_command_buffer(&r, COMMAND_POOL, COMMAND_BUFFER);
    accepted((struct test_client *)*state, &r);
    return 0;
}

void prepare_samples(struct test_client *client)
{
    struct test_record r;
    make_pool(&r, POOL);
    accepted(client, &r);
    make_layout(&r, LAYOUT);
    accepted(client, &r);
    make_semaphore(&r, SEMAPHORE);
    accepted(client, &r);
}

/* ---- Streams */

void stream_add(struct stream *stream, const struct test_record *r)
{
    memcpy(stream->bytes + stream->size, r->bytes, r->size);
    stream->size += r->size;
}

void stream_begin(struct stream *stream)
{
    struct test_record r;
    make_begin(&r);
    stream_add(stream, &r);
}

void stream_draw_of(struct stream *stream, uint32_t vertices)
{
    struct test_record r;
    const struct vd_args_vkCmdDraw args = {.vertexCount = vertices, .instanceCount = 1};
    record_begin(&r, VD_OP_vkCmdDraw, &args, sizeof(args), false);
    stream_add(stream, &r);
}

void stream_draw(struct stream *stream)
{
    stream_draw_of(stream, 3);
}

bool stream_replay(struct test_client *client, const struct stream *stream, uint64_t command_buffer)
{
    struct test_record r;
    struct {
        struct vd_stream stream;
        struct vd_stream_chunk chunks[2];
    } args = {
        .stream = {.command_buffer = command_buffer, .chunk_count = 2, .flags = stream->flags},
        .chunks = {{.shm = client->replies->id, .offset = CHUNKS, .size = 8},
                   {.shm = client->replies->id, .offset = CHUNKS + 64, .size = stream->size - 8}},
    };
    memcpy(client->replies->map + CHUNKS, stream->bytes, 8);
    memcpy(client->replies->map + CHUNKS + 64, stream->bytes + 8, stream->size - 8);
    record_begin(&r, VD_OP_STREAM, &args, sizeof(args), false);
    return client_send_record(client, &r);
}
