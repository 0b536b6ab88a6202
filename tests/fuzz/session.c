/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/context_private.h"
#include "server/shm.h"

#include "../unit/fake_driver.h"

uint64_t take(struct input *input, size_t size)
{
    uint64_t value = 0;
    if (size > input->left)
        size = input->left;
    if (size == 0)
        return 0; /* of an input without bytes */
    memcpy(&value, input->at, size);
    input->at += size;
    input->left -= size;
    return value;
}

static struct vds_shm_region *share(struct vds_shm_table *shm, uint64_t size)
{
    int fd;
    const uint32_t id = vds_shm_add(shm, size, &fd);
    close(fd);
    return vds_shm_get(shm, id, 0, 0);
}

void session_start(struct test_client *client, PFN_vkGetInstanceProcAddr driver, int lanes)
{
    const struct vds_context_options options = {.lanes = lanes};
    fake_driver_reset();
    fake_driver.impatient = true;
    client->shm = vds_shm_table_create();
    client->replies = share(client->shm, SHARED_SIZE);
    client->page = share(client->shm, sizeof(struct vd_completion));
    client->completion = (struct vd_completion *)client->page->map;
    client->context = vds_context_create_on(driver, &options, client->shm);
    vds_context_set_completion(client->context, client->completion, sizeof(*client->completion));
}

void session_open(struct test_client *client, PFN_vkGetInstanceProcAddr driver, int lanes)
{
    struct test_record r;
    session_start(client, driver, lanes);
    const uint32_t shm = client->replies->id;
    make_instance(&r);
    bool ok = client_send(client, &r, shm);
    make_get_physical_devices(&r, 32768);
    ok = ok && client_send(client, &r, shm);
    make_device(&r, DEVICE, NULL, 0);
    ok = ok && client_send(client, &r, shm);
    make_queue(&r, 0, QUEUE);
    ok = ok && client_send(client, &r, shm);
    make_buffer(&r, DEVICE, BUFFER, false);
    ok = ok && client_send(client, &r, shm);
    make_pool(&r, POOL);
    ok = ok && client_send(client, &r, shm);
    make_layout(&r, LAYOUT);
    ok = ok && client_send(client, &r, shm);
    make_semaphore(&r, SEMAPHORE);
    ok = ok && client_send(client, &r, shm);
    make_command_pool(&r, COMMAND_POOL);
    ok = ok && client_send(client, &r, shm);
    make_command_buffer(&r, COMMAND_POOL, COMMAND_BUFFER);
    ok = ok && client_send(client, &r, shm);
    if (!ok)
        abort();
}

void session_close(struct test_client *client)
{
    fake_driver_finish();
    vds_context_destroy(client->context);
    vds_shm_put(client->shm, client->replies);
    vds_shm_put(client->shm, client->page);
    vds_shm_table_destroy(client->shm);
}

void change(uint8_t *bytes, uint32_t size, struct input *input)
{
    const uint64_t values[] = {
        0,
        1,
        8,
        0xffffffff,
        0x80000000,
        UINT64_MAX,
        VD_POINTER_OUT,
        1ull << 40,
        BUFFER,
        DEVICE,
        COMMAND_BUFFER,
        PHYSICAL_DEVICE,
        POOL,
        SEMAPHORE,
        ID(VkBuffer, 50),
    };
    const size_t count = sizeof(values) / sizeof(values[0]);
    uint32_t edits = (uint32_t)take(input, 1) % 8;
    while (edits-- && size >= 24) {
        const uint32_t at = 8 + (uint32_t)take(input, 2) % (size - 15);
        const uint8_t kind = (uint8_t)take(input, 1);
        uint64_t value;
        memcpy(&value, bytes + at, sizeof(value));
        if (kind < count)
            value = values[kind];
        else if (kind < 64)
            value = take(input, 8);
        else if (kind < 128)
            value += take(input, 1) - UINT64_C(128);
        else
            value ^= UINT64_C(1) << (kind & 63);
        memcpy(bytes + at, &value, sizeof(value));
    }
}

uint32_t stream_start(struct test_client *client)
{
    struct test_record begin;
    make_begin(&begin);
    memcpy(client->replies->map + CHUNKS, begin.bytes, begin.size);
    return begin.size;
}

void stream_record(struct test_record *r, struct test_client *client, uint32_t size, uint32_t flags)
{
    const struct {
        struct vd_stream stream;
        struct vd_stream_chunk chunk;
    } args = {
        .stream = {.command_buffer = COMMAND_BUFFER, .chunk_count = 1, .flags = flags},
        .chunk = {.shm = client->replies->id, .offset = CHUNKS, .size = size},
    };
    record_begin(r, VD_OP_STREAM, &args, sizeof(args), false);
}
