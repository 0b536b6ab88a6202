# SPDX-License-Identifier: MIT
"""What vk.xml tells about each type of object: where it comes from, what ends it, who names it."""

import re


def made_by(registry, command):
    """[(type, the parameter that it stands in or below)] of the handles that a command gives out:
    in an array of its own, or in one that a struct points to."""
    found = []
    for p in command.params:
        if not p.pointers or p.const:
            continue
        if p.type in registry.handles:
            found.append((p.type, p))
        elif p.type in registry.structs:
            found += [(m.type, p) for m in registry.structs[p.type].members
                      if m.type in registry.handles and m.pointers]
    return found


def ended_by(registry, command):
    """The parameter whose object, or objects, a command ends: the last handle. None: it ends none."""
    verb = re.match(r"vk(Destroy|Free|Release)", command.name)
    named = [p for p in command.params if p.type in registry.handles]
    if not verb or not named:
        return None
    # Instances and devices are destroyed by a command of their own; but many a thing that is
    # released is no object.
    if named[-1] is command.params[0] and verb.group(1) != "Destroy":
        return None
    return named[-1]


def pool_member(registry, command):
    """(parameter, member) that names the pool which a command allocates from, or None."""
    if not command.name.startswith("vkAllocate"):
        return None
    parents = {registry.handles[t].parent for t, _ in made_by(registry, command)}
    for p in command.params:
        for m in registry.structs[p.type].members if p.type in registry.structs else []:
            if m.type in parents:
                return p, m
    return None


def named_in(registry, roots):
    """The types of the handles in parameters or members, and in what these point to, with chains."""
    found, seen, waiting = set(), set(), list(roots)
    while waiting:
        name = waiting.pop().type
        if name in registry.handles:
            found.add(name)
        elif name in registry.structs and name not in seen:
            seen.add(name)
            for s in [registry.structs[name], *registry.extending.get(name, [])]:
                waiting += s.members
    return found


def recorded(registry):
    """The types of objects that recording may look at: what commands of command buffers name, what
    such objects are made of, and what is bound to them. Pools it does not look at itself, but at what
    is allocated from them."""
    found = named_in(registry, (p for c in registry.commands.values()
                                if c.level == "VkCommandBuffer" for p in c.params))
    count = 0
    while len(found) > count:
        count = len(found)
        for c in registry.commands.values():
            if c.level == "VkDevice" and (c.name.startswith("vkBind") or
                                          found.intersection(t for t, _ in made_by(registry, c))):
                found |= named_in(registry, c.params[1:])
    return found - {h.pool for h in registry.handles.values()}


def alone_with(registry, command):
    """The types of what a command demands to be alone with, and of what it ends with that."""
    found = set()
    for p in command.params:
        if p.exclusive == "true":
            found.add(p.type)
        # Registries differ in whether a struct's parameter says so, or its member.
        path = re.findall(r"\w+", p.exclusive or "")[-1:]
        found |= {m.type for m in registry.structs[p.type].members
                  if m.exclusive or m.name in path} if p.type in registry.structs else set()
    ended = ended_by(registry, command)
    return found | (registry.handles[ended.type].below if ended else set())


def gather(registry):
    """Fills in what the commands tell about the registry's handles."""
    for c in registry.commands.values():
        for name, _ in made_by(registry, c):
            registry.handles[name].makers.append(c.name)
        ended = ended_by(registry, c)
        if ended:
            registry.handles[ended.type].enders.append(c.name)
        pool = pool_member(registry, c)
        if pool:
            for name, _ in made_by(registry, c):
                registry.handles[name].pool = pool[1].type
    for h in registry.handles.values():
        at = h
        while at.parent:
            at = registry.handles[at.parent]
            h.of_device = h.of_device or at.name == "VkDevice"
            at.below.add(h.name)
