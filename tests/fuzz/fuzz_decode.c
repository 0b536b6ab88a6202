/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: records. An input is a program: each step takes a valid record, or bytes of the
 * input, changes it here and there, and has it executed on a driver that is not one, and that fails
 * now and then. A first byte of 255 instead makes the rest of the input one span, as the ring would
 * hand it over, and one of 254 begins before there is an instance.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "opcodes.h"
#include "protocol/record.h"
#include "server/context.h"
#include "server/context_private.h"
#include "server/execute.h"
#include "server/log.h"
#include "server/shm.h"

#include "../unit/fake_driver.h"
#include "../unit/shared_copy.h"
#include "seeds.h"
#include "session.h"

#define SPAN  255
#define EMPTY 254
#define IMAGE ID(VkImage, 60)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step {
    STEP_SAMPLE,  /* a valid record */
    STEP_COMMAND, /* bytes of the input behind a header that fits them */
    STEP_STREAM,  /* such commands, recorded into a command buffer */
    STEP_UPDATES, /* of descriptors */
    STEP_SHARED,  /* bytes that lie in shared memory */
    STEP_RESULT,  /* what the driver's next call comes to */
    STEP_COUNT,
};

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
    struct test_record part;
    uint32_t size = stream_start(client), parts = (uint32_t)take(input, 1) % 4;
    const uint32_t flags = (uint32_t)take(input, 1) & (VD_STREAM_ALONE | VD_STREAM_OPEN);
    do {
        make_command(&part, input);
        change(part.bytes, part.size, input);
        memcpy(client->replies->map + CHUNKS + size, part.bytes, part.size);
        size += part.size;
    } while (parts--);
    stream_record(r, client, size, flags);
}

static void make_shared(struct test_record *r, struct input *input, uint32_t shm)
{
    const uint32_t size = (uint32_t)take(input, 3);
    const uint64_t pointer = vd_shm_pointer(shm, (uint32_t)take(input, 3));
    make_shared_copy(r, IMAGE, size | VD_SIZED_SHARED, pointer, take(input, 1) & 1);
}

static void set_result(struct input *input)
{
    static const VkResult results[] = {VK_SUCCESS, VK_ERROR_OUT_OF_HOST_MEMORY,
                                       VK_ERROR_OUT_OF_DEVICE_MEMORY, VK_ERROR_DEVICE_LOST};
    fake_driver.next_result = results[take(input, 1) % (sizeof(results) / sizeof(results[0]))];
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

/* Each sample alone, and each behind all that come before it. Behind every one stands how often it is changed. */
void make_seeds(void)
{
    uint8_t seed[256] = {0};
    for (size_t n = 0; 2 * n + 1 < sizeof(seed) && n * STEP_COUNT < 256; n++) {
        seed[2 * n] = (uint8_t)(STEP_SAMPLE + n * STEP_COUNT);
        write_seed(seed + 2 * n, 2);
        write_seed(seed, 2 * n + 2);
    }
    for (unsigned parts = 0; parts < 16; parts++) {
        const uint8_t updates[] = {STEP_UPDATES, (uint8_t)parts, 0};
        memcpy(seed + 240, updates, sizeof(updates));
        write_seed(seed + 240, sizeof(updates));
    }
    for (unsigned n = 0; n * STEP_COUNT < 256; n++) {
        const uint8_t kind = (uint8_t)(STEP_SAMPLE + n * STEP_COUNT);
        /* Before there is anything; what fails, and what is made of that. */
        const uint8_t early[] = {EMPTY, kind, 0};
        write_seed(early, sizeof(early));
        for (uint8_t result = 1; result < 4; result++) {
            const uint8_t next = (uint8_t)(kind + STEP_COUNT);
            const uint8_t failed[] = {STEP_RESULT, result, kind, 0, next, 0};
            write_seed(failed, sizeof(failed));
        }
    }
    const uint8_t shared[] = {STEP_SHARED, 0, 16, 0, 0, 0, 4, 1, 0};
    write_variants(shared, sizeof(shared), 1);
    for (unsigned opcode = 0; opcode < VD_OP_COUNT; opcode++) {
        /* A command alone, and one and two of a stream. */
        const uint8_t low = (uint8_t)opcode, high = (uint8_t)(opcode >> 8);
        for (uint8_t words = 0; words < 8; words += 3) {
            const uint8_t size = (uint8_t)(4 * words); /* halved */
            uint8_t command[8 + 8 * 8] = {STEP_STREAM, 0, words & 1, low, high, 0, size};
            write_seed(command, sizeof(command));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int samples;
    struct test_client client = {0};
    struct test_record r;
    vds_log_set_level(getenv("VERBOSE") ? VDS_LOG_DEBUG : VDS_LOG_ERROR);
    if (size && data[0] == EMPTY) {
        session_start(&client, fake_get_instance_proc_addr, 0);
    } else {
        session_open(&client, fake_get_instance_proc_addr, 0);
        if (!client_add_image(&client, IMAGE))
            abort();
    }
    while (!samples || make_sample(&r, samples, client.replies->id))
        samples++;
    if (size && data[0] == SPAN) {
        const size_t span = (size - 1) & ~(size_t)7;
        uint8_t *copy = malloc(span ? span : 1);
        memcpy(copy, data + 1, span);
        vds_context_execute(client.context, copy, span);
        free(copy);
        size = 0;
    }
    struct input input = {data, size};
    if (size && data[0] == EMPTY)
        take(&input, 1);
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
        case STEP_SHARED:
            make_shared(&r, &input, client.replies->id);
            break;
        case STEP_RESULT:
            set_result(&input);
            continue;
        case STEP_COUNT:
            break;
        }
        change(r.bytes, r.size, &input);
        const uint16_t opcode = ((const struct vd_record *)r.bytes)->opcode;
        const bool expected = opcode == VD_OP_NOP || decodes(&client, &r);
        if (client_send(&client, &r, client.replies->id) && !expected)
            abort();
    }
    session_close(&client);
    return 0;
}
