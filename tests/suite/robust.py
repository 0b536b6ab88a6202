# SPDX-License-Identifier: MIT
"""What goes wrong: servers that are not there or die, clients that die or talk nonsense."""

import os
import pathlib
import re
import signal
import socket
import stat
import struct
import sys
import tempfile
import threading
import time

from harness import (Server, add, build_path, clean_environment, lavapipe, manifest,
                     process, root_path, setting, test, through_environment, wire)

SETTLE_SECONDS = 3
IDLE_SECONDS = 5
SHARED_MIB = 256  # what `lostdevice hold` allocates


def program(name):
    return build_path() / "tests" / name


def temporary_directory(context):
    return pathlib.Path(context.enter(tempfile.TemporaryDirectory(prefix="viaduct-test-")))


def viaduct_lines(text):
    return [line for line in text.splitlines() if line.startswith("viaduct:")]


def expect_whole(context, server):
    """No worker has crashed, whatever the test did to it."""
    crash = re.search(r".*ended by signal.*", server.log())
    context.check(not crash, f"a worker crashed: {crash and crash.group(0)}")
    context.check(server.process.running(), "the server is gone")


def expect_serving(context, server):
    result = context.run([program("compute")], server.client_environment(), "still-serving",
                         seconds=30)
    context.check(result.status == 0, f"the server serves nobody any more: {result.describe()}")


@test("robust/no-userfaultfd")
def no_userfaultfd(context):
    """Where a filter forbids userfaultfd, memory of the application's is not offered, and one line
    says why; all else works"""
    server = context.enter(Server(context))
    environment = {**server.client_environment(), "VIADUCT_DEBUG": "1"}
    filtered = [sys.executable, root_path() / "tests" / "harness" / "no_userfaultfd.py"]
    context.succeed([program("pointers")], environment, "unfiltered")
    result = context.run([*filtered, program("pointers")], environment, "filtered")
    context.check(result.status == process.SKIPPED, f"pointers: {result.describe()}")
    lines = viaduct_lines(result.err)
    context.check(any("userfaultfd" in line for line in lines), f"it does not say why: {lines}")
    context.succeed([*filtered, program("memory")], environment, "memory")
    # Nobody asks for one where it would be the end: not at enumeration, nor later.
    for words in (["compute"], ["memory"], ["present", "headless"], ["lifecycle", "--instances"]):
        context.succeed([*filtered, "--kill", program(words[0]), *words[1:]], environment, words[0])
    result = context.run([*filtered, "--kill", program("pointers")], environment, "killed")
    context.check(result.status == process.SKIPPED, f"pointers: {result.describe()}")


@test("robust/fork-busy", seconds=120)
def fork_busy(context):
    """A child that was forked while other threads are in the driver has a life of its own"""
    server = context.enter(Server(context))
    context.succeed([program("lifecycle"), "--fork-busy"], server.client_environment(), "fences")
    context.succeed([program("lifecycle"), "--fork-busy"],
                    server.client_environment(VIADUCT_TRACE=context.path / "trace"), "trace")


@test("robust/first-thread-ends", seconds=60)
def first_thread_ends(context):
    """Once only the driver's threads are left, SIGTERM does what the application has said"""
    server = context.enter(Server(context))
    # The last one often: the driver's threads and the driver itself go at the same time.
    for mode, wanted in (("default", -signal.SIGTERM), ("handled", 3), ("awaited", 4),
                         *[("none", 0)] * 20):
        client = context.start([program("lifecycle"), "--leader", mode],
                               server.client_environment(), mode)
        context.check(client.wait_for_line("^ready", 20), f"{mode}: it does not get ready")
        if mode != "none":
            time.sleep(0.3)  # its threads end, but for one that waits
            context.check(client.running(), f"{mode}: it ended by itself")
            client.send(signal.SIGTERM)
        context.check(client.wait(10), f"{mode}: it stays")
        status = client.result().status
        context.check(status == wanted, f"{mode}: it ended with {status} instead of {wanted}")


# Without a server.

