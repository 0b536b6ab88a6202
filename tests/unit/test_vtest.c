/* SPDX-License-Identifier: MIT
 *
 * The server's vtest parser over a socketpair: what a client should send, and what it should not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/pass_fds.h"
#include "protocol/vtest.h"
#include "server/log.h"
#include "server/vtest.h"

#include "opcodes.h"

/* ---- A server to talk to */

struct server {
    int client; /* our end; -1 once closed */
    int fd;     /* the parser's end */
    struct vds_shm_table *shm;
    struct vds_vtest *vtest;
    char name[128];
    int contexts;
    int setups;
    bool refuse_context;
    struct vd_setup setup;
};

static void named(void *data, const char *name)
{
    struct server *server = data;
    strncpy(server->name, name, sizeof(server->name) - 1);
}

static bool context_init(void *data)
{
    struct server *server = data;
    server->contexts++;
    return !server->refuse_context;
}

static bool setup(void *data, const struct vd_setup *setup)
{
    struct server *server = data;
    server->setups++;
    server->setup = *setup;
    return true;
}

static const struct vds_vtest_listener listener = {
    .named = named,
    .context_init = context_init,
    .setup = setup,
};

static void server_init(struct server *server)
{
    int sockets[2];
    *server = (struct server){0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets),
                     0);
    server->client = sockets[0];
    server->fd = sockets[1];
    server->shm = vds_shm_table_create();
    server->vtest = vds_vtest_create(server->fd, server->shm, &listener, server);
    assert_non_null(server->shm);
    assert_non_null(server->vtest);
}

static void hang_up(struct server *server)
{
    if (server->client >= 0) {
        close(server->client);
        server->client = -1;
    }
}

static void server_finish(struct server *server)
{
    hang_up(server);
    vds_vtest_destroy(server->vtest);
    vds_shm_table_destroy(server->shm);
    close(server->fd);
}

