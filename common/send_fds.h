/* SPDX-License-Identifier: MIT */
#ifndef VIADUCT_COMMON_SEND_FDS_H
#define VIADUCT_COMMON_SEND_FDS_H

#include <assert.h>
#include <string.h>
#include <sys/socket.h>

/* Descriptors that one message may carry. */
#define VD_SEND_FDS_MAX 40

/* sendmsg() of bytes and, with the first of them, of descriptors, of which there may be none. */
static inline ssize_t vd_send_fds(int socket, const void *bytes, size_t size, const int *fds,
                                  unsigned count, int flags)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * VD_SEND_FDS_MAX)];
    } control = {0};
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    assert(count <= VD_SEND_FDS_MAX);
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

#endif
