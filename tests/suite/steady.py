# SPDX-License-Identifier: MIT
"""System calls, counted with strace: what costs one, and what costs none."""

import collections
import re
import time

from harness import Server, build_path, test

SUBMITS = 200  # as in tests/apps/steady.c
# What may happen once in a part, and not for each of its submissions: a first wake-up, the wait at the
# end, the C library's memory.
ONCE = 20
# Yielding the processor while looking for work costs nothing where nobody else wants it.
FREE = ("sched_yield",)


class Trace:
    """What strace -f -ttt -Y wrote: (thread, its name, time, call)."""

    def __init__(self, path):
        self.calls = []
        for line in path.read_text(errors="replace").splitlines():
            match = re.match(r"(\d+)<([^>]*)> +([\d.]+) (\w+)\((.*)", line)
            if match:
                thread, name, time, call, rest = match.groups()
                self.calls.append((int(thread), name, float(time), call, rest))

    def parts(self):
        """name -> (begin, end) of what the program's marks enclose."""
        marks = [(re.match(r'-1, "(\w+)"', rest).group(1), time)
                 for _, _, time, call, rest in self.calls
                 if call == "write" and rest.startswith("-1, ")]
        return {name: (begin, end) for (name, begin), (_, end) in zip(marks, marks[1:])}

    def count(self, part, thread=None):
        begin, end = part
        return collections.Counter(
            call for tid, _, time, call, _ in self.calls
            if begin < time < end and call not in FREE and thread in (None, tid))

    def threads(self, name):
        return sorted({tid for tid, comm, *_ in self.calls if comm == name})


@test("steady/calls", alone=True)
def calls(context):
    """No system call and no allocation per recorded command, one call per submission at most, none when idle"""
    client_path, host_path = context.path / "client.strace", context.path / "server.strace"
    strace = ["strace", "-f", "-ttt", "-Y", "-o"]
    # -D: the process that was started is the server, and strace one that watches it.
    server = context.enter(Server(context, under=[*strace, host_path, "-D"]))
    result = context.succeed([*strace, client_path, build_path() / "tests" / "steady"],
                             server.client_environment(), seconds=120)
    server.stop()
    ended = re.compile(rf"^{server.pid}<.*\+\+\+ exited", re.MULTILINE)
    deadline = time.monotonic() + 10
    while not ended.search(host_path.read_text(errors="replace")):
        context.check(time.monotonic() < deadline, "strace does not finish")
        time.sleep(0.1)
    client, host = Trace(client_path), Trace(host_path)
    parts = client.parts()
    context.check(set(parts) >= {"record", "submit", "wait", "idle"}, f"marks are missing: {parts}")
    # The thread that replays the ring; others of the name are the driver's.
    engine = host.threads("viaduct-engine")[0]

    def expect(what, part, trace, most, thread=None):
        counted = trace.count(parts[part], thread)
        context.note(f"{what}: {dict(counted)}")
        context.check(counted.total() <= most, f"{what}: more than {most} calls: {dict(counted)}")

    context.check("steady: 0 allocations" in result.out, f"recording allocates: {result.out}")
    expect("the client, recording 40,000 commands", "record", client, 0)
    expect("the client, submitting", "submit", client, SUBMITS + ONCE)
    expect("the server, executing that", "submit", host, SUBMITS + ONCE, engine)
    expect("the client, submitting and waiting", "wait", client, 2 * SUBMITS + ONCE)
    expect("the client, idle but for its own sleep", "idle", client, 1)
    expect("the server, idle", "idle", host, 0)
