# SPDX-License-Identifier: MIT
"""vk.xml, and the codec structs of video.xml, as Python objects: types, commands, versions and
extensions, limited to Vulkan on Linux."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field

import objects

# Window systems of Linux. Extensions of every other platform are left out of the model.
PLATFORMS = {"xlib", "xcb", "wayland", "xlib_xrandr"}

# What a command is dispatched on.
DISPATCH_LEVELS = {"VkInstance", "VkPhysicalDevice", "VkDevice", "VkQueue", "VkCommandBuffer"}


@dataclass
class Member:
    """A member of a struct or union, or a parameter of a command."""
    name: str
    type: str
    const: bool = False
    pointers: int = 0            # number of '*'
    dims: list = field(default_factory=list)   # fixed array sizes, as numbers
    bits: int = 0                # width of a bit-field, 0: none
    lens: list = field(default_factory=list)   # one length expression per pointer level
    stride: str = None           # the sibling that says how far apart the elements are
    optional: list = field(default_factory=list)
    noauto: bool = False
    selector: str = None
    selection: list = field(default_factory=list)
    values: str = None           # of sType
    exclusive: str = None        # "true", or a path to what no other thread may use meanwhile
    object_type: str = None      # of an object in a u64: the sibling that says of which type it is
    declaration: str = ""

    @property
    def null_terminated(self):
        return bool(self.lens) and self.lens[-1] == "null-terminated"

    @property
    def is_optional(self):
        return bool(self.optional) and self.optional[0]


@dataclass
class Struct:
    name: str
    union: bool
    members: list
    extends: list
    returned_only: bool
    codec: bool = False          # of video.xml
    aliases: list = field(default_factory=list)
    providers: list = field(default_factory=list)   # versions and extensions that define it

    @property
    def stype(self):
        first = self.members[0] if self.members else None
        return first.values if first and first.name == "sType" else None

    @property
    def has_chain(self):
        return any(m.name == "pNext" for m in self.members)

    def member(self, name):
        return next(m for m in self.members if m.name == name)


@dataclass
class Handle:
    name: str
    dispatchable: bool
    parent: str
    object_type: str             # of VkObjectType
    aliases: list = field(default_factory=list)
    # What follows from the commands; objects.gather fills it in.
    pool: str = None                                # the type that it is allocated from
    makers: list = field(default_factory=list)      # commands that give it out
    enders: list = field(default_factory=list)      # commands that end one that they name
    below: set = field(default_factory=set)         # types whose parent, or its parent, it is
    of_device: bool = False                         # some VkDevice is above it


    @property
    def report_type(self):
        """Of VkDebugReportObjectTypeEXT, if it has one."""
        return (self.object_type or "").replace("VK_", "VK_DEBUG_REPORT_", 1) + "_EXT"


@dataclass
class Command:
    name: str
    ret: str
    params: list
    success: list
    errors: list
    tasks: list = field(default_factory=list)  # of a command that is recorded: action, state, ...
    aliases: list = field(default_factory=list)
    providers: list = field(default_factory=list)

    @property
    def level(self):
        """The dispatchable type of the first parameter, or None for global commands."""
        first = self.params[0].type if self.params else None
        return first if first in DISPATCH_LEVELS else None

    @property
    def args(self):
        return ", ".join(p.declaration for p in self.params) or "void"


@dataclass
class Extension:
    name: str
    kind: str        # 'instance' or 'device'
    platform: str
    provisional: bool
    promoted: str
    spec_version: int
    number: int
    depends: str = ""
    commands: list = field(default_factory=list)
    types: list = field(default_factory=list)
    # The same, less what it has only together with another extension or a later version.
    always: set = field(default_factory=set)


class Registry:
    """The parsed registry. Names of aliases resolve to what they stand for. What stands in video.xml
    beside it, if it is there, counts as a part of whatever extension uses it.

    A command or handle that was promoted is the alias in one registry and what it stands for in the
    other. `preferred` are names to go by, so that both registries make the same C.
    """

    def __init__(self, path, preferred=()):
        root = ElementTree.parse(path).getroot()
        video = path.with_name("video.xml")
        self.constants = {}
        self.structs = {}
        self.handles = {}
        self.commands = {}
        self.extensions = {}
        self.versions = []       # (name, [commands], [types])
        self.enums = {}          # type -> {name: value}, without aliases
        self.enum_aliases = {}   # name of a value -> the name that it stands for
        self.scalars = {}        # enum, bitmask, basetype -> C type that carries it
        self.funcpointers = set()
        self.type_alias = {}
        self.command_alias = {}
        self.name_providers = {} # command or alias name -> versions and extensions that have it
        self.formats = {}        # format -> (block size, block extent, [plane (w, h, format)])
        self._read_formats(root)
        self._read_constants(root)
        if video.exists():
            self._read_video(ElementTree.parse(video).getroot())
        self._read_types(root)
        self._read_commands(root)
        self._prefer(set(preferred))
        self._read_features(root)
        self._read_enums(root)
        self._select()

    # -- reading ----------------------------------------------------------------------------

    def _read_constants(self, root):
        for enum in root.iter("enums"):
            if enum.get("name") == "API Constants":
                for e in enum.findall("enum"):
                    if e.get("value"):
                        self.constants[e.get("name")] = e.get("value")
                    elif e.get("alias"):
                        self.constants[e.get("name")] = self.constants[e.get("alias")]

    def _read_video(self, root):
        for e in root.find("extensions").iter("enum"):
            if re.fullmatch(r"\w+", e.get("value") or ""):
                self.constants[e.get("name")] = e.get("value")
        for t in root.find("types"):
            if t.get("category") == "enum":
                self.scalars[t.get("name")] = "int32_t"
            elif t.get("category") == "struct":
                self.structs[t.get("name")] = Struct(
                    name=t.get("name"), union=False, extends=[], returned_only=False, codec=True,
                    members=[self._member(m) for m in t.findall("member")])

    def _read_formats(self, root):
        for f in root.iter("format"):
            if not f.get("blockSize"):
                continue
            extent = [int(x) for x in (f.get("blockExtent") or "1,1,1").split(",")]
            planes = [(int(p.get("widthDivisor")), int(p.get("heightDivisor")),
                       p.get("compatible")) for p in f.findall("plane")]
            self.formats[f.get("name")] = (int(f.get("blockSize")), extent, planes)

    @staticmethod
    def _is_vulkan(element):
        return "vulkan" in (element.get("api") or "vulkan").split(",")

    def constant(self, text):
        text = self.constants.get(text, text)
        return int(re.sub(r"[()ULF~]", "", text), 0)

    def _member(self, node):
        text = "".join(t for t in node.itertext()) if node.find("comment") is None else None
        if text is None:
            parts = [node.text or ""]
            for child in node:
                if child.tag != "comment":
                    parts.append("".join(child.itertext()))
                parts.append(child.tail or "")
            text = "".join(parts)
        text = " ".join(text.split())
        name = node.find("name").text
        typ = node.find("type").text
        tail = text[text.rindex(name) + len(name):] if name in text else ""
        dims = [self.constant(d) for d in re.findall(r"\[(\w+)\]", tail)]
        bits = re.match(r"\s*:\s*(\d+)", tail)
        lens = (node.get("altlen") or node.get("len") or "").split(",")
        sync = node.get("externsync") or "maybe"
        # An alternative length replaces only the unreadable LaTeX one.
        m = Member(
            name=name, type=typ, const="const " in text.split(name)[0] or text.startswith("const"),
            pointers=text[:text.rindex(name)].count("*"), dims=dims,
            bits=int(bits.group(1)) if bits else 0,
            lens=[x for x in lens if x], stride=node.get("stride"),
            optional=[x == "true" for x in (node.get("optional") or "").split(",") if x],
            noauto=node.get("noautovalidity") == "true",
            selector=node.get("selector"),
            selection=[s for s in (node.get("selection") or "").split(",") if s],
            values=node.get("values"), object_type=node.get("objecttype"), declaration=text,
            # "maybe": only with a flag by which the application promises it.
            exclusive=None if sync.startswith("maybe") else sync)
        return m

    def _read_types(self, root):
        for t in root.find("types"):
            if not self._is_vulkan(t):
                continue
            category = t.get("category")
            name = t.get("name") or t.findtext("name") or t.findtext("proto/name")
            if t.get("alias"):
                self.type_alias[name] = t.get("alias")
                continue
            if category in ("struct", "union"):
                members = [self._member(m) for m in t.findall("member") if self._is_vulkan(m)]
                self.structs[name] = Struct(
                    name=name, union=category == "union", members=members,
                    extends=[s for s in (t.get("structextends") or "").split(",") if s],
                    returned_only=t.get("returnedonly") == "true")
            elif category == "handle":
                self.handles[name] = Handle(
                    name=name, dispatchable=t.find("type").text == "VK_DEFINE_HANDLE",
                    parent=t.get("parent"), object_type=t.get("objtypeenum"))
            elif category == "enum":
                self.scalars[name] = "int32_t"
            elif category == "bitmask":
                self.scalars[name] = "uint64_t" if t.find("type").text == "VkFlags64" else "uint32_t"
            elif category == "basetype" and t.find("type") is not None:
                self.scalars[name] = t.find("type").text
            elif category == "funcpointer":
                self.funcpointers.add(name)
        for alias, target in self.type_alias.items():
            target = self.resolve(target)
            for table in (self.structs, self.handles):
                if target in table:
                    table[target].aliases.append(alias)

    def resolve(self, name):
        while name in self.type_alias:
            name = self.type_alias[name]
        return name

    def _read_commands(self, root):
        for c in root.find("commands"):
            if not self._is_vulkan(c):
                continue
            if c.get("alias"):
                self.command_alias[c.get("name")] = c.get("alias")
                continue
            name = c.find("proto/name").text
            self.commands[name] = Command(
                name=name, ret=c.find("proto/type").text,
                params=[self._member(p) for p in c.findall("param") if self._is_vulkan(p)],
                success=(c.get("successcodes") or "").split(","),
                errors=[x for x in (c.get("errorcodes") or "").split(",") if x],
                tasks=(c.get("tasks") or "").split(","))
        for alias in self.command_alias:
            target = alias
            while target in self.command_alias:
                target = self.command_alias[target]
            if target in self.commands:
                self.commands[target].aliases.append(alias)
                self.command_alias[alias] = target

    def resolve_command(self, name):
        return self.command_alias.get(name, name)

    def _prefer(self, names):
        """Makes preferred aliases what the other names stand for."""
        for alias in names & set(self.command_alias):
            target = self.command_alias[alias]
            if target in names or target not in self.commands:
                continue
            command = self.commands.pop(target)
            command.name = alias
            command.aliases = [target if a == alias else a for a in command.aliases]
            self.commands[alias] = command
            del self.command_alias[alias]
            self.command_alias.update((a, alias) for a in command.aliases)
        for alias in names & set(self.type_alias):
            target = self.resolve(alias)
            if target in names or target not in self.handles:
                continue
            handle = self.handles.pop(target)
            handle.name = alias
            handle.aliases = [target if a == alias else a for a in handle.aliases]
            self.handles[alias] = handle
            del self.type_alias[alias]
            self.type_alias[target] = alias

    def _read_features(self, root):
        versions = {}
        for f in root.findall("feature"):
            if not self._is_vulkan(f):
                continue
            # Newer registries tell the parts of a version apart: VK_BASE_VERSION_1_0 and so on.
            name = re.sub(r"^VK_[A-Z]+_VERSION_", "VK_VERSION_", f.get("name"))
            commands, types = versions.setdefault(name, ([], []))
            commands += [c.get("name") for c in f.iter("command")]
            types += [self.resolve(t.get("name")) for r in f.findall("require")
                      for t in r.findall("type")]
        self.versions = [(name, commands, types) for name, (commands, types) in versions.items()]
        for e in root.find("extensions"):
            if "vulkan" not in (e.get("supported") or "").split(","):
                continue
            if e.get("platform") and e.get("platform") not in PLATFORMS | {"provisional"}:
                continue
            x = Extension(
                name=e.get("name"), kind=e.get("type"), platform=e.get("platform"),
                provisional=e.get("platform") == "provisional" or e.get("provisional") == "true",
                promoted=e.get("promotedto"), spec_version=1, number=int(e.get("number")),
                depends=e.get("depends") or "")
            for require in e.findall("require"):
                if not self._is_vulkan(require):
                    continue
                commands = [c.get("name") for c in require.findall("command")]
                types = [self.resolve(t.get("name")) for t in require.findall("type")]
                x.commands += commands
                x.types += types
                if not require.get("depends"):
                    x.always.update(types, map(self.resolve_command, commands))
                for enum in require.findall("enum"):
                    if (enum.get("name") or "").endswith("_SPEC_VERSION") and enum.get("value"):
                        x.spec_version = int(enum.get("value"))
            self.extensions[x.name] = x

    def _read_enums(self, root):
        numbers = {e.get("name"): int(e.get("number")) for e in root.find("extensions")}
        for block in root.findall("enums"):
            if block.get("type") in ("enum", "bitmask"):
                table = self.enums.setdefault(block.get("name"), {})
                for e in block.findall("enum"):
                    if self._is_vulkan(e) and e.get("value"):
                        table[e.get("name")] = int(e.get("value"), 0)

        def extend(block, number):
            for e in block.iter("enum"):
                if not e.get("extends") or not self._is_vulkan(e):
                    continue
                if e.get("alias"):
                    self.enum_aliases[e.get("name")] = e.get("alias")
                    continue
                table = self.enums.setdefault(e.get("extends"), {})
                if e.get("value"):
                    table[e.get("name")] = int(e.get("value"), 0)
                elif e.get("offset"):
                    n = int(e.get("extnumber") or number)
                    value = 1000000000 + (n - 1) * 1000 + int(e.get("offset"))
                    table[e.get("name")] = -value if e.get("dir") == "-" else value

        for f in root.findall("feature"):
            if self._is_vulkan(f):
                extend(f, 0)
        for e in root.find("extensions"):
            if e.get("name") in self.extensions:
                extend(e, numbers[e.get("name")])

    # -- selecting --------------------------------------------------------------------------

    def _select(self):
        """Keeps what some version or some extension of Linux requires, and notes which."""
        for providers, commands, types in (
                [(v, c, t) for v, c, t in self.versions] +
                [(x.name, x.commands, x.types) for x in self.extensions.values()
                 if not x.provisional]):
            for name in commands:
                self.name_providers.setdefault(name, []).append(providers)
                command = self.commands.get(self.resolve_command(name))
                if command and providers not in command.providers:
                    command.providers.append(providers)
            for name in types:
                struct = self.structs.get(self.resolve(name))
                if struct and providers not in struct.providers:
                    struct.providers.append(providers)
        self._provide_codecs()
        self.commands = {n: c for n, c in self.commands.items() if c.providers}
        self.structs = {n: s for n, s in self.structs.items() if s.providers}
        for s in self.structs.values():
            s.extends = [self.resolve(e) for e in s.extends if self.resolve(e) in self.structs]
            for m in s.members:
                m.type = self.resolve(m.type)
        for c in self.commands.values():
            for p in c.params:
                p.type = self.resolve(p.type)
        self.extending = {}
        for s in self.structs.values():
            for root in s.extends:
                self.extending.setdefault(root, []).append(s)
        objects.gather(self)

    def _provide_codecs(self):
        """vk.xml does not say which extension a struct of video.xml is for: those that use it."""
        waiting = [s for s in self.structs.values() if s.providers]
        while waiting:
            s = waiting.pop()
            for inner in (self.structs[m.type] for m in s.members if m.type in self.structs):
                more = [x for x in s.providers if x not in inner.providers]
                if inner.codec and more:
                    inner.providers += more
                    waiting.append(inner)


def header_version(path):
    """(major, minor, patch) as vk.xml states it."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    patch = re.search(r"#define <name>VK_HEADER_VERSION</name> (\d+)", text).group(1)
    complete = re.search(
        r"<name>VK_HEADER_VERSION_COMPLETE</name> <type>VK_MAKE_API_VERSION</type>"
        r"\(\d+, (\d+), (\d+), VK_HEADER_VERSION\)", text)
    return int(complete.group(1)), int(complete.group(2)), int(patch)
