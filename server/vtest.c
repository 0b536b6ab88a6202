/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/pass_fds.h"
#include "protocol/vtest.h"

#include "context.h"
#include "log.h"
#include "opcodes.h"
#include "vtest.h"

#define INPUT_SIZE (sizeof(struct vtest_header) + VTEST_PAYLOAD_MAX)
#define NAME_SIZE  64

/* The handshake only goes forward. */
enum stage {
    STAGE_NEW,     /* expects CREATE_RENDERER */
    STAGE_NAMED,   /* may ask and negotiate */
    STAGE_CONTEXT, /* may make shared memory and set up */
};

/* The largest answer, and a descriptor that follows it. */
struct output {
    uint8_t bytes[2 * sizeof(struct vtest_header) + sizeof(struct vd_capset)];
    size_t size;
    size_t sent;
    int fd; /* -1: none */
};

struct vds_vtest {
    int fd;
    struct vds_shm_table *shm;
    const struct vds_vtest_listener *listener;
    void *data;

    enum stage stage;
    bool set_up;
    struct output output;
    int input_fd; /* received with the input, -1: none */
    size_t input_size;
    uint8_t input[INPUT_SIZE];
};

struct vds_vtest *vds_vtest_create(int fd, struct vds_shm_table *shm,
                                   const struct vds_vtest_listener *listener, void *data)
{
    struct vds_vtest *vtest = calloc(1, sizeof(*vtest));
    if (!vtest)
        return NULL;
    vtest->fd = fd;
    vtest->shm = shm;
    vtest->listener = listener;
    vtest->data = data;
    vtest->output.fd = -1;
    vtest->input_fd = -1;
    return vtest;
}

void vds_vtest_destroy(struct vds_vtest *vtest)
{
    if (!vtest)
        return;
    if (vtest->output.fd >= 0)
        close(vtest->output.fd);
    if (vtest->input_fd >= 0)
        close(vtest->input_fd);
    free(vtest);
}

static bool output_pending(const struct vds_vtest *vtest)
{
    return vtest->output.sent < vtest->output.size || vtest->output.fd >= 0;
}

short vds_vtest_events(const struct vds_vtest *vtest)
{
    return output_pending(vtest) ? POLLOUT : POLLIN;
}

/* Queues header and payload. The previous answer is gone: process() sees to that. */
static void answer(struct vds_vtest *vtest, uint32_t command, const void *payload, size_t size)
{
    struct output *output = &vtest->output;
    const struct vtest_header header = {.length = (uint32_t)(size / 4), .command = command};
    assert(!output_pending(vtest) && size % 4 == 0);
    assert(size <= sizeof(output->bytes) - sizeof(header));
    memcpy(output->bytes, &header, sizeof(header));
    if (size > 0)
        memcpy(output->bytes + sizeof(header), payload, size);
    output->size = sizeof(header) + size;
    output->sent = 0;
}

/* ---- Handlers: payload has the size that the table asks for. False, after a line in the log, ends
 * ---- the connection. */

static uint32_t dword(const uint8_t *payload, uint32_t index)
{
    uint32_t value;
    memcpy(&value, payload + (size_t)index * 4, sizeof(value));
    return value;
}

static bool create_renderer(struct vds_vtest *vtest, const uint8_t *payload, uint32_t size)
{
    char name[NAME_SIZE];
    uint32_t length = 0;
    while (length < size && length < NAME_SIZE - 1 && payload[length] != '\0') {
        const uint8_t byte = payload[length];
        name[length++] = byte >= ' ' && byte < 0x7f ? (char)byte : '?';
    }
    name[length] = '\0';
    vtest->stage = STAGE_NAMED;
    vtest->listener->named(vtest->data, length > 0 ? name : "unnamed");
    return true;
}

static bool ping_protocol_version(struct vds_vtest *vtest, const uint8_t *payload, uint32_t size)
{
    (void)payload;
    (void)size;
    answer(vtest, VTEST_PING_PROTOCOL_VERSION, NULL, 0);
    return true;
}

static bool protocol_version(struct vds_vtest *vtest, const uint8_t *payload, uint32_t size)
{
    (void)size;
    uint32_t version = dword(payload, 0);
    if (version > VTEST_PROTOCOL_VERSION)
        version = VTEST_PROTOCOL_VERSION;
    if (version == 1)
        version = 0;
    answer(vtest, VTEST_PROTOCOL_VERSION_CMD, &version, sizeof(version));
    return true;
}

