# SPDX-License-Identifier: MIT
"""Numbers and layouts, read from the headers that both ends are compiled from.

No test repeats a number of the protocol: when the protocol changes, a repeated number makes the server
refuse a test's connection before it comes to what the test is about.
"""

import pathlib
import re
import struct

_root = pathlib.Path(__file__).resolve().parents[2]

# C type -> struct's letter.
_SCALARS = {
    "char": "c", "uint8_t": "B", "int8_t": "b", "uint16_t": "H", "int16_t": "h", "uint32_t": "I",
    "int32_t": "i", "uint64_t": "Q", "int64_t": "q", "int": "i", "float": "f", "size_t": "Q",
    "VkBool32": "I", "VkFlags": "I", "VkFlags64": "Q", "VkDeviceSize": "Q", "VkDeviceAddress": "Q",
}
_POINTER = "Q"


def read(paths):
    """The text of some headers, without comments."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.DOTALL)


def _lines_of_numbers(path):
    """name -> number, of protocol/opcodes.txt and types.txt."""
    text = path.read_text(encoding="utf-8")
    return {name: int(number)
            for number, name in re.findall(r"^(\d+)[ \t]+(\w+)[ \t]*$", text, re.MULTILINE)}


class Layout:
    """How a C struct lies in memory on an LP64 little-endian machine."""

    def __init__(self, name):
        self.name = name
        self.fields = {}  # name -> (offset, letter of struct, or None for what is not one number)
        self.size = 0
        self.alignment = 1

    def add(self, name, letter, size, alignment):
        offset = -(-self.size // alignment) * alignment
        self.fields[name] = (offset, letter)
        self.size = offset + size
        self.alignment = max(self.alignment, alignment)

    def finish(self):
        self.size = -(-self.size // self.alignment) * self.alignment

    def offset(self, field):
        return self.fields[field][0]

    def pack(self, **values):
        """The bytes of a struct with these values; all other members are zero."""
        data = bytearray(self.size)
        for field, value in values.items():
            offset, letter = self.fields[field]
            struct.pack_into("<" + letter, data, offset, value)
        return bytes(data)

    def unpack(self, data):
        """name -> value of each member that is one number."""
        return {field: struct.unpack_from("<" + letter, data, offset)[0]
                for field, (offset, letter) in self.fields.items() if letter}


class Headers:
    """Some C headers. Knows as much of C as these headers use; raises KeyError at anything else."""

    def __init__(self, text):
        self.text = text
        self._numbers = {}
        self._layouts = {}

    def number(self, name):
        """The value of a macro or an enumerator."""
        if name not in self._numbers:
            match = (re.search(rf"^[ \t]*#[ \t]*define[ \t]+{name}[ \t]+(.+)$", self.text, re.MULTILINE) or
                     re.search(rf"\b{name}\s*=\s*([^,}};]+)", self.text))
            if not match:
                raise KeyError(f"no header gives {name} a value")
            self._numbers[name] = self._evaluate(match.group(1))
        return self._numbers[name]

    def _evaluate(self, expression):
        expression = re.sub(r"\bU?INT(?:32|64)_C\((\w+)\)", r"\1", expression)
        expression = re.sub(r"\b(0[xX][0-9a-fA-F]+|\d+)[uUlL]+\b", r"\1", expression)
        expression = re.sub(r"\b[A-Za-z_]\w*\b", lambda match: str(self.number(match.group(0))),
                            expression).replace("/", "//").strip()
        if not re.fullmatch(r"[\dxXa-fA-F\s()+*/<>|&~-]+", expression):
            raise KeyError(f"not a number: {expression}")
        return eval(expression)  # digits and operators, as was just looked at

    def layout(self, name):
        """The Layout of `struct name` or of a typedef'd struct."""
        if name not in self._layouts:
            match = re.search(rf"\bstruct\s+{name}\s*{{(.*?)^}}", self.text, re.DOTALL | re.MULTILINE)
            if not match:
                raise KeyError(f"no header has a struct {name}")
            layout = Layout(name)
            for declaration in match.group(1).split(";"):
                if declaration.strip():
                    self._declare(layout, declaration.strip())
            layout.finish()
            self._layouts[name] = layout
        return self._layouts[name]

    def _declare(self, layout, declaration):
        declaration = re.sub(r"\bVD_WIDE\(([^()]*)\)", r"\1", declaration)  # a pointer, in 64 bits
        match = re.fullmatch(
            r"(?:_Alignas\((?P<alignas>\d+)\)\s*)?(?:const\s+)?(?:_Atomic\s+)?(?:const\s+)?"
            r"(?P<type>(?:struct\s+|enum\s+)?\w+)(?P<rest>[\s*].*)", declaration, re.DOTALL)
        if not match:
            raise KeyError(f"{layout.name}: what is `{declaration}`?")
        for declarator in match["rest"].split(","):
            name, dimensions = re.fullmatch(r".*?(\w+)((?:\s*\[\w+\])*)\s*", declarator,
                                            re.DOTALL).groups()
            letter, size, alignment = self._type(match["type"], "*" in declarator)
            for count in re.findall(r"\[(\w+)\]", dimensions):
                letter = None
                size *= self._evaluate(count)
            layout.add(name, letter, size, int(match["alignas"] or alignment))

    def _type(self, name, pointer):
        """Letter, size and alignment."""
        word = name.split()[-1]
        letter = _POINTER if pointer else _SCALARS.get(word)
        if not letter and (name.startswith("enum ") or
                           re.search(rf"\btypedef\s+enum\s+{word}\b", self.text)):
            letter = "i"
        if not letter and re.search(rf"\bVK_DEFINE_\w*HANDLE\({word}\)", self.text):
            letter = _POINTER
        if not letter:
            alias = re.search(rf"\btypedef\s+(\w+)\s+{word}\s*;", self.text)
            if alias:
                return self._type(alias.group(1), False)
            layout = self.layout(word)
            return None, layout.size, layout.alignment
        size = struct.calcsize("<" + letter)
        return letter, size, size


wire = Headers(read(sorted((_root / "protocol").glob("*.h"))))
number = wire.number
layout = wire.layout

OPCODES = {"NOP": 0, **_lines_of_numbers(_root / "protocol" / "opcodes.txt")}
TYPES = _lines_of_numbers(_root / "protocol" / "types.txt")
