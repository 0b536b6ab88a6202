/* SPDX-License-Identifier: MIT
 *
 * `viaduct doctor`: a table of checks, each of which looks at one link of the way from an application
 * to the host's driver, and says what it found. A check that needs to know what the driver or the
 * loader would do asks them, in a child process (doctor_child.h), and decides nothing itself.
 */
#ifndef VIADUCT_TOOLS_DOCTOR_H
#define VIADUCT_TOOLS_DOCTOR_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "doctor_child.h"

enum doctor_state {
    DOCTOR_OK,
    DOCTOR_NOTE,    /* works, and somebody may want to know or to change it */
    DOCTOR_FAULT,   /* does not work; advised what to type */
    DOCTOR_SKIPPED, /* nothing to look at, or an earlier link is broken */
};

struct doctor_line {
    const char *check;
    enum doctor_state state;
    char says[1024];
    char advice[512]; /* what to type or do; empty: nothing */
};

struct doctor {
    struct doctor_line *lines;
    size_t line_count;
    const char *check; /* that runs now */

    bool container; /* this is one */

    /* Of the loader, see doctor_loader.c. */
    bool loader_found;
    uint32_t loader_version; /* as VK_MAKE_API_VERSION */
    struct doctor_findings loader;
    char manifest[PATH_MAX]; /* Viaduct's; empty: there is none */
    char library[PATH_MAX];  /* that it names; empty: not usable */

    /* Of the driver, see doctor_driver.c. */
    struct doctor_findings driver;
    bool asked; /* the driver has answered */
};

/* One line. The advice, if any, follows with doctor_advise(). */
__attribute__((format(printf, 2, 3))) void doctor_ok(struct doctor *doctor, const char *format,
                                                     ...);
__attribute__((format(printf, 2, 3))) void doctor_note(struct doctor *doctor, const char *format,
                                                       ...);
__attribute__((format(printf, 2, 3))) void doctor_fault(struct doctor *doctor, const char *format,
                                                        ...);
__attribute__((format(printf, 2, 3))) void doctor_skip(struct doctor *doctor, const char *format,
                                                       ...);
/* What to do about the line before. */
__attribute__((format(printf, 2, 3))) void doctor_advise(struct doctor *doctor, const char *format,
                                                         ...);

/* That a render node may not be opened, with advice. */
void doctor_say_denied(struct doctor *doctor, const char *path);

/* The checks. Each says at least one line. They run in the order of doctor.c's table, and later ones
 * use what earlier ones have left in the struct. */
void doctor_check_system(struct doctor *doctor);
void doctor_check_limits(struct doctor *doctor);
void doctor_check_loader(struct doctor *doctor);
void doctor_check_manifest(struct doctor *doctor);
void doctor_check_library(struct doctor *doctor);
void doctor_check_driver(struct doctor *doctor);
void doctor_check_virtio_gpu(struct doctor *doctor);
void doctor_check_socket(struct doctor *doctor);
void doctor_check_transport(struct doctor *doctor);
void doctor_check_server(struct doctor *doctor);
void doctor_check_devices(struct doctor *doctor);
void doctor_check_pages(struct doctor *doctor);
void doctor_check_host_server(struct doctor *doctor);
void doctor_check_host_sandbox(struct doctor *doctor);
void doctor_check_host_memory(struct doctor *doctor);
void doctor_check_host_nodes(struct doctor *doctor);
void doctor_check_host_driver(struct doctor *doctor);
void doctor_check_host_qemu(struct doctor *doctor);
void doctor_check_host_libvirt(struct doctor *doctor);

#endif
