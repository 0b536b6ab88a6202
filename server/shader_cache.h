/* SPDX-License-Identifier: MIT
 *
 * Drivers' caches on disk. What one client's worker writes there, another one's would read: so no worker
 * writes any. But what a driver compiles for itself, whoever the client is, each worker would compile anew. A
 * process that never has a client, the compiler, does it once and leaves it where workers read it.
 *
 * Mesa's drivers can be told so, by variables of the environment; the others have no cache at all.
 *
 *     FOLDER/v1/lock       held by the compiler that is at work
 *     FOLDER/v1/server     the compiler's cache, as Mesa writes it in one file for each device
 *     FOLDER/v1/workers    the same folders, with a copy of that file to read, and links to descriptors of the
 *                          worker's own in place of the files that Mesa wants to write to
 */
#ifndef VIADUCT_SERVER_SHADER_CACHE_H
#define VIADUCT_SERVER_SHADER_CACHE_H

#include <stdbool.h>

/* A worker's descriptors, whose numbers the links know. */
enum {
    VDS_SHADER_CACHE_WRITTEN = 7,
    VDS_SHADER_CACHE_INDEX,
};

/* In the listener, before it has children: sets their environment. `folder`: NULL is the user's, "-" none.
 * `confined`: workers can write no file. Returns whether a compiler is wanted. */
bool vds_shader_cache_begin(const char *folder, bool confined);

/* What a worker may read; NULL: there is no such cache. */
const char *vds_shader_cache_to_read(void);
/* And what the compiler may write; `path` has PATH_MAX bytes. False: there is none, or its path is too long. */
bool vds_shader_cache_to_write(char *path);

/* In a worker, while its descriptors are free: opens them. Nothing where there is no cache. */
void vds_shader_cache_open(void);

/* In the compiler. From now on drivers write, and no other server's compiler does: waits until that one has ended.
 * False with errno: there is no cache. */
bool vds_shader_cache_compile(void);
/* Once their instance is gone: what they wrote becomes the workers'. Returns for how many devices there is more
 * than before; -1: that failed, errno says why. */
int vds_shader_cache_publish(void);

/* With which a compiler ends that has published something new. */
#define VDS_SHADER_CACHE_NEWS 10

#endif
