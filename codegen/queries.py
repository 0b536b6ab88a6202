# SPDX-License-Identifier: MIT
"""Queries that have a later form with chains: vkGet…Properties and vkGet…Properties2. Where the client
answers the later one by hand, the first one is generated from it."""

import re
from dataclasses import dataclass

from emit import Writer


@dataclass
class Query:
    first: object       # the command without a chain
    later: object       # the command with one
    member: str         # of the later one's answer: the first one's
    info: object        # parameter of the later one that holds some of the first one's, or None

    @property
    def many(self):
        return bool(self.first.params[-1].lens)


def later_names(name):
    """What the later form of a command may be called."""
    return [name + "2", re.sub(r"(?=[A-Z]{2,}$)", "2", name, count=1)]


def is_answer(registry, p):
    return p.type in registry.structs and p.pointers == 1 and not p.const


def described(registry, p):
    """Members of a struct that asks, by name."""
    return {m.name: m for m in registry.structs[p.type].members if m.name not in ("sType", "pNext")}


def query(registry, first):
    """The Query of a command, or None where it has no later form of the same shape."""
    later = next((registry.commands[n] for n in (registry.command_alias.get(n, n) for n in later_names(first.name))
                  if n in registry.commands and n != first.name), None)
    if not later or not first.params:
        return None
    answer, later_answer = first.params[-1], later.params[-1]
    if not is_answer(registry, answer) or not is_answer(registry, later_answer) or \
            not registry.structs[later_answer.type].stype:
        return None
    member = next((m.name for m in registry.structs[later_answer.type].members
                   if m.type == answer.type and not m.pointers), None)
    asked = {p.name: p.type for p in first.params[:-1]}
    info, given = None, {}
    for p in later.params[:-1]:
        if p.const and p.type in registry.structs:
            info = p
            given.update((m.name, m.type) for m in described(registry, p).values())
        else:
            given[p.name] = p.type
    return Query(first, later, member, info) if member and given == asked else None


def function(registry, q):
    """C of the first form."""
    w = Writer()
    answer, later_answer = q.first.params[-1], q.later.params[-1]
    stype = registry.structs[later_answer.type].stype
    w(f"VKAPI_ATTR {q.first.ret} VKAPI_CALL vdc_{q.first.name}({q.first.args})")
    w("{")
    if q.info:
        w(f"const {q.info.type} info = {{")
        w(f".sType = {registry.structs[q.info.type].stype},")
        for name in described(registry, q.info):
            w(f".{name} = {name},")
        w("};")
    result = "" if q.first.ret == "void" else f"const {q.first.ret} result = "

    count = answer.lens[0] if q.many else None

    def ask(where, room=count):
        names = {q.info.name: "&info"} if q.info else {}
        names[count] = room
        given = [names.get(p.name, p.name) for p in q.later.params[:-1]]
        return f"vdc_{q.later.name}({', '.join(given + [where])});"

    if q.many:
        w(f"{later_answer.type} *many = NULL;")
        w(f"if ({answer.name}) {{")
        # Whoever wants all may have made room for any number.
        w("uint32_t have = 0;")
        w(ask("NULL", "&have"))
        w(f"if (*{count} > have)")
        w(f"    *{count} = have;")
        w(f"many = calloc(*{count} ? *{count} : 1, sizeof(*many));")
        w("if (!many) {")
        w(f"*{count} = 0;")
        w("return;" if q.first.ret == "void" else "return VK_ERROR_OUT_OF_HOST_MEMORY;")
        w("}")
        w(f"for (uint32_t i = 0; i < *{count}; i++)")
        w(f"    many[i].sType = {stype};")
        w("}")
        w(result + ask("many"))
        w(f"for (uint32_t i = 0; many && i < *{count}; i++)")
        w(f"    {answer.name}[i] = many[i].{q.member};")
        w("free(many);")
    else:
        w(f"{later_answer.type} one = {{.sType = {stype}}};")
        w(result + ask("&one"))
        w(f"*{answer.name} = one.{q.member};")
    if result:
        w("return result;")
    w("}")
    w()
    return w.text()


def file(registry, queries):
    lines = ["/* Generated from vk.xml: queries without a chain, as their later forms answer them. */",
             "#include <stdlib.h>", "", '#include "entrypoints.h"', ""]
    return "\n".join(lines + [function(registry, q) for q in queries])
