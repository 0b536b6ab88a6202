/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vulkan/vulkan_core.h>

#include "common/environment.h"
#include "protocol/record.h"
#include "protocol/vtest.h"

#include "virtio_gpu/device.h"

#ifndef VIADUCT_VERSION
#define VIADUCT_VERSION "unknown"
#endif

#define EXIT_USAGE 2

/* Sanitizers open files, and start processes, that no sandbox should allow. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_DEFAULT VDS_SANDBOX_OFF
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define SANDBOX_DEFAULT VDS_SANDBOX_OFF
#endif
#endif
#ifndef SANDBOX_DEFAULT
#define SANDBOX_DEFAULT VDS_SANDBOX_ON
#endif

/* A driver on the CPU takes what is called device memory from the machine's. */
#define DEVICE_MEMORY_MIN (UINT64_C(1) << 30)

/* Of one client in a second, for long. */
#define LOG_LINES_DEFAULT 50

/* Threads that replay what a client has recorded. Few clients record on more. */
#define LANES_DEFAULT_MAX 7
#define LANES_MAX         64

static const char help[] =
    "Usage: viaduct-server [OPTION]...\n"
    "Serves Vulkan to Viaduct clients that connect to a vtest socket, or is the GPU of virtual\n"
    "machines: a vhost-user backend for QEMU's vhost-user-gpu-pci and vhost-user-vga.\n"
    "\n"
    "  --socket PATH      listen here (default: $" VTEST_SOCKET_ENV ", else\n"
    "                     $XDG_RUNTIME_DIR/viaduct/socket, for root /run/viaduct/socket)\n"
    "  --vhost-user PATH  be a virtio-gpu for each QEMU that connects here\n"
    "  --socket-path PATH the same\n"
    "  --fd N             be a virtio-gpu for the QEMU behind descriptor N, and end with it\n"
    "  --print-capabilities\n"
    "                     say what kind of vhost-user backend this is, as JSON\n"
    "  --gpu GPU          offer only this device of the host: its number, a part of its name, its\n"
    "                     UUID or its PCI address\n"
    "  --api-version 1.N  offer no later version of Vulkan than this, for programs that stop at\n"
    "                     versions they do not know (at least 1.1)\n"
    "  --validate         put the Khronos validation layer above the host's driver\n"
    "  --memory WAY       how clients get at mappable memory: auto (default: what works best with\n"
    "                     the driver), own (the driver's, by descriptor), import (the client's\n"
    "                     shared memory, whose address the driver imports) or udmabuf (the same,\n"
    "                     as a dma-buf of the kernel's)\n"
    "  --lanes N          replay on N more threads what a client records on several (default: one\n"
    "                     for each core beyond two, at most 7)\n"
    "  --trace PREFIX     write what each worker does to PREFIX-worker-PID.json, for Perfetto\n"
    "  --allow-root       serve as root; without this or --user, root does not\n"
    "  --user NAME        become this user first, where root starts the server\n"
    "  --sandbox MODE     what holds a client back that breaks out of the driver: on (default: as\n"
    "                     much as the kernel has), strict (all, or no server), log (nothing, but\n"
    "                     say what would be), off\n"
    "  --allow-uid N      serve only user number N (and those of more such options)\n"
    "  --socket-mode MODE who may connect, in octal (default: 0600, the server's user)\n"
    "  --stats PATH       tell what clients do here, to this user and root: viaduct top, "
    "Prometheus\n"
    "                     (default: the socket's path with .stats; - is nowhere)\n"
    "  --max-clients N    serve no more than N clients at the same time (default: 256)\n"
    "  --max-clients-per-user N\n"
    "                     and of one user no more than N (default: 128)\n"
    "  --max-rate N       nor more than N new ones a second of one user (default: 100)\n"
    "  --handshake-seconds N\n"
    "                     hang up on whoever has not set up after N seconds (default: 10)\n"
    "  --max-shared-memory MIB\n"
    "                     shared memory of one client (default: half of this machine's memory)\n"
    "  --max-device-memory MIB\n"
    "                     device memory of one client, of drivers on the CPU; of others, what the\n"
    "                     kernel keeps for memory that they import (default: an eighth of this\n"
    "                     machine's memory, at least 1024)\n"
    "  --max-memory-per-user MIB\n"
    "                     both kinds of memory of all clients of one user (default: three "
    "quarters\n"
    "                     of this machine's memory)\n"
    "  --max-memory MIB   and of all clients (default: as much as this machine has)\n"
    "                     For these limits 0 is none.\n"
    "  --log-lines N      say no more than N lines a second of each client for long, 0: all\n"
    "                     (default: 50)\n"
    "  --shader-cache FOLDER\n"
    "                     keep what drivers compile for themselves here, for workers to read\n"
    "                     (default: $XDG_CACHE_HOME/viaduct; - is nowhere)\n"
    "  --check-sandbox    say what of the sandbox this machine lacks, and end: with 1 if anything\n"
    "  --ready-fd N       write a newline to descriptor N once clients can connect\n"
    "  --log-level LEVEL  error, warning, info (default) or debug\n"
    "  --help             show this\n"
    "  --version          show the version\n"
    "\n"
    "Stops on SIGTERM, SIGINT and SIGHUP.\n";

