# SPDX-License-Identifier: MIT
"""A driver with faults, which a layer brings: commands that take long, creations that are refused."""

import re

from harness import Server, build_path, native_environment, setting, test

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
        server = context.enter(Server(context, "--sandbox", "off", environment=self.environment))
        return {**server.client_environment(), "VIADUCT_FAULTS": self.file}


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
        context.check(re.search(rf"{command}: calls=\d+ round_trips={count} ", unusual.err),
                      f"not {count} round trips of {command}")


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
