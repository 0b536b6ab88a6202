#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Stands in for dEQP-VK in the tests of scripts/cts: the name of a case says what it does."""

import os
import pathlib
import signal
import sys
import time

CASES = """
dEQP-VK.api.pass.a
dEQP-VK.api.pass.b
dEQP-VK.api.fail.both
dEQP-VK.api.fail.through
dEQP-VK.api.fail.native
dEQP-VK.api.unsupported.through
dEQP-VK.api.crash.both
dEQP-VK.api.crash.through
dEQP-VK.api.lost.through
dEQP-VK.api.pass.c
dEQP-VK.memory.hang.through
dEQP-VK.memory.pass.a
dEQP-VK.memory.flaky.native
dEQP-VK.memory.excluded.a
dEQP-VK.memory.excluded.leave
dEQP-VK.pipeline.library.pass.a
dEQP-VK.pipeline.monolithic.many.a
dEQP-VK.pipeline.monolithic.many.b
dEQP-VK.pipeline.monolithic.many.c
dEQP-VK.pipeline.monolithic.many.d
""".split()


def status(case):
    what, where = case.split(".")[-2:]
    through = "VTEST_SOCKET_NAME" in os.environ
    if what in ("pass", "many", "excluded") or where == ("native" if through else "through") and what != "flaky":
        return "Pass (all is well)"
    if what == "flaky":
        # Passes the first time that it is run natively, and never again.
        first = pathlib.Path(__file__).with_suffix(".flaky")
        if not through and not first.exists():
            first.touch()
            return "Pass (by chance)"
        return "Fail (it is flaky)"
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "hang":
        time.sleep(1000)
    if what == "lost":
        return "DeviceLost (the device is lost)"
    if what == "unsupported":
        return "NotSupported (there is no such thing)"
    return "Fail (the image\nis wrong)"


def main():
    options = dict(word.removeprefix("--deqp-").split("=", 1) for word in sys.argv[1:])
    if options.get("runmode") == "txt-caselist":
        for package, cases in (("dEQP-VK", CASES), ("dEQP-VK-experimental", [])):
            path = options["caselist-export-file"].replace("${packageName}", package)
            pathlib.Path(path).write_text(
                f"GROUP: {package}\n" + "".join(f"TEST: {case}\n" for case in cases),
                encoding="utf-8")
        return
    wanted = pathlib.Path(options["caselist-file"]).read_text(encoding="utf-8").split()
    for case in CASES:
        if case in wanted:
            print(f"\nTest case '{case}'..")
            result = status(case)
            print("  " + result)
            if case.endswith(".leave") and "VTEST_SOCKET_NAME" in os.environ:
                print("", flush=True)
                os.kill(os.getpid(), signal.SIGSEGV)
            if result.startswith("DeviceLost"):
                print("\nDONE!\n\nTest run totals:\nTest run was ABORTED!")
                return
    print("\nDONE!")


if __name__ == "__main__":
    main()
