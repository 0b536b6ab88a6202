/* SPDX-License-Identifier: MIT */
#include "quota.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>

/* Asked for at once, and kept before some is given back. */
#define STEP (UINT64_C(16) << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int to_listener = -1;
static uint64_t used, granted;

void vds_quota_open(int channel)
{
    to_listener = channel;
}

static uint64_t rounded(uint64_t bytes)
{
    return bytes > UINT64_MAX - STEP ? UINT64_MAX : (bytes + STEP - 1) / STEP * STEP;
}

/* Under the lock. A listener that does not answer is gone, and so is this process soon. */
static void ask(uint64_t need)
{
    const struct vds_quota_request request = {need, rounded(need)};
    uint64_t answer;
    ssize_t received;
    if (send(to_listener, &request, sizeof(request), MSG_NOSIGNAL) != sizeof(request))
        return;
    do
        received = recv(to_listener, &answer, sizeof(answer), 0);
    while (received < 0 && errno == EINTR);
    if (received == sizeof(answer))
        granted = answer;
}

bool vds_quota_take(uint64_t bytes)
{
    if (to_listener < 0)
        return true;
    pthread_mutex_lock(&lock);
    bool taken = bytes <= UINT64_MAX - used;
    if (taken && used + bytes > granted) {
        ask(used + bytes);
        taken = used + bytes <= granted;
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
    if (granted - used >= 2 * STEP)
        ask(used);
    pthread_mutex_unlock(&lock);
}
