/* SPDX-License-Identifier: MIT */
#include "stand_in.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* its value, in the first thread, is the number of the process */
static bool has_key;
static _Atomic uint32_t lives; /* threads of ours; a futex */

static void *stand_in(void *data)
{
    uint32_t count;
    (void)data;
    while ((count = atomic_load(&lives)) != 0)
        syscall(SYS_futex, &lives, FUTEX_WAIT_PRIVATE, count, NULL, NULL, 0);
    return NULL;
}

/* The library stays loaded, even without an instance: nobody waits for the stand-in's end, which may be
 * in a handler of the application's, and its code must be there until then. */
static bool stay_loaded(void)
{
    Dl_info self;
    return dladdr(&once, &self) &&
           dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE) != NULL;
}

/* In the first thread, when it ends without ending the process. */
static void first_thread_ends(void *process)
{
    pthread_t thread;
    /* A forked child has none of the threads. */
    if ((pid_t)(intptr_t)process != getpid() || atomic_load(&lives) == 0 || !stay_loaded())
        return;
    /* With this thread's mask. */
    if (pthread_create(&thread, NULL, stand_in, NULL) == 0) {
        pthread_setname_np(thread, "viaduct-signals");
        pthread_detach(thread);
    }
}

static void make_key(void)
{
    has_key = pthread_key_create(&key, first_thread_ends) == 0;
}

/* The library may be unloaded before the thread ends. */
__attribute__((destructor)) static void delete_key(void)
{
    if (has_key)
        pthread_key_delete(key);
}

void vdc_stand_in_begin(void)
{
    atomic_fetch_add(&lives, 1);
    pthread_once(&once, make_key);
    const pid_t process = getpid();
    if (has_key && (pid_t)syscall(SYS_gettid) == process)
        pthread_setspecific(key, (void *)(intptr_t)process);
}

void vdc_stand_in_end(void)
{
    atomic_fetch_sub(&lives, 1);
    syscall(SYS_futex, &lives, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
