# SPDX-License-Identifier: MIT
"""A driver with faults, which a layer brings: commands that take long, that lack memory, that lose the device."""

import os
import random
import re
import signal
import struct
import time

from harness import Server, build_path, native_environment, png, process, setting, test

from .layers import run


class Faults:
    """A driver with the layer of faults, and the file that tells it which (tests/layer/faults.h)."""
    NAME = "VK_LAYER_VIADUCT_faults"

    def __init__(self, context, driver=None):
        self.file = context.path / "faults"
        self.file.write_bytes(bytes(4096))
        self.environment = {**native_environment(driver, VK_INSTANCE_LAYERS=self.NAME,
                                                 VK_LAYER_PATH=build_path() / "tests/layer"),
                            "VIADUCT_FAULTS": self.file}

    def server(self, context):
        """A server on that driver, which may write to the file, and the environment of its clients."""
        server = self.start(context)
        return {**server.client_environment(), "VIADUCT_FAULTS": self.file}

    def start(self, context, *options):
        return context.enter(Server(context, "--sandbox", "off", *options, environment=self.environment))

    def slow(self, command, ms):
        """Each call of the command sleeps first."""
        with open(self.file, "r+b") as file:
            file.write(command.encode().ljust(self.SLOW_MS, b"\0"))
        self.set(self.SLOW_MS, ms)

    # Offsets in struct faults.
    SLOW_MS, ONE_IN, SEED, REFUSED, LOSE_ONE_IN, LOST, INSTANCES, SPARED = 64, 72, 76, 84, 152, 156, 160, 164

    def set(self, offset, value):
        with open(self.file, "r+b") as file:
            file.seek(offset)
            file.write(struct.pack("=I", value))

    def get(self, offset):
        return struct.unpack_from("=I", self.file.read_bytes(), offset)[0]


@test("refusals/poisoned")
def poisoned(context):
    """Whoever uses what the host refused to make is told that there was no memory; nothing is lost"""
    run(context, Faults(context).server(context), "through", "refusals", "poisoned")


@test("refusals/round-trips")
def round_trips(context):
    """Creations of an ordinary size wait for no answer, and what may be refused does"""
    server = context.enter(Server(context))
    environment = {**server.client_environment(), "VIADUCT_DEBUG": "stats"}
    ordinary = context.succeed([build_path() / "tests/scene", "textured", context.path / "scene.png"],
                               environment, "ordinary")
    unusual = context.succeed([build_path() / "tests/refusals"], environment, "unusual")
    for command in ("vkCreateBuffer", "vkCreateImage", "vkCreateDescriptorSetLayout",
                    "vkCreateDescriptorPool", "vkCreateShaderModule", "vkAllocateCommandBuffers"):
        found = re.search(rf"{command}: calls=([1-9]\d*) round_trips=(\d+)", ordinary.err)
        context.check(found, f"no {command} in the statistics")
        context.check(found[2] == "0", f"{found[0]} of an ordinary size")
    for command, count in (("vkCreateBuffer", 6), ("vkCreateImage", 8), ("vkCreateDescriptorPool", 1)):
        # More behind one that was refused.
        found = re.search(rf"{command}: calls=\d+ round_trips=(\d+)", unusual.err)
        context.check(found and int(found[1]) >= count, f"not {count} round trips of {command}: {found}")


@test("refusals/freed")
def freed(context):
    """What was freed can be allocated again at once, although nobody waits for its end"""
    run(context, native_environment(), "native", "freed")
    server = context.enter(Server(context, "--max-shared-memory", "112"))
    environment = {**server.client_environment(), "VIADUCT_DEBUG": "stats"}
    said = context.succeed([build_path() / "tests/freed"], environment, "through").err
    found = re.search(r"vkFreeMemory: calls=(\d+) round_trips=(\d+)", said)
    context.check(found and int(found[2]) < int(found[1]) / 2, f"it waits: {found}")


@test("refusals/freed-by-another")
def freed_by_another(context):
    """Each of several threads gets its part of what one has freed, though the server has not come to that"""
    faults = Faults(context)
    run(context, native_environment(), "native", "freed", "threads")
    server = faults.start(context, "--max-shared-memory", "560")
    faults.slow("vkFreeMemory", 1)
    run(context, server.client_environment(), "through", "freed", "threads")


@test("refusals/freed-behind-copies")
def freed_behind_copies(context):
    """A copy to an image that the server has not come to writes to nothing that is there once the memory is freed"""
    faults = Faults(context)
    run(context, native_environment(), "native", "freed", "copies")
    server = faults.start(context)
    faults.slow("vkCopyMemoryToImage", 2)
    run(context, server.client_environment(), "through", "freed", "copies")


def check_beside(context, driver):
    faults = Faults(context, driver)
    run(context, faults.environment, "native", "beside")
    run(context, faults.server(context), "through", "beside")


@test("beside/lavapipe", seconds=180)
def beside(context):
    """While one thread is in a call that takes long, of each kind, the others' calls do not wait"""
    check_beside(context, None)


@test("beside/swiftshader", seconds=180)
def beside_swiftshader(context):
    """The same on SwiftShader"""
    check_beside(context, setting.swiftshader())


# A busy machine makes calls long, natively and through Viaduct; a ring that waits does so each time.
TRIES = 8


