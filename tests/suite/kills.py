# SPDX-License-Identifier: MIT
"""kill -9 at random points: of workers, of listeners and of clients, while they render. Nobody who is left may
hang, and nothing may be left. `scripts/kills 1000` does many of them."""

import contextlib
import os
import pathlib
import random
import signal
import time

from harness import Server, build_path, native_environment, png, process, setting, test

COUNT = int(os.environ.get("VIADUCT_KILLS", "40"))
# What is on its way for longer hangs. A machine that also does other things gets more: a client that was
# cut off as it connected gives up after the 5 s of its handshake, as one did (5.4 s, 2026-11-27; of 1,500 since
# then none took longer than 0.7 s).
HANG_SECONDS = 2 if "VIADUCT_KILLS" in os.environ else 8
# After the client's start; what comes later is like what came before.
LATEST_SECONDS = 0.4

CLIENTS = (
    ["present", "headless", "--frames", "100000"],
    ["threads", "--until-term"],
    ["lifecycle", "--instances"],
)


def program(words):
    return [build_path() / "tests" / words[0], *words[1:]]


def mentions(pid, text):
    try:
        return text in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(
            errors="replace")
    except OSError:
        return False


def processes_of(server):
    """All processes that were started for this socket, wherever they belong by now."""
    return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and mentions(pid, server.socket)]


def sockets_of(server):
    text = pathlib.Path("/proc/net/unix").read_text(encoding="utf-8")
    return sum(line.endswith(" " + server.socket) for line in text.splitlines())


def held_by(server):
    """What the listener has open: sockets, pipes, memfds."""
    held = []
    for fd in os.listdir(f"/proc/{server.pid}/fd"):
        try:
            held.append(os.readlink(f"/proc/{server.pid}/fd/{fd}").split(":")[0])
        except OSError:
            pass
    return sorted(held)


def shared_files():
    return set(os.listdir("/dev/shm"))


class Kills:
    """A server, and what its kills have come to."""

    def __init__(self, context, chance):
        self.context = context
        self.chance = chance
        self.server = context.enter(Server(context))
        self.hangs = []
        self.left = []
        self.slowest = 0.0
        self.count = {"worker": 0, "client": 0, "listener": 0}

    def settled(self, clients):
        """So many workers, and one for the next client: what the listener has open then, else None."""
        names = ["viaduct-spare"] + ["viaduct-worker"] * clients
        there = process.wait_until(
            lambda: sorted(map(process.name, process.children(self.server.pid))) == names, 10)
        return held_by(self.server) if there else None

    def rest(self, what, condition):
        """Waits for what has to happen after a kill."""
        begun = time.monotonic()
        happened = process.wait_until(condition, 10, step=0.005)
        took = time.monotonic() - begun
        self.slowest = max(self.slowest, took)
        if took > HANG_SECONDS * setting.patience():
            self.hangs.append(f"{what}: {'' if happened else 'more than '}{took:.1f} s")

    def kill(self, victim):
        others = set(self.server.workers())
        words = self.chance.choice(CLIENTS)
        client = self.context.start(program(words), self.server.client_environment(), "client")
        time.sleep(self.chance.uniform(0, LATEST_SECONDS))
        workers = [pid for pid in self.server.workers() if pid not in others]
        what = f"{victim} of {words[0]}"

        def kill_workers():
            """One may still come for a client that was killed before."""
            for pid in set(self.server.workers()) - others:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not client.running()

        if victim == "worker" and workers:
            self.rest(f"{what}: the client goes on", kill_workers)
        elif victim == "listener":
            self.server.process.popen.kill()
        else:
            victim = "client"
            client.popen.kill()
        self.count[victim] += 1
        self.rest(f"{what}: the client goes on", lambda: not client.running())
        self.rest(f"{what}: the worker goes on",
                  lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers))
        client.kill()
        if victim == "listener":
            self.rest("processes of a killed listener", lambda: not processes_of(self.server))
            self.left += [f"process {pid}" for pid in processes_of(self.server)]
            self.server.process.wait(5)
            self.server.start()  # in the place of a socket that nobody listens at

    def result(self, name):
        """What should not have been."""
        self.context.note(f"{name}: {self.count}, slowest {self.slowest:.2f} s, "
                          f"hangs {self.hangs}, left {self.left}")
        return self.hangs + self.left


def picture(context, environment, name):
    path = context.path / f"{name}.png"
    context.succeed(program(["present", "headless", "--frames", "3", "--shot", path]), environment, name)
    return png.read(path)


