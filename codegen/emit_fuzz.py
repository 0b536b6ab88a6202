# SPDX-License-Identifier: MIT
"""C of the fuzz target `calls` (tests/fuzz): an application that calls every command with arguments of all
shapes, and a driver that touches every byte that it is told of.

Both follow what the registry and the policy say, as the client's and the server's emitters do. A length that
is wrong there is wrong here, too; that a decoder checks it is what the target finds out."""

import copy
import re

from emit import Writer, count_expression, object_type, reached_functions

COUNTED = re.compile(r"(?<![>\w.*])[A-Za-z_]\w*")


class FuzzEmitter:
    def __init__(self, planner):
        self.p = planner
        self.r = planner.r
        self.chains = set()

    # -- which structs --------------------------------------------------------------------------

    def _elements_of(self, steps):
        for s in steps:
            yield from self._elements_of([x for _, case in s.cases for x in case])
            if s.elem in self.r.structs and s.kind != "union":
                yield s.elem

    def reach(self, plans):
        """Names of all structs that commands lead to. Those that have a chain there are in self.chains."""
        functions, self.chains = self._reached(plans)
        return sorted(functions)

    def _reached(self, plans):
        return reached_functions(
            [x for plan in plans for x in self._elements_of(plan.steps)],
            lambda name: self.r.structs[name].has_chain,
            lambda name: [x.name for x in self.p.chain_of(name)],
            lambda name: self._elements_of(self.p.struct_steps(name)))

    def has_chain(self, name):
        return name in self.chains

    def turns(self, plan):
        """How many structs the longest chain of a command may have, or members the largest union."""
        structs, chains = self._reached([plan])
        steps = plan.steps + [x for name in structs for x in self.p.struct_steps(name)]
        return max([1] + [len(self.p.chain_of(name)) for name in chains] +
                   [len(self._cases(step)) for step in steps if step.kind == "union"])

    # -- the application ------------------------------------------------------------------------

    def make_declarations(self, name):
        out = [f"static void make_{name}(struct vdf_maker *m, {name} *s)"]
        if self.has_chain(name):
            out.append(f"static void *chain_{name}(struct vdf_maker *m)")
        return out

    def make_struct(self, name):
        s = self.r.structs[name]
        w = Writer()
        w(self.make_declarations(name)[0])
        w("{")
        w("vdf_numbers(m, s, sizeof(*s));")
        if not s.union:
            if s.stype:
                w(f"s->sType = {s.stype};")
            if self.p.outer_member(name):
                w(f"s->{self.p.outer_member(name).name} &= 7;")
                w(f"m->outer = s->{self.p.outer_member(name).name};")
            self._counts(w, s.members, "s->")
            for m, count in self.p.fixed_arrays(name):
                w(f"s->{count} %= {m.dims[0]} + 1;")
            for step in self.p.struct_steps(name):
                self._make(w, step, "s->", s.members)
        w("}")
        w()
        if self.has_chain(name):
            links = self.p.chain_of(name)
            w(self.make_declarations(name)[1])
            w("{")
            w("VkBaseOutStructure *first = NULL;")
            if links:
                w("for (unsigned n = vdf_links(m); n; n--) {")
                w("VkBaseOutStructure *link = NULL;")
                w(f"switch (vdf_pick(m, {len(links)})) {{")
                for i, x in enumerate(links):
                    w(f"case {i}:")
                    w(f"    link = vdf_alloc(m, sizeof({x.name}));")
                    w(f"    make_{x.name}(m, ({x.name} *)link);")
                    w("    break;")
                w("}")
                w("link->pNext = first;")
                w("first = link;")
                w("}")
            else:
                w("(void)m;")
            w("return first;")
            w("}")
            w()
        return w.text()

    def _counts(self, w, members, prefix):
        """Numbers of elements are small."""
        plain = {m.name: m for m in members if not m.pointers and not m.dims and m.type not in self.r.structs}
        seen = set()
        for m in members:
            for length in m.lens:
                for word in COUNTED.findall(length):
                    if word in plain and word not in seen:
                        seen.add(word)
                        times = " * 4" if re.search(rf"{word} */ *4", length) else ""
                        w(f"{prefix}{word} = vdf_count(m){times};")

    def _elements(self, w, step, value, count, required):
        """Allocates an array and makes its elements."""
        elem = step.elem
        ctype = "uint8_t" if elem == "void" else elem
        w("{")
        w(f"const uint64_t n = {count};")
        null = "" if required else " && vdf_yes(m)"
        w(f"{ctype} *p = n <= VDF_ARRAY{null} ? vdf_alloc(m, n * sizeof({ctype})) : NULL;")
        w("for (uint64_t i = 0; p && i < n; i++) {")
        if elem in self.r.handles:
            w(f"p[i] = ({elem})(uintptr_t)vdf_handle(m, VD_TYPE_{elem});")
        elif elem in self.r.structs:
            self._whole(w, elem, "p[i]")
        else:
            w(f"vdf_numbers(m, &p[i], sizeof({ctype}));")
        w("}")
        w(f"{value} = (void *)p;")
        w("}")

    def _whole(self, w, name, place):
        w(f"make_{name}(m, &{place});")
        if self.has_chain(name):
            w(f"{place}.pNext = chain_{name}(m);")

    def _make(self, w, step, prefix, members):
        m = step.m
        value = prefix + m.name
        optional = m.is_optional or step.kind == "out" and not step.required
        if step.kind in ("handle", "dispatchable"):
            w(f"{value} = ({m.type})(uintptr_t)vdf_handle(m, VD_TYPE_{step.elem});")
        elif step.kind == "handles":
            w(f"for (unsigned i = 0; i < {m.dims[0]}; i++)")
            w(f"    {value}[i] = ({m.type})(uintptr_t)vdf_handle(m, VD_TYPE_{step.elem});")
        elif step.kind == "object":
            of = next(x for x in members if x.name == step.elem)
            which = "report" if of.type == "VkDebugReportObjectTypeEXT" else "object"
            w(f"{prefix}{of.name} = vd_objects[vdf_type(m)].{which}_type;")
            w(f"{value} = vdf_handle(m, {object_type(step, members, prefix)});")
        elif step.kind == "chain":
            w(f"{value} = NULL;")
        elif step.kind == "host":
            w(f"{value} = {'NULL' if m.pointers or m.type in self.r.funcpointers else 'VK_NULL_HANDLE'};")
        elif step.kind == "shm":
            w(f"{value} = vdf_shm_pointer(m);")
        elif step.kind == "struct":
            self._whole(w, step.elem, value)
        elif step.kind == "structs":
            w(f"for (unsigned j = 0; j < {m.dims[0]}; j++) {{")
            self._whole(w, step.elem, f"{value}[j]")
            w("}")
        elif step.kind == "union":
            self._make_union(w, step, prefix)
        elif step.kind == "number":
            pass
        elif step.kind == "string":
            w(f"{value} = {'vdf_yes(m) ? ' if optional else ''}vdf_text(m){' : NULL' if optional else ''};")
        else:
            self._make_pointer(w, step, prefix, members, value, optional)

    def _make_pointer(self, w, step, prefix, members, value, optional):
        m = step.m
        count = count_expression(step.count, members, prefix, "m->outer")
        ctype = "uint8_t" if step.elem == "void" else step.elem
        if step.kind == "strings":
            w("{")
            w(f"const uint64_t n = {count};")
            w("const char **p = n <= VDF_ARRAY ? vdf_alloc(m, n * sizeof(char *)) : NULL;")
            w("for (uint64_t i = 0; p && i < n; i++)")
            w("    p[i] = vdf_text(m);")
            w(f"{value} = (void *)p;")
            w("}")
        elif step.kind in ("array", "shape", "inout", "out") and \
                not (step.kind == "inout" and step.count is None):
            self._elements(w, step, value, count, not optional)
            if m.stride:
                w(f"{prefix}{m.stride} = sizeof({ctype});")
        elif step.kind == "inout":
            w(f"{value} = {'vdf_yes(m) ? ' if optional else ''}vdf_alloc(m, sizeof({ctype}))"
              f"{' : NULL' if optional else ''};")
            w(f"if ({value})")
            w(f"    *{value} = vdf_count(m);" if step.elem not in self.r.structs else
              f"    vdf_numbers(m, {value}, sizeof({ctype}));")
        elif step.kind in ("pointers", "arrays"):
            w("{")
            w(f"const uint64_t n = {count};")
            w(f"{ctype} **p = n <= VDF_ARRAY ? vdf_alloc(m, n * sizeof(void *)) : NULL;")
            w("for (uint64_t i = 0; p && i < n; i++) {")
            inner = "1" if step.kind == "pointers" else prefix + step.inner
            w(f"const uint64_t count = {inner};")
            w(f"p[i] = count <= VDF_ARRAY ? vdf_alloc(m, count * sizeof({ctype})) : NULL;")
            w("for (uint64_t j = 0; p[i] && j < count; j++) {")
            if step.elem in self.r.structs:
                self._whole(w, step.elem, "p[i][j]")
            else:
                w(f"vdf_numbers(m, &p[i][j], sizeof({ctype}));")
            w("}")
            w("}")
            w(f"{value} = (void *)p;")
            w("}")
        elif step.kind == "sized":
            w(f"{value} = {'vdf_yes(m) ? ' if optional else ''}vdf_alloc(m, VDF_SIZED)"
              f"{' : NULL' if optional else ''};")
        elif step.kind == "new":
            w("{")
            w(f"const uint64_t n = {count};")
            null = " && vdf_yes(m)" if optional else ""
            w(f"{ctype} *p = n <= VDF_ARRAY{null} ? vdf_alloc(m, n * sizeof({ctype})) : NULL;")
            if self.r.handles[step.elem].dispatchable:
                w("for (uint64_t i = 0; p && i < n; i++)")
                w(f"    p[i] = ({ctype})vdf_new_dispatchable(m, VD_TYPE_{step.elem});")
            w(f"{value} = p;")
            w("}")
        else:
            raise SystemExit(f"nothing to make for {step.kind} {value}")

    def _make_union(self, w, step, prefix):
        m = step.m
        cases = self._cases(step)
        w(f"switch (vdf_pick(m, {len(cases)})) {{")
        for i, (selector, steps) in enumerate(cases):
            w(f"case {i}:")
            w("{")
            w(f"{prefix}{m.selector} = {selector};")
            for inner in self._renamed(steps, m):
                self._make(w, inner, prefix, [])
            w("break;")
            w("}")
        w("}")

    @staticmethod
    def _cases(step):
        """[(a value of the selector, steps)] of a union."""
        return [(selection[0], steps) for selection, steps in step.cases if selection]

    @staticmethod
    def _renamed(steps, m):
        for inner in steps:
            s = copy.copy(inner)
            s.m = copy.copy(inner.m)
            s.m.name = f"{m.name}.{inner.m.name}"
            yield s

    def make_call(self, plan):
        c = plan.c
        w = Writer()
        w(f"static void call_{c.name}(struct vdf_maker *m)")
        w("{")
        w("struct {")
        for p in c.params:
            w(f"{p.declaration.replace('const ', '', 1) if p.dims else p.declaration};")
        w("} a;")
        w("vdf_numbers(m, &a, sizeof(a));")
        first = c.params[0]
        w(f"a.{first.name} = ({first.type})(uintptr_t)vdf_self(m, VD_TYPE_{first.type});")
        self._counts(w, c.params, "a.")
        for step in plan.steps:
            if step.m is not first:
                self._make(w, step, "a.", c.params)
        w(f"vdc_call_{c.name}({', '.join('a.' + p.name for p in c.params)});")
        w("}")
        w()
        return w.text()

    def application(self, plans):
        plans = [p for p in plans if p.c.level]
        names = self.reach(plans)
        out = ["/* Generated from vk.xml: an application, for tests/fuzz/fuzz_calls.c. */",
               '#include "calls.h"', '#include "objects.h"', '#include "opcodes.h"',
               '#include "tests/fuzz/maker.h"', ""]
        out += [d + ";" for n in names for d in self.make_declarations(n)] + [""]
        out += [self.make_struct(n) for n in names]
        out += [self.make_call(p) for p in plans]
        out += ["const struct vdf_call vdf_calls[] = {"]
        out += [f'    {{"{p.c.name}", call_{p.c.name}, {"true" if p.streamed else "false"}, {self.turns(p)}}},'
                for p in plans]
        out += ["};", "const unsigned vdf_call_count = sizeof(vdf_calls) / sizeof(vdf_calls[0]);", ""]
        return "\n".join(out)

    # -- the driver -----------------------------------------------------------------------------

    def touch_struct(self, name):
        s = self.r.structs[name]
        w = Writer()
        w(f"static void touch_{name}(const {name} *s)")
        w("{")
        if name in self.p.policy["remembered"]:
            w(f"vdf_remember_{name}(s);")
        if self.p.outer_member(name):
            w(f"outer = s->{self.p.outer_member(name).name};")
        for m, count in self.p.fixed_arrays(name):
            w(f"vdf_require(s->{count} <= {m.dims[0]}, \"{name}.{count}\");")
        for step in self.p.struct_steps(name):
            self._touch(w, step, "s->", s.members, name)
        if len(w.lines) == 2:
            w("(void)s;")
        w("}")
        w()
        if self.has_chain(name):
            w(f"static void follow_{name}(const void *chain)")
            w("{")
            links = self.p.chain_of(name)
            if links:
                w("for (const VkBaseInStructure *link = chain; link; link = link->pNext) {")
                w("switch ((int)link->sType) {")
                for x in links:
                    w(f"case {x.stype}:")
                    w(f"    vdf_touch(link, sizeof({x.name}));")
                    w(f"    touch_{x.name}((const {x.name} *)link);")
                    w("    break;")
                w("}")
                w("}")
            else:
                w("(void)chain;")
            w("}")
            w()
        return w.text()

    def _touch_whole(self, w, name, place):
        w(f"touch_{name}({place});")
        if self.has_chain(name):
            w(f"follow_{name}(({place})->pNext);")

    def _touch(self, w, step, prefix, members, owner):
        m = step.m
        value = prefix + m.name
        count = count_expression(step.count, members, prefix, "outer")
        ctype = "uint8_t" if step.elem == "void" else step.elem
        if step.kind == "struct":
            self._touch_whole(w, step.elem, f"&{value}")
        elif step.kind == "structs":
            w(f"for (unsigned i = 0; i < {m.dims[0]}; i++) {{")
            self._touch_whole(w, step.elem, f"&{value}[i]")
            w("}")
        elif step.kind == "union":
            w(f"switch ((int){prefix}{m.selector}) {{")
            for selection, steps in step.cases:
                if not selection:
                    continue
                for x in selection:
                    w(f"case {x}:")
                w("{")
                for inner in self._renamed(steps, m):
                    self._touch(w, inner, prefix, [], owner)
                w("break;")
                w("}")
            w("}")
        elif step.kind == "string":
            w(f"vdf_touch_text({value});")
        elif step.kind == "strings":
            w(f"for (uint64_t i = 0; {value} && i < {count}; i++)")
            w(f"    vdf_touch_text({value}[i]);")
        elif step.kind in ("array", "out", "inout", "shape", "new"):
            writes = step.kind != "array" and not m.const
            w(f"if ({value}) {{")
            w(f"const uint64_t n = {count};")
            w(f"vdf_touch{'_out' if writes else ''}({'(void *)' if writes else ''}{value}, n * sizeof({ctype}));")
            if step.elem in self.r.structs:
                w("for (uint64_t i = 0; i < n; i++) {")
                self._touch_whole(w, step.elem, f"&{value}[i]")
                w("}")
            w("}")
        elif step.kind in ("pointers", "arrays"):
            inner = "1" if step.kind == "pointers" else prefix + step.inner
            w(f"for (uint64_t i = 0; {value} && i < {count}; i++) {{")
            w(f"vdf_touch({value}[i], {inner} * sizeof({ctype}));")
            if step.elem in self.r.structs:
                w(f"for (uint64_t j = 0; j < {inner}; j++) {{")
                self._touch_whole(w, step.elem, f"&{value}[i][j]")
                w("}")
            w("}")
        elif step.kind == "sized":
            w(f'vdf_touch_sized("{owner}.{m.name}", {value}, {"s" if prefix == "s->" else "NULL"});')
        elif step.kind == "host" and prefix == "s->" and not m.bits:
            w(f'vdf_require(!{value}, "{owner}.{m.name}");')

    def through(self, plan):
        c = plan.c
        w = Writer()
        w(f"static PFN_{c.name} below_{c.name};")
        w(f"static VKAPI_ATTR {c.ret} VKAPI_CALL through_{c.name}({c.args})")
        w("{")
        for step in plan.steps:
            self._touch(w, step, "", c.params, c.name)
        for step in plan.steps:
            if step.kind == "new":
                count = count_expression(step.count, c.params, "")
                w(f"if (vdf_is_nothing((PFN_vkVoidFunction)below_{c.name}))")
                w(f"    vdf_new_handles({step.m.name}, {count});")
        w(f"{'' if c.ret == 'void' else 'return '}below_{c.name}({', '.join(p.name for p in c.params)});")
        w("}")
        w()
        return w.text()

    def driver(self, plans, commands):
        """Of those commands that the server may want from the host."""
        plans = [p for p in plans if p.c.name in {c.name for c in commands}]
        names = self.reach(plans)
        out = ["/* Generated from vk.xml: a driver that touches everything, for tests/fuzz/fuzz_calls.c. */",
               "#include <vulkan/vulkan_core.h>", '#include "tests/fuzz/touch.h"', "",
               "/* A count of the enclosing struct. */", "static uint32_t outer;", ""]
        for n in names:
            out.append(f"static void touch_{n}(const {n} *s);")
            if self.has_chain(n):
                out.append(f"static void follow_{n}(const void *chain);")
        out += [""] + [self.touch_struct(n) for n in names] + [self.through(p) for p in plans]
        out += ["const struct vdf_through vdf_through[] = {"]
        for p in plans:
            for name in [p.c.name] + p.c.aliases:
                out.append(f'    {{"{name}", (PFN_vkVoidFunction)through_{p.c.name}, '
                           f"(PFN_vkVoidFunction *)&below_{p.c.name}}},")
        out += ["};", "const unsigned vdf_through_count = sizeof(vdf_through) / sizeof(vdf_through[0]);", ""]
        return "\n".join(out)
