/* SPDX-License-Identifier: MIT
 *
 * QEMU's display (docs/interop/vhost-user-gpu.rst). What is to be shown is kept as state, and
 * messages are made from it whenever the socket has taken the last one: a slow QEMU skips frames,
 * and nothing ever waits for it.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/log.h"

#include "device_private.h"

enum message {
    GET_PROTOCOL_FEATURES = 1,
    SET_PROTOCOL_FEATURES = 2,
    GET_DISPLAY_INFO = 3,
    CURSOR_POS = 4,
    CURSOR_POS_HIDE = 5,
    CURSOR_UPDATE = 6,
    SCANOUT = 7,
    UPDATE = 8,
    GET_EDID = 11,
};

#define FEATURE_EDID UINT64_C(1)

#define CURSOR_SIDE 64u

struct header {
    uint32_t request;
    uint32_t flags;
    uint32_t size;
};

struct cursor_position {
    uint32_t scanout, x, y;
};

struct cursor_update {
    struct cursor_position position;
    uint32_t hot_x, hot_y;
    uint32_t pixels[CURSOR_SIDE * CURSOR_SIDE];
};

struct scanout_size {
    uint32_t scanout, width, height;
};

struct update {
    uint32_t scanout, x, y, width, height;
};

/* What QEMU has not been told yet. */
struct pending {
    bool size;
    struct vg_rect damage; /* within the scanout */
    bool cursor_shape, cursor_position;
};

struct vg_display {
    struct vg_source source; /* fd -1: no display */
    struct vg_device *device;
    bool writing; /* EPOLLOUT is watched */

    bool features_known, features_told;
    uint64_t features;

    struct pending pending[VG_SCANOUTS];
    struct cursor_update cursors[VG_SCANOUTS];
    bool cursor_hidden[VG_SCANOUTS];

    /* Commands of the guest that QEMU has to answer, one at a time. */
    struct vg_commands commands;
    uint32_t asked; /* the message that waits for its answer, 0: none */

    uint8_t *output;
    size_t output_size, output_sent, output_capacity;
    uint8_t input[sizeof(struct header) + 4096];
    size_t input_size;
};

static void pump(struct vg_display *display);

/* ---- Messages */

/* Space for a message of `size` bytes of payload behind what is there; NULL without memory. */
static void *put(struct vg_display *display, uint32_t request, size_t size)
{
    const size_t whole = display->output_size + sizeof(struct header) + size;
    if (whole > display->output_capacity) {
        uint8_t *output = realloc(display->output, whole);
        if (!output) {
            return NULL;
        }
        display->output = output;
        display->output_capacity = whole;
    }
    const struct header header = {.request = request, .size = (uint32_t)size};
    memcpy(display->output + display->output_size, &header, sizeof(header));
    void *payload = display->output + display->output_size + sizeof(header);
    display->output_size = whole;
    return payload;
}

static void put_copy(struct vg_display *display, uint32_t request, const void *bytes, size_t size)
{
    void *payload = put(display, request, size);
    if (payload) {
        memcpy(payload, bytes, size);
    }
}

static void put_damage(struct vg_display *display, uint32_t index)
{
    struct vg_device *device = display->device;
    const struct vg_scanout *scanout = &device->scanouts[index];
    const struct vg_rect rect = display->pending[index].damage;
    display->pending[index].damage = (struct vg_rect){0};
    const struct vg_resource *resource = vg_resource_find(device, scanout->resource);
    if (!resource || rect.width == 0) {
        return;
    }
    const size_t before = display->output_size;
    const size_t bytes = (size_t)rect.width * rect.height * sizeof(uint32_t);
    uint8_t *payload = put(display, UPDATE, sizeof(struct update) + bytes);
    if (!payload) {
        return;
    }
    const struct update update = {index, rect.x, rect.y, rect.width, rect.height};
    memcpy(payload, &update, sizeof(update));
    uint32_t *pixels = (uint32_t *)(payload + sizeof(update));
    for (uint32_t row = 0; row < rect.height; row++) {
        if (!vg_resource_row(device, resource, scanout->rect.x + rect.x,
                             scanout->rect.y + rect.y + row, rect.width,
                             pixels + (size_t)row * rect.width)) {
            display->output_size = before;
            return;
        }
    }
}

