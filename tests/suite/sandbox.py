# SPDX-License-Identifier: MIT
"""The border between a client and everything else: what a driver that was taken over can do, and what a
client can use up.

`tests/layer/tries.c` is that driver. Without the sandbox each of its tries has to work, or at least to
reach the kernel, so that it is the sandbox that holds it back.
"""

import json
import os
import pathlib
import re
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time

from harness import Failure, Server, add, build_path, native_environment, process, root_path, setting, test, wire
from harness.records import Client

from .enforced import make

LAYER = "VK_LAYER_VIADUCT_tries"
REFUSED = "errno 13 "

# What is tried -> the system call that ends the worker, None: it fails there. Whether it works without
# the sandbox, for root; elsewhere it depends.
TRIES = {
    "read": (None, True),
    "write": (None, True),
    "empty": (None, True),
    "create": (None, True),
    "writable_code": (None, True),
    "patched_code": (None, True),
    "maps": (None, True),
    "listen": ("socket", True),
    "connect": ("socket", False),
    "exec": ("execve", False),
    "fork": ("clone", True),
    "ptrace": ("ptrace", True),
    "peek": ("process_vm_readv", False),
    "kill": ("kill", True),
    "socket": ("socket", True),
    "abstract": ("socket", True),
    "unshare": ("unshare", False),
    "bpf": ("bpf", False),
    "io_uring": ("io_uring_setup", False),
    "userfaultfd": ("userfaultfd", True),
}


def attempt(context, name, mode, secret=None, under=(), driver=None, options=()):
    """Has the driver of a worker try it, on a file if it tries that. Returns what it says, or None, and
    the system call that ended it, or None."""
    victim = context.start(["sleep", "600"], native_environment(), f"victim-{mode}")
    secret = secret or context.path / f"secret-{mode}"
    secret.write_text("secret", encoding="utf-8")
    abstract = f"viaduct-test-{victim.pid}"
    listener = context.enter(socket.socket(socket.AF_UNIX))
    listener.bind(f"\0{abstract}")
    listener.listen()
    environment = native_environment(
        VK_INSTANCE_LAYERS=LAYER, VK_LAYER_PATH=build_path() / "tests/layer", VIADUCT_TRY=name,
        VIADUCT_TRY_PID=victim.pid, VIADUCT_TRY_FILE=secret, VIADUCT_TRY_ABSTRACT=abstract)
    if driver:
        environment.update(VK_DRIVER_FILES=str(driver), VK_ICD_FILENAMES=str(driver))
    server = context.enter(Server(context, f"--sandbox={mode}", *options, environment=environment, under=under))
    lacking = re.search(r"DEGRADED.*", server.log())
    if lacking:
        context.skip(f"the sandbox is not whole here: {lacking.group()}")
    context.run([build_path() / "tests" / "compute"], server.client_environment(), f"compute-{mode}")
    pattern = rf"try: {name}: (.*)$|ended its process for the system call (\w+)"
    process.wait_until(lambda: re.search(pattern, server.log(), re.MULTILINE), 10)
    found = re.search(pattern, server.log(), re.MULTILINE)
    context.check(found, f"{mode}: the log says nothing of it")
    if mode == "on":
        context.check(victim.running(), "the other process has ended")
    victim.kill()
    return found.group(1), found.group(2)


def trial(name, call, works):
    def run(context):
        said, _ = attempt(context, name, "off")
        if works and os.geteuid() == 0:
            context.check(said == "out", f"without a sandbox it does not work either: {said}")
        else:
            context.check(said is not None, "without a sandbox it does not reach the kernel")
        said, stopped = attempt(context, name, "on")
        if call:
            context.check(stopped == call, f"it was not stopped at {call}: {said or stopped}")
        else:
            context.check(said is not None and said.startswith(REFUSED),
                          f"it was not refused: {said or stopped}")

    return run


