/* SPDX-License-Identifier: MIT
 *
 * `viaduct run` is a supervisor of three children:
 *
 *     viaduct ─┬─ viaduct-server   own process group, dies with us (PR_SET_PDEATHSIG)
 *              ├─ viaduct-group    our process group: gets the signals that are sent to all of it, and
 *              │                   tells us; it dies with us, too
 *              └─ COMMAND          our process group, so that it keeps the terminal, and those that it
 *                                  shares a pipeline with
 *
 * A signal for us alone is passed on to the command. One for the group it has already.
 *
 * It is single-threaded, blocks the signals it cares about and reads them from a signalfd, so
 * nothing ever runs inside a signal handler. Whatever ends it, short of SIGKILL, goes through one
 * exit that stops the server and removes the private directory with its socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/environment.h"
#include "common/patience.h"

#include "commands.h"
#include "places.h"

#define READY_TIMEOUT_MS 60000
#define STOP_TIMEOUT_MS  (5000 * VD_PATIENCE)
#define GROUP_TIMEOUT_MS 50
#define SOCKET_PATH_MAX  sizeof(((struct sockaddr_un *)0)->sun_path)

/* Makes path absolute if what candidate names can be accessed that way. */
static bool resolve(char path[static PATH_MAX], const char *candidate, int access_mode)
{
    return realpath(candidate, path) && access(path, access_mode) == 0;
}

static bool find_server(char path[static PATH_MAX], const char *wanted)
{
    if (!wanted)
        wanted = vd_getenv("VIADUCT_SERVER");
    if (wanted && *wanted) {
        if (resolve(path, wanted, X_OK))
            return true;
        complain("cannot run the server '%s': %s", wanted, strerror(errno));
        return false;
    }
    if (place_of_server(path))
        return true;
    complain("no viaduct-server beside this program; name one with --server or VIADUCT_SERVER");
    return false;
}

static bool find_manifest(char path[static PATH_MAX])
{
    if (place_of_manifest(path))
        return true;
    complain("the ICD's manifest " PLACES_MANIFEST
             " is neither beside this program nor in " VIADUCT_DATADIR "/vulkan/icd.d");
    return false;
}

struct run {
    /* What was asked for. */
    const char *driver;
    const char *gpu;
    const char *api_version;
    const char *server;
    bool validate;
    bool verbose;
    char **command;

    char server_path[PATH_MAX];
    char driver_path[PATH_MAX];
    char manifest_path[PATH_MAX];

    char directory[SOCKET_PATH_MAX - sizeof("/socket") + 1]; /* empty: not made yet */
    char socket[SOCKET_PATH_MAX];

    pid_t self;
    pid_t server_pid; /* 0: none, or gone and reaped */
    pid_t group_pid;
    int group; /* where that process writes the numbers of the signals that it gets */
    pid_t command_pid;
    int command_status; /* as of waitpid, valid once command_pid is 0 again */

    int signals;            /* signalfd */
    sigset_t original_mask; /* what the children get back */
};

static void describe_status(char text[static 64], int status)
{
    if (WIFSIGNALED(status)) {
        snprintf(text, 64, "killed by signal %d, %s", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    } else {
        snprintf(text, 64, "exit code %d", WEXITSTATUS(status));
    }
}

static int exit_code_of(int status)
{
    return WIFSIGNALED(status) ? EXIT_SIGNAL_BASE + WTERMSIG(status) : WEXITSTATUS(status);
}

static bool block_signals(struct run *run)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGCHLD);
    /* A parent may have left SIGCHLD ignored, and then there would be nothing to wait for. */
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_BLOCK, &set, &run->original_mask);
    run->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (run->signals < 0) {
        complain("signalfd: %s", strerror(errno));
        return false;
    }
    return true;
}

