/* SPDX-License-Identifier: MIT
 *
 * Binaries of the host's driver that clients keep: pipeline caches, pipeline and shader binaries. Drivers
 * believe what they read in them, so that each carries a seal, a keyed hash behind the driver's bytes, and
 * only what a server has given out comes back to a driver. Its key belongs to one server process and ends
 * with it: what an application has kept longer counts as made by another version of the driver.
 */
#ifndef VIADUCT_SERVER_SEAL_H
#define VIADUCT_SERVER_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VDS_SEAL_SIZE     32u
#define VDS_SEAL_KEY_SIZE 32u

/* What a binary is taken for: a seal of one kind is none of another. */
enum vds_sealed {
    VDS_SEALED_PIPELINE_CACHE = 1,
    VDS_SEALED_PIPELINE_BINARY,
    VDS_SEALED_SHADER_BINARY,
};

/* The listener makes a key when it is asked for the first time, and gives it to each worker. A process
 * that was not given one makes its own. False: the system has no random bytes. */
bool vds_seal_get_key(uint8_t key[VDS_SEAL_KEY_SIZE]);
void vds_seal_set_key(const uint8_t key[VDS_SEAL_KEY_SIZE]);

/* A binary, and what goes with it without being a part of it (`label`, may be NULL with size 0). */
struct vds_sealed_data {
    enum vds_sealed kind;
    const void *label;
    size_t label_size;
    const void *data;
    size_t size;
};

/* Writes the seal of `binary` to `seal`. False: there is no key; nothing is written. */
bool vds_seal(const struct vds_sealed_data *binary, uint8_t seal[VDS_SEAL_SIZE]);
/* Whether the last bytes of `binary` are the seal of the others. */
bool vds_seal_holds(const struct vds_sealed_data *binary);

#endif
