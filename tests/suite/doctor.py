# SPDX-License-Identifier: MIT
"""viaduct doctor, and what the driver tells it."""

import json
import os
import pathlib
import re
import shutil
import socket
import struct
import sys
import tempfile
import threading

from harness import (Server, add, build_path, clean_environment, container, manifest,
                     native_environment, setting, test, wire)

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


# ---- A root where everything is as it should be, in which one thing at a time is broken.

PROGRAM = pathlib.PurePosixPath("/viaduct/bin/viaduct")
MANIFEST = "/usr/share/vulkan/icd.d/viaduct.json"
NODE = "/dev/dri/renderD128"


class Root:
    """What is in the root and in the environment, by names that faults change."""

    def __init__(self, context):
        self.context = context
        self.folder = pathlib.Path(short_folder(context))
        self.folder.chmod(0o755)
        self.sockets = self.folder / "sockets"
        self.sockets.mkdir()
        self.library = self.folder / "libvulkan_viaduct.so"
        shutil.copy(library_path(), self.library)
        self.manifest = self.write("icd.json", json.dumps(
            {"file_format_version": "1.0.0",
             "ICD": {"library_path": str(container.LIBRARY), "api_version": "1.4.309"}}))
        self.manifest_inside = MANIFEST
        self.loader = True
        self.usr = False  # with all that is installed here
        self.options = []  # of bubblewrap, last
        self.arguments = ["--client"]
        self.under = []  # a command in front
        self.variables = {"VTEST_SOCKET_NAME": "/run/viaduct/socket", "PATH": "/usr/bin:/bin"}
        self.tools = {"viaduct": build_path() / "tools" / "viaduct"}

    def write(self, name, content, mode=0o644):
        path = self.folder / name
        if isinstance(content, str):
            content = content.encode()
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def compile(self, name, code, *options):
        """A library of its own."""
        source, library = self.write(name + ".c", code), self.folder / name
        self.context.succeed([setting.tool("cc"), "-shared", "-fPIC", "-o", library, source, *options],
                             clean_environment(), "cc")
        return library

    def serve(self, **options):
        return self.context.enter(Server(self.context, socket=str(self.sockets / "socket"), **options))

    def examine(self):
        """(status, {check: [lines]}) of viaduct doctor --json."""
        command = container.isolated(self.context)
        program = self.tools["viaduct"]
        linked = {*container.linked(build_path() / "tests" / "compute"), *container.linked(program)}
        if self.usr:
            for folder in ("usr", "bin", "lib", "lib64"):
                if os.path.isdir(f"/{folder}"):
                    command += ["--ro-bind", f"/{folder}", f"/{folder}"]
        else:
            command += [word for path in sorted(map(str, linked)) if self.loader or "libvulkan" not in path
                        for word in ("--ro-bind", pathlib.Path(path).resolve(), path)]
        command += [word for name, file in self.tools.items()
                    for word in ("--ro-bind", file, PROGRAM.parent / name)]
        # Root, too, may only do what modes say.
        command += ["--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
                    "--bind", self.sockets, "/run/viaduct"]
        if self.library:
            command += ["--ro-bind", self.library, container.LIBRARY]
        if self.manifest:
            command += ["--ro-bind", self.manifest, self.manifest_inside]
        command += self.options
        for name, value in self.variables.items():
            command += ["--setenv", name, value]
        result = self.context.run([*self.under, *command, PROGRAM, "doctor", "--json", *self.arguments],
                                  clean_environment(), "doctor")
        self.context.check(result.status in (0, 1), f"it ended with {result.describe()}")
        report = json.loads(result.out)
        faults = [line for line in report["checks"] if line["state"] == "fault"]
        self.context.check(report["faults"] == len(faults) and (result.status == 1) == bool(faults),
                           f"status {result.status} with {report['faults']} faults, {len(faults)} listed")
        return report["checks"]


