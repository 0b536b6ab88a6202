# SPDX-License-Identifier: MIT
"""What an extension depends on: "+" is and, "," is or, both bind alike and from the left."""

import re


def c_expression(text, atom):
    """The expression in C. `atom` gives the C of a name."""
    tokens = re.findall(r"[()+,]|[\w:]+", text)
    place = 0

    def term():
        nonlocal place
        token = tokens[place]
        place += 1
        if token != "(":
            return atom(token)
        inner = expression()
        place += 1  # the closing one
        return inner

    def expression():
        nonlocal place
        out = term()
        while place < len(tokens) and tokens[place] in "+,":
            operator = " && " if tokens[place] == "+" else " || "
            place += 1
            out = f"({out}{operator}{term()})"
        return out

    return expression()
