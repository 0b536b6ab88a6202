# SPDX-License-Identifier: MIT
"""What no software driver has, and a layer brings to lavapipe: natively and behind the server."""

import re

from harness import Server, build_path, native_environment, test

BINARIES = "VK_LAYER_VIADUCT_pipeline_binary"
CAPTURE = "VK_LAYER_VIADUCT_capture"
LIVES = "VK_LAYER_VIADUCT_descriptor_lives"
TWO_QUEUES = "VK_LAYER_VIADUCT_two_queues"
VIDEO = "VK_LAYER_VIADUCT_video"
FAULTS = "VK_LAYER_VIADUCT_device_fault"


def environment(layer):
    return native_environment(VK_INSTANCE_LAYERS=layer, VK_LAYER_PATH=build_path() / "tests/layer")


def run(context, environment, name, *command):
    """Where it has nothing to test, something is wrong: the layer is ours."""
    result = context.run([build_path() / "tests" / command[0], *command[1:]], environment, name)
    context.check(result.status == 0, f"{name}: {result.describe()}: {result.last_line()}")
    return result


def through(context, layer, *command):
    """The result of the command, and the server."""
    server = context.enter(Server(context, environment=environment(layer)))
    return run(context, server.client_environment(), "through", *command), server


def none_left(context, text):
    left = re.findall(f"{BINARIES}: (\\d+) binaries are left", text)
    context.check(set(left) == {"0"}, f"binaries are left when devices end: {left}")


@test("binaries/compare", seconds=120)
def binaries(context):
    """`binaries` on lavapipe with the layer natively, and through Viaduct with the layer behind it"""
    native = run(context, environment(BINARIES), "native", "binaries")
    none_left(context, native.err)
    result, server = through(context, BINARIES, "binaries")
    context.check(result.out == native.out, "it prints something else")
    none_left(context, server.log())


@test("binaries/room", seconds=120)
def room(context):
    """Room for more binaries than there are: handles that were not needed are free again"""
    _, server = through(context, BINARIES, "binaries", "--room")
    none_left(context, server.log())


@test("swapchain/queues", seconds=120)
def queues(context):
    """`queues`: an image is acquired while a queue waits for what another one does with it"""
    native = run(context, environment(TWO_QUEUES), "native", "queues")
    result, _ = through(context, TWO_QUEUES, "queues")
    context.check(result.out == native.out, "it prints something else")


@test("video/compare", seconds=120)
def video(context):
    """`video`: what a layer that pretends to code video was told, natively and through Viaduct"""
    native = run(context, environment(VIDEO), "native", "video")
    result, _ = through(context, VIDEO, "video")
    context.check(result.out == native.out, "it prints something else")


@test("captures/compare", seconds=120)
def captures(context):
    """`captures` on lavapipe with the layer natively, and through Viaduct with the layer behind it"""
    native = run(context, environment(CAPTURE), "native", "captures")
    context.check(len(set(re.findall(r"(\d+) bytes", native.out))) == 5, "sizes are not unequal")
    result, _ = through(context, CAPTURE, "captures")
    context.check(result.out == native.out, "it prints something else")


@test("descriptor-bytes/compare", seconds=120)
def descriptor_bytes(context):
    """`descriptor_bytes` where bytes tell one buffer at an address from the next: none is an old one's"""
    native = run(context, environment(LIVES), "native", "descriptor_bytes")
    context.check(native.out.count("same address, type") ==
                  len(re.findall(r"same address, type \d+: other bytes", native.out)) == 6,
                  "the layer tells no buffers apart")
    result, _ = through(context, LIVES, "descriptor_bytes")
    context.check(result.out == native.out, "it prints something else")


@test("faults/compare", seconds=120)
def faults(context):
    """`faults`: reports of faults that a layer invents, natively and through Viaduct, also after a loss"""
    native = run(context, environment(FAULTS), "native", "faults")
    result, _ = through(context, FAULTS, "faults")
    context.check(result.out == native.out, "it prints something else")
