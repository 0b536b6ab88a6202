# SPDX-License-Identifier: MIT
"""The server as a service: sockets that systemd hands over, what it is told, and the units."""

import os
import pathlib
import signal
import socket
import tempfile

from harness import build_path, process, setting, test


def server_command(*options):
    return [build_path() / "server" / "viaduct-server", *setting.as_root(), *options]


def server_environment(**more):
    return {**setting.clean_environment(), "VK_DRIVER_FILES": str(setting.lavapipe()), **more}


def activated(context, path, *options, **variables):
    """systemd's own program listens, and starts the server for the first client."""
    command = ["systemd-socket-activate", "--listen", path]
    for name, value in server_environment(**variables).items():
        command += ["--setenv", f"{name}={value}"]
    started = context.start([*command, *server_command(*options)], server_environment(), "service")
    context.check(process.wait_until(lambda: os.path.exists(path), 10), "nobody listens")
    return started


def short_folder(context):
    """A socket's path has to fit into 107 bytes."""
    return pathlib.Path(context.enter(tempfile.TemporaryDirectory(prefix="viaduct-test-")))


def client_environment(path):
    return {**setting.clean_environment(), "VTEST_SOCKET_NAME": str(path),
            "VK_DRIVER_FILES": str(setting.manifest(build_path()))}


@test("service/socket", seconds=60)
def handed_over(context):
    """The socket of a service manager is served, the manager is told, and its file is not removed"""
    folder = short_folder(context)
    path = folder / "handed"
    manager = context.enter(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    manager.bind(str(folder / "manager"))
    manager.settimeout(10)
    service = activated(context, path, NOTIFY_SOCKET=str(folder / "manager"))
    context.succeed([build_path() / "tests" / "compute"], client_environment(path))
    context.check(manager.recv(100) == b"READY=1", "the manager is not told that it is ready")
    service.send(signal.SIGTERM)
    context.check(service.wait(10) and service.result().status == 0, f"it ended with {service.result().describe()}")
    context.check(manager.recv(100) == b"STOPPING=1", "the manager is not told that it stops")
    context.check(path.is_socket(), "it has removed the manager's socket")
    context.check(f"listens at {path}" in service.err(), "it does not say where it listens")


@test("service/other-socket", seconds=30)
def other_socket(context):
    """A server that is handed one socket and told of another one says so, and ends"""
    folder = short_folder(context)
    path, other = folder / "handed", folder / "other"
    service = activated(context, path, "--socket", other)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        context.check(service.wait(10), "it goes on")
    wanted = f"it was handed a socket at {path}, and is told to listen at {other}"
    context.check(wanted in service.err(), f"it says {service.err()}")


@test("service/no-socket", seconds=30)
def no_socket(context):
    """What is handed over must listen"""
    read, write = os.pipe()
    script = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0'
    result = context.run(["sh", "-c", script, "sh", *server_command()], server_environment(), "no-socket")
    os.close(read)
    os.close(write)
    context.check(result.status == 1 and "does not listen at a path for streams" in result.err, result.err)


@test("service/units", seconds=60)
def units(context):
    """systemd finds nothing wrong with the units"""
    for kind in ("system", "user"):
        folder = context.path / kind
        folder.mkdir()
        for unit in (build_path() / "server" / "systemd" / kind).iterdir():
            if unit.suffix not in (".service", ".socket"):
                continue
            text = unit.read_text(encoding="utf-8")
            installed = next((line.split("=")[1].split()[0] for line in text.splitlines()
                              if line.startswith("ExecStart=")), None)
            if installed:
                context.check(pathlib.Path(installed).name == "viaduct-server", f"{unit.name} starts {installed}")
                text = text.replace(installed, str(build_path() / "server" / "viaduct-server"))
            # An instance of what is a template.
            (folder / unit.name.replace("@.", "@test.")).write_text(text, encoding="utf-8")
        result = context.run(["systemd-analyze", "verify", f"--{kind}", "--man=no",
                              *sorted(folder.iterdir())], {**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:",
                               "XDG_RUNTIME_DIR": str(context.path)}, kind)
        context.check(result.status == 0 and str(folder) not in result.err,
                      f"{kind}: {result.describe()}: {result.err}")
