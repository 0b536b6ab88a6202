/* SPDX-License-Identifier: MIT */
#include "processes.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"

int count_descriptors(void)
{
    DIR *all = opendir("/proc/self/fd");
    int count = 0;
    expect(all, "/proc is not there");
    while (readdir(all))
        count++;
    closedir(all);
    return count;
}

void tell(int socket, const void *message, size_t size, int fd)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec bytes = {.iov_base = (void *)message, .iov_len = size};
    struct msghdr out = {.msg_iov = &bytes, .msg_iovlen = 1};
    if (fd >= 0) {
        out.msg_control = &control;
        out.msg_controllen = sizeof(control.space);
        struct cmsghdr *header = CMSG_FIRSTHDR(&out);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    }
    expect(sendmsg(socket, &out, 0) == (ssize_t)size, "can not tell the other process");
}

int hear(int socket, void *message, size_t size)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec bytes = {.iov_base = message, .iov_len = size};
    struct msghdr in = {
        .msg_iov = &bytes,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control.space),
    };
    int fd = -1;
    expect(recvmsg(socket, &in, 0) == (ssize_t)size, "the other process is gone");
    if (CMSG_FIRSTHDR(&in))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&in)), sizeof(fd));
    return fd;
}

void say(int socket, int step, int fd)
{
    tell(socket, &step, sizeof(step), fd);
}

int listen_for(int socket, int step)
{
    int said;
    const int fd = hear(socket, &said, sizeof(said));
    expect(said == step, "the other process is at step %d, not %d", said, step);
    return fd;
}

pid_t other_process(int *socket, void (*run)(int socket))
{
    int sockets[2];
    expect(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0, "no sockets");
    fflush(stdout);
    const pid_t child = fork();
    expect(child >= 0, "no child");
    if (child == 0) {
        char byte;
        close(sockets[0]);
        if (recv(sockets[1], &byte, 1, MSG_PEEK) <= 0)
            exit(EXIT_SUCCESS); /* the other one has found nothing to test */
        run(sockets[1]);
        exit(EXIT_SUCCESS);
    }
    close(sockets[1]);
    *socket = sockets[0];
    return child;
}
