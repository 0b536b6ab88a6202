/* SPDX-License-Identifier: MIT
 *
 * virtio-gpu: what a guest process writes into an EXECBUFFER, which is a VIRTIO_GPU_CMD_SUBMIT_3D of
 * its context. One record each; README.md, "virtio-gpu".
 */
#ifndef VIADUCT_PROTOCOL_VIRTIO_GPU_H
#define VIADUCT_PROTOCOL_VIRTIO_GPU_H

#include <assert.h>
#include <stdint.h>

#include "protocol/record.h"

/* Beside VD_OP_SETUP. These never stand in a ring, and opcodes.txt never gets so far. */
enum vd_virtio_gpu_opcode {
    VD_VIRTIO_GPU_REGISTER = 0xff00,
    VD_VIRTIO_GPU_WAKE = 0xff01,
    VD_VIRTIO_GPU_WAIT = 0xff02,
    VD_VIRTIO_GPU_WATCH = 0xff03,
    VD_VIRTIO_GPU_SCANOUT_LAYOUT = 0xff04,
};

/* Makes a buffer resource (target 0, format 64) with guest pages shared memory. Its first word,
 * 0 until then, becomes one of vd_virtio_gpu_registration. Ended by closing the resource's handle,
 * after which the id may be used again. */
struct vd_virtio_gpu_register {
    struct vd_record record;
    uint32_t resource;
    uint32_t shm; /* the id that the client chooses: not 0, at most VD_VIRTIO_GPU_SHM_MAX */
};
static_assert(sizeof(struct vd_virtio_gpu_register) == 16, "register is wire format");

#define VD_VIRTIO_GPU_SHM_MAX 0xffffu

enum vd_virtio_gpu_registration {
    VD_VIRTIO_GPU_PENDING = 0,
    VD_VIRTIO_GPU_REGISTERED = 1,
    VD_VIRTIO_GPU_REFUSED = 2,
};

/* Wakes whoever sleeps on this word, on either side. */
struct vd_virtio_gpu_wake {
    struct vd_record record;
    uint32_t shm;
    uint32_t offset;
};
static_assert(sizeof(struct vd_virtio_gpu_wake) == 16, "wake is wire format");

/* Its fence signals when the word is no longer `value`, or earlier: the guest's kernel signals it
 * together with any later one, and the device does so after two seconds, when the context is lost,
 * when the thread waits again, or when too many wait. The client looks, and waits again. */
struct vd_virtio_gpu_wait {
    struct vd_record record;
    uint32_t shm;
    uint32_t offset;
    uint32_t value;
    uint32_t thread; /* any number: a wait ends the one before with the same number */
};
static_assert(sizeof(struct vd_virtio_gpu_wait) == 24, "wait is wire format");

/* Its fence signals when the context is lost, which its completion page then says, or earlier, as
 * above, but not by time: a client that has nothing to do is left alone. A context has one: the next
 * ends the one before. */
struct vd_virtio_gpu_watch {
    struct vd_record record;
};
static_assert(sizeof(struct vd_virtio_gpu_watch) == 8, "watch is wire format");

/* The scanout layout of a resource that is shared memory: where the pixels lie that a scanout shows
 * of it, in rows of pixels of 4 bytes, blue first, the last byte ignored. The guest's kernel cannot
 * tell. Once this is answered, nobody reads the pixels of the layout before any more. */
struct vd_virtio_gpu_scanout_layout {
    struct vd_record record;
    uint32_t shm;
    uint32_t pitch;  /* bytes from row to row */
    uint64_t offset; /* of the first pixel */
    uint32_t width;
    uint32_t height;
};
static_assert(sizeof(struct vd_virtio_gpu_scanout_layout) == 32, "layout is wire format");

#endif