def library_path():
    driver = manifest()
    return driver.parent / json.loads(driver.read_text(encoding="utf-8"))["ICD"]["library_path"]


def show(lines):
    return "; ".join(f"{line['check']}: {line['state']}: {line['says']}" for line in lines)


@test("doctor/fine")
def nothing_wrong(context):
    """In a root where nothing is wrong the doctor finds nothing, in both forms"""
    root = Root(context)
    root.serve()
    lines = root.examine()
    context.check({line["state"] for line in lines} <= {"ok", "skipped", "note"}, show(lines))
    states = {line["check"]: line["state"] for line in lines}
    for name in ("system", "limits", "loader", "manifest", "library", "driver", "socket", "transport",
                 "server", "devices"):
        context.check(states.get(name) == "ok", f"{name} is not ok: {show(lines)}")


@test("doctor/usage")
def usage(context):
    """viaduct doctor: 2 for options that it does not know; one line for each check"""
    doctor = [build_path() / "tools" / "viaduct", "doctor"]
    for wrong in (["--no-such-option"], ["surplus"]):
        result = context.run([*doctor, *wrong], clean_environment())
        context.check(result.status == 2 and result.err, f"{wrong} gave {result.status}")
    server = context.enter(Server(context))
    result = context.succeed([*doctor, "--client"], server.client_environment(), "doctor")
    for line in result.out.splitlines():
        context.check(re.match(r"(OK|NOTE|FAULT|-) +\w", line), f"a line says {line!r}")
    context.check(re.search(r"^OK +server +protocol", result.out, re.MULTILINE), result.out)
    result = context.run([*doctor, "--host"], native_environment(), "doctor")
    context.check(re.search(r"^OK +host driver", result.out, re.MULTILINE), result.out)


def fault(name, check, sentence, server=True, state="fault", seconds=60):
    """Decorator of a function that breaks the root: then the doctor says this, and has no other fault."""

    def register(breaks):
        def run(context):
            root = Root(context)
            if server:
                root.serve()
            breaks(root)
            lines = root.examine()
            found = [line for line in lines
                     if re.fullmatch(check, line["check"]) and line["state"] == state]
            context.check(any(re.search(sentence, line["says"]) for line in found),
                          f"nothing says {sentence!r}: {show(lines)}")
            context.check(all(line["advice"] for line in found), f"no advice: {show(found)}")
            others = [line for line in lines if line["state"] == "fault" and line not in found]
            context.check(not others, f"other faults: {show(others)}")
        run.__doc__ = f"viaduct doctor names {breaks.__name__.replace('_', ' ')}"
        add(run, f"doctor/fault/{name}", run.__doc__, seconds=seconds)
        return breaks

    return register


def patched(root, change):
    """The library with other bytes."""
    content = bytearray(root.library.read_bytes())
    change(content)
    root.library = root.write("patched.so", bytes(content), 0o755)


# The loader and the manifest.

@fault("loader", "loader", r"no usable Vulkan loader: libvulkan\.so\.1")
def a_missing_loader(root):
    root.loader = False


@fault("loader-crash", "loader", r"a driver that it loads crashed \(signal 6", server=False)
def a_driver_that_crashes_the_loader(root):
    crash = root.compile("crash.so", "#include <stdlib.h>\n"
                                     "__attribute__((constructor)) static void f(void) { abort(); }")
    other = root.write("other.json", json.dumps({"file_format_version": "1.0.0", "ICD": {
        "library_path": "/crash.so", "api_version": "1.3.0"}}))
    root.serve()
    root.options += ["--ro-bind", crash, "/crash.so", "--ro-bind", other, "/etc/vulkan/icd.d/other.json"]


@fault("manifest", "manifest", "the loader finds no manifest of Viaduct")
def a_missing_manifest(root):
    root.manifest = None


@fault("manifest-json", "manifest", "cannot read the manifest .*viaduct_icd.*no valid JSON")
def a_broken_manifest(root):
    root.manifest = root.write("broken.json", "{ broken")
    root.manifest_inside = f"/usr/share/vulkan/icd.d/{manifest().name}"


