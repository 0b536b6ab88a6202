# SPDX-License-Identifier: MIT
"""A Wayland compositor without a screen that belongs to one test."""

import os
import pathlib
import shutil
import signal
import tempfile
import time

from . import process, setting
from .framework import Failure

START_SECONDS = 60

# Windows have the size of what they show, and lie in the top left corner, one above the other.
CONFIGURATION = """
output * resolution 1024x768
output * bg #000000 solid_color
default_border none
default_floating_border none
for_window [app_id=".*"] floating enable, border none, move absolute position 0 0
"""

NOBODY = 65534


class Sway:
    """Context manager; `environment` is what its clients need. Pixman draws, so that no GPU is needed."""

    def __init__(self, context):
        self.context = context
        self.directory = None
        self.environment = None
        self.process = None

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="viaduct-sway-"))
        configuration = self.directory / "config"
        configuration.write_text(CONFIGURATION, encoding="utf-8")
        command = [setting.tool("sway"), "--config", configuration]
        # Sway does not run as root. A client that is root reaches it all the same.
        if os.geteuid() == 0:
            os.chown(self.directory, NOBODY, NOBODY)
            command = [setting.tool("setpriv"), f"--reuid={NOBODY}", f"--regid={NOBODY}",
                       "--clear-groups", *command]
        control = self.directory / "control"
        environment = setting.clean_environment(
            XDG_RUNTIME_DIR=self.directory, HOME=self.directory, SWAYSOCK=control,
            WLR_BACKENDS="headless", WLR_RENDERER="pixman", WLR_LIBINPUT_NO_DEVICES="1")
        name = self.context.path / "sway"
        self.process = process.Process(command, environment, name.with_suffix(".out"),
                                       name.with_suffix(".err"), directory="/")
        socket = self._socket()
        if not socket:
            self.__exit__()
            raise Failure("sway did not start: " + self.process.err().strip())
        self.environment = {"WAYLAND_DISPLAY": str(socket), "SWAYSOCK": str(control)}
        return self

    def _socket(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.running():
            for path in self.directory.glob("wayland-*"):
                if path.is_socket():
                    return path
            time.sleep(0.02)
        return None

    def stop(self):
        """It answers no more, until `go_on`."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def end(self):
        """It is gone at once, and says no farewell."""
        os.kill(self.process.pid, signal.SIGKILL)

    def __exit__(self, *_):
        self.process.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
