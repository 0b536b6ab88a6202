# SPDX-License-Identifier: MIT
"""Devices that are lost, and what comes after."""

import os
import signal

from harness import Server, add, build_path, process


def kill_workers(server):
    for worker in server.workers():
        os.kill(worker, signal.SIGKILL)


def recover(context, mode, victim):
    server = context.enter(Server(context))
    client = context.start([build_path() / "tests" / "recover", mode], server.client_environment())
    for loss in range(1, 3 if mode == "twice" else 2):
        context.check(process.wait_until(lambda n=loss: client.out().count("ready") == n, 20),
                      "the client does not get ready")
        if victim == "worker":
            kill_workers(server)
        else:
            server.stop()
            if mode == "unserved":
                client.send(signal.SIGUSR1)
                context.check(client.wait_for_line("^unserved", 20), "it finds a server")
            server = context.enter(Server(context, socket=server.socket))
        client.send(signal.SIGUSR1)
    context.check(client.wait(30), "the client hangs")
    result = client.result()
    context.check(result.status == 0,
                  f"the client ended with {result.describe()}: {result.last_line()}")


for mode in ("device", "instance", "both", "twice"):
    for victim in ("worker", "server"):
        add(lambda context, mode=mode, victim=victim: recover(context, mode, victim),
            f"recover/{victim}/{mode}",
            f"The {victim} ends, and `recover {mode}` goes on with a new device")
add(lambda context: recover(context, "unserved", "server"), "recover/server/unserved",
    "A new device while no server runs is VK_ERROR_DEVICE_LOST, and works when one does")