def expect_no_device(context, environment, most_seconds, wanted):
    """The program finds no device, soon, and one line says why if it was asked for."""
    quiet = context.run([program("compute")], environment, "quiet", seconds=30)
    context.check(quiet.status != 0, "it found a device")
    context.check("viaduct" not in quiet.err.lower(),
                  f"it prints without being asked: {quiet.err.strip()[:200]}")
    context.check(quiet.seconds < most_seconds * setting.patience(), f"it took {quiet.seconds:.1f} s to say no")
    told = context.run([program("compute")], {**environment, "VIADUCT_DEBUG": "1"}, "told",
                       seconds=30)
    lines = viaduct_lines(told.err)
    context.check(told.status != 0, "it found a device")
    context.check(len(lines) == 1, f"VIADUCT_DEBUG gives {len(lines)} lines: {lines}")
    context.check(re.search(wanted, lines[0]), f"the line does not say {wanted!r}: {lines[0]}")


@test("robust/no-server")
def no_server(context):
    """No server: the loader moves on at once, one line under VIADUCT_DEBUG names the socket"""
    path = temporary_directory(context) / "nobody"
    environment = through_environment(path)
    expect_no_device(context, environment, 1.5, re.escape(str(path)))
    result = context.run([setting.tool("vulkaninfo"), "--summary"], environment, seconds=30)
    context.check(result.seconds < 2, f"vulkaninfo took {result.seconds:.1f} s")
    context.check("viaduct" not in (result.out + result.err).lower(), "vulkaninfo shows Viaduct")


@test("robust/no-server-other-driver")
def no_server_other_driver(context):
    """No server, but another driver: the loader uses that one"""
    drivers = f"{manifest()}:{lavapipe()}"
    path = temporary_directory(context) / "nobody"
    result = context.succeed([program("compute")], clean_environment(
        VK_DRIVER_FILES=drivers, VK_ICD_FILENAMES=drivers, VTEST_SOCKET_NAME=path))
    context.check("llvmpipe" in result.out, f"it ran on something else: {result.out}")


@test("robust/dead-socket")
def dead_socket(context):
    """A socket without a server behind it, and a path that is no socket"""
    directory = temporary_directory(context)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(directory / "dead"))
    expect_no_device(context, through_environment(directory / "dead"), 1.5, "dead")
    (directory / "file").write_text("no socket")
    expect_no_device(context, through_environment(directory / "file"), 1.5, "file")


class FalseServer:
    """Listens like a server and answers in its own way. Context manager."""

    def __init__(self, path, answer):
        self.answer = answer
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(8)
        self.connections = []
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections.append(connection)
            try:
                self.answer(connection)
            except OSError:
                pass

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in self.connections:
            connection.close()


FALSE_SERVERS = {
    "silent": lambda connection: None,
    "hangs-up": lambda connection: connection.close(),
    "babbles": lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 50),
    "zeros": lambda connection: connection.sendall(bytes(65536)),
    "huge-answer": lambda connection: connection.sendall(
        struct.pack("=II", 0, wire.PING_PROTOCOL_VERSION) +
        struct.pack("=III", 1, wire.RESOURCE_BUSY_WAIT, 0) +
        struct.pack("=II", 0xffffffff, wire.PROTOCOL_VERSION)),
}


@test("robust/false-server", seconds=120)
def false_server(context):
    """Something else listens at the socket: the ICD gives up soon and says so"""
    directory = temporary_directory(context)
    for name, answer in FALSE_SERVERS.items():
        context.note(name)
        path = directory / name
        with FalseServer(path, answer):
            expect_no_device(context, through_environment(path), 8, re.escape(str(path)))


@test("robust/wrong-version")
def wrong_version(context):
    """Another protocol version: both sides say so"""
    server = context.enter(Server(context))
    result = context.run([program("compute")], server.client_environment(
        VIADUCT_DEBUG=1, VIADUCT_TEST_PROTOCOL_VERSION=999), seconds=30)
    context.check(result.status != 0, "it works with another version")
    line = " ".join(viaduct_lines(result.err))
    context.check("999" in line and "protocol" in line, f"the client says {line!r}")
    context.check(process.wait_until(
        lambda: re.search(r"warning: .*protocol 999", server.log()), 5),
        "the server does not say that a client spoke protocol 999")
    expect_serving(context, server)
    expect_whole(context, server)


