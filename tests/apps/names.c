/* SPDX-License-Identifier: MIT
 *
 * What is said about objects: private data, names, tags, and labels.
 */
#include "common.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sum_comp.h"

static struct gpu gpu;
static bool through_viaduct; /* drivers of Mesa 25 crash on names of what is not of a device */

static VKAPI_ATTR VkBool32 VKAPI_CALL ignore_message(
    VkDebugUtilsMessageSeverityFlagBitsEXT severity, VkDebugUtilsMessageTypeFlagsEXT types,
    const VkDebugUtilsMessengerCallbackDataEXT *message, void *data)
{
    (void)severity;
    (void)types;
    (void)message;
    (void)data;
    return VK_FALSE;
}

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

/* One object of each kind whose handle may come again: those of the driver and of its client, those that
 * end by themselves, and those that a pool takes along. */
struct reused {
    VkFence fence;
    VkSemaphore semaphore;
    VkPrivateDataSlot slot;
    VkDescriptorUpdateTemplate template;
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkDescriptorSet set;
};

static void reused_init(struct reused *r, VkDescriptorPool sets, VkDescriptorSetLayout layout)
{
    r->fence = fence_create(&gpu, 0);
    must(vkCreateSemaphore(
        gpu.device, &(VkSemaphoreCreateInfo){.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO},
        NULL, &r->semaphore));
    must(vkCreatePrivateDataSlot(
        gpu.device,
        &(VkPrivateDataSlotCreateInfo){.sType = VK_STRUCTURE_TYPE_PRIVATE_DATA_SLOT_CREATE_INFO},
        NULL, &r->slot));
    must(vkCreateDescriptorUpdateTemplate(
        gpu.device,
        &(VkDescriptorUpdateTemplateCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_UPDATE_TEMPLATE_CREATE_INFO,
            .descriptorUpdateEntryCount = 1,
            .pDescriptorUpdateEntries =
                &(VkDescriptorUpdateTemplateEntry){.descriptorCount = 1,
                                                   .descriptorType = VK_DESCRIPTOR_TYPE_SAMPLER},
            .descriptorSetLayout = layout,
        },
        NULL, &r->template));
    must(vkCreateCommandPool(
        gpu.device, &(VkCommandPoolCreateInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO},
        NULL, &r->pool));
    must(vkAllocateCommandBuffers(gpu.device,
                                  &(VkCommandBufferAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                      .commandPool = r->pool,
                                      .commandBufferCount = 1,
                                  },
                                  &r->commands));
    must(vkAllocateDescriptorSets(gpu.device,
                                  &(VkDescriptorSetAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                      .descriptorPool = sets,
                                      .descriptorSetCount = 1,
                                      .pSetLayouts = &layout,
                                  },
                                  &r->set));
}

static void reused_finish(const struct reused *r, VkDescriptorPool sets)
{
    vkDestroyFence(gpu.device, r->fence, NULL);
    vkDestroySemaphore(gpu.device, r->semaphore, NULL);
    vkDestroyPrivateDataSlot(gpu.device, r->slot, NULL);
    vkDestroyDescriptorUpdateTemplate(gpu.device, r->template, NULL);
    vkDestroyCommandPool(gpu.device, r->pool, NULL);
    must(vkResetDescriptorPool(gpu.device, sets, 0));
}

static long resident_kib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    expect(file && fscanf(file, "%*d %ld", &pages) == 1, "cannot read /proc/self/statm");
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* SwiftShader keeps the private data of objects that are gone, for the next ones at their addresses.
 * Through Viaduct, which calls its devices so, that data is the client's. */
static bool keeps_data_of_the_dead(void)
{
    VkPhysicalDeviceDriverProperties driver = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES,
    };
    vkGetPhysicalDeviceProperties2(gpu.physical,
                                   &(VkPhysicalDeviceProperties2){
                                       .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                       .pNext = &driver,
                                   });
    return driver.driverID == VK_DRIVER_ID_GOOGLE_SWIFTSHADER &&
           strncmp(gpu.properties.deviceName, "Viaduct", strlen("Viaduct")) != 0;
}

