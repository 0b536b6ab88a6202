# SPDX-License-Identifier: MIT
"""Another host driver: SwiftShader, which Chromium brings along."""

from harness import add, setting
from harness.programs import PROGRAMS

from .compare import compare

# Of the others most ask for extensions that SwiftShader has not; natively it grows, now and then, by
# more than lifecycle lets pass.
LABELS = {"compute", "scene-triangle", "scene-textured", "scene-depth", "sync", "memory",
          "lifetimes", "ignored", "pipelines", "names", "callbacks", "external", "semaphores",
          "fences", "threads", "lifecycle-fork"}

for program in PROGRAMS:
    if program.label in LABELS:
        add(lambda context, program=program: compare(context, program, setting.swiftshader()),
            f"swiftshader/{program.label}",
            f"`{' '.join(program.command)}` on SwiftShader natively and through Viaduct",
            seconds=2 * program.seconds)
