# SPDX-License-Identifier: MIT
"""Where things are, and the environments that programs run in."""

import contextlib
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading

_root = None
_build = None
_verbose = False
_driver = None
_thread = threading.local()  # what use_build() has changed

DRIVER_DIRECTORIES = (
    "/usr/share/vulkan/icd.d",
    "/usr/local/share/vulkan/icd.d",
    "/etc/vulkan/icd.d",
)


def init(root, build, verbose, driver=None):
    """`driver` is the manifest of the host driver to test with; None is lavapipe."""
    global _root, _build, _verbose, _driver
    _root = pathlib.Path(root)
    _build = _root / build
    _verbose = verbose
    _driver = pathlib.Path(driver) if driver else None


def root_path():
    return _root


def build_path():
    return getattr(_thread, "build", None) or _build


@contextlib.contextmanager
def use_build(path, variables, patience):
    """Within it, what this thread's test starts is of another build, has these variables as well, and
    may take longer by this factor."""
    _thread.build, _thread.variables, _thread.patience = path, variables, patience
    try:
        yield
    finally:
        _thread.build, _thread.variables, _thread.patience = None, None, None


def patience():
    """What limits of time are to be multiplied by."""
    return getattr(_thread, "patience", None) or 1


def logs_path():
    return _root / "build" / "test-logs"


def must_be_complete():
    """Whether nothing may be missing: this machine was set up for tests."""
    return os.environ.get("CI") == "true"


def verbose():
    return _verbose


def is_lavapipe(manifest_path):
    try:
        text = manifest_path.read_text(encoding="utf-8")
        return "libvulkan_lvp" in json.loads(text)["ICD"]["library_path"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def lavapipe():
    """The manifest of Mesa's software driver: the name of the file differs between releases."""
    for directory in DRIVER_DIRECTORIES:
        for path in sorted(pathlib.Path(directory).glob("*.json")):
            if is_lavapipe(path):
                return path
    from .framework import Failure
    raise Failure("there is no lavapipe: no manifest in " + ", ".join(DRIVER_DIRECTORIES) +
                  " names libvulkan_lvp; scripts/setup installs it")


def radv():
    """The manifest of Mesa's driver for AMD's GPUs."""
    for directory in DRIVER_DIRECTORIES:
        for path in sorted(pathlib.Path(directory).glob("radeon_icd*.json")):
            return path
    from .framework import Skipped
    raise Skipped("there is no RADV: no radeon_icd.json in " + ", ".join(DRIVER_DIRECTORIES))


def host_driver():
    """The manifest of the driver that the server uses, and that `natively` means."""
    return _driver or lavapipe()


def host_driver_is_lavapipe():
    return _driver is None or is_lavapipe(_driver)


@functools.cache
def lavapipe_is(*wanted):
    """Whether lavapipe is of this Mesa or a newer one, as far as Debian's dpkg knows."""
    try:
        text = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "mesa-vulkan-drivers"],
                              capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    return tuple(map(int, re.findall(r"\d+", text)[:len(wanted)])) >= wanted


def swiftshader():
    """The manifest of SwiftShader, another software driver: it shares semaphores by descriptor."""
    name = "vk_swiftshader_icd.json"
    for path in (_root / "build" / "swiftshader" / name, pathlib.Path("/usr/lib/chromium") / name):
        if path.is_file():
            return path
    from .framework import Skipped
    raise Skipped("there is no SwiftShader; scripts/setup --swiftshader gets it")


def manifest(build=None):
    """The manifest of Viaduct's ICD in the build tree."""
    found = sorted(((build or build_path()) / "icd").glob("viaduct_icd.*.json"))
    if not found:
        from .framework import Failure
        raise Failure(f"there is no viaduct_icd.*.json in {build or build_path()}/icd: is it built?")
    return found[0]


def clean_environment(**extra):
    """What the user's shell has set for Vulkan, Mesa or X must not change a test."""
    cache = _root / "build" / "test-cache"
    runtime = cache / "runtime"
    runtime.mkdir(parents=True, exist_ok=True)
    runtime.chmod(0o700)
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": str(cache),
        "XDG_CACHE_HOME": str(cache),
        "XDG_RUNTIME_DIR": str(runtime),
        "LANG": "C.UTF-8",
    }
    for name in ("TMPDIR", "USER", "LOGNAME"):
        if name in os.environ:
            environment[name] = os.environ[name]
    extra = {**(getattr(_thread, "variables", None) or {}), **extra}
    environment.update({name: str(value) for name, value in extra.items()})
    return environment


def native_environment(driver=None, **extra):
    """Vulkan is the host's driver, unless another manifest is given."""
    driver = driver or host_driver()
    return clean_environment(VK_DRIVER_FILES=driver, VK_ICD_FILENAMES=driver, **extra)


def through_environment(socket, build=None, **extra):
    """Vulkan is Viaduct, with the server at this socket."""
    driver = manifest(build)
    return clean_environment(VK_DRIVER_FILES=driver, VK_ICD_FILENAMES=driver,
                             VTEST_SOCKET_NAME=socket, **extra)


def as_root():
    """What a server wants to hear before it serves as root, as tests are run in containers."""
    return ["--allow-root"] if os.geteuid() == 0 else []


def through(command, *options, build=None, server=None, driver=None, icd=None):
    """The command line that runs a command through Viaduct with a server of its own, which comes from
    the build `server` if that is another, and with the ICD of the build `icd`, if that is."""
    if server:
        options = ("--server", server / "server" / "viaduct-server", *options)
    if icd:
        command = ["env", *(f"{name}={manifest(icd)}" for name in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")), *command]
    return [(build or build_path()) / "tools" / "viaduct", "run", "--driver", driver or host_driver(),
            *options, "--", *command]


def newest_loader():
    """The beginning of a command line that runs a program with the newest Vulkan loader, and its libc."""
    folder = _root / "build" / "loader"
    if not (folder / "libvulkan.so.1").exists():
        from .framework import Skipped
        raise Skipped("there is no newer Vulkan loader in build/loader; scripts/setup test gets it")
    interpreter = next(folder.glob("ld-linux*.so.*"))
    system = [path for path in ("/usr/lib", "/lib") for path in pathlib.Path(path).glob("*-linux-gnu")]
    return [interpreter, "--library-path", ":".join(map(str, [folder, *system]))]


def tool(name):
    """A program that the distribution provides; skips the test if it is not there."""
    path = shutil.which(name)
    if not path:
        from .framework import Failure
        raise Failure(f"{name} is not installed; scripts/setup does that")
    return path
