# SPDX-License-Identifier: MIT
"""What others have built on Vulkan and Debian packages: Qt, WebGL, Direct3D, RenderDoc. Natively and through
Viaduct in the same run: same pixels. The programs for them are in tests/foreign."""

import os
import re
import shutil
import tempfile
import time

from harness import (Failure, Server, Xvfb, build_path, clean_environment, native_environment, png, root_path,
                     setting, test, through)

from .applications import both, crossed, same_lines, same_picture

FOREIGN = "tests/foreign"
NOBODY = 65534


def picture_of(path):
    return set(png.read(path).pixels())


@test("applications/qt", seconds=90)
def qt(context):
    """A window of Qt Quick on Vulkan: gradients, text, layers"""
    display = context.enter(Xvfb(context)).display
    pictures = [context.path / f"{name}.png" for name in ("native", "through")]
    command = ["/usr/lib/qt6/bin/qml", root_path() / FOREIGN / "scene.qml", "--"]
    results = both(context, [*command, pictures[0]], [*command, pictures[1]], DISPLAY=display,
                   QT_QPA_PLATFORM="xcb", QSG_RHI_BACKEND="vulkan")
    for result in results:
        context.check("written, by Vulkan: true" in result.err, f"{result.name}: {result.last_line()}")
    same_picture(context, *pictures, colours=200)


@test("applications/vkd3d", seconds=90)
def vkd3d(context):
    """A window that Direct3D 12 draws by vkd3d"""
    display = context.enter(Xvfb(context, "640x480")).display
    pictures = []

    def show(name, command, environment):
        started = context.start(command, environment, name)
        path = context.path / f"{name}.png"
        pictures.append(path)
        deadline = time.monotonic() + min(40, context.remaining())
        while time.monotonic() < deadline and started.running():
            context.succeed([setting.tool("import"), "-silent", "-window", "root", f"PNG24:{path}"],
                            clean_environment(DISPLAY=display), f"{name}-import")
            if len(picture_of(path)) > 1000:
                started.kill()
                return
            time.sleep(0.2)
        raise Failure(f"{name}: no triangle is seen")

    command = [setting.tool("vkd3d-triangle")]
    show("native", command, native_environment(DISPLAY=display))
    server = context.enter(Server(context))
    show("through", command, server.client_environment(DISPLAY=display))
    context.check("vkd3d-triangle" in server.log(), "it did not use Viaduct")
    same_picture(context, *pictures, colours=1000)


# ---- A browser

def everybodys(context, *paths):
    """A folder of nobody's with copies of these files, in which nobody can write."""
    folder = context.enter(tempfile.TemporaryDirectory(prefix="viaduct-test-"))
    for path in paths:
        shutil.copy(path, folder)
    os.chmod(folder, 0o755)
    os.chown(folder, NOBODY, NOBODY)
    return folder


@test("applications/chromium", seconds=150)
def chromium(context):
    """WebGL in Chromium, by ANGLE on Vulkan, in its sandbox, of a user who is not root"""
    if os.geteuid() != 0:
        context.skip("only root can start programs of another user")
    # A manifest names its library by a path of its own.
    library = build_path() / "icd" / "libvulkan_viaduct.so"
    folder = everybodys(context, root_path() / FOREIGN / "webgl.html", library)
    manifest = setting.manifest().read_text(encoding="utf-8").replace(str(library), f"{folder}/{library.name}")
    with open(f"{folder}/viaduct.json", "w", encoding="utf-8") as file:
        file.write(manifest)
    server = context.enter(Server(context, "--socket-mode", "0666"))
    os.chmod(os.path.dirname(server.socket), 0o755)

    def browse(name, environment):
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", setting.tool("chromium"),
                   "--headless=new", "--use-gl=angle", "--use-angle=vulkan", "--ignore-gpu-blocklist",
                   "--no-first-run", f"--user-data-dir={folder}/{name}", "--dump-dom",
                   f"file://{folder}/webgl.html"]
        result = context.succeed(command, {**environment, "HOME": folder, "XDG_RUNTIME_DIR": folder,
                                           "XDG_CACHE_HOME": folder}, name)
        found = re.search(r"<pre.*>(error 0, (\d+) colours, \w+) by (.*)</pre>", result.out)
        context.check(found, f"{name}: {re.findall('<pre.*', result.out)}: {result.last_line()}")
        context.check(int(found[2]) > 1000, f"{name}: {found[1]}")
        return found

    native = browse("native", native_environment())
    other = browse("through", {**server.client_environment(), "VK_DRIVER_FILES": f"{folder}/viaduct.json",
                               "VK_ICD_FILENAMES": f"{folder}/viaduct.json"})
    context.check("Viaduct (" not in native[3] and "Viaduct (" in other[3], f"drawn by {native[3]}, {other[3]}")
    same_lines(context, native[1], other[1], "what WebGL draws")


