/* SPDX-License-Identifier: MIT
 *
 * What is said about objects: private data, names, tags, and labels.
 */
#include "common.h"

#include <inttypes.h>

static struct gpu gpu;

static void test_private_data(void)
{
    enum {
        COUNT = 3
    };
    VkPrivateDataSlot slots[COUNT];
    for (uint32_t i = 0; i < COUNT; i++)
        must(vkCreatePrivateDataSlot(gpu.device,
                                     &(VkPrivateDataSlotCreateInfo){
                                         .sType = VK_STRUCTURE_TYPE_PRIVATE_DATA_SLOT_CREATE_INFO,
                                     },
                                     NULL, &slots[i]));
    struct buffer buffer;
    buffer_init_host(&gpu, &buffer, 64, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    const uint64_t handles[] = {(uint64_t)buffer.handle, (uint64_t)buffer.memory,
                                (uint64_t)(uintptr_t)gpu.device, (uint64_t)(uintptr_t)gpu.queue};
    const VkObjectType types[] = {VK_OBJECT_TYPE_BUFFER, VK_OBJECT_TYPE_DEVICE_MEMORY,
                                  VK_OBJECT_TYPE_DEVICE, VK_OBJECT_TYPE_QUEUE};
    for (uint32_t i = 0; i < ARRAY_SIZE(handles); i++) {
        uint64_t value = 1;
        vkGetPrivateData(gpu.device, types[i], handles[i], slots[1], &value);
        expect(value == 0, "private data begins with %" PRIu64, value);
        for (uint32_t slot = 0; slot < COUNT; slot++)
            must(vkSetPrivateData(gpu.device, types[i], handles[i], slots[slot],
                                  (UINT64_C(1) << 60) + i * 10 + slot));
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(handles); i++) {
        for (uint32_t slot = 0; slot < COUNT; slot++) {
            uint64_t value = 0;
            vkGetPrivateData(gpu.device, types[i], handles[i], slots[slot], &value);
            expect(value == (UINT64_C(1) << 60) + i * 10 + slot, "slot %u of object %u: %" PRIu64,
                   slot, i, value);
        }
    }
    buffer_finish(&gpu, &buffer);
    for (uint32_t i = 0; i < COUNT; i++)
        vkDestroyPrivateDataSlot(gpu.device, slots[i], NULL);
}

/* Names and labels pass by, whatever kind of object they are for. */
static void test_debug_utils(void)
{
    const PFN_vkSetDebugUtilsObjectNameEXT set_name =
        (PFN_vkSetDebugUtilsObjectNameEXT)vkGetInstanceProcAddr(gpu.instance,
                                                                "vkSetDebugUtilsObjectNameEXT");
    const PFN_vkSetDebugUtilsObjectTagEXT set_tag =
        (PFN_vkSetDebugUtilsObjectTagEXT)vkGetInstanceProcAddr(gpu.instance,
                                                               "vkSetDebugUtilsObjectTagEXT");
    const PFN_vkCmdBeginDebugUtilsLabelEXT begin_label =
        (PFN_vkCmdBeginDebugUtilsLabelEXT)vkGetInstanceProcAddr(gpu.instance,
                                                                "vkCmdBeginDebugUtilsLabelEXT");
    const PFN_vkCmdInsertDebugUtilsLabelEXT insert_label =
        (PFN_vkCmdInsertDebugUtilsLabelEXT)vkGetInstanceProcAddr(gpu.instance,
                                                                 "vkCmdInsertDebugUtilsLabelEXT");
    const PFN_vkCmdEndDebugUtilsLabelEXT end_label =
        (PFN_vkCmdEndDebugUtilsLabelEXT)vkGetInstanceProcAddr(gpu.instance,
                                                              "vkCmdEndDebugUtilsLabelEXT");
    const PFN_vkQueueBeginDebugUtilsLabelEXT queue_begin =
        (PFN_vkQueueBeginDebugUtilsLabelEXT)vkGetInstanceProcAddr(gpu.instance,
                                                                  "vkQueueBeginDebugUtilsLabelEXT");
    const PFN_vkQueueEndDebugUtilsLabelEXT queue_end =
        (PFN_vkQueueEndDebugUtilsLabelEXT)vkGetInstanceProcAddr(gpu.instance,
                                                                "vkQueueEndDebugUtilsLabelEXT");
    expect(set_name && set_tag && begin_label && insert_label && end_label && queue_begin &&
               queue_end,
           "VK_EXT_debug_utils is there without its commands");

    struct buffer buffer;
    buffer_init_host(&gpu, &buffer, 64, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    const VkFence fence = fence_create(&gpu, 0);
    const VkPipelineLayout layout =
        pipeline_layout_init(&gpu, NULL, VK_SHADER_STAGE_VERTEX_BIT, sizeof(uint32_t));
    const VkCommandBuffer commands = commands_begin(&gpu);
    const struct {
        VkObjectType type;
        uint64_t handle;
    } objects[] = {
        {VK_OBJECT_TYPE_BUFFER, (uint64_t)buffer.handle},
        {VK_OBJECT_TYPE_DEVICE_MEMORY, (uint64_t)buffer.memory},
        {VK_OBJECT_TYPE_FENCE, (uint64_t)fence},
        {VK_OBJECT_TYPE_COMMAND_POOL, (uint64_t)gpu.pool},
        {VK_OBJECT_TYPE_COMMAND_BUFFER, (uint64_t)(uintptr_t)commands},
        {VK_OBJECT_TYPE_QUEUE, (uint64_t)(uintptr_t)gpu.queue},
        {VK_OBJECT_TYPE_DEVICE, (uint64_t)(uintptr_t)gpu.device},
        {VK_OBJECT_TYPE_PIPELINE_LAYOUT, (uint64_t)layout},
    };
    for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
        must(set_name(gpu.device, &(VkDebugUtilsObjectNameInfoEXT){
                                      .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT,
                                      .objectType = objects[i].type,
                                      .objectHandle = objects[i].handle,
                                      .pObjectName = i % 2 ? NULL : "an object with a name",
                                  }));
        must(set_tag(gpu.device, &(VkDebugUtilsObjectTagInfoEXT){
                                     .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_TAG_INFO_EXT,
                                     .objectType = objects[i].type,
                                     .objectHandle = objects[i].handle,
                                     .tagName = 99,
                                     .tagSize = 5,
                                     .pTag = "12345",
                                 }));
    }
    const VkDebugUtilsLabelEXT label = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_LABEL_EXT,
        .pLabelName = "a label",
        .color = {1, 0, 0, 1},
    };
    queue_begin(gpu.queue, &label);
    begin_label(commands, &label);
    vkCmdFillBuffer(commands, buffer.handle, 0, VK_WHOLE_SIZE, 6);
    insert_label(commands, &label);
    end_label(commands);
    commands_finish(&gpu, commands);
    queue_end(gpu.queue);
    expect(((const uint32_t *)buffer.map)[0] == 6, "labels keep commands from being executed");
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
    vkDestroyFence(gpu.device, fence, NULL);
    buffer_finish(&gpu, &buffer);
}

static const struct program_part parts[] = {
    {"private data", test_private_data},
    {"names and labels", test_debug_utils},
};

int main(void)
{
    const VkPhysicalDeviceVulkan13Features features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .privateData = VK_TRUE,
    };
    gpu_init(&gpu,
             &(struct gpu_options){
                 .name = "names",
                 .instance_extensions = (const char *const[]){VK_EXT_DEBUG_UTILS_EXTENSION_NAME},
                 .instance_extension_count = 1,
                 .features = &features,
             });
    run_parts("names", parts, ARRAY_SIZE(parts));
    gpu_finish(&gpu);
    return 0;
}