@fault("manifest-denied", "manifest", "viaduct_icd.* may not be read by this user")
def a_manifest_that_cannot_be_read(root):
    root.manifest.chmod(0)
    root.manifest_inside = f"/usr/share/vulkan/icd.d/{manifest().name}"


@fault("manifest-arch", "manifest", "only the driver of another architecture: /.*sparc")
def a_manifest_for_another_architecture(root):
    root.manifest = root.write("broken.json", "{ broken")
    root.manifest_inside = "/usr/share/vulkan/icd.d/viaduct_icd.sparc.json"


@fault("manifest-empty", "library", "names no library|manifest", server=True)
def a_manifest_without_a_library(root):
    root.manifest = root.write("empty.json", json.dumps(
        {"file_format_version": "1.0.0", "ICD": {"api_version": "1.3.0"}}))


@fault("variable-absent", "manifest", "VK_DRIVER_FILES names /nowhere/x.json: No such file")
def a_variable_that_names_no_file(root):
    root.variables["VK_DRIVER_FILES"] = "/nowhere/x.json"


@fault("variable-others", "manifest", "VK_DRIVER_FILES lets the loader see other drivers only")
def a_variable_that_names_other_drivers(root):
    root.options += ["--ro-bind", root.write("other.json", "{}"), "/other.json"]
    root.variables["VK_DRIVER_FILES"] = "/other.json"


@fault("variable-add", "manifest", "VK_ADD_DRIVER_FILES names no manifest of Viaduct")
def a_variable_that_adds_another_driver(root):
    root.manifest = None
    root.variables["VK_ADD_DRIVER_FILES"] = "/other.json"


@fault("variable-disables", "manifest", "a variable switches Viaduct's driver off")
def a_variable_that_disables_the_driver(root):
    root.variables["VK_LOADER_DRIVERS_DISABLE"] = "*viaduct*"


# The library.

@fault("library", "library", r"the manifest names /viaduct/libvulkan_viaduct\.so: No such file")
def a_missing_library(root):
    root.library = None


@fault("library-denied", "library", "the manifest names .*: Permission denied")
def a_library_that_cannot_be_read(root):
    root.library.chmod(0)


@fault("library-none", "library", "is no library")
def a_library_that_is_text(root):
    root.library = root.write("text.so", "no library" * 20)


@fault("library-class", "library", "is 32-bit, applications here are not")
def a_library_with_32_bit(root):
    patched(root, lambda content: content.__setitem__(4, 1))


@fault("library-machine", "library", "is another architecture's")
def a_library_for_another_processor(root):
    patched(root, lambda content: content.__setitem__(slice(18, 20), b"\xff\x00"))


@fault("library-libc", "driver", r"C library is too old for the driver: it lacks GLIBC_9\.")
def a_library_for_a_newer_libc(root):
    versions = sorted(set(re.findall(rb"GLIBC_2\.\d\d\0", root.library.read_bytes())))
    patched(root, lambda content: content.__setitem__(
        slice(0, None), bytes(content).replace(versions[-1], b"GLIBC_9" + versions[-1][7:])))


@fault("library-musl", "driver", "was built for musl")
def a_library_for_musl(root):
    libc = root.compile("libc.musl.so.1", "", "-Wl,-soname,libc.musl-x86_64.so.1")
    root.library = root.compile("driver.so", "void f(void) {}", "-Wl,--no-as-needed", libc)


@fault("library-needs", "driver", r"needs libmissing\.so\.7, which is not here")
def a_library_that_lacks_another(root):
    other = root.compile("libmissing.so", "", "-Wl,-soname,libmissing.so.7")
    root.library = root.compile("driver.so", "void f(void) {}", "-Wl,--no-as-needed", other)


