# SPDX-License-Identifier: MIT
"""Who a device says that it is, and what that promises."""

from harness import Server, build_path, lavapipe, test


def run(context, *arguments):
    server = context.enter(Server(context))
    environment = server.client_environment()
    drivers = f"{lavapipe()}:{environment['VK_DRIVER_FILES']}"
    result = context.succeed([build_path() / "tests/identity", *arguments],
                             {**environment, "VK_DRIVER_FILES": drivers, "VK_ICD_FILENAMES": drivers},
                             "identity")
    lines = result.out.splitlines()
    promised = [line for line in lines if line.endswith(": promised")]
    context.check(len(lines) == 4 and len(promised) == 2,
                  f"each driver with itself, and no more: {lines}")
    context.check(all((" to Viaduct" in line) == line.startswith("Viaduct") for line in promised),
                  f"promised: {promised}")


@test("identity/one-server")
def one_server(context):
    """Natively and through Viaduct in one process: opaque descriptors are exchanged where UUIDs promise it"""
    run(context)


@test("identity/two-servers")
def two_servers(context):
    """The same with two servers of one machine"""
    run(context, context.enter(Server(context)).socket)
