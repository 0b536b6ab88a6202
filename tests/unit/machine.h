/* SPDX-License-Identifier: MIT
 *
 * A virtual machine without one, for the tests of the virtio-gpu device: this program is the
 * frontend, the guest's memory and the guest's driver. A function that fails fails the test.
 */
#ifndef VIADUCT_TESTS_MACHINE_H
#define VIADUCT_TESTS_MACHINE_H

#include <stdint.h>
#include <sys/types.h>

#include <linux/virtio_ring.h>

#include "protocol/ring.h"

#define RAM_SIZE (16u << 20)
#define RAM_BASE UINT64_C(0x100000000)    /* in the guest */
#define USER     UINT64_C(0x7f0000000000) /* in QEMU */

/* Where things lie in the guest's memory. */
#define QUEUE_SIZE 64u
#define QUEUE_AT   0x10000u /* desc, avail, used 0x4000 apart; a second queue behind it */
#define REQUEST_AT 0x40000u
#define ANSWER_AT  0x80000u
#define TABLE_AT   0xc0000u
#define PAGES_AT   0x100000u

#define TIMEOUT_MS 20000

/* The shared memory of machine_connect_context. */
#define RING_PAGES ((VD_RING_DATA_OFFSET + VD_RING_DATA_SIZE) / 4096)
#define RING_AT    (PAGES_AT + 0x100000)
#define PAGE_AT    (PAGES_AT + 0x300000)

enum vhost_user_message {
    GET_FEATURES = 1,
    SET_FEATURES = 2,
    SET_OWNER = 3,
    SET_MEM_TABLE = 5,
    SET_VRING_NUM = 8,
    SET_VRING_ADDR = 9,
    SET_VRING_BASE = 10,
    GET_VRING_BASE = 11,
    SET_VRING_KICK = 12,
    SET_VRING_CALL = 13,
    SET_VRING_ENABLE = 18,
    GPU_SET_SOCKET = 33,
};

struct machine {
    pid_t server;
    int socket;
    uint8_t *ram;
    int memory;
    int kick[2], call[2];
    uint16_t avail[2], used[2]; /* what we have made available and seen used */
    unsigned seed;
};

/* A setup and a teardown of cmocka: *state becomes a struct machine whose queues run. */
int machine_set_up(void **state);
int machine_tear_down(void **state);

/* ---- The frontend */

/* A vhost-user message, with a descriptor unless that is -1. */
void machine_send(struct machine *m, uint32_t request, const void *payload, uint32_t size, int fd);
/* As a guest that begins anew. */
void machine_start_queues(struct machine *m);
/* As a machine that is reset or paused; what the device keeps comes back. */
void machine_stop_control_queue(struct machine *m);

/* ---- The guest's driver. Queue 0 is the control queue, 1 that of cursors. */

/* The descriptors of a queue. */
struct vring_desc *machine_descs(struct machine *m, unsigned queue);
/* Makes the chain that begins with descriptor `head` available. */
void machine_offer(struct machine *m, unsigned queue, uint16_t head);
/* Makes a request available; its answer goes to ANSWER_AT + slot * 0x8000. */
void machine_offer_request(struct machine *m, unsigned queue, const void *request, uint32_t size,
                           uint16_t slot);
/* Waits for the next request to come back: how much of an answer it has. */
uint32_t machine_await(struct machine *m, unsigned queue);
/* Both, in slot 0. The type of the answer, 0: none. */
uint32_t machine_request(struct machine *m, unsigned queue, const void *bytes, uint32_t size);

/* Requests; the type of the answer. */
uint32_t machine_simple(struct machine *m, uint32_t type, uint32_t context, uint32_t id);
uint32_t machine_create_context(struct machine *m, uint32_t id);
uint32_t machine_create_buffer(struct machine *m, uint32_t id, uint32_t size);
/* Pages in reverse order, so that one contiguous mapping of them is not one of the memory. */
uint32_t machine_attach(struct machine *m, uint32_t id, uint32_t at, uint32_t pages);
uint32_t machine_submit(struct machine *m, uint32_t context, const void *record, uint32_t size);
uint32_t machine_register_shm(struct machine *m, uint32_t context, uint32_t resource, uint32_t shm);

/* The device still answers. */
void machine_assert_alive(struct machine *m);
/* Byte `offset` of a resource whose pages lie in reverse. */
uint8_t *machine_reversed(struct machine *m, uint32_t at, uint32_t pages, uint32_t offset);
/* Makes a context that has a worker: shared memory 1 is its ring, resource 10, and 2 its completion
 * page, resource 11. */
void machine_connect_context(struct machine *m, uint32_t context);

#endif
