/* SPDX-License-Identifier: MIT */
#include "gpu_choice.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* False: the text is no UUID. */
static bool parse_uuid(const char *text, uint8_t uuid[VK_UUID_SIZE])
{
    static const char digits[] = "0123456789abcdefABCDEF";
    unsigned count = 0;
    memset(uuid, 0, VK_UUID_SIZE);
    for (; *text; text++) {
        const char *digit = strchr(digits, *text);
        if (*text == '-' && count > 0)
            continue;
        if (!digit || count == 2 * VK_UUID_SIZE)
            return false;
        const unsigned value = (unsigned)(digit - digits);
        uuid[count / 2] |= (uint8_t)((value < 16 ? value : value - 6) << (count % 2 ? 0 : 4));
        count++;
    }
    return count == 2 * VK_UUID_SIZE;
}

/* False: the text is no PCI address. Linux writes them in hexadecimal. */
static bool parse_pci(const char *text, struct vds_gpu_identity *address)
{
    int end = 0;
    *address = (struct vds_gpu_identity){0};
    if (sscanf(text, "%x:%x:%x.%x%n", &address->domain, &address->bus, &address->device,
               &address->function, &end) == 4 &&
        !text[end])
        return true;
    address->domain = 0;
    return sscanf(text, "%x:%x.%x%n", &address->bus, &address->device, &address->function, &end) ==
               3 &&
           !text[end];
}

static bool is_same_pci(const struct vds_gpu_identity *a, const struct vds_gpu_identity *b)
{
    return a->domain == b->domain && a->bus == b->bus && a->device == b->device &&
           a->function == b->function;
}

bool vds_gpu_is_wanted(const char *wanted, const struct vds_gpu_identity *identity)
{
    uint8_t uuid[VK_UUID_SIZE];
    struct vds_gpu_identity pci;
    if (!wanted)
        return true;
    if (parse_uuid(wanted, uuid))
        return memcmp(uuid, identity->uuid, sizeof(uuid)) == 0;
    if (!wanted[strspn(wanted, "0123456789")])
        return strtoul(wanted, NULL, 10) == identity->number;
    if (parse_pci(wanted, &pci))
        return identity->on_pci && is_same_pci(&pci, identity);
    return strcasestr(identity->name, wanted) != NULL;
}

bool vds_gpu_may_be_node(const char *wanted, const char *folder, const char *node)
{
    struct vds_gpu_identity pci, owner;
    char path[PATH_MAX], target[PATH_MAX];
    if (!wanted || !parse_pci(wanted, &pci))
        return true;
    if (snprintf(path, sizeof(path), "%s/%s/device", folder, node) >= (int)sizeof(path) ||
        !realpath(path, target))
        return false;
    /* Its own folder, or one around it: virtio-gpu's device is a child of that on the bus. */
    for (char *slash; (slash = strrchr(target, '/')); *slash = '\0')
        if (parse_pci(slash + 1, &owner))
            return is_same_pci(&pci, &owner);
    return false;
}
