# SPDX-License-Identifier: MIT
"""C of calls of many commands, with arguments that can be told apart from garbage and no more: for
tests/apps/answers.c of each one that returns a VkResult, and what it may answer; for tests/apps/waits.c of each
one whose answer the client waits for."""

# Window systems, of which the test has none.
FOREIGN = {"xcb_connection_t", "xcb_window_t", "wl_display", "wl_surface", "Display", "Window",
           "VkDisplayKHR", "VkDisplayModeKHR"}


# Of structs, where a call is waited for only if it asks for much: `s` is the struct.
MUCH = {
    "VkFramebufferCreateInfo": "s->width = UINT32_MAX;",
    "VkRenderPassCreateInfo": "s->subpassCount = 65; s->pSubpasses = (const void *)much;",
    "VkRenderPassCreateInfo2": "s->subpassCount = 65; s->pSubpasses = many_subpasses();",
    "VkDescriptorSetLayoutCreateInfo":
        "static const VkDescriptorSetLayoutBinding far = {.binding = 5000, .descriptorCount = 1}; "
        "s->bindingCount = 1; s->pBindings = &far;",
    "VkDescriptorPoolCreateInfo": "s->maxSets = 1 << 20;",
    "VkShaderModuleCreateInfo": "s->codeSize = sizeof(much); s->pCode = (const void *)much;",
    "VkPipelineCacheCreateInfo": "s->initialDataSize = sizeof(much); s->pInitialData = much;",
    "VkShaderCreateInfoEXT": "s->codeType = VK_SHADER_CODE_TYPE_SPIRV_EXT; s->codeSize = sizeof(much); "
                             "s->pCode = much;",
    "VkCommandBufferAllocateInfo": "s->commandBufferCount = 300;",
}
FLAGS = ("flags", "createFlags")