static void put_scanout(struct vg_display *display, uint32_t index)
{
    struct vg_device *device = display->device;
    struct pending *pending = &display->pending[index];
    if (pending->size) {
        const struct vg_rect *rect = &device->scanouts[index].rect;
        const struct scanout_size size = {index, rect->width, rect->height};
        put_copy(display, SCANOUT, &size, sizeof(size));
        pending->size = false;
    }
    if (pending->damage.width > 0) {
        put_damage(display, index);
    }
    const struct cursor_update *cursor = &display->cursors[index];
    if (pending->cursor_shape) {
        put_copy(display, CURSOR_UPDATE, cursor, sizeof(*cursor));
        pending->cursor_shape = false;
    }
    if (pending->cursor_position) {
        put_copy(display, display->cursor_hidden[index] ? CURSOR_POS_HIDE : CURSOR_POS,
                 &cursor->position, sizeof(cursor->position));
        pending->cursor_position = false;
    }
}

static void ask(struct vg_display *display)
{
    if (display->asked) {
        return;
    }
    if (!display->features_known) {
        put(display, GET_PROTOCOL_FEATURES, 0);
        display->asked = GET_PROTOCOL_FEATURES;
        return;
    }
    if (!display->features_told) {
        const uint64_t features = display->features & FEATURE_EDID;
        put_copy(display, SET_PROTOCOL_FEATURES, &features, sizeof(features));
        display->features_told = true;
    }
    while (display->commands.first && !display->asked) {
        const struct vg_command *command = display->commands.first;
        if (command->request.header.type == VIRTIO_GPU_CMD_GET_DISPLAY_INFO) {
            put(display, GET_DISPLAY_INFO, 0);
            display->asked = GET_DISPLAY_INFO;
        } else if (display->features & FEATURE_EDID) {
            struct virtio_gpu_cmd_get_edid edid;
            memcpy(&edid, command->request.bytes, sizeof(edid));
            put_copy(display, GET_EDID, &edid.scanout, sizeof(edid.scanout));
            display->asked = GET_EDID;
        } else {
            vg_respond_type(display->device, vg_commands_take(&display->commands),
                            VIRTIO_GPU_RESP_ERR_UNSPEC);
        }
    }
}

static void make_messages(struct vg_display *display)
{
    display->output_size = 0;
    display->output_sent = 0;
    ask(display);
    for (uint32_t i = 0; i < VG_SCANOUTS; i++) {
        put_scanout(display, i);
    }
}

static void watch_writing(struct vg_display *display, bool writing)
{
    if (display->writing != writing) {
        display->writing = writing;
        vg_device_change(display->device, &display->source, EPOLLIN | (writing ? EPOLLOUT : 0));
    }
}

/* Sends what can be sent. */
static void pump(struct vg_display *display)
{
    while (display->source.fd >= 0) {
        if (display->output_sent == display->output_size) {
            make_messages(display);
            if (display->output_size == 0) {
                watch_writing(display, false);
                return;
            }
        }
        const ssize_t sent =
            send(display->source.fd, display->output + display->output_sent,
                 display->output_size - display->output_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0 && errno == EAGAIN) {
            watch_writing(display, true);
            return;
        }
        if (sent < 0) {
            vg_display_connect(display, -1);
            return;
        }
        display->output_sent += (size_t)sent;
    }
}

/* ---- Answers from QEMU */

