# SPDX-License-Identifier: MIT
"""Time namespaces: clocks that are a day apart on one kernel."""

import subprocess

from harness import Server, Skipped, build_path, test

AHEAD = ("unshare", "--time", "--monotonic", "86400", "--boottime", "86400", "--fork")
# Children of the listener, which stays itself, are in the namespace.
SERVER_AHEAD = ("unshare", "--time", "--monotonic", "86400", "--boottime", "86400")


def need_namespaces():
    if subprocess.run([*AHEAD, "true"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                      check=False).returncode != 0:
        raise Skipped("no time namespaces here")


def run(context, client, server, ahead):
    """`queries` compares calibrated timestamps with the clocks that it has itself."""
    need_namespaces()
    server = context.enter(Server(context, under=server))
    result = context.succeed([*client, build_path() / "tests/queries"],
                             {**server.client_environment(), "VIADUCT_DEBUG": "1"}, "queries")
    context.check("time domain 1" in result.out, "calibrated timestamps are not offered")
    said = f"clocks are {ahead} ns ahead of the server's"
    context.check((said in result.err) == bool(ahead), f"it does not say: {said}")


@test("clocks/client-ahead")
def client_ahead(context):
    """An application in a time namespace: calibrated timestamps are of its own clocks"""
    run(context, AHEAD, (), 86400 * 10**9)


@test("clocks/server-ahead")
def server_ahead(context):
    """The same of an application outside, whose server is in a time namespace"""
    run(context, (), SERVER_AHEAD, -86400 * 10**9)


@test("clocks/both-ahead")
def both_ahead(context):
    """The same where both are, each in its own"""
    run(context, AHEAD, SERVER_AHEAD, 0)
