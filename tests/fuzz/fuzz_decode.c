/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: records. An input is a program: each step takes a valid record, or bytes of the
 * input, changes it here and there, and has it executed on a driver that is not one. A first byte
 * of 255 instead makes the rest of the input one span, as the ring would hand it over.
 */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "opcodes.h"
#include "protocol/record.h"
#include "server/context.h"
#include "server/context_private.h"
#include "server/execute.h"
#include "server/log.h"
#include "server/shm.h"

#include "../unit/fake_driver.h"
#include "../unit/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step {
    STEP_SAMPLE,  /* a valid record */
    STEP_COMMAND, /* bytes of the input behind a header that fits them */
    STEP_STREAM,  /* such commands, recorded into a command buffer */
    STEP_UPDATES, /* of descriptors */
    STEP_COUNT,
};

struct input {
    const uint8_t *at;
    size_t left;
};

static uint64_t take(struct input *input, size_t size)
{
    uint64_t value = 0;
    if (size > input->left)
        size = input->left;
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

static void start(struct test_client *client)
{
    const struct vds_context_options options = {0};
    struct test_record r;
    fake_driver_reset();
    fake_driver.impatient = true;
    client->shm = vds_shm_table_create();
    client->replies = share(client->shm, SHARED_SIZE);
    client->page = share(client->shm, sizeof(struct vd_completion));
    client->completion = (struct vd_completion *)client->page->map;
    client->context = vds_context_create_on(fake_get_instance_proc_addr, &options, client->shm);
    vds_context_set_completion(client->context, client->completion);

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

static void finish(struct test_client *client)
{
    fake_driver_finish();
    vds_context_destroy(client->context);
    vds_shm_put(client->shm, client->replies);
    vds_shm_put(client->shm, client->page);
    vds_shm_table_destroy(client->shm);
}

/* Values that a careless decoder would trip over. */
static void change(struct test_record *r, struct input *input)
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
    while (edits-- && r->size >= 24) {
        const uint32_t at = 8 + (uint32_t)take(input, 2) % (r->size - 15);
        const uint8_t kind = (uint8_t)take(input, 1);
        uint64_t value = record_get64(r, at);
        if (kind < count)
            value = values[kind];
        else if (kind < 64)
            value = take(input, 8);
        else if (kind < 128)
            value += take(input, 1) - UINT64_C(128);
        else
            value ^= UINT64_C(1) << (kind & 63);
        record_set64(r, at, value);
    }
}

static void make_command(struct test_record *r, struct input *input)
{
    uint8_t args[512];
    const uint16_t opcode = (uint16_t)take(input, 2) % VD_OP_COUNT;
    const bool reply = take(input, 1) & 1;
    const uint32_t size = (uint32_t)take(input, 1) * 2;
    for (uint32_t i = 0; i < size; i++)
        args[i] = (uint8_t)take(input, 1);
    record_begin(r, opcode, args, size, reply);
}

static void make_stream(struct test_record *r, struct input *input, struct test_client *client)
{
    struct {
        struct vd_stream stream;
        struct vd_stream_chunk chunk;
    } args = {
        .stream = {.command_buffer = COMMAND_BUFFER, .chunk_count = 1},
        .chunk = {.shm = client->replies->id, .offset = CHUNKS},
    };
    struct test_record part;
    uint8_t *to = client->replies->map + CHUNKS;
    uint32_t parts = (uint32_t)take(input, 1) % 4;
    args.stream.flags = (uint32_t)take(input, 1) & (VD_STREAM_ALONE | VD_STREAM_OPEN);
    make_begin(&part);
    do {
        memcpy(to + args.chunk.size, part.bytes, part.size);
        args.chunk.size += part.size;
        make_command(&part, input);
        change(&part, input);
    } while (parts--);
    record_begin(r, VD_OP_STREAM, &args, sizeof(args), false);
}

static void make_updates(struct test_record *r, struct input *input)
{
    const uint64_t sets[2] = {ID(VkDescriptorSet, 40), ID(VkDescriptorSet, 41)}; /* as samples */
    const struct buffer_update write = write_update(sets[0], BUFFER);
    const struct copy_update copy = copy_update(sets[1], sets[0]);
    start_updates(r);
    for (uint32_t parts = (uint32_t)take(input, 1); parts; parts >>= 1)
        if (parts & 1)
            add_update(r, &write, sizeof(write));
        else
            add_update(r, &copy, sizeof(copy));
}

/* Whether it decodes, which must change nothing, so that executing it comes to the same. */
static bool decodes(struct test_client *client, const struct test_record *r)
{
    struct vds_execution x;
    uint8_t *copy = malloc(r->size); /* exact, so that a sanitizer sees what reaches beyond it */
    memcpy(copy, r->bytes, r->size);
    vds_execution_init(&x, client->context);
    const bool ok = vds_decode(&x, copy);
    vds_end(&x);
    vds_execution_finish(&x);
    free(copy);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int samples;
    struct test_client client = {0};
    struct test_record r;
    vds_log_set_level(getenv("VERBOSE") ? VDS_LOG_DEBUG : (enum vds_log_level) - 1);
    start(&client);
    while (!samples || make_sample(&r, samples, client.replies->id))
        samples++;
    if (size && data[0] == 255) {
        const size_t span = (size - 1) & ~(size_t)7;
        uint8_t *copy = malloc(span ? span : 1);
        memcpy(copy, data + 1, span);
        vds_context_execute(client.context, copy, span);
        free(copy);
        size = 0;
    }
    struct input input = {data, size};
    while (input.left) {
        const uint8_t kind = (uint8_t)take(&input, 1);
        switch ((enum step)(kind % STEP_COUNT)) {
        case STEP_SAMPLE:
            make_sample(&r, kind / STEP_COUNT % samples, client.replies->id);
            break;
        case STEP_COMMAND:
            make_command(&r, &input);
            break;
        case STEP_STREAM:
            make_stream(&r, &input, &client);
            break;
        case STEP_UPDATES:
            make_updates(&r, &input);
            break;
        case STEP_COUNT:
            break;
        }
        change(&r, &input);
        const uint16_t opcode = ((const struct vd_record *)r.bytes)->opcode;
        const bool expected = opcode == VD_OP_NOP || decodes(&client, &r);
        if (client_send(&client, &r, client.replies->id) && !expected)
            abort();
    }
    finish(&client);
    return 0;
}