static void answer_info(struct vg_device *device, struct vg_command *command, const void *bytes)
{
    struct virtio_gpu_resp_display_info info = {.hdr.type = VIRTIO_GPU_RESP_OK_DISPLAY_INFO};
    if (bytes) {
        const struct virtio_gpu_resp_display_info *theirs = bytes;
        memcpy(info.pmodes, theirs->pmodes, sizeof(info.pmodes));
    } else {
        info.pmodes[0].enabled = 1;
        info.pmodes[0].r.width = 1280;
        info.pmodes[0].r.height = 800;
    }
    vg_respond(device, command, &info, sizeof(info));
}

static void answer_edid(struct vg_device *device, struct vg_command *command, const void *bytes)
{
    struct virtio_gpu_resp_edid edid;
    if (!bytes) {
        vg_respond_type(device, command, VIRTIO_GPU_RESP_ERR_UNSPEC);
        return;
    }
    memcpy(&edid, bytes, sizeof(edid));
    edid.hdr = (struct virtio_gpu_ctrl_hdr){.type = VIRTIO_GPU_RESP_OK_EDID};
    vg_respond(device, command, &edid, sizeof(edid));
}

static void answer_command(struct vg_display *display, const void *bytes)
{
    struct vg_command *command = vg_commands_take(&display->commands);
    if (!command) {
        return;
    }
    if (command->request.header.type == VIRTIO_GPU_CMD_GET_DISPLAY_INFO) {
        answer_info(display->device, command, bytes);
    } else {
        answer_edid(display->device, command, bytes);
    }
}

/* False: senseless. */
static bool answered(struct vg_display *display, const struct header *header, const uint8_t *bytes)
{
    if (header->request != display->asked || !display->asked) {
        return false;
    }
    display->asked = 0;
    switch (header->request) {
    case GET_PROTOCOL_FEATURES:
        if (header->size != sizeof(display->features)) {
            return false;
        }
        memcpy(&display->features, bytes, sizeof(display->features));
        display->features_known = true;
        return true;
    case GET_DISPLAY_INFO:
        if (header->size != sizeof(struct virtio_gpu_resp_display_info)) {
            return false;
        }
        answer_command(display, bytes);
        return true;
    case GET_EDID:
        if (header->size != sizeof(struct virtio_gpu_resp_edid)) {
            return false;
        }
        answer_command(display, bytes);
        return true;
    default:
        return false;
    }
}

/* False: the display is gone. */
static bool read_answers(struct vg_display *display)
{
    for (;;) {
        const ssize_t received = recv(display->source.fd, display->input + display->input_size,
                                      sizeof(display->input) - display->input_size, MSG_DONTWAIT);
        if (received < 0 && errno == EINTR) {
            continue;
        }
        if (received < 0 && errno == EAGAIN) {
            return true;
        }
        if (received <= 0) {
            return false;
        }
        display->input_size += (size_t)received;
        struct header header;
        while (display->input_size >= sizeof(header)) {
            memcpy(&header, display->input, sizeof(header));
            if (header.size > sizeof(display->input) - sizeof(header)) {
                return false;
            }
            const size_t whole = sizeof(header) + header.size;
            if (display->input_size < whole) {
                break;
            }
            if (!answered(display, &header, display->input + sizeof(header))) {
                vd_log(VD_LOG_ERROR, "QEMU's display answers %u with %u bytes", header.request,
                       header.size);
                return false;
            }
            memmove(display->input, display->input + whole, display->input_size - whole);
            display->input_size -= whole;
        }
    }
}

static void ready(struct vg_device *device, struct vg_source *source, uint32_t events)
{
    (void)device;
    struct vg_display *display = (struct vg_display *)source;
    static_assert(offsetof(struct vg_display, source) == 0, "it begins with its source");
    if ((events & ~(uint32_t)EPOLLOUT) && !read_answers(display)) {
        vg_display_connect(display, -1);
        return;
    }
    pump(display);
}

/* ---- Life */

struct vg_display *vg_display_create(struct vg_device *device)
{
    struct vg_display *display = calloc(1, sizeof(*display));
    if (!display) {
        return NULL;
    }
    display->device = device;
    display->source = (struct vg_source){.ready = ready, .fd = -1};
    vg_commands_init(&display->commands);
    return display;
}