for _name, (_call, _works) in TRIES.items():
    add(trial(_name, _call, _works), f"sandbox/{_name}",
        f"A driver that was taken over: {_name} works without the sandbox, and not in it", seconds=90)


@test("sandbox/seen")
def seen(context):
    """`log` holds nothing back, and names files and system calls that the sandbox would not let through"""
    secret = context.path / "secret"
    for name, line in (("read", f"refuse to open {secret}"),
                       ("create", f"refuse to open {secret}.new for writing"),
                       ("ptrace", "stop system call ptrace")):
        said, _ = attempt(context, name, "log", secret)
        context.check(said is not None and not said.startswith(REFUSED), f"{name} was held back: {said}")
        lines = "".join(path.read_text(encoding="utf-8")
                        for path in context.path.glob("*-server.err"))
        context.check(f"sandbox: would {line}" in lines, f"{name} is not named")
    # Threads are named in vain: their names are for debuggers.
    opened = set(re.findall(r"would refuse to open (?!/proc/self/task/\d+/comm)(\S+)", lines))
    context.check(opened == {str(secret), f"{secret}.new"}, f"the driver itself opens {opened}")


@test("sandbox/libraries")
def libraries(context):
    """A driver's library may be in any folder that the linker is configured to look in"""
    if os.geteuid() != 0:
        context.skip("only root can try another /etc/ld.so.conf")
    folder = context.path / "libraries"
    folder.mkdir()
    (context.path / "gpu.conf").write_text(f"# a GPU's\n{folder} # and more\n", encoding="utf-8")
    configuration = context.path / "ld.so.conf"
    configuration.write_text(f"include {context.path}/*.conf\n", encoding="utf-8")
    under = ["unshare", "--mount", "sh", "-c",
             'mount --bind "$0" /etc/ld.so.conf && exec "$@"', configuration]
    said, stopped = attempt(context, "read", "on", folder / "library", under)
    context.check(said == "out", f"it can not be read: {said or stopped}")
    said, stopped = attempt(context, "read", "on", context.path / "other", under)
    context.check(said is not None and said.startswith(REFUSED),
                  f"what is beside it can be read: {said or stopped}")


# A /dev with the device by which NVIDIA's driver is recognised.
NVIDIA_DEVICES = """
mount -t tmpfs devices "$0" && mkdir "$0/shm" && : >"$0/nvidiactl" &&
cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty "$0" &&
mount --bind "$0" /dev && exec "$@"
"""


@test("sandbox/nvidia", seconds=120)
def nvidia(context):
    """The profile of NVIDIA's driver lets in what that does, and no more; tried with another driver"""
    if os.geteuid() != 0:
        context.skip("only root can try another /dev")
    devices, folder = context.path / "devices", context.path / "driver"
    devices.mkdir()
    folder.mkdir()
    manifest = json.loads(setting.lavapipe().read_text(encoding="utf-8"))
    path = manifest["ICD"]["library_path"]
    found = next(pathlib.Path(folder) / path for folder in ("/", "/usr/lib/x86_64-linux-gnu", "/usr/lib")
                 if (pathlib.Path(folder) / path).is_file())
    # Neither its name nor its folder is of a driver for the CPU.
    (folder / "libhardware.so").symlink_to(found)
    manifest["ICD"]["library_path"] = str(folder / "libhardware.so")
    hardware = folder / "hardware.json"
    hardware.write_text(json.dumps(manifest), encoding="utf-8")
    under = ["unshare", "--mount", "sh", "-c", NVIDIA_DEVICES, devices]
    for name, wanted in (("writable_code", REFUSED), ("patched_code", "out"), ("listen", "out"),
                         ("connect", "errno 2 "), ("maps", "out"), ("read", REFUSED)):
        said, stopped = attempt(context, name, "on", under=under, driver=hardware)
        context.check(said is not None and said.startswith(wanted), f"{name}: {said or stopped}")
    for name in ("exec", "fork", "ptrace", "io_uring"):
        said, stopped = attempt(context, name, "on", under=under, driver=hardware)
        context.check(stopped == TRIES[name][0], f"{name}: {said or stopped}")