@fault("library-foreign", "driver", "is no driver of Viaduct, or an older one")
def a_library_of_somebody_else(root):
    root.library = root.compile("driver.so", "void f(void) {}")


@fault("driver-crash", "driver", r"the driver crashed \(signal 6")
def a_driver_that_crashes(root):
    root.library = root.compile("driver.so", "#include <stdlib.h>\n"
                                             "void viaduct_diagnose(void) { abort(); }")


@fault("driver-hang", "driver", "the driver gave no answer within", seconds=120)
def a_driver_that_hangs(root):
    root.library = root.compile("driver.so", "#include <unistd.h>\n"
                                             "void viaduct_diagnose(void) { for (;;) pause(); }")


@fault("driver-version", "driver", r"the driver is 0\.0\.9, this command", state="note")
def a_driver_of_another_version(root):
    root.library = root.compile("driver.so", """
        void viaduct_diagnose(void (*say)(void *, const char *, const char *, const char *), void *data)
        {
            say(data, "driver", "0.0.9", "protocol 3, Vulkan 1.4.309");
            say(data, "host-pages", "yes", "");
            say(data, "reached", "vtest", "protocol 3 on both sides");
            say(data, "device", "Viaduct", "Vulkan 1.4.309");
        }
        """)


@fault("device-blind", "devices", "no memory of it can be mapped")
def a_device_without_shared_memory(root):
    root.library = root.compile("driver.so", """
        void viaduct_diagnose(void (*say)(void *, const char *, const char *, const char *), void *data)
        {
            say(data, "driver", "0.1.0", "protocol 3, Vulkan 1.4.309");
            say(data, "host-pages", "yes", "");
            say(data, "reached", "vtest", "protocol 3 on both sides");
            say(data, "device", "Viaduct", "Vulkan 1.4.309");
            say(data, "device-blind", "Viaduct", "");
        }
        """)


# The socket.

@fault("socket-default", "socket", "no server is named, and there is none at /run/viaduct/socket",
       server=False)
def no_server_at_all(root):
    del root.variables["VTEST_SOCKET_NAME"]


@fault("socket-folder", "socket", "VTEST_SOCKET_NAME is /run/none/socket, and there is no folder /run/none")
def a_folder_that_is_not_mounted(root):
    root.variables["VTEST_SOCKET_NAME"] = "/run/none/socket"


@fault("socket-absent", "socket", "VTEST_SOCKET_NAME is /run/viaduct/none, and there is no such socket")
def a_socket_that_is_not_there(root):
    root.variables["VTEST_SOCKET_NAME"] = "/run/viaduct/none"


@fault("socket-denied", "socket", r"/run/viaduct/socket may not be opened by uid \d+, owned by .*mode 0000")
def a_socket_that_may_not_be_opened(root):
    (root.sockets / "socket").chmod(0)


@fault("socket-stale", "socket", "nobody listens at /run/viaduct/stale: its server has ended")
def a_socket_without_a_server(root):
    listener(root.context, str(root.sockets / "stale")).close()
    root.variables["VTEST_SOCKET_NAME"] = "/run/viaduct/stale"


@fault("socket-file", "socket", "/run/viaduct/file is no socket")
def a_socket_that_is_a_file(root):
    (root.sockets / "file").write_text("")
    root.variables["VTEST_SOCKET_NAME"] = "/run/viaduct/file"


@fault("socket-silent", "socket", "somebody listens at /run/viaduct/silent and does not answer")
def a_listener_that_is_silent(root):
    listener(root.context, str(root.sockets / "silent"))
    root.variables["VTEST_SOCKET_NAME"] = "/run/viaduct/silent"


def answer(root, name, respond):
    """Somebody listens who answers each client in this way."""
    found = listener(root.context, str(root.sockets / name))
    root.variables["VTEST_SOCKET_NAME"] = f"/run/viaduct/{name}"

    def serve():
        try:
            connection, _ = found.accept()
            with connection:
                respond(connection)
        except OSError:
            pass
    threading.Thread(target=serve, daemon=True).start()


