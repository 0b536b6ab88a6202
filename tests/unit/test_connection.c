/* SPDX-License-Identifier: MIT
 *
 * The client's connection and the whole server but its context: over a real socket, in real
 * processes, which are killed at bad moments.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/patience.h"
#include "icd/connection/connection.h"
#include "icd/connection/pending_signals.h"
#include "protocol/vtest.h"
#include "server/listener.h"
#include "server/log.h"
#include "server/worker.h"

#include "fake_context.h"

/* Longer than anything that works takes, even on a busy machine under a sanitizer; there a worker also
 * has longer to end, see common/patience.h. */
#define SOON_MS (10000 * VD_PATIENCE)

/* Some of these processes have threads, fork, and their children start threads. */
#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#endif
#ifndef THREAD_SANITIZER
#define THREAD_SANITIZER 0
#endif

const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0:atexit_sleep_ms=0";
}

/* ---- A server */

static char directory[64];
static char path[96];
static pid_t server;

#define assert_soon(condition)                           \
    do {                                                 \
        const uint64_t until_ = vd_clock_ms() + SOON_MS; \
        while (!(condition) && vd_clock_ms() < until_)   \
            usleep(1000);                                \
        assert_true(condition);                          \
    } while (0)

/* Returns once it listens, or has ended without. */
static pid_t start_server(enum vds_log_level level)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    fflush(NULL);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        close(ready[0]);
        vds_log_set_level(level);
        const struct vds_listener_options options = {
            .socket = path,
            .socket_fd = -1,
            .ready_fd = ready[1],
            .context = {0},
        };
        exit(vds_listener_run(&options));
    }
    close(ready[1]);
    (void)!read(ready[0], &byte, 1);
    close(ready[0]);
    return pid;
}

