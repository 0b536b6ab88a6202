# SPDX-License-Identifier: MIT
"""Other builds: the second compiler, the sanitizers, and the generator's output."""

import filecmp
import json
import pathlib
import re
import tempfile
import threading
import xml.etree.ElementTree as ElementTree

from harness import Failure, Skipped, add, clean_environment, manifest, setting, test, through
from harness.programs import PROGRAMS, Program, skipped

CFLAGS = {"-Wall", "-Wextra", "-Werror"}
JOBS = 2

# Unit tests of the server's core; what belongs to lanes, queues and waits has threads.
CORE = [f"tests/unit/test_{name}" for name in
        ("decode", "descriptors", "fences", "lanes", "memory", "objects", "queues", "streams")]

# Name: compiler, options of meson, targets (none: all of them). What is only run under sanitizers
# is optimised little, for the sake of build time.
BUILDS = {
    "clang": ("clang", ["--buildtype=release", "--werror"], []),
    "asan": ("gcc", ["--buildtype=debug", "--werror", "-Doptimization=1",
                     "-Db_sanitize=address,undefined", "-Db_lundef=false"], []),
    "tsan": ("gcc", ["--buildtype=debug", "-Doptimization=1", "-Db_sanitize=thread",
                     "-Db_lundef=false"],
             ["icd/libvulkan_viaduct.so", "server/viaduct-server", "tools/viaduct",
              *CORE,
              *sorted({f"tests/{program.command[0]}" for program in PROGRAMS})]),
    "minimal": ("gcc", ["--buildtype=debug", "--werror", "-Dx11=disabled", "-Dprograms=disabled",
                        "-Dtests=disabled", "-Dbench=disabled", "-Dmimalloc=disabled"], []),
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

SANITIZER_REPORT = re.compile(
    r"(ERROR: \w+Sanitizer.*|WARNING: ThreadSanitizer.*|\S+: runtime error: .*)")

_locks = {name: threading.Lock() for name in BUILDS}


def built(context, name):
    """The path of one of BUILDS, set up and built. Costs little when that was done before."""
    compiler, options, targets = BUILDS[name]
    path = setting.root_path() / "build" / name
    environment = clean_environment(CC=compiler)
    with _locks[name]:
        if name == "older":
            older_registry()
        if not (path / "build.ninja").exists():
            succeed(context, [setting.tool("meson"), "setup", path, setting.root_path(), *options],
                    environment, "set up")
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
    """Builds without anything optional, and works: an instance then has no windows of X11"""
    path = built(context, "minimal")
    context.succeed(through([setting.build_path() / "tests" / "compute"], build=path),
                    clean_environment())
    for build, offered in ((path, False), (None, True)):
        shown = context.succeed(through([setting.tool("vulkaninfo")], build=build),
                                clean_environment()).out
        context.check(("VK_KHR_xcb_surface" in shown) == offered,
                      f"VK_KHR_xcb_surface is {'missing' if offered else 'offered'}")


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


def sanitizer_environment():
    """Reports go to stderr, where the tests look for them."""
    folder = setting.root_path() / "tests" / "sanitizers"
    return clean_environment(
        ASAN_OPTIONS="detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=1",
        LSAN_OPTIONS=f"suppressions={folder}/leak.txt:print_suppressions=0",
        UBSAN_OPTIONS="print_stacktrace=1",
        TSAN_OPTIONS=f"suppressions={folder}/thread.txt:ignore_noninstrumented_modules=1:"
                     "second_deadlock_stack=1")


def check_instrumented(context, path, symbol):
    """Without this, a sanitizer that was lost on the way would count as silence."""
    library = json.loads(manifest(path).read_text(encoding="utf-8"))["ICD"]["library_path"]
    for file in (manifest(path).parent / library, path / "server" / "viaduct-server"):
        context.check(symbol in pathlib.Path(file).read_bytes(), f"{file} is not instrumented")


def run_sanitized(context, name, program, symbol):
    path = built(context, name)
    check_instrumented(context, path, symbol)
    picture = context.path / "picture.png"
    result = context.run(
        through(program.command_line(path, picture), build=path),
        program.environment(context, sanitizer_environment()), "sanitized")
    report = SANITIZER_REPORT.search(result.err + result.out)
    if report:
        raise Failure(report.group(1))
    if skipped(result):
        raise Skipped(result.last_line())
    context.check(result.status == 0, f"it ended with {result.describe()}: {result.last_line()}")


# Growth is not measured under sanitizers, which keep what is freed for a while.
SANITIZED_PROGRAMS = [program for program in PROGRAMS if program.label != "lifecycle"]
# Those in which several threads of the client do something.
THREADED_PROGRAMS = [
    Program("threads", "threads", "--rounds", "30"),
    Program("sync", "sync"),
    Program("fences", "fences"),
    Program("lifecycle-instances", "lifecycle", "--instances"),
    Program("present-xcb", "present", "xcb"),
]

for program in SANITIZED_PROGRAMS:
    add(lambda context, program=program: run_sanitized(context, "asan", program, b"__asan_init"),
        f"asan/{program.label}",
        f"`{' '.join(program.command)}` with AddressSanitizer and UBSan on both sides",
        seconds=BUILD_SECONDS, late=True)
for program in THREADED_PROGRAMS:
    add(lambda context, program=program: run_sanitized(context, "tsan", program, b"__tsan_init"),
        f"tsan/{program.label}",
        f"`{' '.join(program.command)}` with ThreadSanitizer on both sides",
        seconds=BUILD_SECONDS, late=True)


@test("tsan/core", seconds=BUILD_SECONDS, late=True)
def core(context):
    """The server's core with ThreadSanitizer, for what is replayed on several threads"""
    path = built(context, "tsan")
    for name in CORE:
        unit = path / name
        context.check(b"__tsan_init" in unit.read_bytes(), f"{unit} is not instrumented")
        result = context.run([unit], sanitizer_environment(), "sanitized")
        report = SANITIZER_REPORT.search(result.err + result.out)
        if report:
            raise Failure(report.group(1))
        context.check(result.status == 0, f"{name} ended with {result.describe()}")
