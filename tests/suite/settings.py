# SPDX-License-Identifier: MIT
"""What people set for their driver counts for the host's: variables, and drirc by the program's name."""

import re
import tempfile

from harness import Server, build_path, native_environment, setting, test
from harness.process import wait_until

# What LP_NATIVE_VECTOR_WIDTH=128 comes to on lavapipe, in bytes of 32 bits.
NARROW = "4"


def subgroup_size(context, environment, name):
    out = context.succeed(["vulkaninfo"], environment, name).out
    return re.search(r"^\s*subgroupSize\s*=\s*(\d+)$", out, re.MULTILINE).group(1)


@test("settings/variables", seconds=60)
def variables(context):
    """A variable of the driver's changes what the client gets, unless the server was started with another"""
    if not setting.host_driver_is_lavapipe():
        context.skip("the variable is lavapipe's")
    narrow = {"LP_NATIVE_VECTOR_WIDTH": "128"}
    native = subgroup_size(context, {**native_environment(), **narrow}, "native")
    context.check(native == NARROW, f"natively the variable comes to {native}")

    server = context.enter(Server(context, level="debug"))
    wide = subgroup_size(context, server.client_environment(), "wide")
    context.check(wide != NARROW, "without the variable it is as with it")
    through = subgroup_size(context, server.client_environment(**narrow), "through")
    context.check(through == native, f"{native} natively, {through} through Viaduct")
    again = subgroup_size(context, server.client_environment(), "again")
    context.check(again == wide, "one client's variable reaches the next one")

    server = context.enter(Server(context, environment={**native_environment(), **narrow}))
    own = subgroup_size(context, server.client_environment(LP_NATIVE_VECTOR_WIDTH="256"), "own")
    context.check(own == NARROW, "the client's variable replaces the server's")


@test("settings/others", seconds=60)
def others(context):
    """What is not on the list stays with the client"""
    server = context.enter(Server(context, level="debug"))
    # One that would be seen: lavapipe with it shows Vulkan 1.1.
    hidden = {"MESA_VK_VERSION_OVERRIDE": "1.1", "LD_BIND_NOW": "1", "radv_zero_vram": "true\n"}
    out = context.succeed(["vulkaninfo"], server.client_environment(**hidden, radv_zero_vram_too="true"),
                          "hidden").out
    context.check(not re.search(r"^\s*apiVersion\s*=\s*1\.1\.", out, re.MULTILINE), "the version is changed")
    wait_until(lambda: "radv_zero_vram_too" in server.log(), 5)
    set_there = re.findall(r"for the driver, by the client: (.*)=", server.log())
    context.check(sorted(set(set_there)) == ["MESA_DRICONF_EXECUTABLE_OVERRIDE", "radv_zero_vram_too"],
                  f"the driver is told of {set_there}")


# Options of RADV's that change the code of each of the pipelines.
DRIRC = """<driconf>
    <device driver="radv">
        <application name="A test" executable="compiles">
            <option name="radv_tex_non_uniform" value="true"/>
            <option name="radv_disable_trunc_coord" value="true"/>
        </application>
    </device>
</driconf>
"""


@test("settings/drirc", seconds=120)
def drirc(context):
    """The host's drirc speaks of the client's program: RADV's null device compiles as natively with it"""
    manifest = setting.radv()
    host = {**native_environment(), "VK_DRIVER_FILES": str(manifest), "VK_ICD_FILENAMES": str(manifest),
            "RADV_FORCE_FAMILY": "navi31", "AMD_FORCE_FAMILY": "navi31"}
    command = [build_path() / "tests/compiles"]
    plain = context.run(command, host, "native-without")
    if "there is no Vulkan device" in plain.err:
        context.skip("this RADV makes no null device; Mesa's of 2026 does not", needs_gpu=True)
    folder = context.enter(tempfile.TemporaryDirectory(prefix="viaduct-test-"))
    with open(f"{folder}/00-test.conf", "w", encoding="utf-8") as file:
        file.write(DRIRC)
    host["DRIRC_CONFIGDIR"] = folder
    native = context.succeed(command, host, "native").out
    context.check(native != plain.out, "natively the options change nothing")
    server = context.enter(Server(context, environment=host))
    through = context.succeed(command, server.client_environment(), "through").out
    context.check(through == native, "the code is another one")
    other = server.client_environment(MESA_DRICONF_EXECUTABLE_OVERRIDE="another")
    through = context.succeed(command, other, "another").out
    context.check(through == plain.out, "the name that the user has chosen does not count")
