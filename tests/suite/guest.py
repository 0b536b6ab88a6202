# SPDX-License-Identifier: MIT
"""Virtual machines whose GPU is Viaduct: Debian's kernels under QEMU, by scripts/guest."""

import os
import re
import shutil

from harness import Failure, native_environment, process, setting, test
from harness import png

# What a step of tests/guest/steps may need, several of them in one guest: booting takes longest.
PROGRAMS = ["vulkaninfo", "compute", "descriptors", "memory", "sync", "threads", "two"]
ROBUST = ["killed", "worker", "contexts"]

# A display with odd sides, to find errors of strides.
WIDTH, HEIGHT = 1001, 603


def run_steps(context, kernel, steps, *options):
    if not os.environ.get("VIADUCT_TEST_GUEST"):
        context.skip("NO GUEST WAS TESTED: emulating one takes minutes; VIADUCT_TEST_GUEST=1 asks "
                     "for it")
    if not shutil.which("qemu-system-x86_64"):
        context.skip("NO GUEST WAS TESTED: qemu-system-x86_64 is not installed")
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


def check_pattern(context):
    """tests/guest/pattern.py drew it."""
    picture = png.read(context.path / "pattern.png")
    context.check((picture.width, picture.height) == (WIDTH, HEIGHT),
                  f"the display has {picture.width} x {picture.height}")
    expected = ((x & 255, y & 255, (x + y) & 255) for y in range(HEIGHT) for x in range(WIDTH))
    wrong = sum(got != want for got, want in zip(picture.pixels(), expected))
    context.check(wrong == 0, f"{wrong} pixels of the frame buffer are wrong on the display")


def check_cube(context):
    colours = set(png.read(context.path / "cube.png").pixels())
    context.check(len(colours) > 500, f"the picture of vkcube has {len(colours)} colours")


@test("guest/6.1/programs", seconds=600, alone=True)
def programs(context):
    """Debian 12's kernel: vulkaninfo, the test programs, two processes at once"""
    run_steps(context, "6.1", PROGRAMS + ["quiet"])
    check_log(context)


@test("guest/6.1/robust", seconds=600, alone=True)
def robust(context):
    """Processes and workers killed, contexts that come and go, all with nothing left behind"""
    run_steps(context, "6.1", ROBUST + ["quiet"])


@test("guest/6.1/display", seconds=600, alone=True)
def display(context):
    """Frame buffer and vkcube in Xorg, looked at through QEMU's screendump"""
    run_steps(context, "6.1", ["pattern", "cube", "quiet"], "--size", f"{WIDTH}x{HEIGHT}")
    check_log(context)
    check_pattern(context)
    check_cube(context)


@test("guest/6.12", seconds=900, alone=True)
def newer(context):
    """Debian's kernel 6.12: programs, robustness and display in one guest"""
    run_steps(context, "6.12",
              ["vulkaninfo", "compute", "threads", "pattern", "killed", "worker", "cube", "quiet"],
              "--size", f"{WIDTH}x{HEIGHT}")
    check_pattern(context)
    check_cube(context)
