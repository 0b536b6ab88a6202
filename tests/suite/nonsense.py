# SPDX-License-Identifier: MIT
"""Clients that talk nonsense: on the socket, in the ring, and in well-framed records.

Each case names the line that the server has to write about it. So none passes because the connection
ended for another reason.
"""

import random
import re
import struct
import time

from harness import Server, add, process, test, wire
from harness.protocol import OPCODES, layout, number
from harness.records import CHUNKS, SHARED_SIZE, Client, Record, pack, vulkan

from .robust import expect_serving, expect_whole

NAMES = {opcode: name for name, opcode in OPCODES.items()}
RING_SIZE = wire.RING_DATA_OFFSET + wire.RING_DATA_SIZE
# What a record of the ring may not be a multiple of.
ODD = number("VD_ALIGN") - 1


def expect_refused(context, server, name, talk, *lines, client=wire.Peer):
    """What talk() sends ends the connection, the log says why with these lines (regular expressions) and
    no other, and the next client is served."""
    logged = len(server.log())
    with client(server.socket) as peer:
        try:
            talk(peer)
        except wire.Closed:
            pass
        context.check(peer.closed(10), f"{name}: the connection stays open")
    wanted = list(lines)

    def complaints():
        found = re.findall(r"^viaduct-server: (?:warning|error): client \d+(?: \([^)]*\))?: (.*)$",
                           server.log()[logged:], re.MULTILINE)
        return [line for line in found if line != "connection ended"]

    process.wait_until(lambda: len(complaints()) >= len(wanted), 5)
    found = complaints()
    context.check(len(found) == len(wanted) and all(map(re.fullmatch, wanted, found)),
                  f"{name}: the log says {found}, not {wanted}")
    expect_whole(context, server)
    with Client(server.socket) as other:
        other.begin()
        other.open_instance()


def run_cases(context, server, cases, client=wire.Peer):
    for name, (talk, *lines) in cases.items():
        context.note(name)
        expect_refused(context, server, name, talk, *lines, client=client)


# ---- On the socket

def introduced(command, *rest):
    def talk(peer):
        peer.introduce()
        peer.message(command, *rest)
    return talk


def at_context(message):
    def talk(peer):
        peer.reach_context()
        message(peer)
    return talk


def huge_blob(peer):
    made, _ = peer.blob(1 << 62)
    assert made == 0, "a blob of 4 EiB was made"
    peer.message(99)


def submit(command, batch_count=1, **members):
    return at_context(lambda peer: peer.message(
        wire.SUBMIT_CMD2, wire.submission(command, batch_count, **members)))


SETUP = wire.record(wire.OP_SETUP, layout("vd_setup").pack(protocol_version=wire.PROTOCOL))
SETUP_DWORDS = len(SETUP) // 4
# Where the command of a submission begins.
FIRST_DWORD = (len(wire.submission(b"")) + 3) // 4


def bad_submission(size=SETUP_DWORDS, offset=FIRST_DWORD, flags="0"):
    return rf"protocol error: a submission of {size} dwords at dword {offset}, flags {flags}, in a message of \d+ bytes"


def setup_with(ring_size, completion_size):
    def talk(peer):
        ring, _ = peer.blob(ring_size)
        completion, _ = peer.blob(completion_size)
        peer.message(wire.SUBMIT_CMD2, peer.setup_payload(ring, completion))
    return at_context(talk)


def setup_twice(peer):
    peer.reach_ring()
    ring, _ = peer.blob(RING_SIZE)
    peer.message(wire.SUBMIT_CMD2, peer.setup_payload(ring, ring))


