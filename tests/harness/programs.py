# SPDX-License-Identifier: MIT
"""The programs of tests/apps, with the arguments that the suites run them with."""

import os
import threading

from . import setting
from .process import SKIPPED
from .wayland import Sway
from .xserver import Xvfb

PICTURE = "@PICTURE@"


class Program:
    """One way to run one program.

    same_output: what it prints is the same natively and through Viaduct.
    unvalidated: None, or why it cannot be run under the validation layer.
    unvalidated_below: the same for the layer between server and driver.
    own: Viaduct's client has what it tests, whatever the host's driver has.
    lavapipe_lacks: None, or what it is about and lavapipe has not. Nothing is skipped there: the suites
        of lavapipe leave it out, those of other drivers do not.
    root: None, or what Viaduct's client may do only for root.
    """

    def __init__(self, label, *command, seconds=60, same_output=True, unvalidated=None,
                 unvalidated_below=None, own=False, lavapipe_lacks=None,
                 root=None):
        self.label = label
        self.command = command
        self.seconds = seconds
        self.same_output = same_output
        self.unvalidated = unvalidated
        self.unvalidated_below = unvalidated_below
        self.own = own
        self.lavapipe_lacks = lavapipe_lacks
        self.root = root

    @property
    def has_picture(self):
        return PICTURE in self.command

    @property
    def needs_x(self):
        return "xcb" in self.command or "xlib" in self.command

    @property
    def needs_wayland(self):
        return "wayland" in self.command

    def command_line(self, build, picture=None):
        words = [picture if word == PICTURE else word for word in self.command]
        return [build / "tests" / words[0], *words[1:]]

    def environment(self, context, base):
        if self.root and os.geteuid() != 0:
            context.skip(f"only root may have {self.root}")
        # What looks at its own growth gets one heap: glibc adds heaps for threads that meet, and the
        # busier the machine, the more of them.
        if self.command[0] == "lifecycle":
            base = {**base, "MALLOC_ARENA_MAX": "1"}
        if self.needs_x:
            return {**base, "DISPLAY": context.enter(Xvfb(context)).display}
        if self.needs_wayland:
            return {**base, **context.enter(Sway(context)).environment}
        return base


READ_BY_LAYER = "the layer of Debian 12 (1.3.239) reads what is ignored"
READ_AGAIN = "the layer reads lists again while it waits, and the program unmaps them"
NEWER_THAN_LAYER = "the layer of Debian 12 (1.3.239) does not know what it uses"
WAITS_IN_LAYER = "the layer waits at once for the work that a fence with an opaque descriptor is for"
MISTAKE = "the mistake is the point"
LONGER = "it does what threads does, for longer"

