# SPDX-License-Identifier: MIT
"""The client's end of the wire in Python, for what a well-behaved client never says."""

import array
import contextlib
import ctypes
import mmap
import os
import platform
import select
import socket
import struct

from harness.protocol import OPCODES, layout, number

RESOURCE_UNREF = number("VTEST_RESOURCE_UNREF")
RESOURCE_BUSY_WAIT = number("VTEST_RESOURCE_BUSY_WAIT")
CREATE_RENDERER = number("VTEST_CREATE_RENDERER")
PING_PROTOCOL_VERSION = number("VTEST_PING_PROTOCOL_VERSION")
PROTOCOL_VERSION = number("VTEST_PROTOCOL_VERSION_CMD")
GET_CAPSET = number("VTEST_GET_CAPSET")
CONTEXT_INIT = number("VTEST_CONTEXT_INIT")
RESOURCE_CREATE_BLOB = number("VTEST_RESOURCE_CREATE_BLOB")
SUBMIT_CMD2 = number("VTEST_SUBMIT_CMD2")
TAKE_FD = number("VTEST_VIADUCT_TAKE_FD")
GIVE_SHM = number("VTEST_VIADUCT_GIVE_SHM")
PAYLOAD_MAX = number("VTEST_PAYLOAD_MAX")

VTEST_VERSION = number("VTEST_PROTOCOL_VERSION")
CAPSET_ID = number("VD_CAPSET_ID")
# The version that is sent. The literal is the one that this file was written for: `robust/wire` fails
# when the two part, so that whoever raises the version looks at what is written here, too.
PROTOCOL = number("VD_PROTOCOL_VERSION")
VIADUCT_VERSION = 3
BLOB_GUEST = number("VTEST_BLOB_GUEST")
BLOB_MAPPABLE_SHAREABLE = number("VTEST_BLOB_MAPPABLE") | number("VTEST_BLOB_SHAREABLE")

OP_NOP = OPCODES["NOP"]
OP_SETUP = OPCODES["SETUP"]
RING_DATA_OFFSET = number("VD_RING_DATA_OFFSET")
RING_DATA_SIZE = number("VD_RING_DATA_SIZE")
COMPLETION_SIZE = layout("vd_completion").size
TAIL, HEAD, CONSUMER_SLEEPS = (layout("vd_ring").offset(name)
                               for name in ("tail", "head", "consumer_sleeps"))

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

    def capset(self, capset_id=CAPSET_ID, version=PROTOCOL):
        self.message(GET_CAPSET, struct.pack("=II", capset_id, version))
        data = self.answer(GET_CAPSET)
        return struct.unpack("=I", data[:4])[0], data[4:]

    def context(self, capset_id=CAPSET_ID):
        self.message(CONTEXT_INIT, struct.pack("=I", capset_id))

    def blob(self, size, kind=BLOB_GUEST, flags=BLOB_MAPPABLE_SHAREABLE, blob_id=0):
        """Returns the resource's id and its file descriptor, or 0 and None."""
        self.message(RESOURCE_CREATE_BLOB, layout("vtest_create_blob").pack(
            type=kind, flags=flags, size_lo=size & 0xffffffff, size_hi=size >> 32,
            blob_id_lo=blob_id & 0xffffffff, blob_id_hi=blob_id >> 32))
        number = struct.unpack("=I", self.answer(RESOURCE_CREATE_BLOB))[0]
        return (number, self.receive_fd()) if number else (0, None)

    def setup_payload(self, ring, completion, version=PROTOCOL):
        return submission(record(OP_SETUP, layout("vd_setup").pack(
            protocol_version=version, ring_shm=ring, completion_shm=completion)))

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
        self.ring[TAIL:TAIL + 8] = struct.pack("=Q", self.tail)
        self.ring[CONSUMER_SLEEPS:CONSUMER_SLEEPS + 4] = struct.pack("=I", 0)
        word = ctypes.c_uint32.from_buffer(self.ring, CONSUMER_SLEEPS)
        ctypes.CDLL(None, use_errno=True).syscall(
            FUTEX_NUMBERS[platform.machine()], ctypes.byref(word), FUTEX_WAKE, 1 << 30, None,
            None, 0)
        del word


    def head(self):
        return struct.unpack("=Q", self.ring[HEAD:HEAD + 8])[0]


def record(opcode, body=b"", flags=0, size=None):
    header = layout("vd_record")
    if size is None:
        size = header.size + len(body)
    return header.pack(size=size & 0xffffffff, opcode=opcode, flags=flags) + body


def submission(command, batch_count=1, **members):
    """The payload of SUBMIT_CMD2: one batch, unless members say otherwise, with this command."""
    batch = layout("vtest_submit_batch")
    members = {"cmd_offset": (4 + batch.size) // 4, "cmd_size": len(command) // 4, **members}
    return struct.pack("=I", batch_count) + batch.pack(**members) + command
