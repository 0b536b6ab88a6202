#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the tests of Viaduct. tests/README.md says how they are organised."""

import argparse
import importlib
import pathlib
import re
import signal
import sys

tests_dir = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(tests_dir))

from harness import framework, process, setting


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build/release", metavar="DIR",
                        help="the build to test, below the repository (default: %(default)s)")
    parser.add_argument("--driver", metavar="ICD.json",
                        help="the host driver to test with (default: lavapipe)")
    parser.add_argument("--filter", default="", metavar="REGEX",
                        help="run only tests whose name matches, anywhere in it")
    parser.add_argument("--list", action="store_true", help="list the tests and run none")
    parser.add_argument("--jobs", type=int, default=2, metavar="N",
                        help="run N tests at the same time (default: %(default)s)")
    parser.add_argument("-v", "--verbose", action="store_true",
                        help="also show each command that is run")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    setting.init(tests_dir.parent, arguments.build, arguments.verbose,
                 arguments.driver)
    for path in sorted((tests_dir / "suite").glob("*.py")):
        if path.stem != "__init__":
            importlib.import_module(f"suite.{path.stem}")

    wanted = re.compile(arguments.filter)
    tests = [test for test in framework.registered() if wanted.search(test.name)]
    if arguments.list:
        for test in tests:
            print(f"{test.name:44} {test.purpose}")
        return 0

    # What a killed runner started must not stay.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return framework.run(tests, max(1, arguments.jobs))
    except KeyboardInterrupt:
        return 130
    finally:
        process.kill_all()


if __name__ == "__main__":
    sys.exit(main())