/* Its exit status, or -1 after a signal. */
static int wait_for(pid_t pid)
{
    int status = 0;
    const uint64_t until = vd_clock_ms() + SOON_MS;
    pid_t done;
    while ((done = waitpid(pid, &status, WNOHANG)) == 0 && vd_clock_ms() < until)
        usleep(1000);
    if (done == 0) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    return done == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int stop_server(void)
{
    kill(server, SIGTERM);
    const int status = wait_for(server);
    server = 0;
    return status;
}

static bool has_client(int pid)
{
    char name[64], text[64] = "";
    snprintf(name, sizeof(name), "/proc/%d/comm", pid);
    FILE *file = fopen(name, "r");
    if (!file)
        return false;
    const bool worker = fgets(text, sizeof(text), file) && strcmp(text, VDS_WORKER_NAME "\n") == 0;
    fclose(file);
    return worker;
}

/* How many workers with clients it has, and the first one's process id. */
static int count_workers(pid_t *first)
{
    char name[64];
    int count = 0, pid;
    snprintf(name, sizeof(name), "/proc/%d/task/%d/children", (int)server, (int)server);
    FILE *file = fopen(name, "r");
    assert_non_null(file);
    while (fscanf(file, "%d", &pid) == 1)
        if (has_client(pid) && count++ == 0 && first)
            *first = pid;
    fclose(file);
    return count;
}

static int set_up_with(enum vds_log_level level)
{
    unsetenv("VIADUCT_IN_SERVER");
    unsetenv("VIADUCT_TEST_PROTOCOL_VERSION");
    strcpy(directory, "/tmp/viaduct-test-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/socket", directory);
    setenv(VTEST_SOCKET_ENV, path, 1);
    server = start_server(level);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_with(VDS_LOG_WARNING);
}

/* For tests in which clients misbehave. */
static int set_up_quiet(void **state)
{
    (void)state;
    return set_up_with(VDS_LOG_ERROR);
}

static int tear_down(void **state)
{
    (void)state;
    const int status = server ? stop_server() : 0;
    unlink(path);
    return rmdir(directory) == 0 ? status : -1;
}

/* ---- A client */

static struct vdc_connection *connect_client(void)
{
    struct vdc_connection *connection = NULL;
    assert_int_equal(vdc_connection_create(&connection), VK_SUCCESS);
    assert_non_null(connection);
    return connection;
}

static VkResult echo(struct vdc_connection *connection, uint64_t number, uint32_t size)
{
    struct vdc_reply_space space;
    VkResult result = vdc_reply_begin(connection->replies, size, &space);
    if (result != VK_SUCCESS)
        return result;
    void *record = malloc(size);
    const struct vd_reply_request request = {
        .shm = space.shm,
        .offset = space.offset,
        .out_size = size,
    };
    fake_fill(record, size, FAKE_ECHO, &request, 0, number);
    result = vdc_ring_send(connection->ring, record, NULL);
    if (result == VK_SUCCESS)
        result = vdc_reply_wait(connection->replies, &space);
    if (result == VK_SUCCESS &&
        (space.reply->value != number || memcmp(space.reply + 1, record, size) != 0))
        result = VK_ERROR_UNKNOWN;
    vdc_reply_end(connection->replies, &space);
    free(record);
    return result;
}

static void send_simple(struct vdc_connection *connection, uint16_t opcode, uint64_t number)
{
    uint8_t record[64];
    fake_fill(record, sizeof(record), opcode, NULL, 0, number);
    assert_int_equal(vdc_ring_send(connection->ring, record, NULL), VK_SUCCESS);
}

static void assert_lost_soon(struct vdc_connection *connection)
{
    const uint64_t before = vd_clock_ms();
    assert_int_equal(vdc_wait_point(connection->waiter, (struct vdc_point){3, 1}, UINT64_MAX),
                     VK_ERROR_DEVICE_LOST);
    assert_true(vd_clock_ms() - before < 1000);
    assert_true(vdc_connection_lost(connection));
}

static int count_entries(const char *name)
{
    int count = 0;
    DIR *entries = opendir(name);
    assert_non_null(entries);
    while (readdir(entries))
        count++;
    closedir(entries);
    return count;
}

/* ---- What works */

static void records_and_replies(void **state)
{
    (void)state;
    struct vdc_connection *connection = connect_client();
    uint64_t number = 0;
    assert_string_equal(vdc_link_capset(&connection->link)->extensions, "VK_KHR_first");
    for (int i = 0; i < 300; i++) {
        assert_int_equal(echo(connection, ++number, 64), VK_SUCCESS);
        assert_int_equal(echo(connection, ++number, 100000), VK_SUCCESS);
        if (i % 50 == 0)
            assert_int_equal(echo(connection, ++number, 2 << 20), VK_SUCCESS);
        send_simple(connection, FAKE_COMPLETE, ++number);
        assert_int_equal(
            vdc_wait_point(connection->waiter, (struct vdc_point){0, number}, UINT64_MAX),
            VK_SUCCESS);
    }
    assert_int_equal(
        vdc_wait_point(connection->waiter, (struct vdc_point){0, number + 1}, 20000000),
        VK_TIMEOUT);
    vdc_connection_destroy(connection);
}

static void shared_memory_is_given_and_refused(void **state)
{
    (void)state;
    struct vdc_connection *connection = connect_client();
    struct vdc_shm shm;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(vdc_link_shm_create_file(&connection->link, 10000, &shm), VK_SUCCESS);
        assert_int_not_equal(shm.id, 0);
        assert_int_equal(shm.size, 12288);
        memset(shm.map, 1, shm.size);
        struct stat file;
        assert_int_equal(fstat(shm.fd, &file), 0);
        assert_int_equal(file.st_size, 12288);
        vdc_link_shm_destroy(&connection->link, &shm);
    }
    assert_int_equal(vdc_link_shm_create(&connection->link, UINT64_C(1) << 50, &shm),
                     VK_ERROR_OUT_OF_DEVICE_MEMORY);
    assert_int_equal(vdc_link_shm_create(&connection->link, UINT64_MAX, &shm),
                     VK_ERROR_OUT_OF_DEVICE_MEMORY);
    assert_int_equal(echo(connection, 1, 64), VK_SUCCESS);
    vdc_connection_destroy(connection);
}

static void no_growth(void **state)
{
    (void)state;
    vdc_connection_destroy(connect_client());
    const int before = count_entries("/proc/self/fd");
    for (int i = 0; i < 200; i++) {
        struct vdc_connection *connection = connect_client();
        assert_int_equal(echo(connection, 1, 64), VK_SUCCESS);
        vdc_connection_destroy(connection);
    }
    assert_int_equal(count_entries("/proc/self/fd"), before);
    assert_soon(count_workers(NULL) == 0);
}

