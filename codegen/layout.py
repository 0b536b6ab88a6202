# SPDX-License-Identifier: MIT
"""Sizes and offsets of every struct: on an LP64 machine, where the wire is the C struct, or on another."""

import re
from functools import lru_cache

BASIC = {
    "void": 1, "char": 1, "int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int": 4,
    "int32_t": 4, "uint32_t": 4, "float": 4, "double": 8, "int64_t": 8, "uint64_t": 8,
}

# Types of window systems that are passed by value in structs of ours; all are XIDs or pointers.
FOREIGN = {"Window": 8, "VisualID": 8, "RROutput": 8, "xcb_window_t": 4, "xcb_visualid_t": 4}


class Unplannable(Exception):
    """Something in the registry that the generator does not know how to carry, and why."""


class Layouts:
    """`word` is the size of a pointer, and the largest alignment that there is: 4 on i386."""

    def __init__(self, registry, word=8):
        self.registry = registry
        self.word = word

    @lru_cache(maxsize=None)
    def of_type(self, name):
        """(size, alignment) of a type by value."""
        r = self.registry
        name = r.resolve(name)
        if name == "size_t" or name in r.funcpointers or \
                name in r.handles and r.handles[name].dispatchable:
            return self.word, self.word
        if name in r.handles:
            return 8, self.word
        if name in BASIC:
            return BASIC[name], min(BASIC[name], self.word)
        if name in r.structs:
            size, align, _ = self.of_struct(name)
            return size, align
        if name in r.scalars:
            return self.of_type(r.scalars[name])
        if name in FOREIGN:
            return FOREIGN[name], FOREIGN[name]
        raise Unplannable(f"a type of unknown size, {name}")

    def of_member(self, m):
        if m.pointers:
            size, align = self.word, self.word
        else:
            size, align = self.of_type(m.type)
        for d in m.dims:
            size *= d
        return size, align

    @lru_cache(maxsize=None)
    def of_struct(self, name):
        """(size, alignment, [(member name, offset, size)]). A bit-field has None for an offset, and
        in place of a size (first bit in the struct, number of bits)."""
        return self.of_members(self.registry.structs[name].members,
                               self.registry.structs[name].union)

    def of_members(self, members, union=False):
        offset, align, out, bit = 0, 1, [], 0
        size = 0
        for m in members:
            msize, malign = self.of_member(m)
            align = max(align, malign)
            if m.bits:
                # Bit-fields of one storage unit share it while they fit (System V ABI).
                if not bit % (msize * 8) or bit % (msize * 8) + m.bits > msize * 8:
                    offset = (offset + malign - 1) & -malign
                    bit = 0
                    offset += msize
                out.append((m.name, None, ((offset - msize) * 8 + bit, m.bits)))
                bit += m.bits
                size = max(size, offset)
                continue
            bit = 0
            if union:
                out.append((m.name, 0, msize))
                size = max(size, msize)
                continue
            offset = (offset + malign - 1) & -malign
            out.append((m.name, offset, msize))
            offset += msize
            size = max(size, offset)
        return (size + align - 1) & -align, align, out

    @lru_cache(maxsize=None)
    def used(self, name):
        """For each byte of a struct the bits of it that belong to some member."""
        s = self.registry.structs[name]
        size, _, fields = self.of_struct(name)
        used = bytearray(size)
        for m, (_, offset, msize) in zip(s.members, fields):
            if offset is None:
                first, bits = msize
                for bit in range(first, first + bits):
                    used[bit // 8] |= 1 << bit % 8
                continue
            inner = self.registry.structs.get(m.type) if not m.pointers else None
            if inner and not s.union:
                used[offset:offset + msize] = self.used(m.type) * (msize // self.of_type(m.type)[0])
            else:
                used[offset:offset + msize] = b"\xff" * msize
        return bytes(used)

    def padding(self, name):
        """[(offset, size)] of bytes that belong to no member, inner structs included."""
        return [(m.start(), m.end() - m.start()) for m in re.finditer(rb"\0+", self.used(name))]

    def partly_used(self, name):
        """[(offset, mask)] of bytes of which only the bits of the mask belong to members."""
        return [(i, mask) for i, mask in enumerate(self.used(name)) if 0 < mask < 255]
