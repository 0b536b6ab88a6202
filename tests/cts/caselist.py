# SPDX-License-Identifier: MIT
"""Case lists: files of names and patterns, expanded against what a dEQP-VK has.

A line of a list is

    dEQP-VK.info.device_properties      one case
    dEQP-VK.api.smoke.*                 all cases that match; * stands for anything, dots too
    dEQP-VK.pipeline.monolithic.* 500   500 of them, drawn by the seed
    -dEQP-VK.*.out_of_memory.*          none of these, wherever the line stands
    # a comment
"""

import bisect
import gzip
import hashlib
import random
import re
import subprocess

# Groups whose subgroups are as large as other groups, and are counted each for itself.
DIVIDED = ("pipeline", "image", "glsl", "renderpasses", "shader_object")


class ListError(Exception):
    """A list cannot be used; the message says why."""


class Line:
    def __init__(self, pattern, count=None, exclude=False):
        self.pattern = pattern
        self.count = count
        self.exclude = exclude


def parse(text, name="list"):
    lines = []
    for number, raw in enumerate(text.splitlines(), 1):
        words = raw.split("#", 1)[0].split()
        if not words:
            continue
        exclude = words[0].startswith("-")
        pattern = words[0].lstrip("-")
        if len(words) > 2 or (len(words) == 2 and (exclude or not words[1].isdigit())):
            raise ListError(f"{name}:{number}: a line is PATTERN, PATTERN COUNT or -PATTERN")
        if not pattern.startswith("dEQP-VK."):
            raise ListError(f"{name}:{number}: '{pattern}' does not begin with dEQP-VK.")
        lines.append(Line(pattern, int(words[1]) if len(words) == 2 else None, exclude))
    return lines


def group(case):
    """The group that a case is counted in: api, pipeline.monolithic, ..."""
    parts = case.split(".")
    return ".".join(parts[1:3]) if parts[1] in DIVIDED and len(parts) > 3 else parts[1]


def root(case):
    return case.split(".", 2)[1]


def expression(pattern):
    return re.compile(".*".join(map(re.escape, pattern.split("*"))) + r"\Z")


def kept_cases(deqp, cache):
    """Where every case of this dEQP-VK is kept once it has been asked, and a pattern of where those of
    an earlier build of it are."""
    def digest(what):
        return hashlib.sha256(what.encode()).hexdigest()[:16]

    stat = deqp.stat()
    of_path = digest(str(deqp))
    return (cache / f"{of_path}-{digest(f'{stat.st_size}:{stat.st_mtime_ns}')}.txt.gz",
            f"{of_path}-*.txt.gz")


def all_cases(deqp, environment, cache):
    """Every case of this dEQP-VK, sorted. Asking takes a while, so the answer is kept: there are
    millions, and one list serves all runs."""
    cache.mkdir(parents=True, exist_ok=True)
    path, earlier = kept_cases(deqp, cache)
    if not path.exists():
        print("asks dEQP-VK for its cases, once", flush=True)
        # A dEQP-VK may hold several packages, each of which would overwrite the last one's file.
        fresh = cache / "dEQP-VK.new"
        result = subprocess.run(
            [deqp, "--deqp-runmode=txt-caselist",
             f"--deqp-caselist-export-file={cache}/${{packageName}}.new",
             f"--deqp-archive-dir={deqp.parent}"],
            env=environment, cwd=cache, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, errors="replace")
        for other in cache.glob("dEQP-VK-*.new"):
            other.unlink()
        if result.returncode != 0 or not fresh.exists():
            raise ListError(f"{deqp} does not list its cases (status {result.returncode}): "
                            + result.stderr.strip()[-500:])
        cases = sorted(line[6:] for line in fresh.read_text(encoding="utf-8").splitlines()
                       if line.startswith("TEST: "))
        for old in cache.glob(earlier):
            old.unlink()
        with gzip.open(fresh, "wt", compresslevel=3, encoding="utf-8") as file:
            file.write("\n".join(cases) + "\n")
        fresh.rename(path)
        return cases
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return file.read().split("\n")[:-1]


def matching(cases, pattern):
    """The cases, out of a sorted list, that match."""
    prefix = pattern.split("*", 1)[0]
    first = bisect.bisect_left(cases, prefix)
    last = bisect.bisect_right(cases, prefix + "\x7f")
    if pattern == prefix:
        return cases[first:first + 1] if cases[first:first + 1] == [pattern] else []
    if pattern == prefix + "*":
        return cases[first:last]
    match = expression(pattern).match
    return [case for case in cases[first:last] if match(case)]


def expand(lines, known, seed):
    """The cases that a list stands for. `known` is called only if there is a pattern."""
    cases = known() if any("*" in line.pattern for line in lines) else None
    chosen, empty = {}, []
    for line in lines:
        if line.exclude:
            continue
        found = [line.pattern] if cases is None else matching(cases, line.pattern)
        if not found:
            empty.append(line.pattern)
        if line.count is not None and line.count < len(found):
            found = random.Random(f"{seed}:{line.pattern}").sample(found, line.count)
        chosen.update(dict.fromkeys(found))
    for line in lines:
        if line.exclude:
            match = expression(line.pattern).match
            chosen = {case: None for case in chosen if not match(case)}
    return sorted(chosen), empty


def sample(cases, count, seed):
    """Draws cases evenly over the groups: small groups whole, the same number of each large one."""
    groups = {}
    for case in cases:
        groups.setdefault(group(case), []).append(case)
    drawn, left = [], count
    for number, members in enumerate(sorted(groups.values(), key=len)):
        share = min(len(members), left // (len(groups) - number))
        drawn += random.Random(f"{seed}:{group(members[0])}").sample(members, share)
        left -= share
    return sorted(drawn)


def batches(cases, size):
    """Splits cases into batches, none of which spans groups: dEQP-VK builds each group it enters."""
    result, current = [], []
    for case in cases:
        if current and (len(current) >= size or root(current[0]) != root(case)):
            result.append(current)
            current = []
        current.append(case)
    if current:
        result.append(current)
    return result
