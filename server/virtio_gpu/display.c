/* SPDX-License-Identifier: MIT
 *
 * What is to be shown is kept as state, and messages are made from it whenever the socket has taken
 * the last ones: a slow QEMU skips frames.
 */
#include "display.h"

#include <stdlib.h>
#include <string.h>

#include "display_socket.h"

#define SCANOUTS VIRTIO_GPU_MAX_SCANOUTS
#define SIDE_MAX 16384u

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

struct rect {
    uint32_t x, y, width, height; /* empty: width 0 */
};

struct scanout {
    uint32_t resource; /* 0: off */
    struct rect rect;
    struct cursor_update cursor;
    bool cursor_hidden;
    /* What QEMU has not been told yet. */
    bool new_size;
    struct rect damage; /* within the scanout */
    bool new_cursor, new_cursor_position;
};

struct vg_display {
    struct vg_display_socket socket;
    const struct vg_resources *resources;
    bool features_known, features_told;
    uint64_t features;

    struct scanout scanouts[SCANOUTS];

    /* Commands of the guest that QEMU has to answer, one at a time. */
    struct vg_commands commands;
    uint32_t asked; /* the message that waits for its answer, 0: none */
    bool awaited;   /* by the first of the commands; else nobody takes that answer */
};

/* ---- Messages */

static void put_damage(struct vg_display *display, uint32_t index)
{
    struct scanout *scanout = &display->scanouts[index];
    const struct rect rect = scanout->damage;
    scanout->damage = (struct rect){0};
    const struct vg_resource *resource = vg_resource_find(display->resources, scanout->resource);
    if (!resource || rect.width == 0)
        return;
    const size_t size = sizeof(struct update) + (size_t)rect.width * rect.height * sizeof(uint32_t);
    uint8_t *payload = vg_display_socket_put(&display->socket, UPDATE, size);
    if (!payload)
        return;
    const struct update update = {index, rect.x, rect.y, rect.width, rect.height};
    memcpy(payload, &update, sizeof(update));
    uint32_t *pixels = (uint32_t *)(payload + sizeof(update));
    for (uint32_t row = 0; row < rect.height; row++) {
        if (!vg_resource_row(resource, scanout->rect.x + rect.x, scanout->rect.y + rect.y + row,
                             rect.width, pixels + (size_t)row * rect.width)) {
            vg_display_socket_take_back(&display->socket, size);
            return;
        }
    }
}

static void put_scanout(struct vg_display *display, uint32_t index)
{
    struct vg_display_socket *socket = &display->socket;
    struct scanout *scanout = &display->scanouts[index];
    const struct cursor_update *cursor = &scanout->cursor;
    if (scanout->new_size) {
        const struct scanout_size size = {index, scanout->rect.width, scanout->rect.height};
        vg_display_socket_put_copy(socket, SCANOUT, &size, sizeof(size));
        scanout->new_size = false;
    }
    if (scanout->damage.width > 0)
        put_damage(display, index);
    if (scanout->new_cursor) {
        vg_display_socket_put_copy(socket, CURSOR_UPDATE, cursor, sizeof(*cursor));
        scanout->new_cursor = false;
    }
    if (scanout->new_cursor_position) {
        vg_display_socket_put_copy(socket, scanout->cursor_hidden ? CURSOR_POS_HIDE : CURSOR_POS,
                                   &cursor->position, sizeof(cursor->position));
        scanout->new_cursor_position = false;
    }
}

static void ask(struct vg_display *display)
{
    if (display->asked)
        return;
    if (!display->features_known) {
        vg_display_socket_put(&display->socket, GET_PROTOCOL_FEATURES, 0);
        display->asked = GET_PROTOCOL_FEATURES;
        return;
    }
    if (!display->features_told) {
        const uint64_t features = display->features & FEATURE_EDID;
        vg_display_socket_put_copy(&display->socket, SET_PROTOCOL_FEATURES, &features,
                                   sizeof(features));
        display->features_told = true;
    }
    while (display->commands.first && !display->asked) {
        const struct vg_command *command = display->commands.first;
        if (command->request.header.type == VIRTIO_GPU_CMD_GET_DISPLAY_INFO) {
            vg_display_socket_put(&display->socket, GET_DISPLAY_INFO, 0);
            display->asked = GET_DISPLAY_INFO;
            display->awaited = true;
        } else if (display->features & FEATURE_EDID) {
            struct virtio_gpu_cmd_get_edid edid;
            memcpy(&edid, command->request.bytes, sizeof(edid));
            vg_display_socket_put_copy(&display->socket, GET_EDID, &edid.scanout,
                                       sizeof(edid.scanout));
            display->asked = GET_EDID;
            display->awaited = true;
        } else {
            vg_command_respond_type(vg_commands_take(&display->commands),
                                    VIRTIO_GPU_RESP_ERR_UNSPEC);
        }
    }
}

