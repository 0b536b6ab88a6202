/* SPDX-License-Identifier: MIT */
#include "vtest_session.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "context.h"
#include "log.h"
#include "opcodes.h"

#define NAME_SIZE 64

void vds_vtest_session_init(struct vds_vtest_session *session, struct vds_shm_table *shm,
                            const struct vds_vtest_listener *listener, void *data)
{
    *session = (struct vds_vtest_session){
        .shm = shm,
        .listener = listener,
        .data = data,
        .input_fd = -1,
        .output = {.fd = -1},
    };
}

void vds_vtest_session_finish(struct vds_vtest_session *session)
{
    if (session->output.fd >= 0)
        close(session->output.fd);
    if (session->input_fd >= 0)
        close(session->input_fd);
}

bool vds_vtest_output_pending(const struct vds_vtest_session *session)
{
    return session->output.sent < session->output.size || session->output.fd >= 0;
}

/* Queues header and payload. The previous answer is gone. */
static void answer(struct vds_vtest_session *session, uint32_t command, const void *payload,
                   size_t size)
{
    struct vds_vtest_output *output = &session->output;
    const struct vtest_header header = {.length = (uint32_t)(size / 4), .command = command};
    assert(!vds_vtest_output_pending(session) && size % 4 == 0);
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

static bool create_renderer(struct vds_vtest_session *session, const uint8_t *payload,
                            uint32_t size)
{
    char name[NAME_SIZE];
    uint32_t length = 0;
    while (length < size && length < NAME_SIZE - 1 && payload[length] != '\0') {
        const uint8_t byte = payload[length];
        name[length++] = byte >= ' ' && byte < 0x7f ? (char)byte : '?';
    }
    name[length] = '\0';
    session->stage = VDS_VTEST_NAMED;
    session->listener->named(session->data, length > 0 ? name : "unnamed");
    return true;
}

static bool ping_protocol_version(struct vds_vtest_session *session, const uint8_t *payload,
                                  uint32_t size)
{
    (void)payload;
    (void)size;
    answer(session, VTEST_PING_PROTOCOL_VERSION, NULL, 0);
    return true;
}

static bool protocol_version(struct vds_vtest_session *session, const uint8_t *payload,
                             uint32_t size)
{
    (void)size;
    uint32_t version = dword(payload, 0);
    if (version > VTEST_PROTOCOL_VERSION)
        version = VTEST_PROTOCOL_VERSION;
    if (version == 1)
        version = 0;
    answer(session, VTEST_PROTOCOL_VERSION_CMD, &version, sizeof(version));
    return true;
}

/* Clients send this behind a ping, for servers too old to know that. Nothing is ever busy. */
static bool resource_busy_wait(struct vds_vtest_session *session, const uint8_t *payload,
                               uint32_t size)
{
    (void)size;
    const uint32_t resource = dword(payload, 0);
    const uint32_t busy = 0;
    if (resource != 0) {
        vds_log(VDS_LOG_WARNING, "protocol error: a wait for resource %u", resource);
        return false;
    }
    answer(session, VTEST_RESOURCE_BUSY_WAIT, &busy, sizeof(busy));
    return true;
}

static bool get_capset(struct vds_vtest_session *session, const uint8_t *payload, uint32_t size)
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
        answer(session, VTEST_GET_CAPSET, &reply.valid, sizeof(reply.valid));
        return true;
    }
    if (version != VD_PROTOCOL_VERSION) {
        /* Answered all the same, so that the client can say so as well. */
        vds_log(VDS_LOG_WARNING, "the client speaks Viaduct protocol %u, this server %u", version,
                VD_PROTOCOL_VERSION);
    }
    vds_capset_fill(&reply.capset);
    answer(session, VTEST_GET_CAPSET, &reply, sizeof(reply));
    return true;
}

