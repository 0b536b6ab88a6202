# SPDX-License-Identifier: MIT
"""A virtual machine that runs one command, and the processes around it."""

import contextlib
import ctypes
import os
import pathlib
import select
import shlex
import signal
import socket
import subprocess
import sys
import time

from . import Failure, kernel, note, qemu
from .control import Control
from .server import Processes

RUN = pathlib.Path(__file__).resolve().parent / "run"
DRIVERS = ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"]


def server_environment():
    """The workers' Vulkan: what the caller says, else Mesa's software driver."""
    environment = dict(os.environ)
    if "VK_DRIVER_FILES" in environment or "VK_ICD_FILENAMES" in environment:
        return environment
    for directory in DRIVERS:
        for path in sorted(pathlib.Path(directory).glob("*.json")):
            if "libvulkan_lvp" in path.read_text(encoding="utf-8", errors="replace"):
                environment["VK_DRIVER_FILES"] = str(path)
                environment["VK_ICD_FILENAMES"] = str(path)
    return environment


def script(options):
    """What the guest runs: where, what, in which environment, and then the rest of it."""
    manifest = sorted((options.build / "icd").glob("viaduct_icd.*.json"))
    if not manifest:
        raise Failure(f"there is no driver in {options.build}: is it built?")
    values = {
        "VK_DRIVER_FILES": manifest[0],
        "VK_ICD_FILENAMES": manifest[0],
        "HOME": "/run/user/0",
        "XDG_RUNTIME_DIR": "/run/user/0",
        "LANG": "C.UTF-8",
        "TMPDIR": "/run",
    }
    for assignment in options.env:
        name, _, value = assignment.partition("=")
        values[name] = value
    exports = [f"    export {name}={shlex.quote(str(value))}" for name, value in values.items()]
    return "\n".join([
        f"directory={shlex.quote(str(options.directory))}",
        f"command={shlex.quote(options.command)}",
        "set_environment() {", *exports, "}",
        f". {shlex.quote(str(RUN))}", ""])


def listen(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)
    return listener


def die_with_parent():
    """For a child: ends with us, however we end."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Machine:
    """`options` are those of scripts/guest; `scratch` is a folder with a short path, which the guest
    sees, for it has all of our root."""

    def __init__(self, options, scratch):
        self.options = options
        self.scratch = scratch
        self.started = []
        self.server = 0  # process id; 0: one that is not ours
        self.qmp = None
        self.ports = {}

    def start(self, command, environment, log):
        with open(log, "wb") as output:
            process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                                       stdout=output, stderr=output, preexec_fn=die_with_parent)
        self.started.append(process)
        return process

    def stop(self):
        if self.qmp:
            with contextlib.suppress(OSError, ValueError):
                self.qmp.command("quit")
        for process in reversed(self.started):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5 if self.qmp and process.pid != self.server else 0)
            process.terminate()
        for process in self.started:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()

    def start_server(self):
        """The path of its socket."""
        options = self.options
        if options.server:
            return options.server.resolve()
        path = self.scratch / "gpu"
        log = options.logs / "server.log"
        self.server = self.start(
            [options.build / "server" / "viaduct-server", "--vhost-user", path, "--log-level",
             options.log_level, *(["--allow-root"] if os.geteuid() == 0 else [])],
            server_environment(), log).pid
        deadline = time.monotonic() + 10
        while not path.exists():
            if time.monotonic() > deadline:
                raise Failure("viaduct-server does not start:\n" + log.read_text(encoding="utf-8"))
            time.sleep(0.02)
        return path

    def boot(self):
        options = self.options
        vmlinuz, modules = kernel.get(options.kernel)
        initramfs = kernel.get_initramfs(options.kernel, modules)
        run = self.scratch / "run"
        run.write_text(script(options), encoding="utf-8")
        listeners = {name: listen(self.scratch / name) for name in qemu.PORTS}
        gpu = self.start_server()
        log = options.logs / "qemu.log"
        self.start(qemu.command_line(options, (vmlinuz, modules, initramfs), run, gpu,
                                     self.scratch), dict(os.environ), log)
        for name, listener in listeners.items():
            listener.settimeout(30)
            try:
                self.ports[name] = listener.accept()[0]
            except socket.timeout as error:
                raise Failure("QEMU does not start:\n" +
                              log.read_text(encoding="utf-8", errors="replace")) from error
        self.qmp = qemu.Qmp(self.scratch / "qmp")

    def serve(self):
        """Until the command has ended; returns its status."""
        control = Control(self.options.directory, self.qmp, Processes(self.server))
        deadline = time.monotonic() + self.options.timeout
        names = {port: name for name, port in self.ports.items()}
        outputs = {"out": sys.stdout.buffer, "err": sys.stderr.buffer}
        lines = {"status": b"", "control": b""}
        while True:
            left = deadline - time.monotonic()
            readable = select.select(list(names), [], [], max(0, left))[0] if left > 0 else []
            if not readable:
                self.complain(f"the command did not end within {self.options.timeout} s")
                return 124
            for port in sorted(readable, key=lambda port: names[port] == "status"):
                name = names[port]
                data = port.recv(65536)
                if not data:
                    self.complain("the guest has ended without a status")
                    return 125
                if name in outputs:
                    outputs[name].write(data)
                    outputs[name].flush()
                    continue
                lines[name] += data
                while b"\n" in lines[name]:
                    line, _, lines[name] = lines[name].partition(b"\n")
                    if name == "status":
                        self.drain(outputs)
                        return int(line)
                    answer = control.handle(line)
                    if answer:
                        port.sendall(answer.encode() + b"\n")

    def drain(self, outputs):
        for name, output in outputs.items():
            while select.select([self.ports[name]], [], [], 0.05)[0]:
                data = self.ports[name].recv(65536)
                if not data:
                    break
                output.write(data)
            output.flush()

    def complain(self, text):
        note(text)
        console = (self.options.logs / "console.log").read_text(encoding="utf-8", errors="replace")
        for line in console.splitlines()[-15:]:
            note(f"console: {line}")
