# SPDX-License-Identifier: MIT
"""The ways to the same driver: natively, through Viaduct, through Venus."""

import json
import pathlib
import shutil
import tempfile
import time

from harness import Failure, Server, process, setting


def snapshot(to):
    """A copy of what is measured, so that a build meanwhile changes nothing."""
    shutil.rmtree(to, ignore_errors=True)
    build = setting.build_path()
    manifest = setting.manifest()
    data = json.loads(manifest.read_text(encoding="utf-8"))
    library = pathlib.Path(data["ICD"]["library_path"]).name
    data["ICD"]["library_path"] = str(to / "icd" / library)
    for part in ("icd", "server", "tests/bench"):
        (to / part).mkdir(parents=True)
    (to / "icd" / manifest.name).write_text(json.dumps(data), encoding="utf-8")
    for path in (f"icd/{library}", "server/viaduct-server", "tests/bench/bench",
                 "tests/bench/scaling"):
        shutil.copy(build / path, to / path)
    return to


class Native:
    name = "native"

    def __init__(self, place, build):
        self.server_pid = 0

    def environment(self, **extra):
        return setting.native_environment(**extra)

    def stop(self):
        pass


class Viaduct:
    """One server for the whole run, as on a host; `driver` is the manifest that it uses."""

    name = "viaduct"

    def __init__(self, place, build, driver=None):
        environment = setting.native_environment()
        if driver:
            environment.update(VK_DRIVER_FILES=str(driver), VK_ICD_FILENAMES=str(driver))
        self.server = place.enter(
            Server(place, build=build, environment=environment, level="warning"))
        self.server_pid = self.server.pid

    def environment(self, **extra):
        return self.server.client_environment(**extra)

    def stop(self):
        self.server.__exit__()


class Venus:
    """Mesa's Venus over virglrenderer's vtest server, where both are installed."""

    name = "venus"

    def __init__(self, place, build):
        program = shutil.which("virgl_test_server")
        if not program:
            raise Failure("virgl_test_server (virglrenderer) is not installed")
        self.manifest = self.find_manifest()
        if not self.manifest:
            raise Failure("no manifest names libvulkan_virtio (Mesa's Venus)")
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="bench-venus-"))
        self.socket = self.directory / "socket"
        self.process = process.Process(
            [program, "--venus", "--no-virgl", "--multi-clients", "--socket-path", self.socket],
            setting.native_environment(), place.path / "venus.out", place.path / "venus.err")
        self.server_pid = self.process.pid
        if not process.wait_until(lambda: self.socket.exists() or not self.process.running(), 10):
            self.stop()
            raise Failure("virgl_test_server does not listen")
        time.sleep(0.1)
        if not self.process.running():
            self.stop()
            raise Failure("virgl_test_server ended: " + self.process.result().last_line())

    @staticmethod
    def find_manifest():
        for directory in setting.DRIVER_DIRECTORIES:
            for path in sorted(pathlib.Path(directory).glob("*.json")):
                if "libvulkan_virtio" in path.read_text(encoding="utf-8", errors="replace"):
                    return path
        return None

    def environment(self, **extra):
        return setting.clean_environment(VK_DRIVER_FILES=self.manifest,
                                         VK_ICD_FILENAMES=self.manifest, VN_DEBUG="vtest",
                                         VTEST_SOCKET_NAME=self.socket, **extra)

    def stop(self):
        self.process.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


KINDS = {kind.name: kind for kind in (Native, Viaduct, Venus)}