@fault("socket-foreign", "socket", "is not Viaduct's .virglrenderer's, perhaps")
def a_server_that_is_virglrenderers(root):
    def respond(connection):
        connection.sendall(struct.pack("=II", 0, wire.PING_PROTOCOL_VERSION) +
                           struct.pack("=III", 1, wire.RESOURCE_BUSY_WAIT, 0) +
                           struct.pack("=III", 1, wire.PROTOCOL_VERSION, 4) +
                           struct.pack("=III", 1, wire.GET_CAPSET, 0))
        while connection.recv(4096):
            pass
    answer(root, "virgl", respond)


@fault("socket-senseless", "socket", "does not answer as a Viaduct server .*(hung up|Broken pipe)")
def a_server_that_hangs_up(root):
    answer(root, "hangs-up", lambda connection: None)


@fault("socket-version", "socket", "speaks Viaduct protocol 3, this driver 77")
def a_server_of_another_version(root):
    root.variables["VIADUCT_TEST_PROTOCOL_VERSION"] = "77"


@fault("socket-long", "socket", "has 20. bytes, and a socket's path at most 107")
def a_path_that_is_too_long(root):
    root.variables["VTEST_SOCKET_NAME"] = "/" + "x" * 200


@test("doctor/fault/socket-owner")
def a_server_of_another_user(context):
    """viaduct doctor names a server of another user, which the driver does not use"""
    if os.geteuid() != 0:
        context.skip("another user's server is made as root only")
    folder = short_folder(context)
    os.chmod(folder, 0o777)
    script = ("import socket, sys, time\n"
              "found = socket.socket(socket.AF_UNIX); found.bind(sys.argv[1]); found.listen()\n"
              "print('ready', flush=True); time.sleep(60)")
    other = context.start([setting.tool("setpriv"), "--reuid=1234", "--clear-groups", "/usr/bin/python3",
                           "-c", script, f"{folder}/socket"], clean_environment(), "other")
    context.check(other.wait_for_line("^ready", 10), "nobody listens")
    result = context.run([build_path() / "tools" / "viaduct", "doctor", "--client"],
                         setting.through_environment(f"{folder}/socket"), "doctor")
    context.check(result.status == 1 and re.search(
        r"^FAULT socket +the server at \S+ belongs to user 1234.* => let root or this user", result.out,
        re.MULTILINE), result.out)


# What variables and limits do.

@fault("transport", "transport", "VIADUCT_TRANSPORT is 'pigeon', and is to be virtgpu or vtest")
def a_transport_that_there_is_not(root):
    root.variables["VIADUCT_TRANSPORT"] = "pigeon"


@fault("in-server", "transport", "VIADUCT_IN_SERVER is set, which switches the driver off")
def a_variable_of_the_server(root):
    root.variables["VIADUCT_IN_SERVER"] = "1"


@fault("limit-files", "limits", "may open only 64 files")
def a_limit_of_files(root):
    root.under = [setting.tool("prlimit"), "--nofile=64:64"]


@fault("limit-addresses", "limits", r"may have only \d+ MiB of addresses", state="note")
def a_limit_of_addresses(root):
    root.under = [setting.tool("prlimit"), f"--as={64 << 30}"]


# The server.

@fault("server-vulkan", "(server|devices)", "its (own )?Vulkan (does not start|has no devices)", server=False)
def a_server_without_a_driver(root):
    root.serve(environment=clean_environment(VK_DRIVER_FILES="/nowhere", VK_ICD_FILENAMES="/nowhere"))


# Guests.

def device(root):
    """A virtio-gpu device in /sys."""
    root.variables.pop("VTEST_SOCKET_NAME", None)
    kind = root.write("kind", "0x0010\n")
    root.options += ["--ro-bind", kind, "/sys/bus/virtio/devices/virtio3/device"]