@test("robust/kills", seconds=60 + 5 * COUNT, alone=True)
def kills(context):
    """Workers, clients and listeners are killed at random points: no hang, nothing left, others are exact"""
    seed = int(os.environ.get("VIADUCT_SEED", time.time()))
    context.note(f"VIADUCT_SEED={seed}")
    chance = random.Random(seed)
    files = shared_files()
    wanted = picture(context, native_environment(), "native")

    parts = Kills(context, chance)
    bystander = context.start(program(["threads", "--until-term"]), parts.server.client_environment(),
                              "bystander")
    # Its worker is not the one of whoever is killed.
    context.check(process.wait_until(lambda: len(parts.server.workers()) == 1, 20), "no bystander's worker")
    parts.kill("client")  # the listener makes a spare worker when another one has ended
    before = parts.settled(1)
    context.check(before, "no bystander")
    for _ in range(COUNT * 3 // 4):
        parts.kill(chance.choice(["worker", "client"]))
        context.check(bystander.running(), "the bystander has ended")
    held = parts.settled(1)
    context.check(held == before, f"the listener holds {held} instead of {before}")
    after = picture(context, parts.server.client_environment(), "through")
    context.check(list(after.pixels()) == list(wanted.pixels()), "pictures differ")
    bystander.send(signal.SIGTERM)
    context.check(bystander.wait(20) and bystander.result().status == 0,
                  f"the bystander: {bystander.result().describe()}")
    parts.server.stop()
    parts.left += [f"process {pid}" for pid in processes_of(parts.server)]
    parts.left += ["socket"] * sockets_of(parts.server)
    wrong = parts.result("workers and clients")

    whole = Kills(context, chance)
    for _ in range(COUNT - COUNT * 3 // 4):
        whole.kill("listener")
    whole.server.stop()
    whole.left += [f"process {pid}" for pid in processes_of(whole.server)]
    whole.left += ["socket"] * sockets_of(whole.server)
    whole.left += [f"/dev/shm/{name}" for name in shared_files() - files if "viaduct" in name.lower()]
    wrong += whole.result("listeners")
    context.check(not wrong, f"{len(wrong)} hang or are left: {wrong[:4]}")


def stopped(context, server, pid, seconds):
    """While this process is stopped, another client is served, and exact."""
    os.kill(pid, signal.SIGSTOP)
    begun = time.monotonic()
    result = context.run(program(["compute"]), server.client_environment(), "meanwhile", seconds=30)
    context.check(result.status == 0, f"meanwhile: {result.describe()}")
    time.sleep(max(0, seconds - (time.monotonic() - begun)))


@test("robust/stopped-worker", seconds=120)
def stopped_worker(context):
    """A worker that is stopped costs others nothing; its client goes on with it, and it does not stay behind"""
    server = context.enter(Server(context))
    client = context.start(program(["threads", "--until-term"]), server.client_environment(), "client")
    context.check(process.wait_until(lambda: len(server.workers()) == 1, 20), "no worker")
    worker, = server.workers()
    stopped(context, server, worker, 3)
    context.check(client.running(), "its client has ended")
    os.kill(worker, signal.SIGCONT)
    time.sleep(0.5)
    client.send(signal.SIGTERM)
    context.check(client.wait(20) and client.result().status == 0, f"its client: {client.result().describe()}")

    # Nobody lets this one go on.
    context.check(process.wait_until(lambda: not server.workers(), 20), "the first worker is left")
    client = context.start(program(["threads", "--until-term"]), server.client_environment(), "forlorn")
    context.check(process.wait_until(lambda: len(server.workers()) == 1, 20), "no second worker")
    worker, = server.workers()
    os.kill(worker, signal.SIGSTOP)
    client.popen.kill()
    server.stop(20)
    context.check(process.wait_until(lambda: not os.path.exists(f"/proc/{worker}"), 5),
                  "a stopped worker outlives its server")


@test("robust/stopped-listener", seconds=120)
def stopped_listener(context):
    """While the listener is stopped, who is served goes on; who comes then is served when it goes on"""
    server = context.enter(Server(context))
    client = context.start(program(["threads", "--until-term"]), server.client_environment(), "client")
    context.check(process.wait_until(lambda: len(server.workers()) == 1, 20), "no worker")
    os.kill(server.pid, signal.SIGSTOP)
    late = context.start(program(["compute"]), server.client_environment(), "late")
    time.sleep(2)
    context.check(client.running(), "who was served has ended")
    client.send(signal.SIGTERM)
    context.check(client.wait(20) and client.result().status == 0,
                  f"who was served: {client.result().describe()}")
    context.check(late.running(), "who came late does not wait")
    os.kill(server.pid, signal.SIGCONT)
    context.check(late.wait(20) and late.result().status == 0, f"who came late: {late.result().describe()}")
