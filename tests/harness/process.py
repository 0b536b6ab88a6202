# SPDX-License-Identifier: MIT
"""Processes that write into files, have time limits, and never stay behind."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time

from . import setting

SKIPPED = 77  # EXIT_SKIPPED of tests/apps/common.h

_alive = set()
_alive_lock = threading.Lock()


class Result:
    """What a finished process left."""

    def __init__(self, name, status, out, err, seconds):
        self.name = name
        self.status = status
        self.out = out
        self.err = err
        self.seconds = seconds

    def describe(self):
        if self.status < 0:
            return f"signal {-self.status} ({signal.Signals(-self.status).name})"
        reason = next((line for line in self.err.splitlines() if "FAILED at" in line), "")
        return f"status {self.status}" + (f": {reason}" if reason else "")

    def last_line(self):
        lines = (self.out or self.err).strip().splitlines()
        return lines[-1] if lines else "no reason given"


class Process:
    """A process in a session of its own, so that what it starts can be killed with it."""

    def __init__(self, command, environment, out_path, err_path, pass_fds=(), directory=None):
        self.name = os.path.basename(str(command[0]))
        self.command = [str(word) for word in command]
        self.out_path = out_path
        self.err_path = err_path
        self.start_time = time.monotonic()
        self.end_time = None
        if setting.verbose():
            print(f"     $ {' '.join(self.command)}", flush=True)
        with open(out_path, "wb") as out, open(err_path, "wb") as err:
            self.popen = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment,
                start_new_session=True, pass_fds=pass_fds, cwd=directory or setting.root_path())
        self.pid = self.popen.pid
        with _alive_lock:
            _alive.add(self)

    def wait(self, seconds):
        """True once the process has ended, False when the time is over."""
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        self._ended()
        return True

    def running(self):
        return self.popen.poll() is None

    def send(self, number):
        self.popen.send_signal(number)

    def kill(self):
        """Ends the process and its whole group; first politely, so that it can tidy up."""
        if self.running():
            self._signal_group(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(3)
        # Also what outlived a process that is gone already.
        self._signal_group(signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(10)
        self._ended()

    def _signal_group(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _ended(self):
        if self.end_time is None:
            self.end_time = time.monotonic()
        with _alive_lock:
            _alive.discard(self)

    def out(self):
        return self.out_path.read_text(encoding="utf-8", errors="replace")

    def err(self):
        return self.err_path.read_text(encoding="utf-8", errors="replace")

    def result(self):
        return Result(self.name, self.popen.returncode, self.out(), self.err(),
                      self.end_time - self.start_time)

    def wait_for_line(self, pattern, seconds, stream="out"):
        """Waits until the output has a line that matches; returns the match or None."""
        deadline = time.monotonic() + seconds
        while True:
            ended = not self.running()
            text = self.out() if stream == "out" else self.err()
            match = re.search(pattern, text, re.MULTILINE)
            if match or ended or time.monotonic() > deadline:
                return match
            time.sleep(0.02)


def kill_all():
    with _alive_lock:
        processes = list(_alive)
    for process in processes:
        process.kill()


def children(pid):
    """The pids of a process's children."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        if parent == pid:
            found.append(int(entry))
    return found


def name(pid):
    """What ps shows, "" for a process that has ended."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return int(re.search(r"^VmRSS:\s*(\d+)", file.read(), re.MULTILINE).group(1))


def context_switches(pid):
    """How often the threads of a process went to sleep and were woken."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/status", encoding="utf-8") as file:
                text = file.read()
        except OSError:
            continue
        total += sum(map(int, re.findall(r"^voluntary_ctxt_switches:\s*(\d+)", text, re.MULTILINE)))
    return total


def wait_until(condition, seconds, step=0.02):
    """True as soon as condition() is, False when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(step)
    return True