# Servers that die.

def kill_server(context, mode, victim):
    server = context.enter(Server(context))
    client = context.start([program("lostdevice"), mode], server.client_environment())
    context.check(client.wait_for_line("^ready", 20), "the client does not get ready")
    time.sleep(0.3)
    workers = server.workers()
    context.check(len(workers) == 1, f"{len(workers)} workers for one client")
    client.send(signal.SIGUSR1)
    os.kill(workers[0] if victim == "worker" else server.pid, signal.SIGKILL)
    context.check(client.wait(15), "the client hangs")
    result = client.result()
    context.check(result.status == 0, f"the client ended with {result.describe()}")
    if victim == "worker":
        context.check(process.wait_until(lambda: "ended by signal 9" in server.log(), 5),
                      "the server does not log that its worker was killed")
        context.check(server.process.running(), "the server went with its worker")
        expect_serving(context, server)
    else:
        context.check(process.wait_until(lambda: not os.path.exists(f"/proc/{workers[0]}"), 5),
                      "the worker lives on without its listener")


for mode in ("submit", "fence", "timeline", "idle", "create", "acquire"):
    for victim in ("worker", "listener"):
        add(lambda context, mode=mode, victim=victim: kill_server(context, mode, victim),
            f"robust/kill-{victim}/{mode}",
            f"The {victim} is killed during `lostdevice {mode}`: VK_ERROR_DEVICE_LOST within 1 s")


@test("robust/kill-worker/shared")
def kill_one_of_two(context):
    """The worker that was to signal a shared fence is killed: another client does not wait for ever"""
    server = context.enter(Server(context))
    client = context.start([program("lostdevice"), "shared"], server.client_environment())
    context.check(client.wait_for_line("^alone", 20), "the client does not get as far as its work")
    victim, = server.workers()
    client.send(signal.SIGUSR2)
    context.check(client.wait_for_line("^ready", 20), "the client does not get ready")
    context.check(len(server.workers()) == 2, "there are not two workers")
    client.send(signal.SIGUSR1)
    os.kill(victim, signal.SIGKILL)
    context.check(client.wait(15), "the client hangs")
    result = client.result()
    context.check(result.status == 0, f"the client ended with {result.describe()}: "
                  f"{result.last_line()}")


@test("robust/stop", seconds=90)
def stop(context):
    """SIGTERM, SIGINT, SIGHUP: the server ends with 0, takes its socket away, and its client is told"""
    nohup = context.enter(Server(context, under=["/usr/bin/nohup"]))
    nohup.process.send(signal.SIGHUP)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # The tests themselves may run under nohup.
        server = context.enter(Server(context, under=["/usr/bin/env", "--default-signal=HUP"]))
        client = context.start([program("lostdevice"), "submit"], server.client_environment())
        context.check(client.wait_for_line("^ready", 20), "the client does not get ready")
        workers = server.workers()
        client.send(signal.SIGUSR1)
        server.process.send(number)
        context.check(server.process.wait(10), f"the server does not end on {number.name}")
        context.check(server.process.result().status == 0,
                      f"the server ended with {server.process.result().describe()}")
        context.check(not os.path.exists(server.socket), "the socket is left behind")
        context.check(not any(os.path.exists(f"/proc/{pid}") for pid in workers),
                      "a worker is left behind")
        context.check(client.wait(15), "the client hangs")
        context.check(client.result().status == 0,
                      f"the client ended with {client.result().describe()}")
    context.check(nohup.process.running(), "nohup does not keep it from ending on SIGHUP")


# Clients that die.

class Bystander:
    """A client that works for as long as the test goes wrong for others."""

    def __init__(self, context, server):
        self.context = context
        self.client = context.start([program("threads"), "--until-term"],
                                    server.client_environment(), "bystander")
        context.check(process.wait_until(lambda: len(server.workers()) == 1, 20), "no worker")

    def finish(self):
        """It has gone on all the time, goes on now, and all its results are right."""
        self.context.check(not self.client.wait(0.5), "the other client has ended by itself")
        self.client.send(signal.SIGTERM)
        self.context.check(self.client.wait(self.context.remaining()), "the other client hangs")
        result = self.client.result()
        self.context.check(result.status == 0 and "until they were told to end" in result.out,
                           f"the other client ended with {result.describe()}")


