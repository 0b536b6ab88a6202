# SPDX-License-Identifier: MIT
"""What the server does not leave to its clients: extensions and features that were not offered, host
addresses, lengths, and numbers that lead out of an object. The connections here belong to lavapipe, whose
addresses are the worker's own; each case names its own line in the log."""

import os
import struct

from harness import Server, add

from harness.records import Client, Record, pack, vulkan

from .nonsense import device_of, run_cases, sent
from .robust import expect_serving

HUGE = 0x7ffffff0
SIZE = 4096     # of the objects below


def make(client, kind, command, struct_name, chain=b"", **values):
    """Creates an object with vkCreateX or vkAllocateX, and returns its id."""
    record = Record(command, device=client.device)
    pointers = [p for p in vulkan().layout("vd_args_" + command).fields if p.startswith("p")]
    info = next(p for p in pointers if p.endswith("Info"))
    stype = "VK_STRUCTURE_TYPE_" + "".join(
        "_" + c if c.isupper() and i else c for i, c in enumerate(struct_name[2:])).upper()
    at = record.put(record.argument(info), pack(struct_name, sType=stype, **values))
    if chain:
        record.put(at + vulkan().layout(struct_name).offset("pNext"), chain)
    handle = client.new(kind)
    record.put(record.argument(pointers[-1]), struct.pack("<Q", handle), back=True)
    client.create(record)
    return handle


def open_all(client):
    """One of each kind of object with a size."""
    client.open_command_buffer()
    client.buffer = make(client, "VkBuffer", "vkCreateBuffer", "VkBufferCreateInfo", size=SIZE,
                         usage=0x1ff)
    client.memory = make(client, "VkDeviceMemory", "vkAllocateMemory", "VkMemoryAllocateInfo",
                         allocationSize=SIZE)
    client.queries = make(client, "VkQueryPool", "vkCreateQueryPool", "VkQueryPoolCreateInfo",
                          queryType="VK_QUERY_TYPE_TIMESTAMP", queryCount=4)
    image = pack("VkImageCreateInfo", sType="VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO",
                 imageType="VK_IMAGE_TYPE_2D", format="VK_FORMAT_R8G8B8A8_UNORM", mipLevels=1,
                 arrayLayers=1, samples=1, usage=3)
    at = vulkan().layout("VkImageCreateInfo").offset("extent")
    image = image[:at] + struct.pack("<III", 16, 16, 1) + image[at + 12:]
    record = Record("vkCreateImage", device=client.device)
    record.put(record.argument("pCreateInfo"), image)
    client.image = client.new("VkImage")
    record.put(record.argument("pImage"), struct.pack("<Q", client.image), back=True)
    client.create(record)


Client.open_all = open_all


def recorded(name, region=None, pointer="pRegions", data=None, **arguments):
    """A command in a stream. Its arguments are numbers, or names of the client's members."""
    def make_stream(client):
        values = {k: getattr(client, v) if isinstance(v, str) else v for k, v in arguments.items()}
        record = Record(name, _reply=False, **values)
        for part in (region, data):
            if part:
                record.put(record.argument(pointer), part)
        return client.stream(client.begin_recording(), record)
    return sent("open_all", make_stream)


def called(name, *pointees, **arguments):
    def make_record(client):
        values = {k: getattr(client, v) if isinstance(v, str) else v for k, v in arguments.items()}
        record = Record(name, device=client.device, **values)
        for pointer, data in pointees:
            record.put(record.argument(pointer), data(client) if callable(data) else data)
        return record
    return sent("open_all", make_record)


def error(command, what, owner=None):
    return rf"protocol error: {command}: {owner or command}: {what}"


def layers(base=0, count=1, level=0):
    return struct.pack("<IIII", 1, level, base, count)


def image_copy(source=(0, 0, 0), to=(0, 0, 0), extent=(16, 16, 1), part=layers()):
    return part + struct.pack("<iii", *source) + part + struct.pack("<iii", *to) + \
        struct.pack("<III", *extent)


def buffer_copy(offset=0, row=0, height=0, part=layers(), at=(0, 0, 0), extent=(16, 16, 1)):
    return struct.pack("<QII", offset, row, height) + part + struct.pack("<iii", *at) + \
        struct.pack("<III", *extent) + bytes(0)


IMAGES = dict(srcImage="image", srcImageLayout=1, dstImage="image", dstImageLayout=1, regionCount=1)
TO_IMAGE = dict(srcBuffer="buffer", dstImage="image", dstImageLayout=1, regionCount=1)
TO_BUFFER = dict(dstBuffer="buffer", srcImage="image", srcImageLayout=1, regionCount=1)
BUFFERS = dict(srcBuffer="buffer", dstBuffer="buffer", regionCount=1)
BEYOND_IMAGE = "a region beyond its image"
BEYOND_BOTH = "a region beyond its image or buffer"
BEYOND_BUFFER = "a region beyond its buffer"
CONSTANTS = "constants beyond maxPushConstantsSize"
POOL = "queries beyond their pool"
UNFIT = "beyond its memory, or of a type that it cannot have"


