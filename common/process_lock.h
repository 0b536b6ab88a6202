/* SPDX-License-Identifier: MIT
 *
 * A lock of the whole process. fork() waits for it: a child would never get one that another thread of
 * its parent holds.
 */
#ifndef VIADUCT_COMMON_PROCESS_LOCK_H
#define VIADUCT_COMMON_PROCESS_LOCK_H

#include <pthread.h>

/* Defines the static mutex `lock`. */
#define VD_PROCESS_LOCK(lock)                                         \
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;          \
    static void lock##_take(void)                                     \
    {                                                                 \
        pthread_mutex_lock(&lock);                                    \
    }                                                                 \
    static void lock##_give(void)                                     \
    {                                                                 \
        pthread_mutex_unlock(&lock);                                  \
    }                                                                 \
    __attribute__((constructor)) static void lock##_watch_forks(void) \
    {                                                                 \
        pthread_atfork(lock##_take, lock##_give, lock##_give);        \
    }

#endif