/* A directory that only we can enter, in the first place where the socket's path is not too long. */
static bool make_directory(struct run *run)
{
    const char *const bases[] = {vd_getenv("XDG_RUNTIME_DIR"), vd_getenv("TMPDIR"), "/tmp"};
    int error = ENAMETOOLONG;

    for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        if (!bases[i] || bases[i][0] != '/')
            continue;
        char directory[sizeof(run->directory)];
        if (snprintf(directory, sizeof(directory), "%s/viaduct-XXXXXX", bases[i]) >=
            (int)sizeof(directory))
            continue;
        if (!mkdtemp(directory)) {
            error = errno;
            continue;
        }
        memcpy(run->directory, directory, sizeof(directory));
        snprintf(run->socket, sizeof(run->socket), "%s/socket", directory);
        return true;
    }
    complain("cannot make a private directory in XDG_RUNTIME_DIR, TMPDIR or /tmp: %s",
             strerror(error));
    return false;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static void remove_directory(struct run *run)
{
    if (run->directory[0] && nftw(run->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS) != 0)
        complain("cannot remove %s: %s", run->directory, strerror(errno));
}

/* In the child: becomes the server. */
/* What is meant for the command: its Vulkan loader's layers and settings, what is preloaded, and the
 * switches of our own driver. Only the driver is the server's, for the command has another one; and
 * whatever that driver itself, Mesa for example, asks the environment for. */
static bool is_for_command(const char *variable)
{
    static const char *const kept[] = {
        "VK_DRIVER_FILES=", "VK_ICD_FILENAMES=", "VK_ADD_DRIVER_FILES="};
    static const char *const prefixes[] = {
        "VK_",      "LD_PRELOAD=", "LD_AUDIT=", "LD_DEBUG", "LD_PROFILE",
        "VIADUCT_", "VTEST_",      "MANGOHUD",  "ENABLE_"};
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (strncmp(variable, kept[i], strlen(kept[i])) == 0)
            return false;
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

static void clean_environment(void)
{
    char **to = environ;
    for (char **from = environ; *from; from++)
        if (!is_for_command(*from))
            *to++ = *from;
    *to = NULL;
    /* Implicit layers have switches with names of their own. Loaders since 1.3.234 know this one. */
    setenv("VK_LOADER_LAYERS_DISABLE", "~implicit~", 1);
}

_Noreturn static void exec_server(struct run *run, int ready)
{
    /* If we are killed, the server stops by itself. If we were killed before this line, there is
     * nobody left to send that signal. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != run->self)
        _exit(EXIT_INTERNAL);
    /* Ctrl-C in the terminal is for the command. The server stays until the command has ended. */
    setpgid(0, 0);
    sigprocmask(SIG_SETMASK, &run->original_mask, NULL);

    int null = open("/dev/null", O_RDONLY);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        if (null != STDIN_FILENO)
            close(null);
    }
    /* The command's output may be read by another program: the server says nothing there. */
    dup2(STDERR_FILENO, STDOUT_FILENO);

    clean_environment();
    if (run->driver) {
        setenv("VK_DRIVER_FILES", run->driver_path, 1);
        setenv("VK_ICD_FILENAMES", run->driver_path, 1); /* loaders before 1.3.207 */
    }

    char ready_text[16];
    snprintf(ready_text, sizeof(ready_text), "%d", ready);
    fcntl(ready, F_SETFD, 0);

    char *arguments[16];
    int count = 0;
    arguments[count++] = run->server_path;
    arguments[count++] = "--socket";
    arguments[count++] = run->socket;
    arguments[count++] = "--ready-fd";
    arguments[count++] = ready_text;
    arguments[count++] = "--log-level";
    arguments[count++] = run->verbose ? "info" : "warning";
    if (run->gpu) {
        arguments[count++] = "--gpu";
        arguments[count++] = (char *)run->gpu;
    }
    if (run->api_version) {
        arguments[count++] = "--api-version";
        arguments[count++] = (char *)run->api_version;
    }
    if (run->validate)
        arguments[count++] = "--validate";
    /* It serves the one command that root has asked for. */
    if (geteuid() == 0)
        arguments[count++] = "--allow-root";
    arguments[count] = NULL;
    execv(run->server_path, arguments);
    complain("cannot run the server '%s': %s", run->server_path, strerror(errno));
    _exit(EXIT_CANNOT_RUN);
}