class Calls:
    """`offered` are the commands of which there may be objects. `much`: the structs ask for so much, or with
    such flags, that the call is waited for."""

    def __init__(self, registry, offered, much=False):
        self.r = registry
        self.handles = {h.name for h in registry.handles.values() if not offered.isdisjoint(h.makers)}
        self.much = much

    def is_possible(self, command):
        structs = [self.r.structs[m.type] for m in command.params if m.type in self.r.structs]
        types = {m.type for x in [command.params, *(s.members for s in structs)] for m in x}
        return command.level is not None and FOREIGN.isdisjoint(types)

    def struct_of(self, m):
        """The struct that is made for a parameter, or None."""
        struct = self.r.structs.get(m.type)
        return struct if m.pointers == 1 and struct and not struct.union else None

    def argument(self, command, m):
        room = f"room[{command.params.index(m)}]"
        counts = [x.lens[0] for x in command.params if x.lens]
        counters = [x.name for x in command.params if x.pointers]
        if m.type in self.r.funcpointers or m.type == "VkAllocationCallbacks":
            return "NULL"
        if m.lens and m.lens[0] in counters:
            return "NULL"       # asks only how many there are
        if m.type in self.r.handles and (m.const or not m.pointers):
            return ("&" if m.pointers else "") + f"any_{m.type}"
        if self.struct_of(m):
            return f"some_{m.type}({room})"
        if m.pointers:
            return f"(void *){room}"
        if m.name in counts:
            return "1"
        return f"({m.type}){{0}}" if m.type in self.r.structs else f"({m.type})0"

    def call(self, command):
        yield f"static VkResult call_{command.name}(PFN_vkVoidFunction function)"
        yield "{"
        yield "    memset(room, 0, sizeof(room));"
        for i, m in enumerate(command.params):
            for x in command.params:    # their length stands in this struct
                if x.lens and x.lens[0].startswith(m.name + "->"):
                    yield f"    (({m.type} *)(void *)room[{i}])->{x.lens[0].split('->')[1]} = 1;"
        arguments = ", ".join(self.argument(command, m) for m in command.params)
        call = f"((PFN_{command.name})function)({arguments});"
        if command.ret == "VkResult":
            yield f"    return {call}"
        else:
            yield f"    {call}"
            yield "    return VK_SUCCESS;"
        yield "}"
        yield ""

    def is_inside(self, m):
        """Whether a member is a struct that has to be told from garbage, too."""
        struct = self.r.structs.get(m.type)
        return bool(struct and struct.stype and not m.pointers and not m.dims)

    def is_below(self, m):
        """Whether a member points to a struct that has to be there."""
        return bool(self.struct_of(m) and m.const and not m.lens and not m.is_optional and m.name != "pNext")

    def with_inner(self, names):
        """These structs and those that stand in them."""
        found, waiting = set(), list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += [m.type for m in self.r.structs[name].members
                            if self.is_inside(m) or self.is_below(m)]
        return sorted(found)

    def struct(self, name):
        struct = self.r.structs[name]
        yield f"static {name} *some_{name}(void *where)"
        yield "{"
        yield f"    {name} *s = where;"
        if struct.stype:
            yield f"    s->sType = {struct.stype};"
        for m in struct.members:
            if m.type in self.r.handles and not m.pointers and not m.dims:
                yield f"    s->{m.name} = any_{m.type};"
            elif m.type == "char" and m.pointers == 1 and m.const and not m.is_optional:
                yield f'    s->{m.name} = "main";'
            elif self.is_inside(m):
                yield f"    (void)some_{m.type}(&s->{m.name});"
            elif self.is_below(m):
                yield f"    static {m.type} {m.name};"
                yield f"    s->{m.name} = some_{m.type}(&{m.name});"
        if self.much:
            flags = [m.name for m in struct.members if m.name in FLAGS and not struct.returned_only]
            yield "    " + (MUCH.get(name) or "".join(f"s->{flag} = 1;" for flag in flags[:1]))
        yield "    return s;"
        yield "}"
        yield ""

    def definitions(self, commands):
        """Objects and calls of these commands."""
        calls = [line for c in commands for line in self.call(c)]
        names = self.with_inner(m.type for c in commands for m in c.params
                                if self.argument(c, m).startswith("some_"))
        structs = [f"static {name} *some_{name}(void *where);" for name in names] + [""]
        structs += [line for name in names for line in self.struct(name)]
        yield "/* Generated from vk.xml. */"
        for name in sorted(self.handles):
            yield f"static {name} any_{name} __attribute__((unused));"
        yield ""
        yield "static _Alignas(16) unsigned char room[16][16384];"
        yield ""
        yield from structs
        yield from calls

    def answers(self, commands, results):
        """`results` tells of a command what it may answer."""
        commands = [c for c in commands if self.is_possible(c)]
        yield from self.definitions(commands)
        yield "static const struct answers {"
        yield "    const char *name;"
        yield "    VkResult (*call)(PFN_vkVoidFunction function);"
        yield "    const char *listed;   /* as vk.xml has it */"
        yield "    VkResult results[32]; /* the same, ended by VK_RESULT_MAX_ENUM */"
        yield "} answers[] = {"
        for c in commands:
            listed = results(c)
            yield (f'    {{"{c.name}", call_{c.name}, "{" ".join(listed)}", '
                   f'{{{", ".join([*listed, "VK_RESULT_MAX_ENUM"])}}}}},')
        yield "};"
        yield ""


    def waits(self, commands):
        commands = [c for c in commands if self.is_possible(c)]
        yield from self.definitions(commands)
        yield "static const struct waits {"
        yield "    const char *name;"
        yield "    VkResult (*call)(PFN_vkVoidFunction function);"
        yield "    int of_device;"
        yield "    const char *extensions[8]; /* one of them brings it; none: Vulkan itself does */"
        yield "} waits[] = {"
        for c in commands:
            core = any(x.startswith("VK_VERSION_") for x in c.providers)
            names = ", ".join(f'"{x}"' for x in c.providers if not core)
            device = int(c.level not in ("VkInstance", "VkPhysicalDevice"))
            yield f'    {{"{c.name}", call_{c.name}, {device}, {{{names or "NULL"}}}}},'
        yield "};"
        yield ""


def answers(registry, offered, commands, results):
    return "\n".join(Calls(registry, offered).answers(commands, results))


def waits(registry, offered, commands):
    return "\n".join(Calls(registry, offered, much=True).waits(commands))
