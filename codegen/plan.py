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
from layout import Layouts

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
    size: str = None              # client-side C expression of a size
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
    victim: object = None        # the step whose handle or handles the call destroys
    emptied: object = None       # the parameter whose pool loses its children
    group: str = ""

    @property
    def creates_some(self):
        """Whether some of its objects may come to be without the others. vkAllocate* are all or
        nothing."""
        return self.c.name.startswith("vkCreate") and any(n.step.count for n in self.news)


class Planner:
    def __init__(self, registry, policy_path):
        self.r = registry
        self.layouts = Layouts(registry)
        with open(policy_path, "rb") as f:
            self.policy = tomllib.load(f)
        self.withheld = self.policy["withheld"]
        self.commands = {n: c for n, c in registry.commands.items()
                         if any(p not in self.withheld for p in c.providers)}
        self.client = self._client_commands()
        self.queries = self._queries()
        self.client |= {n for n, q in self.queries.items() if q.later.name in self.client}
        self.wire_commands = {n: c for n, c in self.commands.items() if n not in self.client}
        self.pools = {h.pool for h in registry.handles.values()}
        self.waited = objects.named_in(registry, (p for n in self.policy["blocking"]
                                                  for p in registry.commands[n].params[1:]))
        self.client_handles = {h.name for h in registry.handles.values()
                               if not h.dispatchable
                               and not any(n in self.wire_commands for n in h.makers)}
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
        self._check_policy()

    def _client_commands(self):
        """Names of the commands written by hand in the client that never cross: those of the policy,
        and what only extensions of the client's own bring."""
        own = (set(self.policy["instance"]) | set(self.policy["device"])) - \
            set(self.policy["passed_on"])
        return set(self.policy["client"]) | {
            n for n, c in self.commands.items()
            if own.intersection(c.providers)
            and not any(p.startswith("VK_VERSION_") for p in c.providers)}

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

    def _check_policy(self):
        """A policy entry that names nothing is a mistake, not a wish."""
        for table in ("client", "wrapped", "served", "not_streamed", "blocking", "synchronous",
                      "prompt", "forgiven", "empties_pool", "beside_recording", "looks_at_recording"):
            for name in self.policy[table]:
                if name not in self.r.commands:
                    raise SystemExit(f"policy.toml: [{table}] {name}: no such command")
        for table in ("withheld", "same_kernel", "instance", "device", "passed_on"):
            for name in self.policy[table]:
                if name not in self.r.extensions:
                    raise SystemExit(f"policy.toml: [{table}] {name}: no such extension")
        chained = self.policy["chained"]
        for table, names in (("checked", self.policy["checked"]), ("chained", chained),
                             ("chained", [s for x in chained.values() for s in x["structs"]])):
            for name in names:
                if name not in self.structs:
                    raise SystemExit(f"policy.toml: [{table}] {name}: no such struct")
        for table in ("pointers", "ignored", "lenient"):
            for name in self.policy[table]:
                owner, member = name.split(".")
                if owner in self.r.structs:
                    members = self.r.structs[owner].members
                elif owner in self.r.commands:
                    members = self.r.commands[owner].params
                else:
                    raise SystemExit(f"policy.toml: [{table}] {name}: no such struct or command")
                if owner in self.r.structs and owner not in self.structs:
                    continue
                if all(m.name != member for m in members):
                    raise SystemExit(f"policy.toml: [{table}] {name}: no such member")

    # -- structs ------------------------------------------------------------------------------

    def chain_of(self, name):
        """Structs that may stand in the pNext chain of this one."""
        found = {s.name: s for s in self.r.extending.get(name, [])
                 if s.name in self.structs and s.stype}
        for inner in self.policy["chained"].get(name, {}).get("structs", []):
            found[inner] = self.structs[inner]
            found.update((s.name, s) for s in self.chain_of(inner))
        return [found[n] for n in sorted(found)]

    @lru_cache(maxsize=None)
    def works(self, name):
        """Whether a struct needs more than being copied."""
        if name not in self.r.structs:
            return False
        return bool(self.struct_steps(name)) or bool(self.layouts.padding(name))

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
            raise SystemExit(f"union {m.type} has no selector: name it in policy.toml [unions]")
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
        required = not m.noauto and not m.is_optional and "when" not in self.policy["ignored"].get(
            f"{owner}.{m.name}", {})
        if kind == "sized":
            return [Step("sized", size=policy["size"], back=policy.get("back", False),
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
                raise SystemExit(f"{owner}.{m.name}: pointer to pointer needs a policy")
            if m.type == "void" and count is None:
                raise SystemExit(f"{owner}.{m.name}: void pointer without length needs a policy")
            return [Step("array", count=count, elem=m.type,
                         elem_work=m.type in r.handles or self.works(m.type),
                         required=required, **base)]
        # Outputs.
        if m.pointers != 1 or m.type == "void" and count is None:
            raise SystemExit(f"{owner}.{m.name}: output needs a policy")
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

    def command_plan(self, name):
        c = self.wire_commands[name]
        ended = objects.ended_by(self.r, c)
        streamed = c.level == "VkCommandBuffer" and name not in self.policy["not_streamed"]
        wire = [p for p in c.params if not (streamed and p is c.params[0])]
        steps = []
        for p in wire:
            steps += self.member_steps(name, p, wire)
        if streamed:
            self._check_stream(name, steps)
        returns = [s for s in steps if s.kind in ("out", "inout", "shape") or s.back]
        news = self._news(name, steps, wire)
        inner = any(s.elem in self.r.structs and self.fills(s.elem) for s in steps
                    if s.kind in ("array", "struct"))
        sync = (bool(returns) or bool(inner) or name in self.policy["synchronous"] or
                (c.ret not in ("void", "VkResult")) or
                (c.ret == "VkResult" and [x for x in c.success if x != "VK_SUCCESS"] != [] and
                 not streamed) or name in self.policy["blocking"])
        settles = (any(p.exclusive for p in c.params) and not streamed and
                   name not in self.policy["beside_recording"])
        names = [s for s in steps if s.elem in self.r.structs and self.named_object(s)]
        plan = CommandPlan(c=c, steps=steps, wire=wire, streamed=streamed, settles=settles,
                           sync=sync and not streamed,
                           blocking=name in self.policy["blocking"],
                           names_buffers=streamed and any(p.type == "VkCommandBuffer" for p in wire),
                           returns=returns, news=news, names=names,
                           forgiven=bool(names) or name in self.policy["forgiven"],
                           waited=ended is not None and ended.type in self.waited)
        plan.victim = next((s for s in steps if s.m is ended), None)
        pool = objects.pool_member(self.r, c)
        for n in news if pool else []:
            n.step.pool = f"{pool[0].name}->{pool[1].name}"
        plan.emptied = next((p for p in c.params if p.type in self.pools and
                             (p is ended or name in self.policy["empties_pool"])), None)
        plan.group = self._group(c)
        return plan

    def _check_stream(self, name, steps):
        """A stream is replayed after the call that recorded it has returned: nothing comes back, and
        nothing that it names by reference would still be there. What is `inout` is input to it."""
        for s in self.reached_steps(steps):
            if s.kind in ("out", "shape", "new", "shm") or s.back or s.share != "false":
                raise SystemExit(f"policy.toml: {name} is recorded into a stream, where "
                                 f"{s.m.name} can neither come back nor be shared")

    def reached_steps(self, steps):
        """These steps and those of all structs that they lead to."""
        waiting, seen = list(steps), set()
        while waiting:
            s = waiting.pop()
            yield s
            waiting += [inner for _, case in s.cases for inner in case]
            if s.elem in self.r.structs and s.elem not in seen and s.kind != "union":
                seen.add(s.elem)
                waiting += self.struct_steps(s.elem)
                for link in self.chain_of(s.elem):
                    if link.name not in seen:
                        seen.add(link.name)
                        waiting += self.struct_steps(link.name)

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

    def _news(self, name, steps, params):
        """Handles stand in a parameter, or in a struct that a parameter points to."""
        news = [New(s, "", params) for s in steps if s.kind == "new"]
        for s in steps:
            if s.kind == "shape" and s.count is None:
                news += [New(x, s.m.name + "->", self.r.structs[s.elem].members)
                         for x in self.struct_steps(s.elem) if x.kind == "new"]
        if len(news) > 1:
            raise SystemExit(f"{name}: creates more than one kind of handles")
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