SOCKET = {
    "random bytes": (lambda peer: peer.send(random.Random(1).randbytes(4096)),
                     r"protocol error: unknown vtest message \d+ of length \d+"),
    "zeros": (lambda peer: peer.send(bytes(4096)),
              r"protocol error: unknown vtest message 0 of length 0"),
    "no introduction": (lambda peer: peer.message(wire.PROTOCOL_VERSION, bytes(4)),
                        r"protocol error: PROTOCOL_VERSION out of order"),
    "a huge introduction": (lambda peer: peer.message(wire.CREATE_RENDERER, b"x", 0xffffffff),
                            r"protocol error: CREATE_RENDERER with 4294967295 bytes"),
    "an introduction above the limit": (
        lambda peer: peer.message(wire.CREATE_RENDERER, b"x", wire.PAYLOAD_MAX + 1),
        rf"protocol error: CREATE_RENDERER with {wire.PAYLOAD_MAX + 1} bytes"),
    "two introductions": (lambda peer: (peer.introduce(), peer.introduce()),
                          r"protocol error: CREATE_RENDERER out of order"),
    "an unknown message": (introduced(77, bytes(8)),
                           r"protocol error: unknown vtest message 77 of length 2"),
    "an old message": (introduced(1, bytes(8)),
                       r"protocol error: unknown vtest message 1 of length 2"),
    "a huge length": (introduced(wire.GET_CAPSET, bytes(8), 0xffffffff),
                      r"protocol error: GET_CAPSET with 17179869180 bytes"),
    "a length that wraps": (
        at_context(lambda peer: peer.message(wire.SUBMIT_CMD2, bytes(8), 0x40000009)),
        r"protocol error: SUBMIT_CMD2 with 4294967332 bytes"),
    "too long a payload": (introduced(wire.PROTOCOL_VERSION, bytes(8)),
                           r"protocol error: PROTOCOL_VERSION with 8 bytes"),
    "no payload": (introduced(wire.PROTOCOL_VERSION),
                   r"protocol error: PROTOCOL_VERSION with 0 bytes"),
    "a busy resource": (introduced(wire.RESOURCE_BUSY_WAIT, struct.pack("=II", 5, 0)),
                        r"protocol error: a wait for resource 5"),
    "memory before a context": (lambda peer: (peer.introduce(), peer.blob(4096)),
                                r"protocol error: RESOURCE_CREATE_BLOB out of order"),
    "another capset's context": (
        lambda peer: (peer.introduce(), peer.context(4)),
        rf"protocol error: a context for capset 4; only Viaduct's, {wire.CAPSET_ID}, is offered"),
    "two contexts": (at_context(lambda peer: peer.context()), r"protocol error: a second context"),
    "a blob of the host": (at_context(lambda peer: peer.blob(4096, kind=2)),
                           r"protocol error: a blob of type 2, flags 0x3"),
    "a blob with strange flags": (at_context(lambda peer: peer.blob(4096, flags=0xffffffff)),
                                  r"protocol error: a blob of type 1, flags 0xffffffff"),
    "a blob with an id": (at_context(lambda peer: peer.blob(4096, blob_id=1 << 40)),
                          r"protocol error: a blob of type 1, flags 0x3"),
    "a huge blob": (at_context(huge_blob), r"no shared memory of 4611686018427387904 bytes: .*",
                    r"protocol error: unknown vtest message 99 of length 0"),
    "an unknown resource": (
        at_context(lambda peer: peer.message(wire.RESOURCE_UNREF, struct.pack("=I", 12345))),
        r"protocol error: there is no resource 12345 to release"),
    "an unknown descriptor": (
        at_context(lambda peer: peer.message(wire.TAKE_FD, struct.pack("=I", 12345))),
        r"protocol error: there is no descriptor 12345 to take"),
    "no batches": (submit(SETUP, 0), r"protocol error: a submission of 0 batches"),
    "a million batches": (submit(SETUP, 1 << 20), r"protocol error: a submission of 1048576 batches"),
    "batches that wrap": (submit(SETUP, 1 << 29), r"protocol error: a submission of 536870912 batches"),
    "a batch outside the message": (submit(SETUP, cmd_offset=1 << 20),
                                    bad_submission(offset=1 << 20)),
    "an offset that wraps": (submit(SETUP, cmd_offset=0xfffffffa),
                             bad_submission(offset=0xfffffffa)),
    "a batch over its own header": (submit(SETUP, cmd_offset=0), bad_submission(offset=0)),
    "a size that wraps": (submit(SETUP, cmd_size=0xffffffff), bad_submission(size=0xffffffff)),
    "a batch that waits": (submit(SETUP, flags=4), bad_submission(flags="0x4")),
    "a submission of zeros": (submit(bytes(len(SETUP))),
                              r"protocol error: record 0 of 0 bytes instead of the set-up"),
    "another record than the set-up": (
        submit(wire.record(wire.OP_NOP, bytes(layout("vd_setup").size))),
        rf"protocol error: record 0 of {len(SETUP)} bytes instead of the set-up"),
    "a set-up without memory": (
        at_context(lambda peer: peer.message(wire.SUBMIT_CMD2, peer.setup_payload(0, 0))),
        r"protocol error: shared memory 0 can not hold the completion page"),
    "a set-up of another version": (
        at_context(lambda peer: peer.message(wire.SUBMIT_CMD2, peer.setup_payload(1, 2, 77))),
        rf"the client speaks Viaduct protocol 77, this server {wire.PROTOCOL}"),
    "too small a ring": (setup_with(RING_SIZE - 4096, wire.COMPLETION_SIZE),
                         r"protocol error: shared memory 1 can not hold the ring"),
    "no ring but a completion page": (
        at_context(lambda peer: peer.message(
            wire.SUBMIT_CMD2, peer.setup_payload(9999, peer.blob(wire.COMPLETION_SIZE)[0]))),
        r"protocol error: shared memory 9999 can not hold the ring"),
    "two set-ups": (setup_twice, r"protocol error: a second set-up"),
}


