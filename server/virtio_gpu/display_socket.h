/* SPDX-License-Identifier: MIT
 *
 * The socket to QEMU's display: bytes and messages, whatever they say. Messages are made when the
 * socket has taken the last ones, and so are as new as they can be, and nothing ever waits for QEMU.
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_DISPLAY_SOCKET_H
#define VIADUCT_SERVER_VIRTIO_GPU_DISPLAY_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"

#define VG_DISPLAY_ANSWER_MAX 4096u

struct vg_display_socket;

struct vg_display_socket_listener {
    /* Everything has been sent: time for vg_display_socket_put(), if there is more. */
    void (*fill)(void *data);
    /* QEMU says something. False: it makes no sense, and the connection has to end. */
    bool (*received)(void *data, uint32_t request, const void *bytes, uint32_t size);
    /* There is no QEMU any more. */
    void (*closed)(void *data);
};

struct vg_display_socket {
    struct vg_source source; /* fd -1: no display */
    struct vg_loop *loop;
    const struct vg_display_socket_listener *listener;
    void *data;
    bool writing; /* EPOLLOUT is watched */
    uint8_t *output;
    size_t output_size, output_sent, output_capacity;
    uint8_t input[12 + VG_DISPLAY_ANSWER_MAX]; /* with a header */
    size_t input_size;
};

/* Closed. `loop`, `listener` and `data` must outlive it. */
void vg_display_socket_init(struct vg_display_socket *socket, struct vg_loop *loop,
                            const struct vg_display_socket_listener *listener, void *data);
void vg_display_socket_finish(struct vg_display_socket *socket);
bool vg_display_socket_is_open(const struct vg_display_socket *socket);

/* Owns `fd` from then on. Closes the one before. */
void vg_display_socket_open(struct vg_display_socket *socket, int fd);
/* Without a word to the listener. */
void vg_display_socket_close(struct vg_display_socket *socket);

/* Space for a message of `size` bytes of payload behind what is there; NULL without memory. Valid
 * until the next one. */
void *vg_display_socket_put(struct vg_display_socket *socket, uint32_t request, size_t size);
void vg_display_socket_put_copy(struct vg_display_socket *socket, uint32_t request,
                                const void *bytes, size_t size);
/* Takes back the last message, of `size` bytes of payload. */
void vg_display_socket_take_back(struct vg_display_socket *socket, size_t size);
/* Sends what can be sent, after asking for more. May close the socket. */
void vg_display_socket_pump(struct vg_display_socket *socket);

#endif