enum option_id {
    OPTION_SOCKET = 1,
    OPTION_VHOST_USER,
    OPTION_FD,
    OPTION_PRINT_CAPABILITIES,
    OPTION_IGNORED,
    OPTION_GPU,
    OPTION_API_VERSION,
    OPTION_VALIDATE,
    OPTION_MEMORY,
    OPTION_LANES,
    OPTION_TRACE,
    OPTION_ALLOW_ROOT,
    OPTION_USER,
    OPTION_SANDBOX,
    OPTION_CHECK_SANDBOX,
    OPTION_SHADER_CACHE,
    OPTION_ALLOW_UID,
    OPTION_SOCKET_MODE,
    OPTION_STATS,
    OPTION_MAX_CLIENTS,
    OPTION_MAX_CLIENTS_PER_USER,
    OPTION_MAX_RATE,
    OPTION_HANDSHAKE_SECONDS,
    OPTION_MAX_SHARED_MEMORY,
    OPTION_MAX_DEVICE_MEMORY,
    OPTION_MAX_MEMORY_OF_USER,
    OPTION_MAX_MEMORY,
    OPTION_LOG_LINES,
    OPTION_READY_FD,
    OPTION_LOG_LEVEL,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option long_options[] = {
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"vhost-user", required_argument, NULL, OPTION_VHOST_USER},
    {"socket-path", required_argument, NULL, OPTION_VHOST_USER},
    {"fd", required_argument, NULL, OPTION_FD},
    {"print-capabilities", no_argument, NULL, OPTION_PRINT_CAPABILITIES},
    /* What libvirt says to any vhost-user gpu; --gpu chooses better than a render node. */
    {"virgl", no_argument, NULL, OPTION_IGNORED},
    {"render-node", required_argument, NULL, OPTION_IGNORED},
    {"gpu", required_argument, NULL, OPTION_GPU},
    {"api-version", required_argument, NULL, OPTION_API_VERSION},
    {"validate", no_argument, NULL, OPTION_VALIDATE},
    {"memory", required_argument, NULL, OPTION_MEMORY},
    {"lanes", required_argument, NULL, OPTION_LANES},
    {"trace", required_argument, NULL, OPTION_TRACE},
    {"allow-root", no_argument, NULL, OPTION_ALLOW_ROOT},
    {"user", required_argument, NULL, OPTION_USER},
    {"sandbox", required_argument, NULL, OPTION_SANDBOX},
    {"check-sandbox", no_argument, NULL, OPTION_CHECK_SANDBOX},
    {"shader-cache", required_argument, NULL, OPTION_SHADER_CACHE},
    {"allow-uid", required_argument, NULL, OPTION_ALLOW_UID},
    {"socket-mode", required_argument, NULL, OPTION_SOCKET_MODE},
    {"stats", required_argument, NULL, OPTION_STATS},
    {"max-clients", required_argument, NULL, OPTION_MAX_CLIENTS},
    {"max-clients-per-user", required_argument, NULL, OPTION_MAX_CLIENTS_PER_USER},
    {"max-rate", required_argument, NULL, OPTION_MAX_RATE},
    {"handshake-seconds", required_argument, NULL, OPTION_HANDSHAKE_SECONDS},
    {"max-shared-memory", required_argument, NULL, OPTION_MAX_SHARED_MEMORY},
    {"max-device-memory", required_argument, NULL, OPTION_MAX_DEVICE_MEMORY},
    {"max-memory-per-user", required_argument, NULL, OPTION_MAX_MEMORY_OF_USER},
    {"max-memory", required_argument, NULL, OPTION_MAX_MEMORY},
    {"log-lines", required_argument, NULL, OPTION_LOG_LINES},
    {"ready-fd", required_argument, NULL, OPTION_READY_FD},
    {"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {0},
};

int vds_usage_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("viaduct-server: ", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("\nTry 'viaduct-server --help'.\n", stderr);
    return EXIT_USAGE;
}

static bool parse_number(const char *text, int *number)
{
    char *end;
    errno = 0;
    const long value = strtol(text, &end, 10);
    if (errno || end == text || *end != '\0' || value < 0 || value > INT_MAX)
        return false;
    *number = (int)value;
    return true;
}

static bool parse_count(const char *text, unsigned *count)
{
    int number;
    if (!parse_number(text, &number))
        return false;
    *count = (unsigned)number;
    return true;
}

static bool parse_mib(const char *text, uint64_t *bytes)
{
    int number;
    if (!parse_number(text, &number))
        return false;
    *bytes = (uint64_t)number << 20;
    return true;
}

/* Of this machine. */
static uint64_t memory_size(void)
{
    return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* "1.3": Vulkan 1.3, whatever its patch. Viaduct needs 1.1 of the host. */
static bool parse_version(const char *text, uint32_t *version)
{
    int minor;
    if (strncmp(text, "1.", 2) != 0 || !parse_number(text + 2, &minor) || minor < 1 || minor > 1023)
        return false;
    *version = VK_MAKE_API_VERSION(0, 1, (uint32_t)minor, 0);
    return true;
}

static bool parse_level(const char *text, enum vds_log_level *level)
{
    static const char *const names[] = {
        [VDS_LOG_ERROR] = "error",
        [VDS_LOG_WARNING] = "warning",
        [VDS_LOG_INFO] = "info",
        [VDS_LOG_DEBUG] = "debug",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *level = (enum vds_log_level)i;
            return true;
        }
    }
    return false;
}

static bool parse_memory(const char *text, uint32_t *among)
{
    *among = 0;
    if (strcmp(text, "auto") == 0)
        return true;
    for (enum vds_memory_way_kind kind = VDS_MEMORY_OWN; kind <= VDS_MEMORY_UDMABUF; kind++) {
        if (strcmp(text, vds_memory_way_name(kind)) == 0) {
            *among = 1u << kind;
            return true;
        }
    }
    return false;
}

static bool parse_sandbox(const char *text, enum vds_sandbox_mode *mode)
{
    static const char *const names[] = {
        [VDS_SANDBOX_OFF] = "off",
        [VDS_SANDBOX_LOG] = "log",
        [VDS_SANDBOX_ON] = "on",
        [VDS_SANDBOX_STRICT] = "strict",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *mode = (enum vds_sandbox_mode)i;
            return true;
        }
    }
    return false;
}