static void fill(void *data)
{
    struct vg_display *display = data;
    ask(display);
    for (uint32_t i = 0; i < SCANOUTS; i++)
        put_scanout(display, i);
}

/* ---- Answers from QEMU */

static void answer_info(struct vg_command *command, const void *bytes)
{
    struct virtio_gpu_resp_display_info info = {0};
    if (bytes) {
        memcpy(&info, bytes, sizeof(info));
    } else {
        info.pmodes[0].enabled = 1;
        info.pmodes[0].r.width = 1280;
        info.pmodes[0].r.height = 800;
    }
    info.hdr = (struct virtio_gpu_ctrl_hdr){.type = VIRTIO_GPU_RESP_OK_DISPLAY_INFO};
    vg_command_respond(command, &info, sizeof(info));
}

static void answer_edid(struct vg_command *command, const void *bytes)
{
    struct virtio_gpu_resp_edid edid;
    if (!bytes) {
        vg_command_respond_type(command, VIRTIO_GPU_RESP_ERR_UNSPEC);
        return;
    }
    memcpy(&edid, bytes, sizeof(edid));
    edid.hdr = (struct virtio_gpu_ctrl_hdr){.type = VIRTIO_GPU_RESP_OK_EDID};
    vg_command_respond(command, &edid, sizeof(edid));
}

static void answer_command(struct vg_display *display, const void *bytes)
{
    struct vg_command *command = vg_commands_take(&display->commands);
    if (command->request.header.type == VIRTIO_GPU_CMD_GET_DISPLAY_INFO)
        answer_info(command, bytes);
    else
        answer_edid(command, bytes);
}

/* False: senseless. */
static bool received(void *data, uint32_t request, const void *bytes, uint32_t size)
{
    struct vg_display *display = data;
    if (request != display->asked || !display->asked)
        return false;
    display->asked = 0;
    switch (request) {
    case GET_PROTOCOL_FEATURES:
        if (size != sizeof(display->features))
            return false;
        memcpy(&display->features, bytes, sizeof(display->features));
        display->features_known = true;
        return true;
    case GET_DISPLAY_INFO:
        if (size != sizeof(struct virtio_gpu_resp_display_info))
            return false;
        break;
    case GET_EDID:
        if (size != sizeof(struct virtio_gpu_resp_edid))
            return false;
        break;
    default:
        return false;
    }
    if (display->awaited)
        answer_command(display, bytes);
    return true;
}

/* ---- Life */

void vg_display_flush_commands(struct vg_display *display)
{
    while (display->commands.first)
        answer_command(display, NULL);
    display->awaited = false;
}

/* There is no QEMU any more, or a new one that knows nothing yet. */
static void forget_answers(struct vg_display *display)
{
    display->asked = 0;
    display->features = 0;
    display->features_known = false;
    display->features_told = false;
}

static void closed(void *data)
{
    struct vg_display *display = data;
    forget_answers(display);
    vg_display_flush_commands(display);
}

static const struct vg_display_socket_listener listener = {
    .fill = fill,
    .received = received,
    .closed = closed,
};

struct vg_display *vg_display_create(struct vg_loop *loop, const struct vg_resources *resources)
{
    struct vg_display *display = calloc(1, sizeof(*display));
    if (!display)
        return NULL;
    display->resources = resources;
    vg_display_socket_init(&display->socket, loop, &listener, display);
    vg_commands_init(&display->commands);
    return display;
}

void vg_display_destroy(struct vg_display *display)
{
    if (!display)
        return;
    vg_display_connect(display, -1);
    vg_display_socket_finish(&display->socket);
    free(display);
}

void vg_display_connect(struct vg_display *display, int socket)
{
    forget_answers(display);
    if (socket < 0) {
        vg_display_socket_close(&display->socket);
        vg_display_flush_commands(display);
        return;
    }
    vg_display_socket_open(&display->socket, socket);
    /* QEMU shows again what a guest that goes on showed before. */
    for (uint32_t i = 0; i < SCANOUTS; i++) {
        struct scanout *scanout = &display->scanouts[i];
        if (scanout->resource) {
            scanout->new_size = true;
            scanout->damage = (struct rect){0, 0, scanout->rect.width, scanout->rect.height};
            scanout->new_cursor = true;
            scanout->new_cursor_position = true;
        }
    }
    vg_display_socket_pump(&display->socket);
}

void vg_display_reset(struct vg_display *display)
{
    memset(display->scanouts, 0, sizeof(display->scanouts));
}

