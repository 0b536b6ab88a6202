/* SPDX-License-Identifier: MIT
 *
 * The steps that an input of fuzz_virtio_gpu consists of: one byte for what is to be done, one for the size of
 * what follows, and that many bytes.
 */
#ifndef VIADUCT_TESTS_FUZZ_VIRTIO_GPU_STEPS_H
#define VIADUCT_TESTS_FUZZ_VIRTIO_GPU_STEPS_H

#include <stdint.h>

/* The guest's memory. */
#define RAM_SIZE (1u << 20)
#define RAM_BASE UINT64_C(0x100000000)

enum step {
    STEP_REQUEST,     /* on the control queue, as it is */
    STEP_COMMAND,     /* the same, with the type of a command */
    STEP_CURSOR,      /* on the cursor queue */
    STEP_SUBMIT,      /* a record in a submission of the first byte's context */
    STEP_DESCRIPTORS, /* overwrites descriptors, and offers one */
    STEP_AVAILABLE,   /* overwrites the ring of what is offered */
    STEP_MEMORY,      /* overwrites guest memory */
    STEP_WORKER,      /* a message from the newest worker */
    STEP_WORKER_DIES,
    STEP_DISPLAY, /* bytes from QEMU's display */
    STEP_RESET,
    STEP_COUNT
};

#endif