@test("sandbox/print")
def prints(context):
    """A driver that prints a line on its standard output goes on"""
    said, stopped = attempt(context, "print", "on")
    context.check(said == "out", f"it was held back: {said or stopped}")


@test("sandbox/worker")
def worker_state(context):
    """What the kernel knows of a worker with a client"""
    server = context.enter(Server(context))
    with Client(server.socket) as client:
        client.begin()
        worker, = server.workers()
        status = dict(re.findall(r"^(\w+):\s*(.*)$",
                                 pathlib.Path(f"/proc/{worker}/status").read_text(encoding="utf-8"),
                                 re.MULTILINE))
        wanted = {"NoNewPrivs": "1", "Seccomp": "2", "CapEff": "0" * 16, "CapPrm": "0" * 16}
        got = {key: status[key] for key in wanted}
        context.check(got == wanted, f"it has {got}")
        context.check(status["NSpid"].split()[1:] == ["1"], f"its process ids: {status['NSpid']}")
        for space in ("user", "net", "ipc", "pid"):
            context.check(os.readlink(f"/proc/{worker}/ns/{space}") !=
                          os.readlink(f"/proc/{server.pid}/ns/{space}"),
                          f"it is in the listener's namespace: {space}")
        for fd in (0, 1):
            context.check(os.readlink(f"/proc/{worker}/fd/{fd}") == "/dev/null",
                          f"it has the server's descriptor {fd}")
        context.check(os.readlink(f"/proc/{worker}/fd/2").startswith("pipe:"),
                      "its stderr is no pipe")
        limits = pathlib.Path(f"/proc/{worker}/limits").read_text(encoding="utf-8")
        context.check(re.search(r"Max core file size +0 +0", limits), "it dumps core")


@test("sandbox/root")
def refuses_root(context):
    """A server does not serve as root unless it is told to"""
    if os.geteuid() != 0:
        context.skip("the tests do not run as root")
    command = [build_path() / "server" / "viaduct-server", "--socket", context.path / "s"]
    result = context.run(command, native_environment())
    context.check(result.status == 2 and "--allow-root" in result.err, f"it says {result.err!r}")
    result = context.run([*command, "--user", "no-such-user"], native_environment())
    context.check(result.status == 1 and "no-such-user" in result.err, f"it says {result.err!r}")


@test("sandbox/user")
def becomes_user(context):
    """--user: nothing of the server runs as root"""
    if os.geteuid() != 0:
        context.skip("only root can become somebody else")
    directory = pathlib.Path(context.enter(tempfile.TemporaryDirectory()))
    directory.chmod(0o777)
    server = context.enter(Server(context, "--user", "nobody", socket=str(directory / "socket")))
    with Client(server.socket) as client:
        client.begin()
        for pid in (server.pid, *server.workers()):
            status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            uids = re.search(r"^Uid:\s+(.*)$", status, re.MULTILINE).group(1).split()
            context.check("0" not in uids, f"process {pid} is root's")


@test("sandbox/strict")
def strict(context):
    """--sandbox=strict serves where all layers are, and does not start where one is missing; "on" says which"""
    filtered = [sys.executable, root_path() / "tests" / "harness" / "no_landlock.py"]
    whole = Server(context, "--sandbox=strict")
    if not whole.start():
        context.skip(f"the sandbox is not whole here: {whole.log().strip()}")
    with Client(whole.socket) as client:
        client.begin()
        client.open_device()
    whole.stop()
    context.check("DEGRADED" not in whole.log(), "it says that something is missing")
    partial = Server(context, "--sandbox=strict", under=filtered)
    context.check(not partial.start() and partial.process.wait(10), "it starts without Landlock")
    context.check(partial.process.result().status == 1 and "DEGRADED: the sandbox lacks Landlock" in partial.log(),
                  f"it does not say why: {partial.log().strip()}")
    on = context.enter(Server(context, "--sandbox=on", under=filtered))
    context.check("DEGRADED: the sandbox lacks Landlock" in on.log(), "it says nothing of Landlock")
    with Client(on.socket) as client:
        client.begin()
        client.open_device()


