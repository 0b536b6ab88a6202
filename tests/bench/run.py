#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measures Vulkan natively, through Viaduct and, where it works, through Venus, on one driver, in
turns, and compares. The cases are those of build/release/tests/bench/bench and vkcube's frames."""

import argparse
import json
import os
import pathlib
import platform
import re
import signal
import statistics
import sys
import textwrap

bench_dir = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(bench_dir), str(bench_dir.parent)]

import report
import setups
from harness import Failure, Place, Skipped, Xvfb, process, setting

CUBE = ("vkcube", "present", "frame")
CUBE_FRAMES = (20, 320)  # the difference of two runs leaves out what it takes to start
NULL_CASES = "^record_(draw|push_constants|bind_descriptor_set|dispatch|barrier|copy_buffer$|desc)"


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="also write the report to FILE")
    parser.add_argument("--against", default="native,venus", metavar="LIST",
                        help="what Viaduct is compared with (default: %(default)s)")
    parser.add_argument("--only", default="", metavar="REGEX",
                        help="only cases whose name it matches, anywhere in it")
    parser.add_argument("--rounds", type=int, default=3, metavar="N",
                        help="measure each case N times (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.25, metavar="S",
                        help="for each case and time (default: %(default)s)")
    parser.add_argument("--build", default="build/release", metavar="DIR",
                        help="the build to measure (default: %(default)s)")
    parser.add_argument("--driver", metavar="ICD.json",
                        help="the host driver to measure on (default: lavapipe)")
    parser.add_argument("--null", action="store_true",
                        help="only what Viaduct itself costs, with a driver that does nothing")
    parser.add_argument("--scaling", action="store_true",
                        help="only what one more costs when there are many already")
    parser.add_argument("--list", action="store_true", help="list the cases and measure none")
    return parser.parse_args()


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        directory = setting.root_path() / "build" / "bench"
        self.build = setups.snapshot(directory / "build")
        self.place = Place(directory / "logs")
        self.program = self.build / "tests" / "bench" / "bench"
        self.broken = {}  # setup -> cases that ended or stopped the program

    def cases(self, only):
        """(name, group, unit) of those whose name matches."""
        command = [self.program, "--list", "--only", only]
        listed = process.Process(command, setting.clean_environment(), self.place.path / "list.out",
                                 self.place.path / "list.err")
        if not listed.wait(20) or listed.result().status != 0:
            raise Failure("bench --list: " + listed.result().last_line())
        return [tuple(line.split("\t")) for line in listed.out().splitlines()]

    def measure(self, setup, cases, seconds=None):
        """Results by case. A case that crashes or hangs is noted and not tried again."""
        seconds = seconds or self.arguments.seconds
        broken = self.broken.setdefault(setup.name, {})
        names = [case[0] for case in cases if case[0] not in broken]
        results = {name: {"failed": broken[name]} for name, _, _ in cases if name in broken}
        while names:
            command = [self.program, "--json", "--seconds", seconds, "--only",
                       f"^({'|'.join(map(re.escape, names))})$"]
            if setup.server_pid:
                command += ["--server", setup.server_pid]
            # What one case needs beyond its time, such as a slow operation, is a guess.
            limit = 20 + len(names) * (3 * seconds + 2)
            started = process.Process(command, setup.environment(),
                                      self.place.path / f"{setup.name}.out",
                                      self.place.path / f"{setup.name}.err")
            in_time = started.wait(limit)
            started.kill()
            for line in started.out().splitlines():
                result = json.loads(line)
                results[result["name"]] = result
            status = started.result().status
            names = [name for name in names if name not in results]
            if not names:
                break
            reason = started.result().describe() if in_time else f"no end within {limit:.0f} s"
            if in_time and status == 0:
                reason = "no result"
            reason = textwrap.shorten(reason, 160)
            progress("")
            print(f"  {setup.name}, {names[0]}: {reason}", file=sys.stderr)
            broken[names[0]] = reason
            results[names[0]] = {"failed": reason}
            names = names[1:]
        return results

    def cube(self, setup, display):
        """Frames per second of vkcube, presented as fast as they come."""
        times = []
        for frames in CUBE_FRAMES:
            command = [setting.tool("vkcube"), "--c", frames, "--present_mode", 0]
            started = process.Process(command, setup.environment(DISPLAY=display),
                                      self.place.path / f"{setup.name}-cube.out",
                                      self.place.path / f"{setup.name}-cube.err")
            in_time = started.wait(60)
            started.kill()
            if not in_time or started.result().status != 0:
                return {"failed": started.result().describe() if in_time else "no end within 60 s"}
            times.append(started.result().seconds)
        ns = (times[1] - times[0]) / (CUBE_FRAMES[1] - CUBE_FRAMES[0]) * 1e9
        if ns <= 0:
            return {"failed": "the times make no sense"}
        return {"name": CUBE[0], "ns": ns, "fps": 1e9 / ns}


