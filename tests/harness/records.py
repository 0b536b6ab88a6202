# SPDX-License-Identifier: MIT
"""Vulkan's commands as records written by hand, and a client that sends them."""

import mmap
import os
import struct
import time

from . import protocol, setting, wire
from .protocol import OPCODES, TYPES, layout, number

REPLY = number("VD_RECORD_REPLY")
ALIGN = number("VD_ALIGN")
SHARED_SIZE = 1 << 20
# Where in the client's shared memory: the reply, and what a test puts there.
REPLY_OFFSET = 0
CHUNKS = SHARED_SIZE // 2
DEVICES_SIZE = 1 << 17  # room for what is to be said about all physical devices

_vulkan = None


def vulkan():
    """Vulkan's own structs and numbers, and the arguments of its commands (`vd_args_vkX`)."""
    global _vulkan
    if _vulkan is None:
        build = setting.build_path()
        folders = (setting.root_path() / "build" / "registry" / "include", "/usr/include")
        header = next(path for path in (setting.root_path() / folder / "vulkan" / "vulkan_core.h"
                                        for folder in folders) if path.is_file())
        _vulkan = protocol.Headers(protocol.read([header, build / "codegen" / "args.h"]))
    return _vulkan


def pack(name, **values):
    """The bytes of a Vulkan struct. Its sType is filled in, where a value is that type's name."""
    values = {key: vulkan().number(value) if isinstance(value, str) else value
              for key, value in values.items()}
    return vulkan().layout(name).pack(**values)


def padded(data):
    return data + bytes(-len(data) % ALIGN)


class Record:
    """A record in the making. First its arguments; put() appends what a pointer points to, and has to be
    called in the order of the members, which is the canonical one."""

    def __init__(self, name, _reply=True, **arguments):
        self.opcode = OPCODES[name]
        self.flags = REPLY if _reply else 0
        self.echo = 0
        self.out_size = 0
        self.header = layout("vd_record").size
        self.body = self.header + (layout("vd_reply_request").size if _reply else 0)
        self.arguments = vulkan().layout("vd_args_" + name) if name.startswith("vk") else None
        self.bytes = bytearray(self.body)
        if self.arguments:
            self.bytes += padded(self.arguments.pack(**arguments))

    def argument(self, name):
        """Where an argument stands."""
        return self.body + self.arguments.offset(name)

    def set(self, where, value, letter="Q"):
        struct.pack_into("<" + letter, self.bytes, where, value)

    def put(self, where, data, back=False):
        """Appends data, which the pointer at `where` points to, and returns its offset. `back`: the
        record returns from there on."""
        at = len(self.bytes)
        if where is not None:
            self.set(where, at)
        self.bytes += padded(data)
        if back and not self.echo:
            self.echo = at
        return at

    def finished(self, shm):
        """The bytes to send, with the reply at REPLY_OFFSET of this shared memory."""
        data = bytearray(self.bytes)
        data[:self.header] = layout("vd_record").pack(size=len(data), opcode=self.opcode,
                                                      flags=self.flags)
        if self.flags & REPLY:
            data[self.header:self.body] = layout("vd_reply_request").pack(
                shm=shm, offset=REPLY_OFFSET, out_size=self.out_size, echo=self.echo)
        return bytes(data)


