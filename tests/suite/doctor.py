# SPDX-License-Identifier: MIT
"""viaduct doctor, and what the driver tells it."""

import os
import socket
import sys
import tempfile

from harness import Server, clean_environment, manifest, test

# Loads the driver as the doctor does, and prints each word with what it is about.
ASK = """
import ctypes, json, pathlib, sys
manifest = pathlib.Path(sys.argv[1])
path = manifest.parent / json.loads(manifest.read_text())["ICD"]["library_path"]
listener = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *3 * [ctypes.c_char_p])
say = listener(lambda _, *words: print(*(word.decode() for word in words), sep="|", flush=True))
ctypes.CDLL(str(path)).viaduct_diagnose(say, None)
"""


def short_folder(context):
    return context.enter(tempfile.TemporaryDirectory(prefix="viaduct-test-"))


def words(context, **variables):
    """{word: (about, text)} of what the driver says."""
    result = context.succeed([sys.executable, "-c", ASK, manifest()],
                             clean_environment(VIADUCT_TRANSPORT="vtest", **variables), "driver")
    return {word: (about, text) for word, about, text in
            (line.split("|", 2) for line in result.out.splitlines())}


def listener(context, path):
    """A socket where somebody listens who is not Viaduct."""
    found = context.enter(socket.socket(socket.AF_UNIX))
    found.bind(path)
    found.listen(1)
    return found


@test("doctor/words")
def driver_words(context):
    """What the driver tells the doctor: that it reached a server, or why not"""
    server = context.enter(Server(context))
    said = words(context, VTEST_SOCKET_NAME=server.socket)
    for word in ("driver", "host-pages", "reached", "device", "device-memory"):
        context.check(word in said, f"with a server it does not say {word}: {said}")
    context.check(said["reached"][0] == "vtest", f"it reached {said['reached']}")
    folder = short_folder(context)
    silent, stale = os.path.join(folder, "silent"), os.path.join(folder, "stale")
    listener(context, silent)
    listener(context, stale).close()
    for path, word in ((silent, "socket-silent"), (stale, "socket-stale"),
                       (os.path.join(folder, "none"), "socket-absent"),
                       (folder + "x" * 200, "socket-long")):
        said = words(context, VTEST_SOCKET_NAME=path)
        context.check(said.get(word, ("",))[0] == path, f"not {word} about {path}: {said}")
        context.check("reached" not in said, "it reached something")
    said = words(context, VTEST_SOCKET_NAME=server.socket, VIADUCT_TEST_PROTOCOL_VERSION="77")
    context.check("socket-version" in said, f"another version: {said}")