static void test_reuse(void)
{
    if (keeps_data_of_the_dead())
        return;
    enum {
        ROUNDS = 5000,
        GROWTH_KIB = 2048
    };
    VkDescriptorSetLayout layout;
    must(vkCreateDescriptorSetLayout(
        gpu.device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = 1,
            .pBindings =
                &(VkDescriptorSetLayoutBinding){.descriptorType = VK_DESCRIPTOR_TYPE_SAMPLER,
                                                .descriptorCount = 1,
                                                .stageFlags = VK_SHADER_STAGE_ALL},
        },
        NULL, &layout));
    const VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_SAMPLER, 1};
    VkDescriptorPool sets;
    must(vkCreateDescriptorPool(gpu.device,
                                &(VkDescriptorPoolCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                    .maxSets = 1,
                                    .poolSizeCount = 1,
                                    .pPoolSizes = &size,
                                },
                                NULL, &sets));
    VkPrivateDataSlot slots[5];
    for (uint32_t i = 0; i < ARRAY_SIZE(slots); i++)
        must(vkCreatePrivateDataSlot(gpu.device,
                                     &(VkPrivateDataSlotCreateInfo){
                                         .sType = VK_STRUCTURE_TYPE_PRIVATE_DATA_SLOT_CREATE_INFO,
                                     },
                                     NULL, &slots[i]));
    /* This one keeps what it has, however often others come and go. */
    const VkFence kept = fence_create(&gpu, 0);
    for (uint32_t i = 0; i < ARRAY_SIZE(slots); i++)
        must(vkSetPrivateData(gpu.device, VK_OBJECT_TYPE_FENCE, (uint64_t)kept, slots[i], 100 + i));
    long before = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        if (round == ROUNDS / 10)
            before = resident_kib();
        struct reused r;
        reused_init(&r, sets, layout);
        const struct {
            VkObjectType type;
            uint64_t handle;
        } objects[] = {
            {VK_OBJECT_TYPE_FENCE, (uint64_t)r.fence},
            {VK_OBJECT_TYPE_SEMAPHORE, (uint64_t)r.semaphore},
            {VK_OBJECT_TYPE_DESCRIPTOR_UPDATE_TEMPLATE, (uint64_t)r.template},
            {VK_OBJECT_TYPE_COMMAND_POOL, (uint64_t)r.pool},
            {VK_OBJECT_TYPE_COMMAND_BUFFER, (uint64_t)(uintptr_t)r.commands},
            {VK_OBJECT_TYPE_DESCRIPTOR_SET, (uint64_t)r.set},
            {VK_OBJECT_TYPE_DESCRIPTOR_POOL, (uint64_t)sets}, /* with a slot that comes again */
        };
        for (uint32_t i = 0; i < ARRAY_SIZE(objects); i++) {
            const bool stays = i == ARRAY_SIZE(objects) - 1;
            for (uint32_t j = 0; j < (stays ? 1 : ARRAY_SIZE(slots)); j++) {
                const VkPrivateDataSlot slot = stays ? r.slot : slots[j];
                uint64_t value = 1;
                vkGetPrivateData(gpu.device, objects[i].type, objects[i].handle, slot, &value);
                expect(value == 0, "in round %u an object of type %d begins with %" PRIu64, round,
                       objects[i].type, value);
                must(vkSetPrivateData(gpu.device, objects[i].type, objects[i].handle, slot,
                                      1000 + round));
            }
        }
        reused_finish(&r, sets);
    }
    const long growth = resident_kib() - before;
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed */
    expect(growth < GROWTH_KIB, "private data of objects that are gone: %ld KiB", growth);
#else
    (void)growth;
#endif
    for (uint32_t i = 0; i < ARRAY_SIZE(slots); i++) {
        uint64_t value = 0;
        vkGetPrivateData(gpu.device, VK_OBJECT_TYPE_FENCE, (uint64_t)kept, slots[i], &value);
        expect(value == 100 + i, "slot %u of the object that stayed: %" PRIu64, i, value);
        vkDestroyPrivateDataSlot(gpu.device, slots[i], NULL);
    }
    vkDestroyFence(gpu.device, kept, NULL);
    vkDestroyDescriptorPool(gpu.device, sets, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, layout, NULL);
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

