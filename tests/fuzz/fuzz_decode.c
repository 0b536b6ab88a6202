/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: records. An input is a program: each step takes a valid record, or bytes of the
 * input, changes it here and there, and has it executed on a driver that is not one. A first byte
 * of 255 instead makes the rest of the input one span, as the ring would hand it over.
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

#include "../unit/fake_driver.h"
#include "seeds.h"
#include "session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step {
    STEP_SAMPLE,  /* a valid record */
    STEP_COMMAND, /* bytes of the input behind a header that fits them */
    STEP_STREAM,  /* such commands, recorded into a command buffer */
    STEP_UPDATES, /* of descriptors */
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
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int samples;
    struct test_client client = {0};
    struct test_record r;
    vds_log_set_level(getenv("VERBOSE") ? VDS_LOG_DEBUG : VDS_LOG_ERROR);
    session_open(&client, fake_get_instance_proc_addr);
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
        change(r.bytes, r.size, &input);
        const uint16_t opcode = ((const struct vd_record *)r.bytes)->opcode;
        const bool expected = opcode == VD_OP_NOP || decodes(&client, &r);
        if (client_send(&client, &r, client.replies->id) && !expected)
            abort();
    }
    session_close(&client);
    return 0;
}
