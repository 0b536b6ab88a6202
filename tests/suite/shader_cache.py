# SPDX-License-Identifier: MIT
"""What drivers compile for themselves: workers find it, and leave nothing for each other."""

import ctypes
import hashlib
import os
import pathlib
import struct

from harness import Server, build_path, native_environment, process, setting, test
from harness.records import Client

from .sandbox import REFUSED, attempt

IN_ACCESS = 0x1
EVENT_SIZE = 16  # of struct inotify_event, for a file, which has no name behind it


class Reads:
    """Context manager: how often somebody reads a file, from now on."""

    def __init__(self, path):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_NONBLOCK)
        if libc.inotify_add_watch(self.fd, os.fsencode(path), IN_ACCESS) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def count(self):
        """Since it was asked last. Reads one behind the other may count once."""
        count = 0
        while True:
            try:
                events = os.read(self.fd, 65536)
            except BlockingIOError:
                return count
            for at in range(0, len(events), EVENT_SIZE):
                count += struct.unpack_from("i", events, at)[0] > 0


def serve(context, folder, *options, **more):
    """A server with a cache in this folder, once it has compiled."""
    if not setting.host_driver_is_lavapipe():
        context.skip("the driver is not Mesa's")
    server = context.enter(Server(context, "--shader-cache", folder, *options, level="debug", **more))
    if "DEGRADED: the sandbox lacks Landlock" in server.log():
        context.skip("the kernel has no Landlock")
    context.check(process.wait_until(lambda: "the cache of shaders is ready" in server.log(), 30),
                  "nothing is compiled ahead")
    return server


def entries(folder):
    """The file with what workers read."""
    found = list((folder / "v1" / "workers").rglob("server.foz"))
    return found[0] if len(found) == 1 else None


def contents(folder):
    """Of each file and link, a word that says whether it has changed."""
    return {str(path): os.readlink(path) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*") if path.is_symlink() or path.is_file()}


@test("shader-cache/found")
def found(context):
    """A device of a second client finds what the server has compiled; so does one of the next server, at once"""
    folder = context.path / "cache"
    server = serve(context, folder)
    for number in (1, 2):
        with Reads(entries(folder)) as reads, Client(server.socket) as client:
            client.begin()
            client.open_instance()
            context.check(reads.count() == 0, "something reads the entries before there is a device")
            client.open_device_of_instance()
            count = reads.count()
            context.note(f"client {number}: {count} reads")
            context.check(count > 0, f"client {number} finds nothing")
    server.stop()
    with Reads(entries(folder)) as reads:
        following = context.enter(Server(context, "--shader-cache", folder))
        with Client(following.socket) as client:
            client.begin()
            client.open_device()
            context.check(reads.count() > 0, "a client of the next server finds nothing")


@test("shader-cache/private")
def private(context):
    """What clients compile is on no disk and in no other worker, and what they are given can not be changed"""
    folder = context.path / "cache"
    server = serve(context, folder)
    before = contents(folder)
    context.check(before, "there is no cache")
    for _ in range(2):
        context.succeed([build_path() / "tests" / "compute"], server.client_environment())
    context.check(contents(folder) == before, "clients have changed it")
    with Client(server.socket) as one, Client(server.socket) as other:
        files = []
        for client in (one, other):
            client.begin()
            client.open_device()
        workers = server.workers()
        context.check(len(workers) == 2, f"there are {len(workers)} workers")
        for worker in workers if os.geteuid() == 0 else ():
            opened = [pathlib.Path(path) for path in pathlib.Path(f"/proc/{worker}/fd").iterdir()]
            written = [path for path in opened if "memfd:shader-cache" in os.readlink(path)]
            context.check(len(written) > 2, "the driver does not use the worker's own memory")
            context.check(sum({os.stat(path).st_ino: os.stat(path).st_blocks for path in written}.values()) < 200,
                          "what nobody has written takes memory")
            files.append({os.stat(path).st_ino for path in written})
        context.check(not files or not files[0] & files[1], "two workers share memory")


@test("shader-cache/border", seconds=90)
def border(context):
    """A driver that was taken over reads the cache, and writes nothing there, no file and no new one"""
    folder = context.path / "cache"
    serve(context, folder).stop()
    file = folder / "v1" / "workers" / "a file"
    for name in ("read", "write", "create"):
        said, stopped = attempt(context, name, "on", file, options=("--shader-cache", folder))
        if name == "read":
            context.check(said == "out", f"it can not be read: {said or stopped}")
        else:
            context.check(said is not None and said.startswith(REFUSED), f"{name}: {said or stopped}")
    said, stopped = attempt(context, "read", "on", folder / "v1" / "server" / "a file",
                            options=("--shader-cache", folder))
    context.check(said is not None and said.startswith(REFUSED),
                  f"what the server writes can be read: {said or stopped}")


@test("shader-cache/none")
def none(context):
    """Without the sandbox, Landlock or a folder of its own there is no cache, and nothing is written"""
    home = context.path / "home"
    home.mkdir()
    environment = native_environment(HOME=home, XDG_CACHE_HOME=home / "cache")
    others = context.path / "others"
    others.mkdir()
    others.chmod(0o777)
    for options, said in ((["--sandbox=off"], None), (["--shader-cache", "-"], None),
                          (["--shader-cache", others], f"no cache of shaders: {others}: ")):
        server = context.enter(Server(context, *options, environment=environment))
        context.succeed([build_path() / "tests" / "compute"], server.client_environment())
        server.stop()
        context.check("shader cache" not in server.log(), f"{options}: a driver complains")
        if said:
            context.check(said in server.log(), "the log does not say why")
    left = [str(path) for path in (*home.rglob("*"), *others.rglob("*"))]
    context.check(not left, f"it has written {left}")