/* Clients send this behind a ping, for servers too old to know that. Nothing is ever busy. */
static bool resource_busy_wait(struct vds_vtest *vtest, const uint8_t *payload, uint32_t size)
{
    (void)size;
    const uint32_t resource = dword(payload, 0);
    const uint32_t busy = 0;
    if (resource != 0) {
        vds_log(VDS_LOG_WARNING, "protocol error: a wait for resource %u", resource);
        return false;
    }
    answer(vtest, VTEST_RESOURCE_BUSY_WAIT, &busy, sizeof(busy));
    return true;
}

static bool get_capset(struct vds_vtest *vtest, const uint8_t *payload, uint32_t size)
{
    (void)size;
    const uint32_t id = dword(payload, 0);
    const uint32_t version = dword(payload, 1);
    struct {
        uint32_t valid;
        struct vd_capset capset;
    } reply = {.valid = id == VD_CAPSET_ID};
    static_assert(offsetof(__typeof__(reply), capset) == 4, "the capset follows at once");

    if (!reply.valid) {
        vds_log(VDS_LOG_WARNING, "the client asks for capset %u; only Viaduct's, %u, is offered",
                id, VD_CAPSET_ID);
        answer(vtest, VTEST_GET_CAPSET, &reply.valid, sizeof(reply.valid));
        return true;
    }
    if (version != VD_PROTOCOL_VERSION) {
        /* Answered all the same, so that the client can say so as well. */
        vds_log(VDS_LOG_WARNING, "the client speaks Viaduct protocol %u, this server %u", version,
                VD_PROTOCOL_VERSION);
    }
    vds_capset_fill(&reply.capset);
    answer(vtest, VTEST_GET_CAPSET, &reply, sizeof(reply));
    return true;
}

static bool context_init(struct vds_vtest *vtest, const uint8_t *payload, uint32_t size)
{
    (void)size;
    const uint32_t id = dword(payload, 0);
    if (id != VD_CAPSET_ID) {
        vds_log(VDS_LOG_WARNING,
                "protocol error: a context for capset %u; only Viaduct's, %u, is offered", id,
                VD_CAPSET_ID);
        return false;
    }
    if (vtest->stage == STAGE_CONTEXT) {
        vds_log(VDS_LOG_WARNING, "protocol error: a second context");
        return false;
    }
    vtest->stage = STAGE_CONTEXT;
    return vtest->listener->context_init(vtest->data);
}

/* Resource id 0, and no descriptor behind it, tells the client that there is no memory. */
static bool resource_create_blob(struct vds_vtest *vtest, const uint8_t *payload, uint32_t size)
{
    (void)size;
    struct vtest_create_blob blob;
    memcpy(&blob, payload, sizeof(blob));
    const uint64_t bytes = (uint64_t)blob.size_hi << 32 | blob.size_lo;
    if (blob.type != VTEST_BLOB_GUEST ||
        (blob.flags & ~(uint32_t)(VTEST_BLOB_MAPPABLE | VTEST_BLOB_SHAREABLE)) != 0 ||
        blob.blob_id_lo != 0 || blob.blob_id_hi != 0) {
        vds_log(VDS_LOG_WARNING, "protocol error: a blob of type %u, flags %#x", blob.type,
                blob.flags);
        return false;
    }
    int fd = -1;
    const uint32_t id = vds_shm_add(vtest->shm, bytes, &fd);
    if (!id) {
        vds_log(VDS_LOG_WARNING, "no shared memory of %llu bytes: %s", (unsigned long long)bytes,
                strerror(errno));
    }
    answer(vtest, VTEST_RESOURCE_CREATE_BLOB, &id, sizeof(id));
    vtest->output.fd = fd;
    return true;
}

static bool resource_unref(struct vds_vtest *vtest, const uint8_t *payload, uint32_t size)
{
    (void)size;
    const uint32_t id = dword(payload, 0);
    if (!vds_shm_remove(vtest->shm, id)) {
        vds_log(VDS_LOG_WARNING, "protocol error: there is no resource %u to release", id);
        return false;
    }
    return true;
}

