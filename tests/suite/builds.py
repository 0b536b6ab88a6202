# SPDX-License-Identifier: MIT
"""Other builds: the second compiler, those with sanitizers, and the generator's output."""

import filecmp
import json
import pathlib
import re
import shutil
import tempfile
import threading
import xml.etree.ElementTree as ElementTree

from harness import Failure, clean_environment, setting, test, through, through_environment
from harness.programs import PROGRAMS

CFLAGS = {"-Wall", "-Wextra", "-Werror"}
JOBS = 2

# Unit tests in which the client, the ring or the server's core has threads.
THREADED = [f"tests/unit/test_{name}" for name in
            ("connection", "decode", "descriptors", "fences", "lanes", "listener", "memory", "objects",
             "queues", "ring", "streams", "video")]

FUZZ_TARGETS = ("fuzz_answers", "fuzz_calls", "fuzz_decode", "fuzz_ring", "fuzz_vhost_user",
                "fuzz_virtio_gpu", "fuzz_vtest")

# Name: compiler, options of meson, targets (none: all of them). What is only run under sanitizers
# is optimised little, for the sake of build time.
BUILDS = {
    "clang": ("clang", ["--buildtype=release", "--werror"], []),
    "asan": ("gcc", ["--buildtype=debug", "--werror", "-Doptimization=1",
                     "-Db_sanitize=address,undefined", "-Db_lundef=false"], []),
    "tsan": ("gcc", ["--buildtype=debug", "-Doptimization=1", "-Db_sanitize=thread",
                     "-Db_lundef=false"],
             ["icd/libvulkan_viaduct.so", "server/viaduct-server", "tools/viaduct",
              *THREADED,
              *sorted({f"tests/{program.command[0]}" for program in PROGRAMS})]),
    "minimal": ("gcc", ["--buildtype=debug", "--werror", "-Dx11=disabled", "-Dwayland=disabled",
                        "-Dprograms=disabled", "-Dtests=disabled", "-Dbench=disabled",
                        "-Dmimalloc=disabled", "-Dguest=false"], []),
    "fuzz": ("clang", ["--buildtype=debug", "-Doptimization=1", "-Db_sanitize=address,undefined",
                       "-Db_lundef=false"],
             [f"tests/unit/{name}" for name in FUZZ_TARGETS]),
    # musl's own headers come first, then those of the kernel, of libdrm and of xcb.
    "musl": ("musl-gcc", ["--buildtype=release", "--werror",
                          "-Dc_args=-idirafter /usr/include "
                          "-idirafter /usr/include/x86_64-linux-gnu"],
             ["icd/libvulkan_viaduct.so", "tests/driver"]),
    "older": ("gcc", ["--buildtype=release", "-Doptimization=1", "-Dregistry=build/registry-older"],
              ["icd/libvulkan_viaduct.so", "server/viaduct-server", "tools/viaduct"]),
}

# Numbers of extensions that came with registries after this one are left out of the older one.
NEWEST_OF_OLDER = 560

# A test that needs one of these may have to build it first.
BUILD_SECONDS = 1500

_locks = {name: threading.Lock() for name in BUILDS}


def built(context, name):
    """The path of one of BUILDS, set up and built. Costs little when that was done before, with the same
    options: a folder that was set up with others begins anew, for meson keeps what is no longer said."""
    compiler, options, targets = BUILDS[name]
    path = setting.root_path() / "build" / name
    environment = clean_environment(CC=compiler)
    with _locks[name]:
        if name == "older":
            older_registry()
        asked, wanted = path / "asked-for", "".join(f"{word}\n" for word in (compiler, *options))
        if not asked.exists() or asked.read_text(encoding="utf-8") != wanted:
            shutil.rmtree(path, ignore_errors=True)
            succeed(context, [setting.tool("meson"), "setup", path, setting.root_path(), *options],
                    environment, "set up")
            asked.write_text(wanted, encoding="utf-8")
        succeed(context, [setting.tool("ninja"), "-C", path, f"-j{JOBS}", *targets],
                environment, "built")
    return path


