/* SPDX-License-Identifier: MIT
 *
 * `viaduct top`: what a server's clients do, from two looks at what it has counted.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/default_socket.h"
#include "common/environment.h"
#include "protocol/vtest.h"

#include "commands.h"
#include "json.h"
#include "top_place.h"
#include "top_sample.h"

#define INTERVAL_MIN    0.1
#define INTERVAL_MAX    3600.0
#define ROW_MAX         512
#define COLUMNS_ASSUMED 80

struct top {
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    double interval; /* seconds */
    bool json;
    bool live; /* again and again, on a terminal */
};

/* A client between two looks. */
struct change {
    const struct top_client *now;
    double calls, bytes;      /* each second */
    double gpu;               /* share of the time in which it had work there */
    uint64_t queued;          /* batches that have not finished */
    char state[TOP_TEXT * 2]; /* "idle", "busy", or what holds it up */
    bool stuck;
};

/* ---- Between two looks */

static double rate(uint64_t before, uint64_t after, double seconds)
{
    return after > before && seconds > 0 ? (double)(after - before) / seconds : 0;
}

/* "vkCreateDevice"; what was recorded is replayed at its end. */
static const char *command_name(const struct top_client *client)
{
    return strcmp(client->doing, "STREAM") == 0 ? "vkEndCommandBuffer" : client->doing;
}

static void describe(struct change *change, const struct top_client *before, double seconds)
{
    const struct top_client *now = change->now;
    const bool same_call = before && before->calls == now->calls && before->doing[0];
    if (now->doing[0] && (now->beside ? (double)now->doing_ns / 1e9 >= seconds : same_call)) {
        change->stuck = true;
        snprintf(change->state, sizeof(change->state), "%s for %.1f s", command_name(now),
                 (double)now->doing_ns / 1e9);
    } else if (change->queued && before && before->finished == now->finished &&
               before->submitted > before->finished) {
        change->stuck = true;
        snprintf(change->state, sizeof(change->state), "the GPU finishes nothing, of %llu batch%s",
                 (unsigned long long)change->queued, change->queued == 1 ? "" : "es");
    } else {
        strcpy(change->state, change->calls > 0 || change->queued ? "busy" : "idle");
    }
}

static struct change compare(const struct top_sample *before, const struct top_sample *now,
                             size_t index)
{
    static const struct top_client nothing;
    const double seconds = (double)(now->time - before->time) / 1e9;
    struct change change = {.now = &now->clients[index]};
    const struct top_client *old = top_sample_find(before, change.now->client);
    const struct top_client *since = old ? old : &nothing;
    change.calls = rate(since->calls, change.now->calls, seconds);
    change.bytes = rate(since->bytes, change.now->bytes, seconds);
    change.gpu = rate(since->gpu_ns, change.now->gpu_ns, seconds) / 1e9;
    if (change.gpu > 1)
        change.gpu = 1;
    if (change.now->submitted > change.now->finished)
        change.queued = change.now->submitted - change.now->finished;
    describe(&change, old, seconds);
    return change;
}

/* ---- What the user sees */

/* "1.2M": four characters or five. */
static const char *short_number(double number, char text[static 16])
{
    static const char units[] = " kMGTPE";
    size_t unit = 0;
    while (number >= 1000 && units[unit + 1]) {
        number /= 1000;
        unit++;
    }
    snprintf(text, 16, unit && number < 10 ? "%.1f%c" : "%.0f%c", number, units[unit]);
    if (!unit)
        text[strlen(text) - 1] = '\0';
    return text;
}

/* A line, cut to the terminal's width. */
static void put_line(const struct top *top, const char *line)
{
    struct winsize size;
    int width = (int)strlen(line);
    if (top->live) {
        const int columns = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col
                                ? size.ws_col
                                : COLUMNS_ASSUMED;
        width = width < columns ? width : columns;
    }
    printf("%.*s%s\n", width, line, top->live ? "\033[K" : "");
}

