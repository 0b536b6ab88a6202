/* SPDX-License-Identifier: MIT
 *
 * What fuzz targets of the server's core share: a client of the fake driver, and bytes of the input.
 */
#ifndef VIADUCT_TESTS_FUZZ_SESSION_H
#define VIADUCT_TESTS_FUZZ_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

#include "../unit/records.h"

struct input {
    const uint8_t *at;
    size_t left;
};

/* At most 8 bytes; zeroes behind the end. */
uint64_t take(struct input *input, size_t size);

/* Of a client that has sent nothing yet, whose streams have so many threads beside the ring's. */
void session_start(struct test_client *client, PFN_vkGetInstanceProcAddr driver, int lanes);
/* The same, with an instance, a device and one object of each kind that records.h has a name for. */
void session_open(struct test_client *client, PFN_vkGetInstanceProcAddr driver, int lanes);
void session_close(struct test_client *client);

/* Changes some of these bytes, from offset 8 on, into what a careless decoder would trip over. */
void change(uint8_t *bytes, uint32_t size, struct input *input);

/* Puts a stream of the command buffer into the client's shared memory that begins with what every stream
 * begins with; returns the bytes that there are. */
uint32_t stream_start(struct test_client *client);
/* The record that hands over such a stream of so many bytes. */
void stream_record(struct test_record *r, struct test_client *client, uint32_t size,
                   uint32_t flags);

#endif