static void descriptors_close_on_exec(void **state)
{
    (void)state;
    bool inherited[256];
    for (int fd = 0; fd < 256; fd++)
        inherited[fd] = fcntl(fd, F_GETFD) >= 0;
    struct vdc_connection *connection = connect_client();
    struct vdc_shm shm;
    assert_int_equal(vdc_link_shm_create(&connection->link, 1, &shm), VK_SUCCESS);
    for (int fd = 0; fd < 256; fd++) {
        const int flags = fcntl(fd, F_GETFD);
        assert_true(inherited[fd] || flags < 0 || flags & FD_CLOEXEC);
    }
    vdc_link_shm_destroy(&connection->link, &shm);
    vdc_connection_destroy(connection);
}

static void ignore(int signal)
{
    (void)signal;
}

/* Without SA_RESTART, every system call may return early. */
static void signals_do_no_harm(void **state)
{
    (void)state;
    struct sigaction before;
    const struct sigaction action = {.sa_handler = ignore};
    const struct itimerval often = {{0, 200}, {0, 200}}, never = {0};
    sigaction(SIGALRM, &action, &before);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 20; i++) {
        struct vdc_connection *connection = connect_client();
        for (uint64_t number = 1; number <= 100; number++)
            assert_int_equal(echo(connection, number, number % 10 ? 64 : 300000), VK_SUCCESS);
        vdc_connection_destroy(connection);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
}

/* Of all threads of a process. */
static uint64_t context_switches(pid_t pid)
{
    char name[300], line[256];
    uint64_t sum = 0;
    snprintf(name, sizeof(name), "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(name);
    assert_non_null(tasks);
    for (struct dirent *entry; (entry = readdir(tasks));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "/proc/%d/task/%.32s/status", (int)pid, entry->d_name);
        FILE *file = fopen(name, "r");
        while (file && fgets(line, sizeof(line), file)) {
            unsigned long long count;
            if (sscanf(line, "voluntary_ctxt_switches: %llu", &count) == 1)
                sum += count;
        }
        if (file)
            fclose(file);
    }
    closedir(tasks);
    return sum;
}

static void idle_processes_sleep(void **state)
{
    (void)state;
    if (THREAD_SANITIZER)
        skip(); /* it has a thread that polls */
    struct vdc_connection *connection = connect_client();
    pid_t worker = 0;
    assert_int_equal(echo(connection, 1, 64), VK_SUCCESS);
    assert_int_equal(count_workers(&worker), 1);
    usleep(100000);
    const uint64_t before_worker = context_switches(worker);
    const uint64_t before_server = context_switches(server);
    const uint64_t before_self = context_switches(getpid());
    usleep(300000);
    assert_true(context_switches(getpid()) <= before_self + 2); /* for this sleep of ours */
    assert_int_equal(context_switches(worker), before_worker);
    assert_int_equal(context_switches(server), before_server);
    vdc_connection_destroy(connection);
}

/* ---- Nobody there, or somebody else */

static VkResult try_to_connect(uint64_t *took_ms)
{
    struct vdc_connection *connection = NULL;
    const uint64_t before = vd_clock_ms();
    const VkResult result = vdc_connection_create(&connection);
    *took_ms = vd_clock_ms() - before;
    assert_null(connection);
    return result;
}

static void no_server(void **state)
{
    (void)state;
    uint64_t took;
    assert_int_equal(stop_server(), 0);
    assert_int_equal(try_to_connect(&took), VK_ERROR_INCOMPATIBLE_DRIVER);
    assert_true(took < 200);

    char longer[200];
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    setenv(VTEST_SOCKET_ENV, longer, 1);
    assert_int_equal(try_to_connect(&took), VK_ERROR_INCOMPATIBLE_DRIVER);
}

static void not_inside_of_the_server(void **state)
{
    (void)state;
    uint64_t took;
    setenv("VIADUCT_IN_SERVER", "1", 1);
    assert_int_equal(try_to_connect(&took), VK_ERROR_INCOMPATIBLE_DRIVER);
}

static void another_protocol_version(void **state)
{
    (void)state;
    uint64_t took;
    setenv("VIADUCT_TEST_PROTOCOL_VERSION", "99", 1);
    assert_int_equal(try_to_connect(&took), VK_ERROR_INCOMPATIBLE_DRIVER);
    unsetenv("VIADUCT_TEST_PROTOCOL_VERSION");
    assert_soon(count_workers(NULL) == 0);
    vdc_connection_destroy(connect_client());
}

