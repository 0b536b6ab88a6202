/* SPDX-License-Identifier: MIT
 *
 * The `viaduct` command: its subcommands are in files of their own.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

void complain(const char *format, ...)
{
    va_list args;
    fputs("viaduct: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static const struct subcommand {
    const char *name;
    const char *summary;
    int (*main)(int argc, char **argv); /* argv[0] is the subcommand */
} subcommands[] = {
    {"run", "run a command on a private server", run_main},
    {"doctor", "look for what keeps applications from the GPU", doctor_main},
    {"top", "show what the clients of a server do", top_main},
    {"cdi", "describe the driver to container runtimes", cdi_main},
};

static const size_t subcommand_count = sizeof(subcommands) / sizeof(subcommands[0]);

static void usage(FILE *file)
{
    fputs("usage: viaduct COMMAND [options]\n\n", file);
    for (size_t i = 0; i < subcommand_count; i++)
        fprintf(file, "  %-10s %s\n", subcommands[i].name, subcommands[i].summary);
    fputs("\n'viaduct COMMAND --help' says more. 'viaduct --version' prints the version.\n", file);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        usage(stdout);
        return EXIT_SUCCESS;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("viaduct " VIADUCT_VERSION);
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; i < subcommand_count; i++) {
        if (strcmp(argv[1], subcommands[i].name) == 0) {
            char name[32];
            snprintf(name, sizeof(name), "viaduct %s", argv[1]);
            argv[1] = name; /* getopt's messages begin with it */
            return subcommands[i].main(argc - 1, argv + 1);
        }
    }
    complain("there is no command '%s'", argv[1]);
    usage(stderr);
    return EXIT_USAGE;
}
