/* SPDX-License-Identifier: MIT
 *
 * The flight recorder: which memory command buffers keep, and what is told of it when the device is lost,
 * whatever stands in there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "opcodes.h"
#include "protocol/record.h"
#include "server/flight.h"

#define SLOT   3
#define HANDLE UINT64_C(0x1230)

static struct vds_object_table objects;
static struct vds_flight *flight;

static void release(void *user, uint32_t type, void *data)
{
    (void)user;
    if (type == VD_TYPE_VkCommandBuffer)
        vds_tape_put(data);
}

static uint64_t id_of(uint32_t index, uint32_t type)
{
    return vd_id_make((uint8_t)type, 1, index);
}

static struct vds_object_links *links(uint32_t index)
{
    return vds_object_links(&objects, index);
}

static int set_up(void **state)
{
    (void)state;
    vds_object_table_init(&objects, release, NULL);
    flight = vds_flight_create(&objects);
    return flight && vds_object_add(&objects, id_of(1, VD_TYPE_VkCommandBuffer), HANDLE, 0, 0, NULL)
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    vds_object_table_finish(&objects);
    vds_flight_destroy(flight);
    return 0;
}

/* What the log says meanwhile. */
static char *report(void)
{
    static char text[65536];
    const int log = memfd_create("log", 0), before = dup(STDERR_FILENO);
    assert_true(log >= 0 && before >= 0);
    dup2(log, STDERR_FILENO);
    vds_flight_report(flight);
    dup2(before, STDERR_FILENO);
    const ssize_t size = pread(log, text, sizeof(text) - 1, 0);
    close(log);
    close(before);
    assert_true(size >= 0);
    text[size] = '\0';
    return text;
}

static void submit(uint64_t number)
{
    const VkCommandBuffer commands = (VkCommandBuffer)(uintptr_t)HANDLE;
    vds_flight_submit(flight, SLOT, number, 1, &commands, sizeof(commands));
}

static struct vds_tape *record(uint32_t size, bool goes_on)
{
    struct vds_tape *tape = vds_flight_tape(flight, links(1), size, goes_on);
    if (tape)
        memset(tape->bytes, 0, size);
    return tape;
}

/* A record with these arguments at an offset. Returns where the next one is. */
static uint32_t put(struct vds_tape *tape, uint32_t at, uint16_t opcode, const void *args,
                    size_t size)
{
    const struct vd_record head = {.size = (uint32_t)vd_align(sizeof(head) + size),
                                   .opcode = opcode};
    memcpy(tape->bytes + at, &head, sizeof(head));
    memcpy(tape->bytes + at + sizeof(head), args, size);
    return at + head.size;
}

static void tapes_are_used_again(void **state)
{
    (void)state;
    struct vds_tape *first = record(1000, false);
    assert_non_null(first);
    /* It is being replayed. */
    struct vds_tape *second = record(1000, false);
    assert_ptr_not_equal(first, second);
    vds_tape_put(first);
    vds_tape_put(second);
    struct vds_tape *third = record(900, false);
    assert_ptr_equal(third, second);
    assert_int_equal(third->size, 900);
    vds_tape_put(third);
}

static void of_long_streams_the_end_is_kept(void **state)
{
    (void)state;
    const struct vd_args_vkCmdDraw draw = {3, 1, 4, 1};
    struct vds_tape *elsewhere = vds_flight_tape(flight, links(1), 64, false);
    struct vds_tape *tape = vds_flight_tape(flight, links(1), 1 << 20, false);
    assert_non_null(tape);
    assert_false(tape->whole);
    assert_int_equal(tape->size, 0);
    assert_true(tape->capacity <= 2 * VDS_TAPE_END);
    submit(1);
    assert_non_null(strstr(report(), "what was recorded is not known"));
    uint32_t at = put(elsewhere, 0, VD_OP_vkCmdDraw, &draw, sizeof(draw));
    at = put(elsewhere, at, VD_OP_vkCmdEndDebugUtilsLabelEXT, &draw, 0);
    at = put(elsewhere, at, VD_OP_vkCmdDraw, &draw, sizeof(draw));
    vds_tape_keep(tape, elsewhere->bytes, at);
    vds_tape_put(elsewhere);
    vds_tape_put(tape);
    assert_non_null(strstr(report(), "command buffer 0x1230: at the end 3 commands, of which 2"));
}

static void parts_follow_each_other_to_a_limit(void **state)
{
    (void)state;
    vds_tape_put(record(64, false));
    for (unsigned i = 0; i < 1000; i++)
        vds_tape_put(record(64, true));
    unsigned parts = 0;
    for (const struct vds_tape *tape = links(1)->data; tape; tape = tape->previous)
        parts++;
    assert_in_range(parts, 2, 100);
    vds_tape_put(record(64, false));
    assert_null(((struct vds_tape *)links(1)->data)->previous);
}

