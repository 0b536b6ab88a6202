# SPDX-License-Identifier: MIT
"""What drivers compile for themselves: workers find it, and leave nothing for each other."""

import ctypes
import fcntl
import hashlib
import os
import pathlib
import pwd
import shutil
import signal
import struct
import tempfile
import time

from harness import Failure, Server, build_path, native_environment, process, setting, test
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


READY = "the cache of shaders is ready"


def own_folder(context):
    """A folder that nobody else can replace, as the one of the tests may be."""
    return pathlib.Path(context.enter(tempfile.TemporaryDirectory(prefix="viaduct-test-"))) / "cache"


def begin(context, folder, *options, **more):
    """A server with a cache in this folder, which it will compile."""
    if not setting.host_driver_is_lavapipe():
        context.skip("the driver is not Mesa's")
    server = context.enter(Server(context, "--shader-cache", folder, *options, level="debug", **more))
    if "DEGRADED: the sandbox lacks Landlock" in server.log():
        context.skip("the kernel has no Landlock")
    return server


def says(server, text):
    return process.wait_until(lambda: text in server.log(), 30)


def serve(context, folder, *options, **more):
    """The same, once it has."""
    server = begin(context, folder, *options, **more)
    context.check(says(server, READY), "nothing is compiled ahead")
    return server


def entries(folder):
    """The file with what workers read."""
    found = list((folder / "v1" / "workers").rglob("server.foz"))
    return found[0] if len(found) == 1 else None


def contents(folder):
    """Of each file and link, a word that says whether it has changed."""
    return {str(path): os.readlink(path) if path.is_symlink() else
            f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
            for path in folder.rglob("*") if path.is_symlink() or path.is_file()}


class Compiler:
    """Context manager: another server's compiler is at work in this folder."""

    def __init__(self, folder):
        self.path = folder / "v1" / "lock"

    def __enter__(self):
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.file = open(self.path, "w", encoding="utf-8")
        fcntl.flock(self.file, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_):
        self.file.close()


def compiler_of(server):
    """The process id of the server's compiler, which waits for another one; None: there is none."""
    return next((pid for pid in process.children(server.pid) if process.name(pid) == "viaduct-shaders"), None)


@test("shader-cache/found")
def found(context):
    """A device of a second client finds what the server has compiled; so does one of the next server, at once"""
    folder = own_folder(context)
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
    folder = own_folder(context)
    ignored = {"MESA_SHADER_CACHE_MAX_SIZE": "1K", "MESA_SHADER_CACHE_SHOW_STATS": "true"}
    server = serve(context, folder, environment=native_environment(**ignored))
    before = contents(folder)
    context.check(before, "there is no cache")
    for path in (folder / "v1" / "workers").rglob("server*.foz"):
        context.check(path.stat().st_mode & 0o7777 == 0o400, f"{path} is not only to read")
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
        if os.geteuid() != 0:
            context.skip("only root can see what a worker has opened")
        for worker in workers:
            variables = pathlib.Path(f"/proc/{worker}/environ").read_bytes().decode()
            context.check(not any(name in variables for name in ignored), "Mesa is told more about its cache")
            opened = [pathlib.Path(path) for path in pathlib.Path(f"/proc/{worker}/fd").iterdir()]
            written = [path for path in opened if "memfd:shader-cache" in os.readlink(path)]
            context.check(len(written) > 2, "the driver does not use the worker's own memory")
            context.check(sum({os.stat(path).st_ino: os.stat(path).st_blocks for path in written}.values()) < 200,
                          "what nobody has written takes memory")
            files.append({os.stat(path).st_ino for path in written})
            index, = {os.stat(path).st_ino: path for path in written
                      if "shader-cache-index" in os.readlink(path)}.values()
            with open(index, "r+b") as file:
                for size in (0, os.stat(index).st_size + 1):
                    try:
                        file.truncate(size)
                        raise Failure(f"the index can become {size} bytes long")
                    except PermissionError:
                        pass
        context.check(not files[0] & files[1], "two workers share memory")


@test("shader-cache/repair", seconds=120)
def repair(context):
    """What a compiler has left half done, or somebody has damaged, the next server mends"""
    folder = own_folder(context)
    serve(context, folder).stop()
    workers = folder / "v1" / "workers"
    device = entries(folder).parent
    whole = contents(workers)

    def replace(name, data):
        os.unlink(device / name)
        (device / name).write_bytes(data)

    def wrong_link():
        os.unlink(device / "index")
        os.symlink("/proc/self/fd/3", device / "index")

    def without_links():
        for name in ("foz_cache.foz", "foz_cache_idx.foz", "index"):
            os.unlink(device / name)

    def begun():
        shutil.rmtree(workers)
        (workers / device.relative_to(workers).parts[0]).mkdir(mode=0o700, parents=True)

    def half_written():
        (device / ".new").write_bytes(b"half")
        os.unlink(device / "server.foz")

    size = (device / "server.foz").stat().st_size
    for damage in (wrong_link, without_links, half_written, begun,
                   lambda: (device / "server.foz").chmod(0o600),
                   lambda: replace("server.foz", b"short"),
                   lambda: replace("server.foz", bytes(size))):
        damage()
        context.check(contents(workers) != whole, "nothing is damaged")
        server = begin(context, folder)
        if damage == begun:
            context.succeed([build_path() / "tests" / "compute"], server.client_environment())
        context.check(says(server, READY), "it does not get ready")
        server.stop()
        context.check(contents(workers) == whole, f"{damage.__name__}: there is {contents(workers)}, not {whole}")
        context.check("shader cache" not in server.log(), f"{damage.__name__}: a driver complains")
    server = serve(context, folder)
    context.check("there is more for" not in server.log(), "what is whole is written again")