# ---- What a client can use up

@test("sandbox/silent")
def silent(context):
    """200 connections that say nothing: no processes for them, others are served, and they are hung up on"""
    server = context.enter(Server(context, "--handshake-seconds", "3"))
    peers = [wire.Peer(server.socket) for _ in range(200)]
    begun = time.monotonic()
    with Client(server.socket) as client:
        client.begin()
        client.open_instance()
    context.note(f"another one is served after {time.monotonic() - begun:.3f} s")
    count = len(process.children(server.pid))
    context.check(count <= 3, f"{count} processes")
    open_ones = [peer for peer in peers if not peer.closed(10)]
    context.check(not open_ones, f"{len(open_ones)} are still connected")
    context.check("it has said nothing" in server.log(), "the log does not say why")


@test("sandbox/handshake")
def half_way(context):
    """A client that says hello and no more is hung up on"""
    server = context.enter(Server(context, "--handshake-seconds", "2"))
    with wire.Peer(server.socket) as peer:
        peer.reach_context()
        context.check(peer.closed(20), "it is still connected")
    context.check(process.wait_until(
        lambda: re.search(r"client 1.*: connection ended: it was not set up within 2 s", server.log()),
        5), "the log does not say why")


@test("sandbox/clients")
def clients(context):
    """Of more clients than one user may have the next waits until another one goes"""
    server = context.enter(Server(context, "--max-clients-per-user", "2"))
    peers = [wire.Peer(server.socket) for _ in range(3)]
    for peer in peers:
        peer.introduce()
    for peer in peers[:2]:
        context.check(peer.negotiate() >= 3, "the first two are not served")
    peers[2].message(wire.PROTOCOL_VERSION, struct.pack("=I", wire.VTEST_VERSION))
    readable, _, _ = select.select([peers[2].socket], [], [], 1)
    context.check(not readable, "the third is served at once")
    peers[0].close()
    peers[2].answer(wire.PROTOCOL_VERSION)


@test("sandbox/uid")
def uid(context):
    """--allow-uid: nobody else is served, and --socket-mode is the mode"""
    other = Server(context, "--allow-uid", str(os.geteuid() + 1), "--socket-mode", "0640")
    with other:
        context.check(os.stat(other.socket).st_mode & 0o777 == 0o640, "the socket has another mode")
        with wire.Peer(other.socket) as peer:
            context.check(peer.closed(10), "it is connected")
        context.check("none of --allow-uid" in other.log(), "the log does not say why")
    own = context.enter(Server(context, "--allow-uid", str(os.geteuid())))
    context.check(os.stat(own.socket).st_mode & 0o777 == 0o600, "others may connect")
    with Client(own.socket) as client:
        client.begin()


@test("sandbox/memory")
def memory(context):
    """Shared memory is counted when it is promised, a CPU's device memory when it is allocated"""
    server = context.enter(Server(context, "--max-shared-memory", "64", "--max-device-memory", "64"))
    with Client(server.socket) as client:
        client.begin()
        client.open_device()
        context.check(client.blob(1 << 39)[0] == 0, "512 GiB are promised")
        number, fd = client.blob(48 << 20)
        context.check(number != 0, "48 MiB are refused")
        os.close(fd)
        context.check(client.blob(48 << 20)[0] == 0, "96 MiB are given, of 64")
        client.message(wire.RESOURCE_UNREF, struct.pack("=I", number))
        number, fd = client.blob(48 << 20)
        context.check(number != 0, "what was given back is not there again")
        os.close(fd)

        def allocate():
            return make(client, "VkDeviceMemory", "vkAllocateMemory", "VkMemoryAllocateInfo",
                        allocationSize=40 << 20)

        allocate()
        try:
            allocate()
        except Exception as refused:  # of whatever kind create() has
            context.note(f"the second: {refused}")
        else:
            raise Failure("80 MiB of device memory are given, of 64")


