# SPDX-License-Identifier: MIT
"""GPUs' memory, which a layer imitates on lavapipe: natively and behind the server.

What the layer imitates are memory types, and what drivers refuse; not one of these drivers is run.
"""

import re
import sys

from harness import Server, add, build_path, native_environment, png, root_path, setting, test, through
from harness.process import SKIPPED, wait_until
from harness.xserver import Xvfb

LAYER = "VK_LAYER_VIADUCT_gpu"

FEW = ("compute", "memory", "types", "external")
MOST = (*FEW, "sync", "threads", "descriptors", "queries", "lifetimes", "steady")

# The device that the layer shows, the way that the server takes, and what runs there. Not `external` where
# GPUs import: what is shared by descriptor can be mapped natively, but not here.
GPUS = [
    ("nvk", "own", MOST),
    ("panvk", "own", FEW),
    ("radv", "own", FEW),
    ("radv-any", "own", ("compute", "types")),
    ("nvidia", "import", tuple(name for name in MOST if name != "external")),
    ("nvidia-rebar", "import", ("compute", "memory")),
    ("anv-integrated", "import", ("compute", "memory", "types")),
    ("anv-discrete", "import", ("compute", "memory", "sync")),
    ("aligned-16k", "import", ("compute", "memory", "threads")),
    ("aligned-64k", "import", ("compute", "memory", "descriptors")),
    ("incoherent", "own", MOST),
]

# Ways that would not be taken by themselves.
FORCED = [
    ("radv-any", "import", ("compute", "memory")),
    ("anv-discrete", "own", ("compute", "memory", "types")),
    ("incoherent", "import", ("compute", "memory", "steady")),
]

# What prints something else: how often it met something, or its device's name.
PRINTS_MORE = {"compute"}

# A GPU's driver imports into few types, and for linear images alone; what is left is not host-visible.
CHANGES_TYPES = {"import"}


def environment(gpu):
    return native_environment(VK_INSTANCE_LAYERS=LAYER, VK_LAYER_PATH=build_path() / "tests/layer",
                              VIADUCT_TEST_GPU=gpu)


def compare(context, gpu, way, programs, *options, **variables):
    server = context.enter(Server(context, *options, environment={**environment(gpu), **variables}, level="debug"))
    for program in programs:
        command = [build_path() / "tests" / program]
        native = context.run(command, environment(gpu), f"native-{program}")
        result = context.run(command, server.client_environment(), f"through-{program}")
        context.check(native.status in (0, SKIPPED),
                      f"{program} natively: {native.describe()}: {native.last_line()}")
        context.check(result.status == native.status,
                      f"{program}: {result.describe()}: {result.last_line()}")
        same = program not in PRINTS_MORE and not (program == "types" and way in CHANGES_TYPES)
        context.check(not same or result.out == native.out, f"{program} prints something else")
    log = server.log()
    found = set(re.findall(r"memory of .*: (own|import|no way)$", log, re.MULTILINE))
    context.check(found == {way}, f"the way is {found or 'not said'}, not {way}")
    context.check(LAYER not in log, "the layer has a complaint")


for gpu, way, programs in GPUS:
    add(lambda context, row=(gpu, way, programs): compare(context, *row),
        f"gpus/{gpu}", f"{len(programs)} programs with the memory of {gpu}: the way is {way}", seconds=180)

for gpu, way, programs in FORCED:
    add(lambda context, row=(gpu, way, programs): compare(context, *row, "--memory", row[1]),
        f"gpus/{gpu}-{way}", f"{len(programs)} programs with the memory of {gpu}: --memory {way}",
        seconds=180)


@test("gpus/old-lavapipe", seconds=120)
def old_lavapipe(context):
    """A CPU whose memory is in no file, and has nothing that can not be imported: no more memory types than natively"""
    compare(context, "old-lavapipe", "import", ("compute", "memory", "types"), VIADUCT_TEST_UNMAPPED="1")
    server = context.enter(Server(context, environment={**environment("old-lavapipe"), "VIADUCT_TEST_UNMAPPED": "1"}))
    result = context.succeed([setting.tool("vulkaninfo")], server.client_environment(), "vulkaninfo")
    context.check("memoryTypes: count = 1\n" in result.out, "there is another memory type")