/* Reads and drops what the server has answered, descriptors, too. */
static void drain(struct server *server)
{
    uint8_t bytes[4096];
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    for (;;) {
        struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
        struct msghdr message = {
            .msg_iov = &iov,
            .msg_iovlen = 1,
            .msg_control = &control,
            .msg_controllen = sizeof(control),
        };
        if (recvmsg(server->client, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
            return;
        const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (header) {
            int fd;
            memcpy(&fd, CMSG_DATA(header), sizeof(fd));
            close(fd);
        }
    }
}

/* Sends everything, however often the server has to be run in between. */
static enum vds_vtest_status feed(struct server *server, const void *bytes, size_t size)
{
    enum vds_vtest_status status = VDS_VTEST_OPEN;
    size_t sent = 0;
    while (sent < size && status == VDS_VTEST_OPEN) {
        const ssize_t result = send(server->client, (const uint8_t *)bytes + sent, size - sent,
                                    MSG_NOSIGNAL | MSG_DONTWAIT);
        if (result > 0)
            sent += (size_t)result;
        drain(server);
        status = vds_vtest_process(server->vtest);
    }
    /* Until it has nothing more to do. */
    for (int idle = 0; status == VDS_VTEST_OPEN && idle < 3; idle++) {
        struct pollfd source = {.fd = server->fd, .events = vds_vtest_events(server->vtest)};
        drain(server);
        if (poll(&source, 1, 0) > 0)
            idle = 0;
        status = vds_vtest_process(server->vtest);
    }
    return status;
}

/* ---- Messages */

struct message {
    uint8_t bytes[4096];
    size_t size;
};

static void append(struct message *message, const void *bytes, size_t size)
{
    assert_true(message->size + size <= sizeof(message->bytes));
    memcpy(message->bytes + message->size, bytes, size);
    message->size += size;
}

static void append_message(struct message *message, uint32_t command, const void *payload,
                           size_t size)
{
    const struct vtest_header header = {
        .length = (uint32_t)(command == VTEST_CREATE_RENDERER ? size : size / 4),
        .command = command,
    };
    append(message, &header, sizeof(header));
    append(message, payload, size);
}

static void append_dwords(struct message *message, uint32_t command, uint32_t count, ...)
{
    uint32_t dwords[16];
    va_list args;
    va_start(args, count);
    for (uint32_t i = 0; i < count; i++)
        dwords[i] = va_arg(args, uint32_t);
    va_end(args);
    append_message(message, command, dwords, count * 4);
}

struct submission {
    uint32_t batch_count;
    struct vtest_submit_batch batch;
    struct vd_record record;
    struct vd_setup setup;
};

static const struct submission good_submission = {
    .batch_count = 1,
    .batch = {.cmd_offset = 9, .cmd_size = 6},
    .record = {.size = 24, .opcode = VD_OP_SETUP},
    .setup = {.protocol_version = VD_PROTOCOL_VERSION, .ring_shm = 1, .completion_shm = 2},
};

static void append_name(struct message *message)
{
    append_message(message, VTEST_CREATE_RENDERER, "test", 5);
}

static void append_context(struct message *message)
{
    append_name(message);
    append_dwords(message, VTEST_CONTEXT_INIT, 1, VD_CAPSET_ID);
}

/* All that a client of ours sends before its first frame, and more. */
static void append_handshake(struct message *message)
{
    append_name(message);
    append_dwords(message, VTEST_PING_PROTOCOL_VERSION, 0);
    append_dwords(message, VTEST_RESOURCE_BUSY_WAIT, 2, 0, 0);
    append_dwords(message, VTEST_PROTOCOL_VERSION_CMD, 1, VTEST_PROTOCOL_VERSION);
    append_dwords(message, VTEST_GET_CAPSET, 2, VD_CAPSET_ID, VD_PROTOCOL_VERSION);
    append_dwords(message, VTEST_CONTEXT_INIT, 1, VD_CAPSET_ID);
    append_dwords(message, VTEST_RESOURCE_CREATE_BLOB, 6, 1, 3, 8192, 0, 0, 0);
    append_dwords(message, VTEST_RESOURCE_CREATE_BLOB, 6, 1, 3, 4096, 0, 0, 0);
    append_message(message, VTEST_SUBMIT_CMD2, &good_submission, sizeof(good_submission));
    append_dwords(message, VTEST_RESOURCE_CREATE_BLOB, 6, 1, 1, 100, 0, 0, 0);
    append_dwords(message, VTEST_RESOURCE_UNREF, 1, 3);
}

/* ---- What is right */

static void receive(struct server *server, void *bytes, size_t size)
{
    if (size > 0)
        assert_int_equal(recv(server->client, bytes, size, MSG_DONTWAIT), size);
}

static void expect_header(struct server *server, uint32_t command, uint32_t length)
{
    struct vtest_header header;
    receive(server, &header, sizeof(header));
    assert_int_equal(header.command, command);
    assert_int_equal(header.length, length);
}

static uint32_t expect_dword(struct server *server, uint32_t command)
{
    uint32_t value;
    expect_header(server, command, 1);
    receive(server, &value, sizeof(value));
    return value;
}

static int expect_fd(struct server *server)
{
    char byte;
    int fd = -1;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    assert_int_equal(recvmsg(server->client, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC), 1);
    assert_non_null(CMSG_FIRSTHDR(&message));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
    return fd;
}

static void put(struct server *server, const struct message *message)
{
    assert_int_equal(send(server->client, message->bytes, message->size, MSG_NOSIGNAL),
                     message->size);
    assert_int_equal(vds_vtest_process(server->vtest), VDS_VTEST_OPEN);
}

static void the_handshake_works(void **state)
{
    (void)state;
    struct server server;
    struct message message = {0};
    static struct vd_capset capset;
    uint32_t valid;

    server_init(&server);
    append_name(&message);
    append_dwords(&message, VTEST_PING_PROTOCOL_VERSION, 0);
    append_dwords(&message, VTEST_RESOURCE_BUSY_WAIT, 2, 0, 0);
    put(&server, &message);
    assert_string_equal(server.name, "test");
    expect_header(&server, VTEST_PING_PROTOCOL_VERSION, 0);
    assert_int_equal(expect_dword(&server, VTEST_RESOURCE_BUSY_WAIT), 0);

    message.size = 0;
    append_dwords(&message, VTEST_PROTOCOL_VERSION_CMD, 1, 4);
    append_dwords(&message, VTEST_PROTOCOL_VERSION_CMD, 1, 5);
    append_dwords(&message, VTEST_PROTOCOL_VERSION_CMD, 1, 3);
    append_dwords(&message, VTEST_PROTOCOL_VERSION_CMD, 1, 1);
    put(&server, &message);
    assert_int_equal(expect_dword(&server, VTEST_PROTOCOL_VERSION_CMD), 4);
    assert_int_equal(expect_dword(&server, VTEST_PROTOCOL_VERSION_CMD), 4);
    assert_int_equal(expect_dword(&server, VTEST_PROTOCOL_VERSION_CMD), 3);
    assert_int_equal(expect_dword(&server, VTEST_PROTOCOL_VERSION_CMD), 0);

    message.size = 0;
    append_dwords(&message, VTEST_GET_CAPSET, 2, 4, 0);
    append_dwords(&message, VTEST_GET_CAPSET, 2, VD_CAPSET_ID, VD_PROTOCOL_VERSION);
    put(&server, &message);
    assert_int_equal(expect_dword(&server, VTEST_GET_CAPSET), 0);
    expect_header(&server, VTEST_GET_CAPSET, 1 + sizeof(capset) / 4);
    receive(&server, &valid, sizeof(valid));
    receive(&server, &capset, sizeof(capset));
    assert_int_equal(valid, 1);
    assert_int_equal(capset.protocol_version, VD_PROTOCOL_VERSION);

    message.size = 0;
    append_dwords(&message, VTEST_CONTEXT_INIT, 1, VD_CAPSET_ID);
    append_dwords(&message, VTEST_RESOURCE_CREATE_BLOB, 6, 1, 3, 4097, 0, 0, 0);
    put(&server, &message);
    assert_int_equal(server.contexts, 1);
    const uint32_t id = expect_dword(&server, VTEST_RESOURCE_CREATE_BLOB);
    const int fd = expect_fd(&server);
    uint8_t *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    map[8191] = 77;
    struct vds_shm_region *region = vds_shm_get(server.shm, id, 0, 8192);
    assert_non_null(region);
    assert_int_equal(region->map[8191], 77);
    vds_shm_put(server.shm, region);
    munmap(map, 8192);
    close(fd);

    message.size = 0;
    append_message(&message, VTEST_SUBMIT_CMD2, &good_submission, sizeof(good_submission));
    append_dwords(&message, VTEST_RESOURCE_UNREF, 1, id);
    put(&server, &message);
    assert_int_equal(server.setups, 1);
    assert_int_equal(server.setup.ring_shm, 1);
    assert_int_equal(server.setup.completion_shm, 2);
    assert_null(vds_shm_get(server.shm, id, 0, 0));

    hang_up(&server);
    assert_int_equal(vds_vtest_process(server.vtest), VDS_VTEST_CLOSED);
    server_finish(&server);
}

static void messages_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct server server;
    struct message message = {0};
    server_init(&server);
    append_handshake(&message);
    for (size_t i = 0; i < message.size; i++)
        assert_int_equal(feed(&server, message.bytes + i, 1), VDS_VTEST_OPEN);
    assert_int_equal(server.contexts, 1);
    assert_int_equal(server.setups, 1);
    server_finish(&server);
}

static void names_are_made_printable(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *name;
    } cases[] = {
        {"", 0, "unnamed"},
        {"", 1, "unnamed"},
        {"a", 1, "a"},
        {"a\0b", 4, "a"},
        {"\x1b[31m\n\xff", 7, "?[31m??"},
        {"0123456789012345678901234567890123456789012345678901234567890123456789", 71,
         "012345678901234567890123456789012345678901234567890123456789012"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct server server;
        struct message message = {0};
        server_init(&server);
        append_message(&message, VTEST_CREATE_RENDERER, cases[i].bytes, cases[i].size);
        assert_int_equal(feed(&server, message.bytes, message.size), VDS_VTEST_OPEN);
        assert_string_equal(server.name, cases[i].name);
        server_finish(&server);
    }
}

static void no_memory_is_an_answer(void **state)
{
    (void)state;
    struct server server;
    struct message message = {0};
    server_init(&server);
    append_context(&message);
    append_dwords(&message, VTEST_RESOURCE_CREATE_BLOB, 6, 1, 3, 0, 1u << 31, 0, 0);
    append_dwords(&message, VTEST_RESOURCE_CREATE_BLOB, 6, 1, 3, 0, 0, 0, 0);
    append_dwords(&message, VTEST_PROTOCOL_VERSION_CMD, 1, 4);
    put(&server, &message);
    assert_int_equal(expect_dword(&server, VTEST_RESOURCE_CREATE_BLOB), 0);
    assert_int_equal(expect_dword(&server, VTEST_RESOURCE_CREATE_BLOB), 0);
    assert_int_equal(expect_dword(&server, VTEST_PROTOCOL_VERSION_CMD), 4);
    server_finish(&server);
}

/* Without reading a single answer, until neither side can send any more. */
static void a_client_that_does_not_read_is_not_served(void **state)
{
    (void)state;
    struct server server;
    struct message message = {0};
    server_init(&server);
    append_context(&message);
    put(&server, &message);
    message.size = 0;
    append_dwords(&message, VTEST_GET_CAPSET, 2, VD_CAPSET_ID, VD_PROTOCOL_VERSION);
    append_dwords(&message, VTEST_RESOURCE_CREATE_BLOB, 6, 1, 3, 4096, 0, 0, 0);
    int asked = 0;
    /* Whole messages only: a stream socket takes less than all when it is nearly full. */
    struct pollfd sink = {.fd = server.client, .events = POLLOUT};
    while (asked < 5000 && poll(&sink, 1, 0) == 1 &&
           send(server.client, message.bytes, message.size, MSG_NOSIGNAL) ==
               (ssize_t)message.size) {
        asked++;
        assert_int_equal(vds_vtest_process(server.vtest), VDS_VTEST_OPEN);
    }
    assert_true(asked > 10);
    assert_int_equal(vds_vtest_events(server.vtest), POLLOUT);
    assert_int_equal(feed(&server, "", 0), VDS_VTEST_OPEN);
    assert_int_equal(vds_vtest_events(server.vtest), POLLIN);
    server_finish(&server);
}

static void a_client_may_leave_with_answers_on_their_way(void **state)
{
    (void)state;
    struct server server;
    struct message message = {0};
    server_init(&server);
    append_context(&message);
    append_dwords(&message, VTEST_RESOURCE_CREATE_BLOB, 6, 1, 3, 4096, 0, 0, 0);
    assert_int_equal(send(server.client, message.bytes, message.size, MSG_NOSIGNAL), message.size);
    hang_up(&server);
    enum vds_vtest_status status;
    do {
        status = vds_vtest_process(server.vtest);
    } while (status == VDS_VTEST_OPEN);
    assert_int_equal(status, VDS_VTEST_CLOSED);
    server_finish(&server);
}

/* ---- What is wrong */

static enum vds_vtest_status result_of(const struct message *message)
{
    struct server server;
    server_init(&server);
    const enum vds_vtest_status status = feed(&server, message->bytes, message->size);
    server_finish(&server);
    return status;
}

static void every_truncation_is_noticed(void **state)
{
    (void)state;
    struct message message = {0};
    append_handshake(&message);

    size_t ends[32], count = 0;
    for (size_t at = 0; at < message.size;) {
        struct vtest_header header;
        memcpy(&header, message.bytes + at, sizeof(header));
        ends[count++] = at;
        at += sizeof(header) + header.length * (header.command == VTEST_CREATE_RENDERER ? 1 : 4);
    }
    for (size_t length = 0, next = 0; length < message.size; length++) {
        struct server server;
        server_init(&server);
        assert_int_equal(feed(&server, message.bytes, length), VDS_VTEST_OPEN);
        hang_up(&server);
        const bool whole = next < count && ends[next] == length;
        next += whole;
        assert_int_equal(vds_vtest_process(server.vtest),
                         whole ? VDS_VTEST_CLOSED : VDS_VTEST_FAILED);
        server_finish(&server);
    }
}

static void wrong_order_is_refused(void **state)
{
    (void)state;
    static const uint32_t commands[] = {
        VTEST_PING_PROTOCOL_VERSION, VTEST_PROTOCOL_VERSION_CMD,
        VTEST_RESOURCE_BUSY_WAIT,    VTEST_GET_CAPSET,
        VTEST_CONTEXT_INIT,          VTEST_RESOURCE_CREATE_BLOB,
        VTEST_RESOURCE_UNREF,        VTEST_SUBMIT_CMD2,
    };
    static const uint32_t zeroes[64];
    struct message message;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        message.size = 0;
        append_message(&message, commands[i], zeroes, 4);
        assert_int_equal(result_of(&message), VDS_VTEST_FAILED);
    }
    message.size = 0;
    append_name(&message);
    append_name(&message);
    assert_int_equal(result_of(&message), VDS_VTEST_FAILED);
    message.size = 0;
    append_name(&message);
    append_dwords(&message, VTEST_RESOURCE_CREATE_BLOB, 6, 1, 3, 4096, 0, 0, 0);
    assert_int_equal(result_of(&message), VDS_VTEST_FAILED);
    message.size = 0;
    append_name(&message);
    append_message(&message, VTEST_SUBMIT_CMD2, &good_submission, sizeof(good_submission));
    assert_int_equal(result_of(&message), VDS_VTEST_FAILED);
    message.size = 0;
    append_context(&message);
    append_dwords(&message, VTEST_CONTEXT_INIT, 1, VD_CAPSET_ID);
    assert_int_equal(result_of(&message), VDS_VTEST_FAILED);
}

