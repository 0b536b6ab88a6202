# SPDX-License-Identifier: MIT
"""Containers, made by bubblewrap."""

import json
import pathlib
import re
import shutil
import subprocess

from . import setting

INSIDE = pathlib.PurePosixPath("/viaduct")
SOCKET = INSIDE / "socket"
LIBRARY = INSIDE / "libvulkan_viaduct.so"


def isolated(context):
    """The beginning of a command line that shares nothing with the host. Skips where that is forbidden."""
    from .framework import Failure
    bwrap = shutil.which("bwrap")
    if not bwrap:
        raise Failure("bwrap is not installed; scripts/setup does that")
    probe = context.run([bwrap, "--unshare-all", "--ro-bind", "/", "/", "true"],
                        setting.clean_environment(), "probe")
    if probe.status != 0:
        context.skip(f"no containers here: {probe.err.strip() or probe.describe()}")
    return [bwrap, "--unshare-all", "--die-with-parent", "--clearenv", "--new-session"]


def driver(context, build=None):
    """Options that put the ICD and its manifest inside, where loaders look for it."""
    manifest = setting.manifest(build)
    description = json.loads(manifest.read_text(encoding="utf-8"))
    library = manifest.parent / description["ICD"]["library_path"]
    description["ICD"]["library_path"] = str(LIBRARY)
    inside = context.path / "icd.json"
    inside.write_text(json.dumps(description), encoding="utf-8")
    return ["--ro-bind", library, LIBRARY,
            "--ro-bind", inside, "/usr/share/vulkan/icd.d/viaduct.json"]


def server_socket(server):
    """Options that put a server's socket inside."""
    return ["--bind", server.socket, SOCKET]


def needed(path):
    """What a library or program names as the libraries that it cannot do without."""
    text = subprocess.run([setting.tool("readelf"), "-d", path], check=True, capture_output=True,
                          text=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", text)


def linked(program):
    """The libraries that a program loads at its start, and what loads them, by their paths."""
    header = subprocess.run([setting.tool("readelf"), "-l", program], check=True,
                            capture_output=True, text=True).stdout
    interpreter = re.search(r"program interpreter: (.*)\]", header).group(1)
    text = subprocess.run([interpreter, "--list", program], check=True, capture_output=True,
                          text=True).stdout
    return [interpreter, *re.findall(r"(/\S+) \(0x", text)]


def files(*programs):
    """Options that put these programs inside, where they are here, with the libraries they link to."""
    found = {str(file) for program in programs for file in (program, *linked(program))}
    return [word for file in sorted(found)
            for word in ("--ro-bind", pathlib.Path(file).resolve(), file)]