# ---- In the ring

def in_ring(data, tail=None):
    def talk(peer):
        peer.reach_ring()
        peer.produce(data, tail)
    return talk


def tail_that_returns(peer):
    peer.reach_ring()
    peer.produce(wire.record(wire.OP_NOP, bytes(24)))
    assert process.wait_until(lambda: peer.head() == peer.tail, 5), "a NOP is not consumed"
    peer.produce(b"", tail=8)


def bad_size(size, available, opcode=r"\d+"):
    return rf"protocol error: record {opcode} has a size of {size} bytes where {available} are in the ring"


def indirect(size, body=None, flags=0, offset=0, inner=b"", shm=None):
    """A record that stands for one of `size` bytes in other shared memory, where `inner` lies."""
    def talk(peer):
        peer.begin()
        peer.shared[0:len(inner)] = inner
        peer.produce(wire.record(OPCODES["INDIRECT"], body or layout("vd_indirect").pack(
            shm=peer.shm if shm is None else shm, size=size, offset=offset), flags))
    return talk


UNKNOWN = 0xffff

RING = {
    "random bytes": (in_ring(random.Random(2).randbytes(4096)), bad_size(r"\d+", 4096)),
    "zeros": (in_ring(bytes(64)), bad_size(0, 64, 0)),
    "a record of no size": (in_ring(wire.record(70, bytes(24), size=0)), bad_size(0, 32, 70)),
    "a record beyond the tail": (in_ring(wire.record(70, bytes(24), size=4096)),
                                 bad_size(4096, 32, 70)),
    "a record of 4 GiB": (in_ring(wire.record(70, bytes(24), size=0xfffffff8)),
                          bad_size(0xfffffff8, 32, 70)),
    "a record of odd size": (in_ring(wire.record(70, bytes(24), size=24 + ODD)),
                             bad_size(24 + ODD, 32, 70)),
    "an unknown opcode": (in_ring(wire.record(UNKNOWN, bytes(24))),
                          rf"protocol error: no command has the number {UNKNOWN}"),
    "the first opcode that is not given": (
        in_ring(wire.record(max(NAMES) + 1, bytes(24))),
        rf"protocol error: no command has the number {max(NAMES) + 1}"),
    "a set-up": (in_ring(wire.record(wire.OP_SETUP, bytes(16))),
                 r"protocol error: a second set-up, in the ring"),
    "a tail far away": (in_ring(bytes(8), tail=1 << 60),
                        rf"protocol error: the ring's tail {1 << 60} does not fit its head 0"),
    "a tail one record too far": (
        in_ring(bytes(8), tail=wire.RING_DATA_SIZE + 8),
        rf"protocol error: the ring's tail {wire.RING_DATA_SIZE + 8} does not fit its head 0"),
    "a tail that returns": (tail_that_returns,
                            r"protocol error: the ring's tail 8 does not fit its head 32"),
    "an odd tail": (in_ring(wire.record(wire.OP_NOP, bytes(8)), tail=13),
                    r"protocol error: 13 bytes in the ring are no whole records"),
    "a command before an instance": (
        in_ring(wire.record(OPCODES["vkCreateBuffer"], bytes(24))),
        r"protocol error: vkCreateBuffer: before vkCreateInstance"),
    "a command that belongs into a stream": (
        in_ring(wire.record(OPCODES["vkCmdDraw"], bytes(24))),
        r"protocol error: vkCmdDraw: outside of a stream"),
}