static void wrong_sizes_and_commands_are_refused(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0,     1,          2,          3,          5,
                                       7,     8,          16384,      16385,      65536,
                                       65537, 0x3fffffff, 0x40000000, 0x40000001, UINT32_MAX};
    for (uint32_t command = 0; command < 64; command++) {
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            const struct vtest_header header = {.length = lengths[i], .command = command};
            struct message message = {0};
            append_context(&message);
            append(&message, &header, sizeof(header));
            const enum vds_vtest_status status = result_of(&message);
            /* What may be that long is still being waited for. */
            const bool valid =
                (command == VTEST_SUBMIT_CMD2 && lengths[i] >= 9 && lengths[i] <= 16384) ||
                (command == VTEST_PING_PROTOCOL_VERSION && lengths[i] == 0) ||
                (command == VTEST_PROTOCOL_VERSION_CMD && lengths[i] == 1) ||
                (command == VTEST_RESOURCE_BUSY_WAIT && lengths[i] == 2) ||
                (command == VTEST_GET_CAPSET && lengths[i] == 2) ||
                (command == VTEST_CONTEXT_INIT && lengths[i] == 1) ||
                (command == VTEST_RESOURCE_UNREF && lengths[i] == 1);
            assert_int_equal(status, valid ? VDS_VTEST_OPEN : VDS_VTEST_FAILED);
        }
    }
    const struct vtest_header header = {.length = VTEST_PAYLOAD_MAX + 1,
                                        .command = VTEST_CREATE_RENDERER};
    struct message message = {0};
    append(&message, &header, sizeof(header));
    assert_int_equal(result_of(&message), VDS_VTEST_FAILED);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    struct message message = {0};
    append_context(&message);
    const size_t context = message.size;

    append_dwords(&message, VTEST_RESOURCE_BUSY_WAIT, 2, 1, 0);
    assert_int_equal(result_of(&message), VDS_VTEST_FAILED);
    message.size = context;
    append_dwords(&message, VTEST_RESOURCE_UNREF, 1, 1);
    assert_int_equal(result_of(&message), VDS_VTEST_FAILED);
    message.size = 0;
    append_name(&message);
    append_dwords(&message, VTEST_CONTEXT_INIT, 1, 4);
    assert_int_equal(result_of(&message), VDS_VTEST_FAILED);

    static const uint32_t blobs[][6] = {
        {0, 3, 4096, 0, 0, 0}, {2, 3, 4096, 0, 0, 0}, {1, 4, 4096, 0, 0, 0},
        {1, 3, 4096, 0, 1, 0}, {1, 3, 4096, 0, 0, 1}, {UINT32_MAX, 3, 4096, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof(blobs) / sizeof(blobs[0]); i++) {
        message.size = context;
        append_message(&message, VTEST_RESOURCE_CREATE_BLOB, blobs[i], sizeof(blobs[i]));
        assert_int_equal(result_of(&message), VDS_VTEST_FAILED);
    }
}