/* Id 0 tells the client that we have no room for its descriptor, or have not even received it. */
static bool give_fd(struct vds_vtest *vtest, const uint8_t *payload, uint32_t size)
{
    (void)payload;
    (void)size;
    uint32_t id = 0;
    if (vtest->input_fd >= 0) {
        id = vds_shm_add_fd(vtest->shm, vtest->input_fd);
        vtest->input_fd = -1;
    }
    if (!id)
        vds_log(VDS_LOG_WARNING, "no room for a descriptor of the client's");
    answer(vtest, VTEST_VIADUCT_GIVE_FD, &id, sizeof(id));
    return true;
}

/* Id 0 tells the client that its file is not fit to be shared memory. */
static bool give_shm(struct vds_vtest *vtest, const uint8_t *payload, uint32_t size)
{
    struct vtest_give_shm part;
    (void)size;
    memcpy(&part, payload, sizeof(part));
    uint32_t id = 0;
    errno = EBADF;
    if (vtest->input_fd >= 0) {
        id = vds_shm_add_file(vtest->shm, vtest->input_fd,
                              (uint64_t)part.offset_hi << 32 | part.offset_lo,
                              (uint64_t)part.size_hi << 32 | part.size_lo);
        if (!id) {
            vds_log(VDS_LOG_WARNING, "a file of the client's can not be shared memory: %s",
                    strerror(errno));
        }
        close(vtest->input_fd);
        vtest->input_fd = -1;
    }
    answer(vtest, VTEST_VIADUCT_GIVE_SHM, &id, sizeof(id));
    return true;
}

static bool take_fd(struct vds_vtest *vtest, const uint8_t *payload, uint32_t size)
{
    (void)size;
    const uint32_t id = dword(payload, 0);
    const int fd = vds_shm_take_fd(vtest->shm, id);
    if (fd < 0) {
        vds_log(VDS_LOG_WARNING, "protocol error: there is no descriptor %u to take", id);
        return false;
    }
    answer(vtest, VTEST_VIADUCT_TAKE_FD, &id, sizeof(id));
    vtest->output.fd = fd;
    return true;
}

/* The one thing that is ever submitted here is VD_OP_SETUP, alone in one batch. */
static bool submit_cmd2(struct vds_vtest *vtest, const uint8_t *payload, uint32_t size)
{
    struct {
        struct vd_record record;
        struct vd_setup setup;
    } command;
    struct vtest_submit_batch batch;
    static_assert(sizeof(command) == sizeof(command.record) + sizeof(command.setup), "no padding");

    const uint32_t batch_count = dword(payload, 0);
    if (batch_count != 1) {
        vds_log(VDS_LOG_WARNING, "protocol error: a submission of %u batches", batch_count);
        return false;
    }
    memcpy(&batch, payload + 4, sizeof(batch));
    const uint64_t offset = (uint64_t)batch.cmd_offset * 4;
    const uint64_t bytes = (uint64_t)batch.cmd_size * 4;
    if (batch.flags != 0 || batch.sync_count != 0 || batch.in_sync_count != 0 ||
        batch.out_sync_count != 0 || bytes != sizeof(command) || offset < 4 + sizeof(batch) ||
        offset + bytes > size) {
        vds_log(VDS_LOG_WARNING,
                "protocol error: a submission of %u dwords at dword %u, flags %#x, in a message of "
                "%u bytes",
                batch.cmd_size, batch.cmd_offset, batch.flags, size);
        return false;
    }
    memcpy(&command, payload + offset, sizeof(command));
    if (command.record.opcode != VD_OP_SETUP || command.record.flags != 0 ||
        command.record.size != sizeof(command)) {
        vds_log(VDS_LOG_WARNING, "protocol error: record %u of %u bytes instead of the set-up",
                command.record.opcode, command.record.size);
        return false;
    }
    if (command.setup.protocol_version != VD_PROTOCOL_VERSION) {
        vds_log(VDS_LOG_WARNING, "the client speaks Viaduct protocol %u, this server %u",
                command.setup.protocol_version, VD_PROTOCOL_VERSION);
        return false;
    }
    if (vtest->set_up) {
        vds_log(VDS_LOG_WARNING, "protocol error: a second set-up");
        return false;
    }
    vtest->set_up = true;
    return vtest->listener->setup(vtest->data, &command.setup);
}

