# SPDX-License-Identifier: MIT
"""Virtual machines whose GPU is Viaduct: Debian's kernels under QEMU, by scripts/guest."""

import json
import pathlib
import re
import shutil
import tempfile

from harness import Failure, native_environment, png, process, setting, test
from harness.framework import add

KERNELS = ["6.1", "6.12"]  # Debian 12's, and that of Debian 13

# What a step of tests/guest/steps may need, several of them in one guest: booting takes longest.
PROGRAMS = ["vulkaninfo", "doctor", "hidden", "compute", "descriptors", "memory", "sync", "threads",
            "two", "pages"]
ROBUST = ["killed", "worker", "idle"]
DISPLAY = ["pattern", "kms", "cube", "gears"]

# A display with odd sides, to find errors of strides.
WIDTH, HEIGHT = 1001, 603


def guest_command(context, kernel, steps, options, logs):
    return [setting.root_path() / "scripts" / "guest", "--kernel", kernel,
            "--build", setting.build_path(), "--logs", logs,
            "--timeout", str(int(context.remaining()) - 20),
            "--env", f"BUILD={setting.build_path()}", "--env", f"OUT={context.path}", *options,
            "--", setting.root_path() / "tests" / "guest" / "steps", *steps]


def check_steps(context, result, steps):
    if result.status == process.SKIPPED:
        context.skip("NO GUEST WAS TESTED: " + (result.err or result.out).strip())
    said = dict(re.findall(r"^step (\S+) (passed|failed)", result.out, re.MULTILINE))
    failed = [line for line in result.out.splitlines() if re.match(r"step \S+ failed", line)]
    if failed:
        raise Failure(" ".join(failed))
    missing = [step for step in steps if said.get(step) != "passed"]
    context.check(not missing and result.status == 0,
                  f"ended with {result.describe()}, steps not done: {missing}")


# QEMU 10.0.2 ended so on 2026-11-27 while two guests booted on a loaded machine, within seconds and before
# any step; alone the same tests pass. The cause is not known. Nothing else gets a second try.
QEMU_FAULT = "msix_table_mmio_write: Assertion"


def run_steps(context, kernel, steps, *options):
    command = guest_command(context, kernel, steps, options, context.path)
    result = context.run(command, native_environment(), "guest")
    log = context.path / "qemu.log"
    if result.status != 0 and log.exists() and QEMU_FAULT in log.read_text(encoding="utf-8", errors="replace"):
        context.note(f"QEMU itself failed: {QEMU_FAULT}")
        result = context.run(command, native_environment(), "guest-again")
    check_steps(context, result, steps)


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
    for name in ("kms.png", "kms-copied.png"):
        compare(context, name, png.read(wanted).pixels())


def check_colours(context, name, least):
    colours = len(set(png.read(context.path / name).pixels()))
    context.check(colours > least, f"{name} has {colours} colours")


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
    check_colours(context, "cube.png", 500)
    check_colours(context, "gears.png", 200)


for name in KERNELS:
    for function, about in (
            (programs, "vulkaninfo, the test programs, two processes at once"),
            (robust, "processes and workers killed, contexts that come and go: nothing is left"),
            (display, "frame buffer, VK_KHR_display, vkcube and glxgears in Xorg, on QEMU's picture")):
        add(lambda context, kernel=name, function=function: function(context, kernel),
            f"guest/{name}/{function.__name__}", f"Kernel {name}: {about}", seconds=900, alone=True)


@test("guest/6.12/host", seconds=900, alone=True)
def as_host(context):
    """The guest as the host: memory of the driver's own, and shared memory as dma-bufs"""
    run_steps(context, "6.12", ["own", "udmabuf", "udmabuf_again", "udmabuf_limit"], "--env", f"LAVAPIPE={setting.lavapipe()}")


@test("guest/reset", seconds=600, alone=True)
def reset(context):
    """A machine that is reset while it renders: the device begins anew, with nothing left"""
    run_steps(context, KERNELS[0], ["reset", "quiet"])


@test("guest/vga", seconds=600, alone=True)
def vga(context):
    """QEMU's own virtio-vga as the display, Viaduct as a second device"""
    run_steps(context, KERNELS[0], ["vulkaninfo", "cube", "quiet"], "--display", "qemu")
    check_colours(context, "cube.png", 500)


def children(pid):
    """Names of a process' children."""
    names = []
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(
            encoding="ascii").split():
        try:
            names.append(pathlib.Path(f"/proc/{child}/comm").read_text(encoding="utf-8").strip())
        except OSError:
            pass
    return sorted(names)


@test("guest/pair", seconds=900, alone=True)
def pair(context):
    """Two machines at one server: one ends while it renders, and the other does not notice"""
    directory = context.enter(tempfile.TemporaryDirectory(prefix="viaduct-test-"))
    server = context.start([setting.build_path() / "server" / "viaduct-server",
                            "--vhost-user", f"{directory}/gpu", *setting.as_root()],
                           native_environment())
    context.check(process.wait_until(pathlib.Path(f"{directory}/gpu").exists, 20),
                  "the server does not start")
    before = children(server.pid)
    steps = {"stays": ["compute", "threads", "two", "compute", "quiet"], "ends": ["quit"]}
    guests = {}
    for name in steps:
        logs = context.path / name
        logs.mkdir()
        guests[name] = context.start(
            guest_command(context, KERNELS[0], steps[name], ["--server", f"{directory}/gpu"], logs),
            native_environment(), name)
    for name in ("ends", "stays"):
        context.check(guests[name].wait(context.remaining()), f"the guest that {name} hangs")
    check_steps(context, guests["stays"].result(), steps["stays"])
    ends = guests["ends"].result()
    context.check("has ended without a status" in ends.err, f"it ended with {ends.describe()}")
    context.check(process.wait_until(lambda: children(server.pid) == before, 10),
                  f"the server had {before}, and keeps {children(server.pid)}")


DOMAIN = """<domain type='qemu'>
  <name>viaduct</name>
  <memory unit='GiB'>1</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  {}
</domain>
"""


@test("guest/libvirt")
def libvirt(context):
    """libvirt's validator takes the lines that README.md shows; the server describes itself as it wants"""
    if not shutil.which("virt-xml-validate"):
        context.skip("LIBVIRT WAS NOT ASKED: virt-xml-validate (libvirt-clients) is not installed")
    readme = (setting.root_path() / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"^```xml\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    context.check(shown, "README.md shows no XML")
    path = context.path / "domain.xml"
    for text, fine in ((shown.group(1), True), (shown.group(1).replace("vhostuser", "vhost"), False)):
        path.write_text(DOMAIN.format(text), encoding="utf-8")
        result = context.run(["virt-xml-validate", path, "domain"], native_environment())
        context.check((result.status == 0) == fine, f"the validator says {result.describe()}")
    said = context.succeed([setting.build_path() / "server" / "viaduct-server",
                            "--print-capabilities"], native_environment())
    capabilities = json.loads(said.out)
    context.check(capabilities["type"] == "gpu", "it says that it is no gpu")
    # libvirt would look for a render node, and refuse to start a guest on a machine without GPU.
    context.check("render-node" not in capabilities["features"], "it wants a render node")
    description = json.loads((setting.build_path() / "server" / "50-viaduct.json").read_text(
        encoding="utf-8"))
    context.check(description["type"] == "gpu" and
                  description["binary"].endswith("/bin/viaduct-server"),
                  f"the description is {description}")