static void wrong_submissions_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t dword; /* of the submission */
        uint32_t value;
    } cases[] = {
        {0, 0},
        {0, 2},
        {0, UINT32_MAX},
        {1, 1},
        {2, 0},
        {2, 8},
        {2, 10},
        {2, UINT32_MAX},
        {2, 0x40000009},
        {3, 0},
        {3, 5},
        {3, 7},
        {3, UINT32_MAX},
        {3, 0x40000006},
        {5, 1},
        {7, 1},
        {8, 1},
        {9, 16},
        {9, 32},
        {10, VD_OP_NOP},
        {10, VD_OP_INDIRECT},
        {10, 1u << 16 | VD_OP_SETUP},
        {11, VD_PROTOCOL_VERSION + 1},
        {11, 0},
    };
    uint32_t dwords[sizeof(good_submission) / 4];
    struct message message = {0};
    append_context(&message);
    const size_t context = message.size;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memcpy(dwords, &good_submission, sizeof(dwords));
        dwords[cases[i].dword] = cases[i].value;
        message.size = context;
        append_message(&message, VTEST_SUBMIT_CMD2, dwords, sizeof(dwords));
        assert_int_equal(result_of(&message), VDS_VTEST_FAILED);
    }
    /* The batch alone, and a second set-up. */
    message.size = context;
    append_message(&message, VTEST_SUBMIT_CMD2, &good_submission, 36);
    assert_int_equal(result_of(&message), VDS_VTEST_FAILED);
    message.size = context;
    append_message(&message, VTEST_SUBMIT_CMD2, &good_submission, sizeof(good_submission));
    assert_int_equal(result_of(&message), VDS_VTEST_OPEN);
    append_message(&message, VTEST_SUBMIT_CMD2, &good_submission, sizeof(good_submission));
    assert_int_equal(result_of(&message), VDS_VTEST_FAILED);
}

