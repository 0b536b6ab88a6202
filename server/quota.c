/* SPDX-License-Identifier: MIT */
#include "quota.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

/* Asked for at once, and kept before some is given back. */
#define STEP (UINT64_C(16) << 20)
/* A listener that is stopped, or has very much to do, must not stop those who are served: what it does not
 * answer in this time is taken, and counts when it answers. What one client may have alone still holds. */
#define ANSWER_MS 1000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int to_listener = -1;
static uint64_t used, granted;
static bool unanswered;

void vds_quota_open(int channel)
{
    to_listener = channel;
}

static uint64_t rounded(uint64_t bytes)
{
    return bytes > UINT64_MAX - STEP ? UINT64_MAX : (bytes + STEP - 1) / STEP * STEP;
}

/* Under the lock. Whether the answer to the last question has come. */
static bool has_answer(int milliseconds)
{
    struct pollfd source = {.fd = to_listener, .events = POLLIN};
    uint64_t answer;
    if (unanswered && poll(&source, 1, milliseconds) > 0) {
        unanswered = false;
        if (recv(to_listener, &answer, sizeof(answer), MSG_DONTWAIT) == sizeof(answer))
            granted = answer;
    }
    return !unanswered;
}

/* Under the lock. */
static void ask(uint64_t need)
{
    const struct vds_quota_request request = {need, rounded(need)};
    if (!has_answer(0) ||
        send(to_listener, &request, sizeof(request), MSG_NOSIGNAL) != sizeof(request))
        return;
    unanswered = true;
    has_answer(ANSWER_MS);
}

bool vds_quota_take(uint64_t bytes)
{
    if (to_listener < 0)
        return true;
    pthread_mutex_lock(&lock);
    bool taken = bytes <= UINT64_MAX - used;
    if (taken && used + bytes > granted) {
        ask(used + bytes);
        taken = used + bytes <= granted || unanswered;
    }
    if (taken)
        used += bytes;
    pthread_mutex_unlock(&lock);
    return taken;
}

void vds_quota_give_back(uint64_t bytes)
{
    if (to_listener < 0)
        return;
    pthread_mutex_lock(&lock);
    used -= bytes;
    if (granted >= used && granted - used >= 2 * STEP)
        ask(used);
    pthread_mutex_unlock(&lock);
}
