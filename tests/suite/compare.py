# SPDX-License-Identifier: MIT
"""The programs natively and through Viaduct: same status, same output, same pixels."""

import difflib
import re

from harness import Failure, Skipped, add, png, setting, through
from harness.programs import RUNNABLE, run_native, skipped


def without_version(text):
    """A pair of builds offers no later version than the older of both knows."""
    return re.sub(r"Vulkan \d+\.\d+\.\d+", "Vulkan", text)


def compare(context, program, driver=None, pair=None, narrow=None):
    """`pair`: the builds that driver and server are of. `narrow`: the build that driver and program are of, for a
    machine of another kind."""
    build, server = pair or (None, None)
    native, native_picture = run_native(context, program, driver)
    if skipped(native) and not program.own:
        raise Skipped("natively: " + native.last_line(),
                      needs_gpu=not setting.host_driver_is_lavapipe())
    picture = context.path / "through.png" if program.has_picture else None
    command = program.command_line(narrow or setting.build_path(), picture)
    result = context.run(through(command, build=build, server=server, driver=driver, icd=narrow),
                         program.environment(context, setting.clean_environment()), "through")
    if native.status != 0 and not skipped(native):
        raise Failure(f"natively it ends with {native.describe()},"
                      f" through Viaduct with {result.describe()}")
    if result.status != 0:
        raise Failure(f"through Viaduct it ends with {result.describe()}: {result.last_line()}")
    expected, printed = native.out, result.out
    if pair:
        expected, printed = without_version(expected), without_version(printed)
    if program.same_output and not skipped(native) and printed != expected:
        difference = [line for line in difflib.ndiff(expected.splitlines(), printed.splitlines())
                      if line[0] in "-+"]
        context.note("\n".join(difference))
        raise Failure(f"it prints something else: {' | '.join(difference[:4])}")
    if picture:
        compare_pictures(context, native_picture, picture)


def compare_pictures(context, native_bytes, path):
    native_path = context.path / "native-copy.png"
    native_path.write_bytes(native_bytes)
    native, other = png.read(native_path), png.read(path)
    if (native.width, native.height) != (other.width, other.height):
        raise Failure(f"the picture has {other.width}x{other.height} instead of "
                      f"{native.width}x{native.height}")
    if native.data != other.data:
        differing = sum(a != b for a, b in zip(native.pixels(), other.pixels()))
        raise Failure(f"{differing} pixels of {native.width * native.height} differ: see {path}")


for program in RUNNABLE:
    add(lambda context, program=program: compare(context, program),
        f"compare/{program.label}",
        f"`{' '.join(program.command)}` natively and through Viaduct",
        seconds=2 * program.seconds)