def has_room(client, size):
    """Whether it gets so much shared memory. What others give back is there a moment later."""
    number, fd = client.blob(size)
    if number:
        os.close(fd)
    return number != 0


@test("sandbox/quota")
def quota(context):
    """Clients of one user share what the user may have, and it is there again when one of them has ended"""
    for option in ("--max-memory-per-user", "--max-memory"):
        server = context.enter(Server(context, option, "128"))
        with Client(server.socket) as first, Client(server.socket) as second:
            first.begin()
            second.begin()
            number, fd = first.blob(64 << 20)
            context.check(number != 0, f"{option}: 64 MiB are refused")
            os.close(fd)
            context.check(second.blob(80 << 20)[0] == 0, f"{option}: 144 MiB are given, of 128")
            first.message(wire.RESOURCE_UNREF, struct.pack("=I", number))
            context.check(process.wait_until(lambda: has_room(second, 80 << 20), 10),
                          f"{option}: what was given back is not there again")
            context.check(first.blob(64 << 20)[0] == 0, f"{option}: 144 MiB are given, of 128, the second time")
        with Client(server.socket) as third:
            third.begin()
            context.check(process.wait_until(lambda: has_room(third, 100 << 20), 10),
                          f"{option}: what the dead had is not there again")


def complain(client, times):
    """Messages that are refused with a line in the log."""
    ask = struct.pack("=II", 6, wire.RESOURCE_CREATE_BLOB) + struct.pack("=IIIIII", 1, 3, 0, 0, 0, 0)
    for _ in range(times // 50):
        client.send(ask * 50)
        client.receive(12 * 50)


@test("sandbox/log")
def log_lines(context):
    """One client's lines do not fill the log, and it says how many were left out"""
    server = context.enter(Server(context))
    with wire.Peer(server.socket) as peer:
        peer.reach_context()
        complain(peer, 20000)
    context.check(process.wait_until(lambda: "more lines are left out" in server.log(), 10),
                  "nothing is left out")
    lines = server.log().count("\n")
    context.check(lines < 2000, f"{lines} lines")


@test("sandbox/log-reader")
def log_reader(context):
    """A log that nobody reads stops nobody"""
    directory = pathlib.Path(context.enter(tempfile.TemporaryDirectory()))
    path = str(directory / "socket")
    reader, writer = os.pipe()
    ready_reader, ready_writer = os.pipe()
    server = subprocess.Popen(
        [build_path() / "server" / "viaduct-server", "--socket", path, "--ready-fd",
         str(ready_writer), "--log-lines", "0", *setting.as_root()],
        stderr=writer, pass_fds=[ready_writer], env=native_environment())
    context.at_end(server.wait)
    context.at_end(server.terminate)
    os.close(writer)
    os.close(ready_writer)
    os.read(ready_reader, 1)
    os.close(ready_reader)
    context.at_end(lambda: os.close(reader))
    with wire.Peer(path) as peer:
        peer.reach_context()
        complain(peer, 4000)
    with Client(path) as client:
        client.begin()
        client.open_instance()
    # Whoever reads again learns that something is missing.
    said = b""
    with wire.Peer(path) as peer:
        peer.reach_context()
        deadline = time.monotonic() + 10
        while b"lines were lost" not in said and time.monotonic() < deadline:
            if select.select([reader], [], [], 0.2)[0]:
                said += os.read(reader, 65536)
            else:
                complain(peer, 50)
    context.check(b"lines were lost" in said, "it does not say that lines were lost")