def shared_mib():
    with open("/proc/meminfo", encoding="utf-8") as file:
        return int(re.search(r"^Shmem:\s*(\d+)", file.read(), re.MULTILINE).group(1)) / 1024


@test("robust/endless-shader")
def endless_shader(context):
    """A client whose shader never ends is killed: its worker ends, and others are served"""
    server = context.enter(Server(context))
    client = context.start([program("linger"), "shader"], server.client_environment(), "client")
    context.check(client.wait_for_line("the shader runs", 60), "the shader does not begin")
    worker = next(iter(server.workers()))
    expect_serving(context, server)
    started = time.monotonic()
    client.send(signal.SIGKILL)
    context.check(process.wait_until(lambda: worker not in server.workers(), 20),
                  "the worker of a client that is gone still runs its shader")
    context.note(f"the worker ended after {time.monotonic() - started:.2f} s")
    expect_serving(context, server)


@test("robust/kill-client", alone=True)
def kill_client(context):
    """A client is killed: its worker ends, its memory returns, other clients go on"""
    server = context.enter(Server(context))
    other = Bystander(context, server)
    before = shared_mib()
    victim = context.start([program("lostdevice"), "hold"], server.client_environment())
    context.check(victim.wait_for_line("^ready", 20), "the client does not get ready")
    during = shared_mib()
    context.check(during - before > 0.8 * SHARED_MIB,
                  f"{SHARED_MIB} MiB of memory take {during - before:.0f} MiB of shared memory")
    context.check(len(server.workers()) == 2, "there are not two workers")
    victim.send(signal.SIGKILL)
    context.check(process.wait_until(lambda: len(server.workers()) == 1, 5),
                  "the worker does not end with its client")
    context.check(process.wait_until(lambda: shared_mib() - before < 0.2 * SHARED_MIB, 5),
                  f"{shared_mib() - before:.0f} MiB do not return")
    other.finish()
    context.check(process.wait_until(lambda: not server.workers(), 5), "a worker is left")
    expect_whole(context, server)


@test("robust/crash-worker", seconds=90)
def crash_worker(context):
    """A client makes the driver crash, thrice: its own device is lost, and nobody else's"""
    server = context.enter(Server(context))
    other = Bystander(context, server)
    for _ in range(3):
        context.succeed([program("misuse"), "crash"], server.client_environment())
    crashes = re.findall(r"its worker was ended by signal", server.log())
    context.check(len(crashes) == 3, f"the log tells of {len(crashes)} crashes")
    other.finish()
    context.check(process.wait_until(lambda: not server.workers(), 5), "a worker is left")
    expect_serving(context, server)


@test("robust/two-clients", seconds=90)
def two_clients(context):
    """Clients at the same time on one server, each with its own results"""
    server = context.enter(Server(context))
    commands = [[program("compute")], [program("threads")], [program("sync")],
                [program("compute")], [program("memory")]]
    started = [context.start(command, server.client_environment()) for command in commands]
    for client in started:
        context.check(client.wait(context.remaining()), f"{client.name} hangs")
        context.check(client.result().status == 0,
                      f"{client.name} ended with {client.result().describe()}")
    expect_whole(context, server)


@test("robust/lifecycle", seconds=600)  # 70 to 300, as much as others do beside it
def lifecycle(context):
    """1000 instances and devices: neither client nor server grows"""
    server = context.enter(Server(context, level="warning"))

    def descriptors():
        return len(os.listdir(f"/proc/{server.pid}/fd"))

    def settle():
        """Until the last client is gone and the next spare worker is there: as many descriptors for 1 s."""
        seen = []

        def steady():
            seen.append(descriptors())
            return len(seen) > 50 and len(set(seen[-50:])) == 1

        context.check(process.wait_until(lambda: not server.workers(), 5), "workers are left")
        context.check(process.wait_until(steady, 15), f"descriptors come and go: {seen[-50:]}")

    context.succeed([program("lifecycle"), "--count", "50"], server.client_environment(), "warm-up")
    settle()
    before, before_descriptors = process.resident_kib(server.pid), descriptors()
    context.succeed([program("lifecycle"), "--count", "1000"], server.client_environment())
    settle()
    grown = process.resident_kib(server.pid) - before
    context.note(f"the server grew by {grown} KiB")
    context.check(grown < 512, f"the server grew by {grown} KiB")
    context.check(descriptors() == before_descriptors,
                  f"the server had {before_descriptors} descriptors, now {descriptors()}")
    expect_whole(context, server)


