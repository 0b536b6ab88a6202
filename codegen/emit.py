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


def count_expression(count, members, prefix, outer=None):
    """A length expression of the registry in C. `prefix` goes before members ("s->", "a->", "").
    Counts behind pointers are followed, NULL counting as 0. `outer` is where the member of an
    enclosing struct is kept that a length with a "*" is about."""
    if count is None:
        return "1"
    if "*_" in count:
        return re.sub(r"\*_\w+", outer, count)
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


def object_type(step, members, prefix):
    """enum vd_type of an object in a u64, in C: what the member beside it says."""
    m = next(x for x in members if x.name == step.elem)
    of = "report" if m.type == "VkDebugReportObjectTypeEXT" else "object"
    return f"vd_type_of_{of}({prefix}{m.name})"


def reached_functions(roots, has_chain, links, members):
    """(struct functions, chain functions) that are called, starting with `roots`. A struct comes
    with its chain, if it has one; links(it) are the structs that may stand there, and come without
    one of their own. members(it) are those that a struct holds or points to."""
    functions, whole, waiting = set(), set(), list(roots)
    while waiting:
        key = waiting.pop()
        if key in whole:
            continue
        whole.add(key)
        for struct in [key] + (links(key) if has_chain(key) else []):
            functions.add(struct)
            waiting += members(struct)
    return functions, set(filter(has_chain, whole))
