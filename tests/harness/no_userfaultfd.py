#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a command that is not permitted to have a userfaultfd, as in most containers. With --kill it is
killed if it tries, as in most sandboxes."""

import ctypes
import os
import platform
import struct
import sys

NUMBERS = {"x86_64": (323, 16), "aarch64": (282, 29)}  # userfaultfd, ioctl
USERFAULTFD_IOC_NEW = 0xAA00
BPF_LD_W_ABS, BPF_JEQ_K, BPF_RET_K = 0x20, 0x15, 0x06
SECCOMP_RET_ALLOW, SECCOMP_RET_EPERM, SECCOMP_RET_KILL = 0x7FFF0000, 0x00050001, 0x80000000
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2


def main():
    kill = sys.argv[1] == "--kill"
    command = sys.argv[2 if kill else 1:]
    userfaultfd, ioctl = NUMBERS[platform.machine()]
    filters = b"".join(struct.pack("HBBI", *line) for line in [
        (BPF_LD_W_ABS, 0, 0, 0),  # the number of the call
        (BPF_JEQ_K, 3, 0, userfaultfd),
        (BPF_JEQ_K, 0, 3, ioctl),
        (BPF_LD_W_ABS, 0, 0, 24),  # its second argument
        (BPF_JEQ_K, 0, 1, USERFAULTFD_IOC_NEW),
        (BPF_RET_K, 0, 0, SECCOMP_RET_KILL if kill else SECCOMP_RET_EPERM),
        (BPF_RET_K, 0, 0, SECCOMP_RET_ALLOW),
    ])
    text = ctypes.create_string_buffer(filters)
    program = ctypes.create_string_buffer(struct.pack("HP", len(filters) // 8,
                                                      ctypes.addressof(text)))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
                      (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0)):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), "prctl")
    os.execvp(command[0], command)


main()
