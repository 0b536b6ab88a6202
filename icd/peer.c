/* SPDX-License-Identifier: MIT */
#include "peer.h"

#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "opcodes.h"

static int compare(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static bool contains(const uint32_t *list, uint32_t count, uint32_t value)
{
    return count && bsearch(&value, list, count, sizeof(*list), compare);
}

bool vdc_peer_init(struct vdc_peer *peer, const struct vd_capset *capset)
{
    *peer = (struct vdc_peer){.capset = capset};
    peer->unknown = calloc(vd_stype_count, sizeof(*peer->unknown));
    if (!peer->unknown)
        return false;
    for (size_t i = 0; i < vd_stype_count; i++)
        if (!contains(capset->stypes, capset->stype_count, vd_stypes[i]))
            peer->unknown[peer->unknown_count++] = vd_stypes[i];
    return true;
}

void vdc_peer_finish(struct vdc_peer *peer)
{
    free(peer->unknown);
}

bool vdc_peer_knows_command(const struct vdc_peer *peer, uint32_t opcode)
{
    return !opcode ||
           (opcode < VD_CAPSET_OPCODES && peer->capset->opcodes[opcode / 8] & 1u << opcode % 8);
}

uint32_t vdc_peer_file_types(const struct vdc_peer *peer,
                             const struct vd_physical_device_data *data)
{
    return vdc_peer_knows_command(peer, VD_OP_GET_MEMORY_FILE) ? data->file_types : 0;
}

bool vdc_peer_knows_extension(const struct vdc_peer *peer, const char *name)
{
    const char *at = peer->capset->extensions;
    const char *end = at + peer->capset->extensions_size;
    for (; at < end; at += strlen(at) + 1)
        if (!strcmp(at, name))
            return true;
    return false;
}

bool vdc_peer_knows_struct(const struct vdc_peer *peer, VkStructureType type)
{
    return !contains(peer->unknown, peer->unknown_count, (uint32_t)type);
}
