# SPDX-License-Identifier: MIT
"""A viaduct-server that belongs to one test."""

import os
import select
import signal
import tempfile

from . import process, setting
from .framework import Failure

START_SECONDS = 20


class Server:
    """Context manager: starts the server, waits until it listens, and stops it."""

    def __init__(self, context, *options, socket=None, build=None, environment=None, level="info",
                 under=()):
        self.context = context
        self.options = options
        self.build = build or setting.build_path()
        self.environment = environment or setting.native_environment()
        self.level = level
        self.under = under  # a command in front of the server's that keeps its process id
        # Socket paths are short, so the test's own folder will not do.
        directory = context.enter(tempfile.TemporaryDirectory(prefix="viaduct-test-"))
        self.socket = socket or os.path.join(directory, "socket")
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        """Returns True when the server listens, False when it ended instead."""
        ready_read, ready_write = os.pipe()
        number = len(self.context.processes)
        name = self.context.path / f"{number:02}-server"
        command = [*self.under, self.build / "server" / "viaduct-server", "--socket", self.socket, "--ready-fd",
                   ready_write, "--log-level", self.level, *setting.as_root(), *self.options]
        self.context.note(f"$ {' '.join(map(str, command))}")
        self.process = process.Process(command, self.environment, name.with_suffix(".out"),
                                       name.with_suffix(".err"), pass_fds=(ready_write,))
        self.context.processes.append(self.process)
        self.context.at_end(self.process.kill)
        os.close(ready_write)
        try:
            readable, _, _ = select.select([ready_read], [], [], START_SECONDS)
            if not readable:
                raise Failure(f"the server did not get ready within {START_SECONDS} s")
            return os.read(ready_read, 1) != b""
        finally:
            os.close(ready_read)

    def __enter__(self):
        if not self.start():
            self.process.wait(START_SECONDS)
            self.__exit__()
            raise Failure("the server ended instead of listening: " + self.log().strip())
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()

    def log(self):
        return self.process.err()

    def workers(self):
        """Process ids of the workers that have a client; a spare one waits for the next."""
        return [pid for pid in process.children(self.process.pid)
                if process.name(pid) == "viaduct-worker"]

    def stop(self, seconds=10):
        """Asks the server to end; returns its status."""
        self.process.send(signal.SIGTERM)
        if not self.process.wait(seconds):
            raise Failure(f"the server did not end within {seconds} s after SIGTERM")
        return self.process.result().status

    def client_environment(self, **extra):
        return setting.through_environment(self.socket, self.build, **extra)