@fault("node-absent", "virtio-gpu", "has a virtio-gpu device and no render node for it", server=False)
def a_guest_without_a_render_node(root):
    device(root)


def node(root, behaviour):
    """A render node whose driver is a library before the C library's ioctl()."""
    device(root)
    fake = root.compile("node.so", """
        #include <stdarg.h>
        #include <stdint.h>
        #include <string.h>
        #include <sys/ioctl.h>
        struct version { int v[3]; size_t size; char *name; };
        struct param { uint64_t param, value; };
        struct caps { uint32_t id, version; uint64_t address; uint32_t size, pad; };
        int ioctl(int fd, unsigned long request, ...)
        {
            va_list args;
            va_start(args, request);
            void *argument = va_arg(args, void *);
            va_end(args);
            const unsigned number = request & 0xff;
            if (number == 0x00) {
                struct version *version = argument;
                memcpy(version->name, "virtio_gpu", 10);
                version->size = 10;
            } else if (number == 0x43) {
                *(uint64_t *)(uintptr_t)((struct param *)argument)->value = 1;
            } else if (number == 0x49) {
                struct caps *caps = argument;
                uint32_t *capset = (uint32_t *)(uintptr_t)caps->address;
                BEHAVIOUR
            } else {
                return -1;
            }
            return 0;
        }
        """.replace("BEHAVIOUR", behaviour))
    root.options += ["--dev-bind", "/dev/null", NODE, "--ro-bind", fake, "/node.so"]
    root.variables["LD_PRELOAD"] = "/node.so"


@fault("node-foreign", "virtio-gpu", f"the virtio-gpu at {NODE} is not Viaduct's", server=False)
def a_guest_with_another_virtio_gpu(root):
    node(root, "(void)capset; return -1;")


@fault("node-version", "virtio-gpu", f"the server behind {NODE} speaks Viaduct protocol 99", server=False)
def a_guest_on_a_host_of_another_version(root):
    node(root, "capset[0] = 99;")


@fault("node-senseless", "virtio-gpu", f"the server behind {NODE} offers a senseless capset", server=False)
def a_guest_whose_capset_is_broken(root):
    node(root, f"capset[0] = {wire.PROTOCOL}; capset[2] = 0xffffffff;")


def make_node(root, mode):
    path = root.folder / "node"
    try:
        os.mknod(path, 0o020000 | mode, os.makedev(1, 3))
    except PermissionError:
        root.context.skip("device nodes can not be made here; that takes root")
    path.chmod(mode)
    root.options += ["--dev-bind", path, NODE]


@fault("node-denied", "virtio-gpu", rf"{NODE} may not be opened by this user \(group .*, mode 0060\)",
       server=False)
def a_render_node_that_may_not_be_opened(root):
    device(root)
    make_node(root, 0o060)


# The host.

def host(root):
    """Makes it a host: with all that is installed here, and the driver of these tests."""
    root.arguments = ["--host"]
    root.manifest = root.library = None
    root.usr = True
    root.tools["viaduct-server"] = build_path() / "server" / "viaduct-server"
    root.variables.update(VK_DRIVER_FILES=str(setting.host_driver()), VK_ICD_FILENAMES=str(setting.host_driver()),
                          PATH="/programs:/usr/bin:/bin")


def program(root, name, text):
    """A shell script that comes before the program of that name."""
    root.options += ["--ro-bind", root.write(name, f"#!/bin/sh\n{text}\n", 0o755), f"/programs/{name}"]


@test("doctor/host")
def host_without_faults(context):
    """On a host where nothing is wrong the doctor finds nothing"""
    root = Root(context)
    host(root)
    lines = root.examine()
    context.check(not [line for line in lines if line["state"] == "fault"], show(lines))
    context.check(any(line["check"] == "host driver" and line["state"] == "ok" for line in lines),
                  show(lines))


@fault("host-server", "host server", "no viaduct-server beside this program", server=False)
def a_host_without_a_server(root):
    host(root)
    del root.tools["viaduct-server"]