/* One for each core but two: that of the thread that executes, and that of the application, which
 * records beside it. Where there are no more, helpers only get in the way of both (two cores, one
 * client thread with a pool for each frame: 2.5 times slower). */
static int default_lanes(void)
{
    cpu_set_t set;
    const int cores = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    const int spare = cores > 2 ? cores - 2 : 0;
    return spare < LANES_DEFAULT_MAX ? spare : LANES_DEFAULT_MAX;
}

static void set_defaults(struct vds_options *options, char **argv)
{
    *options = (struct vds_options){
        .listener =
            {
                .socket = vd_getenv(VTEST_SOCKET_ENV),
                .ready_fd = -1,
                .socket_fd = -1,
                .fd = -1,
                .context = {.lanes = default_lanes(),
                            .max_shared_memory = memory_size() / 2,
                            .max_device_memory = memory_size() / 8},
                .sandbox = {.mode = SANDBOX_DEFAULT},
                .argv = (const char *const *)argv,
                .socket_mode = 0600,
                .limits = {.clients = 256,
                           .clients_of_user = 128,
                           .rate_of_user = 100,
                           .handshake_seconds = 10},
                .log_lines = LOG_LINES_DEFAULT,
                .memory_of_user = memory_size() / 4 * 3,
                .memory = memory_size(),
            },
        .log_level = VDS_LOG_INFO,
    };
    struct vds_context_options *context = &options->listener.context;
    if (context->max_device_memory < DEVICE_MEMORY_MIN)
        context->max_device_memory = DEVICE_MEMORY_MIN;
}