/* In the child: becomes the command. */
_Noreturn static void exec_command(struct run *run)
{
    sigprocmask(SIG_SETMASK, &run->original_mask, NULL);
    setenv("VTEST_SOCKET_NAME", run->socket, 1);
    /* Inside of a guest there is a virtio-gpu, too. */
    setenv("VIADUCT_TRANSPORT", "vtest", 1);
    setenv("VK_DRIVER_FILES", run->manifest_path, 1);
    setenv("VK_ICD_FILENAMES", run->manifest_path, 1);
    execvp(run->command[0], run->command);
    int error = errno;
    complain("cannot run '%s': %s", run->command[0], strerror(error));
    _exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

/* Collects the server if it has ended, and with it what may be left of its process group. */
static bool reap_server(struct run *run, int *status)
{
    siginfo_t info = {0};
    if (run->server_pid == 0 ||
        waitid(P_PID, run->server_pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
        return false;
    /* Before the leader is reaped, so that the number cannot yet belong to somebody else. */
    kill(-run->server_pid, SIGKILL);
    waitpid(run->server_pid, status, 0);
    run->server_pid = 0;
    return true;
}

/* True once the command has ended; its status is kept. */
static bool reap_command(struct run *run)
{
    if (run->command_pid != 0 &&
        waitpid(run->command_pid, &run->command_status, WNOHANG) == run->command_pid) {
        run->command_pid = 0;
        return true;
    }
    return false;
}

/* The next pending signal, 0 if there is none. *from_terminal: the kernel sent it to the whole
 * process group, the command has it already. */
static int next_signal(struct run *run, bool *from_terminal)
{
    struct signalfd_siginfo info;
    if (read(run->signals, &info, sizeof(info)) != sizeof(info))
        return 0;
    *from_terminal = info.ssi_code == SI_KERNEL;
    return (int)info.ssi_signo;
}

/* Starts the server and waits until it listens. Returns 0, or the code to exit with. */
static int start_server(struct run *run)
{
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) != 0) {
        complain("pipe: %s", strerror(errno));
        return EXIT_INTERNAL;
    }
    run->server_pid = fork();
    if (run->server_pid < 0) {
        run->server_pid = 0;
        complain("fork: %s", strerror(errno));
        close(ready[0]);
        close(ready[1]);
        return EXIT_INTERNAL;
    }
    if (run->server_pid == 0)
        exec_server(run, ready[1]);
    setpgid(run->server_pid, run->server_pid); /* whoever of the two comes first */
    close(ready[1]);

    int code = -1;
    const uint64_t deadline = vd_clock_ms() + READY_TIMEOUT_MS;
    while (code < 0) {
        struct pollfd fds[] = {
            {.fd = run->signals, .events = POLLIN},
            {.fd = ready[0], .events = POLLIN},
        };
        const int64_t left = (int64_t)(deadline - vd_clock_ms());
        if (left <= 0) {
            complain("the server does not listen after %d s; giving up", READY_TIMEOUT_MS / 1000);
            code = EXIT_INTERNAL;
            break;
        }
        if (poll(fds, 2, (int)left) < 0 && errno != EINTR) {
            complain("poll: %s", strerror(errno));
            code = EXIT_INTERNAL;
            break;
        }

        char byte;
        if (fds[1].revents && read(ready[0], &byte, 1) == 1) {
            code = 0;
            break;
        }

        int status;
        bool from_terminal;
        int signal = next_signal(run, &from_terminal);
        if (signal != 0 && signal != SIGCHLD) {
            code = EXIT_SIGNAL_BASE + signal;
        } else if (reap_server(run, &status)) {
            char reason[64];
            describe_status(reason, status);
            complain("the server ended before it listened (%s): %s", reason, run->server_path);
            code = EXIT_INTERNAL;
        } else if (fds[1].revents && !(fds[0].revents & POLLIN)) {
            /* Closed, nothing said, not dead yet: its SIGCHLD tells the rest. */
            struct pollfd child = {.fd = run->signals, .events = POLLIN};
            if (poll(&child, 1, STOP_TIMEOUT_MS) == 0) {
                complain("the server closed --ready-fd without listening: %s", run->server_path);
                code = EXIT_INTERNAL;
            }
        }
    }
    close(ready[0]);
    return code;
}

/* In the child: tells which signals are sent to the process group. */
_Noreturn static void watch_group(const struct run *run, int pipe)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "viaduct-group");
    if (getppid() != run->self)
        _exit(EXIT_INTERNAL);
    /* Nobody who waits for the end of a stream shall wait for this process. */
    const int null = open("/dev/null", O_RDWR);
    for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    for (;;) {
        struct pollfd source = {.fd = run->signals, .events = POLLIN};
        struct signalfd_siginfo info;
        poll(&source, 1, -1);
        while (read(run->signals, &info, sizeof(info)) == sizeof(info)) {
            const uint8_t number = (uint8_t)info.ssi_signo;
            if (write(pipe, &number, 1) != 1)
                _exit(0);
        }
    }
}

