/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_TOOLS_COMMANDS_H
#define VIADUCT_TOOLS_COMMANDS_H

enum exit_code {
    EXIT_USAGE = 2,
    EXIT_INTERNAL = 125, /* our own failure: the convention of env, nohup, timeout */
    EXIT_CANNOT_RUN = 126,
    EXIT_NOT_FOUND = 127,
    EXIT_SIGNAL_BASE = 128,
};

/* A line on the standard error output. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);

/* The commands of `viaduct`. argv[0] is "viaduct COMMAND"; they return the exit code. */
int run_main(int argc, char **argv);
int doctor_main(int argc, char **argv);
int top_main(int argc, char **argv);
int cdi_main(int argc, char **argv);

#endif
