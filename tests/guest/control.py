# SPDX-License-Identifier: MIT
"""What a guest may ask of this machine: in it, `host REQUEST` does so (guest/run)."""

import json
import os
import signal
import time


class Control:
    """Each request is a method here: one that takes a word, or none. It returns nothing if all is
    well, what is wrong, or NO_ANSWER."""

    NO_ANSWER = object()

    def __init__(self, directory, qmp, processes):
        self.directory = directory
        self.qmp = qmp
        self.processes = processes
        self.seen = set()
        self.requests = {
            ("screendump", 1): self.screendump,
            ("kill-worker", 0): self.kill_worker,
            ("no-workers", 0): self.no_workers,
            ("remember", 0): self.processes.remember,
            ("unchanged", 0): self.processes.growth,
            ("idle", 1): self.idle,
            ("invert", 1): self.invert,
            ("first", 1): self.first,
            ("reset", 0): self.reset,
            ("quit", 0): self.quit,
            ("qmp", 1): self.command,
        }

    def handle(self, line):
        """The answer to a request, or nothing if there is none."""
        words = line.decode(errors="replace").split(None, 1)
        request = self.requests.get((words[0], len(words) - 1)) if words else None
        if not request:
            return "not understood"
        answer = request(*words[1:])
        return "" if answer is self.NO_ANSWER else answer or "ok"

    def screendump(self, name):
        """Saves a picture of the guest's display in the folder of the command."""
        return self.qmp.attempt("screendump", filename=str(self.directory / name), format="png",
                                device="display")

    def kill_worker(self):
        """The newest one."""
        workers = self.processes.workers()
        if not workers:
            return "there is none"
        os.kill(max(workers), signal.SIGKILL)
        return ""

    def no_workers(self):
        """Waits until there are none."""
        deadline = time.monotonic() + 10
        while self.processes.workers() and time.monotonic() < deadline:
            time.sleep(0.05)
        left = len(self.processes.workers())
        return f"there are {left}" if left else ""

    def idle(self, seconds):
        """The server's processes sleep all the time."""
        before = self.processes.wake_ups()
        time.sleep(float(seconds))
        woken = {name: count - before.get(name, 0)
                 for name, count in self.processes.wake_ups().items()}
        busy = {name: count for name, count in woken.items() if count}
        return f"wake-ups: {busy}" if busy else ""

    def invert(self, word):
        """Of the guest's memory, where a worker has mapped it."""
        return self.processes.invert(int(word))

    def first(self, word):
        """This has not been asked before."""
        answer = "it has been" if word in self.seen else ""
        self.seen.add(word)
        return answer

    def reset(self):
        """Of the machine, which then runs the command again. An answer would be found by that."""
        self.qmp.command("set-action", reboot="reset")
        self.qmp.command("system_reset")
        return self.NO_ANSWER

    def quit(self):
        """Ends QEMU."""
        self.qmp.command("quit")
        return self.NO_ANSWER

    def command(self, text):
        """One of QMP's, as JSON."""
        request = json.loads(text)
        return self.qmp.attempt(request["execute"], **request.get("arguments", {}))