static bool start_group(struct run *run)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    run->group_pid = fork();
    if (run->group_pid == 0)
        watch_group(run, ends[1]);
    close(ends[1]);
    run->group = ends[0];
    return run->group_pid > 0;
}

static void stop_group(struct run *run)
{
    if (run->group_pid > 0) {
        kill(run->group_pid, SIGKILL);
        waitpid(run->group_pid, NULL, 0);
    }
    close(run->group);
}

/* Whether a signal that we got was for the whole group: then the command has it, too. The kernel gives
 * it to one process after the other. */
static bool was_for_group(const struct run *run, int signal)
{
    const uint64_t deadline = vd_clock_ms() + GROUP_TIMEOUT_MS;
    for (;;) {
        uint8_t number;
        while (read(run->group, &number, 1) == 1)
            if (number == signal)
                return true;
        const int64_t left = (int64_t)(deadline - vd_clock_ms());
        struct pollfd source = {.fd = run->group, .events = POLLIN};
        if (left <= 0 || (poll(&source, 1, (int)left) > 0 && !(source.revents & POLLIN)))
            return false;
    }
}

/* Runs the command to its end. Returns the code to exit with. */
static int run_command(struct run *run)
{
    if (!start_group(run)) {
        complain("fork: %s", strerror(errno));
        return EXIT_INTERNAL;
    }
    run->command_pid = fork();
    if (run->command_pid < 0) {
        run->command_pid = 0;
        complain("fork: %s", strerror(errno));
        return EXIT_INTERNAL;
    }
    if (run->command_pid == 0)
        exec_command(run);
    while (!reap_command(run)) {
        struct pollfd fd = {.fd = run->signals, .events = POLLIN};
        poll(&fd, 1, -1);

        int signal, status;
        bool from_terminal;
        while ((signal = next_signal(run, &from_terminal)) != 0)
            if (signal != SIGCHLD && !from_terminal && !was_for_group(run, signal))
                kill(run->command_pid, signal);
        if (reap_server(run, &status)) {
            char reason[64];
            describe_status(reason, status);
            complain("the server ended while the command still runs (%s)", reason);
        }
    }
    stop_group(run);
    return exit_code_of(run->command_status);
}

static void stop_server(struct run *run)
{
    int status;
    bool from_terminal;
    const uint64_t deadline = vd_clock_ms() + STOP_TIMEOUT_MS;

    if (run->server_pid == 0)
        return;
    kill(run->server_pid, SIGTERM);
    while (!reap_server(run, &status)) {
        const int64_t left = (int64_t)(deadline - vd_clock_ms());
        if (left <= 0) {
            complain("the server does not end after %d s; killing it", STOP_TIMEOUT_MS / 1000);
            kill(-run->server_pid, SIGKILL);
            waitpid(run->server_pid, &status, 0);
            run->server_pid = 0;
            return;
        }
        struct pollfd fd = {.fd = run->signals, .events = POLLIN};
        poll(&fd, 1, (int)left);
        while (next_signal(run, &from_terminal) != 0) {
        }
    }
    if (run->verbose || status != 0) {
        char reason[64];
        describe_status(reason, status);
        complain("the server stopped (%s)", reason);
    }
}

