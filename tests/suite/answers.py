# SPDX-License-Identifier: MIT
"""What each command answers when things go wrong: a table of commands and misfortunes."""

import re
import signal

from harness import Server, add, build_path

LIBRARY = "icd/libvulkan_viaduct.so"


def command_line(*how):
    return [build_path() / "tests/answers", build_path() / LIBRARY, *how]


def check(context, result):
    unlisted = [line for line in result.out.splitlines() if "NOT LISTED" in line]
    context.check(not unlisted, "; ".join(unlisted))
    context.check(result.status == 0, f"{result.describe()}: {result.last_line()}")


def lost(context):
    server = context.enter(Server(context))
    client = context.start(command_line("lost"), server.client_environment())
    context.check(client.wait_for_line("^ready", 30), "the client does not get ready")
    server.stop()
    client.send(signal.SIGUSR1)
    context.check(client.wait(60), "the client hangs")
    check(context, client.result())
    # That nothing is known of a fault is no failure.
    faults = re.findall(r"^(vkGetDeviceFault\w+): (?!VK_SUCCESS)(.*)", client.result().out, re.MULTILINE)
    context.check(not faults, f"whoever asks why hears {faults}")


def without(context, *what):
    server = context.enter(Server(context))
    check(context, context.run(command_line(*what), server.client_environment(), "-".join(what)))


add(lost, "answers/lost", "After a loss every command answers only what vk.xml lists for it")
add(lambda context: without(context, "descriptors"), "answers/descriptors",
    "Without a file descriptor every command answers only what vk.xml lists for it", seconds=240)
for mallocs in ("0", "2"):
    add(lambda context, mallocs=mallocs: without(context, "memory", mallocs),
        f"answers/memory-{mallocs}",
        f"Where all malloc() but {mallocs} fail every command answers only what vk.xml lists for it",
        seconds=240)