NOP = wire.record(wire.OP_NOP, bytes(24))
INDIRECT = {
    "no description": (indirect(32, body=bytes(8)), r"protocol error: an indirect record of 16 bytes"),
    "flags": (indirect(32, flags=1), r"protocol error: an indirect record of 24 bytes"),
    "an odd size": (indirect(33), r"protocol error: an indirect record for 33 bytes"),
    "too small a size": (indirect(0), r"protocol error: an indirect record for 0 bytes"),
    "too large a size": (indirect(number("VD_RECORD_MAX") + 8),
                         rf"protocol error: an indirect record for {number('VD_RECORD_MAX') + 8} bytes"),
    "an odd offset": (indirect(32, offset=4), r"protocol error: an indirect record for 32 bytes"),
    "more than there is": (indirect(SHARED_SIZE, offset=8),
                           r"protocol error: an indirect record outside of shared memory \d+"),
    "an offset that wraps": (indirect(32, offset=(1 << 64) - 8),
                             r"protocol error: an indirect record outside of shared memory \d+"),
    "memory that is not there": (indirect(32, shm=9999),
                                 r"protocol error: an indirect record outside of shared memory 9999"),
    "another size inside": (indirect(40, inner=wire.record(70, bytes(24))),
                            r"protocol error: an indirect record for record 70 of 32 bytes"),
    "nothing inside": (indirect(32, inner=NOP),
                       r"protocol error: an indirect record for record 0 of 32 bytes"),
    "itself inside": (
        indirect(32, inner=wire.record(OPCODES["INDIRECT"], bytes(24))),
        rf"protocol error: an indirect record for record {OPCODES['INDIRECT']} of 32 bytes"),
}


# ---- In records of Vulkan's commands

def sent(opened, make):
    """A client that has come as far as `opened` sends the record that make(client) makes."""
    def talk(client):
        client.begin()
        getattr(client, opened)()
        client.post(make(client))
    return talk


def changed(record, where, value, letter="Q"):
    record.set(where, value, letter)
    return record


def pointer(record, name):
    """Where the bytes lie that an argument points to."""
    return struct.unpack_from("<Q", record.bytes, record.argument(name))[0]


def buffer(client):
    return client.create_buffer(client.new("VkBuffer"))


def cut(record, count=8):
    """The record without its last bytes, of which none returns."""
    del record.bytes[-count:]
    record.echo = 0
    return record


def longer(record):
    record.bytes += bytes(8)
    return record


def device_of(client, **changes):
    return client.create_device(client.new("VkDevice"), **changes)


def foreign_chain(client):
    return device_of(client, chain=pack("VkBufferCreateInfo",
                                        sType="VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO"))


def short_chain(client):
    """A struct that belongs there, of which only the beginning does."""
    record = device_of(client)
    info = pointer(record, "pCreateInfo")
    pointee = record.bytes[-8:]
    cut(record)
    features = pack("VkPhysicalDeviceVulkan12Features",
                    sType="VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES")
    record.put(info + vulkan().layout("VkDeviceCreateInfo").offset("pNext"), features[:16])
    record.bytes += pointee
    return record


def text_without_end(client):
    record = device_of(client, enabledExtensionCount=1)
    info = pointer(record, "pCreateInfo")
    cut(record)
    names = record.put(info + vulkan().layout("VkDeviceCreateInfo").offset("ppEnabledExtensionNames"),
                       bytes(8))
    record.put(names, b"VK_KHR_x")
    return record


def stale_buffer(client):
    destroy = Record("vkDestroyBuffer", _reply=False, device=client.device, buffer=client.buffer)
    client.post(destroy)
    return client.requirements(client.buffer)


def buffer_elsewhere(client):
    """A buffer of one device in a command for another one."""
    other = client.new("VkDevice")
    client.create(client.create_device(other))
    record = client.requirements(client.buffer)
    return changed(record, record.argument("device"), other)