static bool context_init(struct vds_vtest_session *session, const uint8_t *payload, uint32_t size)
{
    (void)size;
    const uint32_t id = dword(payload, 0);
    if (id != VD_CAPSET_ID) {
        vds_log(VDS_LOG_WARNING,
                "protocol error: a context for capset %u; only Viaduct's, %u, is offered", id,
                VD_CAPSET_ID);
        return false;
    }
    if (session->stage == VDS_VTEST_CONTEXT) {
        vds_log(VDS_LOG_WARNING, "protocol error: a second context");
        return false;
    }
    session->stage = VDS_VTEST_CONTEXT;
    return session->listener->context_init(session->data);
}

/* Resource id 0, and no descriptor behind it, tells the client that there is no memory. */
static bool resource_create_blob(struct vds_vtest_session *session, const uint8_t *payload,
                                 uint32_t size)
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
    const uint32_t id = vds_shm_add(session->shm, bytes, &fd);
    if (!id) {
        vds_log(VDS_LOG_WARNING, "no shared memory of %llu bytes: %s", (unsigned long long)bytes,
                strerror(errno));
    }
    answer(session, VTEST_RESOURCE_CREATE_BLOB, &id, sizeof(id));
    session->output.fd = fd;
    return true;
}

static bool resource_unref(struct vds_vtest_session *session, const uint8_t *payload, uint32_t size)
{
    (void)size;
    const uint32_t id = dword(payload, 0);
    if (!vds_shm_remove(session->shm, id)) {
        vds_log(VDS_LOG_WARNING, "protocol error: there is no resource %u to release", id);
        return false;
    }
    return true;
}

/* Id 0 tells the client that we have no room for its descriptor, or have not even received it. */
static bool give_fd(struct vds_vtest_session *session, const uint8_t *payload, uint32_t size)
{
    (void)payload;
    (void)size;
    uint32_t id = 0;
    if (session->input_fd >= 0) {
        id = vds_shm_add_fd(session->shm, session->input_fd);
        session->input_fd = -1;
    }
    if (!id)
        vds_log(VDS_LOG_WARNING, "no room for a descriptor of the client's");
    answer(session, VTEST_VIADUCT_GIVE_FD, &id, sizeof(id));
    return true;
}

/* Id 0 tells the client that its file is not fit to be shared memory. */
static bool give_shm(struct vds_vtest_session *session, const uint8_t *payload, uint32_t size)
{
    struct vtest_give_shm part;
    (void)size;
    memcpy(&part, payload, sizeof(part));
    uint32_t id = 0;
    errno = EBADF;
    if (session->input_fd >= 0) {
        id = vds_shm_add_file(session->shm, session->input_fd,
                              (uint64_t)part.offset_hi << 32 | part.offset_lo,
                              (uint64_t)part.size_hi << 32 | part.size_lo);
        if (!id) {
            vds_log(VDS_LOG_WARNING, "a file of the client's can not be shared memory: %s",
                    strerror(errno));
        }
        close(session->input_fd);
        session->input_fd = -1;
    }
    answer(session, VTEST_VIADUCT_GIVE_SHM, &id, sizeof(id));
    return true;
}

static bool take_fd(struct vds_vtest_session *session, const uint8_t *payload, uint32_t size)
{
    (void)size;
    const uint32_t id = dword(payload, 0);
    const int fd = vds_shm_take_fd(session->shm, id);
    if (fd < 0) {
        vds_log(VDS_LOG_WARNING, "protocol error: there is no descriptor %u to take", id);
        return false;
    }
    answer(session, VTEST_VIADUCT_TAKE_FD, &id, sizeof(id));
    session->output.fd = fd;
    return true;
}

/* The one thing that is ever submitted here is VD_OP_SETUP, alone in one batch. */
static bool submit_cmd2(struct vds_vtest_session *session, const uint8_t *payload, uint32_t size)
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
    if (session->set_up) {
        vds_log(VDS_LOG_WARNING, "protocol error: a second set-up");
        return false;
    }
    session->set_up = true;
    return session->listener->setup(session->data, &command.setup);
}

