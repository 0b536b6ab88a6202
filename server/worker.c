/* SPDX-License-Identifier: MIT
 *
 * Two threads of ours: the first one serves the client's socket and watches for everything that
 * ends the worker; the second one, the engine, owns the context: it loads the driver and consumes the
 * control ring. So a driver that blocks keeps nobody from noticing that the client is gone.
 *
 * A worker may be made in advance: then the engine starts before there is a client, who finds the
 * driver loaded.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/pass_fds.h"
#include "common/patience.h"
#include "protocol/completion.h"
#include "protocol/vk.h"

#include "futex.h"
#include "log.h"
#include "opcodes.h"
#include "quota.h"
#include "ring.h"
#include "virtio_gpu/link.h"
#include "vtest.h"
#include "worker.h"

/* From the end of a connection to the end of the process, whatever the driver does. Shorter than
 * the listener's grace. */
#define TEARDOWN_SECONDS (2 * VD_PATIENCE)

struct worker {
    const struct vds_worker_options *options;
    int channel; /* to the listener: brings the client, and asks for memory's sake (quota.h) */
    int socket;  /* the client's, or -1 */
    struct vds_worker_client client;
    int signal_fd;
    int engine_fd; /* eventfd: the engine has failed */
    int client_fd; /* pidfd of the client, or -1 */
    struct vds_shm_table *shm;
    struct vds_vtest *vtest; /* or */
    struct vg_link *link;

    pthread_t engine;
    bool engine_started;

    /* From the first thread to the engine, under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    struct vds_ring_consumer *consumer;
    struct vds_shm_region *completion;

    struct vds_context *context; /* the engine's, until it is joined */
};

/* ---- The engine */

/* The consumer, once the client has set up; NULL when it is time to stop. */
static struct vds_ring_consumer *await_setup(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    while (!worker->stopping && !worker->consumer)
        pthread_cond_wait(&worker->changed, &worker->lock);
    struct vds_ring_consumer *consumer = worker->stopping ? NULL : worker->consumer;
    pthread_mutex_unlock(&worker->lock);
    return consumer;
}

/* Behind the engine's back. */
static void lane_failed(void *data)
{
    const struct worker *worker = data;
    eventfd_write(worker->engine_fd, 1);
}

static void *engine_main(void *data)
{
    struct worker *worker = data;
    bool ok = true;
    /* A thread names itself: to name another one takes a file that the sandbox keeps closed. */
    prctl(PR_SET_NAME, "viaduct-engine");

    struct vds_context_options options = worker->options->context;
    options.failed = lane_failed;
    options.data = worker;
    worker->context = vds_context_create(&options, worker->shm);
    if (worker->context) {
        if (worker->options->early)
            vds_context_warm(worker->context);
        struct vds_ring_consumer *consumer = await_setup(worker);
        if (consumer) {
            if (worker->link)
                vds_context_set_guest(worker->context);
            vds_context_set_completion(worker->context,
                                       (struct vd_completion *)worker->completion->map,
                                       worker->completion->size);
            ok = vds_ring_consumer_run(consumer, worker->context);
        }
    } else {
        ok = false;
    }
    if (!ok)
        eventfd_write(worker->engine_fd, 1);
    return NULL;
}

static bool start_engine(struct worker *worker)
{
    const int error = pthread_create(&worker->engine, NULL, engine_main, worker);
    if (error) {
        vds_log(VDS_LOG_ERROR, "can not start a thread: %s", strerror(error));
        return false;
    }
    worker->engine_started = true;
    return true;
}

/* ---- What messages mean to us */

static void named(void *data, const char *name)
{
    struct worker *worker = data;
    snprintf(worker->options->page->name, VDS_CLIENT_NAME_SIZE, "%s", name);
    vds_log(VDS_LOG_INFO, "connected");
}

/* The driver is loaded while the client still prepares its shared memory. */
static bool context_init(void *data)
{
    struct worker *worker = data;
    return worker->engine_started || start_engine(worker);
}

