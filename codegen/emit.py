# SPDX-License-Identifier: MIT
"""What the client's and the server's emitters share."""

import re


class Writer:
    """Lines of C with indentation."""

    def __init__(self):
        self.lines = []
        self.depth = 0

    def __call__(self, text=""):
        if text.startswith("}"):
            self.depth -= 1
        self.lines.append("    " * self.depth + text if text else "")
        if text.endswith("{"):
            self.depth += 1
        return self

    def text(self):
        return "\n".join(self.lines) + "\n"


def count_expression(count, members, prefix):
    """A length expression of the registry in C. `prefix` goes before members ("s->", "a->", "").
    Counts behind pointers are followed, NULL counting as 0."""
    if count is None:
        return "1"
    names = {m.name: m for m in members}

    def name(match):
        word = match.group(0)
        m = names.get(word)
        if not m:
            return word
        after = count[match.end():]
        if m.pointers and not after.startswith(("->", "[")):
            return f"({prefix}{word} ? *{prefix}{word} : 0)"
        return prefix + word

    return re.sub(r"(?<![\w>.])[A-Za-z_]\w*", name, count)


def args_members(plan):
    """Members of the argument struct, as C declarations."""
    out = []
    for p in plan.wire:
        d = p.declaration
        if p.dims:
            d = d.replace("const ", "")
        elif p.pointers:
            # The server patches pointers in place and hands them on.
            pass
        out.append(d + ";")
    return out


def used_structs(planner, plan_steps, direction):
    """Names of structs reachable from these steps, chains included."""
    seen = set()

    def visit(name):
        if name in seen or name not in planner.r.structs:
            return
        seen.add(name)
        walk(planner.struct_steps(name))
        if planner.r.structs[name].has_chain:
            for s in planner.chain_of(name):
                visit(s.name)

    def walk(steps):
        for s in steps:
            if s.kind == "union":
                for _, inner in s.cases:
                    walk(inner)
            elif s.elem in planner.r.structs:
                visit(s.elem)

    walk(plan_steps)
    return seen
