# SPDX-License-Identifier: MIT
"""C of the server: decoders that check and patch in place, and the call of the host's driver."""

import copy
import re

import bounds
from emit import Writer, count_expression, object_type, reached_functions


class ServerEmitter:
    def __init__(self, planner):
        self.p = planner
        self.r = planner.r
        self.bounds = bounds.Bounds(planner)

    def needs(self, name):
        """Whether a struct has to be looked into, apart from its chain."""
        return name in self.r.structs and (any(self.acts(x) for x in self.p.struct_steps(name)) or
                                           bool(self.r.structs[name].stype) or
                                           bool(self.bounds.of_struct(name)))

    def acts(self, step):
        """Padding, which the client zeroes, is nothing to look into here."""
        return step.kind not in ("struct", "structs") or self.needs(step.elem)

    def deps(self, steps):
        for s in steps:
            if s.kind == "union":
                for _, inner in s.cases:
                    yield from self.deps(inner)
            elif s.kind in ("array", "pointers", "arrays", "struct", "structs", "shape") and \
                    self.needs(s.elem):
                yield s.elem

    def closure(self, roots):
        """(structs, structs with a chain of their own) that are decoded."""
        return reached_functions(
            roots,
            lambda name: self.r.structs[name].has_chain,
            lambda name: [s.name for s in self.p.chain_of(name)],
            lambda name: self.deps(self.p.struct_steps(name)))

    def declare(self, name):
        return [f"bool vds_dec_{name}(struct vds_decoder *d, {name} *s)",
                f"bool vds_dec_chain_{name}(struct vds_decoder *d, {name} *s)"]

    def struct_function(self, name):
        w = Writer()
        s = self.r.structs[name]
        w(self.declare(name)[0])
        w("{")
        if s.stype:
            w(f"if (s->sType != {s.stype})")
            w(f'    return vds_dec_fail(d, "{name}.sType");')
        steps = [x for x in self.p.struct_steps(name) if x.kind != "chain" and self.acts(x)]
        outer = self.p.outer_member(name)
        if outer:
            w(f"d->outer = s->{outer.name};")
        checks = self.bounds.of_struct(name)
        remembered = self.p.policy["remembered"].get(name)
        if remembered:
            w(remembered["call"] + ";")
        self._known(w, checks, s.members, "s->")
        for step in steps:
            self.step(w, step, name, "s->", s.members)
        for m, count in self.p.fixed_arrays(name):
            w(f"if (s->{count} > {m.dims[0]})")
            w(f'    return vds_dec_fail(d, "{name}.{count}");')
        if self._chain_is_checked(name):
            self.check(w, f"vds_dec_chain_{name}(d, s)")
        self._checked(w, checks, s.members, "s->", name)
        if not steps and not s.stype and not checks:
            w("(void)s;")
        if not steps and not checks:
            w("(void)d;")
        w("return true;")
        w("}")
        w()
        return w.text()

    def _chain_is_checked(self, name):
        """Whether checks of this struct look into its chain, which holds offsets until it is decoded: the
        struct's own function then does that."""
        return any("s->pNext" in check.holds for check in self.bounds.of_struct(name))

    @staticmethod
    def _of(prefix, expression):
        """What the policy says of `s`."""
        return re.sub(r"\bs->", prefix, expression)

    @staticmethod
    def _known(w, checks, members, prefix):
        """What is known of the objects that checks speak of, before their handles are patched."""
        for name, what in sorted({x for c in checks for x in c.known}):
            w(f"{bounds.KNOWN[what]}{name}_{what} = vds_known_{what}(d, (uint64_t){prefix}{name});")

    def _checked(self, w, checks, members, prefix, owner):
        """What must hold for the driver's sake."""
        for check in checks:
            if check.each:
                m = next(m for m in members if m.name == check.each)
                count = count_expression(m.lens[0], members, prefix)
                w(f"for (uint64_t i = 0; {prefix}{m.name} && i < {count}; i++) {{")
                w(f"const {m.type} *x = &{prefix}{m.name}[i];")
            w(f"if (!({self._of(prefix, check.holds)}))")
            w(f'    return vds_dec_fail(d, "{owner}: {check.reason}");')
            if check.each:
                w("}")

    def chain_function(self, name):
        w = Writer()
        w(self.declare(name)[1])
        w("{")
        links = self.p.chain_of(name)
        w("const void **where = (const void **)&s->pNext;")
        if links:
            w("for (unsigned n = 0; *where; n++) {")
            w(f'VkBaseOutStructure *link = vds_dec_link(d, *where, n, "{name}.pNext");')
            w("if (!link)")
            w("    return false;")
            w("switch ((int)link->sType) {")
            for x in links:
                w(f"case {x.stype}:")
                w(f'    if (!vds_dec_array(d, where, 1, sizeof({x.name}), true, "{name}.pNext") ||')
                w(f"        !vds_dec_{x.name}(d, ({x.name} *)link))")
                w("        return false;")
                w("    break;")
            w("default:")
            w(f'    return vds_dec_fail(d, "{name}.pNext: a struct that does not belong there");')
            w("}")
            w("where = (const void **)&link->pNext;")
            w("}")
        else:
            w("if (*where)")
            w(f'    return vds_dec_fail(d, "{name}.pNext: a struct that does not belong there");')
        w("return true;")
        w("}")
        w()
        return w.text()

    def check(self, w, condition):
        w(f"if (!{condition})")
        w("    return false;")

    def sub(self, w, name, s):
        """Decodes one struct and its chain."""
        if not self.needs(name):
            return
        self.check(w, f"vds_dec_{name}(d, ({name} *){s})")
        if self.r.structs[name].has_chain and not self._chain_is_checked(name):
            self.check(w, f"vds_dec_chain_{name}(d, ({name} *){s})")

    def step(self, w, step, owner, prefix, members):
        m = step.m
        value = prefix + m.name
        what = f'"{owner.replace("struct vd_args_", "")}.{m.name}"'
        if step.kind in ("handle", "dispatchable"):
            lenient = "VDS_LENIENT" if step.lenient else "VDS_STRICT"
            # There is more to pools, and to what is recorded, than their handle.
            rare = step.elem in self.p.pools or step.elem == "VkCommandBuffer"
            self.check(w, f"vds_dec_handle{'_rare' if rare else ''}(d, (uint64_t *)&{value}, VD_TYPE_{step.elem}, {lenient}, "
                          f"{what})")
        elif step.kind == "handles":
            self.check(w, f"vds_dec_handles(d, {value}, {m.dims[0]}, VD_TYPE_{step.elem}, "
                          f"VDS_LENIENT, {what})")
        elif step.kind == "object":
            self.check(w, f"vds_dec_object(d, &{value}, {object_type(step, members, prefix)}, {what})")
        elif step.kind == "host":
            w(f"{value} = {'NULL' if m.pointers or m.type in self.r.funcpointers else 'VK_NULL_HANDLE'};")
            if step.ignored_count:
                w(f"{prefix}{step.ignored_count} = 0;")
        elif step.kind == "shm":
            self.check(w, f"vds_dec_shm(d, {self._loc(value)}, {what})")
        elif step.kind == "struct":
            self.sub(w, step.elem, f"&{value}")
        elif step.kind == "structs":
            w(f"for (uint32_t i = 0; i < {m.dims[0]}; i++) {{")
            self.sub(w, step.elem, f"&{value}[i]")
            w("}")
        elif step.kind == "union":
            self._union(w, step, owner, prefix)
        elif step.kind == "number":
            pass
        else:
            self._pointer(w, step, owner, value, what, prefix, members)

    @staticmethod
    def _loc(value):
        return f"(const void **)&{value}"

    def _pointer(self, w, step, owner, value, what, prefix, members):
        m = step.m
        count = count_expression(step.count, members, prefix, "d->outer")
        ctype = "uint8_t" if step.elem == "void" else step.elem
        required = "true" if step.required else "false"
        loc = self._loc(value)
        if step.kind == "string":
            self.check(w, f"vds_dec_string(d, (const char **)&{value}, {required}, {what})")
        elif step.kind == "strings":
            self.check(w, f"vds_dec_strings(d, (const char *const **)&{value}, {count}, {what})")
        elif step.kind == "array":
            self.check(w, f"vds_dec_array(d, {loc}, {count}, sizeof({ctype}), {required}, {what})")
            if m.stride:
                w(f"if ({prefix}{m.stride} != sizeof({ctype}))")
                w(f"    return vds_dec_fail(d, {what});")
            if step.elem in self.r.handles:
                lenient = "VDS_LENIENT" if step.lenient else "VDS_STRICT"
                w(f"if ({value}) {{")
                self.check(w, f"vds_dec_handles(d, (void *){value}, {count}, VD_TYPE_{step.elem}, "
                              f"{lenient}, {what})")
                w("}")
            elif self.needs(step.elem):
                w(f"for (uint64_t i = 0; {value} && i < {count}; i++) {{")
                self.sub(w, step.elem, f"&{value}[i]")
                w("}")
        elif step.kind in ("pointers", "arrays"):
            self.check(w, f"vds_dec_array(d, {loc}, {count}, 8, false, {what})")
            w(f"for (uint64_t i = 0; {value} && i < {count}; i++) {{")
            inner = "1"
            if step.kind == "arrays":
                inner = prefix + step.inner
            self.check(w, f"vds_dec_array(d, (const void **)&{value}[i], {inner}, "
                          f"sizeof({ctype}), true, {what})")
            if step.kind == "pointers":
                self.sub(w, step.elem, f"{value}[i]")
            w("}")
        elif step.kind == "sized":
            share = "false" if step.share == "false" else "true"
            self.check(w, f"vds_dec_sized(d, {loc}, {share}, {self._of(prefix, step.bytes)}, {required}, {what})")
        elif step.kind == "out":
            self.check(w, f"vds_dec_out(d, {loc}, {count}, sizeof({ctype}), {required}, {what})")
        elif step.kind == "inout":
            self.check(w, f"vds_dec_array(d, {loc}, {count}, sizeof({ctype}), {required}, {what})")
        elif step.kind == "shape":
            self.check(w, f"vds_dec_array(d, {loc}, {count}, sizeof({ctype}), {required}, {what})")
            w(f"for (uint64_t i = 0; {value} && i < {count}; i++) {{")
            self.sub(w, step.elem, f"&{value}[i]")
            w("}")
        elif step.kind == "new":
            self.check(w, f"vds_dec_new(d, {loc}, {count}, VD_TYPE_{step.elem}, {required}, {what})")
        else:
            raise SystemExit(f"no decoding for {step.kind} {value}")

    def _union(self, w, step, owner, prefix):
        m = step.m
        w(f"switch ((int){prefix}{m.selector}) {{")
        for selection, steps in step.cases:
            if not selection:
                continue
            for value in selection:
                w(f"case {value}:")
            w("{")
            for inner in steps:
                s = copy.copy(inner)
                s.m = copy.copy(inner.m)
                s.m.name = f"{m.name}.{inner.m.name}"
                self.step(w, s, owner, prefix, [])
            w("break;")
            w("}")
        w("default:")
        w(f"    memset(&{prefix}{m.name}, 0, sizeof({prefix}{m.name}));")
        w("}")

    # -- commands -------------------------------------------------------------------------------

    def roots(self, plan):
        return list(self.deps(plan.steps))

    def command(self, plan):
        c = plan.c
        args = f"struct vd_args_{c.name}"
        w = Writer()
        if plan.streamed:
            w(f"static bool decode_{c.name}(struct vds_decoder *d, void *body)")
        else:
            w(f"bool vds_decode_{c.name}(struct vds_decoder *d, void *body)")
        w("{")
        body = Writer()
        first = None if plan.streamed or c.level is None else c.params[0]
        if first is not None:
            body(f"if (!vds_dec_first(d, (uint64_t *)&a->{first.name}, VD_TYPE_{first.type}))")
            body("    return false;")
        if plan.victim:
            v = plan.victim
            if v.kind == "array":
                # Their ids are needed again after the call, when the handles stand there.
                count = count_expression(v.count, c.params, "a->")
                body(f"if (!vds_dec_victims(d, (const uint64_t *)a->{v.m.name}, {count}, "
                     f'VD_TYPE_{v.elem}, "{c.name}.{v.m.name}"))')
                body("    return false;")
            else:
                body(f"vds_dec_victim(d, (uint64_t)a->{v.m.name}, VD_TYPE_{v.elem});")
        if plan.emptied and not plan.victim:
            body(f"vds_dec_emptied(d, (uint64_t)a->{plan.emptied.name});")
        checks = self.bounds.of_command(plan)
        self._known(body, checks, c.params, "a->")
        for s in plan.steps:
            if s.m is first:
                continue
            self.step(body, s, args, "a->", c.params)
        self._checked(body, checks, c.params, "a->", c.name)
        if body.lines:
            w(f"{args} *a = body;")
            for line in body.lines:
                w.lines.append("    " + line)
        else:
            w("(void)d;")
            w("(void)body;")
        w("return true;")
        w("}")
        w()
        if plan.streamed:
            self._replay(w, plan, args)
        elif c.name not in self.p.policy["served"]:
            self._call(w, plan, args)
        return w.text()

    def args_size(self, plan):
        return (self.p.layouts.of_members(plan.wire)[0] + 7) // 8 * 8 if plan.wire else 0

    def table(self, c):
        """Which of the host's dispatch tables holds a command."""
        return "instance" if c.level in (None, "VkInstance", "VkPhysicalDevice") else "device"

    def _arguments(self, plan):
        """Of the host's command, as they stand in `a`."""
        names = ["x->command_buffer"] if plan.streamed else []
        for p in plan.wire:
            names.append("NULL" if p.type == "VkAllocationCallbacks" else f"a->{p.name}")
        return ", ".join(names)

    def _host_command(self, w, plan, missing):
        """The pointer `call` to it, behind a check that there is such a command."""
        c = plan.c
        w(f"const PFN_{c.name} call = x->{self.table(c)}->{c.name};")
        w("if (!call) {")
        for line in missing:
            w(line)
        w("}")

    def _call(self, w, plan, args):
        c = plan.c
        w(f"void vds_call_{c.name}(struct vds_execution *x, void *body)")
        w("{")
        self._host_command(w, plan, [
            'vds_dec_fail(&x->decoder, "the host has no such command");', "return;"])
        arguments = self._arguments(plan)
        w(f"{args} *a = body;" if "a->" in arguments else "(void)body;")
        invoke = f"call({arguments})"
        # completion.c submits to the queue, too.
        of_queue = c.params[0].type == "VkQueue"
        if of_queue:
            w("struct vds_queue *queue = vds_queue_of(x);")
            w("pthread_mutex_lock(&queue->host);")
        if c.ret == "void":
            w(f"{invoke};")
        elif c.ret in ("VkResult", "VkBool32"):
            w(f"x->result = (int32_t){invoke};")
        else:
            w(f"x->value = (uint64_t){invoke};")
        if of_queue:
            w("pthread_mutex_unlock(&queue->host);")
        w("}")
        w()

    def _replay(self, w, plan, args):
        """Decodes and calls. What returns nothing goes on with all records of its kind that follow."""
        c = plan.c
        if c.ret not in ("void", "VkResult"):
            raise SystemExit(f"{c.name}: nobody can be told what it returns")
        w(f"bool vds_replay_{c.name}(struct vds_execution *x, void *body)")
        w("{")
        self._host_command(w, plan, [
            'return vds_dec_fail(&x->decoder, "the host has no such command");'])
        w("do {")
        self.check(w, f"decode_{c.name}(&x->decoder, body)")
        w("const enum vds_next next = vds_stream_next(x);")
        w("if (next == VDS_STOP)")
        w("    return false;")
        w("if (next == VDS_PASS)")
        w("    continue;")
        if plan.wire:
            w(f"{args} *a = body;")
        call = f"call({self._arguments(plan)})"
        if c.ret == "void":
            w(f"{call};")
            w(f"}} while ((body = vds_stream_repeats(x, {self.args_size(plan)})));")
        else:
            self.check(w, f"vds_stream_result(x, {call})")
            w("} while (false);")
        w("return true;")
        w("}")
        w()