# Nothing polls.

@test("robust/idle", alone=True)
def idle(context):
    """A client that waits with a device, its worker and the listener: none of them wakes up"""
    server = context.enter(Server(context))
    client = context.start([program("lostdevice"), "hold"], server.client_environment())
    context.check(client.wait_for_line("^ready", 20), "the client does not get ready")
    workers = server.workers()
    context.check(len(workers) == 1, f"{len(workers)} workers for one client")
    watched = {"client": client.pid, "listener": server.pid, "worker": workers[0]}
    time.sleep(SETTLE_SECONDS)
    before = {name: process.context_switches(pid) for name, pid in watched.items()}
    time.sleep(IDLE_SECONDS)
    woken = {name: process.context_switches(pid) - before[name] for name, pid in watched.items()}
    context.check(not any(woken.values()), f"wake-ups in {IDLE_SECONDS} s: {woken}")


# Sockets.

@test("robust/stale-socket")
def stale_socket(context):
    """A socket that a killed server left behind is taken over"""
    directory = temporary_directory(context)
    path = str(directory / "socket")
    first = Server(context, socket=path)
    context.check(first.start(), "the first server does not start")
    first.process.send(signal.SIGKILL)
    context.check(first.process.wait(5), "the server survives SIGKILL")
    context.check(stat.S_ISSOCK(os.stat(path).st_mode), "there is no stale socket to test with")
    server = context.enter(Server(context, socket=path))
    expect_serving(context, server)


@test("robust/second-server")
def second_server(context):
    """A second server at the same socket refuses, and the first one goes on"""
    server = context.enter(Server(context))
    second = Server(context, socket=server.socket)
    context.check(not second.start(), "the second server listens too")
    context.check(second.process.wait(5), "the second server does not end")
    context.check(second.process.result().status != 0, "the second server ends with success")
    context.check(server.socket in second.log(), f"it does not say why: {second.log()}")
    context.check(os.path.exists(server.socket), "the second server removed the socket")
    expect_serving(context, server)


@test("robust/not-a-socket")
def not_a_socket(context):
    """A file at the socket's path is left alone"""
    path = temporary_directory(context) / "file"
    path.write_text("precious")
    server = Server(context, socket=str(path))
    context.check(not server.start(), "the server listens where a file is")
    context.check(server.process.wait(5) and server.process.result().status != 0,
                  "the server does not refuse")
    context.check(path.read_text() == "precious", "the file was touched")


@test("robust/server-uses-viaduct")
def server_uses_viaduct(context):
    """A server whose driver would be Viaduct itself: no endless regress"""
    directory = temporary_directory(context)
    path = str(directory / "socket")
    server = context.enter(Server(context, socket=path, environment=through_environment(path)))
    result = context.run([program("compute")], server.client_environment(), seconds=20)
    context.check(result.status != 0, "it found a device behind itself")
    expect_whole(context, server)


# Many clients.

@test("robust/many-connections", seconds=90)
def many_connections(context):
    """A hundred connections that say nothing keep nobody out, and leave nothing"""
    server = context.enter(Server(context, level="warning"))
    context.check(process.wait_until(
        lambda: [process.name(pid) for pid in process.children(server.pid)] == ["viaduct-spare"], 20),
        "no spare worker")
    before = len(os.listdir(f"/proc/{server.pid}/fd"))
    peers = [wire.Peer(server.socket) for _ in range(100)]
    expect_serving(context, server)
    for peer in peers:
        peer.close()
    context.check(process.wait_until(lambda: not server.workers(), 20), "workers are left")
    context.check(process.wait_until(
        lambda: len(os.listdir(f"/proc/{server.pid}/fd")) == before, 5), "descriptors are left")
    expect_whole(context, server)
