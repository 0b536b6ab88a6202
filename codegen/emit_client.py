# SPDX-License-Identifier: MIT
"""C of the client: encoders for structs, and a call for every command that crosses."""

import re

from emit import Writer, count_expression, object_type, reached_functions
from emit_wire import WireEmitter


class ClientEmitter:
    def __init__(self, planner):
        self.p = planner
        self.r = planner.r
        self.wire = WireEmitter(planner)

    def _differing(self, name, function, place, value, *rest):
        """A call that copies elements. Where their layout on the wire may be another one, `function` is a
        macro that is told the type; else a function, which is told the size."""
        if self.wire.differs(name):
            function, size = function.upper(), name
        else:
            size = f"sizeof({'uint8_t' if name == 'void' else name})"
        return f"{function}({', '.join([place, value, size, *rest])})"

    # -- what is needed for a struct ------------------------------------------------------------

    def _filling(self, steps):
        for s in steps:
            if s.kind in ("out", "inout", "shape", "new") or s.back:
                yield s
            elif s.kind in ("array", "struct") and s.elem in self.r.structs and \
                    self.p.fills(s.elem):
                yield s
            elif s.kind == "chain":
                yield s

    def deps(self, steps, kind):
        """(kind, struct) functions that these steps call. Kinds: enc, shape, fill, take, and
        their chains."""
        for s in steps:
            if s.kind == "union":
                for _, inner in s.cases:
                    yield from self.deps(inner, kind)
            elif s.kind == "shape":
                sub = {"enc": "shape", "shape": "shape", "fill": "take", "take": "take"}[kind]
                yield (sub, s.elem)
            elif s.elem in self.r.structs and s.kind in ("array", "pointers", "arrays", "struct",
                                                         "structs"):
                if kind == "enc" and s.elem_work:
                    yield ("enc", s.elem)
                elif kind == "shape" and s.kind == "struct":
                    yield ("shape", s.elem)
                elif kind == "fill" and self.p.fills(s.elem):
                    yield ("fill", s.elem)
                elif kind == "take" and s.kind == "struct":
                    yield ("take", s.elem)

    def closure(self, roots):
        """(functions, chain functions) needed, starting from (kind, struct) pairs."""
        return reached_functions(
            roots,
            lambda key: self.r.structs[key[1]].has_chain,
            lambda key: [(key[0], s.name) for s in self.links(*key)],
            lambda key: self.deps(self.p.struct_steps(key[1]), key[0]))

    def links(self, kind, name):
        return [s for s in self.p.chain_of(name) if kind != "fill" or self.p.fills(s.name)]

    def _offset(self, owner, member):
        """Of a member of a struct, or of a command's arguments, on the wire."""
        return f"offsetof({self.wire.type(owner)}, {member})"

    # -- struct functions -----------------------------------------------------------------------

    def declare(self, kind, name):
        s = self.r.structs[name]
        arg = {"enc": "struct vdc_encoder *e, uint32_t at, const {0} *s",
               "shape": "struct vdc_encoder *e, uint32_t at, const {0} *s",
               "fill": "const struct vdc_fill *f, uint32_t at, const {0} *s",
               "take": "const struct vdc_fill *f, uint32_t at, {0} *s"}[kind].format(name)
        out = [f"void vdc_{kind}_{name}({arg})"]
        if s.has_chain:
            chain = {"enc": "struct vdc_encoder *e, uint32_t at, const void *chain",
                     "shape": "struct vdc_encoder *e, uint32_t at, const void *chain",
                     "fill": "const struct vdc_fill *f, uint32_t at, const void *chain",
                     "take": "const struct vdc_fill *f, uint32_t at, void *chain"}[kind]
            out.append(f"void vdc_{kind}_chain_{name}({chain})")
        return out

    def call(self, w, kind, name, at, s):
        """Calls the function of one struct and of its chain."""
        handle = "f" if kind in ("fill", "take") else "e"
        w(f"vdc_{kind}_{name}({handle}, {at}, {s});")
        if self.r.structs[name].has_chain:
            cast = "(void *)" if kind == "take" else ""
            w(f"vdc_{kind}_chain_{name}({handle}, {at} + {self._offset(name, 'pNext')}, "
              f"{cast}({s})->pNext);")

    def struct_function(self, kind, name):
        w = Writer()
        w(self.declare(kind, name)[0])
        w("{")
        body = Writer()
        getattr(self, "_" + kind)(body, name)
        for line in body.lines:
            w.lines.append("    " + line if line else "")
        for name in ("f" if kind in ("fill", "take") else "e", "at", "s"):
            if not re.search(rf"\b{name}\b", "\n".join(body.lines)):
                w(f"(void){name};")
        w("}")
        w()
        return w.text()

    def chain_function(self, kind, name):
        w = Writer()
        self._chain(w, kind, name, self.declare(kind, name)[1])
        return w.text()

    def _chain(self, w, kind, name, signature):
        links = self.links(kind, name)
        w(signature)
        w("{")
        if kind in ("enc", "shape"):
            if links:
                w("for (const VkBaseInStructure *in = chain; in; in = in->pNext) {")
                w("uint32_t next;")
                w("if (!vdc_enc_crosses(e, in->sType))")
                w("    continue;")
                w("switch ((int)in->sType) {")
                for s in links:
                    w(f"case {s.stype}:")
                    if kind == "enc":
                        w(f"    next = {self._differing(s.name, 'vdc_enc_copy', 'e, at', 'in', '1')};")
                    else:
                        w(f"    next = vdc_enc_shape(e, at, in, sizeof({self.wire.type(s.name)}), 1);")
                    w("    if (!next)")
                    w("        return;")
                    w(f"    vdc_{kind}_{s.name}(e, next, (const {s.name} *)in);")
                    w("    break;")
                w("default:")
                w("    continue;")
                w("}")
                w("at = next + VD_WIRE_PNEXT;")
                w("}")
            else:
                w("(void)chain;")
            w("vdc_enc_put64(e, at, 0);")
        elif links:
            base = "const VkBaseInStructure" if kind == "fill" else "VkBaseOutStructure"
            w(f"{base} *out = chain;")
            w("for (uint32_t next = vdc_fill_pointer(f, at); next;")
            w("     next = vdc_fill_pointer(f, next + VD_WIRE_PNEXT)) {")
            w("const VkStructureType type = vdc_fill_stype(f, next);")
            w("while (out && out->sType != type)")
            w("    out = out->pNext;")
            w("if (!out)")
            w("    return;")
            w("switch ((int)type) {")
            for s in links:
                w(f"case {s.stype}:")
                const = "const " if kind == "fill" else ""
                w(f"    vdc_{kind}_{s.name}(f, next, ({const}{s.name} *)out);")
                w("    break;")
            w("}")
            w("out = out->pNext;")
            w("}")
        else:
            w("(void)f;")
            w("(void)at;")
            w("(void)chain;")
        w("}")
        w()

    def _enc(self, w, name):
        for offset, size in self.p.layouts.padding(name):
            w(f"vdc_enc_zero(e, at + {offset}, {size});")
        for offset, mask in self.p.layouts.partly_used(name):
            w(f"vdc_enc_mask(e, at + {offset}, {mask:#04x});")
        outer = self.p.outer_member(name)
        if outer:
            w(f"e->outer = s->{outer.name};")
        members = self.r.structs[name].members
        for step in self.p.struct_steps(name):
            if step.kind != "chain":
                self.encode_step(w, step, name, "s->", members)

    def _shape(self, w, name):
        """The application's struct is not read but for what sizes its output."""
        s = self.r.structs[name]
        if s.stype:
            w(f"vdc_enc_put32(e, at, {s.stype});")
        sizes = {x.count for x in self.p.struct_steps(name) if x.count}
        for m in s.members:
            if m.name in sizes:
                size = self.p.layouts.of_member(m)[0]
                w(f"vdc_enc_put{size * 8}(e, at + {self._offset(name, m.name)}, s->{m.name});")
        for step in self.p.struct_steps(name):
            if step.kind in ("out", "inout", "shape", "number", "new"):
                self.encode_step(w, step, name, "s->", s.members)
            elif step.kind == "struct":
                self.call(w, "shape", step.elem, f"at + {self._offset(name, step.m.name)}",
                          f"&s->{step.m.name}")

    def _fill(self, w, name):
        members = self.r.structs[name].members
        for step in self._filling(self.p.struct_steps(name)):
            if step.kind != "chain":
                self.fill_step(w, step, name, "s->", members)

    def _take(self, w, name):
        s = self.r.structs[name]
        w(f"const {self.wire.type(name)} *from = vdc_fill_echo(f, at, sizeof(*from));")
        w("if (!from)")
        w("    return;")
        steps = {x.m.name: x for x in self.p.struct_steps(name)}
        # Counts first: they say how much of an array came.
        for m in s.members:
            inner = m.name in steps and steps[m.name].kind == "struct"
            if m.pointers and m.name not in steps:   # policy: a number
                w(f"s->{m.name} = ({m.type} *)(uintptr_t)from->{m.name};")
                continue
            if m.name in ("sType", "pNext") or m.pointers or inner:
                continue
            if self.wire.differs(m.type) and m.dims:
                w(f"for (uint32_t i = 0; i < {m.dims[0]}; i++)")
                w(f"    VD_FROM_WIRE({m.type}, &s->{m.name}[i], &from->{m.name}[i]);")
            elif self.wire.differs(m.type):
                w(f"VD_FROM_WIRE({m.type}, &s->{m.name}, &from->{m.name});")
            elif m.dims:
                w(f"memcpy(s->{m.name}, from->{m.name}, sizeof(s->{m.name}));")
            else:
                w(f"s->{m.name} = from->{m.name};")
        for m in s.members:
            step = steps.get(m.name)
            if step and step.kind == "struct":
                self.call(w, "take", step.elem, f"at + {self._offset(name, m.name)}",
                          f"&s->{m.name}")
            elif step and step.kind in ("out", "inout", "shape"):
                self.fill_step(w, step, name, "s->", s.members)

    # -- steps ----------------------------------------------------------------------------------

    def encode_step(self, w, step, owner, prefix, members):
        """Encodes what one member points to. `owner` is the C type at offset `at`."""
        m = step.m
        where = f"at + {self._offset(owner, m.name)}"
        value = prefix + m.name
        if step.kind == "dispatchable":
            w(f"vdc_enc_put64(e, {where}, vdc_id_of({value}));")
        elif step.kind in ("handle", "number", "handles", "chain"):
            pass
        elif step.kind == "object":
            w(f"vdc_enc_put64(e, {where}, vdc_id_of_object({object_type(step, members, prefix)}, "
              f"{value}));")
        elif step.kind == "host":
            w(f"vdc_enc_put64(e, {where}, 0);")
            if step.ignored_count:
                w(f"vdc_enc_put32(e, at + {self._offset(owner, step.ignored_count)}, 0);")
        elif step.kind == "shm":
            w(f"vdc_enc_put64(e, {where}, {value} ? *(const uint64_t *){value} : 0);")
        elif step.kind == "struct":
            self.call(w, "enc", step.elem, where, f"&{value}")
        elif step.kind == "structs":
            w(f"for (uint32_t i = 0; i < {m.dims[0]}; i++) {{")
            self.call(w, "enc", step.elem, f"({where} + i * (uint32_t)sizeof({self.wire.type(step.elem)}))",
                      f"&{value}[i]")
            w("}")
        elif step.kind == "union":
            self._encode_union(w, step, owner, prefix)
        else:
            if step.when_ignored:
                w(f"if ({step.when_ignored}) {{")
                w(f"vdc_enc_put64(e, {where}, 0);")
                if step.ignored_count:
                    w(f"vdc_enc_put32(e, at + {self._offset(owner, step.ignored_count)}, 0);")
                w("} else {")
            else:
                w("{")
            self._encode_pointer(w, step, owner, where, value, prefix, members)
            w("}")

    def _encode_pointer(self, w, step, owner, where, value, prefix, members):
        m = step.m
        count = count_expression(step.count, members, prefix, "e->outer")
        ctype = "uint8_t" if step.elem == "void" else self.wire.type(step.elem)
        place = f"e, {where}"
        if step.kind == "string":
            w(f"vdc_enc_string(e, {where}, {value});")
        elif step.kind == "strings":
            w(f"vdc_enc_strings(e, {where}, {value}, {count});")
        elif step.kind == "array":
            if step.elem in self.r.handles and self.r.handles[step.elem].dispatchable:
                w(f"vdc_enc_dispatchables(e, {where}, (const void *const *){value}, {count});")
            elif step.elem in self.r.structs and step.elem_work:
                w(f"const uint64_t n = {count};")
                w(f"const uint32_t p = {self._differing(step.elem, 'vdc_enc_copy', place, value, 'n')};")
                w("for (uint32_t i = 0; p && i < n; i++) {")
                self.call(w, "enc", step.elem, f"(p + i * (uint32_t)sizeof({ctype}))",
                          f"&{value}[i]")
                w("}")
            elif m.stride:
                # The application's array may have gaps, the record's has none.
                stride = prefix + m.stride
                w(f"{self._differing(step.elem, 'vdc_enc_gather', place, value, count, stride)};")
                w(f"vdc_enc_put32(e, at + {self._offset(owner, m.stride)}, sizeof({ctype}));")
            else:
                w(f"{self._differing(step.elem, 'vdc_enc_copy', place, value, count)};")
        elif step.kind == "pointers":
            w(f"const uint64_t n = {count};")
            w(f"const uint32_t list = vdc_enc_list(e, {where}, {value}, n);")
            w("for (uint32_t i = 0; list && i < n; i++) {")
            w(f"const uint32_t p = {self._differing(step.elem, 'vdc_enc_copy', 'e, list + i * 8', f'{value}[i]', '1')};")
            if step.elem_work:
                w("if (p) {")
                self.call(w, "enc", step.elem, "p", f"{value}[i]")
                w("}")
            else:
                w("(void)p;")
            w("}")
        elif step.kind == "arrays":
            w(f"const uint64_t n = {count};")
            w(f"const uint32_t list = vdc_enc_list(e, {where}, {value}, n);")
            w("for (uint32_t i = 0; list && i < n; i++)")
            w(f"    {self._differing(step.elem, 'vdc_enc_copy', 'e, list + i * 8', f'{value}[i]', step.inner)};")
        elif step.kind == "sized":
            w(f"vdc_enc_sized(e, {where}, {value}, {step.size}, {'true' if step.back else 'false'}, {step.share});")
        elif step.kind == "out":
            w(f"vdc_enc_out(e, {where}, {value}, sizeof({ctype}), {count});")
        elif step.kind == "inout":
            w(f"{self._differing(step.elem, 'vdc_enc_inout', place, value, count)};")
        elif step.kind == "shape":
            w(f"const uint64_t n = {count};")
            w(f"const uint32_t p = vdc_enc_shape(e, {where}, {value}, sizeof({ctype}), n);")
            w("for (uint32_t i = 0; p && i < n; i++) {")
            self.call(w, "shape", step.elem, f"(p + i * (uint32_t)sizeof({ctype}))",
                      f"&{value}[i]")
            w("}")
        elif step.kind == "new":
            if self.r.handles[step.elem].dispatchable:
                w(f"vdc_enc_new_dispatchables(e, {where}, (const void *const *){value}, {count});")
            else:
                pool = f"(uint64_t){prefix}{step.pool}" if step.pool else "0"
                w(f"vdc_enc_new(e, {where}, {value}, VD_TYPE_{step.elem}, {count}, {pool});")
        else:
            raise SystemExit(f"no encoding for {step.kind} {value}")

    def _encode_union(self, w, step, owner, prefix):
        m = step.m
        w(f"switch ((int){prefix}{m.selector}) {{")
        for selection, steps in step.cases:
            if not selection:
                continue
            for value in selection:
                w(f"case {value}:")
            w("{")
            for inner in steps:
                # Members of the union are reached through it.
                self._union_member(w, inner, owner, m, prefix)
            w("break;")
            w("}")
        w("default:")
        w(f"    vdc_enc_zero(e, at + {self._offset(owner, m.name)}, {self.p.layouts.of_member(m)[0]});")
        w("}")

    def _union_member(self, w, inner, owner, m, prefix):
        import copy
        step = copy.copy(inner)
        step.m = copy.copy(inner.m)
        step.m.name = f"{m.name}.{inner.m.name}"
        self.encode_step(w, step, owner, prefix, [])

    def fill_step(self, w, step, owner, prefix, members):
        m = step.m
        where = f"at + {self._offset(owner, m.name)}"
        value = prefix + m.name
        ctype = "uint8_t" if step.elem == "void" else self.wire.type(step.elem)
        if step.kind == "struct":
            self.call(w, "fill", step.elem, where, f"&{value}")
            return
        w("{")
        if step.kind == "array":
            w(f"const uint32_t p = vdc_fill_pointer(f, {where});")
            w(f"for (uint32_t i = 0; p && i < {count_expression(step.count, members, prefix)}; "
              "i++) {")
            self.call(w, "fill", step.elem, f"(p + i * (uint32_t)sizeof({ctype}))",
                      f"&{value}[i]")
            w("}")
        elif step.back:
            w(f"vdc_fill_sized(f, {where}, (void *){value});")
        elif step.kind in ("out", "inout", "shape"):
            # What was asked for stands in the record; what came, in the application's counts,
            # which were filled before: registry order puts counts first.
            count = count_expression(step.count, members, prefix)
            if step.kind == "shape":
                w(f"const uint32_t p = vdc_fill_pointer(f, {where});")
                w(f"const uint64_t n = vdc_fill_count(f, {count}, "
                  f"{self._asked(step, owner, members)});")
                w("for (uint32_t i = 0; p && i < n; i++) {")
                self.call(w, "take", step.elem, f"(p + i * (uint32_t)sizeof({ctype}))",
                          f"&{value}[i]")
                w("}")
            else:
                came = f"vdc_fill_count(f, {count}, {self._asked(step, owner, members)})"
                w(f"{self._differing(step.elem, f'vdc_fill_{step.kind}', f'f, {where}', value, came)};")
        else:
            raise SystemExit(f"no filling for {step.kind} {value}")
        w("}")

    def _asked(self, step, owner, members):
        """The capacity that the record announced, as a C expression; UINT64_MAX: not counted."""
        if not step.count:
            return "1"
        m = next((x for x in members if x.name == step.count), None)
        if not m:
            return "UINT64_MAX"
        size = 4 if m.type not in ("size_t", "VkDeviceSize") else 8
        if m.pointers:
            return (f"vdc_fill_asked{size * 8}(f, vdc_fill_pointer(f, at + "
                    f"{self._offset(owner, m.name)}))")
        return f"vdc_fill_asked{size * 8}(f, at + {self._offset(owner, m.name)})"

    # -- commands -------------------------------------------------------------------------------

    def prototype(self, plan):
        c = plan.c
        args = c.args
        if c.level is None:
            args = "struct vdc_instance *self, " + args
        return f"VKAPI_ATTR {c.ret} VKAPI_CALL vdc_call_{c.name}({args})"

    def roots(self, plan):
        out = list(self.deps(plan.steps, "enc"))
        if plan.sync:
            out += list(self.deps(list(self._filling(plan.steps)), "fill"))
        return out

    def command(self, plan):
        c = plan.c
        args = f"struct vd_args_{c.name}"
        w = Writer()
        w(self.prototype(plan))
        w("{")
        failed = {"void": "return;", "VkResult": "return result;"}.get(c.ret, "return 0;")
        if plan.streamed:
            looks = c.name in self.p.policy["looks_at_recording"]
            if looks:
                for param in c.params[1:]:
                    if param.type == "VkCommandBuffer":
                        w(f"vdc_command_buffer_hand_over({param.name});")
            give_up = "return;" if c.ret == "void" else "return VK_ERROR_OUT_OF_HOST_MEMORY;"
            record = f"({c.params[0].name}, VD_OP_{c.name}, {self._args_size(plan)})"
            pointees = self._pointees(plan)
            if pointees:
                w(f"struct vdc_encoder *e = vdc_stream_begin{record};")
                w("if (!e)")
            elif plan.wire:
                w(f"{args} *a = vdc_stream_put{record};")
                w("if (!a)")
            else:
                w(f"if (!vdc_stream_put{record})")
            w("    " + give_up)
            if plan.names_buffers:
                w(f"vdc_stream_names_others({c.params[0].name});")
            if pointees:
                self._encode_args(w, plan, args)
                w("vdc_stream_end(e);")
            elif plan.wire:
                self._assign_args(w, plan)
            if looks:
                w(f"vdc_command_buffer_hand_over({c.params[0].name});")
            if c.ret != "void":
                w("return VK_SUCCESS;")
            w("}")
            w()
            return w.text()
        for s in plan.names:
            # Nobody else can see what the client alone knows. Of what no device has, loaders before
            # 1.3.240 hand over their own object instead of ours, and drivers crash on it.
            type_ = object_type(self.p.named_object(s), self.r.structs[s.elem].members, s.m.name + "->")
            w(f"if (!vd_objects[{type_}].crosses || !vd_objects[{type_}].of_device)")
            w("    return VK_SUCCESS;")
        me = "self" if c.level is None else c.params[0].name
        if c.level == "VkPhysicalDevice":
            w(f"{me} = (VkPhysicalDevice)vdc_physical_device_living((struct vdc_physical_device *){me});")
        w("struct vdc_call call;")
        w(f"VkResult result = vdc_call_begin(&call, {me}, VD_OP_{c.name}, "
          f"{self._args_size(plan)}, {self._kind(plan)});")
        w("if (result != VK_SUCCESS) {")
        for n in plan.news:
            if n.step.count and not self.r.handles[n.step.elem].dispatchable:
                count = count_expression(n.step.count, n.siblings, n.prefix)
                w(f"vdc_call_no_new({n.prefix}{n.step.m.name}, {count});")
        self._give_up(w, plan)
        w(failed)
        w("}")
        w("struct vdc_encoder *e = &call.encoder;")
        self._encode_args(w, plan, args)
        if plan.sync:
            w("result = vdc_call_wait(&call);")
            fills = [s for s in self._filling(plan.steps) if s.kind != "new"]
            order = [s for s in fills if s.kind == "inout" and s.count is None] + \
                    [s for s in fills if not (s.kind == "inout" and s.count is None)]
            if order:
                w("if (vdc_call_answered(&call)) {")
                w("const struct vdc_fill *f = &call.fill;")
            for s in order:
                self.fill_step(w, s, args, "", c.params)
            self._translate(w, plan)
            give_up = Writer()
            self._give_up(give_up, plan)
            if order and give_up.lines:
                w("} else {")
                for line in give_up.lines:
                    w(line)
            if order:
                w("}")
        else:
            w("result = vdc_call_send(&call);")
        for n in plan.news:
            if not self.r.handles[n.step.elem].dispatchable:
                count = count_expression(n.step.count, n.siblings, n.prefix)
                w(f"vdc_call_take_new(&call, {n.prefix}{n.step.m.name}, {count});")
        if plan.victim and plan.victim.elem and \
                not self.r.handles[plan.victim.elem].dispatchable:
            v = plan.victim
            if v.kind == "array":
                w(f"vdc_id_free_list(vdc_instance_of({me}), (const uint64_t *){v.m.name}, "
                  f"{count_expression(v.count, c.params, '')});")
            else:
                w(f"vdc_id_free(vdc_instance_of({me}), (uint64_t){v.m.name});")
        if plan.emptied:
            w(f"vdc_id_free_children(vdc_instance_of({me}), (uint64_t){plan.emptied.name});")
        if c.ret == "VkResult":
            w("vdc_call_end(&call);")
            w("return result;")
        elif c.ret == "void":
            w("(void)result;")
            w("vdc_call_end(&call);")
        else:
            w(f"const {c.ret} value = ({c.ret})vdc_call_value(&call);")
            w("(void)result;")
            w("vdc_call_end(&call);")
            w("return value;")
        w("}")
        w()
        return w.text()

    def _translate(self, w, plan):
        """The host's memory types become the application's, where nobody does it by hand."""
        for p in plan.c.params if not self.p.by_hand(plan.c.name) else []:
            member = self.p.requirements_in(p) if p.pointers and not p.const else None
            if member:
                count = count_expression(p.lens[0] if p.lens else None, plan.c.params, "")
                w(f"for (uint32_t i = 0; {p.name} && i < {count}; i++)")
                w(f"    vdc_requirements_of_host(device, &{p.name}[i].{member});")

    def _kind(self, plan):
        if plan.after_loss:
            return "VDC_CALL_ANYWAY"
        if plan.sync:
            return "VDC_CALL_SYNC"
        if plan.c.level == "VkQueue" or plan.c.name in self.p.policy["prompt"]:
            kind = "VDC_CALL_PROMPT"
        elif {"VK_ERROR_OUT_OF_HOST_MEMORY", "VK_ERROR_OUT_OF_DEVICE_MEMORY"}.intersection(plan.c.errors):
            kind = "VDC_CALL_UNLESS_SCARCE"
        else:
            kind = "VDC_CALL_LAZY"
        return f"{plan.asks} ? VDC_CALL_SYNC : {kind}" if plan.asks else kind

    def _args_size(self, plan):
        return f"sizeof(struct vd_args_{plan.c.name})" if plan.wire else "0"

    def _give_up(self, w, plan):
        """Nobody answers: outputs of commands that cannot fail become zero."""
        if plan.c.ret != "void":
            return
        for s in plan.returns:
            if s.kind == "out" and s.count is None:
                w(f"memset({s.m.name}, 0, sizeof(*{s.m.name}));")
            elif s.kind == "inout" and s.count is None:
                w(f"*{s.m.name} = 0;")
            elif s.kind == "shape" and s.count is None:
                w(f"vdc_zero_chain({s.m.name});")

    def zeroed(self):
        """The structs of outputs that become zero where nobody answers: not those in which the
        application says where something goes."""
        found = {}
        for name in self.p.wire_commands:
            plan = self.p.command_plan(name)
            for s in plan.returns if plan.c.ret == "void" else []:
                if s.kind == "shape" and s.count is None:
                    found.update((x.name, x) for x in [self.r.structs[s.elem],
                                                       *self.p.chain_of(s.elem)]
                                 if not any(m.pointers and m.name != "pNext" for m in x.members))
        return [found[n] for n in sorted(found)]

    def _pointees(self, plan):
        """The steps that write more than a member of the arguments."""
        return [s for s in plan.steps if s.kind not in ("dispatchable", "handle", "host", "number")]

    def _encode_args(self, w, plan, args):
        """Into the record of encoder `e`."""
        if not plan.wire:
            return
        w("const uint32_t at = e->at;")
        members = Writer()
        self._assign_args(members, plan)
        if members.lines:
            w(f"{args} *a = ({args} *)(e->base + at);")
        for line in members.lines:
            w(line)
        for s in self._pointees(plan):
            self.encode_step(w, s, args, "", plan.c.params)

    def _assign_args(self, w, plan):
        """Into the arguments `a`: all but what pointees are for."""
        steps = {}
        for s in plan.steps:
            steps.setdefault(s.m.name, s)
        total = self.p.layouts.of_members(plan.wire)[0]
        if sum(self.p.layouts.of_member(p)[0] for p in plan.wire) != total:
            w("memset(a, 0, sizeof(*a));")
        for p in plan.wire:
            step = steps.get(p.name)
            if step and step.kind == "dispatchable":
                w(f"a->{p.name} = VD_WIDE_ID({p.type}, vdc_id_of({p.name}));")
            elif step and step.kind == "number" or not p.pointers and (
                    not step or step.kind == "handle"):
                if self.wire.differs(p.type) and p.type in self.r.structs:
                    w(f"VD_TO_WIRE({p.type}, &a->{p.name}, &{p.name});")
                elif p.dims:
                    w(f"memcpy(a->{p.name}, {p.name}, sizeof(a->{p.name}));")
                else:
                    w(f"a->{p.name} = {p.name};")
            elif not step and p.pointers:
                w(f"a->{p.name} = VD_WIDE_NUMBER({p.name});")   # policy: a number
            elif step and step.kind == "host":
                w(f"a->{p.name} = 0;")
                w(f"(void){p.name};")