# ---- Windows

@test("applications/wine", seconds=240)
def wine(context):
    """Direct3D 11 and 9 of a program for Windows, by Wine's own translation to Vulkan"""
    compiler = setting.tool("x86_64-w64-mingw32-gcc")
    program = context.path / "direct3d.exe"
    context.succeed([compiler, "-O1", "-Wall", "-Werror", root_path() / FOREIGN / "direct3d.c", "-o", program,
                     "-ld3d11", "-ld3d9", "-ldxguid", "-ld3dcompiler_47"], clean_environment(), "compile")
    prefix = context.enter(tempfile.TemporaryDirectory(prefix="viaduct-wine-"))
    display = context.enter(Xvfb(context)).display
    environment = {"DISPLAY": display, "WINEPREFIX": prefix, "WINEDEBUG": "-all,err+winediag",
                   "WINEDLLOVERRIDES": "mscoree,mshtml=", "WINE_D3D_CONFIG": "renderer=vulkan"}
    command = setting.tool("wine")

    def end():
        """What was started for the prefix would live on for some seconds."""
        context.run([setting.tool("wineserver"), "-k"], clean_environment(**environment), "end")

    context.at_end(end)
    context.succeed([command, "wineboot", "--init"], native_environment(**environment), "prepare",
                    seconds=120)
    for version, colours in ("11", 3000), ("9", 18):
        native, other = both(context, [command, program, version], label=f"{version}-", **environment)
        found = re.search(r": (\d+) colours", native.out)
        context.check(found and int(found[1]) >= colours, f"Direct3D {version}: {native.out.strip()}")
        context.check("the Vulkan renderer" in other.err, "Wine draws by something else than Vulkan")
        same_lines(context, native.out, other.out, f"what Direct3D {version} draws")


# ---- A debugger

@test("applications/renderdoc", seconds=150)
def renderdoc(context):
    """vkcube captured by RenderDoc and replayed, natively and through Viaduct in all four ways: same pixels"""
    display = context.enter(Xvfb(context)).display
    server = context.enter(Server(context))
    places = {"native": native_environment(DISPLAY=display),
              "through": server.client_environment(DISPLAY=display, VIADUCT_DEBUG="stats")}
    script = ["/usr/bin/python3", root_path() / FOREIGN / "frames.py"]

    def capture(place, environment):
        path = context.path / place
        result = context.succeed([*script, "capture", path, setting.tool("vkcube"), "--c 30"],
                                 {**environment, "ENABLE_VULKAN_RENDERDOC_CAPTURE": "1"}, f"capture-{place}")
        return re.search(r"^captured: (.*)$", result.out, re.MULTILINE)[1]

    def replay(path, origin, place, environment):
        out = context.path / f"{origin}-{place}.png"
        result = context.succeed([*script, "replay", path, out], environment, f"replay-{origin}-{place}")
        if place == "through":
            crossed(context, result)
        return out

    captures = {place: capture(place, environment) for place, environment in places.items()}
    pictures = [replay(path, origin, place, environment) for origin, path in captures.items()
                for place, environment in places.items()]
    for picture in pictures[1:]:
        same_picture(context, pictures[0], picture, colours=1000)