static void run_usage(FILE *file)
{
    fputs("usage: viaduct run [options] [--] COMMAND [ARGUMENT...]\n"
          "\n"
          "Starts a private viaduct-server, runs COMMAND so that its Vulkan goes there, stops the\n"
          "server when COMMAND ends, and exits with COMMAND's exit code (128 + n for signal n).\n"
          "\n"
          "  --driver ICD.json  the server uses this Vulkan driver (default: the loader chooses)\n"
          "  --gpu GPU          the server shows only this device: a number, a part of a name, a "
          "UUID\n"
          "                     or a PCI address\n"
          "  --api-version 1.N  the server offers no later version of Vulkan\n"
          "  --server PATH      the server to start (default: VIADUCT_SERVER, or the one beside\n"
          "                     this program)\n"
          "  --validate         the server puts the validation layer above its driver\n"
          "  --verbose          say what is started and how it ends, and let the server say more\n"
          "  --help             this text\n"
          "\n"
          "Failures of viaduct itself give exit code 125; a COMMAND that cannot be run gives 126,\n"
          "one that is not found 127.\n",
          file);
}

/* Fills *run; returns false with *code set where the program has to end here. */
static bool parse_run_options(struct run *run, int argc, char **argv, int *code)
{
    enum {
        DRIVER = 256,
        GPU,
        API_VERSION,
        SERVER,
        VALIDATE,
        VERBOSE,
        HELP
    };
    static const struct option options[] = {
        {"driver", required_argument, NULL, DRIVER},
        {"gpu", required_argument, NULL, GPU},
        {"api-version", required_argument, NULL, API_VERSION},
        {"server", required_argument, NULL, SERVER},
        {"validate", no_argument, NULL, VALIDATE},
        {"verbose", no_argument, NULL, VERBOSE},
        {"help", no_argument, NULL, HELP},
        {0},
    };
    int option;

    *code = EXIT_USAGE;
    while ((option = getopt_long(argc, argv, "+hv", options, NULL)) != -1) {
        switch (option) {
        case DRIVER:
            run->driver = optarg;
            break;
        case GPU:
            run->gpu = optarg; /* the server says what is wrong with it */
            break;
        case API_VERSION:
            run->api_version = optarg; /* the server says what is wrong with it */
            break;
        case SERVER:
            run->server = optarg;
            break;
        case VALIDATE:
            run->validate = true;
            break;
        case 'v':
        case VERBOSE:
            run->verbose = true;
            break;
        case 'h':
        case HELP:
            run_usage(stdout);
            *code = EXIT_SUCCESS;
            return false;
        default: /* getopt has said what is wrong */
            fputs("Try 'viaduct run --help'.\n", stderr);
            return false;
        }
    }
    if (optind == argc) {
        complain("no command to run");
        run_usage(stderr);
        return false;
    }
    run->command = argv + optind;
    return true;
}

int run_main(int argc, char **argv)
{
    struct run run = {.self = getpid(), .signals = -1};
    int code;

    if (!parse_run_options(&run, argc, argv, &code))
        return code;
    code = EXIT_INTERNAL;
    if (run.driver && !resolve(run.driver_path, run.driver, R_OK)) {
        complain("cannot read the driver's manifest '%s': %s", run.driver, strerror(errno));
        return code;
    }
    if (!find_server(run.server_path, run.server) || !find_manifest(run.manifest_path) ||
        !block_signals(&run))
        return code;
    if (!make_directory(&run))
        goto close_signals;
    if (run.verbose) {
        complain("server %s, driver %s", run.server_path,
                 run.driver ? run.driver_path : "as the loader chooses");
        complain("socket %s, ICD %s", run.socket, run.manifest_path);
    }
    code = start_server(&run);
    if (code == 0) {
        code = run_command(&run);
        if (run.verbose)
            complain("the command ended with exit code %d", code);
    }
    stop_server(&run);
    remove_directory(&run);
close_signals:
    close(run.signals);
    return code;
}
