# SPDX-License-Identifier: MIT
"""Compares the results of the two sides, and says what came out."""

import collections
import json

from . import caselist

GOOD = ("Pass", "QualityWarning", "CompatibilityWarning", "CapabilityWarning", "Waiver")
# Short names for the table's columns, with the statuses that they count.
COLUMNS = {
    "pass": GOOD,
    "unsupp": ("NotSupported",),
    "fail": ("Fail", "ResourceError", "InternalError", "DeviceLost"),
    "crash": ("Crash",),
    "hang": ("Timeout",),
    "missing": ("Missing",),
}
SAID = 160  # characters of a message in the list of differences


class Expectation:
    def __init__(self, pattern, native, viaduct, reason):
        self.pattern = pattern
        self.match = caselist.expression(pattern).match
        self.native = native
        self.viaduct = viaduct
        self.reason = reason
        self.used = 0


def read_expectations(path):
    """Lines of CASE NATIVE VIADUCT REASON; the reason names the specification."""
    expectations = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        words = line.split(None, 3)
        if len(words) < 4:
            raise caselist.ListError(f"{path}:{number}: a line is CASE NATIVE VIADUCT REASON")
        expectations.append(Expectation(*words))
    return expectations


class Difference:
    def __init__(self, case):
        self.case = case
        self.native = []   # the outcomes of every time it was run
        self.viaduct = []
        self.expected = None

    @property
    def flaky(self):
        """The host driver does not always say the same, so there is nothing to compare with."""
        return len({outcome.status for outcome in self.native}) > 1

    @property
    def kind(self):
        if self.flaky:
            return "flaky natively"
        if self.expected:
            return "expected"
        native = self.native[0].status
        if native not in GOOD and all(x.status in (native, *GOOD) for x in self.viaduct):
            return "better"
        if any(outcome.status == native for outcome in self.viaduct):
            return "now and then"
        return "difference"

    def line(self):
        def said(outcomes):
            counts = collections.Counter(outcome.status for outcome in outcomes)
            return " ".join(status if count == len(outcomes) else f"{status}({count})"
                            for status, count in counts.items())

        text = f"{self.case}  {said(self.native)} -> {said(self.viaduct)}"
        if self.kind == "now and then":
            text += "  (now and then)"
        if self.expected:
            return f"{text}  ({self.expected.reason})"
        odd = next((outcome for outcome in self.viaduct
                    if outcome.status != self.native[0].status), self.viaduct[0])
        return f"{text}  {' '.join(odd.message.split())[:SAID]}"


def differs(native, viaduct):
    if native.status == viaduct.status:
        return False
    # A driver that crashes takes the application with it natively, and only the worker otherwise.
    return not (native.status == "Crash" and viaduct.status not in GOOD + ("NotSupported",))


def judge(differences, expectations):
    for difference in differences:
        for expectation in expectations:
            if (expectation.match(difference.case)
                    and expectation.native == difference.native[0].status
                    and all(outcome.status in (expectation.native, expectation.viaduct)
                            for outcome in difference.viaduct)):
                difference.expected = expectation
                expectation.used += 1
                break


def no_longer_seen(expectations, results, known):
    """Patterns of expectations that can go: every case that they are about has been run on both sides,
    says natively what they say, and does not differ. `known` is every case of this dEQP-VK, or None."""
    both = results["native"].keys() & results["viaduct"].keys() if len(results) == 2 else set()
    for expectation in expectations:
        if "*" not in expectation.pattern:
            about = [expectation.pattern]
        elif known is None:
            continue
        else:
            about = caselist.matching(known, expectation.pattern)
        if about and not expectation.used and both.issuperset(about) and all(
                results["native"][case].status == expectation.native for case in about):
            yield expectation.pattern


def _counts(outcomes):
    counts = collections.Counter(outcome.status for outcome in outcomes)
    return {name: sum(counts[status] for status in statuses)
            for name, statuses in COLUMNS.items()}


def table(results, differences):
    """The table, a line for each group. results: {side: {case: outcome}}."""
    sides = list(results)
    groups = {}
    for side in sides:
        for case, outcome in results[side].items():
            groups.setdefault(caselist.group(case), {}).setdefault(side, []).append(outcome)
    counted = collections.Counter(
        caselist.group(difference.case) for difference in differences if not difference.flaky)

    everything = {side: list(results[side].values()) for side in sides}
    columns = [name for name in COLUMNS if any(_counts(everything[side])[name] for side in sides)]
    width = max([len(name) for name in groups] + [5])
    titles = f"{'':{width}}  {'':>7}"
    heads = f"{'group':{width}}  {'cases':>7}"
    for side in sides:
        titles += f"   {side:<{8 * len(columns)}}"
        heads += "   " + "".join(f"{name:>8}" for name in columns)
    lines = [titles.rstrip(), heads + ("   differ" if len(sides) == 2 else "")]

    def row(name, members):
        text = f"{name:{width}}  {max(len(members.get(side, ())) for side in sides):>7}"
        for side in sides:
            counts = _counts(members.get(side, ()))
            text += "   " + "".join(f"{counts[column] or '.':>8}" for column in columns)
        return text

    for name in sorted(groups):
        lines.append(row(name, groups[name])
                     + (f"{counted[name] or '.':>9}" if len(sides) == 2 else ""))
    lines.append(row("all", everything)
                 + (f"{sum(counted.values()) or '.':>9}" if len(sides) == 2 else ""))
    return "\n".join(lines)


def write(directory, about, results, differences):
    """results.json has everything, differences.txt a line for each difference."""
    cases = {}
    for side, outcomes in results.items():
        for case, outcome in outcomes.items():
            cases.setdefault(case, {})[side] = [outcome.status, outcome.message]
    document = {
        **about,
        "totals": {side: collections.Counter(outcome.status for outcome in outcomes.values())
                   for side, outcomes in results.items()},
        "differences": [{
            "case": difference.case,
            "kind": difference.kind,
            "native": [[outcome.status, outcome.message] for outcome in difference.native],
            "viaduct": [[outcome.status, outcome.message] for outcome in difference.viaduct],
        } for difference in differences],
        "cases": cases,
    }
    (directory / "results.json").write_text(json.dumps(document, indent=1) + "\n",
                                            encoding="utf-8")
    (directory / "differences.txt").write_text(
        "".join(f"{difference.kind}: {difference.line()}\n" for difference in differences),
        encoding="utf-8")