void vg_display_destroy(struct vg_display *display)
{
    if (!display) {
        return;
    }
    vg_display_connect(display, -1);
    free(display->output);
    free(display);
}

void vg_display_flush_commands(struct vg_display *display)
{
    while (display->commands.first) {
        answer_command(display, NULL);
    }
    /* An answer that still comes has nobody to take it. */
}

void vg_display_connect(struct vg_display *display, int socket)
{
    if (display->source.fd >= 0) {
        vg_device_unwatch(display->device, &display->source);
        close(display->source.fd);
    }
    display->source.fd = socket;
    display->writing = false;
    display->asked = 0;
    display->features = 0;
    display->features_known = false;
    display->features_told = false;
    display->output_size = 0;
    display->output_sent = 0;
    display->input_size = 0;
    if (socket < 0) {
        vg_display_flush_commands(display);
        return;
    }
    vg_device_watch(display->device, &display->source, EPOLLIN);
    /* QEMU shows again what a guest that goes on showed before. */
    for (uint32_t i = 0; i < VG_SCANOUTS; i++) {
        const struct vg_scanout *scanout = &display->device->scanouts[i];
        if (scanout->resource) {
            display->pending[i].size = true;
            display->pending[i].damage =
                (struct vg_rect){0, 0, scanout->rect.width, scanout->rect.height};
            display->pending[i].cursor_shape = true;
            display->pending[i].cursor_position = true;
        }
    }
    pump(display);
}

void vg_display_reset(struct vg_display *display)
{
    memset(display->pending, 0, sizeof(display->pending));
    memset(display->cursors, 0, sizeof(display->cursors));
}

void vg_display_forget(struct vg_display *display, uint32_t resource)
{
    for (uint32_t i = 0; i < VG_SCANOUTS; i++) {
        struct vg_scanout *scanout = &display->device->scanouts[i];
        if (scanout->resource == resource) {
            *scanout = (struct vg_scanout){0};
            display->pending[i].size = true;
            display->pending[i].damage = (struct vg_rect){0};
        }
    }
    pump(display);
}

/* ---- Commands */

static uint32_t forward(struct vg_device *device, struct vg_command *command)
{
    vg_commands_append(&device->display->commands, command);
    if (device->display->source.fd < 0) {
        vg_display_flush_commands(device->display);
    } else {
        pump(device->display);
    }
    return 0;
}

uint32_t vg_display_get_info(struct vg_device *device, struct vg_command *command)
{
    return forward(device, command);
}

uint32_t vg_display_get_edid(struct vg_device *device, struct vg_command *command)
{
    struct virtio_gpu_cmd_get_edid edid;
    memcpy(&edid, command->request.bytes, sizeof(edid));
    return edid.scanout < VG_SCANOUTS ? forward(device, command)
                                      : VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
}

static bool within(const struct virtio_gpu_rect *r, const struct vg_resource *resource)
{
    return r->x <= resource->width && r->width <= resource->width - r->x &&
           r->y <= resource->height && r->height <= resource->height - r->y;
}