def constants(offset, size):
    def make_stream(client):
        layout = make(client, "VkPipelineLayout", "vkCreatePipelineLayout",
                      "VkPipelineLayoutCreateInfo")
        record = Record("vkCmdPushConstants", _reply=False, layout=layout, stageFlags=0x20,
                        offset=offset, size=size)
        record.put(record.argument("pValues"), bytes(size))
        return client.stream(client.begin_recording(), record)
    return sent("open_all", make_stream)


BOUNDS = {
    "constants far away": (constants(HUGE, 64), error("vkCmdPushConstants", CONSTANTS)),
    "constants that wrap": (constants(0xfffffffc, 64), error("vkCmdPushConstants", CONSTANTS)),
    "constants that end beyond": (constants(0, 1 << 15), error("vkCmdPushConstants", CONSTANTS)),
    "a fill beyond a buffer": (
        recorded("vkCmdFillBuffer", dstBuffer="buffer", dstOffset=SIZE, size=64),
        error("vkCmdFillBuffer", "dstOffset beyond its buffer")),
    "a fill that wraps": (
        recorded("vkCmdFillBuffer", dstBuffer="buffer", dstOffset=(1 << 64) - 64, size=128),
        error("vkCmdFillBuffer", "dstOffset beyond its buffer")),
    "an update beyond a buffer": (
        recorded("vkCmdUpdateBuffer", dstBuffer="buffer", dstOffset=1 << 40, dataSize=64,
                 data=bytes(64), pointer="pData"),
        error("vkCmdUpdateBuffer", "dstOffset beyond its buffer")),
    "a copy from beyond a buffer": (
        recorded("vkCmdCopyBuffer", struct.pack("<QQQ", 1 << 40, 0, 64), **BUFFERS),
        error("vkCmdCopyBuffer", BEYOND_BUFFER)),
    "a copy to beyond a buffer": (
        recorded("vkCmdCopyBuffer", struct.pack("<QQQ", 0, SIZE - 32, 64), **BUFFERS),
        error("vkCmdCopyBuffer", BEYOND_BUFFER)),
    "a copy beyond an image": (
        recorded("vkCmdCopyImage", image_copy(to=(8, 0, 0)), **IMAGES),
        error("vkCmdCopyImage", BEYOND_IMAGE)),
    "a copy in front of an image": (
        recorded("vkCmdCopyImage", image_copy(source=(-8, 0, 0)), **IMAGES),
        error("vkCmdCopyImage", BEYOND_IMAGE)),
    "a copy of a level that there is not": (
        recorded("vkCmdCopyImage", image_copy(part=layers(level=1), extent=(1, 1, 1)), **IMAGES),
        error("vkCmdCopyImage", BEYOND_IMAGE)),
    "a copy of layers that there are not": (
        recorded("vkCmdCopyImage", image_copy(part=layers(base=7)), **IMAGES),
        error("vkCmdCopyImage", BEYOND_IMAGE)),
    "a copy of slices that there are not": (
        recorded("vkCmdCopyImage", image_copy(extent=(16, 16, 9)), **IMAGES),
        error("vkCmdCopyImage", BEYOND_IMAGE)),
    "rows beyond a buffer": (
        recorded("vkCmdCopyBufferToImage", buffer_copy(row=HUGE), **TO_IMAGE),
        error("vkCmdCopyBufferToImage", BEYOND_BOTH)),
    "rows and images beyond what can be counted": (
        recorded("vkCmdCopyBufferToImage", buffer_copy(row=HUGE, height=HUGE), **TO_IMAGE),
        error("vkCmdCopyBufferToImage", BEYOND_BOTH)),
    "an image to beyond a buffer": (
        recorded("vkCmdCopyImageToBuffer", buffer_copy(offset=SIZE - 64), **TO_BUFFER),
        error("vkCmdCopyImageToBuffer", BEYOND_BOTH)),
    "a query far away": (
        recorded("vkCmdWriteTimestamp", pipelineStage=1, queryPool="queries", query=HUGE),
        error("vkCmdWriteTimestamp", "a query beyond its pool")),
    "queries that wrap": (
        recorded("vkCmdResetQueryPool", queryPool="queries", firstQuery=3, queryCount=0xffffffff),
        error("vkCmdResetQueryPool", POOL)),
    "results beyond a buffer": (
        recorded("vkCmdCopyQueryPoolResults", queryPool="queries", firstQuery=0, queryCount=4,
                 dstBuffer="buffer", dstOffset=0, stride=SIZE, flags=1),
        error("vkCmdCopyQueryPoolResults", "results beyond the buffer")),
    "viewports beyond the last one": (
        recorded("vkCmdSetViewport", data=bytes(24), pointer="pViewports", firstViewport=HUGE,
                 viewportCount=1),
        error("vkCmdSetViewport", "viewports beyond maxViewports")),
    "vertex buffers beyond the last one": (
        recorded("vkCmdBindVertexBuffers", firstBinding=HUGE, bindingCount=0),
        error("vkCmdBindVertexBuffers", "bindings beyond maxVertexInputBindings")),
    "draws beyond a buffer": (
        recorded("vkCmdDrawIndirect", buffer="buffer", offset=0, drawCount=3, stride=SIZE),
        error("vkCmdDrawIndirect", "draws beyond the buffer")),
    "indices beyond a buffer": (
        recorded("vkCmdBindIndexBuffer", buffer="buffer", offset=1 << 40, indexType=0),
        error("vkCmdBindIndexBuffer", "offset beyond its buffer")),
    "a buffer bound beyond memory": (
        called("vkBindBufferMemory", buffer="buffer", memory="memory", memoryOffset=1 << 40),
        error("vkBindBufferMemory", UNFIT)),
    "a buffer bound in front of memory": (
        called("vkBindBufferMemory", buffer="buffer", memory="memory", memoryOffset=(1 << 64) - SIZE),
        error("vkBindBufferMemory", UNFIT)),
    "an image bound beyond memory": (
        called("vkBindImageMemory", image="image", memory="memory", memoryOffset=SIZE),
        error("vkBindImageMemory", UNFIT)),
    "binding in a list beyond memory": (
        called("vkBindBufferMemory2", ("pBindInfos", lambda c: pack(
            "VkBindBufferMemoryInfo", sType="VK_STRUCTURE_TYPE_BIND_BUFFER_MEMORY_INFO",
            buffer=c.buffer, memory=c.memory, memoryOffset=64)), bindInfoCount=1),
        error("vkBindBufferMemory2", UNFIT, "VkBindBufferMemoryInfo")),
    "a flush beyond memory": (
        called("vkFlushMappedMemoryRanges", ("pMemoryRanges", lambda c: pack(
            "VkMappedMemoryRange", sType="VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE", memory=c.memory,
            offset=64, size=SIZE)), memoryRangeCount=1),
        error("vkFlushMappedMemoryRanges", "offset beyond its memory", "VkMappedMemoryRange")),
}


