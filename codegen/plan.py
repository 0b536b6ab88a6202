# SPDX-License-Identifier: MIT
"""What has to be done to each member of each struct, and to each parameter of each command.

The registry and the policy file meet here; templates and emitters only see the result.
"""

import re
import tomllib
from dataclasses import dataclass, field
from functools import lru_cache

import objects
import queries
from layout import Layouts, Unplannable

# Structs that hold these, or pointers to functions, are the client's own business.
FOREIGN_TYPES = {"Display", "xcb_connection_t", "wl_display"}


@dataclass
class Step:
    """One thing to do. `kind` says what, see Planner.member_steps."""
    kind: str
    m: object                     # the model's Member
    count: str = None             # length expression in the registry's terms; None: one
    elem: str = None              # element type
    elem_work: bool = False       # elements need steps of their own
    required: bool = False        # NULL with a count is an error
    when_ignored: str = None      # C condition on `s`
    ignored_count: str = None     # count member zeroed along
    lenient: bool = False
    inner: str = None             # inner length of an array of arrays
    size: str = None              # sized: C of what the client sends
    bytes: str = None             # sized: C of what the driver takes, on the server
    back: bool = False            # sized: comes back
    share: str = "false"          # sized: C condition for passing it by reference
    pool: str = None              # new: C of the pool that it is allocated from
    cases: list = field(default_factory=list)   # of a union: ([selector values], [steps])


@dataclass
class New:
    """Handles that a command creates."""
    step: object
    prefix: str                   # in front of its name, for the caller of the command
    siblings: list                # members or parameters beside it


@dataclass
class CommandPlan:
    c: object
    steps: list
    wire: list                   # params that form the argument struct
    streamed: bool
    settles: bool                # recording must not go on meanwhile
    sync: bool
    blocking: bool
    names_buffers: bool          # command buffers besides the one that it is recorded into
    returns: list                # steps whose pointees come back
    news: list                   # of New, one at most
    names: list                  # steps of structs that only say something about an object
    forgiven: bool               # the application can go on as if it had not been called
    waited: bool                 # it ends what a call that waits may be using
    asks: str                    # C of whether this call waits for its result; None: `sync` tells
    keeps_turn: bool             # it touches what only the thread that executes the ring may touch
    action: bool                 # recorded, it has the GPU do work
    after_loss: bool             # it asks why the device was lost
    victim: object = None        # the step whose handle or handles the call destroys
    emptied: object = None       # the parameter whose pool loses its children
    group: str = ""

    @property
    def creates_some(self):
        """Whether some of its objects may come to be without the others. vkAllocate* are all or
        nothing."""
        return self.c.name.startswith("vkCreate") and any(n.step.count for n in self.news)


# Kinds of steps that come back from the server.
ANSWERED = ("out", "inout", "shape")

# Which tables of the policy name what. Members are "owner.member" of a struct or command.
COMMAND_TABLES = ("client", "wrapped", "served", "not_streamed", "blocking", "synchronous", "prompt",
                  "forgiven", "empties_pool", "beside_recording", "looks_at_recording", "refused",
                  "keeps_turn", "after_loss", "asks", "no_action")
EXTENSION_TABLES = ("withheld", "loader", "same_kernel", "same_clocks", "instance", "device", "passed_on")
TYPE_TABLES = ("chained", "unions", "remembered")
MEMBER_TABLES = ("pointers", "ignored", "lenient", "masked")
ANY_TABLES = ("checked", "unchecked")    # of commands and structs


def read_policy(path):
    with open(path, "rb") as f:
        return tomllib.load(f)


