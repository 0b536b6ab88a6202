# SPDX-License-Identifier: MIT
"""Tests, their registration, and the loop that runs them."""

import contextlib
import re
import shutil
import sys
import threading
import time
import traceback
from concurrent import futures

from . import process, setting

TAIL_LINES = 12
TAIL_COLUMNS = 240


class Failure(Exception):
    """The test failed; the message says why."""


class Skipped(Exception):
    """The test could not be run here; the message says why.

    needs_gpu: it lacks hardware. Anything else is there on a machine that was set up for tests, and
    where the environment says CI=true, as such machines do, it is a failure that it is not.
    """

    def __init__(self, reason, needs_gpu=False):
        super().__init__(reason)
        self.needs_gpu = needs_gpu


class Test:
    def __init__(self, function, name, purpose, seconds, alone, late):
        self.function = function
        self.name = name
        self.purpose = purpose
        self.seconds = seconds
        self.alone = alone
        self.late = late


_tests = []


def add(function, name, purpose, seconds=60, alone=False, late=False):
    """Registers a test. An `alone` test measures something that neighbours would disturb; a `late`
    one is itself such a neighbour, because it compiles."""
    if any(test.name == name for test in _tests):
        raise ValueError(f"two tests are called {name}")
    _tests.append(Test(function, name, purpose, seconds, alone, late))


def test(name, **options):
    """Decorator: the first line of the function's documentation is the test's purpose."""

    def register(function):
        add(function, name, function.__doc__.strip().splitlines()[0], **options)
        return function

    return register


def registered():
    return sorted(_tests, key=lambda test: test.name)


class Place:
    """A folder for what processes say, and what has to be undone at the end."""

    def __init__(self, path):
        self.path = path
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        self.processes = []
        self._exits = contextlib.ExitStack()
        self._notes = self.enter(open(path / "notes.txt", "w", encoding="utf-8"))

    def finish(self):
        self._exits.close()

    def note(self, text):
        self._notes.write(text + "\n")
        self._notes.flush()

    def enter(self, manager):
        """Enters a context manager that is left at the end."""
        return self._exits.enter_context(manager)

    def at_end(self, function):
        """Calls a function at the end, whatever happens."""
        self._exits.callback(function)


class Context(Place):
    """What a test function gets: checks, processes that end with it, and a folder of its own."""

    def __init__(self, test):
        super().__init__(setting.logs_path() / re.sub(r"[^\w.-]+", "-", test.name))
        self.name = test.name
        self.deadline = time.monotonic() + test.seconds

    def remaining(self):
        """Seconds until the test's time limit."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Failure("the test reached its time limit")
        return left

    def check(self, condition, message):
        if not condition:
            raise Failure(message)

    def skip(self, reason, needs_gpu=False):
        raise Skipped(reason, needs_gpu)

    def start(self, command, environment, name=None):
        """Starts a process in the background; it is killed when the test ends."""
        number = len(self.processes)
        name = f"{number:02}-{name or str(command[0]).rsplit('/', 1)[-1]}"
        self.note(f"$ {' '.join(map(str, command))}")
        started = process.Process(command, environment, self.path / f"{name}.out",
                                  self.path / f"{name}.err")
        self.processes.append(started)
        self._exits.callback(started.kill)
        return started

    def run(self, command, environment, name=None, seconds=None):
        """Runs a command to its end. Fails the test if that takes too long."""
        started = self.start(command, environment, name)
        limit = min(seconds or self.remaining(), self.remaining())
        if not started.wait(limit):
            started.kill()
            raise Failure(f"{started.name} did not end within {limit:.0f} s")
        result = started.result()
        self.note(f"status {result.status} after {result.seconds:.2f} s")
        return result

    def succeed(self, command, environment, name=None, seconds=None):
        """Runs a command that has to exit with 0. A status of 77 skips the test."""
        result = self.run(command, environment, name, seconds)
        if result.status == process.SKIPPED:
            raise Skipped(result.last_line())
        if result.status != 0:
            raise Failure(f"{result.name} ended with {result.describe()}")
        return result

    def tail(self):
        """The last lines of what the failed test's processes said."""
        lines = []
        for started in self.processes[-3:]:
            for path in (started.out_path, started.err_path):
                text = path.read_text(encoding="utf-8", errors="replace").splitlines()
                if text:
                    lines.append(f"--- {path.name}")
                    lines += [line[:TAIL_COLUMNS] for line in text[-TAIL_LINES:]]
        return lines


class Report:
    """Prints one line per test, and counts."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts = {"PASS": 0, "FAIL": 0, "SKIP": 0}
        self.failed = []

    def add(self, outcome, test, seconds, reason="", tail=()):
        with self.lock:
            self.counts[outcome] += 1
            print(f"{outcome} {test.name:44} {seconds:6.1f} s" + (f"  {reason}" if reason else ""))
            if outcome == "FAIL":
                self.failed.append(test.name)
                for line in tail:
                    print(f"     | {line}")
            sys.stdout.flush()

    def summary(self):
        if self.failed:
            print("\nfailed: " + ", ".join(self.failed))
            print(f"logs: {setting.logs_path()}")
        print(f"{self.counts['PASS']} passed, {self.counts['FAIL']} failed, "
              f"{self.counts['SKIP']} skipped")


def _run_one(test, report):
    start = time.monotonic()
    context = Context(test)
    outcome, reason, tail = "PASS", "", ()
    try:
        test.function(context)
    except Skipped as skipped:
        outcome, reason = "SKIP", str(skipped)
        if not skipped.needs_gpu and setting.must_be_complete():
            outcome, reason = "FAIL", f"skipped, although CI=true: {reason}"
    except Failure as failure:
        outcome, reason = "FAIL", str(failure)
    except Exception as error:  # a defect of the test is a failure, not the end of the run
        outcome, reason = "FAIL", f"{type(error).__name__}: {error}"
        context.note(traceback.format_exc())
    if outcome == "FAIL":
        tail = context.tail()
        context.note(f"FAILED: {reason}")
    context.finish()
    report.add(outcome, test, time.monotonic() - start, reason, tail)


def _run_together(tests, jobs, report):
    with futures.ThreadPoolExecutor(jobs) as pool:
        try:
            for future in [pool.submit(_run_one, test, report) for test in tests]:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            process.kill_all()
            raise


def run(tests, jobs):
    report = Report()
    _run_together([test for test in tests if not test.alone and not test.late], jobs, report)
    for test in tests:
        if test.alone:
            _run_one(test, report)
    _run_together([test for test in tests if test.late], jobs, report)
    report.summary()
    # A filter that matches nothing, or a machine where all is skipped, has shown nothing.
    return 0 if report.counts["FAIL"] == 0 and report.counts["PASS"] > 0 else 1