static int listen_at_path(int backlog)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static void a_server_that_says_nothing(void **state)
{
    (void)state;
    uint64_t took;
    assert_int_equal(stop_server(), 0);
    const int fd = listen_at_path(0);
    assert_int_equal(try_to_connect(&took), VK_ERROR_INCOMPATIBLE_DRIVER);
    assert_true(took >= 4900 && took < 7000);
    /* The first one is still in the queue: this one does not even get there. */
    assert_int_equal(try_to_connect(&took), VK_ERROR_INCOMPATIBLE_DRIVER);
    assert_true(took < 7000);
    close(fd);
}

static void *answer_with_noise(void *data)
{
    const int fd = *(int *)data;
    for (int i = 0; i < 40; i++) {
        const int client = accept(fd, NULL, NULL);
        uint32_t words[64];
        for (int j = 0; j < 64; j++) {
            /* Plausible beginnings, then nonsense. */
            words[j] = i % 4 == 0 ? (uint32_t)(i * 64 + j) * 2654435761u : 0;
        }
        if (i % 4) {
            words[1] = VTEST_PING_PROTOCOL_VERSION;
            words[2] = 1;
            words[3] = VTEST_RESOURCE_BUSY_WAIT;
            words[5] = i % 4 == 1 ? 7 : 1;
            words[6] = VTEST_PROTOCOL_VERSION_CMD;
            words[7] = i % 4 == 2 ? 2 : 4;
            words[8] = 4097;
            words[9] = VTEST_GET_CAPSET;
            words[10] = 1;
        }
        send(client, words, sizeof(words), MSG_NOSIGNAL);
        shutdown(client, SHUT_WR);
        char byte;
        while (recv(client, &byte, 1, 0) > 0) {
        }
        close(client);
    }
    return NULL;
}

static void a_server_that_answers_nonsense(void **state)
{
    (void)state;
    uint64_t took;
    pthread_t thread;
    assert_int_equal(stop_server(), 0);
    int fd = listen_at_path(10);
    assert_int_equal(pthread_create(&thread, NULL, answer_with_noise, &fd), 0);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(try_to_connect(&took), VK_ERROR_INCOMPATIBLE_DRIVER);
        assert_true(took < 1000);
    }
    pthread_join(thread, NULL);
    close(fd);
}

/* ---- Ends */

static void the_server_is_killed(void **state)
{
    (void)state;
    struct vdc_connection *connection = connect_client();
    assert_int_equal(echo(connection, 1, 64), VK_SUCCESS);
    kill(server, SIGKILL);
    assert_int_equal(wait_for(server), -1);
    assert_lost_soon(connection);
    assert_int_equal(echo(connection, 2, 64), VK_ERROR_DEVICE_LOST);
    vdc_connection_destroy(connection);
    /* Its socket is in the way of nobody. */
    server = start_server(VDS_LOG_WARNING);
    vdc_connection_destroy(connect_client());
}

static void the_server_stops(void **state)
{
    (void)state;
    struct vdc_connection *connection = connect_client();
    assert_int_equal(echo(connection, 1, 64), VK_SUCCESS);
    const uint64_t before = vd_clock_ms();
    assert_int_equal(stop_server(), 0);
    assert_true(vd_clock_ms() - before < 1500);
    assert_lost_soon(connection);
    vdc_connection_destroy(connection);
    assert_int_equal(access(path, F_OK), -1);
}

/* Neither end of a client may depend on a driver that returns. */
static void a_driver_blocks(void **state)
{
    (void)state;
    struct vdc_connection *connection = connect_client();
    send_simple(connection, FAKE_BLOCK, 1);
    usleep(20000);
    vdc_connection_destroy(connection);
    assert_soon(count_workers(NULL) == 0);

    connection = connect_client();
    send_simple(connection, FAKE_BLOCK, 1);
    usleep(20000);
    const uint64_t before = vd_clock_ms();
    kill(server, SIGTERM);
    assert_lost_soon(connection);
    assert_int_equal(wait_for(server), 0);
    assert_true(vd_clock_ms() - before < 4000 * VD_PATIENCE);
    server = 0;
    vdc_connection_destroy(connection);
}

static void a_worker_crashes(void **state)
{
    (void)state;
    struct vdc_connection *connection = connect_client();
    struct vdc_connection *other = connect_client();
    send_simple(connection, FAKE_ABORT, 1);
    assert_lost_soon(connection);
    assert_int_equal(echo(other, 1, 64), VK_SUCCESS);
    vdc_connection_destroy(connection);
    vdc_connection_destroy(other);
}

