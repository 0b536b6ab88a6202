/* SPDX-License-Identifier: MIT
 *
 * Messages on a vtest socket (protocol/vtest.h), whole ones: all functions return 0 or an errno value,
 * and 0 is never "some of it". They block.
 */
#ifndef VIADUCT_ICD_TRANSPORT_VTEST_SOCKET_H
#define VIADUCT_ICD_TRANSPORT_VTEST_SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "protocol/vtest.h"

#define VDC_VTEST_NO_DEADLINE UINT64_MAX

struct vdc_vtest_socket {
    int fd;
    uint64_t deadline; /* what has not arrived then, of vd_clock_ns(), counts as ETIMEDOUT */
};

/* `length` goes into the header as it is: it counts bytes for one command, dwords for others. */
int vdc_vtest_send(const struct vdc_vtest_socket *wire, uint32_t command, uint32_t length,
                   const void *payload, size_t size);
/* With `size` as a number of dwords in the header. */
int vdc_vtest_send_dwords(const struct vdc_vtest_socket *wire, uint32_t command,
                          const void *payload, size_t size);
/* Header and all. The parts are used up. */
int vdc_vtest_send_parts(const struct vdc_vtest_socket *wire, struct iovec *parts, size_t count);
/* A whole message with the descriptor, which stays the caller's. */
int vdc_vtest_send_fd(const struct vdc_vtest_socket *wire, const void *message, size_t size,
                      int fd);

int vdc_vtest_receive(const struct vdc_vtest_socket *wire, void *bytes, size_t size);
/* An answer to `command` with exactly `size` bytes. */
int vdc_vtest_receive_answer(const struct vdc_vtest_socket *wire, uint32_t command, void *payload,
                             size_t size);
/* The one-byte message that follows an answer. *fd is -1 when this process has no descriptor left
 * to receive it with. */
int vdc_vtest_receive_fd(const struct vdc_vtest_socket *wire, int *fd);

#endif
