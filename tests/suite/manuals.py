# SPDX-License-Identifier: MIT
"""Documents against what they are about: man pages and programs, TRAPS.md and the tests."""

import fnmatch
import re

from harness import build_path, clean_environment, framework, root_path, test

# What libvirt says to any GPU backend and means nothing here: in the page, not in --help.
UNMENTIONED = {"--virgl", "--render-node"}

SOURCES = (".c", ".h")


def page(name):
    return (root_path() / "docs" / "man" / name).read_text(encoding="utf-8")


def macro_words(text, macro):
    """The arguments of a macro of mdoc, of the lines that begin with it or call it."""
    words = []
    for line in text.splitlines():
        if line.startswith("."):
            words += re.findall(rf"(?<![^\s.]){macro} ([^\s,]+)", line)
    return set(words)


def options_of_page(text):
    return {"-" + word for word in macro_words(text, "Fl") if word.startswith("-") and word != "-"}


def options_of_help(context, *command):
    result = context.succeed([*command, "--help"], clean_environment())
    options = set(re.findall(r"^ +(--[a-z][a-z-]*)", result.out, re.MULTILINE))
    context.check(options, f"{command[-1]} --help shows no options")
    return options


def compare(context, what, found, described):
    context.check(not found - described,
                  f"the page lacks {what} {', '.join(sorted(found - described))}")
    context.check(not described - found,
                  f"the page has {what} that there are not: {', '.join(sorted(described - found))}")


def variables(*folders):
    """What C files ask the environment for; a name may be a macro of the same file or another."""
    texts = [path.read_text(encoding="utf-8") for folder in ("protocol", *folders)
             for path in sorted((root_path() / folder).rglob("*")) if path.suffix in SOURCES]
    macros = dict(re.findall(r'^#define\s+(\w+)\s+"([^"]*)"', "\n".join(texts), re.MULTILINE))
    asked = re.findall(r"vd_getenv(?:_anyway)?\(([A-Z\"][^)]*)\)", "\n".join(texts))
    return {macros.get(name, name).strip('"') for name in asked}


@test("docs/man/viaduct-server")
def server_page(context):
    """viaduct-server(1) has each option of --help and each variable of the server"""
    text = page("viaduct-server.1")
    shown = options_of_help(context, build_path() / "server" / "viaduct-server")
    compare(context, "options", shown | UNMENTIONED, options_of_page(text))
    missing = variables("server") - macro_words(text, "Ev")
    context.check(not missing, f"the page lacks variables {', '.join(sorted(missing))}")


@test("docs/man/viaduct")
def command_page(context):
    """viaduct(1) has each option of each command's --help and each variable of tools/"""
    text = page("viaduct.1")
    program = build_path() / "tools" / "viaduct"
    listed = context.succeed([program, "--help"], clean_environment()).out
    commands = re.findall(r"^  ([a-z]+) ", listed, re.MULTILINE)
    context.check("run" in commands, f"viaduct --help lists no commands: {listed!r}")
    shown = {"--version"}  # of viaduct itself
    for command in commands:
        context.check(f"viaduct {command}" in text, f"the page lacks viaduct {command}")
        shown |= options_of_help(context, program, command)
    compare(context, "options", shown, options_of_page(text))
    missing = variables("tools") - macro_words(text, "Ev")
    context.check(not missing, f"the page lacks variables {', '.join(sorted(missing))}")


@test("docs/man/viaduct-icd")
def icd_page(context):
    """viaduct-icd(7) has each variable that the ICD reads"""
    text = page("viaduct-icd.7")
    read = variables("icd", "common")
    context.check("VTEST_SOCKET_NAME" in read, f"only these are read: {sorted(read)}")
    described = {name for name in macro_words(text, "Ev") if not name.startswith("VK_")}
    compare(context, "variables", read, described)


@test("docs/traps")
def traps(context):
    """TRAPS.md names tests that there are"""
    text = (root_path() / "tests" / "TRAPS.md").read_text(encoding="utf-8")
    known = {test.name for test in framework.registered()}
    functions = {name for path in (root_path() / "tests" / "unit").glob("*.c")
                 for name in re.findall(r"^static void (\w+)\(", path.read_text(encoding="utf-8"),
                                        re.MULTILINE)}
    suites = {name.split("/")[0] for name in known}
    named = re.findall(r"`([a-z]+/[\w/-]+)(?:: ([\w, ]+))?`", text)
    context.check(len(named) > 50, f"only {len(named)} tests are found there")
    wrong = [name for name, _ in named if name.split("/")[0] in suites and name not in known
             and not name.endswith("/X")]
    wrong += [f"{name}: {part}" for name, parts in named for part in parts.split(", ")
              if part and part not in functions]
    context.check(not wrong, f"there is no {', '.join(sorted(set(wrong)))}")


@test("docs/security")
def security(context):
    """SECURITY.md names tests that there are"""
    text = (root_path() / "SECURITY.md").read_text(encoding="utf-8")
    known = {test.name for test in framework.registered()}
    named = set()
    for row in re.findall(r"^\|.*\| (.*) \|$", text, re.MULTILINE):
        suite = None
        for name in re.findall(r"`([\w/*-]+)`", row):
            # Those behind the first of a suite are called by their last part.
            suite = name.split("/")[0] if "/" in name else suite
            named.add(name if "/" in name else f"{suite}/{name}")
    context.check(len(named) > 40, f"only {len(named)} tests are found there")
    wrong = [name for name in named if not fnmatch.filter(known, name)]
    context.check(not wrong, f"there is no {', '.join(sorted(wrong))}")


@test("docs/tests")
def tests_page(context):
    """tests/README.md has each suite and each program"""
    tests = root_path() / "tests"
    text = (tests / "README.md").read_text(encoding="utf-8")
    suites = {test.name.split("/")[0] for test in framework.registered()}
    missing = [name for name in suites if f"`{name}/" not in text]
    programs = {path.stem for path in (tests / "apps").glob("*.c")
                if re.search(r"^int main\(", path.read_text(encoding="utf-8"), re.MULTILINE)}
    context.check(len(programs) > 30, f"only {len(programs)} programs are found")
    missing += [name for name in programs if not re.search(rf"^\| `{name}\b", text, re.MULTILINE)]
    context.check(not missing, f"it lacks {', '.join(sorted(missing))}")
