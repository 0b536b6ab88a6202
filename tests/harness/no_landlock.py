#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a command for which the kernel has no Landlock, as before Linux 5.13."""

import ctypes
import os
import struct
import sys

CREATE_RULESET, RESTRICT_SELF = 444, 446  # on every architecture
BPF_LD_W_ABS, BPF_JGE_K, BPF_JGT_K, BPF_RET_K = 0x20, 0x35, 0x25, 0x06
SECCOMP_RET_ALLOW, SECCOMP_RET_ENOSYS = 0x7FFF0000, 0x00050026
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2


def main():
    filters = b"".join(struct.pack("HBBI", *line) for line in [
        (BPF_LD_W_ABS, 0, 0, 0),  # the number of the call
        (BPF_JGE_K, 0, 2, CREATE_RULESET),
        (BPF_JGT_K, 1, 0, RESTRICT_SELF),
        (BPF_RET_K, 0, 0, SECCOMP_RET_ENOSYS),
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
    os.execvp(sys.argv[1], sys.argv[1:])


main()
