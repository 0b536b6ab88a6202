# SPDX-License-Identifier: MIT
"""A driver and a server that were made from different registries: the application sees what both know."""

import re

from harness import Failure, add, clean_environment, setting, test, through
from harness.programs import PROGRAMS, run_native
from suite.builds import BUILD_SECONDS, built

BY_LABEL = {program.label: program for program in PROGRAMS}
TRIED = [BY_LABEL[label] for label in ("compute", "types", "lifetimes", "ignored", "pipelines", "names",
                                       "queries", "queries-newer")]


def build(context, age):
    return setting.build_path() if age == "newer" else built(context, "older")


def command_line(context, command, driver, server):
    return through(command, "--server", build(context, server) / "server" / "viaduct-server",
                   build=build(context, driver))


def without_version(text):
    """A pair offers no later version than the older of both knows."""
    return re.sub(r"Vulkan \d+\.\d+\.\d+", "Vulkan", text)


def run(context, driver, server):
    for program in TRIED:
        native, _ = run_native(context, program)
        if native.status != 0:
            continue
        command = program.command_line(setting.build_path())
        result = context.run(command_line(context, command, driver, server), clean_environment(),
                             program.label)
        context.check(result.status == 0, f"{program.label}: {result.describe()}: "
                                          f"{result.last_line()}")
        if program.same_output:
            context.check(without_version(result.out) == without_version(native.out),
                          f"{program.label} prints something else")


def seen(context, driver, server):
    """What vulkaninfo sees through a pair: ({extension or struct}, version)."""
    command = [setting.tool("vulkaninfo")]
    text = context.succeed(command_line(context, command, driver, server), clean_environment(),
                           f"vulkaninfo-{driver}-{server}").out
    names = set(re.findall(r"^\s+(VK_[A-Z]+_\w+)\s+: extension", text, re.MULTILINE))
    structs = set(re.findall(r"^(VkPhysicalDevice\w+(?:Features|Properties)\w*):", text,
                             re.MULTILINE))
    version = re.search(r"apiVersion\s*= (\d+)\.(\d+)\.(\d+)", text)
    return names | structs, tuple(map(int, version.groups()))


for pair in (("newer", "older"), ("older", "newer"), ("older", "older")):
    add(lambda context, pair=pair: run(context, *pair), f"pairs/{pair[0]}-driver-{pair[1]}-server",
        f"Programs through the {pair[0]} driver and the {pair[1]} server", seconds=BUILD_SECONDS)


@test("pairs/seen", seconds=BUILD_SECONDS)
def what_is_seen(context):
    """vulkaninfo through all pairs: extensions, structs and version that both know"""
    new, new_version = seen(context, "newer", "newer")
    old, old_version = seen(context, "older", "older")
    context.note("\n".join(sorted(new - old)))
    context.check(len(old) > 100, f"only {len(old)} extensions and structs")
    context.check(old < new, "the older pair lacks nothing, or has something of its own")
    context.check(old_version <= new_version, "the older pair has a newer version")
    for pair in (("newer", "older"), ("older", "newer")):
        both, version = seen(context, *pair)
        if both != old:
            raise Failure(f"{' and '.join(pair)}: {sorted(both ^ old)[:6]} differ")
        context.check(version == old_version, f"{' and '.join(pair)}: version {version}")
