# SPDX-License-Identifier: MIT
"""Virtual machines whose GPU is Viaduct: Debian's kernels under QEMU, by scripts/guest."""

import re

from harness import Failure, native_environment, png, process, setting
from harness.framework import add

KERNELS = ["6.1", "6.12"]  # Debian 12's, and that of Debian 13

# What a step of tests/guest/steps may need, several of them in one guest: booting takes longest.
PROGRAMS = ["vulkaninfo", "compute", "descriptors", "memory", "sync", "threads", "two"]
ROBUST = ["killed", "worker", "idle"]
DISPLAY = ["pattern", "kms", "cube"]

# A display with odd sides, to find errors of strides.
WIDTH, HEIGHT = 1001, 603


def run_steps(context, kernel, steps, *options):
    context.path.mkdir(parents=True, exist_ok=True)
    command = [setting.root_path() / "scripts" / "guest", "--kernel", kernel,
               "--build", setting.build_path(), "--logs", context.path,
               "--timeout", str(int(context.remaining()) - 20),
               "--env", f"BUILD={setting.build_path()}", "--env", f"OUT={context.path}", *options,
               "--", setting.root_path() / "tests" / "guest" / "steps", *steps]
    result = context.run(command, native_environment(), "guest")
    if result.status == process.SKIPPED:
        context.skip("NO GUEST WAS TESTED: " + (result.err or result.out).strip())
    said = dict(re.findall(r"^step (\S+) (passed|failed)", result.out, re.MULTILINE))
    failed = [line for line in result.out.splitlines() if re.match(r"step \S+ failed", line)]
    if failed:
        raise Failure(" ".join(failed))
    missing = [step for step in steps if said.get(step) != "passed"]
    context.check(not missing and result.status == 0,
                  f"ended with {result.describe()}, steps not done: {missing}")


def check_log(context):
    """The server has said nothing that it says about misbehaviour."""
    log = (context.path / "server.log").read_text(encoding="utf-8", errors="replace")
    odd = [line for line in log.splitlines() if re.search(r"(error|warning): guest", line)]
    context.check(not odd, "the device complains: " + " | ".join(odd[:4]))


def compare(context, name, expected):
    picture = png.read(context.path / name)
    context.check((picture.width, picture.height) == (WIDTH, HEIGHT),
                  f"{name} has {picture.width} x {picture.height} pixels")
    wrong = sum(got != want for got, want in zip(picture.pixels(), expected))
    context.check(wrong == 0, f"{wrong} pixels of {name} are wrong")


def check_pattern(context):
    """tests/guest/pattern.py drew it, and the display showed something else in between."""
    for name in ("pattern.png", "restored.png"):
        compare(context, name, ((x & 255, y & 255, (x + y) & 255)
                                for y in range(HEIGHT) for x in range(WIDTH)))


def check_kms(context):
    """The guest showed the frame that is drawn natively here."""
    wanted = context.path / "wanted.png"
    context.succeed([setting.build_path() / "tests" / "present", "headless", "--frames", "30",
                     "--size", f"{WIDTH}x{HEIGHT}", "--shot", wanted], native_environment())
    compare(context, "kms.png", png.read(wanted).pixels())


def check_cube(context):
    colours = set(png.read(context.path / "cube.png").pixels())
    context.check(len(colours) > 500, f"the picture of vkcube has {len(colours)} colours")


def programs(context, kernel):
    run_steps(context, kernel, PROGRAMS + ["quiet"])
    check_log(context)


def robust(context, kernel):
    contexts = "hundred" if kernel == KERNELS[0] else "few"
    run_steps(context, kernel, ROBUST + [contexts, "quiet"])


def display(context, kernel):
    run_steps(context, kernel, DISPLAY + ["quiet"], "--size", f"{WIDTH}x{HEIGHT}")
    check_log(context)
    check_pattern(context)
    check_kms(context)
    check_cube(context)


for name in KERNELS:
    for function, about in (
            (programs, "vulkaninfo, the test programs, two processes at once"),
            (robust, "processes and workers killed, contexts that come and go: nothing is left"),
            (display, "frame buffer, VK_KHR_display, vkcube in Xorg, by QEMU's screendump")):
        add(lambda context, kernel=name, function=function: function(context, kernel),
            f"guest/{name}/{function.__name__}", f"Kernel {name}: {about}", seconds=400, alone=True)
