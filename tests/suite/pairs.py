# SPDX-License-Identifier: MIT
"""A driver and a server that were made from different registries: the application sees what both know."""

import re

from harness import Failure, Skipped, add, clean_environment, setting, test, through
from harness.programs import RUNNABLE
from suite.builds import BUILD_SECONDS, built
from suite.compare import compare


# Extensions that the older registry lacks, and a newer driver offers whatever the server knows.
ANSWERED_BY_DRIVER = {
    "VK_KHR_present_mode_fifo_latest_ready": "swapchains are the client's, and no server sees one",
}


def build(context, age):
    return setting.build_path() if age == "newer" else built(context, "older")


def run(context, driver, server):
    """What native runs pass, the pair passes; every program that fails is named."""
    pair = build(context, driver), build(context, server)
    passed, failed = 0, []
    for program in RUNNABLE:
        try:
            compare(context, program, pair=pair)
            passed += 1
        except Skipped as skipped:
            context.note(f"{program.label}: {skipped}")
        except Failure as failure:
            failed.append(f"{program.label}: {failure}")
    context.note("\n".join(failed))
    context.check(not failed, f"{len(failed)} fail, {passed} pass: {'; '.join(failed[:3])}")


def seen(context, driver, server):
    """What vulkaninfo sees through a pair: ({extension or struct}, version)."""
    command = [setting.tool("vulkaninfo")]
    command = through(command, build=build(context, driver), server=build(context, server))
    text = context.succeed(command, clean_environment(), f"vulkaninfo-{driver}-{server}").out
    names = set(re.findall(r"^\s+(VK_[A-Z]+_\w+)\s+: extension", text, re.MULTILINE))
    structs = set(re.findall(r"^(VkPhysicalDevice\w+(?:Features|Properties)\w*):", text,
                             re.MULTILINE))
    version = re.search(r"apiVersion\s*= (\d+)\.(\d+)\.(\d+)", text)
    return names | structs, tuple(map(int, version.groups()))


for pair in (("newer", "older"), ("older", "newer"), ("older", "older")):
    add(lambda context, pair=pair: run(context, *pair), f"pairs/{pair[0]}-driver-{pair[1]}-server",
        f"All of compare/ through the {pair[0]} driver and the {pair[1]} server", seconds=BUILD_SECONDS)


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
        expected = old | (set(ANSWERED_BY_DRIVER) if pair[0] == "newer" else set())
        if both != expected:
            raise Failure(f"{' and '.join(pair)}: {sorted(both ^ expected)[:6]} differ")
        context.check(version == old_version, f"{' and '.join(pair)}: version {version}")