def start_setups(bench, wanted):
    started = []
    for name in wanted:
        try:
            setup = setups.KINDS[name](bench.place, bench.build)
        except Failure as reason:
            print(f"{name} is left out: {reason}")
            continue
        # It may start, and then not work.
        probe = bench.measure(setup, [("submit_wait", "", "")], 0.05)["submit_wait"]
        if "ns" in probe:
            started.append(setup)
            continue
        setup.stop()
        if name != "venus":
            raise Failure(f"{name} does not work: {probe.get('failed') or probe.get('skipped')}")
        print(f"venus is left out: it is installed, but does not work here: {probe['failed']}")
    return started


def measure_all(bench, started, cases, display):
    """Each group in turns, so that all see the machine in the same mood."""
    measured = {case[0]: {setup.name: [] for setup in started} for case in cases}
    groups = list(dict.fromkeys(case[1] for case in cases))
    for number in range(bench.arguments.rounds):
        for group in groups:
            chosen = [case for case in cases if case[1] == group]
            progress(f"round {number + 1} of {bench.arguments.rounds}: {group}")
            turn = number % len(started)
            for setup in started[turn:] + started[:turn]:
                if group == CUBE[1]:
                    results = {CUBE[0]: bench.cube(setup, display)}
                else:
                    results = bench.measure(setup, chosen)
                for name, result in results.items():
                    measured[name][setup.name].append(result)
    progress("")
    return measured


def progress(text):
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def machine():
    model = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return {"processor": model.group(1) if model else platform.machine(),
            "cores": len(os.sched_getaffinity(0)), "system": platform.release(),
            "load": os.getloadavg()[0], "driver": str(setting.host_driver())}


def compare(bench):
    arguments = bench.arguments
    wanted = ["native", "viaduct"]
    for name in filter(None, arguments.against.split(",")):
        if name not in setups.KINDS:
            raise Failure(f"--against {name}: there are {', '.join(setups.KINDS)}")
        if name not in wanted:
            wanted.append(name)
    cases = bench.cases(arguments.only)
    display = None
    with_cube = re.search(arguments.only, CUBE[0])
    started = start_setups(bench, wanted)
    try:
        if with_cube:
            try:
                setting.tool("vkcube"), setting.tool("Xvfb")
            except (Failure, Skipped) as reason:
                print(f"vkcube is left out: {reason}")
                with_cube = None
        if with_cube:
            cases.append(CUBE)
            with Xvfb(bench.place) as server:
                display = server.display
                measured = measure_all(bench, started, cases, display)
        else:
            measured = measure_all(bench, started, cases, display)
    finally:
        for setup in started:
            setup.stop()
    names = [setup.name for setup in started]
    made = report.Report(cases, names, measured)
    print(made.table())
    print("\nWanted:\n" + made.target_table())
    about = machine()
    title = f"{setting.host_driver().stem}, {about['cores']} cores, median of {arguments.rounds}"
    write(made.as_json() | {"machine": about, "rounds": arguments.rounds,
                            "seconds": arguments.seconds},
          made.chart(title), arguments.json)
    return 1 if any(bench.broken.values()) else 0


def write(data, chart, path):
    directory = setting.root_path() / "build" / "bench"
    text = json.dumps(data, indent=1) + "\n"
    (directory / "report.json").write_text(text, encoding="utf-8")
    (directory / "report.svg").write_text(chart, encoding="utf-8")
    if path:
        pathlib.Path(path).write_text(text, encoding="utf-8")
    print("\nbuild/bench/report.json and build/bench/report.svg are written.")