static void a_refused_context_ends_the_connection(void **state)
{
    (void)state;
    struct server server;
    struct message message = {0};
    server_init(&server);
    server.refuse_context = true;
    append_context(&message);
    assert_int_equal(feed(&server, message.bytes, message.size), VDS_VTEST_FAILED);
    server_finish(&server);
}

/* Each byte of the handshake takes several wrong values; whatever follows from that, it ends. */
static void mutations_are_survived(void **state)
{
    (void)state;
    static const uint8_t masks[] = {0x01, 0x02, 0x10, 0x80, 0xff};
    struct message message = {0};
    append_handshake(&message);
    for (size_t i = 0; i < message.size; i++) {
        for (size_t j = 0; j < sizeof(masks); j++) {
            struct server server;
            server_init(&server);
            message.bytes[i] ^= masks[j];
            const enum vds_vtest_status status = feed(&server, message.bytes, message.size);
            message.bytes[i] ^= masks[j];
            if (status == VDS_VTEST_OPEN) {
                hang_up(&server);
                assert_int_not_equal(vds_vtest_process(server.vtest), VDS_VTEST_OPEN);
            }
            server_finish(&server);
        }
    }
}

static void noise_is_survived(void **state)
{
    (void)state;
    uint32_t seed = 3;
    for (int round = 0; round < 2000; round++) {
        struct message message = {0};
        if (round % 2)
            append_context(&message);
        while (message.size < 400) {
            seed = seed * 1664525u + 1013904223u;
            /* Small numbers and zeroes make sense more often. */
            const uint32_t value = seed >> 28 < 12 ? seed >> 8 & 31 : seed;
            append(&message, &value, sizeof(value));
        }
        result_of(&message);
    }
}

