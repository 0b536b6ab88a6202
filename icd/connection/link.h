/* SPDX-License-Identifier: MIT
 *
 * What all parts of a connection stand on: the transport, the completion page, and whether both are
 * still there for this process.
 */
#ifndef VIADUCT_ICD_CONNECTION_LINK_H
#define VIADUCT_ICD_CONNECTION_LINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "icd/transport.h"
#include "protocol/completion.h"

struct vdc_link {
    struct vdc_transport *transport;
    struct vdc_shm completion_shm;
    struct vd_completion *completion; /* its beginning */
    /* 1, and 0 in a forked child, where the kernel wipes the page; NULL where it does not know how
     * to, and the process id has to do. */
    _Atomic uint32_t *owned;
    pid_t owner;
    atomic_bool gone; /* there is no server any more, or no way to it */
};

/* Connects, and makes the completion page. Errors as vdc_transport_connect. On failure there is
 * nothing to finish. */
VkResult vdc_link_init(struct vdc_link *link);
/* All other shared memory must have been freed before. In a forked child it only closes descriptors
 * and unmaps. */
void vdc_link_finish(struct vdc_link *link);

/* Whether this process is a fork of the one that connected: the connection belongs to the parent,
 * and a child must not touch it, nor take a lock that a thread of the parent may have held. */
bool vdc_link_forked(const struct vdc_link *link);
/* True once the server is gone, its context failed, or this process is a fork. Cheap: two loads. */
bool vdc_link_lost(const struct vdc_link *link);

/* True once nobody would answer: the server is gone, or this process is a fork. A connection that is lost
 * need not be gone. */
bool vdc_link_gone(const struct vdc_link *link);

/* What the server offers. */
const struct vd_capset *vdc_link_capset(const struct vdc_link *link);
/* Whether the server runs on the same kernel. */
bool vdc_link_same_kernel(const struct vdc_link *link);

/* Shared memory (whole allocations of the transport; pools are built on top). It is mapped, and needs no
 * descriptor any more: an application has only so many. */
VkResult vdc_link_shm_create(struct vdc_link *link, uint64_t size, struct vdc_shm *shm);
/* With the descriptor, for others to map it. */
VkResult vdc_link_shm_create_file(struct vdc_link *link, uint64_t size, struct vdc_shm *shm);
/* Closes the descriptor, if there is one. */
void vdc_link_shm_close_file(struct vdc_shm *shm);
/* Also in a forked child, which gives back what it has inherited. Id 0: nothing to do. */
void vdc_link_shm_destroy(struct vdc_link *link, struct vdc_shm *shm);
/* As vdc_transport_ops.shm_import; only where the server runs on the same kernel. */
VkResult vdc_link_shm_import(struct vdc_link *link, int fd, uint64_t offset, uint64_t size,
                             struct vdc_shm *shm);
/* As vdc_transport_ops.shm_export and shm_set_layout, also where there are none. */
int vdc_link_shm_export(struct vdc_link *link, uint32_t shm);
bool vdc_link_shm_set_layout(struct vdc_link *link, uint32_t shm, uint64_t offset, uint32_t pitch,
                             VkExtent2D extent);

/* Descriptors, where the server runs on the same kernel: gives it a copy, which the next record may
 * name by *id; takes the one that an answer has named. */
VkResult vdc_link_fd_give(struct vdc_link *link, int fd, uint32_t *id);
VkResult vdc_link_fd_take(struct vdc_link *link, uint32_t id, int *fd);

/* Wakes whoever sleeps on this word, in whatever process. */
void vdc_link_wake(struct vdc_link *link, _Atomic uint32_t *address);
/* Sleeps on a futex word in shared memory, as vdc_transport_ops.wait. Nobody wakes it when the
 * server dies, unless it is one of the words that vdc_connection's watcher changes: bound it. */
void vdc_link_wait(struct vdc_link *link, _Atomic uint32_t *address, uint32_t value,
                   uint64_t timeout_ns);

#endif