/* Checked before a handler runs: that the stage allows the message, and its size in bytes. */
static const struct vds_vtest_message {
    uint32_t command;
    const char *name;
    enum vds_vtest_stage stage; /* the first one that allows it */
    uint32_t size_min, size_max;
    bool (*handle)(struct vds_vtest_session *session, const uint8_t *payload, uint32_t size);
} messages[] = {
    {VTEST_CREATE_RENDERER, "CREATE_RENDERER", VDS_VTEST_NEW, 0, VTEST_PAYLOAD_MAX,
     create_renderer},
    {VTEST_PING_PROTOCOL_VERSION, "PING_PROTOCOL_VERSION", VDS_VTEST_NAMED, 0, 0,
     ping_protocol_version},
    {VTEST_PROTOCOL_VERSION_CMD, "PROTOCOL_VERSION", VDS_VTEST_NAMED, 4, 4, protocol_version},
    {VTEST_RESOURCE_BUSY_WAIT, "RESOURCE_BUSY_WAIT", VDS_VTEST_NAMED, 8, 8, resource_busy_wait},
    {VTEST_GET_CAPSET, "GET_CAPSET", VDS_VTEST_NAMED, 8, 8, get_capset},
    {VTEST_CONTEXT_INIT, "CONTEXT_INIT", VDS_VTEST_NAMED, 4, 4, context_init},
    {VTEST_RESOURCE_CREATE_BLOB, "RESOURCE_CREATE_BLOB", VDS_VTEST_CONTEXT,
     sizeof(struct vtest_create_blob), sizeof(struct vtest_create_blob), resource_create_blob},
    {VTEST_RESOURCE_UNREF, "RESOURCE_UNREF", VDS_VTEST_CONTEXT, 4, 4, resource_unref},
    {VTEST_SUBMIT_CMD2, "SUBMIT_CMD2", VDS_VTEST_CONTEXT, 4 + sizeof(struct vtest_submit_batch),
     VTEST_PAYLOAD_MAX, submit_cmd2},
    {VTEST_VIADUCT_GIVE_FD, "VIADUCT_GIVE_FD", VDS_VTEST_CONTEXT, 0, 0, give_fd},
    {VTEST_VIADUCT_TAKE_FD, "VIADUCT_TAKE_FD", VDS_VTEST_CONTEXT, 4, 4, take_fd},
    {VTEST_VIADUCT_GIVE_SHM, "VIADUCT_GIVE_SHM", VDS_VTEST_CONTEXT, sizeof(struct vtest_give_shm),
     sizeof(struct vtest_give_shm), give_shm},
};

static const struct vds_vtest_message *find(uint32_t command)
{
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
        if (messages[i].command == command)
            return &messages[i];
    return NULL;
}

const struct vds_vtest_message *vds_vtest_check(const struct vds_vtest_session *session,
                                                const struct vtest_header *header, uint32_t *size)
{
    const struct vds_vtest_message *message = find(header->command);
    if (!message) {
        vds_log(VDS_LOG_WARNING, "protocol error: unknown vtest message %u of length %u",
                header->command, header->length);
        return NULL;
    }
    const bool first = header->command == VTEST_CREATE_RENDERER;
    if (first != (session->stage == VDS_VTEST_NEW) || session->stage < message->stage) {
        vds_log(VDS_LOG_WARNING, "protocol error: %s out of order", message->name);
        return NULL;
    }
    const uint64_t bytes = (uint64_t)header->length * (first ? 1 : 4);
    if (bytes < message->size_min || bytes > message->size_max) {
        vds_log(VDS_LOG_WARNING, "protocol error: %s with %llu bytes", message->name,
                (unsigned long long)bytes);
        return NULL;
    }
    *size = (uint32_t)bytes;
    return message;
}

bool vds_vtest_handle(struct vds_vtest_session *session, const struct vds_vtest_message *message,
                      const uint8_t *payload, uint32_t size)
{
    return message->handle(session, payload, size);
}
