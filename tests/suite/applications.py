# SPDX-License-Identifier: MIT
"""Applications that Debian packages, natively and through Viaduct in the same run: same result."""

import re
import time

from harness import (Failure, Server, Xvfb, build_path, clean_environment, container, lavapipe,
                     native_environment, png, process, setting, test, through)

# OpenGL by Vulkan. Zink takes a device that is a CPU only where software is asked for.
ZINK = {
    "LIBGL_ALWAYS_SOFTWARE": "1",
    "MESA_LOADER_DRIVER_OVERRIDE": "zink",
    "GALLIUM_DRIVER": "zink",
}


def crossed(context, result):
    """Fails unless Vulkan calls went through the ICD in this run."""
    calls = sum(map(int, re.findall(r"^viaduct: stats: calls=(\d+)", result.err, re.MULTILINE)))
    context.check(calls > 20, f"{result.name} did not use Viaduct: {calls} calls crossed")


def both(context, native_command, through_command=None, label="", **environment):
    """Runs a command natively and through Viaduct; returns both results."""
    native = context.succeed(native_command, native_environment(**environment), label + "native")
    other = context.succeed(through(through_command or native_command),
                            clean_environment(VIADUCT_DEBUG="stats", **environment),
                            label + "through")
    crossed(context, other)
    return native, other


def device_name(context):
    """What the host's driver calls its first device. Ours is `Viaduct (that)`."""
    result = context.succeed([setting.tool("vulkaninfo"), "--summary"], native_environment())
    match = re.search(r"^\s*deviceName\s*=\s*(.*)$", result.out, re.MULTILINE)
    context.check(match, "vulkaninfo names no device")
    return match.group(1).strip()


def same_lines(context, native, other, what):
    if native == other:
        return
    a, b = native.splitlines(), other.splitlines()
    context.note("\n".join(f"natively: {x}\nthrough:  {y}" for x, y in zip(a, b) if x != y))
    first = next(((x, y) for x, y in zip(a, b) if x != y), (f"{len(a)} lines", f"{len(b)} lines"))
    raise Failure(f"{what} differs: `{first[0]}` natively, `{first[1]}` through Viaduct")


def same_picture(context, native_path, other_path, colours):
    native, other = png.read(native_path), png.read(other_path)
    context.check(len(set(native.pixels())) >= colours, f"{native_path.name} shows nothing")
    context.check((native.width, native.height) == (other.width, other.height),
                  "the pictures differ in size")
    if native.data != other.data:
        count = sum(a != b for a, b in zip(native.pixels(), other.pixels()))
        raise Failure(f"{count} pixels of {native.width * native.height} differ: see {other_path}")


# ---- OpenGL through Zink

# What Zink makes of extensions that need descriptors of the host's memory: not yet.
NEEDS_EXTERNAL_MEMORY = {"GL_EXT_memory_object", "GL_EXT_memory_object_fd",
                         "GL_EXT_semaphore", "GL_EXT_semaphore_fd"}


def expect_zink(context, text):
    """Mesa 22 calls the device "zink (NAME)", Mesa 25 "zink Vulkan 1.4(NAME (DRIVER))"."""
    names = re.findall(r"zink (?:Vulkan [\d.]+)?\(Viaduct \(", text)
    context.check(names, "this is not Zink on Viaduct")


def native_name(line):
    """The line with the host's name for the device, which is the one in Viaduct's brackets."""
    return re.sub(r"Viaduct \(((?:[^()]|\([^()]*\))*)\)", r"\1", line)


@test("applications/zink-glxinfo", seconds=60)
def zink_glxinfo(context):
    """OpenGL's versions, limits, visuals and extensions, as Zink makes them of the device's"""
    display = context.enter(Xvfb(context)).display
    native, other = both(context, [setting.tool("glxinfo"), "-l"], DISPLAY=display, **ZINK)
    expect_zink(context, other.out)
    words = re.compile(r"\b(?:GLX?|EGL)_\w+")
    missing = set(words.findall(native.out)) - set(words.findall(other.out))
    added = set(words.findall(other.out)) - set(words.findall(native.out))
    context.check(missing <= NEEDS_EXTERNAL_MEMORY, f"missing: {', '.join(sorted(missing))}")
    context.check(not added, f"natively unknown: {', '.join(sorted(added))}")

    def numbers(text):
        """Without the lists of extensions, and without how much memory is free just now."""
        lines = [native_name(line) for line in text.splitlines()
                 if not words.search(line) and not re.search(r" MB\b", line)]
        return "\n".join(lines)

    same_lines(context, numbers(native.out), numbers(other.out), "glxinfo's text")


