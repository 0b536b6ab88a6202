# SPDX-License-Identifier: MIT
"""Sizes and offsets of every struct on an LP64 machine, where the wire is the C struct."""

from functools import lru_cache

BASIC = {
    "void": 1, "char": 1, "int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int": 4,
    "int32_t": 4, "uint32_t": 4, "float": 4, "double": 8, "int64_t": 8, "uint64_t": 8, "size_t": 8,
}

# Types of window systems that are passed by value in structs of ours; all are XIDs or pointers.
FOREIGN = {"Window": 8, "VisualID": 8, "RROutput": 8, "xcb_window_t": 4, "xcb_visualid_t": 4}


class Unplannable(Exception):
    """Something in the registry that the generator does not know how to carry, and why."""


class Layouts:
    def __init__(self, registry):
        self.registry = registry

    @lru_cache(maxsize=None)
    def of_type(self, name):
        """(size, alignment) of a type by value."""
        r = self.registry
        name = r.resolve(name)
        if name in BASIC:
            return BASIC[name], BASIC[name]
        if name in r.handles or name in r.funcpointers:
            return 8, 8
        if name in r.structs:
            size, align, _ = self.of_struct(name)
            return size, align
        if name in r.scalars:
            return self.of_type(r.scalars[name])
        if name in FOREIGN:
            return FOREIGN[name], FOREIGN[name]
        if name.startswith("StdVideo"):
            # Enums of the codec headers; their structs are only ever pointed to.
            return 4, 4
        raise Unplannable(f"a type of unknown size, {name}")

    def of_member(self, m):
        if m.pointers:
            size, align = 8, 8
        else:
            size, align = self.of_type(m.type)
        for d in m.dims:
            size *= d
        return size, align

    @lru_cache(maxsize=None)
    def of_struct(self, name):
        """(size, alignment, [(member name, offset or None for a bit-field, size)])."""
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
                if bit % (msize * 8) and bit % (msize * 8) + m.bits <= msize * 8:
                    bit += m.bits
                else:
                    offset = (offset + malign - 1) & -malign
                    bit = m.bits
                    offset += msize
                out.append((m.name, None, 0))
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

    def padding(self, name):
        """[(offset, size)] of bytes that belong to no member, inner structs included."""
        s = self.registry.structs[name]
        size, _, fields = self.of_struct(name)
        used = bytearray(size)
        for m, (_, offset, msize) in zip(s.members, fields):
            if offset is None:
                return []        # bit-fields: fully used in every struct that has them
            inner = self.registry.structs.get(m.type) if not m.pointers else None
            if inner and not s.union:
                esize, _ = self.of_type(m.type)
                holes = self.padding(m.type)
                for base in range(offset, offset + msize, esize):
                    for i in range(base, base + esize):
                        used[i] = 1
                    for o, n in holes:
                        for i in range(o, o + n):
                            used[base + i] = 0
            else:
                for i in range(offset, offset + msize):
                    used[i] = 1
        holes, start = [], None
        for i, u in enumerate(list(used) + [1]):
            if not u and start is None:
                start = i
            elif u and start is not None:
                holes.append((start, i - start))
                start = None
        return holes
