# SPDX-License-Identifier: MIT
"""viaduct cdi: its description against the rules of CDI, applied by bubblewrap, and by podman."""

import json
import os
import pathlib
import re
import shutil
import tempfile

from harness import Server, build_path, clean_environment, container, setting, test


def generate(context, *arguments):
    return context.succeed([build_path() / "tools" / "viaduct", "cdi", "generate", *arguments],
                           clean_environment(), "cdi")


# The members that the specification has in version 0.3.0, each with a rule.

def absolute(path):
    return isinstance(path, str) and path.startswith("/") and os.path.normpath(path) == path


def only(value, rules, needed=()):
    """Whether an object has no member but these, which follow their rules, and all that are needed."""
    return (isinstance(value, dict) and set(needed) <= set(value) <= set(rules) and
            all(rules[name](member) for name, member in value.items()))


def all_of(rule):
    return lambda values: isinstance(values, list) and bool(values) and all(map(rule, values))


def text(pattern):
    return lambda value: isinstance(value, str) and bool(re.fullmatch(pattern, value, re.DOTALL))


def mount(value):
    return only(value, {"hostPath": absolute, "containerPath": absolute, "options": all_of(text("[a-z]+"))},
                needed=("hostPath", "containerPath"))


def edits(value):
    return bool(value) and only(value, {
        "env": all_of(text(r"[A-Za-z_]\w*=.*")), "mounts": all_of(mount),
        "deviceNodes": all_of(lambda node: only(node, {"path": absolute}, needed=("path",)))})


def device(value):
    return only(value, {"name": text(r"[A-Za-z0-9]([\w.:-]*[A-Za-z0-9])?"), "containerEdits": edits},
                needed=("name", "containerEdits"))


def specification(value):
    return only(value, {"cdiVersion": text(r"0\.[3-8]\.0"), "kind": text(r"[a-z][\w.-]*[a-z]/[A-Za-z][\w-]*"),
                        "devices": all_of(device), "containerEdits": edits},
                needed=("cdiVersion", "kind", "devices"))


@test("cdi/rules")
def follows_the_rules(context):
    """What viaduct cdi generate writes follows the rules of CDI, whatever the options"""
    folder = pathlib.Path(context.enter(tempfile.TemporaryDirectory(prefix="viaduct-test-")))
    output = folder / "cdi" / "viaduct.json"
    for options, part in (([], "VTEST_SOCKET_NAME=/run/viaduct/socket"),
                          (["--socket", "/run/other/name"], "VTEST_SOCKET_NAME=/run/viaduct/name"),
                          (["--socket", '/run/with "quotes"/name'], "VTEST_SOCKET_NAME=/run/viaduct/name"),
                          (["--node", "/dev/dri/renderD128"], "/dev/dri/renderD128"),
                          (["--device", "musl", "--library", "/etc/passwd"], "musl")):
        result = generate(context, *options, "--output", output)
        context.check(not result.out, f"it prints {result.out!r} as well")
        description = json.loads(output.read_text(encoding="utf-8"))
        context.check(specification(description), f"{options} make {description}")
        context.check(part in json.dumps(description), f"{options}: there is no {part}")
        context.check(os.listdir(output.parent) == ["viaduct.json"], "something else is left there")
        printed = generate(context, *options).out
        context.check(printed == output.read_text(encoding="utf-8"), "the file is not what is printed")
    program = [build_path() / "tools" / "viaduct", "cdi"]
    for wrong in ([], ["list"], ["generate", "surplus"], ["generate", "--device", "a/b"],
                  ["generate", "--node", "/a", "--socket", "/b"], ["generate", "--no-such-option"]):
        result = context.run([*program, *wrong], clean_environment())
        context.check(result.status == 2 and result.err, f"{wrong} gave {result.status}")
    for wrong in (["--socket", "relative"], ["--library", "/nowhere"], ["--output", "/nowhere/x/y"]):
        result = context.run([*program, "generate", *wrong], clean_environment())
        context.check(result.status == 125 and result.err, f"{wrong} gave {result.status}")


@test("cdi/bubblewrap")
def applied_by_bubblewrap(context):
    """compute in a root that has a loader, and for the rest only what the description names"""
    server = context.enter(Server(context))
    description = json.loads(generate(context, "--socket", server.socket).out)
    wanted = description["devices"][0]["containerEdits"]
    compute = build_path() / "tests" / "compute"
    command = [*container.isolated(context), *container.files(compute)]
    for entry in wanted["mounts"]:
        command += ["--ro-bind" if "ro" in entry["options"] else "--bind", entry["hostPath"],
                    entry["containerPath"]]
    for variable in wanted["env"]:
        command += ["--setenv", *variable.split("=", 1)]
    context.succeed([*command, compute], clean_environment(), "compute")