/* A worker that ends cannot mark the fences that others wait for: the client does, but for those that
 * are somebody else's by now. */
static void signals_come_without_a_worker(void **state)
{
    (void)state;
    enum {
        PENDING,
        SIGNALED,
        OF_ANOTHER,
        ENDED,
        COUNT
    };
    struct vdc_connection *connection = connect_client();
    struct vdc_connection *other = connect_client();
    struct vd_fence_file files[COUNT] = {0};
    struct vdc_pending_signal signals[COUNT] = {0};
    for (int i = 0; i < COUNT; i++) {
        signals[i].file = &files[i];
        vdc_pending_signal_add(connection->pending_signals, &signals[i]);
        vdc_pending_signal_add(connection->pending_signals, &signals[i]);
        assert_int_not_equal(files[i].signaler, 0);
    }
    files[SIGNALED].state = VD_FENCE_SIGNALED;
    vdc_pending_signal_remove(connection->pending_signals, &signals[ENDED]);
    struct vdc_pending_signal another = {.file = &files[OF_ANOTHER]};
    vdc_pending_signal_add(other->pending_signals, &another);
    assert_int_equal(echo(connection, 1, 64), VK_SUCCESS);
    assert_int_equal(files[PENDING].state, VD_FENCE_UNSIGNALED);

    send_simple(connection, FAKE_ABORT, 2);
    assert_lost_soon(connection);
    assert_soon(atomic_load(&files[PENDING].state) == VD_FENCE_SIGNALED);
    assert_int_equal(files[SIGNALED].state, VD_FENCE_SIGNALED);
    assert_int_equal(files[OF_ANOTHER].state, VD_FENCE_UNSIGNALED);
    assert_int_equal(files[ENDED].state, VD_FENCE_UNSIGNALED);
    for (int i = 0; i < ENDED; i++)
        vdc_pending_signal_remove(connection->pending_signals, &signals[i]);
    vdc_connection_destroy(connection);
    vdc_pending_signal_remove(other->pending_signals, &another);
    vdc_connection_destroy(other);
}

static void a_client_breaks_the_protocol(void **state)
{
    (void)state;
    struct vdc_connection *connection = connect_client();
    struct vdc_connection *other = connect_client();
    send_simple(connection, FAKE_BAD, 1);
    assert_lost_soon(connection);
    assert_int_equal(echo(other, 1, 64), VK_SUCCESS);
    vdc_connection_destroy(connection);
    vdc_connection_destroy(other);
}

/* A child with a connection of its own, once that works. If grandchild is not NULL it has a child,
 * too, which lives until it is killed. */
static pid_t start_client(pid_t *grandchild)
{
    int ready[2];
    pid_t forked = 0;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    fflush(NULL);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct vdc_connection *connection;
        if (vdc_connection_create(&connection) != VK_SUCCESS ||
            echo(connection, 1, 64) != VK_SUCCESS)
            _exit(1);
        if (grandchild)
            forked = fork();
        if (!grandchild || forked != 0)
            (void)!write(ready[1], &forked, sizeof(forked));
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &forked, sizeof(forked)), sizeof(forked));
    close(ready[0]);
    if (grandchild)
        *grandchild = forked;
    return pid;
}

static void a_client_is_killed(void **state)
{
    (void)state;
    const pid_t client = start_client(NULL);
    assert_int_equal(count_workers(NULL), 1);
    struct vdc_connection *other = connect_client();
    assert_int_equal(count_workers(NULL), 2);
    kill(client, SIGKILL);
    wait_for(client);
    assert_soon(count_workers(NULL) == 1);
    assert_int_equal(echo(other, 1, 64), VK_SUCCESS);
    vdc_connection_destroy(other);
}

/* Its child still holds the socket. */
static void a_client_is_killed_that_had_forked(void **state)
{
    (void)state;
    pid_t grandchild;
    const pid_t client = start_client(&grandchild);
    assert_int_equal(count_workers(NULL), 1);
    kill(client, SIGKILL);
    wait_for(client);
    assert_soon(count_workers(NULL) == 0);
    assert_int_equal(kill(grandchild, SIGKILL), 0);
}