PROGRAMS = [
    Program("compute", "compute", same_output=False),
    Program("compiles", "compiles"),
    Program("scene-triangle", "scene", "triangle", PICTURE),
    Program("scene-textured", "scene", "textured", PICTURE),
    Program("scene-depth", "scene", "depth", PICTURE),
    Program("scene-multi", "scene", "multi", PICTURE),
    Program("shapes-vertex-input", "shapes", "vertex-input", unvalidated=READ_BY_LAYER),
    Program("shapes-mesh", "shapes", "mesh", unvalidated=READ_BY_LAYER),
    Program("shapes-host-copy", "shapes", "host-copy", unvalidated=NEWER_THAN_LAYER,
            unvalidated_below=NEWER_THAN_LAYER),
    Program("shapes-descriptors", "shapes", "descriptors"),
    Program("shapes-launch", "shapes", "launch"),
    Program("sync", "sync"),
    Program("sync-lists", "sync", "--lists", unvalidated=READ_AGAIN),
    Program("memory", "memory", seconds=120),
    Program("memory-map2", "memory", "--map2", unvalidated=NEWER_THAN_LAYER),
    Program("types", "types"),
    Program("descriptors", "descriptors"),
    Program("descriptor-bytes", "descriptor_bytes"),
    Program("scarce", "scarce", seconds=120),
    Program("lifetimes", "lifetimes"),
    Program("ignored", "ignored"),
    Program("ignored-libraries", "ignored", "--libraries", unvalidated=NEWER_THAN_LAYER),
    Program("pipelines", "pipelines"),
    Program("names", "names"),
    Program("callbacks", "callbacks"),
    Program("halves", "halves"),
    Program("misuse-layout", "misuse", "layout", unvalidated=MISTAKE, unvalidated_below=MISTAKE),
    Program("queries", "queries"),
    Program("refusals", "refusals", unvalidated=MISTAKE, unvalidated_below=MISTAKE),
    Program("rays", "rays"),
    Program("queries-newer", "queries", "--newer", unvalidated=NEWER_THAN_LAYER,
            unvalidated_below="below the layer the device shows Vulkan 1.3"),
    Program("external", "external"),
    Program("semaphores", "semaphores", lavapipe_lacks="semaphores by descriptor"),
    Program("pointers", "pointers", root="a userfaultfd for what the kernel writes, too"),
    Program("fences", "fences", own=True, unvalidated=WAITS_IN_LAYER),
    Program("threads", "threads"),
    Program("threads-long", "threads", "--rounds", "1500", unvalidated=LONGER,
            unvalidated_below=LONGER),
    Program("lifecycle", "lifecycle", same_output=False),
    Program("lifecycle-instances", "lifecycle", "--instances"),
    Program("lifecycle-fork", "lifecycle", "--fork"),
    Program("present-headless", "present", "headless", "--shot", PICTURE),
    Program("present-xcb-fifo", "present", "xcb", "--mode", "fifo", "--size", "300x200",
            "--shot", PICTURE),
    Program("present-xcb-mailbox", "present", "xcb", "--mode", "mailbox", "--frames", "200",
            "--shot", PICTURE, same_output=False),
    Program("present-xcb-latest", "present", "xcb", "--mode", "latest", "--frames", "200",
            same_output=False, own=True, unvalidated=NEWER_THAN_LAYER),
    Program("present-xcb-immediate", "present", "xcb", "--mode", "immediate", "--frames", "200",
            "--size", "333x77", "--shot", PICTURE),
    Program("present-xcb-resize", "present", "xcb", "--frames", "90", "--size", "200x300",
            "--resize", "320x240", "--shot", PICTURE, same_output=False),
    Program("present-xcb-unmap", "present", "xcb", "--frames", "90", "--unmap", "--shot", PICTURE),
    # Without VK_KHR_present_wait, which lavapipe does not have, one part is left out.
    Program("swapchain-xcb", "swapchain", "xcb", same_output=False, unvalidated=NEWER_THAN_LAYER),
    Program("present-wayland-fifo", "present", "wayland", "--mode", "fifo", "--size", "300x200",
            "--shot", PICTURE),
    Program("present-wayland-mailbox", "present", "wayland", "--mode", "mailbox", "--frames", "200",
            "--shot", PICTURE),
    Program("present-wayland-restless", "present", "wayland", "--frames", "500", "--restless",
            "--shot", PICTURE, seconds=120),
    Program("swapchain-wayland", "swapchain", "wayland", same_output=False,
            unvalidated=NEWER_THAN_LAYER),
    Program("present-xlib", "present", "xlib", "--size", "300x200", "--resize", "200x100",
            "--mode", "immediate", "--shot", PICTURE, same_output=False),
]

# Only newer releases have the lavapipe for it; on others there is nothing that could run it.
if setting.lavapipe_is(26, 2) or not setting.host_driver_is_lavapipe():
    PROGRAMS.append(Program("heaps", "heaps", unvalidated=NEWER_THAN_LAYER,
                            unvalidated_below=NEWER_THAN_LAYER))

# Those that the host driver under test can run.
RUNNABLE = [program for program in PROGRAMS
            if not (program.lavapipe_lacks and setting.host_driver_is_lavapipe())]

_native_results = {}
_native_lock = threading.Lock()


def run_native(context, program, driver=None):
    """Runs the program natively, once for all suites: returns its result and picture."""
    with _native_lock:
        lock = _native_results.setdefault((program.label, driver), [threading.Lock(), None])
    with lock[0]:
        if lock[1] is None:
            picture = context.path / "native.png" if program.has_picture else None
            result = context.run(
                program.command_line(setting.build_path(), picture),
                program.environment(context, setting.native_environment(driver)),
                f"native-{program.label}")
            lock[1] = (result, picture.read_bytes() if picture and picture.exists() else None)
    return lock[1]


def skipped(result):
    return result.status == SKIPPED