void vg_display_forget(struct vg_display *display, uint32_t resource)
{
    for (uint32_t i = 0; i < SCANOUTS; i++) {
        struct scanout *scanout = &display->scanouts[i];
        if (scanout->resource == resource) {
            scanout->resource = 0;
            scanout->rect = (struct rect){0};
            scanout->new_size = true;
            scanout->damage = (struct rect){0};
        }
    }
    vg_display_socket_pump(&display->socket);
}

/* ---- Commands */

static uint32_t forward(struct vg_display *display, struct vg_command *command)
{
    vg_commands_append(&display->commands, command);
    if (vg_display_socket_is_open(&display->socket))
        vg_display_socket_pump(&display->socket);
    else
        vg_display_flush_commands(display);
    return 0;
}

uint32_t vg_display_get_info(struct vg_display *display, struct vg_command *command)
{
    return forward(display, command);
}

uint32_t vg_display_get_edid(struct vg_display *display, struct vg_command *command)
{
    struct virtio_gpu_cmd_get_edid edid;
    memcpy(&edid, command->request.bytes, sizeof(edid));
    return edid.scanout < SCANOUTS ? forward(display, command)
                                   : VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
}

uint32_t vg_display_set_scanout(struct vg_display *display, struct vg_command *command)
{
    struct virtio_gpu_set_scanout set;
    memcpy(&set, command->request.bytes, sizeof(set));
    if (set.scanout_id >= SCANOUTS)
        return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
    struct scanout *scanout = &display->scanouts[set.scanout_id];
    struct rect rect = {0};
    if (set.resource_id) {
        const struct vg_resource *resource = vg_resource_find(display->resources, set.resource_id);
        if (!resource)
            return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
        if (!vg_resource_contains(resource, &set.r) || set.r.width == 0 || set.r.height == 0 ||
            set.r.width > SIDE_MAX || set.r.height > SIDE_MAX)
            return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
        rect = (struct rect){set.r.x, set.r.y, set.r.width, set.r.height};
    }
    if (rect.width != scanout->rect.width || rect.height != scanout->rect.height)
        scanout->new_size = true;
    scanout->resource = set.resource_id;
    scanout->rect = rect;
    scanout->damage = (struct rect){0, 0, rect.width, rect.height};
    vg_display_socket_pump(&display->socket);
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

static void grow(struct rect *rect, const struct rect *more)
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

uint32_t vg_display_resource_flush(struct vg_display *display, struct vg_command *command)
{
    struct virtio_gpu_resource_flush flush;
    memcpy(&flush, command->request.bytes, sizeof(flush));
    const struct vg_resource *resource = vg_resource_find(display->resources, flush.resource_id);
    if (!resource)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (!vg_resource_contains(resource, &flush.r))
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    for (uint32_t i = 0; i < SCANOUTS; i++) {
        struct scanout *scanout = &display->scanouts[i];
        if (scanout->resource != flush.resource_id)
            continue;
        struct rect rect = {flush.r.x, flush.r.y, flush.r.width, flush.r.height};
        clip(&rect.x, &rect.width, scanout->rect.x, scanout->rect.width);
        clip(&rect.y, &rect.height, scanout->rect.y, scanout->rect.height);
        if (rect.width > 0 && rect.height > 0)
            grow(&scanout->damage, &rect);
    }
    vg_display_socket_pump(&display->socket);
    return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t vg_display_update_cursor(struct vg_display *display, struct vg_command *command)
{
    struct virtio_gpu_update_cursor update;
    memcpy(&update, command->request.bytes, sizeof(update));
    if (update.pos.scanout_id >= SCANOUTS)
        return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
    struct scanout *scanout = &display->scanouts[update.pos.scanout_id];
    struct cursor_update *cursor = &scanout->cursor;
    cursor->position = (struct cursor_position){update.pos.scanout_id, update.pos.x, update.pos.y};
    scanout->cursor_hidden = update.resource_id == 0;
    scanout->new_cursor_position = true;
    if (update.hdr.type == VIRTIO_GPU_CMD_UPDATE_CURSOR) {
        cursor->hot_x = update.hot_x;
        cursor->hot_y = update.hot_y;
        memset(cursor->pixels, 0, sizeof(cursor->pixels));
        const struct vg_resource *resource =
            vg_resource_find(display->resources, update.resource_id);
        if (update.resource_id && !resource)
            return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
        if (resource && vg_resource_has_size(resource, CURSOR_SIDE, CURSOR_SIDE)) {
            for (uint32_t row = 0; row < CURSOR_SIDE; row++)
                if (!vg_resource_row(resource, 0, row, CURSOR_SIDE,
                                     cursor->pixels + row * CURSOR_SIDE))
                    break;
        }
        scanout->new_cursor = true;
    }
    vg_display_socket_pump(&display->socket);
    return VIRTIO_GPU_RESP_OK_NODATA;
}
