/* SPDX-License-Identifier: MIT
 *
 * What a test tells the layer of faults, in a file that both have mapped. VIADUCT_FAULTS names it.
 */
#ifndef TESTS_FAULTS_H
#define TESTS_FAULTS_H

#include <stdatomic.h>
#include <stdint.h>

struct faults {
    char slow[64];            /* this command sleeps first; empty: none does */
    _Atomic uint32_t slow_ms; /* for so long; 0: none does */
    _Atomic uint32_t slept;   /* counts the calls that have begun to sleep */
    _Atomic uint32_t one_in;  /* of so many calls that may lack memory one does; 0: none does */
    _Atomic uint32_t seed;    /* which ones */
    _Atomic uint32_t calls;   /* counted */
    _Atomic uint32_t refused; /* counted */
    char refuse[64];          /* only this command is refused; empty: any */
    _Atomic uint32_t
        lose_one_in;            /* of so many calls that may lose a device one does; 0: none does */
    _Atomic uint32_t lost;      /* processes that have lost theirs */
    _Atomic uint32_t instances; /* counted */
    _Atomic uint32_t spared;    /* so many of the first ones see neither */
    _Atomic uint32_t refrain;   /* 1: what is slow does nothing else, and fails if it can */
};

#endif