def reply_changed(client, **changes):
    """Bytes of a valid record, but for where its reply is to go."""
    data = bytearray(client.requirements(client.buffer).finished(client.shm))
    request = layout("vd_reply_request")
    at = layout("vd_record").size
    values = {**request.unpack(data[at:at + request.size]), **changes}
    data[at:at + request.size] = request.pack(**values)
    return bytes(data)


def info_of(client):
    return pointer(buffer(client), "pCreateInfo")


def draw(**arguments):
    return Record("vkCmdDraw", _reply=False, **arguments)


COMMANDS = {
    # Sizes.
    "arguments that are cut short": (
        sent("open_device", lambda c: cut(c.requirements(getattr(c, "buffer", 0)), 8)),
        r"protocol error: vkGetBufferMemoryRequirements: arguments that are cut short"),
    "a pointee that is cut short": (
        sent("open_device", lambda c: cut(buffer(c), 16)),
        r"protocol error: vkCreateBuffer: vkCreateBuffer\.pCreateInfo: reaches beyond the record"),
    "no room for the id": (
        sent("open_device", lambda c: cut(buffer(c), 8)),
        r"protocol error: vkCreateBuffer: vkCreateBuffer\.pBuffer: reaches beyond the record"),
    "bytes that nothing points to": (
        sent("open_device", lambda c: longer(buffer(c))),
        r"protocol error: vkCreateBuffer: more bytes than its arguments need"),
    "a count that leads beyond the record": (
        sent("open_device", lambda c: device_of(c, queueCreateInfoCount=2)),
        r"protocol error: vkCreateDevice: VkDeviceCreateInfo\.pQueueCreateInfos: reaches beyond the record"),
    "a count that wraps": (
        sent("open_device", lambda c: device_of(c, queueCreateInfoCount=1 << 31)),
        r"protocol error: vkCreateDevice: VkDeviceCreateInfo\.pQueueCreateInfos: reaches beyond the record"),
    "a text without end": (
        sent("open_device", text_without_end),
        r"protocol error: vkCreateDevice: VkDeviceCreateInfo\.ppEnabledExtensionNames: text without end"),
    # Pointers.
    "a pointer that skips bytes": (
        sent("open_device", lambda c: changed(longer(buffer(c)), buffer(c).argument("pBuffer"),
                                              len(buffer(c).bytes))),
        r"protocol error: vkCreateBuffer: vkCreateBuffer\.pBuffer: a pointer that is not canonical"),
    "two pointers to the same": (
        sent("open_device", lambda c: changed(buffer(c), buffer(c).argument("pBuffer"), info_of(c))),
        r"protocol error: vkCreateBuffer: vkCreateBuffer\.pBuffer: a pointer that is not canonical"),
    "a pointer to its own record": (
        sent("open_device", lambda c: changed(buffer(c), buffer(c).argument("pCreateInfo"), 8)),
        r"protocol error: vkCreateBuffer: vkCreateBuffer\.pCreateInfo: a pointer that is not canonical"),
    "an address": (
        sent("open_device", lambda c: changed(buffer(c), buffer(c).argument("pCreateInfo"),
                                              0x7fff12345678)),
        r"protocol error: vkCreateBuffer: vkCreateBuffer\.pCreateInfo: a pointer that is not canonical"),
    "NULL where something must be": (
        sent("open_device", lambda c: changed(buffer(c), buffer(c).argument("pCreateInfo"), 0)),
        r"protocol error: vkCreateBuffer: vkCreateBuffer\.pCreateInfo: NULL"),
    "output that is not canonical": (
        sent("open_buffer", lambda c: changed(
            c.requirements(getattr(c, "buffer", 0)), c.requirements(getattr(c, "buffer", 0)).argument("pMemoryRequirements"),
            number("VD_POINTER_OUT") | 8)),
        r"protocol error: vkGetBufferMemoryRequirements: vkGetBufferMemoryRequirements"
        r"\.pMemoryRequirements: an output pointer that is not canonical"),
    # Structs.
    "another sType": (
        sent("open_device", lambda c: changed(buffer(c), info_of(c), 1, "i")),
        r"protocol error: vkCreateBuffer: VkBufferCreateInfo\.sType"),
    "a chain of what does not belong there": (
        sent("open_device", foreign_chain),
        r"protocol error: vkCreateDevice: VkDeviceCreateInfo\.pNext: a struct that does not belong there"),
    "a chain that is cut short": (
        sent("open_device", short_chain),
        r"protocol error: vkCreateDevice: VkDeviceCreateInfo\.pNext: reaches beyond the record"),
    # Handles.
    "a handle of nothing": (
        sent("open_buffer", lambda c: c.requirements(c.new("VkBuffer"))),
        r"protocol error: vkGetBufferMemoryRequirements: vkGetBufferMemoryRequirements\.buffer: no such object"),
    "a stale handle": (
        sent("open_buffer", stale_buffer),
        r"protocol error: vkGetBufferMemoryRequirements: vkGetBufferMemoryRequirements\.buffer: no such object"),
    "a handle of the next generation": (
        sent("open_buffer", lambda c: c.requirements(c.new("VkBuffer", 2, c.index))),
        r"protocol error: vkGetBufferMemoryRequirements: vkGetBufferMemoryRequirements\.buffer: no such object"),
    "a handle of another type": (
        sent("open_buffer", lambda c: c.requirements(c.queue)),
        r"protocol error: vkGetBufferMemoryRequirements: vkGetBufferMemoryRequirements\.buffer: no such object"),
    "a handle of another device's": (
        sent("open_buffer", buffer_elsewhere),
        r"protocol error: vkGetBufferMemoryRequirements: vkGetBufferMemoryRequirements\.buffer: no such object"),
    "a device that is none": (
        sent("open_buffer", lambda c: changed(c.requirements(getattr(c, "buffer", 0)),
                                              c.requirements(getattr(c, "buffer", 0)).argument("device"), c.buffer)),
        r"protocol error: vkGetBufferMemoryRequirements: VkDevice: no such object"),
    "an id that is taken": (
        sent("open_buffer", lambda c: c.create_buffer(c.buffer)),
        r"protocol error: vkCreateBuffer: vkCreateBuffer\.pBuffer: an id that can not be given"),
    "an id of another type": (
        sent("open_device", lambda c: c.create_buffer(c.new("VkImage"))),
        r"protocol error: vkCreateBuffer: vkCreateBuffer\.pBuffer: an id that can not be given"),
    "an id with index 0": (
        sent("open_device", lambda c: c.create_buffer(c.new("VkBuffer", index=0))),
        r"protocol error: vkCreateBuffer: vkCreateBuffer\.pBuffer: an id that can not be given"),
    "a second instance": (
        sent("open_instance", lambda c: c.create_instance(c.new("VkInstance"))),
        r"protocol error: vkCreateInstance: a second instance"),
    # Replies.
    "a reply outside of shared memory": (
        sent("open_buffer", lambda c: reply_changed(c, offset=SHARED_SIZE - 16)),
        r"protocol error: vkGetBufferMemoryRequirements: a reply outside of shared memory"),
    "a reply in memory that is not there": (
        sent("open_buffer", lambda c: reply_changed(c, shm=9999)),
        r"protocol error: vkGetBufferMemoryRequirements: a reply outside of shared memory"),
    "a reply at an odd offset": (
        sent("open_buffer", lambda c: reply_changed(c, offset=4)),
        r"protocol error: vkGetBufferMemoryRequirements: a reply request that makes no sense"),
    "an echo from beyond the record": (
        sent("open_buffer", lambda c: reply_changed(c, echo=4096)),
        r"protocol error: vkGetBufferMemoryRequirements: a reply request that makes no sense"),
    "more output than is asked for": (
        sent("open_buffer", lambda c: reply_changed(c, out_size=64)),
        r"protocol error: vkGetBufferMemoryRequirements: more output area than its arguments need"),
    "no output area": (
        sent("open_buffer", lambda c: reply_changed(c, out_size=0)),
        r"protocol error: vkGetBufferMemoryRequirements: vkGetBufferMemoryRequirements"
        r"\.pMemoryRequirements: reaches beyond the output area"),
    # Records of Viaduct's own.
    "a queue's place that is taken": (
        sent("open_device", lambda c: c.get_queue(c.new("VkQueue"))),
        r"protocol error: GET_QUEUE: a slot that can not be given"),
    "a queue's place that there is not": (
        sent("open_device", lambda c: c.get_queue(c.new("VkQueue"), slot=number("VD_QUEUE_MAX"))),
        r"protocol error: GET_QUEUE: a slot that there is not"),
    "a fence of no queue": (
        sent("open_device", lambda c: wire.record(
            OPCODES["SIGNAL_FENCE"], layout("vd_signal_fence").pack(queue=c.device, number=1))),
        r"protocol error: SIGNAL_FENCE: no such queue"),
    "no semaphore": (
        sent("open_device", lambda c: wire.record(
            OPCODES["SIGNAL_SEMAPHORE"], layout("vd_signal_semaphore").pack(semaphore=c.device))),
        r"protocol error: SIGNAL_SEMAPHORE: VkSemaphore: no such object"),
    "an update that is cut short": (
        sent("open_device", lambda c: wire.record(
            OPCODES["UPDATE_DESCRIPTORS"], struct.pack("<QQ", c.device, 0))),
        r"protocol error: UPDATE_DESCRIPTORS: an update that is cut short"),
    # Streams.
    "a stream of no command buffer": (
        sent("open_command_buffer", lambda c: c.stream(c.begin_recording(), command_buffer=c.pool)),
        r"protocol error: STREAM: VkCommandBuffer: no such object"),
    "a stream that is empty": (
        sent("open_command_buffer", lambda c: c.stream()), r"protocol error: STREAM: empty"),
    "a stream without beginning": (
        sent("open_command_buffer", lambda c: c.stream(draw())),
        r"protocol error: vkCmdDraw: does not begin the stream"),
    "a stream that begins twice": (
        sent("open_command_buffer", lambda c: c.stream(c.begin_recording(), c.begin_recording())),
        r"protocol error: vkBeginCommandBuffer: in the middle of a stream"),
    "a stream with another command": (
        sent("open_command_buffer", lambda c: c.stream(c.begin_recording(), wire.record(
            OPCODES["vkCreateBuffer"], bytes(24)))),
        r"protocol error: vkCreateBuffer: inside a stream"),
    "a stream that asks for a reply": (
        sent("open_command_buffer", lambda c: c.stream(c.begin_recording(), wire.record(
            OPCODES["vkCmdDraw"], bytes(32), flags=1))),
        r"protocol error: vkCmdDraw: asks for a reply inside a stream"),
    "a record of a stream that is cut short": (
        sent("open_command_buffer", lambda c: c.stream(c.begin_recording(), wire.record(
            OPCODES["vkCmdDraw"], bytes(16), size=4096))),
        r"protocol error: STREAM: a record that is cut short"),
    "arguments of a stream that are cut short": (
        sent("open_command_buffer", lambda c: c.stream(c.begin_recording(), cut(draw()))),
        r"protocol error: vkCmdDraw: arguments that are cut short"),
    "a chunk outside of shared memory": (
        sent("open_command_buffer", lambda c: c.stream(c.begin_recording(),
                                                       size=SHARED_SIZE - CHUNKS + 8)),
        r"protocol error: STREAM: a chunk outside of shared memory"),
    "a chunk of no memory": (
        sent("open_command_buffer", lambda c: c.stream(c.begin_recording(), shm=9999)),
        r"protocol error: STREAM: a chunk outside of shared memory"),
    "a chunk that is not aligned": (
        sent("open_command_buffer", lambda c: c.stream(c.begin_recording(), offset=CHUNKS + 4)),
        r"protocol error: STREAM: a chunk that is not aligned"),
    "chunks of more than a record": (
        sent("open_command_buffer", lambda c: c.stream(c.begin_recording(),
                                                       size=number("VD_RECORD_MAX") + 8)),
        r"protocol error: STREAM: too many bytes"),
}