@test("applications/zink-glmark2", seconds=240)
def zink_glmark2(context):
    """The scenes of glmark2, each of which looks at pixels of its own"""
    display = context.enter(Xvfb(context)).display
    native, other = both(context, [setting.tool("glmark2"), "--validate"], DISPLAY=display, **ZINK)
    expect_zink(context, other.out)

    def scenes(text):
        return "\n".join(re.findall(r"^\[.*Validation: \w+", text, re.MULTILINE))

    context.check(scenes(native.out).count("Success") >= 15, "too few scenes succeed natively")
    same_lines(context, scenes(native.out), scenes(other.out), "a scene")


def gears(context, command, environment, label):
    """How many pixels are mostly red, green and blue once all three gears are seen."""
    started = context.start(command, environment, label)
    deadline = time.monotonic() + min(30, context.remaining())
    while time.monotonic() < deadline and started.running():
        path = context.path / f"{label}.png"
        context.succeed([setting.tool("import"), "-silent", "-window", "root", f"PNG24:{path}"],
                        environment, f"{label}-import")
        counts = [0, 0, 0]
        for pixel in png.read(path).pixels():
            main = max(range(3), key=lambda channel: pixel[channel])
            if pixel[main] > 60 and all(pixel[other] * 2 < pixel[main]
                                        for other in range(3) if other != main):
                counts[main] += 1
        if min(counts) > 500:
            out = started.out()
            started.kill()
            return counts, out
        time.sleep(0.1)
    raise Failure(f"{label}: glxgears shows no three gears")


@test("applications/zink-glxgears", seconds=90)
def zink_glxgears(context):
    """Three gears in a window, drawn by OpenGL"""
    display = context.enter(Xvfb(context, "300x300")).display
    command = [setting.tool("glxgears"), "-info"]
    native, _ = gears(context, command, native_environment(DISPLAY=display, **ZINK), "native")
    other, text = gears(context, through(command), clean_environment(DISPLAY=display, **ZINK),
                        "through")
    expect_zink(context, text)
    # They turn, so that a few pixels more or less are seen.
    context.check(all(abs(a - b) < 0.1 * a for a, b in zip(native, other)),
                  f"red, green and blue pixels: {native} natively, {other} through Viaduct")


# ---- Films and pictures

# Each filter of ffmpeg that works on Vulkan frames, but for avgblur_vulkan, which aborts natively
# with lavapipe in ffmpeg 5.
UP, DOWN = "format=yuv420p,hwupload", "hwdownload,format=yuv420p"
FILTERS = {
    "scale": f"{UP},scale_vulkan=w=200:h=160,{DOWN}",
    "scale-10-bit": "format=p010,hwupload,scale_vulkan=w=100:h=100,hwdownload,format=p010",
    "gblur": f"{UP},gblur_vulkan=sigma=3,{DOWN}",
    "gblur-rgba": "format=rgba,hwupload,gblur_vulkan,hwdownload,format=rgba",
    "flips": f"{UP},hflip_vulkan,vflip_vulkan,transpose_vulkan=dir=1,{DOWN}",
    "chromaber": f"{UP},chromaber_vulkan=dist_x=3,{DOWN}",
    "blend": f"split[a][b];[a]{UP}[c];[b]negate,{UP}[d];"
             f"[c][d]blend_vulkan=all_mode=multiply,{DOWN}",
    "overlay": f"split[a][b];[a]{UP}[c];[b]crop=64:64,{UP}[d];[c][d]overlay_vulkan=x=20:y=20,{DOWN}",
}
# libplacebo makes its shaders from these: scaling, debanding, tone mapping.
PLACEBO = {
    "scale": f"{UP},libplacebo=w=200:h=160:upscaler=ewa_lanczos:format=yuv420p,{DOWN}",
    "deband": f"{UP},libplacebo=w=640:h=480:deband=true:colorspace=bt709:tonemapping=bt.2390:"
              "format=yuv444p16,hwdownload,format=yuv444p16",
}


