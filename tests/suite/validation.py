# SPDX-License-Identifier: MIT
"""The programs under the Khronos validation layer: above the ICD, and again below the server."""

import re

from harness import Failure, Skipped, add, setting, test, through
from harness.programs import RUNNABLE, skipped

# Debian 12's layer is 1.3.239 and judges a driver of Vulkan 1.4. What it complains of without
# cause is listed here one by one: the program's label and the message, both regular expressions.

ANY = r".*"

# The address is that of two buffers. The layer looks at the one whose memory is gone, and not at the one that
# has the address now.
OLD_BUFFER = (r"descriptor-bytes", r"VUID-VkDescriptorDataEXT-type-0803[0-2] .*previously bound memory was freed")

# Above the ICD.
FALSE_ALARMS = [
    OLD_BUFFER,
    # The layer keeps its own idea of a timeline's value and does not see that 10 was signalled
    # while 5 is waited for. It says itself: "This is most likely a validation bug".
    (r"sync", r"UNASSIGNED-VkSemaphore-state-timeout"),
]

# Properties that are younger than the layer. The server asks its driver for all that the driver
# has, in one chain, before any application has said what it wants.
YOUNGER_STRUCTS = {
    1000451001: "VkPhysicalDeviceNestedCommandBufferPropertiesEXT",
    1000470001: "VkPhysicalDeviceMaintenance5Properties",
    1000482001: "VkPhysicalDeviceShaderObjectPropertiesEXT",
    1000495001: "VkPhysicalDeviceLegacyVertexAttributesPropertiesEXT",
    1000511000: "VkPhysicalDeviceComputeShaderDerivativesPropertiesKHR",
    1000525000: "VkPhysicalDeviceVertexAttributeDivisorProperties",
    1000545001: "VkPhysicalDeviceMaintenance6Properties",
    1000562001: "VkPhysicalDeviceMaintenance7PropertiesKHR",
    1000572001: "VkPhysicalDeviceDeviceGeneratedCommandsPropertiesEXT",
}

# Between server and driver.
FALSE_ALARMS_BELOW = [
    OLD_BUFFER,
    # What the application enables that is younger than the layer.
    (r"memory-map2|swapchain-(?:xcb|wayland)",
     r"Device Extension VK_\w+ is not supported by this layer"),
    # The server uses the version that the driver has.
    (ANY, r"validation: Layer VK_LAYER_KHRONOS_validation uses API version 1\.3 which is older"),
    *((ANY, rf"VUID-VkPhysicalDeviceProperties2-pNext-pNext .*unknown VkStructureType \({number}\)")
      for number in YOUNGER_STRUCTS),
]

LAYER_SETTINGS = """\
khronos_validation.debug_action = VK_DBG_LAYER_ACTION_LOG_MSG
khronos_validation.report_flags = error,warn,perf,info
khronos_validation.log_filename = stdout
khronos_validation.enable_message_limit = false
"""

MESSAGE = re.compile(r"^\S+\((ERROR|WARN|PERF) / \w+\):.*", re.MULTILINE)
ACTIVE = "Khronos Validation Layer Active"


def layer_environment(context):
    """What the application's environment needs for the layer, which then writes to stdout."""
    folder = context.path / "layer"
    folder.mkdir()
    (folder / "vk_layer_settings.txt").write_text(LAYER_SETTINGS, encoding="utf-8")
    return {"VK_INSTANCE_LAYERS": "VK_LAYER_KHRONOS_validation",
            "VK_LAYER_SETTINGS_PATH": str(folder)}


def layer_messages(text):
    """What the layer complained about. Fails when the layer was not there to complain."""
    if ACTIVE not in text:
        raise Failure("the validation layer was not loaded, so its silence says nothing")
    return [match.group(0) for match in MESSAGE.finditer(text)]


def server_messages(text):
    return [line for line in text.splitlines()
            if re.match(r"viaduct-server: (error|warning): .*validation", line)
            # What the loader says of layers, which newer ones send the same way.
            and "VK_LOADER_LAYERS_DISABLE" not in line]


def expect_silence(label, messages, false_alarms):
    alarms = [message for message in messages
              if not any(re.fullmatch(program, label) and re.search(pattern, message)
                         for program, pattern in false_alarms)]
    if alarms:
        raise Failure(f"{len(alarms)} validation messages, the first: {alarms[0][:400]}")


def run(context, program, command, environment):
    result = context.run(command, program.environment(context, environment), "validated")
    if skipped(result):
        raise Skipped(result.last_line())
    if result.status != 0:
        raise Failure(f"under the layer it ends with {result.describe()}: {result.last_line()}")
    return result


def program_line(context, program):
    return program.command_line(setting.build_path(), context.path / "picture.png")


def natively(context, program):
    result = run(context, program, program_line(context, program),
                 setting.native_environment(**layer_environment(context)))
    expect_silence(program.label, layer_messages(result.out), FALSE_ALARMS)


def above(context, program):
    result = run(context, program, through(program_line(context, program)),
                 setting.clean_environment(**layer_environment(context)))
    expect_silence(program.label, layer_messages(result.out), FALSE_ALARMS)


def below(context, program):
    result = run(context, program, through(program_line(context, program), "--validate"),
                 setting.clean_environment())
    expect_silence(program.label, server_messages(result.err), FALSE_ALARMS_BELOW)


for program in RUNNABLE:
    for function, place, where, reason in (
            (natively, "native", "on lavapipe, to know the test itself", program.unvalidated),
            (above, "above", "above the ICD", program.unvalidated),
            (below, "below", "between server and driver", program.unvalidated_below)):
        if reason:
            continue
        add(lambda context, function=function, program=program: function(context, program),
            f"validation/{place}/{program.label}",
            f"`{' '.join(program.command)}` with the validation layer {where}",
            seconds=3 * program.seconds)


@test("validation/above/catches")
def above_catches(context):
    """A program with a mistake is noticed by the layer above the ICD"""
    result = context.succeed(through([setting.build_path() / "tests" / "misuse"]),
                             setting.clean_environment(**layer_environment(context)))
    context.check(any("VUID-vkCmdCopyBuffer" in line for line in layer_messages(result.out)),
                  "the layer says nothing about a wrong vkCmdCopyBuffer")


@test("validation/below/catches")
def below_catches(context):
    """A program with a mistake is noticed by the layer between server and driver"""
    result = context.succeed(through([setting.build_path() / "tests" / "misuse"], "--validate"),
                             setting.clean_environment())
    context.check(any("VUID-vkCmdCopyBuffer" in line for line in server_messages(result.err)),
                  "the server's log says nothing about a wrong vkCmdCopyBuffer")


@test("validation/below/off")
def below_off(context):
    """Without --validate the same mistake is nobody's business"""
    result = context.succeed(through([setting.build_path() / "tests" / "misuse"]),
                             setting.clean_environment())
    context.check(not server_messages(result.err), "the server validates without being asked")
