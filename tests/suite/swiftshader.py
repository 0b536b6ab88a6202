# SPDX-License-Identifier: MIT
"""Another host driver: SwiftShader, which Chromium brings along."""

from harness import add, setting
from harness.programs import PROGRAMS

from .compare import compare

# What SwiftShader has nothing for: most extensions that the other programs ask for.
LABELS = {"compute", "scene-triangle", "scene-textured", "scene-depth", "sync", "memory", "objects",
          "external", "semaphores", "threads", "lifecycle", "lifecycle-fork"}

for program in PROGRAMS:
    if program.label in LABELS:
        add(lambda context, program=program: compare(context, program, setting.swiftshader()),
            f"swiftshader/{program.label}",
            f"`{' '.join(program.command)}` on SwiftShader natively and through Viaduct",
            seconds=2 * program.seconds)