static bool setup(void *data, const struct vd_setup *setup)
{
    struct worker *worker = data;
    vds_log(VDS_LOG_INFO, "the client knows Vulkan %u.%u.%u, this server %u.%u.%u",
            VK_API_VERSION_MAJOR(setup->registry_version),
            VK_API_VERSION_MINOR(setup->registry_version),
            VK_API_VERSION_PATCH(setup->registry_version),
            VK_API_VERSION_MAJOR(VD_REGISTRY_VERSION), VK_API_VERSION_MINOR(VD_REGISTRY_VERSION),
            VK_API_VERSION_PATCH(VD_REGISTRY_VERSION));
    struct vds_shm_region *completion =
        vds_shm_get(worker->shm, setup->completion_shm, 0, VDS_COMPLETION_MIN);
    if (!completion) {
        vds_log(VDS_LOG_WARNING,
                "protocol error: shared memory %u can not hold the completion page",
                setup->completion_shm);
        return false;
    }
    struct vds_ring_consumer *consumer = vds_ring_consumer_create(worker->shm, setup->ring_shm);
    if (!consumer) {
        vds_shm_put(worker->shm, completion);
        return false;
    }
    pthread_mutex_lock(&worker->lock);
    worker->completion = completion;
    worker->consumer = consumer;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    return true;
}

static const struct vds_vtest_listener message_listener = {
    .named = named,
    .context_init = context_init,
    .setup = setup,
};

/* ---- The end */

/* Nothing that the client waits for will come any more. */
static void mark_lost(struct worker *worker)
{
    if (!worker->completion)
        return;
    struct vd_completion *page = (struct vd_completion *)worker->completion->map;
    atomic_store(&page->lost, 1);
    vd_completion_changed(page);
    vds_wake(&page->event);
}

static void give_up(int signal)
{
    (void)signal;
    static const char text[] = "\0011a driver that does not return: the worker ends without it\n";
    static_assert(VDS_LOG_MARK == '\001' && VDS_LOG_WARNING == 1, "how a line of a child begins");
    ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)written;
    _exit(EXIT_FAILURE);
}

/* From here on the process has TEARDOWN_SECONDS left. */
static void arm_deadline(void)
{
    struct sigaction action = {.sa_handler = give_up};
    sigaction(SIGALRM, &action, NULL);
    sigset_t alarm_only;
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
    alarm(TEARDOWN_SECONDS);
}

/* False as vds_context_destroy. */
static bool tear_down(struct worker *worker)
{
    arm_deadline();
    mark_lost(worker);
    if (worker->vtest)
        close(worker->socket); /* the client notices */

    pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    if (worker->consumer)
        vds_ring_consumer_stop(worker->consumer);
    if (worker->engine_started)
        pthread_join(worker->engine, NULL);
    const bool whole = !worker->context || vds_context_destroy(worker->context);
    vds_ring_consumer_destroy(worker->consumer);
    vds_shm_put(worker->shm, worker->completion);
    vds_vtest_destroy(worker->vtest);
    vds_shm_table_destroy(worker->shm);
    vg_link_destroy(worker->link); /* which is told of the memory's end */
    close(worker->engine_fd);
    close(worker->signal_fd);
    if (worker->client_fd >= 0)
        close(worker->client_fd);
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->lock);
    return whole;
}

/* ---- The first thread */

enum source {
    SOURCE_SOCKET,
    SOURCE_ENGINE,
    SOURCE_SIGNAL,
    SOURCE_CLIENT,
    SOURCE_COUNT,
};

/* Until something ends the connection. Returns the exit status. */
static int serve(struct worker *worker)
{
    struct pollfd sources[SOURCE_COUNT] = {
        [SOURCE_SOCKET] = {.fd = worker->socket},
        [SOURCE_ENGINE] = {.fd = worker->engine_fd, .events = POLLIN},
        [SOURCE_SIGNAL] = {.fd = worker->signal_fd, .events = POLLIN},
        [SOURCE_CLIENT] = {.fd = worker->client_fd, .events = POLLIN},
    };
    const unsigned seconds = worker->vtest ? worker->options->handshake_seconds : 0;
    const uint64_t deadline = seconds ? vd_clock_ms() + (uint64_t)seconds * 1000 * VD_PATIENCE : 0;
    for (;;) {
        sources[SOURCE_SOCKET].events = worker->vtest ? vds_vtest_events(worker->vtest) : POLLIN;
        /* Before it is set up, a client costs a worker and is worth nothing. */
        const bool waits = deadline && !worker->consumer;
        const uint64_t now = waits ? vd_clock_ms() : 0;
        if (waits && now >= deadline) {
            vds_log(VDS_LOG_WARNING, "connection ended: it was not set up within %u s",
                    worker->options->handshake_seconds);
            return EXIT_FAILURE;
        }
        if (poll(sources, SOURCE_COUNT, waits ? (int)(deadline - now) : -1) < 0) {
            if (errno == EINTR)
                continue;
            vds_log(VDS_LOG_ERROR, "poll: %s", strerror(errno));
            return EXIT_FAILURE;
        }
        if (sources[SOURCE_ENGINE].revents)
            return EXIT_FAILURE; /* the engine has said why */
        if (sources[SOURCE_SIGNAL].revents) {
            vds_log(VDS_LOG_INFO, "disconnected: the server stops");
            return EXIT_SUCCESS;
        }
        if (sources[SOURCE_SOCKET].revents) {
            switch (worker->vtest ? vds_vtest_process(worker->vtest)
                                  : vg_link_process(worker->link)) {
            case VDS_VTEST_OPEN:
                break;
            case VDS_VTEST_CLOSED:
                vds_log(VDS_LOG_INFO, "disconnected");
                return EXIT_SUCCESS;
            case VDS_VTEST_FAILED:
                vds_log(VDS_LOG_WARNING, "connection ended");
                return EXIT_FAILURE;
            }
        }
        if (sources[SOURCE_CLIENT].revents) {
            vds_log(VDS_LOG_INFO, "disconnected: its process has ended");
            return EXIT_SUCCESS;
        }
    }
}