def null(bench):
    """What each side of Viaduct costs for one recorded operation."""
    manifest = setting.build_path() / "tests" / "bench" / "null_driver.json"
    if not manifest.exists():
        raise Failure(f"there is no {manifest}: is it built?")
    cases = bench.cases(bench.arguments.only or NULL_CASES)
    setup = setups.Viaduct(bench.place, bench.build, manifest)
    try:
        rounds = [bench.measure(setup, cases) for _ in range(bench.arguments.rounds)]
    finally:
        setup.stop()
    print(f"{'':30} {'encode':>10} {'decode + dispatch':>18}")
    rows = []
    for name, _, unit in cases:
        result = report.median_of([results[name] for results in rounds])
        if "ns" not in result:
            print(f"{name:30} {result.get('failed') or result.get('skipped')}")
            continue
        rows.append({"name": name, "unit": unit, "encode_ns": result.get("record_ns"),
                     "decode_ns": result["server_ns"], "ns": result["ns"]})
        encode = f"{result['record_ns']:7.1f} ns" if "record_ns" in result else ""
        print(f"{name:30} {encode:>10} {result['server_ns']:15.1f} ns   per {unit}")
    if bench.arguments.json:
        pathlib.Path(bench.arguments.json).write_text(json.dumps({"null": rows}, indent=1) + "\n",
                                                      encoding="utf-8")
    return 1 if any(bench.broken.values()) else 0


SCALING = {
    "buffers": ("live buffers", (1000, 10000, 100000)),
    "updates": ("descriptor updates", (10000, 100000, 1000000)),
    "bytes": ("descriptors as bytes", (10000, 100000, 1000000)),
    "draws": ("draws in a command buffer", (1000, 10000, 100000)),
    "clients": ("clients", (1, 8, 64)),
}


def scale(bench, setup, kind, count):
    """What one of `count` costs: the median of the rounds."""
    rounds = []
    for _ in range(bench.arguments.rounds):
        started = process.Process([bench.build / "tests" / "bench" / "scaling", kind, count,
                                   setup.server_pid], setup.environment(),
                                  bench.place.path / f"{setup.name}-{kind}.out",
                                  bench.place.path / f"{setup.name}-{kind}.err")
        in_time = started.wait(120)
        started.kill()
        if not in_time or started.result().status != 0:
            raise Failure(f"{setup.name}, {count} {kind}: {started.result().describe()}")
        rounds.append(json.loads(started.out()))
    return {key: statistics.median(result[key] for result in rounds) for key in rounds[0]}


def scaling(bench):
    """A table whose numbers stay as they are from line to line."""
    started = [setups.Native(bench.place, bench.build), setups.Viaduct(bench.place, bench.build)]
    rows = []
    try:
        print(f"{'each of':>9} {'':27} {'native':>11} {'Viaduct':>11}"
              "   bytes: native, application, server")
        for kind, (what, counts) in SCALING.items():
            for count in counts:
                native, viaduct = [scale(bench, setup, kind, count) for setup in started]
                rows.append({"kind": kind, "count": count, "native": native, "viaduct": viaduct})
                print(f"{count:9,} {what:27} {report.duration(native['ns']):>11}"
                      f" {report.duration(viaduct['ns']):>11} {native['client_bytes']:15,.0f}"
                      f" {viaduct['client_bytes']:12,.0f} {viaduct['server_bytes']:12,.0f}",
                      flush=True)
    finally:
        for setup in started:
            setup.stop()
    if bench.arguments.json:
        pathlib.Path(bench.arguments.json).write_text(
            json.dumps({"scaling": rows}, indent=1) + "\n", encoding="utf-8")
    return 0


def main():
    arguments = parse_arguments()
    setting.init(bench_dir.parent.parent, arguments.build, False, arguments.driver)
    bench = Bench(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if arguments.list:
            for name, group, unit in bench.cases(arguments.only) + [CUBE]:
                print(f"{name:30} {group:20} {unit}")
            return 0
        if arguments.scaling:
            return scaling(bench)
        return null(bench) if arguments.null else compare(bench)
    except Failure as reason:
        print(f"bench: error: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        bench.place.finish()
        process.kill_all()


if __name__ == "__main__":
    sys.exit(main())
