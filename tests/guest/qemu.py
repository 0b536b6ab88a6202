# SPDX-License-Identifier: MIT
"""QEMU: whether it is there, its command line, and its monitor."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess

from . import CACHE, Missing

QEMU = "qemu-system-x86_64"
QEMU_MIN = 10

# The guest's ways to us, one virtio-serial port each.
PORTS = ["out", "err", "status", "control"]


def check():
    """Raises Missing if there is no QEMU that can do it."""
    path = shutil.which(QEMU)
    if not path:
        raise Missing(f"{QEMU} is not installed; scripts/setup does that")
    version = subprocess.run([path, "--version"], check=True, stdout=subprocess.PIPE, text=True)
    number = int(re.search(r"version (\d+)", version.stdout).group(1))
    if number < QEMU_MIN:
        raise Missing(
            f"QEMU {number} is too old: {QEMU_MIN} is needed (Debian 12: from backports)")


def kvm_works(vmlinuz, initramfs):
    """Whether a guest gets anywhere with KVM: /dev/kvm may be there and still hang it."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    remembered = CACHE / "kvm"
    boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    with contextlib.suppress(OSError, ValueError):
        known_boot, answer = remembered.read_text(encoding="ascii").split()
        if known_boot == boot:
            return answer == "yes"
    command = [QEMU, "-accel", "kvm", "-cpu", "host", "-m", "256M", "-machine", "q35",
               "-nodefaults", "-display", "none", "-no-reboot", "-kernel", vmlinuz, "-initrd",
               initramfs, "-append", "quiet panic=-1 viaduct.probe"]
    try:
        works = subprocess.run(command, check=False, timeout=15, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except subprocess.TimeoutExpired:
        works = False
    remembered.write_text(f"{boot} {'yes' if works else 'no'}\n", encoding="ascii")
    return works


def displays(display, size):
    """The arguments for what the guest shows things on."""
    resolution = ",xres={},yres={}".format(*size.split("x")) if size else ""
    if display == "qemu":
        return ["-device", "virtio-vga,id=display" + resolution,
                "-device", "vhost-user-gpu-pci,chardev=vgpu"]
    return ["-device", "vhost-user-gpu-pci,chardev=vgpu,id=display" + resolution]


def command_line(options, boot, run, gpu, scratch):
    """For the kernel and the initramfs of `boot` (vmlinuz, modules, initramfs), the script `run`, and
    the server's socket `gpu`. Sockets of QMP and PORTS are in `scratch`."""
    vmlinuz, modules, initramfs = boot
    accel = options.accel
    if accel == "auto":
        accel = "kvm" if kvm_works(vmlinuz, initramfs) else "tcg"
    command = [
        QEMU, "-accel", accel, "-cpu", "host" if accel == "kvm" else "max",
        "-m", options.memory, "-smp", options.cpus,
        "-object", f"memory-backend-memfd,id=mem,size={options.memory},share=on",
        "-machine", "q35,memory-backend=mem", "-nodefaults", "-vga", "none", "-display", "none",
        "-no-reboot", "-serial", f"file:{options.logs / 'console.log'}",
        "-qmp", f"unix:{scratch / 'qmp'},server=on,wait=off",
        "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap",
        "-device", "virtio-serial-pci",
        "-chardev", f"socket,id=vgpu,path={gpu}",
        *displays(options.display, options.size),
        "-device", "virtio-mouse-pci", "-device", "virtio-keyboard-pci",
        "-kernel", vmlinuz, "-initrd", initramfs,
        "-append", f"console=ttyS0 quiet loglevel=4 panic=-1 viaduct.run={run} "
        f"viaduct.modules={modules} {options.append}",
    ]
    for name in PORTS:
        command += ["-chardev", f"socket,id={name},path={scratch / name}",
                    "-device", f"virtserialport,chardev={name},name={name}"]
    return [str(word) for word in command + options.qemu]


class Qmp:
    """QEMU's monitor."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self.command("qmp_capabilities")

    def command(self, name, **arguments):
        """The answer, as QEMU gives it."""
        self.file.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline() or '{"error": {"desc": "QEMU is gone"}}')
            if "return" in answer or "error" in answer:
                return answer

    def attempt(self, name, **arguments):
        """Nothing, or what was wrong."""
        answer = self.command(name, **arguments)
        return "" if "return" in answer else answer["error"]["desc"]