/* ---- The client's arrival */

bool vds_worker_give_client(int channel, int socket, int process,
                            const struct vds_worker_client *client)
{
    const int fds[] = {socket, process};
    return vd_send_fds(channel, client, sizeof(*client), fds, process >= 0 ? 2 : 1,
                       MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(*client);
}

static bool take_client(struct worker *worker)
{
    unsigned count;
    int fds[2] = {-1, -1};
    const bool taken = vd_receive_fds(worker->channel, &worker->client, sizeof(worker->client), fds,
                                      2, &count, 0) == sizeof(worker->client);
    worker->socket = fds[0];
    /* A client that has forked and is killed leaves its socket open in its child: so we also watch the
     * process that has connected, if it can be seen. */
    worker->client_fd = fds[1];
    return taken && count > 0; /* else the listener is gone */
}

/* Waits until the listener has a client for us. False: it is time to end. */
static bool await_client(struct worker *worker)
{
    struct pollfd sources[] = {
        {.fd = worker->channel, .events = POLLIN},
        {.fd = worker->engine_fd, .events = POLLIN},
        {.fd = worker->signal_fd, .events = POLLIN},
    };
    while (poll(sources, 3, -1) < 0)
        if (errno != EINTR)
            return false;
    return sources[0].revents && !sources[2].revents && take_client(worker);
}

static bool greet_client(struct worker *worker)
{
    prctl(PR_SET_NAME, VDS_WORKER_NAME);
    vds_quota_open(worker->channel);
    if (worker->client.guest)
        worker->link = vg_link_create(worker->socket, worker->shm, &message_listener, worker);
    else
        worker->vtest = vds_vtest_create(worker->socket, worker->shm, &message_listener, worker);
    if (!worker->vtest && !worker->link)
        vds_log(VDS_LOG_ERROR, "no memory for a client");
    return worker->vtest || worker->link;
}

int vds_worker_run(int channel, const struct vds_worker_options *options)
{
    int status = EXIT_FAILURE;
    struct worker worker = {.options = options, .channel = channel, .socket = -1, .client_fd = -1};

    prctl(PR_SET_NAME, VDS_SPARE_NAME);
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_mutex_init(&worker.lock, NULL);
    pthread_cond_init(&worker.changed, NULL);
    worker.signal_fd = signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK);
    worker.engine_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    worker.shm = vds_shm_table_create();
    if (worker.shm) {
        vds_shm_set_limit(worker.shm, options->context.max_shared_memory);
        vds_shm_set_sum(worker.shm, &options->page->counters.shared_memory);
    }
    if (worker.signal_fd < 0 || worker.engine_fd < 0 || !worker.shm) {
        vds_log(VDS_LOG_ERROR, "no memory or descriptors for a worker");
    } else if (!options->early || start_engine(&worker)) {
        if (!await_client(&worker))
            status = EXIT_SUCCESS;
        else if (vds_sandbox_seal(options->sandbox, &options->page->stopped_call) &&
                 greet_client(&worker))
            status = serve(&worker);
    }
    if (!tear_down(&worker))
        _exit(status);
    return status;
}
