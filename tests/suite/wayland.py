# SPDX-License-Identifier: MIT
"""Windows of Wayland: what a compositor may do to a client, and programs that are Wayland's own."""

import re
import time

from harness import (Failure, Sway, build_path, clean_environment, setting, test, through)

from .applications import ZINK, crossed


def present(*options):
    return through([build_path() / "tests" / "present", "wayland", *options])


@test("wayland/ways", seconds=120)
def ways(context):
    """Every way for an image to get to the compositor, and immediate mode, which lavapipe does not have"""
    sway = context.enter(Sway(context))
    for words, copied in (("", False), ("copy", False), ("noshm", True), ("copy,noshm", True)):
        environment = clean_environment(VIADUCT_WSI=words, VIADUCT_DEBUG="1", **sway.environment)
        result = context.succeed(present("--mode", "immediate", "--frames", "100"), environment,
                                 words or "usual")
        context.check("shows frame 99" in result.out, f"{words}: nothing was shown")
        context.check(("images for the compositor are copied" in result.err) == copied,
                      f"{words}: images are {'shared' if copied else 'copied'}")


@test("wayland/restless", seconds=120)
def restless(context):
    """500 sizes of a window, with few descriptors: those of swapchains before are given back"""
    sway = context.enter(Sway(context))
    context.succeed([setting.tool("prlimit"), "--nofile=80",
                     *present("--restless", "--frames", "500")],
                    clean_environment(**sway.environment), "restless")


@test("wayland/hidden", seconds=120)
def hidden(context):
    """A window that nobody sees for a while: its frames go on, slowly, and come back"""
    sway = context.enter(Sway(context))
    context.succeed(present("--unmap", "--frames", "40"), clean_environment(**sway.environment),
                    "present")


def running(context, sway, *options):
    """A client that has shown its first frames."""
    started = context.start(present("--frames", "1000000", *options),
                            clean_environment(VIADUCT_DEBUG="1", **sway.environment), "present")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and started.running():
        tree = context.succeed([setting.tool("swaymsg"), "-t", "get_tree"],
                               clean_environment(**sway.environment), "tree").out
        if re.search(r'"app_id": "viaduct-test"', tree):
            return started
        time.sleep(0.05)
    raise Failure("the client has shown no window")


@test("wayland/ends", seconds=120)
def ends(context):
    """A compositor that ends: its clients lose the surface, in every mode, and none hangs"""
    for mode in ("fifo", "mailbox", "immediate"):
        with Sway(context) as sway:
            started = running(context, sway, "--mode", mode)
            sway.end()
            context.check(started.wait(20), f"{mode}: the client hangs")
            context.check(re.search("FAILED at .*VK_ERROR_SURFACE_LOST_KHR", started.err()),
                          f"{mode}: it does not say that its surface is lost")


@test("wayland/stops", seconds=120)
def stops(context):
    """A compositor that stops for a while: the client waits for it, loses nothing, and can end"""
    sway = context.enter(Sway(context))
    started = context.start(present("--frames", "300"), clean_environment(**sway.environment),
                            "present")
    for _ in range(5):
        sway.stop()
        time.sleep(0.3)
        sway.go_on()
        time.sleep(0.1)
    context.check(started.wait(60), "the client hangs")
    context.check("shows frame 299" in started.out(), "the last frame was not shown")


def seen(context, sway, started):
    """The colours of the compositor's screen, red, green and blue, once there are many."""
    deadline = time.monotonic() + min(60, context.remaining())
    while time.monotonic() < deadline and started.running():
        path = context.path / "screen.ppm"
        context.succeed([setting.tool("grim"), "-t", "ppm", path],
                        clean_environment(**sway.environment), "grim")
        data = path.read_bytes().split(b"\n255\n", 1)[1]
        colours = set(zip(data[0::3], data[1::3], data[2::3]))
        if len(colours) > 50:
            return colours
        time.sleep(0.1)
    raise Failure(f"{started.name} shows nothing: {started.err().strip()[-200:]}")


@test("wayland/vkcube", seconds=120)
def vkcube(context):
    """vkcube in a window of Wayland: is seen, and ends after its frames"""
    sway = context.enter(Sway(context))
    command = through([setting.tool("vkcube-wayland")])
    environment = clean_environment(VIADUCT_DEBUG="stats", **sway.environment)
    started = context.start(command, environment, "vkcube")
    seen(context, sway, started)
    started.kill()
    crossed(context, context.succeed([*command, "--c", "60"], environment, "frames"))


@test("wayland/zink", seconds=120)
def zink(context):
    """OpenGL in a window of Wayland, through EGL and Zink: three gears"""
    sway = context.enter(Sway(context))
    environment = clean_environment(VIADUCT_DEBUG="1", **ZINK, **sway.environment)
    started = context.start(through([setting.tool("es2gears_wayland")]), environment, "es2gears")
    colours = seen(context, sway, started)
    for channel, name in enumerate(("red", "green", "blue")):
        context.check(any(colour[channel] > 60 and
                          all(colour[other] * 2 < colour[channel]
                              for other in range(3) if other != channel) for colour in colours),
                      f"there is no {name} gear")
    context.check("connected to" in started.err(), "es2gears did not use Viaduct")
