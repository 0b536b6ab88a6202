/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_SERVER_SANDBOX_KIND_H
#define VIADUCT_SERVER_SANDBOX_KIND_H

/* What is inside of a sandbox. */
enum vds_sandbox_kind {
    VDS_SANDBOX_WORKER,
    VDS_SANDBOX_COMPILER, /* no client, no list of calls; writes what workers read (shader_cache.h) */
    VDS_SANDBOX_DEVICE,   /* loads no driver and no library, and opens nothing */
};

#endif
