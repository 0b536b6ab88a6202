# SPDX-License-Identifier: MIT
"""RenderDoc without its window; Debian's python3-renderdoc is what it is driven by.

  frames.py capture PATH PROGRAM ARGUMENTS   starts the program and captures its tenth frame
  frames.py replay PATH.rdc OUT.png          what the frame presents
"""

import sys
import time

import renderdoc

FRAME = 10
SECONDS = 60


def expect(condition, what):
    if not condition:
        sys.exit(f"renderdoc: {what}")


def capture(path, program, arguments):
    options = renderdoc.GetDefaultCaptureOptions()
    started = renderdoc.ExecuteAndInject(program, "", arguments, [], path, options, False)
    expect(started.result.OK(), f"{program}: {started.result}")
    target = renderdoc.CreateTargetControl("", started.ident, "test", True)
    expect(target, "it can not be controlled")
    target.QueueCapture(FRAME, 1)
    deadline = time.monotonic() + SECONDS
    captured = None
    # Until the program has ended.
    while time.monotonic() < deadline and target.Connected():
        message = target.ReceiveMessage(None)
        if message.type == renderdoc.TargetControlMessageType.NewCapture:
            captured = message.newCapture.path
        elif message.type == renderdoc.TargetControlMessageType.Disconnected:
            break
    target.Shutdown()
    expect(captured, "nothing was captured")
    print(f"captured: {captured}")


def replay(path, out):
    renderdoc.InitialiseReplay(renderdoc.GlobalEnvironment(), [])
    file = renderdoc.OpenCaptureFile()
    result = file.OpenFile(path, "", None)
    expect(result.OK(), f"{path}: {result}")
    result, controller = file.OpenCapture(renderdoc.ReplayOptions(), None)
    expect(result.OK(), f"{path}: {result}")
    action = controller.GetRootActions()[-1]
    while action.children:
        action = action.children[-1]
    controller.SetFrameEvent(action.eventId, True)
    save = renderdoc.TextureSave()
    save.resourceId = action.copyDestination
    save.destType = renderdoc.FileType.PNG
    save.alpha = renderdoc.AlphaMapping.Discard
    result = controller.SaveTexture(save, out)
    expect(result.OK(), f"{out}: {result}")
    print(f"replayed: {action.GetName(controller.GetStructuredFile())}")
    controller.Shutdown()
    file.Shutdown()
    renderdoc.ShutdownReplay()


expect(len(sys.argv) >= 4, __doc__)
{"capture": capture, "replay": replay}[sys.argv[1]](*sys.argv[2:])
