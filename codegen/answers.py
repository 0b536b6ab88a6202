# SPDX-License-Identifier: MIT
"""C of tests/apps/answers.c: a call of each command that returns a VkResult, with arguments that can be
told apart from garbage and no more, and what it may answer."""

import re

# Window systems, of which the test has none.
FOREIGN = {"xcb_connection_t", "xcb_window_t", "wl_display", "wl_surface", "Display", "Window",
           "VkDisplayKHR", "VkDisplayModeKHR"}


class Calls:
    def __init__(self, registry):
        self.r = registry

    def is_possible(self, command):
        structs = [self.r.structs[m.type] for m in command.params if m.type in self.r.structs]
        types = {m.type for x in [command.params, *(s.members for s in structs)] for m in x}
        return command.level is not None and FOREIGN.isdisjoint(types)

    def struct_of(self, m):
        """The struct that is made for a parameter, or None."""
        struct = self.r.structs.get(m.type)
        return struct if m.pointers == 1 and struct and not struct.union else None

    def argument(self, command, m):
        room = f"room[{command.params.index(m)}]"
        counts = [x.lens[0] for x in command.params if x.lens]
        counters = [x.name for x in command.params if x.pointers]
        if m.type in self.r.funcpointers or m.type == "VkAllocationCallbacks":
            return "NULL"
        if m.lens and m.lens[0] in counters:
            return "NULL"       # asks only how many there are
        if m.type in self.r.handles and (m.const or not m.pointers):
            return ("&" if m.pointers else "") + f"any_{m.type}"
        if self.struct_of(m):
            return f"some_{m.type}({room})"
        if m.pointers:
            return f"(void *){room}"
        if m.name in counts:
            return "1"
        return f"({m.type}){{0}}" if m.type in self.r.structs else f"({m.type})0"

    def call(self, command):
        yield f"static VkResult call_{command.name}(PFN_vkVoidFunction function)"
        yield "{"
        yield "    memset(room, 0, sizeof(room));"
        for i, m in enumerate(command.params):
            for x in command.params:    # their length stands in this struct
                if x.lens and x.lens[0].startswith(m.name + "->"):
                    yield f"    (({m.type} *)(void *)room[{i}])->{x.lens[0].split('->')[1]} = 1;"
        arguments = ", ".join(self.argument(command, m) for m in command.params)
        yield f"    return ((PFN_{command.name})function)({arguments});"
        yield "}"
        yield ""

    def struct(self, name):
        struct = self.r.structs[name]
        yield f"static {name} *some_{name}(void *where)"
        yield "{"
        yield f"    {name} *s = where;"
        if struct.stype:
            yield f"    s->sType = {struct.stype};"
        for m in struct.members:
            if m.type in self.r.handles and not m.pointers and not m.dims:
                yield f"    s->{m.name} = any_{m.type};"
        yield "    return s;"
        yield "}"
        yield ""

    def file(self, commands, results):
        """`results` tells of a command what it may answer."""
        commands = [c for c in commands if self.is_possible(c)]
        calls = [line for c in commands for line in self.call(c)]
        structs = sorted({m.type for c in commands for m in c.params
                          if self.argument(c, m).startswith("some_")})
        structs = [line for name in structs for line in self.struct(name)]
        yield "/* Generated from vk.xml. */"
        for name in sorted(set(re.findall(r"any_(\w+)", "\n".join(structs + calls)))):
            yield f"static {name} any_{name};"
        yield ""
        yield "static _Alignas(16) unsigned char room[16][16384];"
        yield ""
        yield from structs
        yield from calls
        yield "static const struct answers {"
        yield "    const char *name;"
        yield "    VkResult (*call)(PFN_vkVoidFunction function);"
        yield "    const char *listed;   /* as vk.xml has it */"
        yield "    VkResult results[32]; /* the same, ended by VK_RESULT_MAX_ENUM */"
        yield "} answers[] = {"
        for c in commands:
            listed = results(c)
            yield (f'    {{"{c.name}", call_{c.name}, "{" ".join(listed)}", '
                   f'{{{", ".join([*listed, "VK_RESULT_MAX_ENUM"])}}}}},')
        yield "};"
        yield ""


def file(registry, commands, results):
    return "\n".join(Calls(registry).file(commands, results))