# ---- Records with correct framing and senseless content

def random_records(seed):
    numbers = random.Random(seed)
    records = []
    while sum(map(len, records)) < 2048:
        body = numbers.randbytes(8 * numbers.randrange(1, 20))
        records.append(wire.record(numbers.randrange(2, max(NAMES) + 100), body,
                                   numbers.randrange(2)))
    return records


def complaint_about(record):
    """What the server says of a record whose content is senseless: it names the command."""
    opcode = layout("vd_record").unpack(record)["opcode"]
    if opcode == OPCODES["INDIRECT"]:
        return r"protocol error: an indirect record .*"
    name = NAMES.get(opcode)
    unknown = rf"protocol error: no command has the number {opcode}"
    return rf"(protocol error: {name}: .*|{unknown})" if name else unknown


def random_case(seed, opened):
    records = random_records(seed)

    def talk(client):
        client.begin()
        if opened:
            getattr(client, opened)()
        client.produce(b"".join(records))
    return talk, complaint_about(records[0])


RANDOM = {f"random records {seed} {opened or ''}": random_case(seed, opened)
          for seed in range(20) for opened in (None, "open_device")}

# Label: cases, the client that plays them, purpose. tests/mutations.py breaks the server for some of them.
GROUPS = {
    "socket": (SOCKET, wire.Peer, "Garbage, truncated and oversized messages"),
    "ring": (RING, wire.Peer, "Garbage in the control ring"),
    "indirect": (INDIRECT, Client, "Records that stand for records elsewhere, and for none"),
    "commands": (COMMANDS, Client, "Commands with sizes, pointers, structs and handles that lie"),
    "random": (RANDOM, Client, "Records with correct framing and senseless content"),
}

