/* SPDX-License-Identifier: MIT
 *
 * What the generated application (fuzz_application.c) makes its arguments of. They are valid in shape: each
 * pointer leads to as much as its length says, exactly, so that a sanitizer sees who reads or writes more.
 */
#ifndef VIADUCT_TESTS_FUZZ_MAKER_H
#define VIADUCT_TESTS_FUZZ_MAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No array has more elements; where there would be more, there is none. */
#define VDF_ARRAY 64u
/* Bytes behind a pointer whose size the client works out (kind `sized` of the policy). */
#define VDF_SIZED 65536u

struct vdf_maker {
    const uint8_t *at; /* what the input decides, and chance when it has ended */
    size_t left;
    uint64_t chance;
    uint32_t turn;  /* not 0: it says which struct of each chain, and member of each union */
    uint32_t outer; /* a count of the enclosing struct */
    void **blocks;  /* that were allocated */
    unsigned count, capacity;
};

struct vdf_call {
    const char *name;
    void (*call)(struct vdf_maker *m);
    bool streamed;
    uint16_t turns; /* with which each struct of its chains, and member of its unions, comes up */
};

/* Of every command that crosses, but for those that no object is needed for. */
extern const struct vdf_call vdf_calls[];
extern const unsigned vdf_call_count;

/* Numbers, most of them small, as 32-bit words. */
void vdf_numbers(struct vdf_maker *m, void *to, size_t size);
/* A number of elements. */
uint32_t vdf_count(struct vdf_maker *m);
/* A number of structs in a chain. */
unsigned vdf_links(struct vdf_maker *m);
/* One of so many. */
unsigned vdf_pick(struct vdf_maker *m, unsigned count);
bool vdf_yes(struct vdf_maker *m);
/* Zeroed; freed when the call is over. */
void *vdf_alloc(struct vdf_maker *m, size_t size);
char *vdf_text(struct vdf_maker *m);

/* An object of this type (enum vd_type) as the application has it, and sometimes another one or none. */
uint64_t vdf_handle(struct vdf_maker *m, uint32_t type);
/* What a command is called on. */
uint64_t vdf_self(struct vdf_maker *m, uint32_t type);
/* The type of some object. */
uint32_t vdf_type(struct vdf_maker *m);
/* An object that a call is to create. */
void *vdf_new_dispatchable(struct vdf_maker *m, uint32_t type);
/* Shared memory, as policy.toml's kind `shm` has it: where the u64 stands that names it. */
void *vdf_shm_pointer(struct vdf_maker *m);

#endif
