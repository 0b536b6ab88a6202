# SPDX-License-Identifier: MIT
"""vkcube in a real X server: its picture beside a native one, and its frames to the last."""

import re
import subprocess
import time

from harness import (Failure, Server, Xvfb, clean_environment, native_environment, process,
                     setting, test, through)

# The cube turns by four degrees a frame, and its pictures are taken at any moment. So each picture
# taken through Viaduct has to be like one of many native ones, which cover its positions well.
# Small pictures, so that a few degrees do not matter much.
SIDE = 48
NATIVE_MOMENTS = 60
MOMENTS = 8
# Mean difference per channel. Neighbouring positions differ by 1 to 3, a cube upside down by 10.
LIKE = 4.5

# Where vkcube puts its window when there is no window manager.
WINDOW = "240x240+100+100"
MODES = {"immediate": 0, "mailbox": 1, "fifo": 2}


def take(environment, *arguments):
    command = [setting.tool("import"), "-silent", "-window", "root", "-crop", WINDOW, "+repage",
               *arguments]
    return subprocess.run(command, env=environment, check=True, timeout=30,
                          stdout=subprocess.PIPE).stdout


def look(context, started, environment, label, moments):
    """So many pictures with something in them of a vkcube that runs."""
    pictures, deadline = [], time.monotonic() + min(60, context.remaining())
    while len(pictures) < moments:
        if not started.running():
            started.wait(1)
            raise Failure(f"{label} vkcube ended with {started.result().describe()}")
        if time.monotonic() > deadline:
            raise Failure(f"{label} vkcube shows nothing")
        picture = take(environment, "-resize", f"{SIDE}x{SIDE}!", "-depth", "8", "RGB:-")
        if len(set(picture)) > 50:
            pictures.append(picture)
        time.sleep(0.05)
    take(environment, f"PNG24:{context.path / label}.png")
    return pictures


def watch(context, command, environment, label, moments):
    """The same of one that is started for it, and killed."""
    started = context.start(command, environment, label)
    pictures = look(context, started, environment, label, moments)
    started.kill()
    return pictures


def difference(a, b):
    return sum(abs(x - y) for x, y in zip(a, b)) / len(a)


def nearest(picture, pictures):
    return min(difference(picture, other) for other in pictures)


def tint(pictures):
    """How much bluer than red: the faces are teal. It finds channels that are exchanged."""
    return sum(sum(picture[2::3]) - sum(picture[0::3]) for picture in pictures) / (
        len(pictures) * SIDE * SIDE)


@test("vkcube/picture", seconds=180)
def picture(context):
    """vkcube's faces and colours beside a native one, in each present mode"""
    display = context.enter(Xvfb(context, "360x360")).display
    command = [setting.tool("vkcube"), "--width", "240", "--height", "240", "--present_mode"]
    native = watch(context, [*command, "0"], native_environment(DISPLAY=display), "native",
                   NATIVE_MOMENTS)
    # What the comparison has to notice.
    context.check(min(nearest(picture[::-1], native) for picture in native) > LIKE,
                  "the comparison would not notice a cube upside down")
    wanted = tint(native)
    context.check(wanted > 1, f"the native cube has no tint: {wanted:.2f}")
    for mode, number in MODES.items():
        other = watch(context, through([*command, number]), clean_environment(DISPLAY=display), mode,
                      MOMENTS)
        found = tint(other)
        context.note(f"{mode}: blue minus red: natively {wanted:.2f}, through Viaduct {found:.2f}")
        context.check(abs(found - wanted) < wanted / 4,
                      f"{mode}: blue exceeds red by {found:.2f} instead of {wanted:.2f}")
        distances = [nearest(picture, native) for picture in other]
        context.note(f"{mode}: distances {', '.join(f'{distance:.1f}' for distance in distances)}")
        context.check(len(set(other)) > 1, f"{mode}: the cube does not turn")
        context.check(max(distances) < LIKE, f"{mode}: a picture differs from every native one by "
                      f"{max(distances):.1f} of 255")


def frames(context, mode, frame_count=150):
    """Each frame is drawn and presented: one submission, or two where the image is copied."""
    display = context.enter(Xvfb(context)).display
    command = [setting.tool("vkcube"), "--c", frame_count, "--present_mode", MODES[mode]]
    context.succeed(command, native_environment(DISPLAY=display), "native")
    result = context.succeed(through(command), clean_environment(DISPLAY=display,
                                                                 VIADUCT_DEBUG="stats"), "through")
    match = re.search(r"vkQueueSubmit: calls=(\d+)", result.err)
    count = int(match.group(1)) if match else 0
    context.check(frame_count <= count <= 2 * frame_count + 5,
                  f"{count} submissions for {frame_count} frames")


@test("vkcube/fifo", seconds=60)
def fifo(context):
    """150 frames of vkcube, first in, first out"""
    frames(context, "fifo")


@test("vkcube/mailbox", seconds=60)
def mailbox(context):
    """150 frames of vkcube in a mailbox"""
    frames(context, "mailbox")


@test("vkcube/immediate", seconds=60)
def immediate(context):
    """150 frames of vkcube, immediately"""
    frames(context, "immediate")


@test("vkcube/two", seconds=180)
def two(context):
    """Two vkcubes at once on one server, each with its picture and to its last frame"""
    displays = [context.enter(Xvfb(context, "360x360")).display for _ in range(2)]
    command = [setting.tool("vkcube"), "--width", "240", "--height", "240"]
    native = watch(context, command, native_environment(DISPLAY=displays[0]), "native", NATIVE_MOMENTS)
    server = context.enter(Server(context))
    environments = [server.client_environment(DISPLAY=display) for display in displays]
    started = [context.start([*command, "--c", 6000], environment) for environment in environments]
    context.check(process.wait_until(lambda: len(server.workers()) == 2, 20),
                  "there are no two workers")
    # In turns, so that neither has ended before it is looked at.
    pictures = {number: [] for number in range(2)}
    for _ in range(3):
        for number, cube in enumerate(started):
            pictures[number] += look(context, cube, environments[number], f"cube-{number}", 1)
    for number, seen in pictures.items():
        distance = max(nearest(picture, native) for picture in seen)
        context.check(distance < LIKE,
                      f"cube {number} differs from every native one by {distance:.1f} of 255")
    for cube in started:
        context.check(cube.wait(context.remaining()), "vkcube does not end")
        result = cube.result()
        context.check(result.status == 0, f"vkcube ended with {result.describe()}")
