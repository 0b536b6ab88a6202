/* SPDX-License-Identifier: MIT
 *
 * What the server knows of what this driver knows: the two may have been made from different
 * registries. What only one of them knows, the application does not get to see.
 */
#ifndef VIADUCT_ICD_PEER_H
#define VIADUCT_ICD_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

#include "protocol/physical_device.h"
#include "protocol/record.h"

struct vdc_peer {
    const struct vd_capset *capset; /* the transport's, which lives longer */
    VkStructureType *unknown;       /* structs that we know and the server does not, sorted */
    uint32_t unknown_count;
};

/* False without memory. The capset is valid, and stays where it is. */
bool vdc_peer_init(struct vdc_peer *peer, const struct vd_capset *capset);
/* Also of a struct that is all zeroes. */
void vdc_peer_finish(struct vdc_peer *peer);

/* By enum vd_opcode; 0 stands for a command that never crosses. */
bool vdc_peer_knows_command(const struct vdc_peer *peer, uint32_t opcode);
/* A device's file_types, where a server that does not know the record may have put anything. */
uint32_t vdc_peer_file_types(const struct vdc_peer *peer,
                             const struct vd_physical_device_data *data);
bool vdc_peer_knows_extension(const struct vdc_peer *peer, const char *name);
/* A struct of a chain, of those that this driver knows. */
bool vdc_peer_knows_struct(const struct vdc_peer *peer, VkStructureType type);

#endif
