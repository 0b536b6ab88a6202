# SPDX-License-Identifier: MIT
"""A driver with faults, which a layer brings: commands that take long, creations that are refused."""

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