def film(context, filters):
    """The checksum of each of ten frames after each filter."""
    for name, chain in filters.items():
        command = [setting.tool("ffmpeg"), "-hide_banner", "-nostdin", "-loglevel", "warning",
                   "-init_hw_device", "vulkan=v", "-filter_hw_device", "v", "-f", "lavfi",
                   "-i", "testsrc2=size=322x242:rate=10:duration=1", "-vf", chain,
                   "-f", "framemd5", "-"]
        native, other = both(context, command, label=f"{name}-")
        frames = re.findall(r"^0,.* ([0-9a-f]{32})$", native.out, re.MULTILINE)
        context.check(len(set(frames)) == 10, f"{name}: {len(set(frames))} different frames")
        same_lines(context, native.out, other.out, f"{name}: a frame")


@test("applications/ffmpeg", seconds=300)
def ffmpeg(context):
    """ffmpeg's Vulkan filters: checksums of frames"""
    film(context, FILTERS)


@test("applications/libplacebo", seconds=180)
def libplacebo(context):
    """libplacebo as a filter of ffmpeg: checksums of frames"""
    film(context, PLACEBO)


SCREENSHOT = """mp.register_event("playback-restart", function()
    mp.commandv("screenshot-to-file", mp.get_opt("to"), "window")
    print("the picture is written")
end)
"""
MPV_SECONDS = 40


MPV_CRASHES = 1


def watch(context, command, environment, name):
    """Runs mpv until it has written its picture, and kills it then: at its end mpv 0.35 uses a mutex
    that it has destroyed, on any driver, so that its exit says nothing. Natively it has also
    crashed before its first picture (once in some twenty runs on lavapipe; later in none of forty with
    gpu-next, so that the cause is not known). So a death by a signal, and nothing else, is followed by one
    more try."""
    for crashes in range(MPV_CRASHES + 1):
        started = context.start(command, environment, f"{name}-{crashes}")
        written = started.wait_for_line("the picture is written",
                                        min(MPV_SECONDS, context.remaining()))
        if written or not started.wait(1) or started.result().status >= 0:
            break
        context.note(f"{name} mpv crashed: {started.result().describe()}")
    context.check(written, f"{name} mpv shows nothing")
    context.check(not started.wait(1), f"{name} mpv ended by itself: {started.err()[-300:]}")
    started.kill()
    return started.out()


def play(context, label, options, **environment):
    """A film's first frame as it stands in mpv's window."""
    display = context.enter(Xvfb(context, "640x480")).display
    script = context.path / "screenshot.lua"
    script.write_text(SCREENSHOT, encoding="utf-8")
    device = device_name(context)
    commands, pictures = [], []
    for name, place in ((device, "native"), (f"Viaduct ({device})", "through")):
        pictures.append(context.path / f"{label}{place}.png")
        commands.append([
            setting.tool("mpv"), "--no-config", "--no-audio", "--pause", "--no-osc", "--osd-level=0",
            "--load-scripts=no", "--msg-level=vo=v", f"--script={script}", f"--script-opts=to={pictures[-1]}",
            "--screenshot-high-bit-depth=no", "--geometry=400x300",
            *[option.replace("DEVICE", name) for option in options],
            "av://lavfi:testsrc2=size=320x240:rate=10:duration=1"])
    watch(context, commands[0], native_environment(DISPLAY=display, **environment),
          f"{label}native")
    server = context.enter(Server(context))
    said = watch(context, commands[1], server.client_environment(DISPLAY=display, **environment),
                 f"{label}through")
    # Of Vulkan's device, or of OpenGL's renderer.
    context.check(re.search(rf"(Device Name: |GL_RENDERER=.*)Viaduct \({re.escape(device)}", said),
                  f"{label}mpv draws with something else than Viaduct")
    same_picture(context, *pictures, colours=100)


