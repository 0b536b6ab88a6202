/* SPDX-License-Identifier: MIT
 *
 * The page that a child of the listener shares with it. The listener believes nothing that stands there
 * once the child has a client.
 */
#ifndef VIADUCT_SERVER_CHILD_PAGE_H
#define VIADUCT_SERVER_CHILD_PAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "counters.h"
#include "memory_ways.h"
#include "seal.h"

#define VDS_CLIENT_NAME_SIZE 64

struct vds_child_page {
    struct vds_counters counters;        /* of a worker */
    char name[VDS_CLIENT_NAME_SIZE];     /* of the client, for the log */
    uint8_t seal_key[VDS_SEAL_KEY_SIZE]; /* from the listener, if has_seal_key */
    bool has_seal_key;
    struct vds_memory_ways ways; /* what earlier workers have found out, and this one does */
    _Atomic int stopped_call;    /* the system call that the sandbox has stopped, + 1; 0: none */
};

#endif
