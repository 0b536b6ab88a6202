# SPDX-License-Identifier: MIT
"""What the server's log says of the GPU's last work when the host's driver loses a device."""

import re

from harness import Server, build_path, test

from .layers import environment, run

LOSE = "VK_LAYER_VIADUCT_lose"


def lost_by(context, number, *options):
    """The lines about the loss, in a run where the draw of this number loses the device (0: none does)."""
    variables = {**environment(LOSE), "VIADUCT_LOSE": str(number)}
    server = context.enter(Server(context, *options, environment=variables))
    result = run(context, server.client_environment(), "through", "lastdraw")
    finished = int(re.search(r"(\d+) batches have finished", result.out)[1])
    return finished, re.findall(r"error: client 1 \(lastdraw\): device lost: (.*)", server.log())


@test("flight/lost-by-draw", seconds=90)
def lost_by_draw(context):
    """The log names the draws of the batch that did not finish, with pipeline, render pass and labels, and
    what the driver says of the fault"""
    handle = "0x[0-9a-f]+"
    for number, batch in ((3, 2), (6, 3), (1, 1)):
        finished, lines = lost_by(context, number)
        context.check(finished == batch - 1, f"{finished} batches have finished, not {batch - 1}")
        for wanted in (
                rf"queue 0 has finished batch {batch - 1} and not {batch}, of 1 command buffer",
                rf"command buffer {handle} \(batch {batch}\): \d+ commands, of which 4 have the GPU work",
                rf"command \d+: vkCmdDraw\(3, {batch}, 0, 0\), pipeline {handle} \(opaque\), "
                rf"render pass {handle} \(main pass\), in frame {batch} > walls",
                rf"command \d+: vkCmdDraw\(3, {batch}, 0, 7\), pipeline {handle} \(glass\), "
                rf"render pass {handle} \(main pass\), in frame {batch} > windows",
                rf"the host's driver: the {number}\. draw was the last",
                r"the host's driver: write to 0x123456789000, or 4096 bytes around it",
                r"the host's driver: of the vendor \(77, 78\)"):
            context.check([line for line in lines if re.fullmatch(wanted, line)],
                          f"draw {number}: no line is {wanted!r}: {lines}")
        # What has finished can not have done it.
        context.check(not [line for line in lines if "vkCmdDraw" in line
                           and f"frame {batch} " not in line], f"more is accused: {lines}")


@test("flight/nothing-lost")
def nothing_lost(context):
    """The same where nothing is lost: nothing is said"""
    finished, lines = lost_by(context, 0)
    context.check(finished == 3 and not lines, f"{finished} batches have finished: {lines}")
