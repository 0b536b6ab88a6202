# SPDX-License-Identifier: MIT
"""Programs, unit tests, misbehaving peers and fuzz targets with sanitizers on both sides."""

import json
import os
import pathlib
import re
import signal

from harness import Failure, Server, Skipped, add, framework, manifest, process, setting, test, through
from harness.programs import PROGRAMS, Program, skipped

# The tests below are those of these suites, which have to be registered before.
from . import nonsense, robust
from .builds import BUILD_SECONDS, FUZZ_TARGETS, THREADED, built
from .unit import introspect

# `scripts/fuzz` takes longer.
FUZZ_SECONDS = int(os.environ.get("VIADUCT_FUZZ_SECONDS", "60"))
# To the end of a worker: TEARDOWN_SECONDS and VD_PATIENCE of the sources.
END_SECONDS = 40
# By how much everything is slower.
PATIENCE = 10

REPORT = re.compile(r"(ERROR: \w+Sanitizer.*|WARNING: ThreadSanitizer.*|\S+: runtime error: .*)")
# A process that was ended before it could look for leaks.
GIVEN_UP = re.compile(r".*(a driver that does not return|workers that do not end are killed|"
                      r"the server does not end after).*")

# What LeakSanitizer says where its thread that stops the others has crashed itself, as it does now and then
# in a process whose threads are just ending; it then knows nothing of leaks. Where that thread could not
# stop the others, as where ptrace is forbidden, it says something else, and there is no second try.
TRACER_CRASH = "Tracer caught signal 11"

LEAKS = re.compile(r"=+\n==\d+==ERROR: LeakSanitizer: .*\n(?:.*\n)*?SUMMARY: .*")
LEAK = re.compile(r"leak of \d+ byte\(s\).*\n +#0 .*\n +#1 (.*)")
LEFT_BEHIND = "a device that is still at work is left behind"


def without_what_is_left_behind(text):
    """Where the server has left a device to itself, because it does not end, what the driver has
    allocated for it is lost. Nothing else that is lost has an excuse."""
    def excused(match):
        allocators = LEAK.findall(match.group(0))
        return "" if allocators and all("libvulkan_lvp" in line for line in allocators) else match.group(0)
    return LEAKS.sub(excused, text) if LEFT_BEHIND in text else text


def variables():
    """Reports go to stderr, where the tests look for them."""
    folder = setting.root_path() / "tests" / "sanitizers"
    return {
        "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "TSAN_OPTIONS": f"suppressions={folder}/thread.txt:ignore_noninstrumented_modules=1:"
                        "second_deadlock_stack=1",
    }


def check_instrumented(context, symbol, *files):
    """Without this, a sanitizer that was lost on the way would count as silence."""
    for file in files:
        context.check(symbol in pathlib.Path(file).read_bytes(), f"{file} is not instrumented")


def sides(path):
    """The ICD and the server of a build."""
    library = json.loads(manifest(path).read_text(encoding="utf-8"))["ICD"]["library_path"]
    return manifest(path).parent / library, path / "server" / "viaduct-server"


def check_silence(context):
    """No process of the test has reported anything, and none was kept from it."""
    for started in context.processes:
        if started.running() and started.name == "viaduct-server":
            started.send(signal.SIGTERM)
            context.check(started.wait(END_SECONDS), "the server does not end")
    for started in context.processes:
        text = without_what_is_left_behind(started.err() + started.out())
        report = REPORT.search(text) or GIVEN_UP.search(text)
        if report:
            raise Failure(f"{started.name}: {report.group(0)}")


def sanitized(function, build="asan", symbol=b"__asan_init"):
    """The test function, with what it starts taken from a build with sanitizers, and its silence."""
    def run(context):
        path = built(context, build)
        check_instrumented(context, symbol, *sides(path))
        with setting.use_build(path, variables(), PATIENCE):
            try:
                function(context)
                check_silence(context)
            except Failure:
                # Only where the tool crashed is there a second try; what it has reported stays.
                if not any(TRACER_CRASH in started.err() for started in context.processes):
                    raise
                context.note(f"once more: {TRACER_CRASH}")
                function(context)
                check_silence(context)
    return run


def run_program(context, program):
    picture = context.path / "picture.png"
    driver = setting.swiftshader() if program.lavapipe_lacks else None
    result = context.run(
        through(program.command_line(setting.build_path(), picture), driver=driver),
        program.environment(context, setting.clean_environment()), "sanitized")
    check_silence(context)
    if skipped(result):
        raise Skipped(result.last_line())
    context.check(result.status == 0, f"it ended with {result.describe()}: {result.last_line()}")


# Growth is not measured under sanitizers, which keep what is freed for a while.
SANITIZED_PROGRAMS = [program for program in PROGRAMS if program.label != "lifecycle"]
# Those in which several threads of the client do something.
THREADED_PROGRAMS = [
    Program("threads", "threads", "--rounds", "30"),
    Program("sync", "sync"),
    Program("fences", "fences"),
    Program("lifecycle-instances", "lifecycle", "--instances"),
    Program("present-xcb", "present", "xcb"),
]

for name, symbol, programs, what in (
        ("asan", b"__asan_init", SANITIZED_PROGRAMS, "AddressSanitizer and UBSan"),
        ("tsan", b"__tsan_init", THREADED_PROGRAMS, "ThreadSanitizer")):
    for program in programs:
        add(sanitized(lambda context, program=program: run_program(context, program), name, symbol),
            f"{name}/{program.label}", f"`{' '.join(program.command)}` with {what} on both sides",
            seconds=BUILD_SECONDS, late=True)


