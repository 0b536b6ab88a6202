/* SPDX-License-Identifier: MIT
 *
 * Libraries of the system that are loaded when they are needed. The driver links to libc alone: if
 * it linked to a library that a container lacks, the loader would drop the driver without a word.
 *
 * A library is a list of functions, FUNCTIONS(F), with one F(prefix, name) each. The list makes a
 * struct of pointers with the library's own types, and the function that fills it:
 *
 *   #define VDC_ZOO_FUNCTIONS(F) F(zoo_, feed) F(zoo_, close)
 *   VDC_LIBRARY_DECLARE(vdc_zoo, VDC_ZOO_FUNCTIONS)                    in the header
 *   VDC_LIBRARY_DEFINE(vdc_zoo, VDC_ZOO_FUNCTIONS, "libzoo.so.1", "there are no animals")
 *
 *   const struct vdc_zoo *zoo = vdc_zoo();
 *   if (zoo)
 *       zoo->feed(1);
 *
 * NULL: the library, or a function of it, is missing. The log says so, and what follows from it,
 * once. Thread-safe. A library stays loaded, also when the driver is unloaded: its own data, such as
 * the connections of an application that uses it as well, live on. An application that has loaded a
 * library of this name, from wherever, shares it: dlopen() compares names first.
 */
#ifndef VIADUCT_ICD_LIBRARY_H
#define VIADUCT_ICD_LIBRARY_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

struct vdc_library {
    const char *file;
    const char *without; /* what follows if it is missing */
    const char *const *names;
    void **functions; /* one for each name */
    size_t count;
    bool tried, loaded;
};

/* Loads the library at the first call. Returns whether all functions are there. */
bool vdc_library_load(struct vdc_library *library);

#define VDC_LIBRARY_MEMBER(prefix, name) __typeof__(prefix##name) *name;
#define VDC_LIBRARY_NAME(prefix, name)   #prefix #name,

#define VDC_LIBRARY_DECLARE(library, FUNCTIONS) \
    struct library {                            \
        FUNCTIONS(VDC_LIBRARY_MEMBER)           \
    };                                          \
    const struct library *library(void);

#define VDC_LIBRARY_DEFINE(library, FUNCTIONS, FILE, WITHOUT)                      \
    const struct library *library(void)                                            \
    {                                                                              \
        static const char *const names[] = {FUNCTIONS(VDC_LIBRARY_NAME)};          \
        static struct library functions;                                           \
        static_assert(sizeof(functions) == sizeof(names), "nothing but pointers"); \
        static struct vdc_library description = {                                  \
            .file = FILE,                                                          \
            .without = WITHOUT,                                                    \
            .names = names,                                                        \
            .functions = (void **)&functions,                                      \
            .count = sizeof(names) / sizeof(names[0]),                             \
        };                                                                         \
        return vdc_library_load(&description) ? &functions : NULL;                 \
    }

#endif
