# SPDX-License-Identifier: MIT
"""32-bit programs, with the driver of their own kind, through the server of 64 bits."""

import platform
import threading

from harness import Failure, Skipped, clean_environment, setting, test, through
from harness.programs import RUNNABLE
from suite.builds import succeed
from suite.compare import compare

# What is built besides the driver and its unit tests. Each program stands for a part of what is converted.
PROGRAMS = ("compute", "descriptors", "ignored", "memory", "names", "narrow", "pipelines", "present", "queries",
            "scene", "shapes", "sync")
LABELS = ("compute", "scene-triangle", "scene-depth", "shapes-descriptors", "shapes-host-copy", "shapes-mesh",
          "shapes-vertex-input", "sync", "memory", "descriptors", "ignored", "pipelines", "names", "queries",
          "queries-newer", "present-xcb-fifo", "present-wayland-fifo")
UNITS = ("layouts", "descriptor_cache", "facts", "peer", "physical_device_data")
JOBS = 2

_lock = threading.Lock()


def libraries():
    """Where the packages of i386 are unpacked."""
    if platform.machine() != "x86_64":
        raise Skipped("no machine for programs of i386", needs_gpu=True)
    path = setting.root_path() / "build" / "i386-root"
    if not path.is_dir():
        raise Skipped("there are no libraries for 32-bit programs in build/i386-root; scripts/setup --i386 gets them")
    return path


def built(context):
    """The path of a build for i386. Costs little when it was there before."""
    root = libraries()
    with _lock:
        return build_in(context, root, setting.root_path() / "build" / "i386")


def build_in(context, root, path):
    library = root / "usr/lib/i386-linux-gnu"
    cross = path.parent / "i386-root.cross"
    text = (f"[properties]\nsys_root = '{root}'\n"
            f"pkg_config_libdir = ['{library}/pkgconfig', '{root}/usr/share/pkgconfig']\n"
            f"[built-in options]\nc_link_args = ['-Wl,--disable-new-dtags', '-Wl,-rpath,{library}']\n")
    if not cross.exists() or cross.read_text(encoding="utf-8") != text:
        cross.write_text(text, encoding="utf-8")
    environment = clean_environment()
    if not (path / "build.ninja").exists():
        succeed(context, [setting.tool("meson"), "setup", path, setting.root_path(), "--buildtype=debug", "--werror",
                          "--cross-file", setting.root_path() / "scripts" / "i386.cross", "--cross-file", cross,
                          "-Dprograms=enabled", "-Dtests=enabled", "-Dbench=disabled"], environment, "set up")
    succeed(context, [setting.tool("ninja"), "-C", path, f"-j{JOBS}", "icd/libvulkan_viaduct.so",
                      *(f"tests/{name}" for name in PROGRAMS), "tests/test_layouts",
                      *(f"tests/unit/test_{name}" for name in UNITS if name != "layouts")], environment, "built")
    return path


@test("narrow/build", seconds=900, late=True)
def build(context):
    """The driver for i386 builds with -Wall -Wextra -Werror, and its unit tests pass"""
    path = built(context)
    context.check(b"\x7fELF\x01" == (path / "icd/libvulkan_viaduct.so").read_bytes()[:5], "it is not of 32 bits")
    for name in UNITS:
        folder = "tests" if name == "layouts" else "tests/unit"
        context.succeed([path / folder / f"test_{name}"], clean_environment(), name)


@test("narrow/programs", seconds=900, late=True)
def programs(context):
    """32-bit programs through the 32-bit loader and driver: the same output and pixels as natively in 64"""
    path, passed, failed = built(context), 0, []
    for program in RUNNABLE:
        if program.label in LABELS:
            try:
                compare(context, program, narrow=path)
                passed += 1
            except Skipped as skipped:
                context.note(f"{program.label}: {skipped}")
            except Failure as failure:
                failed.append(f"{program.label}: {failure}")
    context.note("\n".join(failed))
    context.check(not failed and passed >= 10,
                  f"{len(failed)} fail, {passed} pass: {'; '.join(failed[:3])}")


@test("narrow/addresses", seconds=900, late=True)
def addresses(context):
    """Memory that a 32-bit program has no addresses for is refused, and hurts nobody"""
    path = built(context)
    context.succeed(through([path / "tests" / "narrow"], icd=path), clean_environment(), "through")
