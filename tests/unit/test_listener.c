/* SPDX-License-Identifier: MIT
 *
 * The listener with devices that are none: each of them asks for a worker when its frontend says so,
 * and tells the frontend when the worker has answered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/pass_fds.h"
#include "server/listener.h"
#include "server/log.h"
#include "server/virtio_gpu/link.h"
#include "server/virtio_gpu/spawn.h"

#define TIMEOUT_S 20
#define DEVICES   70 /* more than any table had places for */

static char directory[64];
static char path[96];
static pid_t server;

/* A new worker's answer to memory that comes without files. */
static bool worker_answers(int spawn, uint32_t number)
{
    const struct vg_spawn start = {VG_SPAWN_START, number};
    const struct vg_link_message hello = {.type = VG_LINK_HELLO, .name = "test"};
    const struct vg_link_message add = {.type = VG_LINK_ADD, .token = number};
    struct vg_link_message answer = {0};
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0 ||
        vd_send_fds(spawn, &start, sizeof(start), &sockets[1], 1, 0) != sizeof(start))
        return false;
    close(sockets[1]);
    const bool answered = send(sockets[0], &hello, sizeof(hello), MSG_NOSIGNAL) == sizeof(hello) &&
                          send(sockets[0], &add, sizeof(add), MSG_NOSIGNAL) == sizeof(add) &&
                          recv(sockets[0], &answer, sizeof(answer), 0) == sizeof(answer) &&
                          answer.type == VG_LINK_REFUSED && answer.token == number;
    close(sockets[0]);
    return answered;
}

/* In the device's process: each byte of the frontend is a wish for a worker. */
static int run_device(int frontend, int spawn)
{
    char byte;
    for (uint32_t worker = 1; recv(frontend, &byte, 1, 0) == 1; worker++)
        if (!worker_answers(spawn, worker) || send(frontend, &byte, 1, MSG_NOSIGNAL) != 1)
            return EXIT_FAILURE;
    return EXIT_SUCCESS;
}

static int set_up(void **state)
{
    (void)state;
    int ready[2];
    char byte;
    strcpy(directory, "/tmp/viaduct-test-XXXXXX");
    if (!mkdtemp(directory) || pipe(ready) < 0)
        return -1;
    snprintf(path, sizeof(path), "%s/socket", directory);
    server = fork();
    if (server == 0) {
        close(ready[0]);
        vds_log_set_level(VDS_LOG_WARNING);
        const struct vds_listener_options options = {
            .socket = path,
            .socket_fd = -1,
            .run_device = run_device,
            .ready_fd = ready[1],
            .context = {0},
        };
        exit(vds_listener_run(&options));
    }
    close(ready[1]);
    const bool listens = read(ready[0], &byte, 1) == 1;
    close(ready[0]);
    return listens ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    int status = -1;
    kill(server, SIGTERM);
    waitpid(server, &status, 0);
    unlink(path);
    return rmdir(directory) == 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int connect_frontend(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval limit = {.tv_sec = TIMEOUT_S};
    strcpy(address.sun_path, path);
    const int frontend = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(frontend >= 0);
    setsockopt(frontend, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    assert_int_equal(connect(frontend, (const struct sockaddr *)&address, sizeof(address)), 0);
    return frontend;
}

static void assert_gets_a_worker(int frontend)
{
    char byte = 1;
    assert_int_equal(send(frontend, &byte, 1, MSG_NOSIGNAL), 1);
    assert_int_equal(recv(frontend, &byte, 1, 0), 1);
}

static void devices_do_not_cost_each_other_their_workers(void **state)
{
    (void)state;
    int frontends[DEVICES];
    for (unsigned i = 0; i < DEVICES; i++)
        frontends[i] = connect_frontend();
    /* All of them have started when the second round begins. */
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < DEVICES; i++)
            assert_gets_a_worker(frontends[i]);
    /* Nor by their end. */
    for (unsigned i = 0; i < DEVICES; i += 2)
        close(frontends[i]);
    for (unsigned i = 1; i < DEVICES; i += 2) {
        assert_gets_a_worker(frontends[i]);
        close(frontends[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(devices_do_not_cost_each_other_their_workers, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
