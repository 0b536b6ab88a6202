# SPDX-License-Identifier: MIT
"""The command lines: viaduct run and viaduct-server."""

import json
import os
import re
import signal
import tempfile
import time

from harness import (Server, build_path, clean_environment, lavapipe, manifest,
                     native_environment, process, setting, test, through)


def viaduct_server(*arguments):
    return [build_path() / "server" / "viaduct-server", *arguments]


@test("tools/run/status")
def run_status(context):
    """viaduct run passes on exit codes and signals"""
    environment = clean_environment()
    for script, wanted in (("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 128 + signal.SIGTERM),
                           ("kill -KILL $$", 128 + signal.SIGKILL)):
        result = context.run(through(["/bin/sh", "-c", script]), environment)
        context.check(result.status == wanted, f"`{script}` gave {result.status}, not {wanted}")
    result = context.run(through(["/nonexistent/program"]), environment)
    context.check(result.status == 127, f"a missing program gave {result.status}, not 127")
    context.check("/nonexistent/program" in result.err, "it does not say what is missing")


@test("tools/run/arguments")
def run_arguments(context):
    """viaduct run leaves the command's arguments and streams alone"""
    words = ["a b", "", "--help", "$HOME", "*"]
    result = context.succeed(through(["/usr/bin/printf", "<%s>", *words]), clean_environment())
    context.check(result.out == "".join(f"<{word}>" for word in words), f"got {result.out!r}")
    context.check(result.err == "", f"it says something on stderr: {result.err!r}")


@test("tools/run/api-version")
def run_api_version(context):
    """viaduct run --api-version: devices show no later version; a wrong one is refused"""
    vulkaninfo = setting.tool("vulkaninfo")
    for version in ("1.1", "1.2", "1.3"):
        result = context.succeed(through([vulkaninfo, "--summary"], "--api-version", version),
                                 clean_environment())
        shown = re.findall(r"apiVersion *= *(\d+\.\d+)\.", result.out)
        context.check(shown == [version], f"with --api-version {version} devices show {shown}")
    for wrong in ("1.0", "2.0", "1", "1.x", ""):
        result = context.run(through(["/bin/true"], "--api-version", wrong), clean_environment())
        context.check(result.status == 125, f"--api-version '{wrong}' gave {result.status}")
        context.check("--api-version" in result.err, "it does not say what is wrong")


@test("tools/run/environment", seconds=60)
def run_environment(context):
    """The server does not get what is meant for the command, and the command gets all of it"""
    seen = context.path / "server-environment"
    fake = context.path / "server"
    real = build_path() / "server" / "viaduct-server"
    fake.write_text(f"#!/bin/sh\nenv >{seen}\nexec {real} \"$@\"\n", encoding="utf-8")
    fake.chmod(0o755)
    mine = {"VK_INSTANCE_LAYERS": "VK_LAYER_none", "VK_LOADER_DEBUG": "all", "VK_LAYER_PATH": "/layers",
            "VK_ADD_LAYER_PATH": "/more", "VK_LOADER_LAYERS_ENABLE": "*none*", "VIADUCT_DEBUG": "stats",
            "VIADUCT_WSI": "copy", "LD_PRELOAD": "", "LD_AUDIT": "", "ENABLE_VKBASALT": "1",
            "MANGOHUD": "1", "VIADUCT_TRANSPORT": "virtgpu"}
    shared = {"LP_NUM_THREADS": "1", "VK_ICD_FILENAMES": str(lavapipe()), "HOME": "/elsewhere"}
    result = context.succeed(through(["/usr/bin/env"], "--server", fake),
                             clean_environment(**mine, **shared))
    command = dict(line.split("=", 1) for line in result.out.splitlines() if "=" in line)
    server = dict(line.split("=", 1) for line in seen.read_text(encoding="utf-8").splitlines()
                  if "=" in line)
    for name, value in mine.items():
        context.check(name not in server, f"the server has {name}")
        if name != "VIADUCT_TRANSPORT":
            context.check(command.get(name) == value, f"the command has {name}={command.get(name)}")
    for name in ("LP_NUM_THREADS", "HOME"):
        context.check(server.get(name) == shared[name] == command.get(name), f"{name} is lost")
    context.check(server.get("VK_DRIVER_FILES") == str(lavapipe()), "the server has another driver")
    context.check(command.get("VIADUCT_TRANSPORT") == "vtest",
                  "inside of a guest the command would not find its server")


@test("tools/run/signals", seconds=60)
def run_signals(context):
    """A signal reaches the command once, whether it is for viaduct run, or for its process group"""
    script = "trap 'echo got' TERM HUP; echo ready; while :; do sleep 0.05; done"
    for number in (signal.SIGTERM, signal.SIGHUP):
        for what, send in (("viaduct", os.kill), ("its group", os.killpg)):
            # The tests themselves may run under nohup.
            command = ["/usr/bin/env", "--default-signal=HUP", *through(["/bin/bash", "-c", script])]
            started = context.start(command, clean_environment(),
                                    f"{number.name}-{what.replace(' ', '-')}")
            context.check(started.wait_for_line("^ready", 20), "the command does not get ready")
            for count in range(1, 4):
                send(started.pid, number)
                context.check(process.wait_until(lambda: started.out().count("got") >= count, 10),
                              f"{number.name} for {what} number {count} does not arrive")
                time.sleep(0.3)
                context.check(started.out().count("got") == count,
                              f"{number.name} for {what} arrives {started.out().count('got')} times, "
                              f"not {count}")
            started.send(signal.SIGKILL)
            os.killpg(started.pid, signal.SIGKILL)
            started.wait(10)


@test("tools/run/leaves-nothing")
def run_leaves_nothing(context):
    """viaduct run leaves no process, socket or folder, even when it is terminated"""
    directory = context.enter(tempfile.TemporaryDirectory(prefix="viaduct-test-"))
    environment = clean_environment(TMPDIR=directory, XDG_RUNTIME_DIR=directory)
    context.succeed(through([build_path() / "tests" / "compute"]), environment)
    context.check(not os.listdir(directory), f"left behind: {os.listdir(directory)}")

    for number in (signal.SIGTERM, signal.SIGKILL):
        started = context.start(through([build_path() / "tests" / "lostdevice", "hold"]),
                                environment)
        context.check(started.wait_for_line("^ready", 20), "the client does not get ready")
        family = process.children(started.pid)
        context.check(len(family) == 3,
                      f"{len(family)} children instead of server, command and what watches the group")
        started.send(number)
        context.check(started.wait(10), f"viaduct run does not end on {number.name}")
        if number == signal.SIGTERM:
            context.check(process.wait_until(lambda: not any(map(alive, family)), 5),
                          "a process is left behind")
            context.check(not os.listdir(directory), f"left behind: {os.listdir(directory)}")
    # After SIGKILL nobody is there to clean up, but the server must not stay.
    servers = [pid for pid in family if "viaduct-server" in command_line(pid)]
    context.check(process.wait_until(lambda: not any(map(alive, servers)), 10),
                  "the server outlives a killed viaduct run")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


@test("tools/run/gpu")
def run_gpu(context):
    """viaduct run --gpu chooses a device by number, name and UUID, and refuses one that is not there"""
    shown = context.succeed([setting.tool("vulkaninfo"), "--summary"], native_environment(), "native").out
    uuid = re.search(r"deviceUUID *= *(\S+)", shown).group(1)
    name = re.search(r"deviceName *= *(\S+)", shown).group(1)
    command = [build_path() / "tests" / "compute"]
    for gpu in ("0", uuid, uuid.replace("-", ""), name, name.upper()):
        context.succeed(through(command, "--gpu", gpu), clean_environment())
    for gpu in ("99", "1" + uuid[1:] if uuid[0] != "1" else "2" + uuid[1:], "no such GPU", "ffff:ff:1f.7"):
        result = context.run(through(command, "--gpu", gpu), clean_environment())
        context.check(result.status != 0, f"--gpu '{gpu}' found a device")
        context.check(f"none is '{gpu}'" in result.err, "the server does not say why")


@test("tools/run/usage")
def run_usage(context):
    """viaduct and viaduct run explain themselves, and refuse what they do not know"""
    viaduct = build_path() / "tools" / "viaduct"
    for arguments in (["--help"], ["run", "--help"]):
        result = context.succeed([viaduct, *arguments], clean_environment())
        context.check("run" in result.out, f"{arguments} says {result.out!r}")
    for arguments in ([], ["run"], ["run", "--no-such-option", "--", "true"], ["no-such-command"]):
        result = context.run([viaduct, *arguments], clean_environment())
        context.check(result.status == 2, f"{arguments} gave {result.status}, not 2")
        context.check(result.err, f"{arguments} says nothing")


@test("tools/server/usage")
def server_usage(context):
    """viaduct-server --help, --version, and options it does not know"""
    helped = context.succeed(viaduct_server("--help"), clean_environment())
    for option in ("--socket", "--gpu", "--validate", "--ready-fd", "--log-level"):
        context.check(option in helped.out, f"--help does not name {option}")
    version = context.succeed(viaduct_server("--version"), clean_environment())
    context.check(version.out.startswith("viaduct-server "), f"--version says {version.out!r}")
    for arguments in (["--no-such-option"], ["surplus"], ["--log-level", "loud"],
                      ["--gpu", ""]):
        result = context.run(viaduct_server(*arguments), clean_environment(), seconds=5)
        context.check(result.status == 2, f"{arguments} gave {result.status}, not 2")
        context.check(result.err and not result.out, f"{arguments}: the complaint is not on stderr")


@test("tools/server/log")
def server_log(context):
    """The server's log names its clients, and says less when asked to"""
    server = context.enter(Server(context))
    context.succeed([build_path() / "tests" / "compute"], server.client_environment())
    context.check(process.wait_until(lambda: "disconnected" in server.log(), 5),
                  "the log does not say that the client left")
    context.check("(compute)" in server.log(), "the log does not name the client")
    context.check(server.stop() == 0, "the server does not stop with 0")
    quiet = context.enter(Server(context, level="warning"))
    context.succeed([build_path() / "tests" / "compute"], quiet.client_environment())
    context.check(quiet.log() == "", f"at level warning it says: {quiet.log()}")


@test("tools/icd/library", seconds=60)
def icd_library(context):
    """The ICD without a loader: its interface, its handles, and that it can be unloaded"""
    library = json.loads(manifest().read_text(encoding="utf-8"))["ICD"]["library_path"]
    library = library if os.path.isabs(library) else str(manifest().parent / library)
    server = context.enter(Server(context))
    context.succeed([build_path() / "tests" / "driver", library, "20"],
                    server.client_environment())
    native = json.loads(lavapipe().read_text(encoding="utf-8"))["ICD"]["library_path"]
    context.succeed([build_path() / "tests" / "driver", native, "2", "5"], native_environment(),
                    "native")


@test("tools/icd/direct")
def icd_direct(context):
    """An application hands the ICD to the loader itself (VK_LUNARG_direct_driver_loading)"""
    server = context.enter(Server(context))
    library = build_path() / "icd" / "libvulkan_viaduct.so"
    result = context.succeed([*setting.newest_loader(), build_path() / "tests" / "driver", library,
                              "--direct"],
                             clean_environment(VTEST_SOCKET_NAME=server.socket,
                                               VK_DRIVER_FILES="/nonexistent"))
    context.check(result.out.count("Viaduct") == 3, f"it has other devices: {result.out!r}")


@test("tools/icd/names")
def icd_names(context):
    """Names cross where the host's device has the object; the rest are the client's, with any loader"""
    count_names(context, [])


@test("tools/icd/names-newest-loader")
def icd_names_newest(context):
    """The same with the newest loader, which hands over our objects where older ones do not"""
    count_names(context, setting.newest_loader())


def count_names(context, under):
    result = context.succeed(through([*under, build_path() / "tests" / "names", "--displays"]),
                             clean_environment(VIADUCT_DEBUG="stats"))
    told = re.search(r"names: (\d+) of the host's objects", result.out)
    calls = re.search(r"vkSetDebugUtilsObjectNameEXT: calls=(\d+)", result.err)
    context.check(told and calls, "nothing was counted")
    # A part before names eight objects, of which one is a fence.
    context.check(int(calls[1]) == int(told[1]) + 7,
                  f"{calls[1]} names cross, for {told[1]} objects of the host")


@test("tools/icd/stats-at-exit")
def icd_stats_at_exit(context):
    """The numbers come, too, where the application ends without destroying its instance: once for each
    instance that is left, and not for those of a forked child"""
    server = context.enter(Server(context))
    environment = server.client_environment(VIADUCT_DEBUG="stats")
    for mode, wanted in (("1", 1), ("3", 3), ("fork", 1), ("destroy", 1)):
        result = context.succeed([build_path() / "tests" / "lifecycle", "--leave", mode],
                                 environment, mode)
        lines = re.findall(r"^viaduct: stats: calls=\d+", result.err, re.MULTILINE)
        context.check(len(lines) == wanted, f"{mode}: {len(lines)} times numbers, not {wanted}")
        context.check("vkCreateInstance: calls=1" in result.err, f"{mode}: no commands")


@test("tools/icd/stats")
def icd_stats(context):
    """VIADUCT_DEBUG=stats counts what crossed, and nothing else prints"""
    result = context.succeed(through([build_path() / "tests" / "compute"]),
                             clean_environment(VIADUCT_DEBUG="stats"))
    lines = [line for line in result.err.splitlines() if line.startswith("viaduct: stats:")]
    context.check(lines, f"there is no line of statistics: {result.err!r}")
    numbers = dict(pair.split("=") for pair in lines[0].split()[2:])
    for name in ("calls", "round_trips", "bytes", "waits", "wait_us"):
        context.check(int(numbers.get(name, 0)) > 0, f"{name} is missing or 0: {lines[0]}")
    commands = {}
    for line in lines[1:]:
        name, *pairs = line.split()[2:]
        commands[name.rstrip(":")] = {key: int(value)
                                      for key, value in (pair.split("=") for pair in pairs)}
    device = commands.get("vkCreateDevice", {})
    context.check(device.get("calls") == device.get("round_trips") == 1,
                  f"vkCreateDevice was called once: {device}")
    context.check(device.get("answer_us", 0) > 0, f"vkCreateDevice takes no time: {device}")
    context.check(sum(command["round_trips"] for command in commands.values()) ==
                  int(numbers["round_trips"]), "round trips do not add up")
    costs = [command["answer_us"] for command in commands.values()]
    context.check(costs == sorted(costs, reverse=True), f"they are not in order: {commands}")


def spans(context, path):
    """The spans of a trace by thread, after checks that they nest."""
    events = json.loads(path.read_text(encoding="utf-8"))
    by_thread = {}
    for event in events:
        if event["ph"] == "X":
            by_thread.setdefault(event["tid"], []).append(event)
    for thread in by_thread.values():
        thread.sort(key=lambda event: (event["ts"], -event["dur"]))
        stack = []
        for event in thread:
            while stack and stack[-1] <= event["ts"]:
                stack.pop()
            end = event["ts"] + event["dur"]
            # Times are rounded to a nanosecond by us, and once more by JSON.
            context.check(not stack or end <= stack[-1] + 0.002,
                          f"{path.name}: this reaches beyond what it is part of: {event}")
            stack.append(end)
    named = {event["tid"] for event in events if event["name"] == "thread_name"}
    context.check(set(by_thread) <= named, f"{path.name}: threads without names")
    return [event for thread in by_thread.values() for event in thread]


@test("tools/trace")
def trace(context):
    """VIADUCT_TRACE and --trace: JSON, spans that nest, both sides on one axis"""
    prefix = context.path / "trace"
    server = context.enter(Server(context, "--trace", prefix))
    context.succeed([build_path() / "tests" / "compute"],
                    server.client_environment(VIADUCT_TRACE=prefix))
    server.stop()
    files = {side: [path for path in context.path.glob(f"trace-{side}-*.json")
                    if b"vkQueueSubmit" in path.read_bytes()] for side in ("client", "worker")}
    context.check(all(len(paths) == 1 for paths in files.values()), f"one file each: {files}")
    sides = {side: spans(context, paths[0]) for side, paths in files.items()}
    for side, names in {"client": ("vkCreateDevice", "wait for the answer", "vkEndCommandBuffer",
                                   "wait for the GPU"),
                        "worker": ("vkCreateDevice", "STREAM", "vkQueueSubmit")}.items():
        missing = set(names) - {event["name"] for event in sides[side]}
        context.check(not missing, f"{side}: no {missing}")
    # The client waits for the answer, so what the worker does lies within.
    asked, done = ([event for event in sides[side] if event["name"] == "vkCreateDevice"][0]
                   for side in ("client", "worker"))
    context.check(asked["ts"] <= done["ts"], f"answered before asked: {asked}, {done}")
    context.check(done["ts"] < asked["ts"] + asked["dur"], f"not on one axis: {asked}, {done}")