int vds_options_read(struct vds_options *options, int argc, char **argv)
{
    struct vds_listener_options *listener = &options->listener;
    struct vds_limits *limits = &listener->limits;
    bool handshake_given = false;
    set_defaults(options, argv);

    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (option) {
        case OPTION_SOCKET:
            listener->socket = optarg;
            break;
        case OPTION_VHOST_USER:
            listener->socket = optarg;
            listener->run_device = vg_device_run;
            break;
        case OPTION_FD:
            if (!parse_number(optarg, &listener->fd) || listener->fd <= STDERR_FILENO)
                return vds_usage_error("--fd wants a descriptor above 2, not '%s'", optarg);
            break;
        case OPTION_PRINT_CAPABILITIES:
            /* Not render-node: for that, libvirt wants this machine to have one. */
            fputs("{\n  \"type\": \"gpu\",\n  \"features\": [\"virgl\"]\n}\n", stdout);
            return EXIT_SUCCESS;
        case OPTION_IGNORED:
            break;
        case OPTION_GPU:
            if (!*optarg)
                return vds_usage_error("--gpu wants a number, a name, a UUID or a PCI address");
            listener->context.gpu = listener->sandbox.gpu = optarg;
            break;
        case OPTION_API_VERSION:
            if (!parse_version(optarg, &listener->context.api_version))
                return vds_usage_error("--api-version wants 1.1 or later, not '%s'", optarg);
            break;
        case OPTION_VALIDATE:
            listener->context.validate = true;
            break;
        case OPTION_MEMORY:
            if (!parse_memory(optarg, &listener->context.memory))
                return vds_usage_error("--memory wants auto, own or import, not '%s'", optarg);
            break;
        case OPTION_LANES:
            if (!parse_number(optarg, &listener->context.lanes) ||
                listener->context.lanes > LANES_MAX)
                return vds_usage_error("--lanes wants a number up to %d, not '%s'", LANES_MAX,
                                       optarg);
            break;
        case OPTION_TRACE:
            listener->context.trace = optarg;
            break;
        case OPTION_ALLOW_ROOT:
            options->allow_root = true;
            break;
        case OPTION_USER:
            options->user = optarg;
            break;
        case OPTION_SANDBOX:
            if (!parse_sandbox(optarg, &listener->sandbox.mode))
                return vds_usage_error("--sandbox wants strict, on, log or off, not '%s'", optarg);
            break;
        case OPTION_CHECK_SANDBOX:
            return vds_sandbox_probe(&(struct vds_sandbox){.mode = VDS_SANDBOX_STRICT})
                       ? EXIT_SUCCESS
                       : EXIT_FAILURE;
        case OPTION_SHADER_CACHE:
            if (optarg[0] != '/' && strcmp(optarg, "-") != 0)
                return vds_usage_error("--shader-cache wants a folder from / on, not '%s'", optarg);
            listener->shader_cache = optarg;
            break;
        case OPTION_ALLOW_UID: {
            unsigned uid;
            if (limits->user_count == VDS_OPTION_USERS_MAX || !parse_count(optarg, &uid))
                return vds_usage_error("--allow-uid wants up to %d numbers, not '%s'",
                                       VDS_OPTION_USERS_MAX, optarg);
            options->users[limits->user_count++] = uid;
            limits->users = options->users;
            break;
        }
        case OPTION_SOCKET_MODE: {
            char *end;
            const unsigned long mode = strtoul(optarg, &end, 8);
            if (end == optarg || *end || mode > 0777)
                return vds_usage_error("--socket-mode wants an octal number, not '%s'", optarg);
            listener->socket_mode = (mode_t)mode;
            break;
        }
        case OPTION_STATS:
            listener->stats = optarg;
            break;
        case OPTION_MAX_CLIENTS:
            if (!parse_count(optarg, &limits->clients))
                return vds_usage_error("--max-clients wants a number, not '%s'", optarg);
            break;
        case OPTION_MAX_CLIENTS_PER_USER:
            if (!parse_count(optarg, &limits->clients_of_user))
                return vds_usage_error("--max-clients-per-user wants a number, not '%s'", optarg);
            break;
        case OPTION_MAX_RATE:
            if (!parse_count(optarg, &limits->rate_of_user))
                return vds_usage_error("--max-rate wants a number, not '%s'", optarg);
            break;
        case OPTION_HANDSHAKE_SECONDS:
            handshake_given = true;
            if (!parse_count(optarg, &limits->handshake_seconds))
                return vds_usage_error("--handshake-seconds wants a number, not '%s'", optarg);
            break;
        case OPTION_LOG_LINES:
            if (!parse_count(optarg, &listener->log_lines))
                return vds_usage_error("--log-lines wants a number, not '%s'", optarg);
            break;
        case OPTION_MAX_SHARED_MEMORY:
            if (!parse_mib(optarg, &listener->context.max_shared_memory))
                return vds_usage_error("--max-shared-memory wants a number, not '%s'", optarg);
            break;
        case OPTION_MAX_DEVICE_MEMORY:
            if (!parse_mib(optarg, &listener->context.max_device_memory))
                return vds_usage_error("--max-device-memory wants a number, not '%s'", optarg);
            break;
        case OPTION_MAX_MEMORY_OF_USER:
            if (!parse_mib(optarg, &listener->memory_of_user))
                return vds_usage_error("--max-memory-per-user wants a number, not '%s'", optarg);
            break;
        case OPTION_MAX_MEMORY:
            if (!parse_mib(optarg, &listener->memory))
                return vds_usage_error("--max-memory wants a number, not '%s'", optarg);
            break;
        case OPTION_READY_FD:
            if (!parse_number(optarg, &listener->ready_fd))
                return vds_usage_error("--ready-fd wants a number, not '%s'", optarg);
            break;
        case OPTION_LOG_LEVEL:
            if (!parse_level(optarg, &options->log_level))
                return vds_usage_error("there is no log level '%s'", optarg);
            break;
        case OPTION_HELP:
            fputs(help, stdout);
            return EXIT_SUCCESS;
        case OPTION_VERSION:
            printf("viaduct-server %s (protocol %u)\n", VIADUCT_VERSION, VD_PROTOCOL_VERSION);
            return EXIT_SUCCESS;
        default:
            return vds_usage_error("'%s' is no option, or lacks its argument", argv[optind - 1]);
        }
    }
    /* A machine may be slow to boot. */
    if ((listener->run_device || listener->fd >= 0) && !handshake_given)
        limits->handshake_seconds = 60;
    if (optind < argc)
        return vds_usage_error("unexpected argument '%s'", argv[optind]);
    return VDS_OPTIONS_READ;
}