@test("gpus/no-way", seconds=60)
def no_way(context):
    """A driver whose memory nobody can share: no device, and server and client say why, once"""
    server = context.enter(Server(context, environment=environment("no-way")))
    result = context.run([build_path() / "tests/compute"],
                         server.client_environment(VIADUCT_DEBUG=1), "compute")
    context.check(result.status == 1 and "vkEnumeratePhysicalDevices" in result.err,
                  f"there is a device: {result.describe()}: {result.last_line()}")
    wait_until(lambda: "is not offered" in server.log(), 5)
    for what, text in (("the server", server.log()), ("the client", result.err)):
        lines = [line for line in text.splitlines() if "is not offered" in line]
        context.check(len(lines) == 1, f"{what} says so {len(lines)} times")
        context.check(re.search(r"llvmpipe.*\(driver V3DV Mesa\) is not offered: no way to share its memory "
                                r"\(own: no VK_KHR_external_memory_fd; "
                                r"import: no VK_EXT_external_memory_host; "
                                r"udmabuf: no (/dev/udmabuf for this user|VK_EXT_external_memory_dma_buf)\)", lines[0]),
                      f"{what} does not say why: {lines[0]}")


@test("gpus/refusals", seconds=60)
def refusals(context):
    """Ways that a driver has, but that do not work: why, in the log"""
    for gpu, way, why in (
            ("radv", "import", "import: it refuses shared memory"),
            ("nvidia", "own", "own: its descriptors can not be mapped"),
    ):
        server = context.enter(Server(context, "--memory", way, environment=environment(gpu)))
        result = context.run([build_path() / "tests/compute"], server.client_environment(), gpu)
        context.check(result.status == 1, f"{gpu}: there is a device: {result.describe()}")
        # A worker's lines come by way of the listener, maybe after its client has ended.
        context.check(wait_until(lambda: why in server.log(), 5), f"{gpu}: the log does not say '{why}'")


@test("gpus/remembered", seconds=60)
def remembered(context):
    """What a spare worker finds out before it has a client, the next workers need not"""
    server = context.enter(Server(context, "--shader-cache", "-", environment=environment("radv"),
                                  level="debug"))
    context.check(wait_until(lambda: "memory of" in server.log(), 30),
                  "the spare worker does not look for a way")
    for number in range(3):
        context.succeed([build_path() / "tests/compute"], server.client_environment(), f"{number}")
    found = re.findall(r"memory of .*: own$", server.log(), re.MULTILINE)
    context.check(len(found) == 1, f"{len(found)} workers have looked for a way")


@test("gpus/few-descriptors", seconds=180)
def few_descriptors(context):
    """`memory` with 64 descriptors for the client: what is mapped needs none"""
    server = context.enter(Server(context, environment=environment("radv")))
    context.succeed(["prlimit", "--nofile=64", build_path() / "tests/memory"],
                    server.client_environment(), "memory")


# Generations of AMD's GPUs: the oldest one, one between, and one with mesh shaders and rays.
NULL_DEVICES = ("tahiti", "vega10", "navi31")


@test("gpus/compiler", seconds=180)
def compiler(context):
    """`compiles` on RADV's null device, which has a compiler and no memory: the same code as natively"""
    manifest = setting.radv()
    for family in NULL_DEVICES:
        host = {**native_environment(), "VK_DRIVER_FILES": str(manifest), "VK_ICD_FILENAMES": str(manifest),
                "RADV_FORCE_FAMILY": family, "AMD_FORCE_FAMILY": family}
        command = [build_path() / "tests/compiles"]
        native = context.run(command, host, f"native-{family}")
        if "there is no Vulkan device" in native.err:
            context.skip("this RADV makes no null device; Mesa's of 2026 does not", needs_gpu=True)
        context.check(native.status == 0, f"{family} natively: {native.describe()}: {native.last_line()}")
        server = context.enter(Server(context, environment=host, level="debug"))
        result = context.succeed(command, server.client_environment(), f"through-{family}")
        context.check(result.out == native.out, f"{family}: it prints something else")
        context.check(wait_until(lambda: "its worker ended with status" in server.log(), 20),
                      f"{family}: the worker does not end")
        context.check("its worker ended with status 0" in server.log() and "error: " not in server.log(),
                      f"{family}: the worker fails at its end")


