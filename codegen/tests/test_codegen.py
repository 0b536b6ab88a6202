#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Unit tests of the generator's model, layouts and plans. REGISTRY names the folder of vk.xml."""

import os
import pathlib
import re
import sys
import tempfile
import tomllib
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import generate  # noqa: E402
import queries  # noqa: E402
from emit import count_expression  # noqa: E402
from emit_client import ClientEmitter  # noqa: E402
from model import Registry, header_version  # noqa: E402
from plan import Planner, read_policy  # noqa: E402
from wire_numbers import assign, read_numbers  # noqa: E402

# The newest registry that policy.toml and the lists of numbers were written for.
NEWEST = (1, 4, 363)
REGISTRY = pathlib.Path(os.environ.get("REGISTRY", HERE.parent.parent / "build" / "registry"))


class Model(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.g = generate.Generator(REGISTRY)
        cls.r, cls.p = cls.g.r, cls.g.p

    def steps(self, struct):
        return {s.m.name: s for s in self.p.struct_steps(struct)}

    def params(self, command):
        return {s.m.name: s for s in self.p.command_plan(command).steps}

    def test_registry_is_new_enough(self):
        self.assertGreaterEqual(header_version(REGISTRY / "vk.xml"), generate.OLDEST)

    def test_other_platforms_are_left_out(self):
        self.assertIn("VK_KHR_xcb_surface", self.r.extensions)
        self.assertNotIn("VK_KHR_win32_surface", self.r.extensions)
        self.assertNotIn("VkAndroidSurfaceCreateInfoKHR", self.r.structs)

    def test_aliases_resolve(self):
        self.assertEqual(self.r.command_alias["vkCmdDrawIndirectCountKHR"],
                         "vkCmdDrawIndirectCount")
        self.assertEqual(self.r.resolve("VkPhysicalDeviceFeatures2KHR"),
                         "VkPhysicalDeviceFeatures2")

    def test_every_core_command_is_planned(self):
        """What the registry describes is either generated or named, with a reason, in the policy."""
        for version, commands, _ in self.r.versions:
            for name in commands:
                name = self.r.command_alias.get(name, name)
                if name in self.p.client:
                    continue
                self.assertIn(name, self.p.wire_commands, version)

    def test_what_commands_may_return(self):
        def of(name):
            return self.g.results_c(self.r.commands[name]).split(", ")
        self.assertEqual(of("vkQueueWaitIdle"), ["VK_ERROR_OUT_OF_HOST_MEMORY", "VK_ERROR_OUT_OF_DEVICE_MEMORY",
                                                 "VK_ERROR_DEVICE_LOST", "VK_ERROR_UNKNOWN"])
        self.assertEqual(of("vkFreeDescriptorSets"), ["VK_SUCCESS"])
        self.assertEqual(of("vkGetVideoSessionMemoryRequirementsKHR"), ["VK_INCOMPLETE", "VK_ERROR_UNKNOWN"])
        self.assertIn("VK_NOT_READY", of("vkGetFenceStatus"))
        for c in self.g.with_results():
            self.assertTrue(self.g.results(c), c.name)
            # Lists use old names of promoted results, too.
            old = {"VK_PIPELINE_COMPILE_REQUIRED_EXT", "VK_ERROR_INVALID_OPAQUE_CAPTURE_ADDRESS_KHR",
                   "VK_ERROR_OUT_OF_POOL_MEMORY_KHR"} & set(c.success + c.errors)
            for name in old:
                self.assertIn(self.r.enum_aliases[name], self.g.results(c), c.name)

    def test_every_device_extension_has_its_commands_or_a_reason(self):
        for x in self.r.extensions.values():
            if x.kind != "device" or x.provisional or x.name in self.p.withheld:
                continue
            for name in x.commands:
                name = self.r.command_alias.get(name, name)
                if name in self.p.client:
                    continue
                self.assertIn(name, self.p.commands, x.name)

    def test_arrays_inside_of_structs(self):
        found = {n: [(m.name, count) for m, count in self.p.fixed_arrays(n)]
                 for n in self.p.structs}
        self.assertEqual({n: x for n, x in found.items() if x},
                         {"VkPipelineBinaryKeyKHR": [("key", "keySize")]})

    # -- queries -------------------------------------------------------------------------------

    def test_first_forms_of_queries(self):
        q = self.p.queries["vkGetPhysicalDeviceImageFormatProperties"]
        self.assertEqual((q.later.name, q.member, q.info.type, q.many),
                         ("vkGetPhysicalDeviceImageFormatProperties2", "imageFormatProperties",
                          "VkPhysicalDeviceImageFormatInfo2", False))
        q = self.p.queries["vkGetPhysicalDeviceSurfaceFormatsKHR"]
        self.assertEqual((q.later.name, q.member, q.info.type, q.many),
                         ("vkGetPhysicalDeviceSurfaceFormats2KHR", "surfaceFormat",
                          "VkPhysicalDeviceSurfaceInfo2KHR", True))
        self.assertIsNone(self.p.queries["vkGetPhysicalDeviceFeatures"].info)
        for name in ("vkGetDeviceQueue", "vkQueueSubmit", "vkBindImageMemory", "vkMapMemory",
                     "vkAcquireNextImageKHR", "vkGetImageSubresourceLayout",
                     "vkGetImageSparseMemoryRequirements"):
            self.assertNotIn(name, self.p.queries)
        for name, q in self.p.queries.items():
            self.assertTrue(self.p.by_hand(name))
            self.assertTrue(self.p.by_hand(q.later.name))
            self.assertIn(f"vdc_{q.later.name}(", queries.function(self.r, q))

    def test_memory_types_are_the_applications(self):
        """Whoever answers with memory requirements translates them, by hand or not."""
        client = ClientEmitter(self.p)
        found = set()
        for c in self.p.wire_commands.values():
            answers = [p for p in c.params if p.pointers and not p.const and
                       (p.type == "VkMemoryRequirements" or self.p.requirements_in(p))]
            if answers and not self.p.by_hand(c.name):
                found.add(c.name)
                self.assertIn("vdc_requirements_of_host(device, &", client.command(
                    self.p.command_plan(c.name)), c.name)
        self.assertIn("vkGetGeneratedCommandsMemoryRequirementsEXT", found)

    # -- objects -------------------------------------------------------------------------------

    def test_where_objects_come_from_and_what_ends_them(self):
        buffer = self.r.handles["VkBuffer"]
        self.assertEqual((buffer.makers, buffer.enders, buffer.pool, buffer.of_device),
                         (["vkCreateBuffer"], ["vkDestroyBuffer"], None, True))
        memory = self.r.handles["VkDeviceMemory"]
        self.assertEqual((memory.makers, memory.enders), (["vkAllocateMemory"], ["vkFreeMemory"]))
        self.assertIn("vkCreateComputePipelines", self.r.handles["VkPipeline"].makers)
        self.assertEqual(self.r.handles["VkPipelineBinaryKHR"].makers,
                         ["vkCreatePipelineBinariesKHR"])
        self.assertEqual(self.r.handles["VkPerformanceConfigurationINTEL"].enders,
                         ["vkReleasePerformanceConfigurationINTEL"])
        self.assertEqual(self.r.handles["VkDevice"].enders, ["vkDestroyDevice"])
        self.assertFalse(self.r.handles["VkDevice"].of_device)
        self.assertFalse(self.r.handles["VkDisplayModeKHR"].of_device)

    def test_pools(self):
        self.assertEqual({n: h.pool for n, h in self.r.handles.items() if h.pool},
                         {"VkCommandBuffer": "VkCommandPool", "VkDescriptorSet": "VkDescriptorPool"})
        self.assertEqual(self.params("vkAllocateDescriptorSets")["pDescriptorSets"].pool,
                         "pAllocateInfo->descriptorPool")
        emptied = {n: self.p.command_plan(n).emptied for n in self.p.wire_commands}
        self.assertEqual({n: p.type for n, p in emptied.items() if p},
                         {"vkDestroyCommandPool": "VkCommandPool",
                          "vkDestroyDescriptorPool": "VkDescriptorPool",
                          "vkResetDescriptorPool": "VkDescriptorPool"})

    def test_what_a_command_ends(self):
        ends = {n: self.p.command_plan(n).victim for n in self.p.wire_commands}
        self.assertEqual(ends["vkFreeCommandBuffers"].m.name, "pCommandBuffers")
        self.assertEqual(ends["vkFreeMemory"].m.name, "memory")
        self.assertEqual(ends["vkDestroyDevice"].m.name, "device")
        for name in ("vkReleaseProfilingLockKHR", "vkReleaseCapturedPipelineDataKHR"):
            self.assertIsNone(ends[name], name)

    def test_commands_beside_the_point(self):
        """Those that nobody misses, and those that may have to be left undone."""
        plans = [self.p.command_plan(n) for n in self.p.wire_commands]
        self.assertEqual(sorted(p.c.name for p in plans if p.names),
                         ["vkDebugMarkerSetObjectNameEXT", "vkDebugMarkerSetObjectTagEXT",
                          "vkSetDebugUtilsObjectNameEXT", "vkSetDebugUtilsObjectTagEXT"])
        self.assertEqual({p.c.name for p in plans if p.forgiven} -
                         {p.c.name for p in plans if p.names}, {"vkMergePipelineCaches"})
        self.assertEqual(sorted(p.c.name for p in plans if p.keeps_turn and not p.blocking and p.sync),
                         ["vkCreateInstance", "vkDestroyDevice", "vkDestroyInstance",
                          "vkGetSemaphoreFdKHR", "vkImportSemaphoreFdKHR"])
        self.assertEqual(sorted(p.c.name for p in plans if p.waited),
                         ["vkDestroyQueryPool", "vkDestroySemaphore"])

    def test_the_clients_own(self):
        """All that an extension of the client's own brings, and what such commands make."""
        for name in ("vkCreateXcbSurfaceKHR", "vkGetDisplayPlaneCapabilities2KHR",
                     "vkAcquireNextImage2KHR", "vkGetFenceFdKHR", "vkDeferredOperationJoinKHR"):
            self.assertIn(name, self.p.client)
        for name in ("vkSetDebugUtilsObjectNameEXT", "vkCmdBeginDebugUtilsLabelEXT",
                     "vkGetPhysicalDeviceFeatures2", "vkBindImageMemory2"):
            self.assertIn(name, self.p.commands)
            self.assertNotIn(name, set(self.p.client) - set(self.p.policy["client"]))
        self.assertLessEqual({"VkFence", "VkSurfaceKHR", "VkSwapchainKHR", "VkDisplayKHR",
                              "VkDisplayModeKHR", "VkPrivateDataSlot", "VkDebugReportCallbackEXT",
                              "VkDescriptorUpdateTemplate", "VkDeferredOperationKHR"},
                             self.p.client_handles)
        for name in ("VkQueue", "VkImage", "VkSemaphore", "VkPipelineBinaryKHR"):
            self.assertNotIn(name, self.p.client_handles)

    def test_policy_reasons(self):
        for table, entries in self.p.policy.items():
            for name, values in entries.items():
                for value in values if isinstance(values, list) else [values]:
                    reason = value if isinstance(value, str) else value["reason"]
                    self.assertGreater(len(reason), 3, f"[{table}] {name}")

    def test_policy_names_what_exists(self):
        """An older registry lacks some of it; the newest one must have it all."""
        if header_version(REGISTRY / "vk.xml") >= NEWEST:
            self.assertEqual(self.p.unknown, [])
        policy = read_policy(HERE.parent / "policy.toml")
        policy["client"]["vkNoSuchCommand"] = policy["unions"]["VkNoSuchUnion"] = "a mistake"
        policy["lenient"]["VkBufferCreateInfo.noSuchMember"] = "a mistake"
        self.assertEqual(set(Planner(self.r, policy).unknown) - set(self.p.unknown),
                         {"[client] vkNoSuchCommand", "[unions] VkNoSuchUnion",
                          "[lenient] VkBufferCreateInfo.noSuchMember"})

    def test_nothing_is_left_out(self):
        if header_version(REGISTRY / "vk.xml") <= NEWEST:
            self.assertEqual(self.p.left_out, {})

    def test_promotions_resolve_both_ways(self):
        """The EXT name is the alias in one registry and the only one in the other."""
        self.assertIn("vkReleaseSwapchainImagesEXT", self.r.commands)
        self.assertIn("vkReleaseSwapchainImagesEXT", self.p.policy["client"])
        policy = read_policy(HERE.parent / "policy.toml")
        name, reason = "vkCmdDrawIndirectCountKHR", "by its older name"
        policy["synchronous"][name] = reason
        policy["ignored"]["VkFramebufferAttachmentsCreateInfoKHR.pAttachmentImageInfos"] = {
            "when": "false", "reason": reason}
        p = Planner(self.r, policy)
        self.assertIn("vkCmdDrawIndirectCount", p.policy["synchronous"])
        self.assertIn("VkFramebufferAttachmentsCreateInfo.pAttachmentImageInfos",
                      p.policy["ignored"])
        preferring = Registry(REGISTRY / "vk.xml", [name, "VkDescriptorUpdateTemplateKHR"])
        self.assertIn("vkCmdDrawIndirectCount", preferring.commands[name].aliases)
        self.assertEqual(preferring.resolve_command("vkCmdDrawIndirectCountAMD"), name)
        self.assertEqual(preferring.resolve("VkDescriptorUpdateTemplate"),
                         "VkDescriptorUpdateTemplateKHR")

    # -- layouts; the whole registry is compared with the compiler by test_layouts -------------

    def test_layouts(self):
        size, align, fields = self.p.layouts.of_struct("VkBufferCreateInfo")
        self.assertEqual((size, align), (56, 8))
        self.assertEqual(dict((n, o) for n, o, _ in fields)["size"], 24)

    def test_layout_of_bit_fields(self):
        self.assertEqual(self.p.layouts.of_type("VkAccelerationStructureInstanceKHR"), (64, 8))

    def test_bits_that_belong_to_nothing(self):
        self.assertEqual(self.p.layouts.padding("VkAccelerationStructureInstanceKHR"), [])
        self.assertEqual(self.p.layouts.partly_used("VkAccelerationStructureInstanceKHR"), [])
        # 12 bits, then 20 of none; the same where the struct is a member of another one.
        for name in ("StdVideoH264SpsVuiFlags", "StdVideoH264SequenceParameterSetVui"):
            self.assertEqual(self.p.layouts.padding(name)[0], (2, 2))
            self.assertEqual(self.p.layouts.partly_used(name), [(1, 0x0f)])

    def test_layout_of_unions(self):
        self.assertEqual(self.p.layouts.of_type("VkClearValue"), (16, 4))
        self.assertEqual(self.p.layouts.of_type("VkDescriptorDataEXT"), (8, 8))

    def test_padding(self):
        self.assertEqual(self.p.layouts.padding("VkExtent3D"), [])
        self.assertEqual(self.p.layouts.padding("VkBufferCreateInfo"), [(4, 4), (20, 4), (44, 4)])
        self.assertEqual(self.p.layouts.padding("VkDescriptorImageInfo"), [(20, 4)])

    # -- what is done to members ---------------------------------------------------------------

    def test_lengths(self):
        self.assertEqual(self.steps("VkShaderModuleCreateInfo")["pCode"].count, "codeSize / 4")
        self.assertEqual(self.steps("VkPipelineMultisampleStateCreateInfo")["pSampleMask"].count,
                         "(rasterizationSamples + 31) / 32")
        new = self.params("vkAllocateDescriptorSets")["pDescriptorSets"]
        self.assertEqual((new.kind, new.count), ("new", "pAllocateInfo->descriptorSetCount"))

    def test_count_expressions(self):
        members = self.p.wire_commands["vkGetPipelineCacheData"].params
        self.assertEqual(count_expression("pDataSize", members, ""),
                         "(pDataSize ? *pDataSize : 0)")
        members = self.p.wire_commands["vkAllocateDescriptorSets"].params
        self.assertEqual(
            count_expression("pAllocateInfo->descriptorSetCount", members, "a->"),
            "a->pAllocateInfo->descriptorSetCount")

    def test_strides(self):
        """Arrays with gaps: an attribute without which the host reads beyond the record."""
        found = {c.name for c in self.p.wire_commands.values() for m in c.params if m.stride}
        self.assertIn("vkCmdDrawMultiEXT", found)
        for name in found:
            for step in self.p.command_plan(name).steps:
                if step.m.stride:
                    self.assertEqual((step.kind, step.elem_work), ("array", False), name)

    def test_structs_of_codecs(self):
        """video.xml: what is needed of it, by whom, and lengths that an enclosing struct tells."""
        sps = self.r.structs["StdVideoH265SequenceParameterSet"]
        self.assertIn("VK_KHR_video_decode_h265", sps.providers)
        self.assertNotIn("VK_KHR_video_decode_h264", sps.providers)
        self.assertEqual(self.p.outer_member(sps.name).name, "sps_max_sub_layers_minus1")
        self.assertIsNone(self.p.outer_member("StdVideoH265HrdParameters"))
        for end, writer, name in ((self.g.client, "struct_function", ("enc", sps.name)),
                                  (self.g.server, "struct_function", (sps.name,))):
            self.assertIn("->outer = s->sps_max_sub_layers_minus1;", getattr(end, writer)(*name))
        step = self.steps("StdVideoH265HrdParameters")["pSubLayerHrdParametersNal"]
        self.assertEqual(count_expression(step.count, [], "s->", "e->outer"), "e->outer + 1")
        for s in self.r.structs.values():
            for m in s.members if s.codec else []:
                step = self.steps(s.name).get(m.name)
                self.assertFalse(step and step.required, f"{s.name}.{m.name}")

    def test_two_call_idiom(self):
        p = self.params("vkGetImageSparseMemoryRequirements2")
        self.assertEqual(p["pSparseMemoryRequirementCount"].kind, "inout")
        self.assertEqual(p["pSparseMemoryRequirements"].kind, "shape")
        p = self.params("vkGetPipelineCacheData")
        self.assertEqual((p["pDataSize"].kind, p["pData"].kind), ("inout", "out"))

    def test_outputs_inside_inputs(self):
        step = self.steps("VkPipelineCreationFeedbackCreateInfo")["pPipelineCreationFeedback"]
        self.assertEqual(step.kind, "out")
        self.assertTrue(self.p.fills("VkGraphicsPipelineCreateInfo"))
        self.assertTrue(self.p.command_plan("vkCreateComputePipelines").sync)

    def test_unions_with_selectors(self):
        union = self.steps("VkDescriptorGetInfoEXT")["data"]
        self.assertEqual(union.kind, "union")
        kinds = {v: s[0].kind for sel, s in union.cases for v in sel if s}
        self.assertEqual(kinds["VK_DESCRIPTOR_TYPE_SAMPLER"], "array")

    def test_arrays_of_arrays(self):
        step = self.params("vkCmdBuildAccelerationStructuresKHR")["ppBuildRangeInfos"]
        self.assertEqual((step.kind, step.inner), ("arrays", "pInfos[i].geometryCount"))
        step = self.steps("VkAccelerationStructureBuildGeometryInfoKHR")["ppGeometries"]
        self.assertEqual(step.kind, "pointers")

    def test_host_addresses_never_cross(self):
        for name in self.p.structs:
            for step in self.p.struct_steps(name):
                if step.m.type in ("void",) and step.m.pointers and step.m.name != "pNext":
                    self.assertIn(step.kind, ("array", "out", "inout", "sized", "host", "shm"),
                                  f"{name}.{step.m.name}")

    def test_structs_of_the_client_never_cross(self):
        for name in ("VkSwapchainPresentFenceInfoEXT", "VkPhysicalDevicePresentIdFeaturesKHR",
                     "VkBindImageMemorySwapchainInfoKHR", "VkImageSwapchainCreateInfoKHR"):
            self.assertNotIn(name, self.p.structs)
        self.assertIn("VkPhysicalDevicePrivateDataFeatures", self.p.structs)
        own = {s.name for s in self.p.own_features}
        for name in ("VkPhysicalDevicePresentIdFeaturesKHR",
                     "VkPhysicalDevicePresentWaitFeaturesKHR",
                     "VkPhysicalDeviceSwapchainMaintenance1FeaturesEXT"):
            self.assertIn(self.r.resolve(name), own)

    def test_structs_that_narrow_machines_lay_out_in_another_way(self):
        wire = self.g.client.wire
        for name, differs in (
                ("VkExtent3D", False), ("VkDescriptorBufferInfo", False), ("VkClearValue", False),
                ("VkMemoryRequirements", True),     # a 32-bit number behind those of 64
                ("VkDescriptorImageInfo", True), ("VkSpecializationMapEntry", True), ("size_t", True),
                ("VkDeviceOrHostAddressConstKHR", True), ("VkBufferCreateInfo", True)):
            self.assertEqual(wire.differs(name), differs, name)
        structs = wire.structs()
        for i, name in enumerate(structs):
            for m in self.r.structs[name].members:
                if m.type in structs and not m.pointers:
                    self.assertLess(structs.index(m.type), i, f"{name}.{m.name}: its mirror is not known yet")
        for name in self.p.structs:
            for m in self.r.structs[name].members:
                inner = self.r.structs.get(m.type)
                if inner and inner.union and not m.pointers and wire.differs(m.type):
                    self.assertTrue(m.selector or m.type in self.p.policy["unions"], f"{name}.{m.name}")
        self.assertIn("_Alignas(8) uint64_t pNext;", wire.mirror("VkBufferCreateInfo"))
        self.assertIn("vd_wire_VkMemoryHeap memoryHeaps[16];", wire.mirror("VkPhysicalDeviceMemoryProperties"))

    def test_chains_come_last(self):
        for name in self.p.structs:
            kinds = [s.kind for s in self.p.struct_steps(name)]
            self.assertNotIn("chain", kinds[:-1], name)

    def test_handles_in_a_struct_that_is_filled(self):
        plan = self.p.command_plan("vkCreatePipelineBinariesKHR")
        self.assertEqual([(n.prefix, n.step.m.name, n.step.count) for n in plan.news],
                         [("pBinaries->", "pPipelineBinaries", "pipelineBinaryCount")])
        self.assertTrue(plan.sync)

    def test_numbers_of_the_application_return(self):
        """A member that looks like a pointer and is a number comes back with the rest of its struct."""
        client = ClientEmitter(self.p)
        for struct in ("VkCheckpointDataNV", "VkCheckpointData2NV"):
            lines = []
            client._take(lines.append, struct)
            self.assertIn("s->pCheckpointMarker = (void *)(uintptr_t)from->pCheckpointMarker;", lines)

    def test_what_may_be_created_in_part(self):
        for name in ("vkCreatePipelineBinariesKHR", "vkCreateGraphicsPipelines",
                     "vkCreateShadersEXT"):
            self.assertTrue(self.p.command_plan(name).creates_some, name)
        for name in ("vkCreateBuffer", "vkAllocateDescriptorSets", "vkAllocateCommandBuffers"):
            self.assertFalse(self.p.command_plan(name).creates_some, name)

    def test_chains_of_chains(self):
        names = {s.name for s in self.p.chain_of("VkPipelineCreateInfoKHR")}
        self.assertLessEqual({"VkGraphicsPipelineCreateInfo", "VkComputePipelineCreateInfo",
                              "VkPipelineRenderingCreateInfo"}, names)

    def test_streams(self):
        self.assertTrue(self.p.command_plan("vkCmdDraw").streamed)
        self.assertTrue(self.p.command_plan("vkBeginCommandBuffer").streamed)
        self.assertFalse(self.p.command_plan("vkResetCommandBuffer").streamed)
        for name in self.p.wire_commands:
            plan = self.p.command_plan(name)
            if plan.streamed:
                self.assertFalse(plan.returns or plan.news, name)

    def test_streams_share_nothing(self):
        """What a call shares ends with the call, which a stream outlives; and nothing returns."""
        sized = 'kind = "sized", size = "8", bytes = "8", reason = "a test"'
        entries = ('"vkCmdPushConstants.pValues" = { share = "true", %s }',
                   '"vkCmdPushConstants.pValues" = { back = true, %s }',
                   '"VkPushConstantsInfo.pValues" = { share = "true", %s }',
                   '"VkDependencyInfo.pMemoryBarriers" = { kind = "out", reason = "a test" }')
        commands = ("vkCmdPushConstants", "vkCmdPushConstants", "vkCmdPushConstants2",
                    "vkCmdPipelineBarrier2")
        text = (HERE.parent / "policy.toml").read_text(encoding="utf-8")
        for entry, command in zip(entries, commands):
            entry = entry % sized if "%s" in entry else entry
            p = Planner(self.r, tomllib.loads(text.replace("[pointers]\n",
                                                           f"[pointers]\n{entry}\n")))
            self.assertIn("is recorded into a stream", p.left_out[command])
            self.assertNotIn(command, p.wire_commands)

    def test_what_waits_for_recording(self):
        for name in ("vkDestroyBuffer", "vkFreeMemory", "vkDestroyDevice", "vkResetDescriptorPool",
                     "vkFreeDescriptorSets", "vkSetDebugUtilsObjectNameEXT"):
            self.assertTrue(self.p.command_plan(name).settles, name)
        for name in ("vkCreateBuffer", "vkUpdateDescriptorSets", "vkQueueSubmit2",
                     "vkResetCommandPool", "vkCmdDraw"):
            self.assertFalse(self.p.command_plan(name).settles, name)

    def test_what_recording_looks_at(self):
        self.assertLessEqual({"VkBuffer", "VkDescriptorSet", "VkDeviceMemory", "VkPipeline",
                              "VkSamplerYcbcrConversion"}, self.p.recorded)
        self.assertFalse({"VkQueue", "VkSemaphore", "VkFence", "VkDevice", "VkDescriptorPool",
                          "VkCommandPool", "VkCommandBuffer"} & self.p.recorded)
        for name in ("vkQueueSubmit2", "vkAllocateDescriptorSets", "vkFreeCommandBuffers",
                     "vkDestroyCommandPool", "vkDestroySemaphore"):
            self.assertFalse(self.p.command_plan(name).settles, name)
            self.assertNotIn(name, self.p.policy["beside_recording"])
        self.assertTrue(self.p.command_plan("vkDestroyDescriptorPool").settles)

    def test_streams_of_several_command_buffers(self):
        names = [name for name in self.p.wire_commands if self.p.command_plan(name).names_buffers]
        self.assertEqual(sorted(names), ["vkCmdExecuteCommands",
                                         "vkCmdPreprocessGeneratedCommandsEXT"])

    def test_object_handles(self):
        self.assertEqual(self.steps("VkDebugUtilsObjectNameInfoEXT")["objectHandle"].kind,
                         "object")


def made_up(folder, *additions):
    """A registry with more in it: [(where, text)], put in front of that end tag's first place."""
    text = (REGISTRY / "vk.xml").read_text(encoding="utf-8")
    for where, addition in additions:
        text = text.replace(where, addition + where, 1)
    path = pathlib.Path(folder) / "vk.xml"
    path.write_text(text, encoding="utf-8")
    (path.parent / "video.xml").write_bytes((REGISTRY / "video.xml").read_bytes())
    return path.parent


STRUCT = """<type category="struct" name="{name}" structextends="VkBufferCreateInfo">
<member values="VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO"><type>VkStructureType</type> <name>sType</name></member>
<member optional="true">const <type>void</type>* <name>pNext</name></member>
{members}</type>
"""
COMMAND = """<command><proto><type>void</type> <name>{name}</name></proto>
<param><type>VkDevice</type> <name>device</name></param>{params}</command>
"""
EXTENSION = """<extension name="{name}" number="9999" type="device" supported="vulkan">
<require><enum value="1" name="MADE_UP_SPEC_VERSION"/>{parts}</require></extension>
"""


class Specification(unittest.TestCase):
    """protocol/README.md alone is enough to write the other end: what the policy adds to vk.xml on the
    wire stands there, too."""
    # Tables of what is on the wire. The others say what either end does for itself.
    COMMANDS = ("not_streamed", "looks_at_recording", "blocking", "forgiven", "beside_recording",
                "empties_pool", "refused", "keeps_turn", "after_loss")
    MEMBERS = ("pointers", "ignored", "lenient", "masked")
    OTHERS = ("same_kernel", "same_clocks", "chained", "unions")

    @classmethod
    def setUpClass(cls):
        cls.policy = read_policy(HERE.parent / "policy.toml")
        cls.text = (generate.PROTOCOL / "README.md").read_text(encoding="utf-8")

    def test_says_what_the_policy_says(self):
        names = [(table, name) for table in (*self.COMMANDS, *self.MEMBERS, *self.OTHERS)
                 for name in self.policy[table]]
        names += [("chained", name) for x in self.policy["chained"].values() for name in x["structs"]]
        missing = [f"[{table}] {name}" for table, name in names if f"`{name}`" not in self.text]
        self.assertEqual(missing, [], "protocol/README.md lacks these entries of policy.toml")

    def test_says_no_more(self):
        appendix = self.text[self.text.index("## Appendix A."):]
        named = set(re.findall(r"`((?:Vk|vk|Std)\w+\.\w+)`", appendix))
        known = {name for table in self.MEMBERS for name in self.policy[table]}
        self.assertEqual(sorted(named - known), [], "policy.toml lacks what appendix A names")


class NewRegistries(unittest.TestCase):
    """What comes in registries that nobody has seen yet."""

    def generator(self, *additions):
        with tempfile.TemporaryDirectory() as folder:
            return generate.Generator(made_up(folder, *additions))

    def test_what_is_not_understood_is_left_out(self):
        members = "<member>const <type>void</type>* <name>pHow</name></member>"
        g = self.generator(
            ("</types>", '<type category="handle" parent="VkDevice">'
             "<type>VK_DEFINE_NON_DISPATCHABLE_HANDLE</type>(<name>VkWidgetXYZ</name>)</type>" +
             STRUCT.format(name="VkOpaqueXYZ", members=members) +
             STRUCT.format(name="VkHolderXYZ", members="<member>const <type>VkOpaqueXYZ</type>* "
                           "<name>pOpaque</name></member>")),
            ("</commands>", COMMAND.format(name="vkMakeXYZ", params="")),
            ("</extensions>", EXTENSION.format(
                name="VK_XYZ_made_up", parts='<command name="vkMakeXYZ"/>'
                '<type name="VkOpaqueXYZ"/><type name="VkHolderXYZ"/>') +
             EXTENSION.format(name="VK_XYZ_flag", parts="")))
        files = {name: text() for part in g.files().values() for name, text in part}
        self.assertEqual(sorted(g.p.left_out),
                         ["VkHolderXYZ", "VkOpaqueXYZ", "VkWidgetXYZ", "vkMakeXYZ"])
        self.assertRegex(g.left_out(), r": 1 commands, 1 handle types, 2 structs: VkHolderXYZ, ")
        self.assertNotIn("\n", g.left_out())
        for name, text in files.items():
            self.assertNotIn("vkMakeXYZ(", text, name)
            self.assertNotIn("OpaqueXYZ)", text, name)
        # The extension is known, and not offered; one that needs nothing of us is.
        self.assertRegex(files["extensions.c"], r'"VK_XYZ_made_up"[^}]*WITHHELD')
        self.assertRegex(files["extensions.c"], r'"VK_XYZ_flag"[^}]*FORWARDED')

    def test_a_chain_does_without_what_a_stream_can_not_have(self):
        members = '<member><type>uint32_t</type>* <name>pAnswer</name></member>'
        struct = STRUCT.format(name="VkAnswerXYZ", members=members)
        g = self.generator(
            ("</types>", struct.replace("VkBufferCreateInfo", "VkRenderPassBeginInfo")),
            ("</extensions>", EXTENSION.format(name="VK_XYZ_answer",
                                               parts='<type name="VkAnswerXYZ"/>')))
        self.assertEqual(list(g.p.left_out), ["VkAnswerXYZ"])
        self.assertIn("vkCmdBeginRenderPass", g.p.wire_commands)
        self.assertIn("VK_XYZ_answer", g.p.withheld)

    def test_structs_and_numbered_commands_need_nothing_else(self):
        numbers = dict(read_numbers(generate.PROTOCOL / "opcodes.txt"), vkMakeXYZ=4000)
        additions = (
            ("</types>", STRUCT.format(name="VkPlainXYZ", members="<member><type>uint32_t</type> "
                                       "<name>size</name></member>")),
            ("</commands>", COMMAND.format(name="vkMakeXYZ", params="<param><type>VkBuffer</type> "
                                           "<name>buffer</name></param>")),
            ("</extensions>", EXTENSION.format(name="VK_XYZ_plain", parts='<type name="VkPlainXYZ"/>'
                                               '<command name="vkMakeXYZ"/>')))
        with tempfile.TemporaryDirectory() as folder:
            r = Registry(made_up(folder, *additions) / "vk.xml")
        p = Planner(r, read_policy(HERE.parent / "policy.toml"), numbers)
        self.assertEqual([n for n in p.left_out if "XYZ" in n], [])
        self.assertIn("VkPlainXYZ", {s.name for s in p.chain_of("VkBufferCreateInfo")})
        self.assertEqual(p.command_plan("vkMakeXYZ").group, "buffer")

    def test_without_the_structs_of_codecs(self):
        """No video.xml: the extensions that need it are left out, and all else is as it was."""
        whole = generate.Generator(REGISTRY)
        with tempfile.TemporaryDirectory() as folder:
            path = made_up(folder)
            (path / "video.xml").unlink()
            g = generate.Generator(path)
            files = {name: text() for part in g.files().values() for name, text in part}
        self.assertNotIn("\n", g.left_out())
        self.assertIn("VkVideoDecodeH264PictureInfoKHR", g.p.left_out)
        for name, text in files.items():
            self.assertNotIn("StdVideo", text, name)
        self.assertEqual(whole.p.withheld.keys() ^ g.p.withheld.keys(),
                         {n for n in g.r.extensions
                          if re.match("VK_KHR_video_(de|en)code_(h26|av1|vp9)", n)})
        self.assertEqual(whole.p.wire_commands.keys(), g.p.wire_commands.keys())

    def test_real_extensions_need_nothing_either(self):
        """They came after registry 1.4.309, cross, and no line by hand knows of them: tests/apps/heaps.c
        uses the first two."""
        names = ("VK_KHR_device_address_commands", "VK_KHR_copy_memory_indirect", "VK_KHR_maintenance10",
                 "VK_EXT_primitive_restart_index", "VK_KHR_unified_image_layouts",
                 "VK_KHR_video_decode_vp9", "VK_QCOM_tile_memory_heap")
        root = HERE.parent.parent
        hand = [*(x for folder in ("icd", "server", "common") for x in (root / folder).rglob("*.[ch]")),
                *HERE.parent.glob("*.py"), HERE.parent / "policy.toml"]
        words = {w for path in hand for w in re.findall(r"\w+", path.read_text(encoding="utf-8"))}
        g = generate.Generator(REGISTRY)
        for name in names if header_version(REGISTRY / "vk.xml") >= NEWEST else ():
            x = g.r.extensions[name]
            self.assertNotIn(name, g.p.withheld)
            self.assertLessEqual(set(x.commands), g.p.wire_commands.keys(), name)
            new = {name, *x.commands, *(t for t in x.types if g.r.structs.get(t) and
                                        g.r.structs[t].providers == [name])}
            self.assertEqual(sorted(new & words), [], name)

    def test_a_core_version_of_which_something_is_missing(self):
        g = self.generator(
            ("</commands>", COMMAND.format(name="vkMakeXYZ", params="")),
            ("<extensions", '<feature api="vulkan" name="VK_VERSION_1_9" number="1.9">'
             '<require><command name="vkMakeXYZ"/></require></feature>'))
        self.assertEqual(g.p.api_version, (1, 4))
        g = self.generator(
            ("<extensions", '<feature api="vulkan" name="VK_VERSION_1_9" number="1.9">'
             '<require><command name="vkCmdDraw"/></require></feature>'))
        self.assertEqual(g.p.api_version, (1, 9))


class Numbers(unittest.TestCase):
    def read(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "opcodes.txt"
            path.write_text(text, encoding="utf-8")
            return read_numbers(path)

    def test_reads(self):
        self.assertEqual(self.read("# comment\n1 A\n\n5 B # why\n"), {"A": 1, "B": 5})

    def test_refuses_to_renumber(self):
        for text in ("1 A\n1 B\n", "1 A\n2 A\n", "2 A\n1 B\n"):
            with self.assertRaises(SystemExit):
                self.read(text)

    def test_assign_only_appends(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "opcodes.txt"
            path.write_text("1 A\n3 B\n", encoding="utf-8")
            assign(path, ["B", "C"])
            self.assertEqual(path.read_text(encoding="utf-8"), "1 A\n3 B\n4 C\n")


if __name__ == "__main__":
    unittest.main()