/* ---- Descriptors */

static void give_fd(struct server *server, uint32_t command, int fd)
{
    struct vtest_header header = {.command = command};
    assert_int_equal(vd_send_fds(server->client, &header, sizeof(header), &fd, 1, MSG_NOSIGNAL),
                     sizeof(header));
}

/* The first `size` bytes of it. */
static void give_shm(struct server *server, uint32_t size, int fd)
{
    const struct {
        struct vtest_header header;
        struct vtest_give_shm part;
    } message = {
        .header = {.length = 4, .command = VTEST_VIADUCT_GIVE_SHM},
        .part = {.size_lo = size},
    };
    assert_int_equal(vd_send_fds(server->client, &message, sizeof(message), &fd, 1, MSG_NOSIGNAL),
                     sizeof(message));
}

static bool same_file(int a, int b)
{
    struct stat of_a, of_b;
    assert_int_equal(fstat(a, &of_a), 0);
    assert_int_equal(fstat(b, &of_b), 0);
    return of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

static void descriptors_cross_both_ways(void **state)
{
    (void)state;
    struct server server;
    struct message message = {0};
    server_init(&server);
    append_context(&message);
    put(&server, &message);

    const int given = memfd_create("given", MFD_CLOEXEC);
    give_fd(&server, VTEST_VIADUCT_GIVE_FD, given);
    assert_int_equal(vds_vtest_process(server.vtest), VDS_VTEST_OPEN);
    uint32_t id = expect_dword(&server, VTEST_VIADUCT_GIVE_FD);
    assert_int_not_equal(id, 0);
    const int received = vds_shm_take_fd(server.shm, id);
    assert_true(received >= 0 && same_file(given, received));
    assert_int_equal(vds_shm_take_fd(server.shm, id), -1);
    close(given);

    /* The other way. */
    id = vds_shm_add_fd(server.shm, received);
    assert_int_not_equal(id, 0);
    message.size = 0;
    append_dwords(&message, VTEST_VIADUCT_TAKE_FD, 1, id);
    put(&server, &message);
    assert_int_equal(expect_dword(&server, VTEST_VIADUCT_TAKE_FD), id);
    close(expect_fd(&server));

    /* A message without its descriptor. */
    message.size = 0;
    append_dwords(&message, VTEST_VIADUCT_GIVE_FD, 0);
    put(&server, &message);
    assert_int_equal(expect_dword(&server, VTEST_VIADUCT_GIVE_FD), 0);

    /* An id is good for one use. */
    message.size = 0;
    append_dwords(&message, VTEST_VIADUCT_TAKE_FD, 1, id);
    assert_int_equal(feed(&server, message.bytes, message.size), VDS_VTEST_FAILED);
    server_finish(&server);
}

static void files_become_shared_memory(void **state)
{
    (void)state;
    struct server server;
    struct message message = {0};
    server_init(&server);
    append_context(&message);
    put(&server, &message);

    /* The first one could be cut off under the server's hands. */
    const int file = memfd_create("given", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(file, 4096), 0);
    give_shm(&server, 4096, file);
    assert_int_equal(vds_vtest_process(server.vtest), VDS_VTEST_OPEN);
    assert_int_equal(expect_dword(&server, VTEST_VIADUCT_GIVE_SHM), 0);

    assert_int_equal(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    give_shm(&server, 4096, file);
    assert_int_equal(vds_vtest_process(server.vtest), VDS_VTEST_OPEN);
    const uint32_t id = expect_dword(&server, VTEST_VIADUCT_GIVE_SHM);
    assert_int_not_equal(id, 0);
    struct vds_shm_region *region = vds_shm_get(server.shm, id, 0, 4096);
    assert_non_null(region);
    vds_shm_put(server.shm, region);
    close(file);

    message.size = 0;
    append_dwords(&message, VTEST_RESOURCE_UNREF, 1, id);
    put(&server, &message);
    assert_null(vds_shm_get(server.shm, id, 0, 0));

    /* A message without its descriptor. */
    message.size = 0;
    append_dwords(&message, VTEST_VIADUCT_GIVE_SHM, 4, 0, 0, 4096, 0);
    put(&server, &message);
    assert_int_equal(expect_dword(&server, VTEST_VIADUCT_GIVE_SHM), 0);
    server_finish(&server);
}

static void descriptors_without_end_are_refused(void **state)
{
    (void)state;
    struct server server;
    struct message message = {0};
    server_init(&server);
    append_context(&message);
    put(&server, &message);
    bool refused = false;
    for (int i = 0; i < 1000 && !refused; i++) {
        give_fd(&server, VTEST_VIADUCT_GIVE_FD, STDIN_FILENO);
        assert_int_equal(vds_vtest_process(server.vtest), VDS_VTEST_OPEN);
        refused = expect_dword(&server, VTEST_VIADUCT_GIVE_FD) == 0;
    }
    assert_true(refused);

    /* A descriptor with a message that wants none waits for one that does; a second one may not. */
    give_fd(&server, VTEST_PING_PROTOCOL_VERSION, STDIN_FILENO);
    assert_int_equal(vds_vtest_process(server.vtest), VDS_VTEST_OPEN);
    give_fd(&server, VTEST_PING_PROTOCOL_VERSION, STDIN_FILENO);
    assert_int_equal(vds_vtest_process(server.vtest), VDS_VTEST_FAILED);
    server_finish(&server);
}

static int quiet(void **state)
{
    (void)state;
    vds_log_set_level(VDS_LOG_ERROR); /* hundreds of refusals are expected */
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_handshake_works),
        cmocka_unit_test(messages_may_come_byte_by_byte),
        cmocka_unit_test(names_are_made_printable),
        cmocka_unit_test(no_memory_is_an_answer),
        cmocka_unit_test(a_client_that_does_not_read_is_not_served),
        cmocka_unit_test(a_client_may_leave_with_answers_on_their_way),
        cmocka_unit_test(every_truncation_is_noticed),
        cmocka_unit_test(wrong_order_is_refused),
        cmocka_unit_test(wrong_sizes_and_commands_are_refused),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(wrong_submissions_are_refused),
        cmocka_unit_test(a_refused_context_ends_the_connection),
        cmocka_unit_test(descriptors_cross_both_ways),
        cmocka_unit_test(files_become_shared_memory),
        cmocka_unit_test(descriptors_without_end_are_refused),
        cmocka_unit_test(mutations_are_survived),
        cmocka_unit_test(noise_is_survived),
    };
    return cmocka_run_group_tests(tests, quiet, NULL);
}
