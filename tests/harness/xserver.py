# SPDX-License-Identifier: MIT
"""An X server without a screen that belongs to one test."""

import os
import select

from . import process, setting
from .framework import Failure

START_SECONDS = 30


class Xvfb:
    """Context manager; `display` is what DISPLAY has to be."""

    def __init__(self, context, size="1024x768"):
        self.context = context
        self.size = size
        self.display = None
        self.process = None

    def __enter__(self):
        display_read, display_write = os.pipe()
        name = self.context.path / "xvfb"
        command = [setting.tool("Xvfb"), "-displayfd", display_write, "-screen", "0",
                   f"{self.size}x24", "-nolisten", "tcp", "-noreset"]
        self.process = process.Process(command, setting.clean_environment(),
                                       name.with_suffix(".out"), name.with_suffix(".err"),
                                       pass_fds=(display_write,))
        os.close(display_write)
        number = self._read_line(display_read)
        os.close(display_read)
        if not number:
            self.process.kill()
            raise Failure("Xvfb did not start: " + self.process.err().strip())
        self.display = f":{number}"
        return self

    @staticmethod
    def _read_line(descriptor):
        """Number and newline come separately, and a pipe closed too early ends the server."""
        line = b""
        while not line.endswith(b"\n"):
            readable, _, _ = select.select([descriptor], [], [], START_SECONDS)
            piece = os.read(descriptor, 16) if readable else b""
            if not piece:
                return ""
            line += piece
        return line.decode().strip()

    def __exit__(self, *_):
        self.process.kill()
