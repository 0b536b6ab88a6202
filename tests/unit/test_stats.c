/* SPDX-License-Identifier: MIT
 *
 * What is told of clients whose workers write nonsense into their pages; and the socket where it is told, on
 * a server that has run out of descriptors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "opcodes.h"
#include "server/child_page.h"
#include "server/stats.h"
#include "server/stats_socket.h"

/* In place of the listener's children: three, of which the second is hostile. */
#define CLIENTS 3
static struct vds_child_page pages[CLIENTS];

unsigned vds_children_count(const struct vds_children *children)
{
    (void)children;
    return CLIENTS;
}

void vds_children_visit(const struct vds_children *children,
                        void (*visit)(void *data, const struct vds_client_view *view), void *data)
{
    (void)children;
    for (unsigned i = 0; i < CLIENTS; i++) {
        const struct vds_client_view view = {
            .number = i + 1, .user = 1000, .process = 50, .worker = 60, .page = &pages[i]};
        visit(data, &view);
    }
}

static int set_up(void **state)
{
    (void)state;
    memset(pages, 0, sizeof(pages));
    strcpy(pages[0].name, "first");
    strcpy(pages[2].name, "third");
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct vds_counters *counters = &pages[i].counters;
        atomic_store(&counters->calls, 10 + i);
        atomic_store(&counters->submitted, 5);
        atomic_store(&counters->finished, 4);
    }
    return 0;
}

/* Every byte of the page is the client's invention. */
static void fill(struct vds_child_page *page, uint8_t byte)
{
    memset(page, byte, sizeof(*page));
}

/* The text of line `number`, without its end; both texts end with a newline. */
static void copy_line(const char *text, unsigned number, char *line, size_t size)
{
    while (number--)
        text = strchr(text, '\n') + 1;
    snprintf(line, size, "%.*s", (int)strcspn(text, "\n"), text);
}

static unsigned count(const char *text, char c)
{
    unsigned found = 0;
    for (; *text; text++)
        found += *text == c;
    return found;
}

/* Printable lines only, and the others' rows as they are without the hostile one. */
static void assert_told(const char *name)
{
    size_t size;
    char head[512], row[1024], begin[64];
    char *table = vds_stats_table(NULL, &size);
    assert_non_null(table);
    assert_int_equal(strlen(table), size);
    assert_int_equal(count(table, '\n'), 1 + CLIENTS);
    copy_line(table, 0, head, sizeof(head));
    for (unsigned i = 1; i <= CLIENTS; i++) {
        copy_line(table, i, row, sizeof(row));
        assert_int_equal(count(row, '\t'), count(head, '\t'));
        snprintf(begin, sizeof(begin), "%u\t%s\t50\t1000\t60\t0\t", i,
                 i == 1   ? "first"
                 : i == 2 ? name
                          : "third");
        assert_memory_equal(row, begin, strlen(begin));
    }
    for (const char *c = table; *c; c++)
        assert_true(*c == '\t' || *c == '\n' || (*c >= ' ' && *c <= '~'));
    free(table);

    char *metrics = vds_stats_metrics(NULL, &size);
    assert_non_null(metrics);
    assert_int_equal(strlen(metrics), size);
    for (const char *c = metrics; *c; c++)
        assert_true(*c == '\n' || (*c >= ' ' && *c <= '~'));
    /* Of a sample nothing is behind its number, whatever the name is. */
    for (const char *line = metrics; *line; line = strchr(line, '\n') + 1) {
        const char *end = strchr(line, '\n');
        const char *number = end;
        while (number[-1] != ' ')
            number--;
        if (*line == '#')
            continue;
        assert_true(strspn(number, "0123456789.") == (size_t)(end - number));
        assert_true(strncmp(line, "viaduct_client", strlen("viaduct_client")) == 0);
    }
    free(metrics);
}

static void names_end_and_are_printable(void **state)
{
    (void)state;
    char wanted[VDS_CLIENT_NAME_SIZE];
    static const uint8_t bytes[] = {0xff, 0x01, 0x1b, '\t', '\n', 0x7f, 0x80};
    memset(wanted, '?', sizeof(wanted));
    wanted[sizeof(wanted) - 1] = '\0';
    for (size_t i = 0; i < sizeof(bytes); i++) {
        fill(&pages[1], bytes[i]);
        assert_told(wanted);
    }
    fill(&pages[1], 0);
    assert_told("");
    strcpy(pages[1].name, "\033[2J\"} 1\n\\");
    assert_told("?[2J\"} 1?\\");
}

static void labels_are_escaped(void **state)
{
    (void)state;
    size_t size;
    strcpy(pages[1].name, "a\"b\\c\n");
    char *metrics = vds_stats_metrics(NULL, &size);
    assert_non_null(
        strstr(metrics, "viaduct_client_calls_total{client=\"2\",name=\"a\\\"b\\\\c?\",pid=\"50\","
                        "uid=\"1000\",guest=\"\"} 11\n"));
    free(metrics);
}