/* Checked before a handler runs: that the stage allows the message, and its size in bytes. */
static const struct handler {
    uint32_t command;
    const char *name;
    enum stage stage; /* the first one that allows it */
    uint32_t size_min, size_max;
    bool (*handle)(struct vds_vtest *vtest, const uint8_t *payload, uint32_t size);
} handlers[] = {
    {VTEST_CREATE_RENDERER, "CREATE_RENDERER", STAGE_NEW, 0, VTEST_PAYLOAD_MAX, create_renderer},
    {VTEST_PING_PROTOCOL_VERSION, "PING_PROTOCOL_VERSION", STAGE_NAMED, 0, 0,
     ping_protocol_version},
    {VTEST_PROTOCOL_VERSION_CMD, "PROTOCOL_VERSION", STAGE_NAMED, 4, 4, protocol_version},
    {VTEST_RESOURCE_BUSY_WAIT, "RESOURCE_BUSY_WAIT", STAGE_NAMED, 8, 8, resource_busy_wait},
    {VTEST_GET_CAPSET, "GET_CAPSET", STAGE_NAMED, 8, 8, get_capset},
    {VTEST_CONTEXT_INIT, "CONTEXT_INIT", STAGE_NAMED, 4, 4, context_init},
    {VTEST_RESOURCE_CREATE_BLOB, "RESOURCE_CREATE_BLOB", STAGE_CONTEXT,
     sizeof(struct vtest_create_blob), sizeof(struct vtest_create_blob), resource_create_blob},
    {VTEST_RESOURCE_UNREF, "RESOURCE_UNREF", STAGE_CONTEXT, 4, 4, resource_unref},
    {VTEST_SUBMIT_CMD2, "SUBMIT_CMD2", STAGE_CONTEXT, 4 + sizeof(struct vtest_submit_batch),
     VTEST_PAYLOAD_MAX, submit_cmd2},
    {VTEST_VIADUCT_GIVE_FD, "VIADUCT_GIVE_FD", STAGE_CONTEXT, 0, 0, give_fd},
    {VTEST_VIADUCT_TAKE_FD, "VIADUCT_TAKE_FD", STAGE_CONTEXT, 4, 4, take_fd},
    {VTEST_VIADUCT_GIVE_SHM, "VIADUCT_GIVE_SHM", STAGE_CONTEXT, sizeof(struct vtest_give_shm),
     sizeof(struct vtest_give_shm), give_shm},
};

static const struct handler *find_handler(uint32_t command)
{
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
        if (handlers[i].command == command)
            return &handlers[i];
    return NULL;
}

/* The handler for this message, and the payload's size in bytes; NULL after a line in the log. */
static const struct handler *check_header(const struct vds_vtest *vtest,
                                          const struct vtest_header *header, uint32_t *size)
{
    const struct handler *handler = find_handler(header->command);
    if (!handler) {
        vds_log(VDS_LOG_WARNING, "protocol error: unknown vtest message %u of length %u",
                header->command, header->length);
        return NULL;
    }
    const bool first = header->command == VTEST_CREATE_RENDERER;
    if (first != (vtest->stage == STAGE_NEW) || vtest->stage < handler->stage) {
        vds_log(VDS_LOG_WARNING, "protocol error: %s out of order", handler->name);
        return NULL;
    }
    const uint64_t bytes = (uint64_t)header->length * (first ? 1 : 4);
    if (bytes < handler->size_min || bytes > handler->size_max) {
        vds_log(VDS_LOG_WARNING, "protocol error: %s with %llu bytes", handler->name,
                (unsigned long long)bytes);
        return NULL;
    }
    *size = (uint32_t)bytes;
    return handler;
}

/* Handles the messages that have arrived completely, up to one that makes an answer. */
static bool handle_input(struct vds_vtest *vtest)
{
    size_t used = 0;
    bool ok = true;
    while (ok && !output_pending(vtest)) {
        struct vtest_header header;
        uint32_t size;
        if (vtest->input_size - used < sizeof(header))
            break;
        memcpy(&header, vtest->input + used, sizeof(header));
        const struct handler *handler = check_header(vtest, &header, &size);
        if (!handler) {
            ok = false;
            break;
        }
        if (vtest->input_size - used - sizeof(header) < size)
            break;
        ok = handler->handle(vtest, vtest->input + used + sizeof(header), size);
        used += sizeof(header) + size;
    }
    memmove(vtest->input, vtest->input + used, vtest->input_size - used);
    vtest->input_size -= used;
    return ok;
}

