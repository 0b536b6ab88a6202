# SPDX-License-Identifier: MIT
"""viaduct top, and where it asks: the server's socket for statistics."""

import json
import os
import re
import shutil
import signal
import socket

from harness import Server, build_path, clean_environment, process, test

from .faults import Faults

FOUR = 4
NOBODY = 65534


def program(name):
    return build_path() / "tests" / name


def stats_path(server):
    return f"{server.socket}.stats"


def top(context, server, *options, under=()):
    command = [*under, build_path() / "tools" / "viaduct", "top", "--stats", stats_path(server),
               "--interval", "0.5", *options]
    return context.run(command, clean_environment(), "top")


def clients(context, server):
    """What `viaduct top --json` says of each client, by its number."""
    result = top(context, server, "--json")
    context.check(result.status == 0, f"viaduct top gave {result.describe()}: {result.err}")
    return {client["client"]: client for client in json.loads(result.out)["clients"]}


def ask(server, request):
    """Everything that the socket answers."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(stats_path(server))
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while part := client.recv(65536):
            answer += part
    return answer.decode()


def started(context, server, mode, line, **extra):
    client = context.start([program("linger"), mode], server.client_environment(**extra), "client")
    context.check(client.wait_for_line(line, 60), f"`linger {mode}` does not get there: {client.err()}")
    return client


@test("top/numbers", seconds=120)
def numbers(context):
    """Beside four clients `viaduct top` has the numbers that they have counted themselves, within 1 %"""
    server = context.enter(Server(context))
    four = [started(context, server, "busy", "work is done", VIADUCT_DEBUG="stats") for _ in range(FOUR)]
    # Others that have nothing to say to it.
    idle = started(context, server, "idle", "linger: .* ms")
    shown = {client["pid"]: client for client in clients(context, server).values()}
    for client in four:
        client.send(signal.SIGTERM)
        context.check(client.wait(20), "a client does not end")
        found = re.search(r"stats: calls=(\d+) .*bytes=(\d+)", client.err())
        context.check(found, f"it has counted nothing: {client.err()}")
        context.check(client.pid in shown, f"{client.pid} is not shown: {sorted(shown)}")
        told = shown[client.pid]
        for name, own in (("calls", int(found[1])), ("bytes", int(found[2]))):
            context.note(f"{name}: {told[name]} of {own}")
            context.check(own > 1000 and abs(told[name] - own) <= own / 100,
                          f"{name}: {told[name]} where the client has counted {own}")
        context.check(told["submitted"] == told["finished"] == 500, f"batches: {told}")
        context.check(told["name"] == "linger" and told["where"] == "host" and not told["stuck"],
                      f"who it is: {told}")
        context.check(told["uid"] == os.getuid(), f"another user: {told}")
        context.check(told["shared_memory"] > 1 << 20 and told["gpu_seconds"] > 0, f"memory: {told}")
        context.check(told["state"] == "idle" and told["command"] == "", f"it does something: {told}")
    context.check(idle.pid in shown, "the idle client is not shown")
    idle.kill()
    context.check(process.wait_until(lambda: not clients(context, server), 20),
                  "clients that are gone are shown")


@test("top/table")
def table(context):
    """Where the output is no terminal, it is one table; --help, and what makes no sense"""
    server = context.enter(Server(context))
    client = started(context, server, "idle", "linger: .* ms")
    result = top(context, server)
    context.check(result.status == 0 and "\033" not in result.out, f"{result.describe()}: {result.out}")
    rows = [line.split() for line in result.out.splitlines()]
    context.check(rows[0][:2] == ["1", "client"], f"no head: {result.out}")
    context.check([row for row in rows if row[1:2] == [str(client.pid)] and row[-1] == "idle"],
                  f"the client has no row: {result.out}")
    # The place is found from the socket that clients use, too.
    command = [build_path() / "tools" / "viaduct", "top", "--once", "--interval", "0.1"]
    context.succeed(command, server.client_environment(), "by-environment")
    context.succeed([*command, "--socket", server.socket], clean_environment(), "by-socket")
    for options, status in ((["--interval", "0"], 2), (["more"], 2), (["--stats", "x" * 200], 2),
                            (["--stats", f"{server.socket}.none"], 1), (["--stats", server.socket], 1)):
        result = context.run([*command, *options], clean_environment())
        context.check(result.status == status, f"{options} gave {result.describe()}")
        context.check(result.err.startswith("viaduct"), f"{options}: it does not say why")


@test("top/stuck-call", seconds=90)
def stuck_call(context):
    """A client whose call does not return is named, with the command and for how long; others are not"""
    faults = Faults(context)
    server = faults.start(context)
    other = started(context, server, "idle", "linger: .* ms")
    with open(faults.file, "r+b") as file:
        file.write(b"vkCreateSampler")
    faults.set(64, 60000)
    stuck = context.start([program("linger"), "busy"],
                          {**server.client_environment(), "VIADUCT_FAULTS": faults.file}, "stuck")
    context.check(process.wait_until(lambda: faults.get(68), 30), "nothing sleeps")
    shown = {client["pid"]: client for client in clients(context, server).values()}
    told = shown[stuck.pid]
    context.check(told["stuck"] and told["command"] == "vkCreateSampler", f"not named: {told}")
    context.check(re.fullmatch(r"vkCreateSampler for \d+\.\d s", told["state"]), f"state: {told}")
    context.check(0.4 < told["command_seconds"] < 60, f"for how long: {told}")
    context.check(not shown[other.pid]["stuck"], f"the other one is: {shown[other.pid]}")
    later = {client["pid"]: client for client in clients(context, server).values()}[stuck.pid]
    context.check(later["command_seconds"] > told["command_seconds"] + 0.4, "time does not pass")


@test("top/crash", seconds=90)
def crash(context):
    """The log names the command that a worker was in which has crashed"""
    faults = Faults(context)
    server = faults.start(context)
    with open(faults.file, "r+b") as file:
        file.write(b"vkCreateSampler")
    faults.set(64, 60000)
    context.start([program("linger"), "busy"],
                  {**server.client_environment(), "VIADUCT_FAULTS": faults.file}, "client")
    context.check(process.wait_until(lambda: faults.get(68), 30), "nothing sleeps")
    os.kill(server.workers()[0], signal.SIGSEGV)
    context.check(process.wait_until(lambda: re.search(
        r"ended by signal 11 \(Segmentation fault\).*, while it was in vkCreateSampler$", server.log(),
        re.MULTILINE), 20), f"it does not: {server.log()}")


@test("top/stuck-gpu", seconds=90)
def stuck_gpu(context):
    """A client whose shader does not end has a batch that is not finished, and all of the GPU's time"""
    server = context.enter(Server(context))
    started(context, server, "shader", "the shader runs")
    told = next(iter(clients(context, server).values()))
    context.check(told["queued"] == 1 and told["stuck"] and "the GPU finishes nothing" in told["state"],
                  f"it is not told: {told}")
    context.check(told["gpu_share"] > 0.8, f"the GPU is not busy: {told}")


