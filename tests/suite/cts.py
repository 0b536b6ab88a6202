# SPDX-License-Identifier: MIT
"""scripts/cts itself, with a stand-in for dEQP-VK."""

import json
import shutil

from harness import setting, test

EXPECTED = {
    "dEQP-VK.api.fail.through": "Fail",
    "dEQP-VK.api.unsupported.through": "NotSupported",
    "dEQP-VK.api.crash.through": "Crash",
    "dEQP-VK.api.lost.through": "DeviceLost",
    "dEQP-VK.memory.hang.through": "Timeout",
}


def make_deqp(context):
    folder = context.path / "deqp"
    (folder / "vulkan").mkdir(parents=True)
    program = folder / "deqp-vk"
    shutil.copy(setting.root_path() / "tests" / "cts" / "fake_deqp.py", program)
    program.chmod(0o755)
    return program


def run(context, *options):
    out = context.path / "results"
    result = context.run(
        [setting.root_path() / "scripts" / "cts", "--deqp", make_deqp(context), "--out", out,
         "--build", setting.build_path().relative_to(setting.root_path()), *options],
        setting.native_environment())
    return result, json.loads((out / "results.json").read_text(encoding="utf-8"))


@test("cts/differences")
def differences(context):
    """scripts/cts finds what differs, whatever the case does, and nothing else"""
    cases = context.path / "list.txt"
    cases.write_text("dEQP-VK.*\n-dEQP-VK.*.excluded.*\n", encoding="utf-8")
    result, document = run(context, "--list", cases, "--timeout", "2")
    context.check(result.status == 1, f"a run with differences ended with {result.describe()}")
    found = {entry["case"]: entry["viaduct"][0][0] for entry in document["differences"]
             if entry["kind"] == "difference"}
    context.check(found == EXPECTED, f"differences: {found}")
    kinds = {entry["case"]: entry["kind"] for entry in document["differences"]}
    context.check(kinds.get("dEQP-VK.memory.flaky.native") == "flaky natively",
                  "a case that is flaky natively is not called that")
    context.check(len(document["cases"]) == 17, f"{len(document['cases'])} cases were run, not 17")
    both = document["cases"]["dEQP-VK.api.fail.both"]
    context.check(both["native"] == ["Fail", "the image is wrong"], f"said: {both['native']}")
    for case in EXPECTED:
        context.check(case in result.out, f"{case} is not named in the output")


@test("cts/no-difference")
def no_difference(context):
    """scripts/cts is content with a list on which both sides agree"""
    cases = context.path / "list.txt"
    cases.write_text("dEQP-VK.api.pass.*\ndEQP-VK.api.fail.both\ndEQP-VK.api.crash.both\n"
                     "dEQP-VK.pipeline.monolithic.* 2  # of four\n"
                     "dEQP-VK.nothing.here\n", encoding="utf-8")
    result, document = run(context, "--list", cases)
    context.check(result.status == 0, f"a run without differences ended with {result.describe()}")
    context.check(len(document["cases"]) == 7, f"{len(document['cases'])} cases were run, not 7")
    context.check("nothing that matches dEQP-VK.nothing.here" in result.out,
                  "a pattern without cases is not mentioned")


@test("cts/no-deqp")
def no_deqp(context):
    """scripts/cts without a dEQP-VK says how to get one"""
    result = context.run([setting.root_path() / "scripts" / "cts"], setting.clean_environment())
    context.check(result.status == 2, f"ended with {result.describe()}")
    context.check("fetch_sources.py" in result.err, "it does not say how to build one")
