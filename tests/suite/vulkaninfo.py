# SPDX-License-Identifier: MIT
"""vulkaninfo natively and through Viaduct: what differs is named here, with the reason."""

import difflib
import re

from harness import Failure, Xvfb, clean_environment, native_environment, setting, test, through

# Device and instance extensions of lavapipe that Viaduct does not show, and why.
NOT_SHOWN = {
    "VK_KHR_wayland_surface": "presentation to Wayland is not written yet",
    "VK_AMDX_shader_enqueue": "provisional: its numbers and structs may still change",
    "VK_EXT_hdr_metadata": "the client's window systems show no metadata",
    "VK_EXT_multisampled_render_to_swapchain": "the client's swapchains cannot do it yet",
    "VK_ANDROID_external_memory_android_hardware_buffer": "means nothing on Linux",
}

# Those that Viaduct shows although lavapipe does not.
ADDED = {
    "VK_EXT_tooling_info": "answered by the client, which hides no tools",
    "VK_KHR_display": "the application's own displays, in the client",
    "VK_KHR_get_display_properties2": "the application's own displays, in the client",
    "VK_EXT_direct_mode_display": "the application's own displays, in the client",
    "VK_EXT_acquire_drm_display": "the application's own displays, in the client",
    "VK_KHR_external_fence_fd": "fences are shared among clients, not with the host's driver",
    "VK_KHR_present_id": "the client knows when it has shown a picture",
    "VK_KHR_present_wait": "the client knows when it has shown a picture",
    "VK_KHR_present_id2": "the client knows when it has shown a picture",
    "VK_KHR_present_wait2": "the client knows when it has shown a picture",
    "VK_EXT_hdr_metadata": "surfaces are sRGB, and metadata changes nothing",
    "VK_KHR_present_mode_fifo_latest_ready": "the client decides which picture is shown",
    "VK_EXT_present_mode_fifo_latest_ready": "the client decides which picture is shown",
    "VK_KHR_swapchain_maintenance1": "swapchains are the client's, by either name",
}

# Structs of what Viaduct adds.
STRUCTS_ADDED = [
    r"VkSurfaceCapabilitiesPresent(Id|Wait)2KHR",
    r"VkPhysicalDevicePresentId2?FeaturesKHR",
    r"VkPhysicalDevicePresentWait2?FeaturesKHR",
    r"VkPhysicalDevicePresentModeFifoLatestReadyFeatures(KHR|EXT)",
]

# Lines ("section > line", blanks collapsed) that may differ, each with its reason.
ALLOWED = [
    # Names say Viaduct, see check_names(); numbers are the host's, and so is the device's UUID.
    r".*(deviceName|driverName|driverInfo) = .*",
    # With the host's driver nothing can be exchanged (identity/), so it must not be the same one.
    r".*driverUUID = .*",
    # Mesa's drivers for X11 say nothing; ours shows pictures of other sizes at their own scale.
    r"Presentable Surfaces > .*VkSurfacePresentScalingCapabilities(EXT|KHR) > .*",
    # Mesa 26 asks for one more to replace a waiting picture with; ours replaces it where it waits.
    r"Presentable Surfaces > .*> PRESENT_MODE_MAILBOX_KHR > minImageCount = \d+",
    # A mode that the client has, and the counts of modes, which are judged one by one.
    r"Presentable Surfaces > .*(FIFO_LATEST_READY|_value1000361000).*",
    r"Presentable Surfaces > .*(Present Modes:|pPresentModes:|presentModeCount).* = \d+",
    # The counts above the lists of extensions, whose entries are judged one by one.
    r"(.* > )?(Instance|Device) Extensions: count = \d+",
]


def without_prefix(text):
    """The device's name stands in headings all over the text; deviceName itself is compared."""
    return re.sub(r"^(?!.*deviceName)(.*)\bViaduct \((.*?\)?)\)(?=[ :),]|$)", r"\1\2", text,
                  flags=re.MULTILINE)


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


def allowed(sign, line):
    extension = re.search(r"\b(VK_[A-Z]+_\w+) : extension revision", line)
    if extension:
        return extension.group(1) in (NOT_SHOWN if sign == "-" else ADDED)
    if sign == "+" and any(re.search(rf"(^|> ){struct}(\b|:)", line) for struct in STRUCTS_ADDED):
        return True
    return any(re.fullmatch(pattern, line) for pattern in ALLOWED)


MEMORY = "VkPhysicalDeviceMemoryProperties > "


class Memory:
    """What vulkaninfo says of heaps and of types: lines without their section and their number."""

    def __init__(self, lines):
        self.heaps, self.types = {}, {}
        self.rest = []
        for line in lines:
            match = re.fullmatch(rf"{MEMORY}memory(Heaps|Types) > memory(?:Heaps|Types)\[(\d+)\](.*)",
                                 line)
            if match:
                kind, index, text = match.groups()
                # What the heaps hold at the moment is the host's business and changes.
                text = re.sub(r"> (budget|usage) = .*", r"> \1", text)
                (self.heaps if kind == "Heaps" else self.types).setdefault(int(index), []).append(text)
            elif not re.search(r"memoryTypes: count = \d+$", line):
                self.rest.append(line)


def check_memory(context, native, other):
    """Heaps and types are the host's, in the host's order."""
    context.check(native.heaps and native.types, "natively it says nothing about memory")
    context.check(native.heaps == other.heaps, f"heaps: {native.heaps} natively, {other.heaps}")
    context.check(native.types == other.types, f"memory types: {native.types} natively, {other.types}")
    context.check(native.rest == other.rest, f"memory: {native.rest} natively, {other.rest}")


def check_names(context, native, other):
    """Names say Viaduct, and what it is on."""
    device, driver, info = (value(native, name) for name in ("deviceName", "driverName", "driverInfo"))
    for name, wanted in (("deviceName", f"Viaduct ({device})"), ("driverName", "Viaduct"),
                         ("driverInfo", f"on {driver} {info}")):
        found = set(re.findall(rf"^\s*{name}\s*= (.*)$", other, re.MULTILINE))
        context.check(found == {wanted}, f"{name}: {found}, not {wanted!r}")


def compare(context, *arguments):
    command = [setting.tool("vulkaninfo"), *arguments]
    display = context.enter(Xvfb(context)).display
    native = context.succeed(command, native_environment(DISPLAY=display), "native")
    other = context.succeed(through(command), clean_environment(DISPLAY=display), "through")
    native_lines, other_lines = path_lines(native.out), path_lines(without_prefix(other.out))
    # Empty or shortened output must not pass as a list of allowed differences.
    context.check(len(native_lines) > 20, "natively it says nearly nothing")
    context.check(len(other_lines) > 0.8 * len(native_lines),
                  f"{len(other_lines)} lines through Viaduct, {len(native_lines)} natively")
    check_names(context, native.out, other.out)
    apart = [[line for line in lines if line.startswith(MEMORY)]
             for lines in (native_lines, other_lines)]
    if not arguments:
        check_memory(context, *map(Memory, apart))
    unexpected = []
    for line in difflib.ndiff(*([line for line in lines if not line.startswith(MEMORY)]
                                for lines in (native_lines, other_lines))):
        if line[0] in "-+":
            fine = allowed(line[0], line[2:])
            context.note(f"{'allowed    ' if fine else 'not allowed'} {line}")
            if not fine:
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
    compare(context, "--summary")


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