static void only_what_has_not_finished_is_told(void **state)
{
    (void)state;
    const struct vd_args_vkCmdDraw draw = {3, 1, 4, 1};
    struct vds_tape *tape = record(24, false);
    assert_int_equal(put(tape, 0, VD_OP_vkCmdDraw, &draw, sizeof(draw)), 24);
    vds_tape_put(tape);
    vds_flight_queue(flight, SLOT);
    assert_string_equal(report(), "");
    submit(1);
    submit(2);
    vds_flight_finish(flight, SLOT, 1);
    assert_non_null(strstr(report(), "queue 3 has finished batch 1 and not 2"));
    assert_non_null(strstr(report(), "command buffer 0x1230: 1 commands, of which 1"));
    assert_non_null(strstr(report(), "command 1: vkCmdDraw(3, 1, 4, 1)\n"));
    vds_flight_finish(flight, SLOT, 2);
    assert_string_equal(report(), "");
    /* Numbers begin anew with a new queue. */
    vds_flight_finish(flight, SLOT, 1);
    vds_flight_queue(flight, SLOT);
    assert_string_equal(report(), "");
    submit(1);
    assert_non_null(strstr(report(), "has finished batch 0 and not 1"));
    vds_object_remove(&objects, id_of(1, VD_TYPE_VkCommandBuffer));
    assert_non_null(strstr(report(), "command buffer 0x1230: what was recorded is not known"));
}

static void names_are_of_objects_not_of_handles(void **state)
{
    (void)state;
    vds_tape_put(record(8, false));
    submit(1);
    vds_flight_name(flight, VD_TYPE_VkCommandBuffer, HANDLE, "shadows");
    vds_flight_name(flight, VD_TYPE_VkPipeline, HANDLE, "another");
    assert_non_null(strstr(report(), "command buffer 0x1230 (shadows)"));
    vds_object_remove(&objects, id_of(1, VD_TYPE_VkCommandBuffer));
    assert_null(strstr(report(), "shadows"));
    /* The driver gives its handle to the next one. */
    assert_true(vds_object_add(&objects, id_of(1, VD_TYPE_VkCommandBuffer), HANDLE, 0, 0, NULL));
    assert_null(strstr(report(), "shadows"));
    vds_flight_name(flight, VD_TYPE_VkCommandBuffer, HANDLE, "mirrors");
    assert_non_null(strstr(report(), "(mirrors)"));
    vds_flight_name(flight, VD_TYPE_VkCommandBuffer, HANDLE, NULL);
    assert_null(strstr(report(), "mirrors"));
}

static double report_seconds(void)
{
    struct timespec before, after;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    report();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    return (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
}

/* The client waits meanwhile to hear of its device. */
static void what_is_not_told_takes_no_time(void **state)
{
    (void)state;
    const struct vd_args_vkCmdDraw draw = {3, 1, 4, 1};
    const struct vd_args_vkCmdBindPipeline bind = {.pipeline = (VkPipeline)(uintptr_t)0x5550};
    double seconds[2];
    for (uint32_t i = 2; i < 100000; i++)
        assert_true(
            vds_object_add(&objects, id_of(i, VD_TYPE_VkSampler), 0x1000 + 16 * i, 0, 0, NULL));
    submit(1);
    for (unsigned many = 0; many < 2; many++) {
        struct vds_tape *tape = record(16000, false);
        uint32_t at = put(tape, 0, VD_OP_vkCmdBindPipeline, &bind, sizeof(bind));
        for (unsigned i = 0; i < (many ? 600 : 6); i++)
            at = put(tape, at, VD_OP_vkCmdDraw, &draw, sizeof(draw));
        assert_true(at <= 16000);
        vds_tape_put(tape);
        seconds[many] = report_seconds();
    }
    assert_non_null(strstr(report(), "command 601: vkCmdDraw(3, 1, 4, 1), pipeline 0x5550\n"));
    assert_non_null(
        strstr(report(), "601 commands, of which 600 have the GPU work, the last ones:"));
    assert_non_null(strstr(report(), "command 596: "));
    assert_null(strstr(report(), "command 595: "));
    if (seconds[1] > 10 * seconds[0])
        fail_msg("%f s for 600 commands, %f s for 6", seconds[1], seconds[0]);
}

/* Labels and arrays that are not where they should be, and records that are none. A sanitizer sees what is
 * read that must not be. */
static void nonsense_is_walked_over(void **state)
{
    (void)state;
    static const uint16_t opcodes[] = {
        VD_OP_vkCmdBeginDebugUtilsLabelEXT,
        VD_OP_vkCmdInsertDebugUtilsLabelEXT,
        VD_OP_vkCmdEndDebugUtilsLabelEXT,
        VD_OP_vkCmdBeginRenderPass,
        VD_OP_vkCmdExecuteCommands,
        VD_OP_vkCmdBindPipeline,
        VD_OP_vkCmdDraw,
        VD_OP_vkCmdBeginRenderPass2,
    };
    srand(1);
    submit(1);
    for (unsigned round = 0; round < 2000; round++) {
        struct vds_tape *tape = record(512, false);
        for (uint32_t i = 0; i < 512; i++)
            tape->bytes[i] = (uint8_t)rand();
        for (uint32_t at = 0; at + 64 <= 512;) {
            uint64_t args[6];
            for (size_t i = 0; i < 6; i++) {
                const uint64_t near = (uintptr_t)tape->bytes + (uint64_t)(rand() % 560) - 24;
                args[i] = rand() % 2 ? near : (uint64_t)rand();
            }
            const size_t size = 8u * (unsigned)(rand() % 7);
            at = put(tape, at, opcodes[(size_t)rand() % (sizeof(opcodes) / sizeof(*opcodes))], args,
                     size);
        }
        vds_tape_put(tape);
        if (round % 20 == 0)
            assert_non_null(strstr(report(), "queue 3 has finished"));
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tapes_are_used_again),
        TEST(of_long_streams_the_end_is_kept),
        TEST(parts_follow_each_other_to_a_limit),
        TEST(only_what_has_not_finished_is_told),
        TEST(names_are_of_objects_not_of_handles),
        TEST(what_is_not_told_takes_no_time),
        TEST(nonsense_is_walked_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
