# SPDX-License-Identifier: MIT
"""vulkaninfo natively and through Viaduct: what differs is named here, with the reason."""

import difflib
import re

from harness import Failure, Xvfb, clean_environment, native_environment, setting, test, through

# Device and instance extensions of lavapipe that Viaduct does not show, and why.
NOT_SHOWN = {
    "VK_KHR_external_memory_fd": "file descriptors do not cross yet",
    "VK_EXT_external_memory_dma_buf": "file descriptors do not cross yet",
    "VK_EXT_external_memory_host": "the application's own pages are not shared with the server",
    "VK_EXT_calibrated_timestamps": "the application's clock is not the host's",
    "VK_KHR_calibrated_timestamps": "the application's clock is not the host's",
    "VK_EXT_surface_maintenance1": "surfaces live in the client, where this is not written",
    "VK_EXT_swapchain_maintenance1": "swapchains live in the client, where this is not written",
    "VK_KHR_surface_protected_capabilities": "protected surfaces do not exist on X11",
    "VK_KHR_wayland_surface": "presentation to Wayland is not written yet",
    "VK_KHR_portability_enumeration": "the loader shows it when any driver's library has it",
}

# Structs that belong to those extensions: vulkaninfo prints them only where the extension is.
STRUCTS_NOT_SHOWN = [
    r"VkPhysicalDeviceExternalMemoryHostPropertiesEXT",
    r"VkPhysicalDeviceSwapchainMaintenance1FeaturesEXT",
    r"VkSurfacePresentModeCompatibilityEXT",
    r"VkSurfacePresentScalingCapabilitiesEXT",
    r"VkSurfaceProtectedCapabilitiesKHR",
]

# Lines ("section > line", blanks collapsed) that may differ, each with its reason.
ALLOWED = [
    # Names say Viaduct; numbers and UUIDs are the host's.
    r".*deviceName = .*",
    r".*driverName = .*",
    r".*driverInfo = .*",
    r"Presentable Surfaces > GPU id : 0 \(.*\)( > .*)?",
    r"Device Groups > Group 0 > Properties > physicalDevices: count = 1 > .*",
    # The client's memory types stand beside the host's: device-local memory that is not imported.
    r"VkPhysicalDeviceMemoryProperties > .*",
    # The counts above the lists of extensions, which differ by NOT_SHOWN (checked by name).
    r"(Instance|Device) Extensions: count = \d+",
    # Window system integration is the client's: image counts, usages and modes are its own.
    r"Presentable Surfaces > .*",
]


def path_lines(text):
    """Each line with its headings before it, so that a difference can be judged alone."""
    found, stack = [], []
    lines = text.splitlines() + [""]
    for line, below in zip(lines, lines[1:]):
        if not line.strip() or re.fullmatch(r"\s*[=-]+", line):
            continue
        depth = len(line) - len(line.lstrip("\t"))
        if re.fullmatch(r"=+", below):
            depth = -1
        while stack and stack[-1][0] >= depth:
            stack.pop()
        words = re.sub(r"\s+", " ", line.strip())
        found.append(" > ".join([entry for _, entry in stack] + [words]))
        if words.endswith(":") or re.search(r": count = \d+$", words):
            stack.append((depth, re.sub(r":( count = \d+)?$", "", words)))
    return found


def judge(line):
    """None, or why a line that only one side has is an unexpected one."""
    extension = re.search(r"\b(VK_[A-Z]+_\w+) : extension revision", line)
    if extension:
        return None if extension.group(1) in NOT_SHOWN else "extension"
    if any(re.search(rf"(^|> ){struct}(\b|:)", line) for struct in STRUCTS_NOT_SHOWN):
        return None
    return None if any(re.fullmatch(pattern, line) for pattern in ALLOWED) else "line"


def compare(context, *arguments):
    command = [setting.tool("vulkaninfo"), *arguments]
    display = context.enter(Xvfb(context)).display
    native = context.succeed(command, native_environment(DISPLAY=display), "native")
    other = context.succeed(through(command), clean_environment(DISPLAY=display), "through")
    native_lines, other_lines = path_lines(native.out), path_lines(other.out)
    # Empty or shortened output must not pass as a list of allowed differences.
    context.check(len(native_lines) > 20, "natively it says nearly nothing")
    context.check(len(other_lines) > 0.8 * len(native_lines),
                  f"{len(other_lines)} lines through Viaduct, {len(native_lines)} natively")
    unexpected = []
    for line in difflib.ndiff(native_lines, other_lines):
        if line[0] in "-+":
            reason = judge(line[2:])
            context.note(f"{'not allowed' if reason else 'allowed    '} {line}")
            if reason:
                unexpected.append(line)
    if unexpected:
        raise Failure(f"{len(unexpected)} differences: " + " | ".join(unexpected[:6]))
    return native.out, other.out


def value(text, name):
    match = re.search(rf"^\s*{name}\s*= (.*)$", text, re.MULTILINE)
    if not match:
        raise Failure(f"vulkaninfo does not say {name}")
    return match.group(1)


@test("vulkaninfo/full", seconds=60)
def full(context):
    """The whole text of vulkaninfo natively and through Viaduct"""
    native, other = compare(context)
    context.check(value(other, "apiVersion") == value(native, "apiVersion"), "another version")


@test("vulkaninfo/summary", seconds=60)
def summary(context):
    """vulkaninfo --summary natively and through Viaduct, and names that say Viaduct"""
    _, other = compare(context, "--summary")
    names = [value(other, name) for name in ("deviceName", "driverName", "driverInfo")]
    context.check(any("Viaduct" in name for name in names), f"no name says Viaduct: {names}")


@test("vulkaninfo/stable", seconds=60)
def stable(context):
    """Two connections see the same device: UUIDs, limits, extensions"""
    command = through([setting.tool("vulkaninfo")])
    first = context.succeed(command, clean_environment(), "first")
    second = context.succeed(command, clean_environment(), "second")
    # What the heaps hold at the moment is the host's business and changes.
    changing = re.compile(r"^\s*(budget|usage) +=.*$", re.MULTILINE)
    context.check(changing.sub("", first.out) == changing.sub("", second.out),
                  "vulkaninfo says something else the second time")
