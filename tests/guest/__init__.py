# SPDX-License-Identifier: MIT
"""Virtual machines whose GPU is Viaduct: what scripts/guest is made of."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CACHE = ROOT / "build" / "guest"
SKIPPED = 77


class Failure(Exception):
    """There is no guest, for this reason; the status is what scripts/guest ends with."""

    def __init__(self, text, status=1):
        super().__init__(text)
        self.status = status


class Missing(Failure):
    """This machine lacks something that guests need."""

    def __init__(self, text):
        super().__init__(text, SKIPPED)


def note(text):
    print(f"guest: {text}", file=sys.stderr)