LABEL = r'[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"([a-z_]+)(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?\d+(?:\.\d+)?)")


def parse(context, text):
    """{name: {labels: value}} of Prometheus' text format, where each family is announced before it is used."""
    found, types = {}, {}
    for line in text.splitlines():
        if announced := re.fullmatch(r"# TYPE ([a-z_]+) (counter|gauge)", line):
            context.check(announced[1] not in types, f"{announced[1]} is announced twice")
            types[announced[1]] = announced[2]
        elif not re.fullmatch(r"# HELP [a-z_]+ .+", line):
            sample = SAMPLE.fullmatch(line)
            context.check(sample, f"this is no sample: {line!r}")
            context.check(sample[1] in types, f"{sample[1]} has no type")
            context.check((types[sample[1]] == "counter") == sample[1].endswith("_total"),
                          f"{sample[1]} is a {types[sample[1]]}")
            found.setdefault(sample[1], {})[sample[2]] = float(sample[3])
    context.check(text.endswith("\n"), "the last line does not end")
    return found


@test("top/prometheus")
def prometheus(context):
    """GET /metrics, and whatever else is said, is answered in Prometheus' text format"""
    server = context.enter(Server(context))
    none = parse(context, ask(server, b""))
    context.check(none["viaduct_clients"][None] == 0, f"somebody is there: {none}")
    client = started(context, server, "busy", "work is done")
    head, _, body = ask(server, b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n").partition("\r\n\r\n")
    context.check(head.startswith("HTTP/1.0 200 OK\r\n"), f"the answer is {head!r}")
    context.check(f"Content-Length: {len(body)}\r\n" in head, f"its length is {len(body)}: {head!r}")
    metrics = parse(context, body)
    labels = f'client="1",name="linger",pid="{client.pid}",uid="{os.getuid()}",guest=""'
    for name, least in (("calls_total", 500), ("bytes_total", 10000), ("gpu_seconds_total", 0.0001),
                        ("finished_batches_total", 500), ("shared_memory_bytes", 1 << 20)):
        value = metrics[f"viaduct_client_{name}"].get(labels)
        context.check(value and value >= least, f"{name} is {metrics[f'viaduct_client_{name}']}")
    for request in (b"\n", b"what?\n", b"GET / HTTP/1.0\r\n\r\n"):
        answer = ask(server, request)
        context.check(parse(context, answer.split("\r\n\r\n")[-1]).keys() == metrics.keys(),
                      f"{request!r} gives {answer!r}")
    context.check(ask(server, b"GET /etc/passwd HTTP/1.0\r\n\r\n").startswith("HTTP/1.0 404 "),
                  "there is more than there should be")


@test("top/strangers", seconds=90)
def strangers(context):
    """Another user, and whoever is in a container, is told nothing; who does not speak holds nobody up"""
    server = context.enter(Server(context))
    started(context, server, "idle", "linger: .* ms")
    path = stats_path(server)
    context.check(os.stat(path).st_mode & 0o777 == 0o600, "the socket is not the user's alone")
    silent = []
    for _ in range(40):
        silent.append(context.enter(socket.socket(socket.AF_UNIX)))
        silent[-1].connect(path)
    context.check(len(clients(context, server)) == 1, "nothing is told beside others who say nothing")
    if os.geteuid() != 0:
        context.skip("only root can be somebody else")
    os.chmod(os.path.dirname(path), 0o755)
    os.chmod(path, 0o777)
    shutil.copy(build_path() / "tools" / "viaduct", os.path.dirname(path))
    mine = [os.path.join(os.path.dirname(path), "viaduct"), "top", "--once", "--stats", path]
    context.succeed(mine, clean_environment(), "root")
    for what, under in (("another user", ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]),
                        ("a container", ["unshare", "--pid", "--fork", "--kill-child"])):
        result = context.run([*under, *mine], clean_environment(), "stranger")
        context.check(result.status == 1 and result.out == "",
                      f"{what} is told: {result.describe()}: {result.out}")
        context.check("viaduct: " in result.err, f"{what} is not told why: {result.err}")
    context.check("may not ask what clients do: it is neither" in server.log(),
                  f"the log says nothing: {server.log()}")


@test("top/nowhere")
def nowhere(context):
    """--stats chooses the place, or none; the socket is gone when the server is"""
    server = context.enter(Server(context, "--stats", "-"))
    context.check(os.listdir(os.path.dirname(server.socket)) == ["socket"], "there is another socket")
    folder = os.path.dirname(context.enter(Server(context)).socket)
    other = context.enter(Server(context, "--stats", f"{folder}/elsewhere"))
    context.check(os.path.exists(f"{folder}/elsewhere") and not os.path.exists(stats_path(other)),
                  "it is not where it should be")
    context.check(other.stop() == 0 and not os.path.exists(f"{folder}/elsewhere"), "it is left behind")
