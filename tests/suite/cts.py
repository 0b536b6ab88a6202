# SPDX-License-Identifier: MIT
"""scripts/cts itself, with a stand-in for dEQP-VK."""

import json
import os
import shutil

from cts import deqp as deqp_module
from cts import report
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


def run(context, *options, deqp=None, out="results"):
    out = context.path / out
    result = context.run(
        [setting.root_path() / "scripts" / "cts", "--deqp", deqp or make_deqp(context), "--out", out,
         "--cases", context.path / "cases",
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
    context.check(kinds.get("dEQP-VK.api.fail.native") == "better",
                  "a case that only passes through Viaduct is not called better")
    context.check(len(document["cases"]) == 18, f"{len(document['cases'])} cases were run, not 18")
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


@test("cts/better")
def better(context):
    """What only passes through Viaduct is named, and is no reason to fail"""
    cases = context.path / "list.txt"
    cases.write_text("dEQP-VK.api.pass.a\ndEQP-VK.api.fail.native\n", encoding="utf-8")
    result, _ = run(context, "--list", cases)
    context.check(result.status == 0, f"a run with an improvement ended with {result.describe()}")
    context.check("better:\n  dEQP-VK.api.fail.native" in result.out, "it does not name the improvement")


@test("cts/accident")
def accident(context):
    """A dEQP-VK that crashes between two cases: the last one is named"""
    cases = context.path / "list.txt"
    cases.write_text("dEQP-VK.api.pass.a\ndEQP-VK.memory.excluded.leave\n", encoding="utf-8")
    result, _ = run(context, "--list", cases)
    context.check(result.status == 1, f"a run with an accident ended with {result.describe()}")
    context.check("SIGSEGV after dEQP-VK.memory.excluded.leave" in result.out, "it does not name the case")


@test("cts/resume")
def resume(context):
    """A run that was interrupted goes on with --resume, and only with the same options; without, what
    it has left is put aside"""
    cases = context.path / "list.txt"
    cases.write_text("dEQP-VK.api.pass.*\ndEQP-VK.pipeline.*\n", encoding="utf-8")
    deqp = make_deqp(context)
    run(context, "--list", cases, deqp=deqp)
    out = context.path / "results"
    lines = (out / "journal.tsv").read_text(encoding="utf-8").splitlines()
    # Half of it, which says something of its own, an accident, and a line that was cut.
    left = lines[:1] + [line + " before" for line in lines[1:6]]
    left += ["viaduct\t\tAccident\t0\tmet before", lines[7][:len(lines[7]) // 2]]

    def interrupt():
        (out / "journal.new").write_text("\n".join(left), encoding="utf-8")

    interrupt()
    result, document = run(context, "--list", cases, "--resume", deqp=deqp)
    said = [text for sides in document["cases"].values() for _, text in sides.values()]
    context.check(len(said) == len(lines) - 1, f"{len(said)} results, not {len(lines) - 1}")
    context.check(sum(text.endswith("before") for text in said) == 5, "it has run everything again")
    context.check("met before" in result.out and result.status == 1, "the accident is forgotten")
    interrupt()
    result = context.run([setting.root_path() / "scripts" / "cts", "--deqp", deqp, "--out", out,
                          "--cases", context.path / "cases", "--list", cases, "--resume",
                          "--timeout", "77"], setting.native_environment())
    context.check(result.status == 2, "it mixes results of other options")
    run(context, "--list", cases, deqp=deqp)
    context.check((out / "journal.interrupted").exists(), "the interrupted run's results are gone")


@test("cts/case-list")
def case_list(context):
    """The list of all cases is asked for once, whatever the output folder, and again of a new build"""
    cases = context.path / "list.txt"
    cases.write_text("dEQP-VK.api.pass.*\n", encoding="utf-8")
    deqp = make_deqp(context)
    asked = []
    for out in ("one", "two", "three"):
        if out == "three":
            os.utime(deqp, (1, 1))
        result, _ = run(context, "--list", cases, deqp=deqp, out=out)
        asked.append("asks dEQP-VK for its cases" in result.out)
    context.check(asked == [True, False, True], f"asked: {asked}")
    kept = list((context.path / "cases").iterdir())
    context.check(len(kept) == 1, f"kept: {kept}")


@test("cts/expectations")
def expectations(context):
    """An expected difference is to be taken out where all that it is about was run and is the same"""
    outcomes = {case: deqp_module.Outcome(status, "") for case, status in
                {"dEQP-VK.a.x": "Pass", "dEQP-VK.a.y": "Pass", "dEQP-VK.b": "NotSupported"}.items()}
    known = sorted([*outcomes, "dEQP-VK.a.z"])
    results = {"native": outcomes, "viaduct": outcomes}

    def unseen(pattern, known=known, results=results):
        return list(report.no_longer_seen([report.Expectation(pattern, "Pass", "Fail", "why")],
                                          results, known))

    context.check(unseen("dEQP-VK.a.x"), "what is never seen stays")
    context.check(unseen("dEQP-VK.a.x", known=None), "what is never seen stays without the list")
    context.check(unseen("dEQP-VK.a.*", known=sorted(outcomes)), "a pattern that is never seen stays")
    context.check(not unseen("dEQP-VK.a.*"), "a sample has not run dEQP-VK.a.z")
    context.check(not unseen("dEQP-VK.a.*", known=None), "nobody knows what there is")
    context.check(not unseen("dEQP-VK.b"), "this driver does not do what it is about")
    context.check(not unseen("dEQP-VK.a.x", results={"native": outcomes}), "one side says nothing")


@test("cts/no-deqp")
def no_deqp(context):
    """scripts/cts without a dEQP-VK says how to get one"""
    result = context.run([setting.root_path() / "scripts" / "cts"], setting.clean_environment())
    context.check(result.status == 2, f"ended with {result.describe()}")
    context.check("fetch_sources.py" in result.err, "it does not say how to build one")