/* Objects that no device has; the loader makes them its own. */
static void make_instance_objects(VkSurfaceKHR *surface, VkDebugUtilsMessengerEXT *messenger)
{
    const PFN_vkCreateHeadlessSurfaceEXT create_surface =
        (PFN_vkCreateHeadlessSurfaceEXT)vkGetInstanceProcAddr(gpu.instance,
                                                              "vkCreateHeadlessSurfaceEXT");
    const PFN_vkCreateDebugUtilsMessengerEXT create_messenger =
        (PFN_vkCreateDebugUtilsMessengerEXT)vkGetInstanceProcAddr(gpu.instance,
                                                                  "vkCreateDebugUtilsMessengerEXT");
    must(create_surface(gpu.instance,
                        &(VkHeadlessSurfaceCreateInfoEXT){
                            .sType = VK_STRUCTURE_TYPE_HEADLESS_SURFACE_CREATE_INFO_EXT,
                        },
                        NULL, surface));
    must(create_messenger(gpu.instance,
                          &(VkDebugUtilsMessengerCreateInfoEXT){
                              .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
                              .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
                              .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_GENERAL_BIT_EXT,
                              .pfnUserCallback = ignore_message,
                          },
                          NULL, messenger));
}

static void destroy_instance_objects(VkSurfaceKHR surface, VkDebugUtilsMessengerEXT messenger)
{
    const PFN_vkDestroyDebugUtilsMessengerEXT destroy_messenger =
        (PFN_vkDestroyDebugUtilsMessengerEXT)vkGetInstanceProcAddr(
            gpu.instance, "vkDestroyDebugUtilsMessengerEXT");
    vkDestroySurfaceKHR(gpu.instance, surface, NULL);
    destroy_messenger(gpu.instance, messenger, NULL);
}

/* One object of each type that takes little to make; lavapipe crashes where it is not of a device. Tests
 * count how many of these names cross. */
