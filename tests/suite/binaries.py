# SPDX-License-Identifier: MIT
"""VK_KHR_pipeline_binary, which no software driver has: a layer brings it to lavapipe."""

import re

from harness import Server, build_path, native_environment, test

LAYER = "VK_LAYER_VIADUCT_pipeline_binary"


def environment():
    return native_environment(VK_INSTANCE_LAYERS=LAYER, VK_LAYER_PATH=build_path() / "tests/layer")


def run(context, environment, name, *words):
    """Where it has nothing to test, something is wrong: the layer is ours."""
    result = context.run([build_path() / "tests" / "binaries", *words], environment, name)
    context.check(result.status == 0, f"{name}: {result.describe()}: {result.last_line()}")
    return result


def none_left(context, text):
    left = re.findall(f"{LAYER}: (\\d+) binaries are left", text)
    context.check(set(left) == {"0"}, f"binaries are left when devices end: {left}")


@test("binaries/compare", seconds=120)
def compare(context):
    """`binaries` on lavapipe with the layer natively, and through Viaduct with the layer behind it"""
    native = run(context, environment(), "native")
    none_left(context, native.err)
    server = context.enter(Server(context, environment=environment()))
    through = run(context, server.client_environment(), "through")
    context.check(through.out == native.out, "it prints something else")
    none_left(context, server.log())


@test("binaries/room", seconds=120)
def room(context):
    """Room for more binaries than there are: handles that were not needed are free again"""
    server = context.enter(Server(context, environment=environment()))
    run(context, server.client_environment(), "through", "--room")
    none_left(context, server.log())