@test("shader-cache/alone", seconds=60)
def alone(context):
    """Servers of one user compile one after the other; one that waits can end"""
    folder = own_folder(context)
    with Compiler(folder):
        server, ending = begin(context, folder), begin(context, folder)
        for one in (server, ending):
            context.check(process.wait_until(lambda one=one: compiler_of(one), 30), "there is no compiler")
        time.sleep(1)
        context.check(READY not in server.log() and not entries(folder), "it does not wait")
        context.check(ending.stop() == 0, "one that waits does not end")
        context.check("the compiler of shaders" not in ending.log(), f"that is no failure: {ending.log()}")
    context.check(says(server, READY) and entries(folder), "it waits for ever")


@test("shader-cache/failure", seconds=60)
def failure(context):
    """A compiler that fails or is ended is said in the log, and nothing is ready then"""
    folder = own_folder(context)
    with Compiler(folder):
        server = begin(context, folder)
        context.check(process.wait_until(lambda: compiler_of(server), 30), "there is no compiler")
        os.kill(compiler_of(server), signal.SIGTERM)
        context.check(says(server, "the compiler of shaders failed with status 143"), "an end is not said")
    server.stop()
    context.check(READY not in server.log(), "it is ready all the same")
    (folder / "v1" / "workers").chmod(0o500)
    server = begin(context, folder)
    context.check(says(server, "the compiler of shaders failed with status 1"), "a failure is not said")
    context.check("no cache of shaders: Permission denied" in server.log(), "it does not say why")
    context.check(READY not in server.log(), "it is ready all the same")


@test("shader-cache/border", seconds=90)
def border(context):
    """A driver that was taken over reads the cache, and writes nothing there, no file and no new one"""
    folder = own_folder(context)
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


@test("shader-cache/none", seconds=90)
def none(context):
    """Without the sandbox, Landlock or a folder of its own there is no cache, and nothing is written"""
    home = context.path / "home"
    home.mkdir()
    environment = native_environment(HOME=home, XDG_CACHE_HOME=home / "cache")
    others = own_folder(context)
    others.mkdir()
    others.chmod(0o777)
    link = others.parent / "link"
    link.symlink_to(others)
    too_long = "/tmp" + "/long" * 1000
    refused = "no cache of shaders: Operation not permitted"
    for options, said in ((["--sandbox=off"], None), (["--shader-cache", "-"], None),
                          (["--shader-cache", others], f"{refused}: {others}\n"),
                          (["--shader-cache", others / "a" / "b"], f"{refused}: {others}/a/b\n"),
                          (["--shader-cache", link / "a"], f"{refused}: {link}/a\n"),
                          (["--shader-cache", too_long], "no cache of shaders: File name too long: /tmp/")):
        server = context.enter(Server(context, *options, environment=environment))
        context.succeed([build_path() / "tests" / "compute"], server.client_environment())
        server.stop()
        context.check("shader cache" not in server.log(), f"{options}: a driver complains")
        if said:
            context.check(said in server.log(), "the log does not say why")
    # A driver that works in another way may give the same names to what it compiles.
    narrow = own_folder(context)
    server = context.enter(Server(context, "--shader-cache", narrow,
                                  environment={**environment, "LP_NATIVE_VECTOR_WIDTH": "128"}))
    context.succeed([build_path() / "tests" / "compute"], server.client_environment())
    server.stop()
    context.check(not narrow.exists(), "there is a cache for a driver that was told how to work")
    left = [str(path) for path in (*home.rglob("*"), *others.rglob("*"))]
    context.check(not left, f"it has written {left}")


@test("shader-cache/user", seconds=60)
def user(context):
    """A server that has become another user is at home there; root's writes nothing into others' homes"""
    if os.geteuid() != 0:
        context.skip("only root can become somebody else")
    nobody = pwd.getpwnam("nobody")
    folder = own_folder(context)
    home, roots = folder.parent / "home", folder.parent / "root"
    for path in (home, roots):
        path.mkdir(mode=0o755)
    folder.parent.chmod(0o777)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    variables = {f"XDG_{name}_HOME": roots / name.lower() for name in ("CACHE", "CONFIG", "DATA")}
    server = context.enter(Server(context, "--user", "nobody", socket=str(folder.parent / "socket"),
                                  environment=native_environment(HOME=roots, **variables)))
    with Client(server.socket) as client:
        client.begin()
        worker, = server.workers()
        told = pathlib.Path(f"/proc/{worker}/environ").read_bytes().decode().split("\0")
    for variable in (f"HOME={nobody.pw_dir}", "USER=nobody", "LOGNAME=nobody"):
        context.check(variable in told, f"a worker is not told {variable}")
    context.check(not [variable for variable in told if str(roots) in variable], "it is told of root's folders")
    folder.parent.chmod(0o755)
    root = context.enter(Server(context, level="debug",
                                environment=native_environment(HOME=home, XDG_CACHE_HOME="")))
    context.check("no cache of shaders: Operation not permitted" in root.log(), "it does not say that it has none")
    left = [str(path) for path in (*home.rglob("*"), *roots.rglob("*"))]
    context.check(not left, f"it has written {left}")
