# SPDX-License-Identifier: MIT
"""The wire's structs for a client whose own are laid out in another way, as on i386: mirrors of Vulkan's
structs, and functions that convert one into the other, member by member. Where the client is an LP64
machine none of this is compiled (protocol/wire.h)."""

from functools import lru_cache

from emit import Writer
from layout import Layouts


class WireEmitter:
    def __init__(self, planner):
        self.p = planner
        self.r = planner.r
        self.layouts = planner.layouts
        self.narrow = Layouts(planner.r, word=4)

    # -- which types differ ---------------------------------------------------------------------

    @lru_cache(maxsize=None)
    def differs(self, name):
        """Whether the wire lays a type out in another way than a machine of 32 bits does."""
        name = self.r.resolve(name)
        if name == "size_t":
            return True
        if name not in self.r.structs:
            return False
        if self.layouts.of_struct(name)[::2] != self.narrow.of_struct(name)[::2]:
            return True
        return any(not m.pointers and self.differs(m.type) for m in self.r.structs[name].members)

    def type(self, name):
        """A type on the wire, in C."""
        return f"VD_WIRE({name})" if self.differs(name) else name

    def structs(self):
        """The names of all that differ, inner ones first."""
        found = {}

        def visit(name):
            if name in found or name not in self.r.structs or not self.differs(name):
                return
            for m in self.r.structs[name].members:
                if not m.pointers:
                    visit(m.type)
            found[name] = None

        for name in self.p.structs:
            visit(name)
        return list(found)

    # -- mirrors --------------------------------------------------------------------------------

    def is_address(self, m):
        """Whether a member is as large as a pointer, without being one of the wire's numbers."""
        return bool(m.pointers) or m.type == "size_t" or m.type in self.r.funcpointers or \
            m.type in self.r.handles and self.r.handles[m.type].dispatchable

    def member(self, m):
        """Its declaration in a mirror."""
        dims = "".join(f"[{d}]" for d in m.dims)
        if self.is_address(m):
            return f"_Alignas(8) uint64_t {m.name}{dims};"
        if self.differs(m.type):
            return f"vd_wire_{m.type} {m.name}{dims};"
        align = "_Alignas(8) " if self.layouts.of_type(m.type)[1] == 8 else ""
        bits = f" : {m.bits}" if m.bits else ""
        return f"{align}{m.type} {m.name}{dims}{bits};"

    def argument(self, m):
        """Its declaration in the arguments of a command, on any machine."""
        if self.is_address(m):
            return f"VD_WIDE({m.declaration[:m.declaration.rindex(m.name)].strip()}) {m.name};"
        return self.member(m).replace(f"vd_wire_{m.type}", self.type(m.type))

    def mirror(self, name):
        w = Writer()
        s = self.r.structs[name]
        w(f"typedef {'union' if s.union else 'struct'} {{")
        for m in s.members:
            w(self.member(m))
        w(f"}} vd_wire_{name};")
        return w.text()

    def header(self):
        out = ["/* Generated from vk.xml: structs as they are on the wire, for whoever lays them out in another way. */",
               "#ifndef VIADUCT_WIRE_STRUCTS_H", "#define VIADUCT_WIRE_STRUCTS_H", "",
               "#include <stdint.h>", "", "#include <vulkan/vulkan_core.h>", "",
               "typedef uint64_t vd_wire_size_t;", ""]
        out += [self.mirror(name) for name in self.structs()]
        for name in self.converted():
            out += [d + ";" for d in self.declarations(name)]
        return "\n".join(out + ["", "#endif", ""])

    # -- conversion -----------------------------------------------------------------------------

    def converted(self):
        """Of which structs there are functions. What a union holds the struct around it knows, or it
        is all the same."""
        return [n for n in self.structs()
                if not self.r.structs[n].union or n in self.p.policy["unions"]]

    @staticmethod
    def declarations(name):
        return [f"void vd_to_wire_{name}(void *wire, const void *native)",
                f"void vd_from_wire_{name}(void *native, const void *wire)"]

    def convert(self, w, m, to_wire, path=""):
        """One member. What pointers lead to is the encoder's business."""
        to, from_ = f"to->{path}{m.name}", f"from->{path}{m.name}"
        if self.is_address(m):
            if m.dims:
                w(f"for (uint32_t i = 0; i < {m.dims[0]}; i++) {{")
                to, from_ = to + "[i]", from_ + "[i]"
            if m.type == "size_t" and not m.pointers:
                w(f"{to} = {from_};" if to_wire else f"vd_from_wire_size_t(&{to}, &{from_});")
            elif to_wire:
                w(f"{to} = (uintptr_t){from_};")
            else:
                w(f"{to} = (void *)(uintptr_t){from_};")
            if m.dims:
                w("}")
        elif self.differs(m.type) and self.r.structs[m.type].union and m.type not in self.p.policy["unions"]:
            w(f"switch ((int)from->{path}{m.selector}) {{")
            for u in self.r.structs[m.type].members:
                for value in u.selection:
                    w(f"case {value}:")
                if u.selection:
                    self.convert(w, u, to_wire, f"{path}{m.name}.")
                    w("break;")
            w("}")
        elif self.differs(m.type):
            way = "to" if to_wire else "from"
            if m.dims:
                w(f"for (uint32_t i = 0; i < {m.dims[0]}; i++)")
                to, from_ = to + "[i]", from_ + "[i]"
            w(f"{'    ' if m.dims else ''}vd_{way}_wire_{m.type}(&{to}, &{from_});")
        elif m.dims:
            w(f"memcpy({to}, {from_}, sizeof({to}));")
        else:
            w(f"{to} = {from_};")

    def functions(self, name):
        s = self.r.structs[name]
        w = Writer()
        for declaration, to_wire in zip(self.declarations(name), (True, False)):
            w(declaration)
            w("{")
            types = (f"vd_wire_{name}", name) if to_wire else (name, f"vd_wire_{name}")
            w(f"{types[0]} *to = {'wire' if to_wire else 'native'};")
            w(f"const {types[1]} *from = {'native' if to_wire else 'wire'};")
            if s.union:
                # Whose member is meant nobody can tell here; policy.toml says why any does.
                w("memcpy(to, from, sizeof(*from) < sizeof(*to) ? sizeof(*from) : sizeof(*to));")
            else:
                if to_wire:
                    w("memset(to, 0, sizeof(*to));")
                for m in s.members:
                    self.convert(w, m, to_wire)
            w("}")
            w()
        return w.text()

    def source(self):
        out = ["/* Generated from vk.xml. */", '#include "protocol/wire.h"', "", "#if !VD_WIRE_IS_NATIVE",
               "#include <string.h>", ""]
        out += [self.functions(name) for name in self.converted()]
        return "\n".join(out + ["#endif", ""])