@fault("host-server-broken", "host server", "does not run: ended with exit code 3", server=False)
def a_server_that_does_not_run(root):
    host(root)
    root.tools["viaduct-server"] = root.write("server", "#!/bin/sh\nexit 3\n", 0o755)


@fault("host-server-version", "host server", "this command is", server=False, state="note")
def a_server_program_of_another_version(root):
    host(root)
    root.tools["viaduct-server"] = root.write(
        "server", "#!/bin/sh\necho 'viaduct-server 0.0.9 (protocol 2)'\n", 0o755)


@fault("host-sandbox", "host sandbox", "the sandbox lacks Landlock here", server=False, state="note")
def a_kernel_that_cannot_hold_clients_back(root):
    host(root)
    root.tools["viaduct-server"] = root.write("server", """#!/bin/sh
        [ $1 = --version ] && exec echo 'viaduct-server 0.1.0 (protocol 3)'
        echo 'viaduct-server: warning: DEGRADED: the sandbox lacks Landlock here: files can be read' >&2
        exit 1
        """, 0o755)


@fault("host-memory", "host memory", "no shared memory of 64 MiB can be made: File too large", server=False)
def a_limit_of_file_sizes(root):
    host(root)
    root.under = [setting.tool("prlimit"), f"--fsize={1 << 20}"]


@fault("host-driver", "host driver", "this machine's drivers show no Vulkan device", server=False)
def a_host_without_a_driver(root):
    host(root)
    root.variables.update(VK_DRIVER_FILES="/nowhere", VK_ICD_FILENAMES="/nowhere")


@fault("host-driver-crash", "host driver", r"listing the devices of this machine's drivers crashed", server=False)
def a_host_driver_that_crashes(root):
    host(root)
    library = root.compile("crash.so", """
        #include <stdlib.h>
        #include <string.h>
        static int extensions(const char *layer, unsigned *count, void *list)
        {
            (void)layer, (void)list;
            *count = 0;
            return 0;
        }
        static int create(void) { abort(); }
        void *vk_icdGetInstanceProcAddr(void *instance, const char *name)
        {
            (void)instance;
            if (!strcmp(name, "vkEnumerateInstanceExtensionProperties"))
                return (void *)extensions;
            return strcmp(name, "vkEnumerateInstanceVersion") ? (void *)create : NULL;
        }
        """)
    description = root.write("crash.json", json.dumps({"file_format_version": "1.0.0", "ICD": {
        "library_path": "/crash.so", "api_version": "1.3.0"}}))
    root.options += ["--ro-bind", library, "/crash.so", "--ro-bind", description, "/crash.json"]
    root.variables.update(VK_DRIVER_FILES="/crash.json", VK_ICD_FILENAMES="/crash.json")


@fault("host-node", "host nodes", rf"{NODE} may not be opened by this user", server=False)
def a_node_of_a_gpu_that_may_not_be_opened(root):
    host(root)
    make_node(root, 0o060)


@fault("host-qemu", "host qemu", r"is version 8\.2\.1, too old", server=False, state="note")
def a_qemu_that_is_too_old(root):
    host(root)
    program(root, f"qemu-system-{os.uname().machine}", "echo QEMU emulator version 8.2.1")


@fault("host-kvm", "host qemu", "/dev/kvm: No such file", server=False, state="note")
def a_host_without_kvm(root):
    host(root)
    program(root, f"qemu-system-{os.uname().machine}", "echo QEMU emulator version 10.1.0")


@fault("host-libvirt", "host libvirt", "names the server /usr/bin/no-server: No such file", server=False)
def a_description_for_libvirt_without_its_server(root):
    host(root)
    root.options += ["--ro-bind", root.write("vhost.json", '{ "type": "gpu",\n "binary": "/usr/bin/no-server" }'),
                     "/etc/qemu/vhost-user/50-viaduct.json"]
