#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Generates both ends of Viaduct from vk.xml.

  generate.py --registry DIR --out DIR     writes all files (the same bytes for the same input)
  generate.py --registry DIR --list PART   names the files of a part: common, client, server, test,
                                           layer, program, templates
  generate.py --registry DIR --assign      gives numbers to new commands and handle types
"""

import argparse
import pathlib
import re
import sys

from mako.lookup import TemplateLookup

import answers
import queries
from depends import c_expression
from emit_client import ClientEmitter
from emit_fuzz import FuzzEmitter
from emit_server import ServerEmitter
from model import Registry, header_version
from plan import FOREIGN_TYPES, Planner, read_policy
from wire_numbers import assign, read_numbers

HERE = pathlib.Path(__file__).resolve().parent
PROTOCOL = HERE.parent / "protocol"
OLDEST = (1, 4, 309)


class Generator:
    def __init__(self, registry_dir, assigning=False):
        xml = pathlib.Path(registry_dir) / "vk.xml"
        version = header_version(xml)
        if version < OLDEST:
            raise SystemExit(f"{xml}: registry {'.'.join(map(str, version))} is older than "
                             f"{'.'.join(map(str, OLDEST))}; run scripts/setup")
        self.opcodes = read_numbers(PROTOCOL / "opcodes.txt")
        self.types = read_numbers(PROTOCOL / "types.txt")
        policy = read_policy(HERE / "policy.toml")
        self.r = Registry(xml, preferred=[*self.opcodes, *self.types, *policy["client"]])
        self.p = Planner(self.r, policy, *(() if assigning else (self.opcodes, self.types)))
        major, minor = min(version[:2], self.p.api_version)
        self.version_number = major << 22 | minor << 12 | version[2]
        self.plans = [self.p.command_plan(n) for n in self.p.wire_commands]
        self.groups = sorted({p.group for p in self.plans})
        self.client = ClientEmitter(self.p)
        self.server = ServerEmitter(self.p)
        self.lookup = TemplateLookup(directories=[str(HERE / "templates")], strict_undefined=True)

    def left_out(self):
        """One line on what this registry has and the ends will not carry."""
        names = sorted(self.p.left_out)
        kinds = {"commands": [n for n in names if n in self.r.commands],
                 "handle types": [n for n in names if n in self.r.handles],
                 "structs": [n for n in names if n in self.r.structs]}
        counts = ", ".join(f"{len(x)} {kind}" for kind, x in kinds.items() if x)
        return (f"codegen: left out, for they have no number or an unknown shape: {counts}: " +
                ", ".join(names))

    def files(self):
        """part -> [(file name, function that returns its text)]"""
        t = self.template
        common = [("opcodes.h", t("opcodes.h")), ("args.h", t("args.h")),
                  ("names.h", t("names.h")), ("names.c", t("names.c")),
                  ("objects.h", t("objects.h")), ("objects.c", t("objects.c")),
                  ("extensions.h", t("extensions.h")), ("extensions.c", t("extensions.c")),
                  ("chains.h", t("chains.h")), ("chains.c", t("chains.c")),
                  ("wire_structs.h", self.client.wire.header), ("wire_structs.c", self.client.wire.source),
                  ("formats.h", t("formats.h")), ("formats.c", t("formats.c"))]
        client = [("calls.h", t("calls.h")), ("client_structs.h", self.client_structs_h),
                  ("client_structs.c", self.client_structs_c),
                  ("entrypoints.h", t("entrypoints.h")), ("entrypoints.c", t("entrypoints.c")),
                  ("results_of_structs.c", t("results_of_structs.c")),
                  ("queries.c", lambda: queries.file(self.r, self.p.queries.values()))]
        client += [(f"call_{g}.c", lambda g=g: self.client_group(g)) for g in self.groups]
        server = [("dispatch.h", t("dispatch.h")), ("dispatch.c", t("dispatch.c")),
                  ("replay.h", t("replay.h")), ("replay.c", t("replay.c")),
                  ("server_structs.h", self.server_structs_h),
                  ("server_structs.c", self.server_structs_c)]
        server += [(f"replay_{g}.c", lambda g=g: self.server_group(g)) for g in self.groups]
        test = [("test_layouts.c", t("test_layouts.c"))]
        layer = [("faults_calls.h", t("faults_calls.h"))]
        program = [("answers_calls.h",
                    lambda: answers.answers(self.r, set(self.p.commands), self.with_results(), self.results)),
                   ("waits_calls.h", lambda: answers.waits(self.r, set(self.p.commands), self.waited_for()))]
        fuzz = [("fuzz_application.c", lambda: FuzzEmitter(self.p).application(self.plans)),
                ("fuzz_driver.c", lambda: FuzzEmitter(self.p).driver(
                    self.plans, self.host_commands("instance") + self.host_commands("device")))]
        return {"common": common, "client": client, "server": server, "test": test, "layer": layer,
                "program": program, "fuzz": fuzz}

    def template(self, name):
        def render():
            return self.lookup.get_template(name + ".mako").render(
                g=self, r=self.r, p=self.p, layouts=self.p.layouts, wire=self.client.wire)
        return render

    # -- struct functions: in the file of their class, or shared when several need them --------

    def homes(self, emitter, closure_of):
        """{function or struct: group, or None when more than one group needs it}."""
        homes = {}
        for group in self.groups:
            roots = [x for plan in self.plans if plan.group == group for x in emitter.roots(plan)]
            functions, chains = closure_of(roots)
            for item in [("f", x) for x in functions] + [("c", x) for x in chains]:
                homes[item] = group if homes.get(item, group) == group else None
        return homes

    def client_homes(self):
        if not hasattr(self, "_client_homes"):
            self._client_homes = self.homes(self.client, self.client.closure)
        return self._client_homes

    def server_homes(self):
        if not hasattr(self, "_server_homes"):
            self._server_homes = self.homes(self.server, self.server.closure)
        return self._server_homes

    def _functions(self, homes, group, declare, function, chain):
        """(declarations, definitions) of what lives in one group."""
        items = sorted((x for x, home in homes.items() if home == group), key=str)
        declarations, definitions = [], []
        for what, item in items:
            index = 0 if what == "f" else 1
            declarations.append(declare(item)[index])
            definitions.append(function(item) if what == "f" else chain(item))
        return declarations, definitions

    def _client_functions(self, group):
        return self._functions(self.client_homes(), group, lambda x: self.client.declare(*x),
                               lambda x: self.client.struct_function(*x),
                               lambda x: self.client.chain_function(*x))

    def _server_functions(self, group):
        return self._functions(self.server_homes(), group, self.server.declare,
                               self.server.struct_function, self.server.chain_function)

    def client_structs_h(self):
        return self._header("CLIENT_STRUCTS", '#include "encoder.h"\n#include "objects.h"',
                            self._client_functions(None)[0])

    def server_structs_h(self):
        return self._header("SERVER_STRUCTS", '#include "decode.h"',
                            self._server_functions(None)[0])

    @staticmethod
    def _header(guard, include, declarations):
        lines = ["/* Generated from vk.xml. */", f"#ifndef VIADUCT_{guard}_H",
                 f"#define VIADUCT_{guard}_H", "", include, ""]
        lines += [d + ";" for d in declarations] + ["", "#endif", ""]
        return "\n".join(lines)

    def client_structs_c(self):
        return "\n".join(['/* Generated from vk.xml. */', '#include "client_structs.h"', "",
                          '#include "opcodes.h"', ""] + self._client_functions(None)[1])

    def server_structs_c(self):
        return "\n".join(['/* Generated from vk.xml. */', '#include "server_structs.h"', "",
                          '#include "bounds.h"', '#include "opcodes.h"', ""] + self._server_functions(None)[1])

    def client_group(self, group):
        declarations, definitions = self._client_functions(group)
        out = ['/* Generated from vk.xml. */', '#include "args.h"', '#include "asks.h"',
               '#include "call.h"', '#include "calls.h"', '#include "client_structs.h"', '#include "opcodes.h"',
               '#include "physical_device.h"', '#include "requirements.h"', '#include "results.h"', '#include "stream.h"', ""]
        out += ["static " + d + ";" for d in declarations] + [""]
        out += ["static " + d for d in definitions]
        out += [self.client.command(p) for p in self.plans if p.group == group]
        return "\n".join(out)

    def server_group(self, group):
        declarations, definitions = self._server_functions(group)
        out = ['/* Generated from vk.xml. */', '#include "args.h"', '#include "bounds.h"',
               '#include "decode.h"', '#include "dispatch.h"', '#include "execute.h"', '#include "opcodes.h"', '#include "queue.h"',
               '#include "replay.h"', '#include "server_structs.h"', ""]
        out += ["static " + d + ";" for d in declarations] + [""]
        out += ["static " + d for d in definitions]
        out += [self.server.command(p) for p in self.plans if p.group == group]
        return "\n".join(out)

    # -- for templates -------------------------------------------------------------------------

    def providers_c(self, names):
        """(lowest version as C or 0, [extensions]) of what provides a command or struct."""
        versions = [n for n in names if n.startswith("VK_VERSION_")]
        extensions = [n for n in names if n in self.r.extensions]
        version = "0"
        if versions:
            major, minor = min(tuple(map(int, v.split("_")[2:4])) for v in versions)
            version = f"VK_MAKE_API_VERSION(0, {major}, {minor}, 0)"
        return version, extensions

    def depends_c(self, extension):
        """C of whether `set` and `version` have what an extension depends on."""
        def atom(name):
            version = re.match(r"VK_(?:[A-Z]+_)?VERSION_(\d+)_(\d+)$", name)
            if version:
                return f"version >= VK_MAKE_API_VERSION(0, {version[1]}, {version[2]}, 0)"
            return f"set[VD_EXT_{name[3:]}]" if name in self.r.extensions else "false"
        return c_expression(extension.depends, atom)

    def stypes(self):
        """Names of the sTypes of all structs that cross, by number."""
        numbers = self.r.enums["VkStructureType"]
        found = {numbers[s.stype]: s.stype for s in self.p.structs.values()
                 if s.stype in numbers}
        return [found[n] for n in sorted(found)]

    def known_handles(self):
        """Types of objects that have a number."""
        return [h for h in self.r.handles.values() if h.name in self.types]

    def child(self, pool):
        """The type of what is allocated from such objects, or None."""
        return next((h.name for h in self.known_handles() if h.pool == pool.name), None)

    def ender(self, handle):
        """The command that crosses and ends such an object, or None."""
        return next((n for n in handle.enders if n in self.p.wire_commands and n in self.opcodes),
                    None)

    def destroyers(self):
        """[(type, the command that ends one)] of what belongs to a device and to no pool."""
        ended = [(h, self.r.commands[self.ender(h)]) for h in self.known_handles()
                 if h.of_device and not h.pool and self.ender(h)]
        return [(h, c) for h, c in ended if c.level == "VkDevice"]

    @staticmethod
    def creates(command):
        """Whether a command makes objects, or allocates them."""
        return command.name.startswith(("vkCreate", "vkAllocate"))

    def host_commands(self, level):
        """Commands that the server may want from the host at 'instance' or 'device' level."""
        foreign = FOREIGN_TYPES | {s.name for s in self.r.structs.values()
                                   if any(m.type in FOREIGN_TYPES for m in s.members)}
        return [c for c in self.r.commands.values()
                if c.name in self.p.commands
                and c.level is not None
                and not any(m.type in foreign for m in c.params)
                and (c.level in ("VkInstance", "VkPhysicalDevice")) == (level == "instance")]

    def implementation(self, command):
        return ("vdc_" if self.p.by_hand(command.name) else "vdc_call_") + command.name

    def with_results(self):
        """Commands that return a VkResult and have an entry point, sorted by name."""
        return sorted((c for c in self.p.commands.values() if c.ret == "VkResult"),
                      key=lambda c: c.name)

    def waited_for(self):
        """Commands whose answer the client waits for, always or in some cases; but for those that end
        something, which can be called only once, and those that the server refuses in any case."""
        return [p.c for p in self.plans if (p.sync or p.asks) and not p.victim and
                "when" in self.p.policy["refused"].get(p.c.name, {"when": None})]

    def results(self, command):
        """What vk.xml lists for a command and the registry knows, in its order."""
        known, aliases = self.r.enums["VkResult"], self.r.enum_aliases
        names = [aliases.get(x, x) for x in command.success + command.errors]
        return list(dict.fromkeys(x for x in names if x in known))

    def results_c(self, command):
        """The same as C, but for what any command may return, and ended by what to say where none of
        it fits: see icd/results.h."""
        listed = [x for x in self.results(command)
                  if not x.startswith(("VK_SUCCESS", "VK_ERROR_UNKNOWN", "VK_ERROR_VALIDATION_FAILED"))]
        fills = any(m.pointers and not m.const for m in command.params)
        fails = any(x.startswith("VK_ERROR_") for x in listed)
        return ", ".join([*listed, "VK_ERROR_UNKNOWN" if fills or fails else "VK_SUCCESS"])

    def entry_points(self):
        """(name, implementation, level, version, extensions, opcode), sorted by name."""
        out = []
        for c in self.p.commands.values():
            for name in [c.name] + c.aliases:
                providers = [x for x in self.r.name_providers.get(name, [])
                             if x not in self.p.withheld]
                if not providers:
                    continue
                version, extensions = self.providers_c(providers)
                level = {None: 0, "VkInstance": 1, "VkPhysicalDevice": 2}.get(c.level, 3)
                function = self.implementation(c)
                if c.ret == "VkResult":
                    function = "answer_" + c.name
                out.append((name, function, level, version, extensions,
                            "0" if c.name in self.p.client else f"VD_OP_{c.name}"))
        return sorted(out)


def write_if_different(path, text):
    """What stays as it was need not be compiled again."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--registry", required=True, help="folder that holds vk.xml")
    parser.add_argument("--out", help="folder to write to")
    parser.add_argument("--part", help="write only this part")
    parser.add_argument("--list", metavar="PART", help="name the files of a part")
    parser.add_argument("--assign", action="store_true", help="number what is new")
    options = parser.parse_args()
    generator = Generator(options.registry, assigning=options.assign)
    if options.assign:
        assign(PROTOCOL / "opcodes.txt", [p.c.name for p in generator.plans])
        assign(PROTOCOL / "types.txt", list(generator.r.handles))
        return 0
    parts = generator.files()
    if options.list == "templates":
        print("\n".join(sorted(map(str, (HERE / "templates").glob("*.mako")))))
        return 0
    if options.list:
        print("\n".join(name for name, _ in parts[options.list]))
        return 0
    if not options.out:
        parser.error("--out is needed")
    if options.part in (None, "common") and generator.p.left_out:
        print(generator.left_out(), file=sys.stderr)
    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    for part, files in parts.items():
        if options.part and part != options.part:
            continue
        for name, text in files:
            write_if_different(out / name, text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
