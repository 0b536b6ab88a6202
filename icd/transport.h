/* SPDX-License-Identifier: MIT
 *
 * What a transport, a way to the server, can do. Everything above this file is the same for vtest and
 * virtio-gpu, and never asks which one it is.
 */
#ifndef VIADUCT_ICD_TRANSPORT_H
#define VIADUCT_ICD_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

#include "protocol/record.h"

/* Memory that this process and its server both map. */
struct vdc_shm {
    uint32_t id; /* the server's name for it, never 0 */
    uint64_t size;
    void *map;
    int fd; /* a descriptor of the same memory, owned by the shm, or -1 where there is none */
};

/* A futex word, and what it must hold for somebody to sleep on it. */
struct vdc_futex_word {
    _Atomic uint32_t *address;
    uint32_t value;
};

struct vdc_transport;

struct vdc_transport_ops {
    const char *name;
    /* The server runs on the same kernel: its clocks are ours, and descriptors can be passed. */
    bool same_kernel;
    /* Ends the connection and frees the transport. Shared memory must have been freed before. */
    void (*destroy)(struct vdc_transport *transport);
    /* Zeroed shared memory of `size` bytes (rounded up to pages). Thread-safe.
     * VK_ERROR_OUT_OF_DEVICE_MEMORY when the server refuses, VK_ERROR_DEVICE_LOST without one. */
    VkResult (*shm_create)(struct vdc_transport *transport, uint64_t size, struct vdc_shm *shm);
    void (*shm_destroy)(struct vdc_transport *transport, struct vdc_shm *shm);
    /* Makes shared memory of these bytes, whole pages, of a memfd that is sealed against shrinking,
     * and owns the descriptor on success. NULL, like fd_give, fd_take and wait_any, unless same_kernel.
     * Thread-safe. */
    VkResult (*shm_import)(struct vdc_transport *transport, int fd, uint64_t offset, uint64_t size,
                           struct vdc_shm *shm);
    /* Gives the server a copy of a descriptor, for a record to name by *id. Thread-safe. */
    VkResult (*fd_give)(struct vdc_transport *transport, int fd, uint32_t *id);
    /* Takes the descriptor that a record's answer named. Thread-safe. */
    VkResult (*fd_take)(struct vdc_transport *transport, uint32_t id, int *fd);
    /* Carries one small record outside of the ring (VD_OP_SETUP). */
    VkResult (*submit)(struct vdc_transport *transport, const void *record, size_t size);
    /* Wakes the consumer that sleeps on the futex word `address` in shared memory. */
    void (*wake)(struct vdc_transport *transport, _Atomic uint32_t *address);
    /* Sleeps while *address == value, at most timeout_ns (UINT64_MAX: for ever). May return early:
     * the caller looks again. */
    void (*wait)(struct vdc_transport *transport, _Atomic uint32_t *address, uint32_t value,
                 uint64_t timeout_ns);
    /* The same for any of several words, of which the first one is in memory of this transport. */
    void (*wait_any)(struct vdc_transport *transport, const struct vdc_futex_word *words,
                     uint32_t count, uint64_t timeout_ns);
    /* Sleeps until the peer is gone, or `unwatch` was called, before or meanwhile. `lost` is the word
     * of the completion page, which a transport whose peer can go in silence finds set. */
    void (*watch)(struct vdc_transport *transport, const _Atomic uint32_t *lost);
    /* Before the end: nothing that has an answer may be asked any more. */
    void (*unwatch)(struct vdc_transport *transport);
    /* The two are NULL where shared memory is never the scanout of a display. */
    /* A new descriptor of the DMA buffer that is this shared memory, or -1. */
    int (*shm_export)(struct vdc_transport *transport, uint32_t shm);
    /* Sets the scanout layout: where in it the pixels lie that a display shows from now on. Returns
     * when the pixels of the layout before are no longer read. False: there is no such layout. */
    bool (*shm_set_layout)(struct vdc_transport *transport, uint32_t shm, uint64_t offset,
                           uint32_t pitch, VkExtent2D extent);
};

struct vdc_transport {
    const struct vdc_transport_ops *ops;
    struct vd_capset capset; /* what the server offers, filled by connect */
};

/* Whether the bytes of a capset of our protocol's version make sense. */
bool vdc_capset_is_valid(const struct vd_capset *capset);

/* Connects to VTEST_SOCKET_NAME or one of the default sockets. VK_ERROR_INCOMPATIBLE_DRIVER, with one line in the
 * log (under VIADUCT_DEBUG) that names the path and the reason, where nobody answers or the
 * protocol differs. Never waits for long: a connection that does not answer within five seconds
 * counts as none. */
VkResult vdc_vtest_connect(struct vdc_transport **transport);

/* Connects through the first virtio-gpu render node that offers Viaduct. Otherwise as above. */
VkResult vdc_virtgpu_connect(struct vdc_transport **transport);

/* Connects through virtio-gpu where that is there, else through vtest; or through what
 * VIADUCT_TRANSPORT names: `virtgpu` or `vtest`. */
VkResult vdc_transport_connect(struct vdc_transport **transport);

#endif
