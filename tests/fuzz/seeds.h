/* SPDX-License-Identifier: MIT
 *
 * What a fuzz target begins with, instead of nothing: inputs that it makes itself, from the structs and tables that
 * it is built with, so that they stay valid. `--seeds FOLDER` as the only arguments write them there.
 */
#ifndef VIADUCT_TESTS_FUZZ_SEEDS_H
#define VIADUCT_TESTS_FUZZ_SEEDS_H

#include <stddef.h>
#include <stdint.h>

/* Each target has this, and gives its seeds to write_seed. */
void make_seeds(void);
/* Ends the program where that is not possible. */
void write_seed(const void *bytes, size_t size);
/* The same, and as often with one of its 32-bit words changed, those behind byte `from`. */
void write_variants(const void *bytes, size_t size, size_t from);

#endif