/* ---- The socket */

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* The descriptor travels with one byte of its own, so that a reader of the answer can not swallow
 * it. */
static ssize_t send_fd(int socket, int fd)
{
    const char byte = 0;
    return vd_send_fds(socket, &byte, 1, &fd, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Sends what the socket takes. */
static enum vds_vtest_status flush_output(struct vds_vtest *vtest)
{
    struct output *output = &vtest->output;
    while (output_pending(vtest)) {
        const bool bytes = output->sent < output->size;
        const ssize_t sent = bytes ? send(vtest->fd, output->bytes + output->sent,
                                          output->size - output->sent, MSG_NOSIGNAL | MSG_DONTWAIT)
                                   : send_fd(vtest->fd, output->fd);
        if (sent < 0) {
            if (would_block())
                return VDS_VTEST_OPEN;
            if (errno == EPIPE || errno == ECONNRESET)
                return VDS_VTEST_CLOSED;
            vds_log(VDS_LOG_ERROR, "can not send to the client: %s", strerror(errno));
            return VDS_VTEST_FAILED;
        }
        if (bytes) {
            output->sent += (size_t)sent;
        } else {
            close(output->fd);
            output->fd = -1;
        }
    }
    return VDS_VTEST_OPEN;
}

/* Keeps the descriptor that came with a message. False: there is one already that no message has
 * asked for. */
static bool keep_fd(struct vds_vtest *vtest, int fd)
{
    if (vtest->input_fd >= 0) {
        vds_log(VDS_LOG_WARNING, "protocol error: a descriptor that belongs to no message");
        close(fd);
        return false;
    }
    vtest->input_fd = fd;
    return true;
}

/* Reads once. *more: there was something. */
static enum vds_vtest_status fill_input(struct vds_vtest *vtest, bool *more)
{
    int fd;
    unsigned count;
    *more = false;
    const ssize_t received =
        vd_receive_fds(vtest->fd, vtest->input + vtest->input_size, INPUT_SIZE - vtest->input_size,
                       &fd, 1, &count, MSG_DONTWAIT);
    if (received > 0) {
        if (count > 0 && !keep_fd(vtest, fd))
            return VDS_VTEST_FAILED;
        vtest->input_size += (size_t)received;
        *more = true;
        return VDS_VTEST_OPEN;
    }
    if (received < 0 && would_block())
        return VDS_VTEST_OPEN;
    if (received < 0 && errno != ECONNRESET) {
        vds_log(VDS_LOG_ERROR, "can not read from the client: %s", strerror(errno));
        return VDS_VTEST_FAILED;
    }
    if (vtest->input_size > 0) {
        vds_log(VDS_LOG_WARNING, "protocol error: the connection ends within a message (%zu bytes)",
                vtest->input_size);
        return VDS_VTEST_FAILED;
    }
    return VDS_VTEST_CLOSED;
}

/* Serves what has been read, until the rest is no whole message or an answer can not leave: who does
 * not read is not served. */
static enum vds_vtest_status serve_input(struct vds_vtest *vtest)
{
    for (;;) {
        const enum vds_vtest_status status = flush_output(vtest);
        if (status != VDS_VTEST_OPEN || output_pending(vtest))
            return status;
        if (!handle_input(vtest))
            return VDS_VTEST_FAILED;
        if (!output_pending(vtest))
            return VDS_VTEST_OPEN;
    }
}

enum vds_vtest_status vds_vtest_process(struct vds_vtest *vtest)
{
    enum vds_vtest_status status = serve_input(vtest);
    if (status != VDS_VTEST_OPEN || output_pending(vtest))
        return status;
    /* One read a call, so that a client that never stops does not keep us from other events. */
    bool more;
    status = fill_input(vtest, &more);
    return status == VDS_VTEST_OPEN && more ? serve_input(vtest) : status;
}