# Under a kernel or in a container that does not let limits be raised, podman's defaults are too high.
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]


class Podman:
    """Images and containers of one test, root's or another user's. /run/cdi is its own, in a mount
    namespace."""

    def __init__(self, context, user=None):
        program = setting.tool("podman")
        if os.geteuid() != 0:
            context.skip("podman is tried as root only, who can also become another user")
        self.context = context
        self.folder = pathlib.Path(context.enter(tempfile.TemporaryDirectory(prefix="viaduct-test-")))
        runtime = ["--runtime", "runc"] if shutil.which("runc") else []
        self.podman = [program, "--root", self.folder / "storage", "--runroot", self.folder / "run",
                       "--storage-driver", "vfs", *runtime]
        (self.folder / "cdi").mkdir()
        self.user = user
        if user:
            self.podman = ["runuser", "-u", user, "--", "env", *(f"{name}={self.folder}" for name in
                           ("HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")), *self.podman]
            shutil.chown(self.folder, user, user)
            context.at_end(self.forget_namespaces)

    def forget_namespaces(self):
        """A rootless podman has a process that keeps its namespaces, with the /run/cdi of that time."""
        if self.user:
            self.context.run([*self.podman, "system", "migrate"], clean_environment(), "podman-migrate")

    def make_image(self, files):
        """An image that holds the files at the paths where they are here."""
        tree = self.folder / "tree"
        for file in files:
            inside = tree / str(file).lstrip("/")
            inside.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(os.path.realpath(file), inside)
        self.context.succeed([setting.tool("tar"), "-C", tree, "-cf", self.folder / "image.tar", "."],
                             clean_environment())
        self.context.succeed([*self.podman, "import", self.folder / "image.tar", "viaduct-test"],
                             clean_environment(), "podman-import")

    def run(self, *command):
        """The result of a command in a container of the image."""
        script = 'mkdir -p /run/cdi && mount --bind "$1" /run/cdi && shift && exec "$@"'
        self.forget_namespaces()
        return self.context.run(
            [setting.tool("unshare"), "--mount", "/bin/sh", "-c", script, "sh", self.folder / "cdi",
             *self.podman, "run", "--rm", "--network", "none", *LIMITS, *command],
            clean_environment(), "podman-run")


def try_podman(context, podman, server):
    compute, viaduct = build_path() / "tests" / "compute", build_path() / "tools" / "viaduct"
    podman.make_image({str(file) for program in (compute, viaduct)
                       for file in (program, *container.linked(program))})
    probe = podman.run("viaduct-test", viaduct, "--version")
    if probe.status != 0:
        context.skip(f"no container of podman's here: {probe.err.strip()}")
    generate(context, "--socket", server.socket, "--output", podman.folder / "cdi" / "viaduct.json")
    device_option = ["--device", "viaduct.dev/gpu=all", "viaduct-test"]
    result = podman.run(*device_option, compute)
    context.check(result.status == 0, f"compute ended with {result.describe()}")
    result = podman.run(*device_option, viaduct, "doctor", "--json")
    context.check(result.status == 0, f"the doctor found {result.out}")
    lines = {line["check"]: line for line in json.loads(result.out)["checks"]}
    context.check("container of podman" in lines["system"]["says"], lines["system"]["says"])
    result = podman.run("viaduct-test", compute)
    context.check(result.status != 0, "compute works without the device, too")


@test("cdi/podman", seconds=180)
def applied_by_podman(context):
    """podman run --device viaduct.dev/gpu=all: compute, and a doctor that finds no fault"""
    podman = Podman(context)
    try_podman(context, podman, context.enter(Server(context)))


@test("cdi/rootless", seconds=180)
def applied_without_root(context):
    """The same as an ordinary user, with a server of that user's"""
    user = "games"  # an account that every Debian has, and nobody uses
    podman = Podman(context, user)
    reaches = context.run(["runuser", "-u", user, "--", "test", "-r", setting.manifest(build_path())],
                          clean_environment())
    if reaches.status != 0:
        context.skip(f"user {user} can not read the build folder")
    sockets = podman.folder / "sockets"
    sockets.mkdir()
    shutil.chown(sockets, user, user)
    become = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups")
    try_podman(context, podman, context.enter(Server(context, socket=str(sockets / "socket"), under=become)))
