/* Generated from vk.xml and policy.toml. */
#ifndef VIADUCT_EXTENSIONS_H
#define VIADUCT_EXTENSIONS_H

#include <stdbool.h>
#include <stdint.h>

enum vd_extension_index {
% for name in sorted(r.extensions):
    VD_EXT_${name[3:]},
% endfor
    VD_EXT_COUNT,
};

enum vd_extension_way {
    VD_EXTENSION_FORWARDED, /* offered where the host has it */
    VD_EXTENSION_CLIENT,    /* the client's own; never enabled on the host */
    VD_EXTENSION_LOADER,    /* offered by the loader, whatever the driver offers */
    VD_EXTENSION_WITHHELD,  /* never offered */
};

struct vd_extension {
    const char *name;
    uint32_t spec_version;
    bool device; /* else of the instance */
    enum vd_extension_way way;
    bool same_kernel; /* only where client and server run on the same one */
    bool same_clocks; /* only where the client's clocks follow from the server's */
    const char *reason; /* of what is not simply forwarded */
};

/* By enum vd_extension_index; sorted by name. */
extern const struct vd_extension vd_extensions[VD_EXT_COUNT];

/* Takes those out of a set, by enum vd_extension_index, that depend on what is not in it, for a
 * device of this Vulkan version. */
void vd_extensions_close(bool *set, uint32_t version);

/* Index of a name, or -1. */
int vd_extension_find(const char *name);

#endif