uint32_t vg_display_set_scanout(struct vg_device *device, struct vg_command *command)
{
    struct virtio_gpu_set_scanout set;
    memcpy(&set, command->request.bytes, sizeof(set));
    if (set.scanout_id >= VG_SCANOUTS) {
        return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
    }
    struct vg_scanout *scanout = &device->scanouts[set.scanout_id];
    struct pending *pending = &device->display->pending[set.scanout_id];
    struct vg_scanout next = {.resource = set.resource_id};
    if (set.resource_id) {
        const struct vg_resource *resource = vg_resource_find(device, set.resource_id);
        if (!resource) {
            return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
        }
        if (!within(&set.r, resource) || set.r.width == 0 || set.r.height == 0 ||
            set.r.width > 16384 || set.r.height > 16384) {
            return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
        }
        next.rect = (struct vg_rect){set.r.x, set.r.y, set.r.width, set.r.height};
    }
    if (next.rect.width != scanout->rect.width || next.rect.height != scanout->rect.height) {
        pending->size = true;
    }
    *scanout = next;
    pending->damage = (struct vg_rect){0, 0, next.rect.width, next.rect.height};
    pump(device->display);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

/* The part of [at, at + size) within [start, start + length), from start; *size 0: none. */
static void clip(uint32_t *at, uint32_t *size, uint32_t start, uint32_t length)
{
    const uint64_t first = *at > start ? *at : start;
    const uint64_t end = (uint64_t)*at + *size, limit = (uint64_t)start + length;
    const uint64_t last = end < limit ? end : limit;
    *at = (uint32_t)(first - start);
    *size = last > first ? (uint32_t)(last - first) : 0;
}

static void grow(struct vg_rect *rect, const struct vg_rect *more)
{
    if (rect->width == 0) {
        *rect = *more;
        return;
    }
    const uint32_t right = rect->x + rect->width, bottom = rect->y + rect->height;
    const uint32_t more_right = more->x + more->width, more_bottom = more->y + more->height;
    rect->x = rect->x < more->x ? rect->x : more->x;
    rect->y = rect->y < more->y ? rect->y : more->y;
    rect->width = (right > more_right ? right : more_right) - rect->x;
    rect->height = (bottom > more_bottom ? bottom : more_bottom) - rect->y;
}

uint32_t vg_display_resource_flush(struct vg_device *device, struct vg_command *command)
{
    struct virtio_gpu_resource_flush flush;
    memcpy(&flush, command->request.bytes, sizeof(flush));
    const struct vg_resource *resource = vg_resource_find(device, flush.resource_id);
    if (!resource) {
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    }
    if (!within(&flush.r, resource)) {
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    }
    for (uint32_t i = 0; i < VG_SCANOUTS; i++) {
        const struct vg_scanout *scanout = &device->scanouts[i];
        if (scanout->resource != flush.resource_id) {
            continue;
        }
        struct vg_rect rect = {flush.r.x, flush.r.y, flush.r.width, flush.r.height};
        clip(&rect.x, &rect.width, scanout->rect.x, scanout->rect.width);
        clip(&rect.y, &rect.height, scanout->rect.y, scanout->rect.height);
        if (rect.width > 0 && rect.height > 0) {
            grow(&device->display->pending[i].damage, &rect);
        }
    }
    pump(device->display);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t vg_display_update_cursor(struct vg_device *device, struct vg_command *command)
{
    struct virtio_gpu_update_cursor update;
    memcpy(&update, command->request.bytes, sizeof(update));
    if (update.pos.scanout_id >= VG_SCANOUTS) {
        return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
    }
    struct vg_display *display = device->display;
    struct cursor_update *cursor = &display->cursors[update.pos.scanout_id];
    struct pending *pending = &display->pending[update.pos.scanout_id];
    cursor->position = (struct cursor_position){update.pos.scanout_id, update.pos.x, update.pos.y};
    display->cursor_hidden[update.pos.scanout_id] = update.resource_id == 0;
    pending->cursor_position = true;
    if (update.hdr.type == VIRTIO_GPU_CMD_UPDATE_CURSOR) {
        cursor->hot_x = update.hot_x;
        cursor->hot_y = update.hot_y;
        memset(cursor->pixels, 0, sizeof(cursor->pixels));
        const struct vg_resource *resource = vg_resource_find(device, update.resource_id);
        if (update.resource_id && !resource) {
            return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
        }
        if (resource && resource->width == CURSOR_SIDE && resource->height == CURSOR_SIDE) {
            for (uint32_t row = 0; row < CURSOR_SIDE; row++) {
                if (!vg_resource_row(device, resource, 0, row, CURSOR_SIDE,
                                     cursor->pixels + row * CURSOR_SIDE)) {
                    break;
                }
            }
        }
        pending->cursor_shape = true;
    }
    pump(display);
    return VIRTIO_GPU_RESP_OK_NODATA;
}
