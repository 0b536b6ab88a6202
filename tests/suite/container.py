# SPDX-License-Identifier: MIT
"""The ICD in containers that hold as little as it may ask for."""

import json
import re

from harness import Server, build_path, clean_environment, container, manifest, setting, test

from .builds import BUILD_SECONDS, built

# The C library, by the names that glibc and musl give it.
C_LIBRARY = re.compile(r"(libc|libm|ld-linux[\w-]*|libc\.musl-\w+)\.so(\.\d+)?")


def library_path(build=None):
    driver = manifest(build)
    return driver.parent / json.loads(driver.read_text(encoding="utf-8"))["ICD"]["library_path"]


def check_needed(context, library):
    others = [name for name in container.needed(library) if not C_LIBRARY.fullmatch(name)]
    context.check(not others, f"the ICD links to {', '.join(others)}: where that is missing, "
                              "loaders drop it without a word")


@test("container/bare", seconds=60)
def bare(context):
    """compute where there is nothing but libc, its own libraries, the loader, the ICD and the socket"""
    check_needed(context, library_path())
    compute = build_path() / "tests" / "compute"
    inside = container.linked(compute)
    context.check(not [path for path in inside if re.search("xcb|X11|wayland|drm", path)],
                  "compute links to what is to be missing")
    server = context.enter(Server(context))
    command = [*container.isolated(context), *container.driver(context), *container.files(compute),
               *container.server_socket(server), "--setenv", "VTEST_SOCKET_NAME", container.SOCKET,
               "--setenv", "VIADUCT_DEBUG", "1"]
    result = context.succeed([*command, compute], clean_environment(), "compute")
    for missing in ("libxcb.so.1", "libwayland-client.so.0", "libdrm.so.2"):
        context.check(re.search(rf"^viaduct: {missing}: .*: there are no ", result.err, re.MULTILINE),
                      f"the log does not say that {missing} is missing")
    context.check(f"connected to {container.SOCKET}" in result.err, "the log names no connection")


@test("container/vulkaninfo", seconds=60)
def vulkaninfo(context):
    """vulkaninfo without libxcb-shm, libX11-xcb and libdrm: it works, and hides what needs them"""
    program = setting.tool("vulkaninfo")
    server = context.enter(Server(context))
    command = [*container.isolated(context), *container.driver(context),
               # What else links to the loader.
               *container.files(program, build_path() / "tests" / "compute"),
               *container.server_socket(server),
               "--setenv", "VTEST_SOCKET_NAME", container.SOCKET, "--setenv", "VIADUCT_DEBUG", "1"]
    result = context.succeed([*command, program, "--summary"], clean_environment(), "vulkaninfo")
    context.check("Viaduct (" in result.out, "it shows no device of Viaduct")
    shown = set(re.findall(r"^(VK_\w+)\s*:", result.out, re.MULTILINE))
    # vulkaninfo itself links to libxcb.
    for name, there in (("VK_KHR_surface", True), ("VK_KHR_xcb_surface", True),
                        ("VK_KHR_xlib_surface", False), ("VK_KHR_display", False),
                        ("VK_EXT_headless_surface", True)):
        context.check((name in shown) == there, f"{name} is {'missing' if there else 'offered'}")


@test("container/musl", seconds=BUILD_SECONDS, late=True)
def musl(context):
    """The ICD built with musl in a root that has musl, a program that loads it, and the socket"""
    path = built(context, "musl")
    library, program = library_path(path), path / "tests" / "driver"
    check_needed(context, library)
    server = context.enter(Server(context))
    command = [*container.isolated(context), *container.driver(context, path),
               *container.files(program), *container.server_socket(server), "--proc", "/proc",
               "--setenv", "VTEST_SOCKET_NAME", container.SOCKET]
    context.succeed([*command, program, container.LIBRARY, "5"], clean_environment(), "driver")
