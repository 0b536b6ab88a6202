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

#define VDC_MEMO_KEY_SIZE   64
#define VDC_MEMO_VALUE_SIZE 64

/* One question. It lives, at the same address, as long as its memo. */
struct vdc_memo_entry {
    struct vdc_memo_entry *next;
    uint8_t key[VDC_MEMO_KEY_SIZE];
    _Atomic bool known; /* release after value, acquire before it */
    uint8_t value[VDC_MEMO_VALUE_SIZE];
};

struct vdc_memo {
    pthread_mutex_t lock;
    uint32_t count;
    struct vdc_memo_entry *buckets[256];
};

void vdc_memo_init(struct vdc_memo *memo);
void vdc_memo_finish(struct vdc_memo *memo);

/* The entry of a question; its key is padded with zeroes. NULL: there are too many already, or no
 * memory. Thread-safe. */
struct vdc_memo_entry *vdc_memo_find(struct vdc_memo *memo, const void *key, size_t size);

/* True, with *value copied, if the answer is known. NULL knows nothing. */
bool vdc_memo_get(const struct vdc_memo_entry *entry, void *value, size_t size);
/* Two threads that asked at the same time store the same. NULL is fine. */
void vdc_memo_put(struct vdc_memo *memo, struct vdc_memo_entry *entry, const void *value,
                  size_t size);

#endif
