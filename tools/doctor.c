/* SPDX-License-Identifier: MIT */
#include "doctor.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "json.h"
#include "places.h"

enum {
    EXIT_FINE = 0,
    EXIT_FAULTS = 1,
};

enum side {
    EVERYWHERE,
    CLIENT, /* where applications run */
    HOST,   /* where the server runs */
};

static const struct check {
    const char *name;
    enum side side;
    void (*run)(struct doctor *doctor);
} checks[] = {
    {"system", EVERYWHERE, doctor_check_system},
    {"limits", CLIENT, doctor_check_limits},
    {"loader", EVERYWHERE, doctor_check_loader},
    {"manifest", CLIENT, doctor_check_manifest},
    {"library", CLIENT, doctor_check_library},
    {"driver", CLIENT, doctor_check_driver},
    {"virtio-gpu", CLIENT, doctor_check_virtio_gpu},
    {"socket", CLIENT, doctor_check_socket},
    {"transport", CLIENT, doctor_check_transport},
    {"server", CLIENT, doctor_check_server},
    {"devices", CLIENT, doctor_check_devices},
    {"pages", CLIENT, doctor_check_pages},
    {"host server", HOST, doctor_check_host_server},
    {"host sandbox", HOST, doctor_check_host_sandbox},
    {"host memory", HOST, doctor_check_host_memory},
    {"host nodes", HOST, doctor_check_host_nodes},
    {"host driver", HOST, doctor_check_host_driver},
    {"host qemu", HOST, doctor_check_host_qemu},
    {"host libvirt", HOST, doctor_check_host_libvirt},
};

static const char *const state_names[] = {
    [DOCTOR_OK] = "ok",
    [DOCTOR_NOTE] = "note",
    [DOCTOR_FAULT] = "fault",
    [DOCTOR_SKIPPED] = "skipped",
};

/* ---- What checks say */

static void say(struct doctor *doctor, enum doctor_state state, const char *format, va_list args)
{
    struct doctor_line *lines =
        realloc(doctor->lines, (doctor->line_count + 1) * sizeof(*doctor->lines));
    if (!lines)
        return;
    doctor->lines = lines;
    struct doctor_line *line = &lines[doctor->line_count++];
    *line = (struct doctor_line){.check = doctor->check, .state = state};
    vsnprintf(line->says, sizeof(line->says), format, args);
}

#define SAY(state)                    \
    va_list args;                     \
    va_start(args, format);           \
    say(doctor, state, format, args); \
    va_end(args)

void doctor_ok(struct doctor *doctor, const char *format, ...)
{
    SAY(DOCTOR_OK);
}

void doctor_note(struct doctor *doctor, const char *format, ...)
{
    SAY(DOCTOR_NOTE);
}

void doctor_fault(struct doctor *doctor, const char *format, ...)
{
    SAY(DOCTOR_FAULT);
}

void doctor_skip(struct doctor *doctor, const char *format, ...)
{
    SAY(DOCTOR_SKIPPED);
}

void doctor_advise(struct doctor *doctor, const char *format, ...)
{
    struct doctor_line *line = &doctor->lines[doctor->line_count - 1];
    va_list args;
    va_start(args, format);
    vsnprintf(line->advice, sizeof(line->advice), format, args);
    va_end(args);
}

/* ---- What the user sees */

static void print_text(const struct doctor *doctor)
{
    static const char *const marks[] = {
        [DOCTOR_OK] = "OK",
        [DOCTOR_NOTE] = "NOTE",
        [DOCTOR_FAULT] = "FAULT",
        [DOCTOR_SKIPPED] = "-",
    };
    for (size_t i = 0; i < doctor->line_count; i++) {
        const struct doctor_line *line = &doctor->lines[i];
        printf("%-6s%-13s%s", marks[line->state], line->check, line->says);
        printf(line->advice[0] ? " => %s\n" : "\n", line->advice);
    }
}

static void print_json(const struct doctor *doctor, size_t faults)
{
    printf("{\n  \"viaduct\": \"" VIADUCT_VERSION "\",\n  \"faults\": %zu,\n  \"checks\": [",
           faults);
    for (size_t i = 0; i < doctor->line_count; i++) {
        const struct doctor_line *line = &doctor->lines[i];
        printf("%s\n    {\"check\": ", i ? "," : "");
        json_string(stdout, line->check);
        printf(", \"state\": \"%s\", \"says\": ", state_names[line->state]);
        json_string(stdout, line->says);
        printf(", \"advice\": ");
        json_string(stdout, line->advice);
        putchar('}');
    }
    printf("\n  ]\n}\n");
}

static void usage(FILE *file)
{
    fputs(
        "usage: viaduct doctor [options]\n"
        "\n"
        "Looks at each link between an application and the host's driver, and says in a line\n"
        "whether it holds; where it does not, what is wrong and what to type. It changes nothing,\n"
        "needs no rights, and no GPU works for it. Run it where the application runs; on the "
        "host,\n"
        "too, where the application is in a container or a virtual machine.\n"
        "\n"
        "  --client  only what applications need\n"
        "  --host    only what the server needs (default: both where a viaduct-server is "
        "installed\n"
        "            and this is no container)\n"
        "  --json    for programs\n"
        "  --help    this text\n"
        "\n"
        "Exit code: 0 if there is no fault, 1 if there is, 2 if the options make no sense.\n",
        file);
}

static bool is_wanted(const struct doctor *doctor, enum side side, enum side asked)
{
    char server[PATH_MAX];
    if (side == EVERYWHERE || side == asked)
        return true;
    if (asked != EVERYWHERE)
        return false;
    return side == CLIENT || (!doctor->container && place_of_server(server));
}

int doctor_main(int argc, char **argv)
{
    static const struct option options[] = {
        {"client", no_argument, NULL, 'c'},
        {"host", no_argument, NULL, 'o'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    enum side asked = EVERYWHERE;
    bool json = false;
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
        case 'o':
            asked = option == 'c' ? CLIENT : HOST;
            break;
        case 'j':
            json = true;
            break;
        case 'h':
            usage(stdout);
            return EXIT_FINE;
        default: /* getopt has said what is wrong */
            fputs("Try 'viaduct doctor --help'.\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        complain("unexpected argument '%s'", argv[optind]);
        return EXIT_USAGE;
    }

    struct doctor doctor = {0};
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (!is_wanted(&doctor, checks[i].side, asked))
            continue;
        doctor.check = checks[i].name;
        checks[i].run(&doctor);
    }
    size_t faults = 0;
    for (size_t i = 0; i < doctor.line_count; i++)
        faults += doctor.lines[i].state == DOCTOR_FAULT;
    if (json)
        print_json(&doctor, faults);
    else
        print_text(&doctor);
    doctor_findings_finish(&doctor.loader);
    doctor_findings_finish(&doctor.driver);
    free(doctor.lines);
    return faults ? EXIT_FAULTS : EXIT_FINE;
}
