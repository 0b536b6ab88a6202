/* SPDX-License-Identifier: MIT
 *
 * Answers of the host that depend on nothing but their question, kept: requirements of buffers and
 * images that were created alike, properties of formats. Applications ask thousands of times.
 */
#ifndef VIADUCT_ICD_MEMO_H
#define VIADUCT_ICD_MEMO_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VD_MEMO_KEY_SIZE   64
#define VD_MEMO_VALUE_SIZE 64

/* One question. It lives, at the same address, as long as its memo. */
struct vd_memo_entry {
    struct vd_memo_entry *next;
    uint8_t key[VD_MEMO_KEY_SIZE];
    _Atomic bool known; /* release after value, acquire before it */
    uint8_t value[VD_MEMO_VALUE_SIZE];
};

struct vd_memo {
    pthread_mutex_t lock;
    uint32_t count;
    struct vd_memo_entry *buckets[256];
};

void vd_memo_init(struct vd_memo *memo);
void vd_memo_finish(struct vd_memo *memo);

/* The entry of a question; its key is padded with zeroes. NULL: there are too many already, or no
 * memory. Thread-safe. */
struct vd_memo_entry *vd_memo_find(struct vd_memo *memo, const void *key, size_t size);

/* True, with *value copied, if the answer is known. NULL knows nothing. */
bool vd_memo_get(const struct vd_memo_entry *entry, void *value, size_t size);
/* Two threads that asked at the same time store the same. NULL is fine. */
void vd_memo_put(struct vd_memo *memo, struct vd_memo_entry *entry, const void *value, size_t size);

#endif