/* The value in the hostile client's row, as text. */
static void value(const char *column, char *text, size_t text_size)
{
    size_t size;
    char head[512], row[1024];
    char *table = vds_stats_table(NULL, &size);
    copy_line(table, 0, head, sizeof(head));
    copy_line(table, 2, row, sizeof(row));
    free(table);
    char *names = head, *values = row, *name;
    while ((name = strsep(&names, "\t"))) {
        const char *found = strsep(&values, "\t");
        if (strcmp(name, column) == 0) {
            snprintf(text, text_size, "%s", found);
            return;
        }
    }
    fail_msg("no column %s", column);
}

static void times_that_can_not_be_are_none(void **state)
{
    (void)state;
    char text[64];
    struct vds_counters *counters = &pages[1].counters;
    /* In the future. */
    atomic_store(&counters->opcode, VD_OP_vkCreateInstance);
    atomic_store(&counters->since, UINT64_MAX);
    atomic_store(&counters->gpu_since, UINT64_MAX);
    value("doing_ns", text, sizeof(text));
    assert_string_equal(text, "0");
    value("gpu_ns", text, sizeof(text));
    assert_string_equal(text, "0");
    value("doing", text, sizeof(text));
    assert_string_equal(text, "vkCreateInstance");
    /* A command that there is not. */
    atomic_store(&counters->opcode, UINT32_MAX);
    value("doing", text, sizeof(text));
    assert_string_equal(text, "?");
}

static void the_longest_call_is_told(void **state)
{
    (void)state;
    char text[64];
    struct vds_counters *counters = &pages[1].counters;
    const uint64_t now = vd_clock_ns();
    atomic_store(&counters->opcode, VD_OP_vkCreateInstance);
    atomic_store(&counters->since, now);
    value("beside", text, sizeof(text));
    assert_string_equal(text, "0");
    atomic_store(&counters->long_calls[3].opcode, VD_OP_vkCreateDevice);
    atomic_store(&counters->long_calls[3].since, now - 5 * VD_NS_PER_S);
    atomic_store(&counters->long_calls[7].opcode, VD_OP_vkWaitSemaphores);
    atomic_store(&counters->long_calls[7].since, now - 4 * VD_NS_PER_S);
    value("doing", text, sizeof(text));
    assert_string_equal(text, "vkCreateDevice");
    value("beside", text, sizeof(text));
    assert_string_equal(text, "1");
    value("doing_ns", text, sizeof(text));
    assert_true(strtoull(text, NULL, 10) >= 5 * VD_NS_PER_S);
}

/* ---- The socket */

/* One round of the listener's loop, which waits no longer than `most` milliseconds. */
static void serve_once(struct vds_stats_socket *stats, int most)
{
    struct pollfd sources[8];
    const unsigned count = vds_stats_socket_add_sources(stats, sources, 8);
    const int wait = vds_stats_socket_expire(stats);
    poll(sources, count, wait < 0 || wait > most ? most : wait);
    for (unsigned i = 0; i < count; i++)
        if (sources[i].revents)
            vds_stats_socket_handle_source(stats, sources[i].fd);
}

static void one_who_can_not_be_accepted_is_waited_for(void **state)
{
    (void)state;
    char directory[] = "/tmp/viaduct-stats-XXXXXX", answer[64];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct rlimit limit;
    assert_non_null(mkdtemp(directory));
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/stats", directory);
    struct vds_stats_socket *stats = vds_stats_socket_create(address.sun_path, NULL);
    const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(send(client, "GET /metrics\r\n\r\n", 16, MSG_NOSIGNAL), 16);

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = {.rlim_cur = (rlim_t)client + 1, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const uint64_t until = vd_clock_ms() + 500;
    unsigned rounds = 0;
    for (; vd_clock_ms() < until; rounds++)
        serve_once(stats, 100);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_in_range(rounds, 2, 50);

    const uint64_t patience = vd_clock_ms() + 5000;
    while (recv(client, answer, sizeof(answer), 0) < 0 && vd_clock_ms() < patience)
        serve_once(stats, 100);
    assert_memory_equal(answer, "HTTP/1.0 200 OK", 15);
    close(client);
    vds_stats_socket_close(stats);
    vds_stats_socket_destroy(stats);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(names_end_and_are_printable, set_up),
        cmocka_unit_test_setup(labels_are_escaped, set_up),
        cmocka_unit_test_setup(times_that_can_not_be_are_none, set_up),
        cmocka_unit_test_setup(the_longest_call_is_told, set_up),
        cmocka_unit_test_setup(one_who_can_not_be_accepted_is_waited_for, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