static void test_types(void)
{
    const PFN_vkSetDebugUtilsObjectNameEXT set_name =
        (PFN_vkSetDebugUtilsObjectNameEXT)vkGetInstanceProcAddr(gpu.instance,
                                                                "vkSetDebugUtilsObjectNameEXT");
    const PFN_vkSetDebugUtilsObjectTagEXT set_tag =
        (PFN_vkSetDebugUtilsObjectTagEXT)vkGetInstanceProcAddr(gpu.instance,
                                                               "vkSetDebugUtilsObjectTagEXT");
    struct buffer buffer;
    buffer_init_host(&gpu, &buffer, 64, VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT);
    struct image image;
    image_init(&gpu, &image,
               &(struct image_options){
                   .format = VK_FORMAT_R8G8B8A8_UNORM,
                   .extent = {8, 8},
                   .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT,
               });
    VkBufferView buffer_view;
    must(vkCreateBufferView(gpu.device,
                            &(VkBufferViewCreateInfo){
                                .sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO,
                                .buffer = buffer.handle,
                                .format = VK_FORMAT_R8G8B8A8_UNORM,
                                .range = VK_WHOLE_SIZE,
                            },
                            NULL, &buffer_view));
    VkSampler sampler;
    must(vkCreateSampler(gpu.device,
                         &(VkSamplerCreateInfo){.sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO},
                         NULL, &sampler));
    const VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_SAMPLER, 1};
    VkDescriptorPool descriptor_pool;
    must(vkCreateDescriptorPool(gpu.device,
                                &(VkDescriptorPoolCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                    .maxSets = 1,
                                    .poolSizeCount = 1,
                                    .pPoolSizes = &size,
                                },
                                NULL, &descriptor_pool));
    VkDescriptorSetLayout set_layout;
    must(vkCreateDescriptorSetLayout(
        gpu.device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = 1,
            .pBindings = &(VkDescriptorSetLayoutBinding){.descriptorType = size.type,
                                                         .descriptorCount = 1,
                                                         .stageFlags = VK_SHADER_STAGE_ALL},
        },
        NULL, &set_layout));
    VkDescriptorSet set;
    must(vkAllocateDescriptorSets(gpu.device,
                                  &(VkDescriptorSetAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                      .descriptorPool = descriptor_pool,
                                      .descriptorSetCount = 1,
                                      .pSetLayouts = &set_layout,
                                  },
                                  &set));
    VkDescriptorUpdateTemplate template;
    must(vkCreateDescriptorUpdateTemplate(
        gpu.device,
        &(VkDescriptorUpdateTemplateCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_UPDATE_TEMPLATE_CREATE_INFO,
            .descriptorUpdateEntryCount = 1,
            .pDescriptorUpdateEntries = &(
                VkDescriptorUpdateTemplateEntry){.descriptorCount = 1, .descriptorType = size.type},
            .descriptorSetLayout = set_layout,
        },
        NULL, &template));
    const VkPipelineLayout layout =
        pipeline_layout_init(&gpu, &set_layout, VK_SHADER_STAGE_COMPUTE_BIT, 0);
    const VkShaderModule module = shader_init(&gpu, sum_comp, sizeof(sum_comp));
    VkPipelineCache cache;
    must(vkCreatePipelineCache(
        gpu.device,
        &(VkPipelineCacheCreateInfo){.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO}, NULL,
        &cache));
    VkSemaphore semaphore;
    must(vkCreateSemaphore(
        gpu.device, &(VkSemaphoreCreateInfo){.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO},
        NULL, &semaphore));
    VkEvent event;
    must(vkCreateEvent(gpu.device,
                       &(VkEventCreateInfo){.sType = VK_STRUCTURE_TYPE_EVENT_CREATE_INFO}, NULL,
                       &event));
    VkQueryPool query_pool;
    must(vkCreateQueryPool(gpu.device,
                           &(VkQueryPoolCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                               .queryType = VK_QUERY_TYPE_OCCLUSION,
                               .queryCount = 1,
                           },
                           NULL, &query_pool));
    VkPrivateDataSlot slot;
    must(vkCreatePrivateDataSlot(
        gpu.device,
        &(VkPrivateDataSlotCreateInfo){.sType = VK_STRUCTURE_TYPE_PRIVATE_DATA_SLOT_CREATE_INFO},
        NULL, &slot));
    const VkFence fence = fence_create(&gpu, 0);
    const VkCommandBuffer commands = commands_begin(&gpu);
    VkSurfaceKHR surface = VK_NULL_HANDLE;
    VkDebugUtilsMessengerEXT messenger = VK_NULL_HANDLE;
    if (through_viaduct)
        make_instance_objects(&surface, &messenger);

    const struct {
        VkObjectType type;
        uint64_t handle;
        bool of_client; /* its driver has no use for the name */
    } objects[] = {
        {VK_OBJECT_TYPE_DEVICE, (uint64_t)(uintptr_t)gpu.device, false},
        {VK_OBJECT_TYPE_QUEUE, (uint64_t)(uintptr_t)gpu.queue, false},
        {VK_OBJECT_TYPE_COMMAND_BUFFER, (uint64_t)(uintptr_t)commands, false},
        {VK_OBJECT_TYPE_COMMAND_POOL, (uint64_t)gpu.pool, false},
        {VK_OBJECT_TYPE_BUFFER, (uint64_t)buffer.handle, false},
        {VK_OBJECT_TYPE_DEVICE_MEMORY, (uint64_t)buffer.memory, false},
        {VK_OBJECT_TYPE_BUFFER_VIEW, (uint64_t)buffer_view, false},
        {VK_OBJECT_TYPE_IMAGE, (uint64_t)image.handle, false},
        {VK_OBJECT_TYPE_IMAGE_VIEW, (uint64_t)image.view, false},
        {VK_OBJECT_TYPE_SAMPLER, (uint64_t)sampler, false},
        {VK_OBJECT_TYPE_DESCRIPTOR_POOL, (uint64_t)descriptor_pool, false},
        {VK_OBJECT_TYPE_DESCRIPTOR_SET_LAYOUT, (uint64_t)set_layout, false},
        {VK_OBJECT_TYPE_DESCRIPTOR_SET, (uint64_t)set, false},
        {VK_OBJECT_TYPE_PIPELINE_LAYOUT, (uint64_t)layout, false},
        {VK_OBJECT_TYPE_SHADER_MODULE, (uint64_t)module, false},
        {VK_OBJECT_TYPE_PIPELINE_CACHE, (uint64_t)cache, false},
        {VK_OBJECT_TYPE_SEMAPHORE, (uint64_t)semaphore, false},
        {VK_OBJECT_TYPE_EVENT, (uint64_t)event, false},
        {VK_OBJECT_TYPE_QUERY_POOL, (uint64_t)query_pool, false},
        {VK_OBJECT_TYPE_FENCE, (uint64_t)fence, true},
        {VK_OBJECT_TYPE_DESCRIPTOR_UPDATE_TEMPLATE, (uint64_t) template, true},
        {VK_OBJECT_TYPE_PRIVATE_DATA_SLOT, (uint64_t)slot, true},
        {VK_OBJECT_TYPE_INSTANCE, (uint64_t)(uintptr_t)gpu.instance, true},
        {VK_OBJECT_TYPE_PHYSICAL_DEVICE, (uint64_t)(uintptr_t)gpu.physical, true},
        {VK_OBJECT_TYPE_SURFACE_KHR, (uint64_t)surface, true},
        {VK_OBJECT_TYPE_DEBUG_UTILS_MESSENGER_EXT, (uint64_t)messenger, true},
        {VK_OBJECT_TYPE_DISPLAY_KHR, 4096, true},
        {VK_OBJECT_TYPE_DISPLAY_MODE_KHR, 8192, true},
    };
    uint32_t of_host = 0;
    for (size_t i = 0; i < ARRAY_SIZE(objects) - (through_viaduct ? 0 : 6); i++) {
        char name[32];
        snprintf(name, sizeof(name), "of type %d", objects[i].type);
        must(set_name(gpu.device, &(VkDebugUtilsObjectNameInfoEXT){
                                      .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT,
                                      .objectType = objects[i].type,
                                      .objectHandle = objects[i].handle,
                                      .pObjectName = name,
                                  }));
        must(set_tag(gpu.device, &(VkDebugUtilsObjectTagInfoEXT){
                                     .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_TAG_INFO_EXT,
                                     .objectType = objects[i].type,
                                     .objectHandle = objects[i].handle,
                                     .tagSize = sizeof(name),
                                     .pTag = name,
                                 }));
        /* Only objects of the device have any, and slots keep theirs to themselves. */
        if (objects[i].type != VK_OBJECT_TYPE_PRIVATE_DATA_SLOT && i < ARRAY_SIZE(objects) - 6) {
            uint64_t value = 1;
            vkGetPrivateData(gpu.device, objects[i].type, objects[i].handle, slot, &value);
            expect(value == 0, "private data of type %d begins with %" PRIu64, objects[i].type,
                   value);
            must(vkSetPrivateData(gpu.device, objects[i].type, objects[i].handle, slot, i + 1));
            vkGetPrivateData(gpu.device, objects[i].type, objects[i].handle, slot, &value);
            expect(value == i + 1, "private data of type %d is %" PRIu64, objects[i].type, value);
        }
        of_host += !objects[i].of_client;
    }
    printf("names: %" PRIu32 " of the host's objects\n", of_host);

    commands_finish(&gpu, commands);
    if (through_viaduct)
        destroy_instance_objects(surface, messenger);
    vkDestroyFence(gpu.device, fence, NULL);
    vkDestroyPrivateDataSlot(gpu.device, slot, NULL);
    vkDestroyQueryPool(gpu.device, query_pool, NULL);
    vkDestroyEvent(gpu.device, event, NULL);
    vkDestroySemaphore(gpu.device, semaphore, NULL);
    vkDestroyPipelineCache(gpu.device, cache, NULL);
    vkDestroyShaderModule(gpu.device, module, NULL);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
    vkDestroyDescriptorUpdateTemplate(gpu.device, template, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, set_layout, NULL);
    vkDestroyDescriptorPool(gpu.device, descriptor_pool, NULL);
    vkDestroySampler(gpu.device, sampler, NULL);
    vkDestroyBufferView(gpu.device, buffer_view, NULL);
    image_finish(&gpu, &image);
    buffer_finish(&gpu, &buffer);
}

static const struct program_part parts[] = {
    {"private data", test_private_data},
    {"private data of handles that come again", test_reuse},
    {"names and labels", test_debug_utils},
    {"types of objects", test_types},
};

/* --displays: gives names to what is not of a device, too; displays need not exist for that, as only
 * the client has them. */
int main(int argc, char **argv)
{
    through_viaduct = argc == 2 && strcmp(argv[1], "--displays") == 0;
    const VkPhysicalDeviceVulkan13Features features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .privateData = VK_TRUE,
    };
    gpu_init(&gpu, &(struct gpu_options){
                       .name = "names",
                       .instance_extensions =
                           (const char *const[]){VK_EXT_DEBUG_UTILS_EXTENSION_NAME,
                                                 VK_KHR_SURFACE_EXTENSION_NAME,
                                                 VK_EXT_HEADLESS_SURFACE_EXTENSION_NAME},
                       .instance_extension_count = through_viaduct ? 3 : 1,
                       .features = &features,
                   });
    run_parts("names", parts, ARRAY_SIZE(parts));
    gpu_finish(&gpu);
    return 0;
}
