# SPDX-License-Identifier: MIT
"""What a user may not get from a program that has more rights: files, sockets, output."""

import os
import shutil
import stat
import tempfile

from harness import Server, build_path, clean_environment, process, test

NOBODY = 65534


def library():
    return build_path() / "icd" / "libvulkan_viaduct.so"


def only_root(context):
    if os.geteuid() != 0:
        context.skip("only root can make programs of other users")


def public_folder(context):
    """A folder of everybody's, with the programs that others have to be able to read."""
    folder = context.enter(tempfile.TemporaryDirectory(prefix="viaduct-test-"))
    os.chmod(folder, 0o755)
    for path in (build_path() / "tests" / "driver", library()):
        shutil.copy(path, folder)
    os.mkdir(f"{folder}/out")
    os.chmod(f"{folder}/out", 0o777)
    return folder


@test("rights/set-uid", seconds=60)
def set_uid(context):
    """In a set-uid program no variable chooses a socket, writes a file or makes the driver talk"""
    only_root(context)
    folder = public_folder(context)
    if os.statvfs(folder).f_flag & os.ST_NOSUID:
        context.skip(f"{folder} does not take set-uid programs")
    server = context.enter(Server(context))
    os.chmod(os.path.dirname(server.socket), 0o755)
    os.chmod(server.socket, 0o777)
    command = [f"{folder}/driver", f"{folder}/libvulkan_viaduct.so", "1"]
    environment = server.client_environment(VIADUCT_DEBUG="1,stats", VIADUCT_WSI="noshm",
                                            VIADUCT_TRACE=f"{folder}/out/trace",
                                            VIADUCT_TRANSPORT="vtest")
    # First without, to see that each of them does something.
    plain = context.run(command, environment)
    context.check(plain.status == 0, f"without set-uid it gives {plain.describe()}")
    context.check("viaduct: connected" in plain.err and "stats" in plain.err, "it does not talk")
    written = os.listdir(f"{folder}/out")
    context.check(len(written) == 1, f"it writes {written} instead of a trace")
    os.remove(f"{folder}/out/{written[0]}")
    clients = server.log().count("(driver)")
    context.check(clients, f"the server has not noticed: {server.log()}")

    os.chown(command[0], NOBODY, NOBODY)
    os.chmod(command[0], 0o4755)
    raised = context.run(command, environment)
    context.check(raised.status != 0, "it has found the server that the user named")
    context.check("viaduct:" not in raised.err, f"it talks: {raised.err}")
    context.check(not os.listdir(f"{folder}/out"), f"it writes {os.listdir(f'{folder}/out')}")
    context.check(server.log().count("(driver)") == clients, "it was a client of the user's server")


@test("rights/trace", seconds=60)
def trace_files(context):
    """A trace goes to a file that was not there before: no link is followed, and nothing overwritten"""
    folder = context.enter(tempfile.TemporaryDirectory(prefix="viaduct-test-"))
    server = context.enter(Server(context))
    victim = f"{folder}/victim"
    plants = {
        "a link": f"ln -s {victim} $F",
        "a link to nothing": f"ln -s {folder}/nothing $F",
        "a hard link": f"ln {victim} $F",
        "a file": "echo mine >$F",
        "a pipe": "mkfifo $F",
    }
    for number, (what, plant) in enumerate(plants.items()):
        with open(victim, "w", encoding="utf-8") as file:
            file.write("precious\n")
        prefix = f"{folder}/trace{number}"
        script = f"F={prefix}-client-$$.json; {plant}; exec {build_path()}/tests/driver {library()} 1"
        context.succeed(["/bin/sh", "-c", script],
                        server.client_environment(VIADUCT_TRACE=prefix))
        with open(victim, encoding="utf-8") as file:
            context.check(file.read() == "precious\n", f"{what} was written to")
        context.check(not os.path.exists(f"{folder}/nothing"), f"{what} was followed")
        names = sorted(name for name in os.listdir(folder) if name.startswith(f"trace{number}-"))
        context.check(len(names) == 2 and names[0].endswith("-2.json"),
                      f"beside {what} lies no trace: {names}")
        if what == "a file":
            with open(f"{folder}/{names[1]}", encoding="utf-8") as file:
                context.check(file.read() == "mine\n", "a file was overwritten")


@test("rights/default-socket", seconds=60)
def default_socket(context):
    """Where no socket is named, one is only looked for, and made, where nobody else can put one"""
    only_root(context)
    folder = public_folder(context)
    shutil.copy(build_path() / "server" / "viaduct-server", folder)
    as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    client = [*as_nobody, f"{folder}/driver", f"{folder}/libvulkan_viaduct.so", "1"]

    def runtime(name, owner=NOBODY, mode=0o700):
        path = f"{folder}/{name}"
        os.mkdir(path)
        os.chown(path, owner, owner)
        os.chmod(path, mode)
        return path, clean_environment(XDG_RUNTIME_DIR=path, VIADUCT_DEBUG="1")

    # A folder as it should be.
    path, environment = runtime("good")
    server = context.start([*as_nobody, f"{folder}/viaduct-server"], environment)
    socket = f"{path}/viaduct/socket"
    context.check(process.wait_until(lambda: os.path.exists(socket), 10),
                  f"no socket at {socket}: {server.err()}")
    mode = stat.S_IMODE(os.stat(f"{path}/viaduct").st_mode)
    context.check(mode == 0o700, f"the socket's folder has mode {mode:o}")
    found = context.run(client, environment)
    context.check(f"connected to {socket}" in found.err, f"the client does not find it: {found.err}")

    # Folders that somebody else can change, or has.
    def link(path):
        os.mkdir(f"{path}-elsewhere")
        os.symlink(f"{path}-elsewhere", f"{path}/viaduct")

    def others(path):
        os.mkdir(f"{path}/viaduct")

    for name, owner, mode, spoil in (("open", NOBODY, 0o777, None), ("roots", 0, 0o755, None),
                                     ("link", NOBODY, 0o700, link), ("others", NOBODY, 0o700, others)):
        path, environment = runtime(name, owner, mode)
        if spoil:
            spoil(path)
        refused = context.run([*as_nobody, f"{folder}/viaduct-server"], environment, seconds=20)
        context.check(refused.status == 2 and "no folder for one" in refused.err,
                      f"{name}: the server gave {refused.describe()}: {refused.err}")
    for name in ("open", "roots"):
        _, environment = runtime(f"{name}-client", *(NOBODY, 0o777) if name == "open" else (0, 0o755))
        lost = context.run(client, environment)
        context.check(f"{folder}/" not in lost.err.replace(f"{folder}/driver", "")
                      .replace(f"{folder}/libvulkan_viaduct.so", ""),
                      f"{name}: the client looks where others can put a socket: {lost.err}")
        context.check("/run/viaduct/socket" in lost.err, f"{name}: it does not look: {lost.err}")
        context.check("/tmp/.virgl_test" not in lost.err, f"{name}: it looks in /tmp")
