/* SPDX-License-Identifier: MIT */
#include "vtest_owner.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "icd/log.h"

static uid_t overflow_uid(void)
{
    unsigned uid = 65534;
    FILE *file = fopen("/proc/sys/kernel/overflowuid", "re");
    if (file) {
        if (fscanf(file, "%u", &uid) != 1)
            uid = 65534;
        fclose(file);
    }
    return (uid_t)uid;
}

/* Whether this is a user namespace that does not know all users. */
static bool maps_few_users(void)
{
    unsigned inside, outside, count;
    FILE *file = fopen("/proc/self/uid_map", "re");
    if (!file)
        return false;
    const bool all = fscanf(file, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 &&
                     outside == 0 && count == UINT32_MAX;
    fclose(file);
    return !all;
}

bool vdc_vtest_owner_is_trusted(int fd, const char *path)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
        vdc_log_reason("socket-error", path, "the owner of %s is not known: %s", path,
                       strerror(errno));
        return false;
    }
    if (peer.uid == 0 || peer.uid == geteuid())
        return true;
    /* A container's user namespace shows all users that it does not know as one, root of the host among
     * them; there the socket is trusted for the folder that was mounted. */
    if (peer.uid == overflow_uid() && maps_few_users())
        return true;
    vdc_log_reason("socket-owner", path,
                   "the server at %s belongs to user %u, neither to root nor to user %u: not used",
                   path, (unsigned)peer.uid, (unsigned)geteuid());
    return false;
}
