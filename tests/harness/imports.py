#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A client that imports the same shared memory again and again, each time as memory of its own: prints how
often the server lets it, out of 40 times, how often again when half of that has been freed, and what it says
then. Arguments: the build, the server's socket, a memory type that takes shared memory."""

import os
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from harness import setting
from harness.protocol import number
from harness.records import Client, Record, pack, vulkan

TIMES = 40
SIZE = 32 << 20


def allocate(client, shm, kind):
    """The allocation's id, and what vkAllocateMemory returned."""
    record = Record("vkAllocateMemory", device=client.device)
    at = record.put(record.argument("pAllocateInfo"), pack(
        "VkMemoryAllocateInfo", sType="VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO", allocationSize=SIZE,
        memoryTypeIndex=kind))
    record.put(at + vulkan().layout("VkMemoryAllocateInfo").offset("pNext"), pack(
        "VkImportMemoryHostPointerInfoEXT", sType="VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT",
        handleType="VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT",
        pHostPointer=shm << number("VD_SHM_POINTER_OFFSET_BITS")))
    memory = client.new("VkDeviceMemory")
    record.put(record.argument("pMemory"), struct.pack("<Q", memory), back=True)
    return memory, client.call(record)


def fill(client, shm, kind):
    """Until it is refused: the ids, and the refusal or 0."""
    made, result = [], 0
    while len(made) < TIMES and result == 0:
        memory, result = allocate(client, shm, kind)
        if result == 0:
            made.append(memory)
    return made, result


def main():
    build, path, kind = sys.argv[1:]
    setting.init(pathlib.Path(__file__).parent.parent.parent, build, False)
    with Client(path) as client:
        client.begin()
        client.open_device()
        shm, descriptor = client.blob(SIZE)
        os.close(descriptor)
        first, refusal = fill(client, shm, int(kind))
        for memory in first[:len(first) // 2]:
            client.call(Record("vkFreeMemory", device=client.device, memory=memory))
        again, _ = fill(client, shm, int(kind))
        print(f"{len(first)}, then {len(again)}, then {refusal}")


main()
