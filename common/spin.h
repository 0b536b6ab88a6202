/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_COMMON_SPIN_H
#define VIADUCT_COMMON_SPIN_H

#include <sched.h>

/* Between two looks at what the other side writes, of which `looks` is the number. Now and then the
 * processor is given away: the other side may wait for this very one. */
static inline void vd_spin_pause(unsigned looks)
{
    for (int i = 0; i < 8; i++) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
    }
    if (looks % 8 == 0)
        sched_yield();
}

#endif