class Planner:
    """`opcodes` and `types` are the numbers of commands and handle types, by name; None takes all as
    numbered. What has none, or cannot be planned, is left out of everything:
      left_out   {command, struct or handle type: why}
      unknown    entries of the policy that name nothing in this registry
    """

    def __init__(self, registry, policy, opcodes=None, types=None):
        self.r = registry
        self.types = types
        self.layouts = Layouts(registry)
        self.unknown = []
        self.policy = self._resolved(policy)
        self.outer = self._outer_suffix()
        self.withheld = self.policy["withheld"] | self.policy["loader"]
        self.commands = {n: c for n, c in registry.commands.items() if self._offered(c.providers)}
        self.client = self._client_commands()
        self.queries = self._queries()
        self.client |= {n for n, q in self.queries.items() if q.later.name in self.client}
        self.pools = {h.pool for h in registry.handles.values()}
        self.recorded = objects.recorded(registry) - {"VkCommandBuffer"}
        self.waited = objects.named_in(registry, (p for n in self.policy["blocking"]
                                                  for p in registry.commands[n].params[1:]))
        self.client_handles = {h.name for h in registry.handles.values()
                               if not h.dispatchable and self.client.issuperset(
                                   n for n in h.makers if n in self.commands)}
        own = set(self.policy["device"])
        hidden = set(self.withheld) | own
        self.structs = {n: s for n, s in registry.structs.items()
                        if any(p not in hidden for p in s.providers)
                        and not any(m.type in FOREIGN_TYPES or m.type in registry.funcpointers
                                    for m in s.members)
                        and not self._for_client(s)}
        self.own_features = sorted((s for s in registry.extending["VkPhysicalDeviceFeatures2"]
                                    if s.providers and own.issuperset(s.providers)),
                                   key=lambda s: s.name)
        self._leave_out(opcodes)
        self.wire_commands = {n: c for n, c in self.commands.items() if n not in self.client}

    def _client_commands(self):
        """Names of the commands written by hand in the client that never cross: those of the policy,
        and what only extensions of the client's own bring."""
        own = (set(self.policy["instance"]) | set(self.policy["device"])) - \
            set(self.policy["passed_on"])
        return set(self.policy["client"]) | {
            n for n, c in self.commands.items()
            if own.intersection(c.providers)
            and not any(p.startswith("VK_VERSION_") for p in c.providers)}

    def _outer_suffix(self):
        """What the name of a member ends with that is the length of an array in a struct further in,
        in whose lengths it stands as "*_this". There is one at most."""
        counts = [x.get("len", "") for x in self.policy["pointers"].values()]
        counts += [n for s in self.r.structs.values() for m in s.members for n in m.lens]
        found = {x for n in counts for x in re.findall(r"\*(_\w+)", n)}
        if len(found) > 1:
            raise SystemExit(f"lengths of enclosing structs: {', '.join(sorted(found))}: one at most")
        return found.pop() if found else None

    def outer_member(self, name):
        """The member of a struct that lengths further in are about, or None."""
        return next((m for m in self.r.structs[name].members
                     if self.outer and m.name.endswith(self.outer)), None)

    def by_hand(self, name):
        """Whether the client has an entry point of its own for a command, instead of a mere call."""
        return name in self.client or name in self.policy["wrapped"] or name in self.queries

    def _queries(self):
        """{command: Query} of those whose later form the client answers by hand, and not them."""
        found = {n: queries.query(self.r, c) for n, c in self.commands.items()
                 if n not in self.policy["wrapped"]}
        return {n: q for n, q in found.items()
                if q and (q.later.name in self.client or q.later.name in self.policy["wrapped"])}

    def _for_client(self, struct):
        """Whether a struct in a chain speaks about an object of the client's own."""
        return bool(struct.extends) and any(m.type in self.client_handles
                                            for m in struct.members)

    def _resolved(self, policy):
        """The policy in this registry's names, without what it does not have."""
        r = self.r
        known = set(r.structs) | set(r.handles) | set(r.scalars)

        def owner(name):
            return r.resolve_command(name) if name.startswith("vk") else r.resolve(name)

        def member(name):
            key, _, m = name.partition(".")
            key = owner(key)
            parts = r.commands[key].params if key in r.commands else \
                r.structs[key].members if key in r.structs else []
            return f"{key}.{m}" if any(m == x.name for x in parts) else None

        resolvers = {}
        for table in COMMAND_TABLES:
            resolvers[table] = lambda n: owner(n) if owner(n) in r.commands else None
        for table in EXTENSION_TABLES:
            resolvers[table] = lambda n: n if n in r.extensions else None
        for table in TYPE_TABLES:
            resolvers[table] = lambda n: owner(n) if owner(n) in known else None
        for table in MEMBER_TABLES:
            resolvers[table] = member
        for table in ANY_TABLES:
            resolvers[table] = lambda n: owner(n) if owner(n) in known or owner(n) in r.commands else None
        out = {}
        for table, entries in policy.items():
            if table not in resolvers:
                raise SystemExit(f"policy.toml: [{table}]: no such table")
            names = {name: resolvers[table](name) for name in entries}
            self.unknown += [f"[{table}] {n}" for n, found in names.items() if not found]
            out[table] = {found: entries[n] for n, found in names.items() if found}
        self.unknown += [f"[chained] {n}" for x in out["chained"].values() for n in x["structs"]
                         if not resolvers["chained"](n)]
        return out

    # -- what is left out -----------------------------------------------------------------------

    def _leave_out(self, opcodes):
        self.left_out = {}
        if self.types is not None:
            self.left_out.update((h, "no number in types.txt") for h in self.r.handles
                                 if h not in self.types)
        while self._leave_out_structs():
            pass  # others may hold what was just left out
        for c in list(self.commands.values()):
            if c.name in self.client:
                continue
            if opcodes is not None and c.name not in opcodes:
                self.left_out[c.name] = "no number in opcodes.txt"
            else:
                self._leave_out_shapes(c)
            if c.name in self.left_out:
                del self.commands[c.name]
        # Nobody may be offered an extension of which a part is missing.
        for x in self.r.extensions.values():
            for name in sorted(x.always & set(self.left_out)):
                self.withheld.setdefault(x.name, f"{name}: {self.left_out[name]}")
        self.structs = {n: s for n, s in self.structs.items() if self._offered(s.providers)}
        self.commands = {n: c for n, c in self.commands.items() if self._offered(c.providers)}

    def _leave_out_structs(self):
        before = len(self.left_out)
        self.struct_steps.cache_clear()
        self.works.cache_clear()
        for name in list(self.structs):
            try:
                self.layouts.of_struct(name)
                self.struct_steps(name)
            except Unplannable as e:
                self.left_out[name] = str(e)
                del self.structs[name]
        return len(self.left_out) > before

    def _leave_out_shapes(self, c):
        """Leaves out a command that can not be planned. A stream is replayed after the call that
        recorded it has returned: nothing comes back, and nothing that it names by reference would
        still be there. What is `inout` is input to it. Of what stands in a chain it can do without."""
        try:
            _, steps, _ = self._steps(c)
        except Unplannable as e:
            self.left_out[c.name] = str(e)
            return
        for s, link in list(self.reached_steps(steps)) if self._streamed(c) else []:
            if s.kind in ("out", "shape", "new", "shm") or s.back or s.share != "false":
                self.left_out[link or c.name] = (f"{c.name} is recorded into a stream, where "
                                                 f"{s.m.name} can neither come back nor be shared")
                self.structs.pop(link, None)

    def _offered(self, providers):
        return any(p not in self.withheld for p in providers)

    @property
    def api_version(self):
        """(major, minor) of the newest core version of which nothing is left out."""
        whole = (1, 0)
        for name, commands, types in self.r.versions:
            if not self.left_out.keys() & {*map(self.r.resolve_command, commands), *types}:
                whole = max(whole, tuple(int(x) for x in name.split("_")[-2:]))
        return whole

    # -- structs ------------------------------------------------------------------------------

    def chain_of(self, name):
        """Structs that may stand in the pNext chain of this one."""
        found = {s.name: s for s in self.r.extending.get(name, [])
                 if s.name in self.structs and s.stype}
        for inner in self.policy["chained"].get(name, {}).get("structs", []):
            inner = self.r.resolve(inner)
            if inner not in self.structs:
                continue
            found[inner] = self.structs[inner]
            found.update((s.name, s) for s in self.chain_of(inner))
        return [found[n] for n in sorted(found)]

    @lru_cache(maxsize=None)
    def works(self, name):
        """Whether a struct needs more than being copied."""
        if name not in self.r.structs:
            return False
        return bool(self.struct_steps(name)) or not all(x == 255 for x in self.layouts.used(name))

    @lru_cache(maxsize=None)
    def struct_steps(self, name):
        s = self.r.structs[name]
        if s.union:
            return []
        steps = []
        for m in s.members:
            steps += self.member_steps(name, m, s.members)
        # The chain comes last, so that it is a loop and not a recursion.
        return [x for x in steps if x.kind != "chain"] + [x for x in steps if x.kind == "chain"]

    def member_steps(self, owner, m, siblings):
        """Kinds of steps:
          handle, dispatchable    a handle by value      struct    a struct by value, with steps
          handles, structs        fixed arrays of these  union     by selector
          chain                   pNext                  host      never crosses: 0
          string, strings         text                   number    as it is
          array                   input, one or many     pointers  array of pointers to one
          arrays                  array of arrays        shm, sized
          out                     plain output           inout     plain, both ways
          shape                   structs with chains, filled in place
          new                     handles that are created
          object                  a handle in a u64
        """
        r = self.r
        path = f"{owner}.{m.name}"
        policy = self.policy["pointers"].get(path, {})
        kind = policy.get("kind")
        ignored = self.policy["ignored"].get(path, {})
        if m.type in self.left_out and kind != "drop":
            raise Unplannable(f"{m.type}: {self.left_out[m.type]}")
        base = dict(m=m, when_ignored=ignored.get("when"), ignored_count=ignored.get("count"),
                    lenient=m.noauto or path in self.policy["lenient"])
        if kind == "drop":
            return [Step("host", m, ignored_count=policy.get("count"))]
        if kind == "number":
            return []
        if kind in ("shm",):
            return [Step("shm", m)]
        if m.object_type:
            return [Step("object", m, elem=m.object_type)]
        if m.name == "pNext":
            return [Step("chain", m)]
        if m.type in r.funcpointers or m.type == "VkAllocationCallbacks":
            return [Step("host", m)]
        if m.type in self.client_handles and not m.pointers:
            return [Step("host", m)]
        if not m.pointers:
            return self._value_steps(owner, m, siblings, base)
        return self._pointer_steps(owner, m, siblings, base, kind, policy)

    def _value_steps(self, owner, m, siblings, base):
        r = self.r
        if m.type in r.handles:
            kind = "dispatchable" if r.handles[m.type].dispatchable else "handle"
            if m.dims:
                kind = "handles"
            return [Step(kind, elem=m.type, **base)]
        if m.type in r.structs:
            if r.structs[m.type].union:
                if m.type in self.policy["unions"]:
                    return []
                return self._union_steps(m)
            if not self.works(m.type):
                return []
            return [Step("structs" if m.dims else "struct", elem=m.type, elem_work=True, **base)]
        return []

    def _union_steps(self, m):
        if not m.selector:
            raise Unplannable(f"union {m.type} has no selector: name it in policy.toml [unions]")
        cases, pointers = [], False
        for u in self.r.structs[m.type].members:
            steps = self.member_steps(m.type, u, self.r.structs[m.type].members)
            if steps:
                pointers = True
            cases.append((u.selection, steps))
        return [Step("union", m, elem=m.type, cases=cases)] if pointers else []

    def _pointer_steps(self, owner, m, siblings, base, kind, policy):
        r = self.r
        lens = m.lens
        command = owner in r.commands
        if kind is None:
            if m.const or m.type == "char" and not command:
                kind = "in"
            else:
                kind = "out"
        count = policy.get("len")
        if count is None and lens and lens[0] not in ("null-terminated", "1"):
            count = lens[0]
        # Registries differ in what they call optional in structs of codecs, and flags decide there.
        codec = owner in r.structs and r.structs[owner].codec
        required = not m.noauto and not m.is_optional and not codec and "when" not in self.policy[
            "ignored"].get(f"{owner}.{m.name}", {})
        self.layouts.of_type(m.type)
        if kind == "sized":
            if "bytes" not in policy:
                raise SystemExit(f"policy.toml: {owner}.{m.name}: without bytes the server believes the client")
            return [Step("sized", size=policy["size"], bytes=policy["bytes"], required=required, back=policy.get("back", False),
                         share=policy.get("share", "false"), **base)]
        if kind == "in":
            if m.type == "char" and m.null_terminated:
                if m.pointers == 1:
                    return [Step("string", required=required, **base)]
                return [Step("strings", count=count, required=required, **base)]
            if m.pointers == 2 and "inner" in policy:
                return [Step("arrays", count=count, elem=m.type, inner=policy["inner"],
                             elem_work=self.works(m.type), required=required, **base)]
            if m.pointers == 2 and len(lens) > 1 and lens[1] == "1":
                return [Step("pointers", count=count, elem=m.type, elem_work=self.works(m.type),
                             required=False, **base)]
            if m.pointers != 1:
                raise Unplannable(f"{owner}.{m.name}: pointer to pointer needs a policy")
            if m.type == "void" and count is None:
                raise Unplannable(f"{owner}.{m.name}: void pointer without length needs a policy")
            return [Step("array", count=count, elem=m.type,
                         elem_work=m.type in r.handles or self.works(m.type),
                         required=required, **base)]
        # Outputs.
        if m.pointers != 1 or m.type == "void" and count is None:
            raise Unplannable(f"{owner}.{m.name}: output needs a policy")
        if m.type in r.handles:
            return [Step("new", count=count, elem=m.type, required=required, **base)]
        if kind == "inout":
            return [Step("inout", count=count, elem=m.type, required=False, **base)]
        if m.type in r.structs and r.structs[m.type].has_chain:
            return [Step("shape", count=count, elem=m.type, required=required, **base)]
        # A count that sizes a sibling goes both ways.
        if any(m.name in re.findall(r"\w+", x.lens[0]) for x in siblings if x.lens and x is not m):
            return [Step("inout", count=None, elem=m.type, required=True, **base)]
        return [Step("out", count=count, elem=m.type, required=required, **base)]

    # -- commands -----------------------------------------------------------------------------

    def _streamed(self, c):
        return c.level == "VkCommandBuffer" and c.name not in self.policy["not_streamed"]

    def _steps(self, c):
        """(parameters that cross, steps, handles that it creates)"""
        wire = c.params[1:] if self._streamed(c) else c.params
        self.layouts.of_members(wire)
        steps = [s for p in wire for s in self.member_steps(c.name, p, wire)]
        return wire, steps, self._news(steps, wire)

    def _settles(self, c):
        """Whether a command demands to be alone with what recording may look at. Command buffers and
        their pools are waited for where they are named; an object in a u64 may be of any type."""
        if self._streamed(c) or c.name in self.policy["beside_recording"]:
            return False
        alone = objects.alone_with(self.r, c)
        if c.name in self.policy["empties_pool"]:
            alone |= {t for p in c.params if p.type in self.pools
                      for t in self.r.handles[p.type].below}
        return bool(alone & self.recorded) or "uint64_t" in alone

    def _asks(self, c):
        """C of whether a call waits for its result although the command in general does not. What has
        flags may be refused for what they ask for, where such a refusal is listed."""
        said = self.policy["asks"].get(c.name)
        if said:
            return said["when"]
        if any(x.startswith("VK_ERROR_INVALID_OPAQUE_CAPTURE") for x in c.errors):
            for p in c.params:
                flags = [m.name for m in self.r.structs[p.type].members
                         if m.name in ("flags", "createFlags")] if p.type in self.r.structs else []
                if p.const and not p.lens and flags:
                    return f"{p.name}->{flags[0]} != 0"
        return None

    def command_plan(self, name):
        c = self.wire_commands[name]
        ended = objects.ended_by(self.r, c)
        streamed = self._streamed(c)
        wire, steps, news = self._steps(c)
        returns = [s for s in steps if s.kind in ANSWERED or s.back]
        inner = any(s.elem in self.r.structs and self.fills(s.elem) for s in steps
                    if s.kind in ("array", "struct"))
        sync = (bool(returns) or bool(inner) or name in self.policy["synchronous"] or
                (c.ret not in ("void", "VkResult")) or
                (c.ret == "VkResult" and [x for x in c.success if x != "VK_SUCCESS"] != [] and
                 not streamed) or name in self.policy["blocking"])
        names = [s for s in steps if s.elem in self.r.structs and self.named_object(s)]
        plan = CommandPlan(c=c, steps=steps, wire=wire, streamed=streamed, settles=self._settles(c),
                           sync=sync and not streamed,
                           blocking=name in self.policy["blocking"],
                           names_buffers=streamed and any(p.type == "VkCommandBuffer" for p in wire),
                           returns=returns, news=news, names=names,
                           forgiven=bool(names) or name in self.policy["forgiven"],
                           waited=ended is not None and ended.type in self.waited,
                           asks=None if streamed else self._asks(c),
                           keeps_turn=name in self.policy["keeps_turn"],
                           action="action" in c.tasks and name not in self.policy["no_action"],
                           after_loss=name in self.policy["after_loss"])
        plan.victim = next((s for s in steps if s.m is ended), None)
        pool = objects.pool_member(self.r, c)
        for n in news if pool else []:
            n.step.pool = f"{pool[0].name}->{pool[1].name}"
        plan.emptied = next((p for p in c.params if p.type in self.pools and
                             (p is ended or name in self.policy["empties_pool"])), None)
        plan.group = self._group(c)
        return plan

    def reached_steps(self, steps):
        """These steps and those of all structs that they lead to, with the last struct on the way
        that stands in a chain."""
        waiting, seen = [(s, None) for s in steps], set()

        def follow(struct, link):
            if struct not in seen:
                seen.add(struct)
                waiting.extend((s, link) for s in self.struct_steps(struct))

        while waiting:
            s, link = waiting.pop()
            yield s, link
            waiting += [(inner, link) for _, case in s.cases for inner in case]
            if s.elem in self.r.structs and s.kind != "union":
                follow(s.elem, link)
                for x in self.chain_of(s.elem):
                    follow(x.name, x.name)

    def requirements_in(self, m):
        """The member of an answer that holds memory requirements, or None."""
        struct = self.r.structs.get(m.type)
        return next((x.name for x in struct.members if x.type == "VkMemoryRequirements"),
                    None) if struct else None

    def fixed_arrays(self, name):
        """[(member, member that counts its elements)] of arrays in a struct of which a part is sent."""
        s = self.r.structs[name]
        found = []
        for m in s.members if not s.returned_only else []:
            # Older registries leave out some lengths.
            counts = [x.name for x in s.members if x.name in (*m.lens, m.name + "Size")]
            found += [(m, n) for n in counts if m.dims]
        return found

    def named_object(self, step):
        """The step of the object that a struct is about, whose type another member tells, or None."""
        return next((s for s in self.struct_steps(step.elem) if s.kind == "object"), None)

    def _news(self, steps, params):
        """Handles stand in a parameter, or in a struct that a parameter points to."""
        news = [New(s, "", params) for s in steps if s.kind == "new"]
        for s in steps:
            if s.kind == "shape" and s.count is None:
                news += [New(x, s.m.name + "->", self.r.structs[s.elem].members)
                         for x in self.struct_steps(s.elem) if x.kind == "new"]
        if len(news) > 1:
            raise Unplannable("creates more than one kind of handles")
        return news

    @lru_cache(maxsize=None)
    def fills(self, name):
        """Whether an input struct, or a struct in its chain, holds output to be copied back."""
        for s in self.struct_steps(name):
            if s.kind in ("out", "inout", "shape", "new") or s.back:
                return True
            if s.kind in ("array", "struct") and s.elem in self.r.structs and self.fills(s.elem):
                return True
            if s.kind == "chain" and any(self.fills(x.name) for x in self.chain_of(name)
                                         if x.name != name):
                return True
        return False

    @staticmethod
    def _snake(text):
        text = re.sub(r"(KHR|EXT|NV|AMD|INTEL|ARM|QCOM|HUAWEI|VALVE|GOOGLE|NVX|AMDX|FUCHSIA|LUNARG)$",
                      "", text)
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()

    def _group(self, c):
        """The object class whose file a command stands in."""
        created = [p for p in c.params if p.type in self.r.handles and p.pointers and not p.const]
        if created and c.level == "VkDevice":
            return self._snake(created[0].type[2:])
        level = c.level
        if level in ("VkCommandBuffer", "VkQueue", "VkPhysicalDevice", "VkInstance"):
            if level == "VkInstance" and c.name.startswith(("vkCreate", "vkDestroy")):
                pass
            else:
                return self._snake(level[2:])
        if level is None or level == "VkInstance":
            return "instance"
        for p in c.params[1:]:
            if p.type in self.r.handles and p.type != "VkDeferredOperationKHR":
                return self._snake(p.type[2:])
        for word, group in (("Descriptor", "descriptor_set"), ("Memory", "device_memory"),
                            ("Buffer", "buffer"), ("Image", "image"), ("Semaphore", "semaphore"),
                            ("Pipeline", "pipeline"), ("AccelerationStructure",
                                                       "acceleration_structure"),
                            ("Micromap", "micromap"), ("Fence", "fence")):
            if word in c.name:
                return group
        return "device"
