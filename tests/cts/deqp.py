# SPDX-License-Identifier: MIT
"""Runs batches of cases with dEQP-VK, and survives what they do to it.

dEQP-VK runs many cases in one process, and a crash ends it. What it prints tells which case was
running: that one is a Crash, or a Timeout if it was killed for taking too long, and a new process
goes on with the cases that are left.
"""

import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import tempfile
import termios
import threading
import time

STATUSES = ("Pass", "Fail", "QualityWarning", "CompatibilityWarning", "CapabilityWarning",
            "NotSupported", "ResourceError", "InternalError", "Waiver", "DeviceLost", "Crash",
            "Timeout", "Missing")
# How often a dEQP-VK may end without having begun a case before that is given up.
START_ATTEMPTS = 3

_begin = re.compile(r"^Test case '([^']+)'\.\.$")
_end = re.compile(r"^  (%s) \((.*)$" % "|".join(STATUSES))


class DeqpError(Exception):
    """dEQP-VK cannot be run at all; the message says why."""


class Outcome:
    def __init__(self, status, message):
        self.status = status
        self.message = message


class Reader:
    """Understands what dEQP-VK prints."""

    def __init__(self):
        self.case = None       # the case that is running
        self.outcome = None    # its outcome, while the message may still go on
        self.complete = False  # every case of the list was run, or is not known
        self._rest = b""

    def feed(self, data):
        """Yields (case, outcome) for each case that has ended."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield from self._line(line.decode(errors="replace").rstrip("\r"))

    def finish(self):
        if self.outcome:
            yield self._take()

    def _line(self, line):
        begin = _begin.match(line)
        if begin:
            if self.outcome:
                yield self._take()
            self.case = begin.group(1)
            return
        end = _end.match(line)
        if end and self.case and not self.outcome:
            self.outcome = Outcome(end.group(1), end.group(2).removesuffix(")"))
        elif self.outcome and line == "":
            yield self._take()
        elif self.outcome and len(self.outcome.message) < 500:
            self.outcome.message += " " + line.strip().removesuffix(")")
        # A lost device aborts the rest, after which dEQP-VK sums up as usual.
        if line.startswith("DONE!"):
            self.complete = True
        elif line.startswith("Test run was ABORTED!"):
            self.complete = False

    def _take(self):
        case, outcome = self.case, self.outcome
        self.case = self.outcome = None
        return case, outcome


class Side:
    """One of the two drivers that cases are run on."""

    def __init__(self, name, deqp, environment, directory, timeout):
        self.name = name
        self.deqp = deqp
        self.environment = environment
        self.directory = directory
        self.timeout = timeout
        self._lock = threading.Lock()
        self._processes = set()
        self._stopped = False
        self._count = 0
        self._last_words = ""
        self.accidents = []  # processes that were killed by a signal while no case was running
        self.on_accident = None  # called with the side's name and an accident
        directory.mkdir(parents=True, exist_ok=True)

    def stop(self):
        """Ends what is running; nothing is started any more."""
        with self._lock:
            self._stopped = True
            processes = list(self._processes)
        for process in processes:
            _kill(process)

    def add_accident(self, accident):
        self.accidents.append(accident)
        if self.on_accident:
            self.on_accident(self.name, accident)

    def run(self, cases, log=False):
        """Yields (case, outcome, seconds) for every case, whatever happens.

        log: also keep dEQP-VK's own log, with what a failed case has to say."""
        left = dict.fromkeys(cases)
        attempts = 0
        while left and not self._stopped:
            begun = False
            for case, outcome, seconds in self._process(list(left), log):
                begun = True
                if case in left:
                    del left[case]
                    yield case, outcome, seconds
            attempts = 0 if begun else attempts + 1
            if attempts == START_ATTEMPTS:
                raise DeqpError(f"{self.deqp} does not start ({self.name}): "
                                f"{self._last_words or 'it says nothing'}")

    def _name(self):
        with self._lock:
            self._count += 1
            return f"{self._count:05}"

    def _process(self, cases, log):
        """Runs one process until it ends or has to be killed."""
        name = self._name()
        # Some cases write files where they are.
        work = pathlib.Path(tempfile.mkdtemp(prefix="cts-"))
        error_path = self.directory / f"{name}.err"
        list_path = work / "cases.txt"
        list_path.write_text("\n".join(cases) + "\n", encoding="utf-8")
        command = [
            self.deqp, f"--deqp-caselist-file={list_path}", f"--deqp-archive-dir={self.deqp.parent}",
            f"--deqp-log-filename={self.directory / f'{name}.qpa' if log else '/dev/null'}",
            "--deqp-log-images=disable", "--deqp-log-shader-sources=disable",
            "--deqp-shadercache=disable",
        ]
        # Into a pipe dEQP-VK would print only now and then; into a terminal it prints each line.
        master, slave = os.openpty()
        attributes = termios.tcgetattr(slave)
        attributes[1] &= ~termios.OPOST
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        try:
            with open(error_path, "wb") as errors, self._lock:
                if self._stopped:
                    return
                process = subprocess.Popen(command, env=self.environment, cwd=work,
                                           stdin=subprocess.DEVNULL, stdout=slave, stderr=errors,
                                           start_new_session=True)
                self._processes.add(process)
            os.close(slave)
            slave = -1
            yield from self._watch(process, master, cases, name)
        finally:
            if slave >= 0:
                os.close(slave)
            os.close(master)
            self._last_words = error_path.read_text(errors="replace").strip()[-500:]
            if not self._last_words:
                error_path.unlink()
            shutil.rmtree(work, ignore_errors=True)

    def _watch(self, process, master, cases, name):
        reader = Reader()
        start = time.monotonic()
        timed_out = False
        last = None  # the case that ended last
        try:
            while True:
                left = start + self.timeout - time.monotonic()
                readable, _, _ = select.select([master], [], [], max(0, left))
                if not readable:
                    timed_out = True
                    break
                try:
                    data = os.read(master, 65536)
                except OSError:  # EIO: nobody has the other end any more
                    break
                if not data:
                    break
                before = reader.case
                for case, outcome in reader.feed(data):
                    last = case
                    yield case, outcome, time.monotonic() - start
                if reader.case != before:
                    start = time.monotonic()
        finally:
            if timed_out or self._stopped:
                _kill(process)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                _kill(process)
            with self._lock:
                self._processes.discard(process)
        for case, outcome in reader.finish():
            last = case
            yield case, outcome, time.monotonic() - start
        if self._stopped:
            return
        seconds = time.monotonic() - start
        if reader.case and timed_out:
            yield reader.case, Outcome("Timeout", f"no result after {self.timeout:g} s"), seconds
        elif reader.case:
            yield reader.case, Outcome("Crash", _describe(process.returncode)), seconds
        elif process.returncode < 0:
            self.add_accident(f"{name}: {_describe(process.returncode)} "
                              + (f"after {last}" if last else f"before {cases[0]}"))
        elif reader.complete:
            # Those that have had their result are not asked for again by our caller.
            for case in cases:
                yield case, Outcome("Missing", "this dEQP-VK does not have it"), 0


def _kill(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def _describe(status):
    if status < 0:
        return f"dEQP-VK was killed by {signal.Signals(-status).name}"
    return f"dEQP-VK ended with status {status}"