class Client(wire.Peer):
    """A connection that speaks Vulkan. Its ids count up; `post` says anything, `call` also waits."""

    def __init__(self, path):
        super().__init__(path)
        self.index = 0

    def begin(self):
        self.reach_ring()
        self.shm, descriptor = self.blob(SHARED_SIZE)
        self.shared = mmap.mmap(descriptor, SHARED_SIZE)
        os.close(descriptor)

    def close(self):
        super().close()
        shared = getattr(self, "shared", None)
        if shared:
            shared.close()

    def new(self, kind, generation=1, index=None):
        """An id: the next one of this connection, unless an index says otherwise."""
        if index is None:
            self.index += 1
            index = self.index
        return TYPES[kind] << 56 | generation << 32 | index

    def post(self, record):
        """A Record, or bytes."""
        reply = layout("vd_reply").size
        self.shared[REPLY_OFFSET:REPLY_OFFSET + reply] = bytes(reply)
        self.produce(record.finished(self.shm) if isinstance(record, Record) else record)

    def call(self, record, seconds=20):
        """Sends a record and returns what it returns; raises Closed if the connection ends instead."""
        self.post(record)
        reply = layout("vd_reply")
        done = number("VD_REPLY_DONE")
        deadline = time.monotonic() + seconds
        while True:
            found = reply.unpack(self.shared[REPLY_OFFSET:REPLY_OFFSET + reply.size])
            if found["state"] == done:
                return found["result"]
            if self.closed(0.001):
                raise wire.Closed
            if time.monotonic() > deadline:
                raise AssertionError("no answer")

    # What a client does first. Each creates one object, whose id it keeps.

    def create(self, record):
        assert self.call(record) == 0, "nothing was created"

    def open_instance(self):
        self.instance = self.new("VkInstance")
        self.create(self.create_instance(self.instance))

    def open_device(self):
        """Instance, physical device, device, and its first queue."""
        self.open_instance()
        self.open_device_of_instance()

    def open_device_of_instance(self):
        self.physical_device = self.new("VkPhysicalDevice")
        devices = Record("GET_PHYSICAL_DEVICES")
        devices.out_size = DEVICES_SIZE
        devices.put(None, layout("vd_get_physical_devices").pack(id_count=1, capacity=DEVICES_SIZE) +
                    struct.pack("<Q", self.physical_device))
        self.create(devices)
        self.device = self.new("VkDevice")
        self.create(self.create_device(self.device))
        self.queue = self.new("VkQueue")
        self.create(self.get_queue(self.queue))

    def open_command_buffer(self):
        self.open_device()
        self.pool = self.new("VkCommandPool")
        record = Record("vkCreateCommandPool", device=self.device)
        record.put(record.argument("pCreateInfo"), pack(
            "VkCommandPoolCreateInfo", sType="VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO"))
        record.put(record.argument("pCommandPool"), struct.pack("<Q", self.pool), back=True)
        self.create(record)
        self.command_buffer = self.new("VkCommandBuffer")
        record = Record("vkAllocateCommandBuffers", device=self.device)
        record.put(record.argument("pAllocateInfo"), pack(
            "VkCommandBufferAllocateInfo",
            sType="VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO", commandPool=self.pool,
            commandBufferCount=1))
        record.put(record.argument("pCommandBuffers"), struct.pack("<Q", self.command_buffer),
                   back=True)
        self.create(record)

    def open_buffer(self):
        self.open_device()
        self.buffer = self.new("VkBuffer")
        self.create(self.create_buffer(self.buffer))

    # Records.

    def create_instance(self, handle):
        record = Record("vkCreateInstance")
        record.put(record.argument("pCreateInfo"), pack(
            "VkInstanceCreateInfo", sType="VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO"))
        record.put(record.argument("pInstance"), struct.pack("<Q", handle), back=True)
        return record

    def create_device(self, handle, chain=b"", **changes):
        """`chain`: one struct behind pNext; `changes` to VkDeviceCreateInfo."""
        record = Record("vkCreateDevice", physicalDevice=self.physical_device)
        info = vulkan().layout("VkDeviceCreateInfo")
        at = record.put(record.argument("pCreateInfo"), pack(
            "VkDeviceCreateInfo",
            **{"sType": "VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO", "queueCreateInfoCount": 1, **changes}))
        queue = record.put(at + info.offset("pQueueCreateInfos"), pack(
            "VkDeviceQueueCreateInfo", sType="VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO",
            queueCount=1))
        record.put(queue + vulkan().layout("VkDeviceQueueCreateInfo").offset("pQueuePriorities"),
                   struct.pack("<f", 1))
        if chain:
            record.put(at + info.offset("pNext"), chain)
        record.put(record.argument("pDevice"), struct.pack("<Q", handle), back=True)
        return record

    def get_queue(self, handle, **changes):
        record = Record("GET_QUEUE")
        record.put(None, layout("vd_get_queue").pack(
            **{"device": self.device, "queue": handle, **changes}))
        return record

    def create_buffer(self, handle, **changes):
        record = Record("vkCreateBuffer", device=self.device)
        record.put(record.argument("pCreateInfo"), pack(
            "VkBufferCreateInfo",
            **{"sType": "VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO", "size": 4096,
               "usage": "VK_BUFFER_USAGE_TRANSFER_DST_BIT", **changes}))
        record.put(record.argument("pBuffer"), struct.pack("<Q", handle), back=True)
        return record

    def requirements(self, buffer):
        record = Record("vkGetBufferMemoryRequirements", device=self.device, buffer=buffer,
                        pMemoryRequirements=number("VD_POINTER_OUT"))
        record.out_size = vulkan().layout("VkMemoryRequirements").size
        return record

    # Streams.

    def begin_recording(self):
        record = Record("vkBeginCommandBuffer", _reply=False)
        record.put(record.argument("pBeginInfo"), pack(
            "VkCommandBufferBeginInfo", sType="VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO"))
        return record

    def stream(self, *records, command_buffer=None, **chunk):
        """Hands one chunk over, which holds these records; `chunk` changes what is said about it."""
        data = b"".join(record.finished(0) if isinstance(record, Record) else record
                        for record in records)
        self.shared[CHUNKS:CHUNKS + len(data)] = data
        chunk = {"shm": self.shm, "size": len(data), "offset": CHUNKS, **chunk}
        record = Record("STREAM", _reply=False)
        record.put(None, layout("vd_stream").pack(
            command_buffer=command_buffer or self.command_buffer, chunk_count=1))
        record.put(None, layout("vd_stream_chunk").pack(**chunk))
        return record