def longest_calls(context, environment, name, *commands):
    """The other thread's longest call during each command: ms, and which one; None where nobody was asked."""
    said = context.succeed([build_path() / "tests/waits", *commands], environment, name).out
    found = re.findall(r"^(vk\w+): (?:([\d.]+) ms in (\w+)|nobody was asked)$", said, re.MULTILINE)
    return {command: (float(ms), call) if ms else None for command, ms, call in found}


def check_frames(context, driver):
    """No call takes more than twice as long as the longest natively, whatever another thread waits for. Returns
    for which commands that was tried. The numbers are in a table beside the log, the best of each command."""
    faults = Faults(context, driver)
    through = faults.server(context)
    native, best, slow = {}, {}, []
    for attempt in range(TRIES):
        for command, longest in longest_calls(context, faults.environment, f"native-{attempt}", *slow).items():
            if longest:
                native[command] = max(longest, native.get(command, longest))
        for command, longest in longest_calls(context, through, f"through-{attempt}", *slow).items():
            if longest and command in native:
                best[command] = min(longest, best.get(command, longest))
        slow = sorted(command for command in best if best[command][0] > 2 * native[command][0])
        if not slow:
            break
    lines = [f"{command}: {native[command][0]} ms natively in {native[command][1]}, "
             f"{best[command][0]} ms through Viaduct in {best[command][1]}" for command in sorted(best)]
    (context.path / "table.txt").write_text("\n".join(lines) + "\n")
    context.check(not slow, "\n".join(line for line in lines if line.split(":")[0] in slow))
    return set(best)


@test("beside/frames-lavapipe", seconds=300, alone=True)
def frames_lavapipe(context):
    """The longest call of a thread while another waits for an answer, for each command: at most twice the native one"""
    asked = check_frames(context, None)
    context.check(len(asked) > 65, f"only {len(asked)} commands")


@test("beside/frames-swiftshader", seconds=300, alone=True)
def frames_swiftshader(context):
    """The same on SwiftShader"""
    asked = check_frames(context, setting.swiftshader())
    context.check(len(asked) > 45, f"only {len(asked)} commands")


# ---- Calls that fail at random

VICTIMS = (["compute"], ["memory"], ["sync"], ["threads", "--rounds", "20"], ["descriptors"], ["pipelines"],
           ["queries"], ["present", "headless", "--frames", "20"], ["lifecycle", "--instances"])
ROUNDS = 24


def program(words):
    return [build_path() / "tests" / words[0], *words[1:]]


@test("robust/driver-fails", seconds=240)
def driver_fails(context):
    """A driver that lacks memory, or loses the device, at random calls: nobody crashes or hangs, others are exact"""
    seed = int(os.environ.get("VIADUCT_SEED", time.time()))
    chance = random.Random(seed)
    context.note(f"VIADUCT_SEED={seed}")
    faults = Faults(context)
    frames, shots = "400", {}
    for name in ("native", "through"):
        shots[name] = context.path / f"{name}.png"
    show = ["present", "headless", "--frames", frames, "--shot"]
    context.succeed(program([*show, shots["native"]]), native_environment(), "native")

    faults.set(Faults.SPARED, 1000)
    server = faults.start(context)
    others = [context.start(program(words), server.client_environment(), f"spared-{words[0]}")
              for words in (["threads", "--until-term"], [*show, shots["through"]])]
    context.check(process.wait_until(lambda: faults.get(Faults.INSTANCES) >= 2 and len(server.workers()) == 2,
                                     20), "they do not start")
    time.sleep(1)  # each has one by now
    faults.set(Faults.SPARED, 0)
    for number in range(ROUNDS):
        words = VICTIMS[number % len(VICTIMS)]
        kind, often = chance.choice([(Faults.ONE_IN, 12), (Faults.ONE_IN, 60), (Faults.LOSE_ONE_IN, 10),
                                     (Faults.LOSE_ONE_IN, 100)])
        faults.set(Faults.ONE_IN, 0)
        faults.set(Faults.LOSE_ONE_IN, 0)
        faults.set(Faults.SEED, chance.getrandbits(32))
        faults.set(kind, often)
        # It ends, in whatever way programs take errors.
        result = context.run(program(words), server.client_environment(), f"{number}-{words[0]}", seconds=30)
        context.check(result.status >= 0, f"{words[0]}: {result.describe()}")
    refused, lost = faults.get(Faults.REFUSED), faults.get(Faults.LOST)
    context.note(f"{refused} refusals, {lost} losses")
    context.check(refused > 5 and lost > 2, f"only {refused} refusals and {lost} losses")
    crash = re.search(r".*ended by signal.*", server.log())
    context.check(not crash, f"a worker crashed: {crash and crash.group(0)}")
    context.check(others[1].wait(60) and others[1].result().status == 0, "the other client's frames end early")
    pictures = [list(png.read(path).pixels()) for path in shots.values()]
    context.check(pictures[0] == pictures[1], "the other client's picture is another one")
    context.check(others[0].running(), "the other client has ended")
    others[0].send(signal.SIGTERM)
    context.check(others[0].wait(20) and others[0].result().status == 0,
                  f"the other client: {others[0].result().describe()}")