static void print_table(const struct top *top, const struct top_sample *before,
                        const struct top_sample *now)
{
    char row[ROW_MAX], user[TOP_TEXT], place[TOP_TEXT], texts[4][16];
    snprintf(row, sizeof(row), "%zu client%s at %s", now->count, now->count == 1 ? "" : "s",
             top->path);
    if (top->live)
        printf("\033[H");
    put_line(top, row);
    put_line(top, "");
    snprintf(row, sizeof(row), "%6s %8s %-10s %-22s %-16s %8s %8s %7s %7s %5s %6s  %s", "CLIENT",
             "PID", "USER", "WHERE", "NAME", "CALLS/s", "BYTES/s", "SHARED", "DEVICE", "GPU%",
             "QUEUED", "STATE");
    put_line(top, row);
    for (size_t i = 0; i < now->count; i++) {
        const struct change change = compare(before, now, i);
        const struct top_client *client = change.now;
        top_user(client, user);
        top_place(client, place);
        snprintf(row, sizeof(row),
                 "%6llu %8llu %-10.10s %-22.22s %-16.16s %8s %8s %7s %7s %5.0f %6llu  %s",
                 (unsigned long long)client->client, (unsigned long long)client->pid, user, place,
                 client->name, short_number(change.calls, texts[0]),
                 short_number(change.bytes, texts[1]),
                 short_number((double)client->shared_memory, texts[2]),
                 short_number((double)client->device_memory, texts[3]), change.gpu * 100,
                 (unsigned long long)change.queued, change.state);
        put_line(top, row);
    }
    if (top->live)
        printf("\033[J");
    fflush(stdout);
}

static void print_number(const char *name, uint64_t number)
{
    printf(", \"%s\": %llu", name, (unsigned long long)number);
}

static void print_text(const char *name, const char *text)
{
    printf(", \"%s\": ", name);
    json_string(stdout, text);
}

static void print_json_client(const struct change *change)
{
    const struct top_client *client = change->now;
    char text[TOP_TEXT];
    printf("{\"client\": %llu", (unsigned long long)client->client);
    print_text("name", client->name);
    print_number("pid", client->pid);
    print_number("uid", client->uid);
    top_user(client, text);
    print_text("user", text);
    top_place(client, text);
    print_text("where", text);
    print_number("worker", client->worker);
    print_number("calls", client->calls);
    print_number("bytes", client->bytes);
    printf(", \"calls_per_second\": %.1f, \"bytes_per_second\": %.1f", change->calls,
           change->bytes);
    print_number("shared_memory", client->shared_memory);
    print_number("device_memory", client->device_memory);
    print_number("submitted", client->submitted);
    print_number("finished", client->finished);
    print_number("queued", change->queued);
    printf(", \"gpu_seconds\": %.6f, \"gpu_share\": %.3f", (double)client->gpu_ns / 1e9,
           change->gpu);
    printf(", \"stuck\": %s", change->stuck ? "true" : "false");
    print_text("state", change->state);
    print_text("command", client->doing[0] ? command_name(client) : "");
    printf(", \"command_seconds\": %.6f}", (double)client->doing_ns / 1e9);
}

static void print_json(const struct top *top, const struct top_sample *before,
                       const struct top_sample *now)
{
    printf("{\n  \"socket\": ");
    json_string(stdout, top->path);
    printf(",\n  \"seconds\": %.3f,\n  \"clients\": [", (double)(now->time - before->time) / 1e9);
    for (size_t i = 0; i < now->count; i++) {
        const struct change change = compare(before, now, i);
        printf("%s\n    ", i ? "," : "");
        print_json_client(&change);
    }
    printf("\n  ]\n}\n");
}

/* ---- Looking */

static bool look(const struct top *top, struct top_sample *sample)
{
    if (top_sample_take(sample, top->path))
        return true;
    complain("%s: %s", top->path,
             errno == EAGAIN         ? "the server does not answer"
             : errno == ECONNRESET   ? "the server does not tell this user"
             : errno == ECONNREFUSED ? "its server has ended"
             : errno                 ? strerror(errno)
                                     : "the server does not tell, or not this user");
    return false;
}

