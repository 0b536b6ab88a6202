# SPDX-License-Identifier: MIT
"""The unit tests that the build defines with meson's test()."""

import json
import subprocess

from harness import Failure, Skipped, add, clean_environment, process, setting


def introspect():
    result = subprocess.run(
        [setting.tool("meson"), "introspect", "--tests", str(setting.build_path())],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True)
    if result.returncode != 0:
        raise Failure(f"meson knows no tests of {setting.build_path()}: {result.stdout.strip()}")
    return json.loads(result.stdout)


def run(context, unit):
    environment = clean_environment(**unit.get("env", {}))
    started = process.Process(unit["cmd"], environment, context.path / "unit.out",
                              context.path / "unit.err", directory=unit.get("workdir"))
    context.processes.append(started)
    try:
        context.check(started.wait(context.remaining()), "it does not end")
    finally:
        started.kill()
    result = started.result()
    if result.status == process.SKIPPED:
        raise Skipped(result.last_line())
    context.check(result.status == 0, f"it ended with {result.describe()}")


def fail_to_list(_context, reason):
    raise Failure(reason)


def register():
    try:
        units = introspect()
    except Failure as failure:
        add(lambda context, reason=str(failure): fail_to_list(context, reason), "unit/list",
            "The unit tests of the build can be listed")
        return
    for unit in units:
        add(lambda context, unit=unit: run(context, unit), f"unit/{unit['name']}",
            f"Unit test `{unit['name']}`", seconds=unit.get("timeout") or 300)


register()
