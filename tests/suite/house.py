# SPDX-License-Identifier: MIT
"""How the source is put together."""

import re

from harness import root_path, setting, test

FOLDERS = ("icd", "server", "protocol", "common")


def parts():
    """name -> files. A part is what lies behind a name: NAME.h, NAME.c or both."""
    found = {}
    for folder in FOLDERS:
        for path in sorted((root_path() / folder).rglob("*.[ch]")):
            found.setdefault(str(path.relative_to(root_path()).with_suffix("")), []).append(path)
    return found


def includes(found):
    """name -> names of the parts whose headers it includes."""
    edges = {}
    for name, files in found.items():
        edges[name] = set()
        for path in files:
            for header in re.findall(r'^#include "(.*)\.h"', path.read_text(encoding="utf-8"),
                                     re.MULTILINE):
                for folder in (path.parent, root_path()):
                    target = (folder / header).resolve()
                    if target.is_relative_to(root_path()):
                        other = str(target.relative_to(root_path()))
                        if other in found and other != name:
                            edges[name].add(other)
                            break
    return edges


def circles(edges):
    """Sets of parts from each of which one comes to each other one (Kosaraju's algorithm)."""
    order, seen = [], set()

    def finish(name):
        if name not in seen:
            seen.add(name)
            for other in edges[name]:
                finish(other)
            order.append(name)

    for name in edges:
        finish(name)
    back = {name: [other for other in edges if name in edges[other]] for name in edges}
    found, seen = [], set()
    for name in reversed(order):
        reached, ahead = set(), [name]
        while ahead:
            at = ahead.pop()
            if at not in seen:
                seen.add(at)
                reached.add(at)
                ahead += back[at]
        if len(reached) > 1:
            found.append(reached)
    return found


@test("house/includes")
def includes_without_circles(context):
    """Whatever includes another part is not included by it in turn, however far around"""
    found = parts()
    context.check(len(found) > 80, f"only {len(found)} parts")
    edges = includes(found)
    context.check(sum(map(len, edges.values())) > 300, "they include too little to be true")
    there = circles(edges)
    for circle in there:
        ways = "\n".join(f"{name} includes {', '.join(sorted(edges[name] & circle))}"
                         for name in sorted(circle))
        context.note(ways)
        context.check(False, f"a circle: {', '.join(sorted(circle))}")


@test("house/format")
def formatted(context):
    """Every C file is as clang-format leaves it; Debian 12's, for others break lines elsewhere"""
    formatter = setting.tool("clang-format")
    version = context.succeed([formatter, "--version"], setting.clean_environment()).out
    if not re.search(r"\bversion 14\.", version):
        context.skip(f"this is not clang-format 14: {version.strip()}")
    files = [path for folder in (*FOLDERS, "tests", "tools")
             for path in sorted((root_path() / folder).rglob("*.[ch]"))]
    context.check(len(files) > 200, f"only {len(files)} files")
    result = context.run([formatter, "--dry-run", "-Werror", *files],
                         setting.clean_environment())
    first = next(iter(result.err.splitlines()), "")
    context.check(result.status == 0, f"not formatted: {first}")


@test("house/environment")
def one_way_to_the_environment(context):
    """Variables are asked for in one place, which knows about programs with more rights than their user"""
    place = root_path() / "common" / "environment.h"
    for folder in (*FOLDERS, "tools"):
        for path in sorted((root_path() / folder).rglob("*.[ch]")):
            asks = re.search(r"(?<!vd_)\b(secure_)?getenv\(", path.read_text(encoding="utf-8"))
            context.check(not asks or path == place,
                          f"{path.relative_to(root_path())} asks the environment itself")


# Lines of a file that needs no reason to be that long.
LINES = 500
SOURCES = {".c", ".h", ".py", ".mako", ".toml", ".txt", ".md", ".in", ".build", ""}


@test("house/length")
def length(context):
    """A file is short, or docs/README.md says why not; and it says so of no short one"""
    text = (root_path() / "docs" / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"`([\w./-]+)`", text.partition("\n## Long files\n")[2]))
    context.check(listed, "docs/README.md has no list of long files")
    long = set()
    for folder in (*FOLDERS, "codegen", "tests", "tools"):
        for path in sorted((root_path() / folder).rglob("*")):
            if path.is_file() and path.suffix in SOURCES and "__pycache__" not in path.parts:
                if len(path.read_text(encoding="utf-8").splitlines()) > LINES:
                    long.add(str(path.relative_to(root_path())))
    for name in sorted(long ^ listed):
        context.check(False, f"{name} has more than {LINES} lines, and no reason in docs/README.md"
                      if name in long else f"docs/README.md says why {name} is long, and it is not")


# The prefixes of names, for whoever reads a line to see on which side it is.
PREFIXES = {"icd": "vdc", "server": "vds", "server/virtio_gpu": "vg", "protocol": "vd", "common": "vd"}


@test("house/names")
def names_by_side(context):
    """What a header declares has the prefix of its folder, and no other folder's"""
    count = 0
    for name, files in parts().items():
        folder = max((key for key in PREFIXES if name.startswith(f"{key}/")), key=len)
        header = next((path for path in files if path.suffix == ".h"), None)
        if not header:
            continue
        text = header.read_text(encoding="utf-8")
        for match in re.finditer(r"^(?:struct|enum) ((?:vd|vdc|vds|vg)_\w+) \{|^\w[\w *]*?\b"
                                 r"((?:vd|vdc|vds|vg)_\w+)\(|^#define ((?:VD|VDC|VDS|VG)_\w+)",
                                 text, re.MULTILINE):
            found = next(filter(None, match.groups()))
            count += 1
            context.check(found.lower().startswith(PREFIXES[folder] + "_"),
                          f"{header.relative_to(root_path())} declares {found}")
    context.check(count > 500, f"only {count} names")