# ---- Peers that misbehave

NOT_SANITIZED = {
    "robust/nonsense/version": "it starts nothing",
    "robust/endless-shader": "a worker that can not tidy up is the point",
    "robust/stopped-worker": "a worker that does not end when it is told to is the point",
    "robust/first-thread-ends": "what only the ended thread's memory knew counts as lost",
    "robust/fork-busy": "AddressSanitizer of gcc 12 keeps no order among its locks in fork(): children hang",
    "robust/lifecycle": "sanitizers keep what is freed for a while",
    "robust/crash-worker": "a worker that crashes is the point",
    "robust/driver-fails": "programs that give up leave what they have, which counts as lost",
    "robust/no-server": "vulkaninfo is not instrumented and can not load what is",
}

for other in framework.registered():
    # A test that is alone measures what sanitizers change.
    if other.name.startswith("robust/") and not other.alone and other.name not in NOT_SANITIZED:
        add(sanitized(other.function), f"asan/{other.name}",
            f"With AddressSanitizer and UBSan: {other.purpose}", seconds=BUILD_SECONDS, late=True)


# ---- Unit tests

def run_unit(context, path, name, symbol):
    unit = path / name
    check_instrumented(context, symbol, unit)
    result = context.run([unit], setting.clean_environment(**variables()), "sanitized", seconds=600)
    report = REPORT.search(result.err + result.out)
    if report:
        raise Failure(f"{name}: {report.group(1)}")
    context.check(result.status == 0, f"{name} ended with {result.describe()}")


def programs_of_unit_tests():
    """Name and path within the build of those that are programs of ours; no build, no tests."""
    try:
        units = introspect()
    except Failure:
        return []
    build = setting.build_path()
    return [(unit["name"], pathlib.Path(unit["cmd"][0]).relative_to(build)) for unit in units
            if pathlib.Path(unit["cmd"][0]).is_relative_to(build)]


for name, file in programs_of_unit_tests():
    add(lambda context, file=file: run_unit(context, built(context, "asan"), file, b"__asan_init"),
        f"asan/unit/{name}", f"Unit test `{name}` with AddressSanitizer and UBSan",
        seconds=BUILD_SECONDS, late=True)


@test("tsan/unit", seconds=BUILD_SECONDS, late=True)
def threaded(context):
    """Unit tests of what has threads, with ThreadSanitizer: connection, ring, the server's core"""
    path = built(context, "tsan")
    for name in THREADED:
        run_unit(context, path, name, b"__tsan_init")


# ---- That there would be noise

LEAKING_LAYER = "VK_LAYER_VIADUCT_leak"


def expect_leak(context, started, what):
    reports = re.findall(r"leak of 77777 byte\(s\)", started.err())
    context.check(reports, f"{what} loses memory below the loader, and no report says so")


@test("asan/catches", seconds=BUILD_SECONDS, late=True)
def catches(context):
    """Memory that is lost below the loader is reported, in the client and in the worker"""
    path = built(context, "asan")
    with setting.use_build(path, variables(), PATIENCE):
        layer = {"VK_INSTANCE_LAYERS": LEAKING_LAYER, "VK_LAYER_PATH": path / "tests" / "layer"}
        command = [path / "tests" / "compute"]
        server = context.enter(Server(context))
        context.run(command, server.client_environment(**layer), "client")
        expect_leak(context, context.processes[-1], "the client")
        server.stop(END_SECONDS)
        context.check(not REPORT.search(server.log()), "the server reports, too")

        server = context.enter(Server(context, environment=setting.native_environment(**layer)))
        context.succeed(command, server.client_environment(), "server")
        server.stop(END_SECONDS)
        expect_leak(context, server.process, "the worker")


# ---- Fuzz targets

def fuzz(context, name):
    """Runs a target for a while, on its seeds and on what earlier runs have found worth keeping."""
    target = built(context, "fuzz") / "tests" / "unit" / name
    corpus = setting.root_path() / "build" / "test-cache" / name
    corpus.mkdir(parents=True, exist_ok=True)
    context.succeed([target, "--seeds", corpus], setting.clean_environment(**variables()), "seeds")
    # Without the entropic schedule, whose own counting takes two thirds of the time: each input here reaches
    # thousands of places.
    result = context.run(
        [target, corpus, f"-max_total_time={FUZZ_SECONDS}", "-print_final_stats=1", "-rss_limit_mb=4096",
         "-entropic=0",
         f"-artifact_prefix={context.path}/"],
        setting.clean_environment(**variables()), "fuzz", seconds=300 + 3 * FUZZ_SECONDS)
    report = REPORT.search(result.err)
    if report or result.status != 0:
        raise Failure(f"{report.group(1) if report else result.describe()}; the input is in {context.path}")
    runs = int(re.search(r"stat::number_of_executed_units:\s*(\d+)", result.err).group(1))
    context.note(f"{runs} inputs")
    context.check(runs > 100, f"only {runs} inputs were tried")


for name in FUZZ_TARGETS:
    add(lambda context, name=name: fuzz(context, name), f"fuzz/{name.removeprefix('fuzz_')}",
        f"`{name}` with AddressSanitizer and UBSan for {FUZZ_SECONDS} seconds", seconds=BUILD_SECONDS,
        late=True)
