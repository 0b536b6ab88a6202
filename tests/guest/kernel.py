# SPDX-License-Identifier: MIT
"""Debian's kernels, kept in build/guest, and initramfs images for them."""

import gzip
import hashlib
import lzma
import os
import pathlib
import re
import shutil
import subprocess

from . import CACHE, Missing, note

INIT = pathlib.Path(__file__).resolve().parent / "init"

# In the order in which they are loaded, with what they need; those that are built in do not count.
MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console"]


def package(series):
    """The newest linux-image package of this series that apt knows."""
    names = subprocess.run(["apt-cache", "pkgnames", f"linux-image-{series}."], check=False,
                           stdout=subprocess.PIPE, text=True).stdout.split()
    wanted = re.compile(
        rf"linux-image-{re.escape(series)}\.[0-9.]+(-\d+)?(\+deb\d+(\.\d+)?)?-amd64")
    found = [name for name in names if wanted.fullmatch(name)]
    if not found:
        raise Missing(f"apt knows no kernel {series} (Debian's linux-image-{series}.*-amd64); "
                      "is bookworm-backports configured?")
    return max(found, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])


def modules_in(place):
    inside = place / "usr" / "lib" / "modules"
    return inside if inside.exists() else place / "lib" / "modules"


def download(series, place):
    name = package(series)
    note(f"gets {name}")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    result = subprocess.run(["apt-get", "-qq", "download", name], cwd=place, check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    archives = list(place.glob("*.deb"))
    if result.returncode != 0 or not archives:
        raise Missing(f"apt-get download {name} failed: {result.stdout.strip()}")
    subprocess.run(["dpkg-deb", "-x", archives[0], place], check=True)
    archives[0].unlink()
    for modules in modules_in(place).glob("*"):
        subprocess.run(["depmod", "-b", modules.parent.parent.parent, modules.name], check=True)
    (place / "complete").touch()


def get(series):
    """The paths of vmlinuz and of the folder of modules."""
    place = CACHE / f"kernel-{series}"
    if not (place / "complete").exists():
        download(series, place)
    vmlinuz = next((place / "boot").glob("vmlinuz-*"))
    modules = next(modules_in(place).glob("*"))
    return vmlinuz, modules


# ---- The initramfs


def module_files(modules):
    """Paths of the modules that the initramfs loads, in order."""
    files = []
    for name in MODULES:
        shown = subprocess.run(
            ["modprobe", "-d", modules.parent.parent.parent, "-S", modules.name, "--show-depends",
             name], check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in shown.stdout.splitlines():
            words = line.split()
            if words[0] == "insmod" and words[1] not in files:
                files.append(words[1])
    return files


def is_static(path):
    """Whether an ELF file names no interpreter."""
    return b"/lib64/ld-linux" not in pathlib.Path(path).read_bytes()[:65536]


class Archive:
    """A cpio archive, as the kernel reads it."""

    def __init__(self):
        self.data = b""
        self.count = 0

    def add(self, name, mode, content=b""):
        self.count += 1
        encoded = name.encode() + b"\0"
        fields = (self.count, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
        entry = b"070701" + "".join(f"{value:08x}" for value in fields).encode() + encoded
        entry += b"\0" * (-len(entry) % 4)
        self.data += entry + content + b"\0" * (-len(content) % 4)


def pack(busybox, modules):
    archive = Archive()
    for name in ("bin", "modules", "proc", "sys", "dev"):
        archive.add(name, 0o040755)
    archive.add("bin/busybox", 0o100755, pathlib.Path(busybox).read_bytes())
    archive.add("init", 0o100755, INIT.read_bytes())
    order = ""
    for file in module_files(modules):
        content = pathlib.Path(file).read_bytes()
        name = pathlib.Path(file).name
        if name.endswith(".xz"):
            content = lzma.decompress(content)
            name = name[:-3]
        archive.add(f"modules/{name}", 0o100644, content)
        order += name + "\n"
    archive.add("modules/order", 0o100644, order.encode())
    archive.add("TRAILER!!!", 0)
    return archive.data


def get_initramfs(series, modules):
    """The path of an image that mounts this machine's root and runs a script of it."""
    busybox = shutil.which("busybox")
    if not busybox or not is_static(busybox):
        raise Missing("busybox-static is not installed")
    key = hashlib.sha256(INIT.read_bytes() + repr(MODULES).encode() + modules.name.encode())
    image = CACHE / f"initramfs-{series}-{key.hexdigest()[:16]}.gz"
    if not image.exists():
        partial = image.with_suffix(f".{os.getpid()}")
        partial.write_bytes(gzip.compress(pack(busybox, modules), 1))
        partial.rename(image)
    return image
