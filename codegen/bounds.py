# SPDX-License-Identifier: MIT
"""What the server checks of numbers that drivers follow without a look: where they lead in a buffer, in
memory, in a pool of queries. The names of members tell it for most; policy.toml says the rest."""

import re
from dataclasses import dataclass

# What can be known of an object (server/bounds.h): how a policy names it, and its type in C.
KNOWN = {"size": "const uint64_t ", "kinds": "const uint32_t ", "facts": "const struct vds_image_facts *"}


@dataclass(frozen=True)
class Check:
    holds: str          # C, in terms of the struct or arguments `s`
    reason: str         # for the log
    each: str = None    # of each element `x` of this array

    @property
    def known(self):
        """{(handle's name, what is to be known of its object)}"""
        return set(re.findall(rf"\b([a-z]\w*)_({'|'.join(KNOWN)})\b(?![\w(])", self.holds))


class Bounds:
    def __init__(self, planner):
        self.r = planner.r
        self.policy = planner.policy

    def of_struct(self, name):
        return self._checks(name, self.r.structs[name].members)

    def of_command(self, plan):
        checks = self._checks(plan.c.name, plan.wire)
        refused = self.policy["refused"].get(plan.c.name)
        if refused:
            when = f"!({refused['when']})" if "when" in refused else "false"
            checks = [*checks, Check(when, f"refused: {refused['reason']}")]
        return checks

    def _checks(self, owner, members):
        said = [Check(x["holds"], x["reason"], x.get("each"))
                for x in self.policy["checked"].get(owner, [])]
        if owner in self.policy["unchecked"]:
            return said
        # What the policy says of an object is the whole of it.
        known = {x for c in said for x in c.known}
        return [c for c in self._derived(members) if not c.known & known] + said

    def _derived(self, members):
        found = []
        for m in members:
            if m.pointers or m.dims:
                continue
            if m.type in ("VkBuffer", "VkDeviceMemory"):
                found += self._bytes(m.name, {x.name for x in members if x.type == "VkDeviceSize"
                                              and not x.pointers})
            elif m.type == "VkQueryPool":
                found += self._queries(m.name, [x.name for x in members if x.type == "uint32_t"])
        return found

    @staticmethod
    def _bytes(name, sizes):
        """The offset that goes with a handle is called after it, or just `offset`; so is the size."""
        stem = re.sub(r"(Buffer|Data)$", "", name)
        offset = next((x for x in (name + "Offset", stem + "Offset", "offset") if x in sizes and
                       (x != "offset" or name in ("buffer", "memory", "aabbData"))), None)
        if not offset:
            return []
        size = next((x for x in (name + "Size", name + "Range", stem + "Size") if x in sizes), None)
        if not size and offset in ("offset", stem + "Offset"):
            size = next((x for x in ("size", "range", "dataSize") if x in sizes), None)
        return [Check(f"vds_within(s->{offset}, {'s->' + size if size else '0'}, {name}_size)",
                      f"{offset} beyond its {'memory' if name == 'memory' else 'buffer'}")]

    @staticmethod
    def _queries(name, numbers):
        count = next((x for x in numbers if x.endswith("Count")), None)
        if "query" in numbers:
            return [Check(f"s->query < {name}_size", "a query beyond its pool")]
        if "firstQuery" in numbers:
            return [Check(f"vds_within(s->firstQuery, {'s->' + count if count else '1'}, {name}_size)",
                          "queries beyond their pool")]
        return []