def older_registry():
    """build/registry without its newest extensions, under the oldest version that there may be: what a
    build from an older registry has."""
    path, new = setting.root_path() / "build/registry-older", setting.root_path() / "build/registry"
    path.mkdir(exist_ok=True)
    tree = ElementTree.parse(new / "vk.xml")
    extensions = tree.getroot().find("extensions")
    for x in list(extensions):
        if int(x.get("number")) > NEWEST_OF_OLDER and not x.get("promotedto"):
            extensions.remove(x)
    text = ElementTree.tostring(tree.getroot(), encoding="unicode")
    text = re.sub(r"(#define <name>VK_HEADER_VERSION</name> )\d+", r"\g<1>309", text)
    if not (path / "vk.xml").exists() or (path / "vk.xml").read_text(encoding="utf-8") != text:
        (path / "vk.xml").write_text(text, encoding="utf-8")
    if not (path / "include").exists():
        (path / "include").symlink_to(new / "include")  # newer headers have all that older ones have
    return path


def succeed(context, command, environment, what):
    result = context.run(command, environment)
    if result.status != 0:
        lines = re.findall(r".*(?:\berror: |ERROR: |undefined reference).*", result.out)
        raise Failure(f"it cannot be {what}: {lines[0] if lines else result.last_line()}")


def check_flags(context, path):
    """Every C file of ours is compiled with warnings as errors."""
    commands = json.loads((path / "compile_commands.json").read_text(encoding="utf-8"))
    ours = [entry for entry in commands if entry["file"].endswith(".c")]
    context.check(len(ours) > 20, f"only {len(ours)} C files are compiled")
    for entry in ours:
        missing = CFLAGS - set(entry["command"].split())
        context.check(not missing, f"{entry['file']} is compiled without {' '.join(missing)}")


@test("build/gcc", seconds=BUILD_SECONDS, late=True)
def gcc(context):
    """Builds with gcc, with -Wall -Wextra -Werror (and sanitizers, for the tests below asan/)"""
    check_flags(context, built(context, "asan"))


@test("build/clang", seconds=BUILD_SECONDS, late=True)
def clang(context):
    """Builds with clang, with -Wall -Wextra -Werror"""
    path = built(context, "clang")
    check_flags(context, path)
    context.succeed(through([path / "tests" / "compute"], build=path), clean_environment())


@test("build/minimal", seconds=BUILD_SECONDS, late=True)
def minimal(context):
    """Builds without anything optional, and works: an instance then has no windows, a server no guests"""
    path = built(context, "minimal")
    context.succeed(through([setting.build_path() / "tests" / "compute"], build=path),
                    clean_environment())
    for build, offered in ((path, False), (None, True)):
        shown = context.succeed(through([setting.tool("vulkaninfo")], build=build),
                                clean_environment(VIADUCT_DEBUG="1"))
        for name, windows in (("VK_KHR_xcb_surface", "X11"), ("VK_KHR_wayland_surface", "Wayland")):
            context.check((name in shown.out) == offered,
                          f"{name} is {'missing' if offered else 'offered'}")
            context.check((f"built without {windows}: " in shown.err) != offered,
                          f"it does not say why there are no windows of {windows}")
    refused = context.run([path / "server" / "viaduct-server", "--allow-root", "--vhost-user", "gpu"],
                          clean_environment(), "server")
    context.check(refused.status == 2 and "without the GPU of virtual machines" in refused.err,
                  f"--vhost-user: {refused.describe()}")
    shown = context.run([setting.tool("vulkaninfo"), "--summary"], through_environment(
        "/nowhere", path, VIADUCT_DEBUG="1", VIADUCT_TRANSPORT="virtgpu"), "driver")
    context.check("built without virtio-gpu" in shown.err, "the driver does not say why")


def generate(context, directory, seed):
    context.succeed(["/usr/bin/python3", setting.root_path() / "codegen" / "generate.py",
                     "--registry", setting.root_path() / "build" / "registry",
                     "--out", directory], clean_environment(PYTHONHASHSEED=seed), "generate")
    files = sorted(path.relative_to(directory) for path in pathlib.Path(directory).rglob("*")
                   if path.is_file())
    context.check(len(files) > 5, f"the generator wrote only {len(files)} files")
    return files


@test("build/generator", seconds=300, late=True)
def generator(context):
    """The generator writes the same bytes every time"""
    first, second = (context.enter(tempfile.TemporaryDirectory()) for _ in range(2))
    files = generate(context, first, 1)
    # Another seed gives dictionaries and sets another order, where somebody relies on it.
    context.check(generate(context, second, 2) == files, "other files the second time")
    _, different, odd = filecmp.cmpfiles(first, second, files, shallow=False)
    context.check(not different and not odd, f"these differ: {different + odd}")