# ---- Not offered

def enabling(*extensions, chain=b""):
    def make_device(client):
        record = device_of(client, enabledExtensionCount=len(extensions))
        pointer = struct.unpack_from("<Q", record.bytes, record.argument("pCreateInfo"))[0]
        handle = record.bytes[-8:]
        del record.bytes[-8:]
        record.echo = 0
        info = vulkan().layout("VkDeviceCreateInfo")
        if extensions:
            names = record.put(pointer + info.offset("ppEnabledExtensionNames"),
                               bytes(8 * len(extensions)))
            for i, name in enumerate(extensions):
                record.put(names + 8 * i, name.encode() + b"\0")
        if chain:
            record.put(pointer + info.offset("pNext"), chain)
        record.put(record.argument("pDevice"), bytes(handle), back=True)
        return record
    return sent("open_device", make_device)


REFUSED_EXTENSION = error("vkCreateDevice", "enables an extension that is not offered", "refused")
ADDRESS = 0x414141414140


def host_copy_of_structure(client):
    """Of no structure: what is refused is not looked at further."""
    record = Record("vkCopyAccelerationStructureToMemoryKHR", device=client.device)
    stype = vulkan().number("VK_STRUCTURE_TYPE_COPY_ACCELERATION_STRUCTURE_TO_MEMORY_INFO_KHR")
    record.put(record.argument("pInfo"), struct.pack("<QQQQQ", stype, 0, 0, ADDRESS, 2))
    return record


REFUSED = {
    "a withheld extension": (enabling("VK_EXT_physical_device_drm"), REFUSED_EXTENSION),
    "an extension of instances": (enabling("VK_KHR_surface"), REFUSED_EXTENSION),
    "an extension that nobody knows": (enabling("VK_KHR_nothing"), REFUSED_EXTENSION),
    "host commands": (
        enabling(chain=pack(
            "VkPhysicalDeviceAccelerationStructureFeaturesKHR",
            sType="VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ACCELERATION_STRUCTURE_FEATURES_KHR",
            accelerationStructureHostCommands=1)),
        error("vkCreateDevice", "enables a feature that is not offered", "refused")),
    "a host address": (
        sent("open_device", host_copy_of_structure),
        error("vkCopyAccelerationStructureToMemoryKHR",
              "refused: host commands take host addresses")),
}


for label, cases, purpose in (
        ("bounds", BOUNDS, "Numbers that lead a driver on the CPU out of an object"),
        ("refused", REFUSED, "Extensions, features and host addresses that were not offered")):
    def refuse(context, cases=cases):
        server = context.enter(Server(context))
        run_cases(context, server, cases, Client)
        expect_serving(context, server)

    add(refuse, f"robust/enforced/{label}",
        f"{purpose} end that connection, each with its own line in the log", seconds=180)