@test("gpus/imports", seconds=60)
def imports(context):
    """A client that imports the same pages again and again: what the kernel keeps for that is counted"""
    server = context.enter(Server(context, "--max-device-memory", "4", environment=environment("nvidia")))
    said = context.succeed([sys.executable, root_path() / "tests/harness/imports.py", build_path(),
                            server.socket, "2"], native_environment(), "imports").out
    context.check(said == "7, then 3, then -2\n", f"each costs 516 KiB, of 4096, and it says {said}")


@test("gpus/present", seconds=120)
def present(context):
    """A window's images where all memory is the driver's own: the same picture as natively"""
    display = context.enter(Xvfb(context)).display
    server = context.enter(Server(context, environment=environment("radv")))
    pictures = []
    for name, variables in (("native", environment("radv")), ("through", server.client_environment())):
        picture = context.path / f"{name}.png"
        context.succeed([build_path() / "tests/present", "xcb", "--size", "300x200", "--shot", picture],
                        {**variables, "DISPLAY": display}, name)
        pictures.append(png.read(picture).data)
    context.check(pictures[0] == pictures[1], "the pictures differ")


@test("gpus/many-devices", seconds=120)
def many_devices(context):
    """70 devices of one instance: the first and the last do what they are asked to"""
    result = context.succeed(through([build_path() / "tests/many", "70"]), setting.clean_environment(),
                             "through")
    context.check(result.out == "many: 70 devices on 1, with 1 queues\n", f"it says {result.out}")


@test("gpus/many-physical-devices", seconds=120)
def many_physical_devices(context):
    """11 physical devices, which are 11 times lavapipe: the first and the last do what they are asked to"""
    driver = setting.host_driver()
    manifests = [context.path / f"{number}.json" for number in range(11)]
    for manifest in manifests:
        manifest.write_text(driver.read_text(encoding="utf-8"), encoding="utf-8")
    listed = ":".join(map(str, manifests))
    host = {**native_environment(), "VK_DRIVER_FILES": listed, "VK_ICD_FILENAMES": listed}
    server = context.enter(Server(context, environment=host))
    command = [build_path() / "tests/many", "11"]
    native = context.succeed(command, host, "native")
    context.check("on 11" in native.out, f"natively there are others: {native.out}")
    result = context.succeed(command, server.client_environment(), "through")
    context.check(result.out == native.out, f"it says {result.out}")


def families():
    return native_environment(VK_INSTANCE_LAYERS="VK_LAYER_VIADUCT_families",
                              VK_LAYER_PATH=build_path() / "tests/layer")


@test("gpus/many-queues", seconds=120)
def many_queues(context):
    """200 queues of three families, all at work: natively on a layer that has them, and through Viaduct"""
    command = [build_path() / "tests/many", "1", "--queues"]
    native = context.succeed(command, families(), "native")
    context.check(native.out == "many: 1 devices on 1, with 200 queues\n", f"natively it says {native.out}")
    server = context.enter(Server(context, environment=families()))
    result = context.succeed(command, server.client_environment(), "through")
    context.check(result.out == native.out, f"it says {result.out}")


@test("gpus/families", seconds=180)
def several_families(context):
    """Programs on a driver that has queue families with rules of their own, natively and through Viaduct"""
    server = context.enter(Server(context, environment=families()))
    for program in (["compute"], ["sync"], ["queries"], ["threads"], ["steady"], ["types"],
                    ["present", "headless", "--frames", "10"]):
        command = [build_path() / "tests" / program[0], *program[1:]]
        native = context.succeed(command, families(), f"native-{program[0]}")
        result = context.succeed(command, server.client_environment(), f"through-{program[0]}")
        context.check(program[0] in PRINTS_MORE or result.out == native.out,
                      f"{program[0]} prints something else")
