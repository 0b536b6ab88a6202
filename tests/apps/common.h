/* SPDX-License-Identifier: MIT
 *
 * What every test program needs.
 *
 * The programs are ordinary Vulkan applications. They stop at the first thing
 * that goes wrong, with a line that says where, so nothing here returns errors.
 */
#ifndef TESTS_COMMON_H
#define TESTS_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vulkan/vulkan.h>

#include "expect.h"
#include "gpu.h"
#include "recording.h"
#include "resources.h"

#define SECOND_NS UINT64_C(1000000000)

/* Long enough for a software driver under a sanitizer on a busy machine. A
 * test that needs it has failed; an endless wait would hide which one. */
#define LONG_NS (60 * SECOND_NS)

/* The exit status of a program that found nothing to test. It says why. */
enum {
    EXIT_SKIPPED = 77
};

/* Announces a part of a program, so that the last line before a hang or a
 * crash says what was being done. */
void section(const char *name);

struct program_part {
    const char *name;
    void (*run)(void);
};

/* Runs the parts of a program, each announced. */
void run_parts(const char *program, const struct program_part *parts, size_t count);

/* Ignored members may hold anything. Reading from this address ends the program. */
#define GARBAGE_POINTER ((void *)(uintptr_t)0xdead0000beef0000u)
#define GARBAGE_HANDLE  UINT64_C(0xdead0000beef0000)

uint64_t now_ns(void);
void sleep_ms(uint32_t milliseconds);
uint64_t fnv1a(const void *data, size_t size);

/* Numbers that look random and are the same on every machine. */
uint32_t mix32(uint32_t value);

#endif