@test("applications/mpv", seconds=400)
def mpv(context):
    """A window of mpv: gpu-next (libplacebo) and gpu on Vulkan, gpu on OpenGL through Zink"""
    vulkan = ["--gpu-api=vulkan", "--gpu-context=x11vk", "--vulkan-device=DEVICE"]
    play(context, "gpu-next-", ["--vo=gpu-next", *vulkan])
    play(context, "gpu-", ["--vo=gpu", *vulkan])
    play(context, "opengl-", ["--vo=gpu", "--gpu-api=opengl", "--gpu-sw"], **ZINK)


# ---- Vulkan's own tools

@test("applications/vkcube", seconds=180)
def vkcube(context):
    """vkcube ends after its frames in each present mode; what a device has not, it refuses"""
    display = context.enter(Xvfb(context)).display
    for mode in range(4):
        native, other = both(context, [setting.tool("vkcube"), "--c", "60", "--present_mode", mode],
                             label=f"mode-{mode}-", DISPLAY=display)
        same_lines(context, native.out, other.out.replace("Viaduct (", "").replace(")),", "),"),
                   f"what it says of mode {mode}")


@test("applications/gfxreconstruct", seconds=90)
def gfxreconstruct(context):
    """vkcube captured and replayed, natively and through Viaduct in all four ways: same pixels"""
    display = context.enter(Xvfb(context)).display
    replay = setting.tool("gfxrecon-replay")

    def capture(place, command, environment):
        path = context.path / f"{place}.gfxr"
        context.succeed(command, {
            **environment,
            "VK_INSTANCE_LAYERS": "VK_LAYER_LUNARG_gfxreconstruct",
            "GFXRECON_CAPTURE_FILE": str(path),
            "GFXRECON_CAPTURE_FILE_TIMESTAMP": "false",
        }, f"capture-{place}")
        context.check(path.exists(), f"{place}: the layer captured nothing")
        return path

    def pictures(path, place, wrap, environment):
        target = context.path / f"{path.stem}-replayed-{place}"
        target.mkdir()
        # Memory types differ, so that allocations are placed anew.
        result = context.succeed(wrap([replay, "-m", "rebind", "--screenshots", "5,15",
                                       "--screenshot-dir", target, path]), environment, target.name)
        if place == "through":
            crossed(context, result)
        return {shot.name: shot.read_bytes() for shot in target.iterdir()}

    cube = [setting.tool("vkcube"), "--c", "20"]
    native = native_environment(DISPLAY=display)
    other = clean_environment(DISPLAY=display, VIADUCT_DEBUG="stats")
    captures = [capture("native", cube, native), capture("through", through(cube), other)]
    results = {}
    for path in captures:
        results[f"{path.stem}, replayed natively"] = pictures(path, "native", list, native)
        results[f"{path.stem}, replayed through"] = pictures(path, "through", through, other)
    names, shots = list(results), list(results.values())
    context.check(len(shots[0]) == 2 and len(set(shots[0].values())) == 2,
                  f"{len(shots[0])} pictures natively, or twice the same")
    context.check(all(len(set(shot)) > 100 for shot in shots[0].values()), "a picture is blank")
    for name, shot in zip(names[1:], shots[1:]):
        context.check(shot == shots[0], f"captured {name}: other pictures than natively")


# ---- A container

@test("applications/container", seconds=60)
def in_container(context):
    """A program in a container that has the socket, the ICD and a loader: no driver, no devices"""
    server = context.enter(Server(context))
    command = [
        *container.isolated(context),
        "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
        "--ro-bind", "/etc/ld.so.cache", "/etc/ld.so.cache",
        # The host's drivers are not there.
        "--tmpfs", "/usr/share/vulkan", "--proc", "/proc", "--dev", "/dev",
        *container.driver(context), *container.server_socket(server),
        "--ro-bind", build_path() / "tests" / "compute", "/compute",
        "--setenv", "VIADUCT_DEBUG", "1",
    ]
    # The socket decides: without it there is no device.
    result = context.run([*command, "/compute"], clean_environment(), "without")
    context.check(result.status != 0, "it computes without a socket: it has another driver")
    context.succeed([*command, "--setenv", "VTEST_SOCKET_NAME", container.SOCKET, "/compute"],
                    clean_environment(), "compute")
    context.check("compute" in server.log(), "the log does not name the client")
