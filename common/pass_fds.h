/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_COMMON_PASS_FDS_H
#define VIADUCT_COMMON_PASS_FDS_H

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Descriptors that one message may carry, beside its bytes. */
#define VD_PASS_FDS_MAX 40

/* sendmsg() of bytes and, with the first of them, of descriptors, of which there may be none. */
static inline ssize_t vd_send_fds(int socket, const void *bytes, size_t size, const int *fds,
                                  unsigned count, int flags)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * VD_PASS_FDS_MAX)];
    } control = {0};
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    assert(count <= VD_PASS_FDS_MAX);
    if (count > 0) {
        message.msg_control = control.space;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(rights), fds, sizeof(int) * count);
    }
    return sendmsg(socket, &message, flags);
}

/* recvmsg() of bytes, and of the descriptors that came with them: *count, at most `room`; the kernel
 * closes others. They are closed on exec(), and the caller's. Interrupted, it tries again. */
static inline ssize_t vd_receive_fds(int socket, void *bytes, size_t size, int *fds, unsigned room,
                                     unsigned *count, int flags)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * VD_PASS_FDS_MAX)];
    } control;
    struct iovec part = {.iov_base = bytes, .iov_len = size};
    struct msghdr message;
    ssize_t received;
    assert(room <= VD_PASS_FDS_MAX);
    do {
        /* CMSG_SPACE() would have room for more than are wanted. */
        message = (struct msghdr){
            .msg_iov = &part,
            .msg_iovlen = 1,
            .msg_control = control.space,
            .msg_controllen = CMSG_LEN(sizeof(int) * room),
        };
        received = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
    } while (received < 0 && errno == EINTR);
    const struct cmsghdr *rights = received < 0 ? NULL : CMSG_FIRSTHDR(&message);
    *count = 0;
    if (rights && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
        *count = (unsigned)((rights->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(fds, CMSG_DATA(rights), sizeof(int) * *count);
    }
    return received;
}

#endif
