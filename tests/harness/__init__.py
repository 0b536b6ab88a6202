# SPDX-License-Identifier: MIT
"""What the suites are written with. A suite needs only `from harness import ...`."""

from . import container, png, process, setting, wire
from .framework import Failure, Place, Skipped, add, test
from .process import Process, Result
from .server import Server
from .setting import (
    build_path,
    clean_environment,
    lavapipe,
    manifest,
    native_environment,
    root_path,
    through,
    through_environment,
)
from .wayland import Sway
from .xserver import Xvfb
