/* SPDX-License-Identifier: MIT
 *
 * A client of the server's core, whose driver is fake_driver.c, and how tests begin with it.
 */
#ifndef VIADUCT_TESTS_FIXTURE_H
#define VIADUCT_TESTS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdbool.h>

#include "server/context_private.h"

#include "fake_driver.h"
#include "records.h"

/* ---- The client */

/* To the last record that asked for one, and what comes behind it. */
const struct vd_reply *client_reply(const struct test_client *client);
const uint8_t *client_reply_bytes(const struct test_client *client);
bool client_is_lost(const struct test_client *client);
/* 0: the client has no such object. */
uint64_t client_host_handle(struct test_client *client, uint64_t id);
bool client_send_record(struct test_client *client, const struct test_record *r);

#define accepted(client, r) assert_true(client_send_record(client, r))
#define refused(client, r)  assert_false(client_send_record(client, r))
#define answered(client, r, expected)                                 \
    do {                                                              \
        accepted(client, r);                                          \
        assert_int_equal(client_reply(client)->state, VD_REPLY_DONE); \
        assert_int_equal(client_reply(client)->result, expected);     \
    } while (0)

/* Fails after two seconds. */
void await_count(_Atomic uint64_t *counter, uint64_t value);

/* ---- Beginnings */

/* How tests begin, as set-up functions of cmocka; all of them end with disconnect(). */
int connect_client(void **state);
int open_device(void **state);
int open_command_buffer(void **state);
int disconnect(void **state);
int open_device_with(void **state, int lanes);

/* Makes what make_sample() speaks of. */
void prepare_samples(struct test_client *client);

#define TEST(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, disconnect)

/* ---- Streams */

struct stream {
    uint8_t bytes[32768];
    uint32_t size;
    uint32_t flags;
};

void stream_add(struct stream *stream, const struct test_record *r);
void stream_begin(struct stream *stream);
void stream_draw(struct stream *stream);
void stream_draw_of(struct stream *stream, uint32_t vertices);
/* Sends it, in two chunks. */
bool stream_replay(struct test_client *client, const struct stream *stream,
                   uint64_t command_buffer);

#endif
