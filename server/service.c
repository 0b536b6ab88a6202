/* SPDX-License-Identifier: MIT */
#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/environment.h"

#include "log.h"

/* Where descriptors that are handed over begin: SD_LISTEN_FDS_START. */
#define FIRST_FD 3

static int handed = -1;
static struct sockaddr_un manager; /* without a path: nobody wants to know */
static socklen_t manager_size;

/* The path of a socket, or a name that the kernel keeps, which begins with '@'. */
static void remember_manager(const char *path)
{
    const size_t length = path ? strlen(path) : 0;
    if (length < 2 || length >= sizeof(manager.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    manager.sun_family = AF_UNIX;
    memcpy(manager.sun_path, path, length);
    if (path[0] == '@')
        manager.sun_path[0] = '\0';
    manager_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

/* How many descriptors were handed to this very process. */
static long count_handed(void)
{
    const char *pid = vd_getenv("LISTEN_PID"), *count = vd_getenv("LISTEN_FDS");
    return pid && count && strtol(pid, NULL, 10) == (long)getpid() ? strtol(count, NULL, 10) : 0;
}

bool vds_service_begin(void)
{
    const long count = count_handed();
    remember_manager(vd_getenv("NOTIFY_SOCKET"));
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    unsetenv("NOTIFY_SOCKET");
    if (count > 1) {
        vds_log(VDS_LOG_ERROR, "a server listens at one socket, and was handed %ld", count);
        return false;
    }
    if (count == 1) {
        handed = FIRST_FD;
        fcntl(handed, F_SETFD, FD_CLOEXEC);
    }
    return true;
}

int vds_service_socket(void)
{
    return handed;
}

void vds_service_say(const char *state)
{
    if (!manager_size)
        return;
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&manager,
                         manager_size) < 0)
        vds_log(VDS_LOG_WARNING, "can not say %s to the service manager: %s", state,
                strerror(errno));
    if (fd >= 0)
        close(fd);
}