for label, (cases, client, purpose) in GROUPS.items():
    def refuse(context, cases=cases, client=client):
        server = context.enter(Server(context))
        run_cases(context, server, cases, client)
        expect_serving(context, server)

    add(refuse, f"robust/nonsense/{label}",
        f"{purpose} end that connection, each with its own line in the log", seconds=180)


@test("robust/nonsense/version")
def version(context):
    """tests/harness/wire.py was written for the protocol that the header names"""
    context.check(wire.VIADUCT_VERSION == wire.PROTOCOL,
                  f"protocol/record.h says {wire.PROTOCOL}: see what changed, and what of it "
                  f"harness/wire.py has to do, which says {wire.VIADUCT_VERSION}")


@test("robust/every-length", seconds=120)
def every_length(context):
    """Messages that stop after every possible byte, and then the client hangs up"""
    server = context.enter(Server(context, level="warning"))
    whole = (struct.pack("=II", 5, wire.CREATE_RENDERER) + b"name\0" +
             struct.pack("=II", 0, wire.PING_PROTOCOL_VERSION) +
             struct.pack("=III", 1, wire.PROTOCOL_VERSION, wire.VTEST_VERSION) +
             struct.pack("=IIII", 2, wire.GET_CAPSET, wire.CAPSET_ID, wire.PROTOCOL))
    for size in range(len(whole) + 1):
        with wire.Peer(server.socket) as peer:
            peer.send(whole[:size])
    context.check(process.wait_until(lambda: not server.workers(), 10),
                  "workers wait for the rest of a message from nobody")
    expect_whole(context, server)
    expect_serving(context, server)


@test("robust/slow-client")
def slow_client(context):
    """Messages that come byte by byte, or all at once, are understood"""
    server = context.enter(Server(context))
    whole = (struct.pack("=II", 5, wire.CREATE_RENDERER) + b"slow\0" +
             struct.pack("=II", 0, wire.PING_PROTOCOL_VERSION) +
             struct.pack("=IIII", 2, wire.RESOURCE_BUSY_WAIT, 0, 0) +
             struct.pack("=III", 1, wire.PROTOCOL_VERSION, wire.VTEST_VERSION))
    for pause in (0.002, None):
        with wire.Peer(server.socket) as peer:
            if pause is None:
                peer.send(whole)
            else:
                for byte in whole:
                    peer.send(bytes([byte]))
                    time.sleep(pause)
            context.check(peer.answer(wire.PING_PROTOCOL_VERSION) == b"", "the ping's answer")
            context.check(peer.answer(wire.RESOURCE_BUSY_WAIT) == bytes(4), "the wait's answer")
            context.check(peer.answer(wire.PROTOCOL_VERSION) == struct.pack("=I", wire.VTEST_VERSION),
                          "the version's answer")
            valid, _ = peer.capset(capset_id=4)
            context.check(valid == 0, "the server offers Venus")


