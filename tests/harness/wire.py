# SPDX-License-Identifier: MIT
"""The client's end of the wire in Python, for what a well-behaved client never says.

The numbers are those of protocol/; they are repeated here because a test that took them from the
code under test would not notice when the code changes the wire.
"""

import array
import contextlib
import ctypes
import mmap
import os
import platform
import select
import socket
import struct

RESOURCE_UNREF = 3
RESOURCE_BUSY_WAIT = 7
CREATE_RENDERER = 8
PING_PROTOCOL_VERSION = 10
PROTOCOL_VERSION = 11
GET_CAPSET = 16
CONTEXT_INIT = 17
RESOURCE_CREATE_BLOB = 18
SUBMIT_CMD2 = 24

VTEST_VERSION = 4
CAPSET_ID = 30
VIADUCT_VERSION = 1
BLOB_GUEST = 1
BLOB_MAPPABLE_SHAREABLE = 3

OP_NOP = 0
OP_SETUP = 1
RING_DATA_OFFSET = 4096
RING_DATA_SIZE = 1 << 20
COMPLETION_SIZE = 4096

FUTEX_WAKE = 1
FUTEX_NUMBERS = {"x86_64": 202, "aarch64": 98}


class Closed(Exception):
    """The server has hung up."""


class Peer:
    """One connection. Context manager."""

    def __init__(self, path, seconds=10):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(seconds)
        self.socket.connect(path)
        self.ring = None
        self.tail = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.ring:
            self.ring.close()
            self.ring = None
        self.socket.close()

    def send(self, data):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def message(self, command, payload=b"", length=None):
        """Length counts dwords, except for CREATE_RENDERER, where it counts bytes."""
        if length is None:
            length = len(payload) if command == CREATE_RENDERER else len(payload) // 4
        self.send(struct.pack("=II", length, command) + payload)

    def receive(self, size):
        data = b""
        while len(data) < size:
            try:
                piece = self.socket.recv(size - len(data))
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise Closed
            data += piece
        return data

    def answer(self, command):
        length, got = struct.unpack("=II", self.receive(8))
        assert got == command, f"an answer to {got} instead of {command}"
        return self.receive(4 * length)

    def receive_fd(self):
        _, ancillary, _, _ = self.socket.recvmsg(1, socket.CMSG_SPACE(4))
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                return array.array("i", data[:4])[0]
        raise AssertionError("no file descriptor came")

    def closed(self, seconds=10):
        """True when the server hangs up within this time, whatever else it says before."""
        while True:
            readable, _, _ = select.select([self.socket], [], [], seconds)
            if not readable:
                return False
            try:
                if not self.socket.recv(65536):
                    return True
            except ConnectionResetError:
                return True

    # The handshake, step by step, as far as the caller wants it.

    def introduce(self, name=b"wire test\0"):
        self.message(CREATE_RENDERER, name)

    def negotiate(self, version=VTEST_VERSION):
        self.message(PROTOCOL_VERSION, struct.pack("=I", version))
        return struct.unpack("=I", self.answer(PROTOCOL_VERSION))[0]

    def capset(self, capset_id=CAPSET_ID, version=VIADUCT_VERSION):
        self.message(GET_CAPSET, struct.pack("=II", capset_id, version))
        data = self.answer(GET_CAPSET)
        return struct.unpack("=I", data[:4])[0], data[4:]

    def context(self, capset_id=CAPSET_ID):
        self.message(CONTEXT_INIT, struct.pack("=I", capset_id))

    def blob(self, size, kind=BLOB_GUEST, flags=BLOB_MAPPABLE_SHAREABLE, blob_id=0):
        """Returns the resource's id and its file descriptor, or 0 and None."""
        self.message(RESOURCE_CREATE_BLOB, struct.pack(
            "=IIIIII", kind, flags, size & 0xffffffff, size >> 32, blob_id & 0xffffffff,
            blob_id >> 32))
        number = struct.unpack("=I", self.answer(RESOURCE_CREATE_BLOB))[0]
        return (number, self.receive_fd()) if number else (0, None)

    def setup_payload(self, ring, completion, version=VIADUCT_VERSION):
        record = struct.pack("=IHHIIII", 24, OP_SETUP, 0, version, ring, completion, 0)
        batch = struct.pack("=IIIIIIII", 0, 9, len(record) // 4, 0, 0, 0, 0, 0)
        return struct.pack("=I", 1) + batch + record

    def reach_context(self):
        self.introduce()
        assert self.negotiate() >= 3
        assert self.capset()[0] == 1
        self.context()

    def reach_ring(self):
        """The whole handshake; afterwards produce() puts bytes into the control ring."""
        self.reach_context()
        ring, ring_fd = self.blob(RING_DATA_OFFSET + RING_DATA_SIZE)
        completion, completion_fd = self.blob(COMPLETION_SIZE)
        self.ring = mmap.mmap(ring_fd, RING_DATA_OFFSET + RING_DATA_SIZE)
        os.close(ring_fd)
        os.close(completion_fd)
        self.message(SUBMIT_CMD2, self.setup_payload(ring, completion))

    def produce(self, data, tail=None):
        """Writes to the ring, publishes the tail, and wakes the consumer."""
        at = self.tail % RING_DATA_SIZE
        room = RING_DATA_SIZE - at
        self.ring[RING_DATA_OFFSET + at:RING_DATA_OFFSET + at + len(data[:room])] = data[:room]
        if data[room:]:
            self.ring[RING_DATA_OFFSET:RING_DATA_OFFSET + len(data[room:])] = data[room:]
        self.tail = self.tail + len(data) if tail is None else tail
        self.ring[0:8] = struct.pack("=Q", self.tail)
        self.ring[128:132] = struct.pack("=I", 0)
        word = ctypes.c_uint32.from_buffer(self.ring, 128)
        ctypes.CDLL(None, use_errno=True).syscall(
            FUTEX_NUMBERS[platform.machine()], ctypes.byref(word), FUTEX_WAKE, 1 << 30, None,
            None, 0)
        del word


def record(opcode, body=b"", flags=0, size=None):
    if size is None:
        size = 8 + len(body)
    return struct.pack("=IHH", size & 0xffffffff, opcode, flags) + body
