/* SPDX-License-Identifier: MIT
 *
 * Between a device and the worker of one of its contexts: a SOCK_SEQPACKET socket. The worker's end
 * of it is used like a vtest socket (server/vtest.h).
 */
#ifndef VIADUCT_SERVER_VIRTIO_GPU_LINK_H
#define VIADUCT_SERVER_VIRTIO_GPU_LINK_H

#include <stdint.h>

#include "protocol/record.h"

#include "server/shm.h"
#include "server/vtest.h"

enum vg_link_type {
    /* To the worker. */
    VG_LINK_HELLO, /* name; with an eventfd that is written whenever a client may have to wake */
    VG_LINK_ADD,   /* shm, token, size, extent_count; with a file of extents, and the guest's RAM */
    VG_LINK_REMOVE, /* shm, token */
    VG_LINK_SETUP,  /* setup */
    VG_LINK_END,    /* the client is gone */
    /* To the device. */
    VG_LINK_ADDED,   /* token */
    VG_LINK_REFUSED, /* token; instead of ADDED */
    VG_LINK_REMOVED, /* token: nothing in the worker refers to those pages any more */
};

struct vg_link_message {
    uint32_t type;
    uint32_t shm;
    uint64_t token; /* of one ADD, never used twice */
    uint64_t size;
    uint32_t extent_count;
    uint32_t reserved;
    struct vd_setup setup;
    char name[64];
};

/* A part of the guest's RAM: of file number `file` behind the first descriptor. */
struct vg_extent {
    uint64_t offset;
    uint64_t size;
    uint32_t file;
    uint32_t reserved;
};

#define VG_LINK_FDS_MAX 33

struct vg_link;

/* Does not own `fd`. NULL without memory. */
struct vg_link *vg_link_create(int fd, struct vds_shm_table *shm,
                               const struct vds_vtest_listener *listener, void *data);
void vg_link_destroy(struct vg_link *link);
enum vds_vtest_status vg_link_process(struct vg_link *link);

#endif