static void sleep_for(double seconds)
{
    struct timespec left = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&left, &left) < 0 && errno == EINTR) {
    }
}

static int watch(const struct top *top)
{
    struct top_sample before, now;
    if (!look(top, &before))
        return EXIT_FAILURE;
    if (top->live)
        printf("\033[H\033[2J");
    bool ok;
    do {
        sleep_for(top->interval);
        ok = look(top, &now);
        if (!ok)
            break;
        if (top->json)
            print_json(top, &before, &now);
        else
            print_table(top, &before, &now);
        top_sample_free(&before);
        before = now;
    } while (top->live);
    top_sample_free(&before);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- The command line */

static void usage(FILE *file)
{
    fputs("usage: viaduct top [options]\n"
          "\n"
          "Shows what the clients of a server do: calls and bytes, memory, the GPU's time, batches "
          "that\n"
          "have not finished, and of one that is stuck the call that it is in. Clients do not "
          "notice.\n"
          "For the server's own user and root, outside of containers.\n"
          "\n"
          "  --socket PATH     the server's socket (default: $" VTEST_SOCKET_ENV
          ", else where a server\n"
          "                    of this user listens, else root's)\n"
          "  --stats PATH      its socket for statistics (default: the socket's path "
          "with " VD_STATS_SUFFIX ")\n"
          "  --interval S      look every S seconds (default: 1)\n"
          "  --once            one table, as where the output is no terminal\n"
          "  --json            the same for programs\n"
          "  --help            this text\n",
          file);
}

static bool set_path(struct top *top, const char *path, const char *suffix)
{
    const int length = snprintf(top->path, sizeof(top->path), "%s%s", path, suffix);
    if (length < (int)sizeof(top->path))
        return true;
    complain("%s%s: a socket's path has at most %zu bytes", path, suffix, sizeof(top->path) - 1);
    return false;
}

/* Where a server may be that was not named: the first one that is there. */
static bool find_path(struct top *top)
{
    struct vd_default_socket sockets[VD_DEFAULT_SOCKETS_MAX];
    const char *named = vd_getenv(VTEST_SOCKET_ENV);
    if (named && *named)
        return set_path(top, named, VD_STATS_SUFFIX);
    const unsigned count = vd_default_sockets(sockets);
    for (unsigned i = 0; i < count; i++)
        if (set_path(top, sockets[i].path, VD_STATS_SUFFIX) && access(top->path, F_OK) == 0)
            return true;
    return count > 0;
}

static bool parse_interval(const char *text, double *seconds)
{
    char *end;
    *seconds = strtod(text, &end);
    return end != text && !*end && *seconds >= INTERVAL_MIN && *seconds <= INTERVAL_MAX;
}

int top_main(int argc, char **argv)
{
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'},
        {"stats", required_argument, NULL, 't'},
        {"interval", required_argument, NULL, 'i'},
        {"once", no_argument, NULL, 'o'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct top top = {.interval = 1};
    bool once = false, found = false;
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 's':
        case 't':
            found = set_path(&top, optarg, option == 's' ? VD_STATS_SUFFIX : "");
            if (!found)
                return EXIT_USAGE;
            break;
        case 'i':
            if (!parse_interval(optarg, &top.interval)) {
                complain("--interval wants seconds, 0.1 or more, not '%s'", optarg);
                return EXIT_USAGE;
            }
            break;
        case 'o':
            once = true;
            break;
        case 'j':
            top.json = true;
            break;
        case 'h':
            usage(stdout);
            return EXIT_SUCCESS;
        default: /* getopt has said what is wrong */
            fputs("Try 'viaduct top --help'.\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        complain("unexpected argument '%s'", argv[optind]);
        return EXIT_USAGE;
    }
    if (!found && !find_path(&top))
        return EXIT_USAGE;
    top.live = !once && !top.json && isatty(STDOUT_FILENO);
    return watch(&top);
}