static void garbage_ends_one_connection(void **state)
{
    (void)state;
    struct vdc_connection *other = connect_client();
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    static const char garbage[] = "GET / HTTP/1.1\r\n\r\n";
    for (int i = 0; i < 10; i++) {
        const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        send(fd, garbage, sizeof(garbage), MSG_NOSIGNAL);
        struct pollfd source = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&source, 1, SOON_MS), 1);
        char byte;
        assert_true(recv(fd, &byte, 1, 0) <= 0);
        close(fd);
    }
    assert_int_equal(echo(other, 1, 64), VK_SUCCESS);
    vdc_connection_destroy(other);
}

/* Half a message, and then nothing, keeps neither the others nor the server's end waiting. */
static void a_slow_client_holds_up_nobody(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    send(fd, "\5\0\0", 3, MSG_NOSIGNAL);
    struct vdc_connection *other = connect_client();
    assert_int_equal(echo(other, 1, 64), VK_SUCCESS);
    vdc_connection_destroy(other);
    const uint64_t before = vd_clock_ms();
    assert_int_equal(stop_server(), 0);
    assert_true(vd_clock_ms() - before < 1500);
    close(fd);
}

/* ThreadSanitizer ends a child that starts a thread, where its parent had several; told not to, it takes
 * the new thread for an old one. */
#ifdef __SANITIZE_THREAD__
#define FORKS_START_THREADS false
#else
#define FORKS_START_THREADS true
#endif

static void a_fork_has_no_connection(void **state)
{
    (void)state;
    struct vdc_connection *connection = connect_client();
    struct vdc_shm shm;
    assert_int_equal(vdc_link_shm_create(&connection->link, 4096, &shm), VK_SUCCESS);
    assert_int_equal(echo(connection, 1, 64), VK_SUCCESS);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct vdc_connection *own = NULL;
        bool right =
            vdc_connection_lost(connection) && echo(connection, 2, 64) == VK_ERROR_DEVICE_LOST;
        vdc_link_shm_destroy(&connection->link, &shm);
        vdc_connection_destroy(connection);
        if (FORKS_START_THREADS) {
            right = right && vdc_connection_create(&own) == VK_SUCCESS &&
                    echo(own, 1, 64) == VK_SUCCESS;
            vdc_connection_destroy(own);
        }
        _exit(right ? 0 : 1);
    }
    assert_int_equal(wait_for(child), 0);
    assert_false(vdc_connection_lost(connection));
    memset(shm.map, 1, 4096);
    assert_int_equal(echo(connection, 2, 64), VK_SUCCESS);
    vdc_link_shm_destroy(&connection->link, &shm);
    vdc_connection_destroy(connection);
}

/* ---- The socket's path */

static void one_server_per_path(void **state)
{
    (void)state;
    assert_int_equal(wait_for(start_server(VDS_LOG_ERROR)), 1);
    vdc_connection_destroy(connect_client());
}

static void a_file_is_not_replaced(void **state)
{
    (void)state;
    assert_int_equal(stop_server(), 0);
    const int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(wait_for(start_server(VDS_LOG_ERROR)), 1);
    assert_int_equal(access(path, F_OK), 0);
}

static void another_servers_socket_is_left_alone(void **state)
{
    (void)state;
    assert_int_equal(unlink(path), 0);
    const int fd = listen_at_path(1);
    assert_int_equal(stop_server(), 0);
    assert_int_equal(access(path, F_OK), 0);
    close(fd);
}

int main(void)
{
#define TEST(name)       cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_QUIET(name) cmocka_unit_test_setup_teardown(name, set_up_quiet, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(records_and_replies),
        TEST(shared_memory_is_given_and_refused),
        TEST(no_growth),
        TEST(descriptors_close_on_exec),
        TEST(signals_do_no_harm),
        TEST(idle_processes_sleep),
        TEST(no_server),
        TEST(not_inside_of_the_server),
        TEST_QUIET(another_protocol_version),
        TEST(a_server_that_says_nothing),
        TEST(a_server_that_answers_nonsense),
        TEST(the_server_is_killed),
        TEST(the_server_stops),
        TEST_QUIET(a_driver_blocks),
        TEST_QUIET(a_worker_crashes),
        TEST_QUIET(signals_come_without_a_worker),
        TEST_QUIET(a_client_breaks_the_protocol),
        TEST(a_client_is_killed),
        TEST(a_client_is_killed_that_had_forked),
        TEST_QUIET(garbage_ends_one_connection),
        TEST_QUIET(a_slow_client_holds_up_nobody),
        TEST(a_fork_has_no_connection),
        TEST(one_server_per_path),
        TEST(a_file_is_not_replaced),
        TEST(another_servers_socket_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
