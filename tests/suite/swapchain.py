# SPDX-License-Identifier: MIT
"""What a host's driver need not be able to do itself, because swapchains live in the client."""

import re

from harness import Xvfb, build_path, clean_environment, test, through


def expect_all(context, result):
    context.check("waiting for presents" in result.out, "no present was waited for")
    context.check("fences that are shared" in result.out, "no fence was shared")


@test("swapchain/xcb", seconds=60)
def xcb(context):
    """Presents that are waited for, and images in a swapchain's memory, in a window"""
    display = context.enter(Xvfb(context)).display
    result = context.succeed(through([build_path() / "tests" / "swapchain", "xcb", "--bind"]),
                             clean_environment(DISPLAY=display), "through")
    expect_all(context, result)


@test("swapchain/headless", seconds=60)
def headless(context):
    """The same without a window, where lavapipe crashes when an image is given back"""
    result = context.succeed(through([build_path() / "tests" / "swapchain", "headless", "--bind"]),
                             clean_environment(), "through")
    expect_all(context, result)


@test("swapchain/acquire", seconds=60)
def acquire(context):
    """Acquiring submits nothing: a queue that waits would keep others from what is acquired"""
    frames = 50
    result = context.succeed(through([build_path() / "tests" / "present", "headless", "--frames",
                                      str(frames)]),
                             clean_environment(VIADUCT_DEBUG="stats"), "through")
    calls = re.search(r"vkQueueSubmit: calls=(\d+)", result.err)
    context.check(calls, "nothing was counted")
    # One to draw, one to present, and some to begin with.
    context.check(int(calls[1]) <= 2 * frames + 5, f"{calls[1]} submissions for {frames} frames")
