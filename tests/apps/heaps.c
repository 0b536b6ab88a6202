/* SPDX-License-Identifier: MIT
 *
 * Work without handles: VK_KHR_device_address_commands, whose commands name memory by its address,
 * VK_KHR_copy_memory_indirect, whose copies stand in memory themselves, and VK_EXT_descriptor_heap, whose
 * descriptors are bytes that the application puts somewhere.
 */
#include "common.h"

#include <stdio.h>
#include <string.h>

#include "sum_comp.h"

#if defined(VK_KHR_device_address_commands) && defined(VK_KHR_copy_memory_indirect) && \
    defined(VK_EXT_descriptor_heap)

#define FUNCTIONS(X)                 \
    X(vkCmdFillMemoryKHR)            \
    X(vkCmdUpdateMemoryKHR)          \
    X(vkCmdCopyMemoryKHR)            \
    X(vkCmdCopyMemoryToImageKHR)     \
    X(vkCmdCopyImageToMemoryKHR)     \
    X(vkCmdDispatchIndirect2KHR)     \
    X(vkCmdCopyMemoryIndirectKHR)    \
    X(vkWriteResourceDescriptorsEXT) \
    X(vkCmdBindResourceHeapEXT)      \
    X(vkCmdPushDataEXT)
#define DECLARE(name) static PFN_##name name##_;
FUNCTIONS(DECLARE)

#define COUNT 1024u
#define SIZE  (COUNT * sizeof(uint32_t))
#define GROUP 64u

static const VkAddressCommandFlagsKHR storage = VK_ADDRESS_COMMAND_STORAGE_BUFFER_USAGE_BIT_KHR;
static const VkBufferUsageFlags usage =
    VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
    VK_BUFFER_USAGE_TRANSFER_DST_BIT | VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT;

static struct gpu gpu;

/* A buffer and its address. */
struct memory {
    struct buffer buffer;
    VkDeviceAddress address;
};

static struct memory memory_init(VkDeviceSize size, VkBufferUsageFlags more)
{
    struct memory m;
    m.address = buffer_init_addressed(&gpu, &m.buffer, size, usage | more);
    memset(m.buffer.map, 0xee, size);
    return m;
}

static VkDeviceAddressRangeKHR range(const struct memory *m, VkDeviceSize offset, VkDeviceSize size)
{
    return (VkDeviceAddressRangeKHR){m->address + offset, size};
}

/* What was written before can be read and written, in this range. */
static void barrier(VkCommandBuffer commands, const struct memory *m)
{
    const VkMemoryRangeBarrierKHR one = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_RANGE_BARRIER_KHR,
        .srcStageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT,
        .srcAccessMask = VK_ACCESS_2_MEMORY_WRITE_BIT,
        .dstStageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT,
        .dstAccessMask = VK_ACCESS_2_MEMORY_READ_BIT | VK_ACCESS_2_MEMORY_WRITE_BIT,
        .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .addressRange = range(m, 0, m->buffer.size),
        .addressFlags = storage,
    };
    const VkMemoryRangeBarriersInfoKHR ranges = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_RANGE_BARRIERS_INFO_KHR,
        .memoryRangeBarrierCount = 1,
        .pMemoryRangeBarriers = &one,
    };
    vkCmdPipelineBarrier2(commands, &(VkDependencyInfo){.sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
                                                        .pNext = &ranges});
}

static void test_memory(void)
{
    section("memory by its address");
    struct memory a = memory_init(SIZE, 0), b = memory_init(SIZE, 0);
    const VkDeviceAddressRangeKHR all = range(&a, 0, SIZE), few = range(&a, 64, 12);
    const VkDeviceMemoryCopyKHR regions[] = {
        {.sType = VK_STRUCTURE_TYPE_DEVICE_MEMORY_COPY_KHR,
         .srcRange = range(&a, 60, 20),
         .srcFlags = storage,
         .dstRange = range(&b, 400, 20),
         .dstFlags = storage},
        {.sType = VK_STRUCTURE_TYPE_DEVICE_MEMORY_COPY_KHR,
         .srcRange = range(&a, 0, 8),
         .srcFlags = storage,
         .dstRange = range(&b, 1000, 8),
         .dstFlags = storage},
    };
    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdFillMemoryKHR_(commands, &all, storage, 0x01020304);
    barrier(commands, &a);
    vkCmdUpdateMemoryKHR_(commands, &few, storage, 12, "twelve bytes");
    barrier(commands, &a);
    vkCmdCopyMemoryKHR_(commands, &(VkCopyDeviceMemoryInfoKHR){
                                      .sType = VK_STRUCTURE_TYPE_COPY_DEVICE_MEMORY_INFO_KHR,
                                      .regionCount = ARRAY_SIZE(regions),
                                      .pRegions = regions,
                                  });
    barrier(commands, &b);
    commands_finish(&gpu, commands);
    const char *seen = b.buffer.map;
    expect(memcmp(seen + 404, "twelve bytes", 12) == 0, "the copy holds something else");
    printf("filled %016jx, copied %016jx\n", (uintmax_t)fnv1a(a.buffer.map, SIZE),
           (uintmax_t)fnv1a(b.buffer.map, SIZE));
    buffer_finish(&gpu, &a.buffer);
    buffer_finish(&gpu, &b.buffer);
}

static void test_indirect_copies(void)
{
    section("copies that memory tells");
    struct memory from = memory_init(SIZE, 0), to = memory_init(SIZE, 0),
                  list = memory_init(256, 0);
    for (uint32_t i = 0; i < COUNT; i++)
        ((uint32_t *)from.buffer.map)[i] = mix32(i + 3);
    const VkDeviceSize stride = 32;
    for (uint32_t i = 0; i < 3; i++) {
        const VkCopyMemoryIndirectCommandKHR copy = {from.address + i * 64, to.address + i * 1024,
                                                     16 << i};
        memcpy((char *)list.buffer.map + i * stride, &copy, sizeof(copy));
    }
    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdCopyMemoryIndirectKHR_(commands,
                                &(VkCopyMemoryIndirectInfoKHR){
                                    .sType = VK_STRUCTURE_TYPE_COPY_MEMORY_INDIRECT_INFO_KHR,
                                    .copyCount = 3,
                                    .copyAddressRange = {list.address, 3 * stride, stride},
                                });
    barrier(commands, &to);
    commands_finish(&gpu, commands);
    for (uint32_t i = 0; i < 3; i++)
        expect(memcmp((char *)to.buffer.map + i * 1024, (char *)from.buffer.map + i * 64,
                      (size_t)16 << i) == 0,
               "copy %u holds something else", i);
    printf("copied indirectly %016jx\n", (uintmax_t)fnv1a(to.buffer.map, SIZE));
    buffer_finish(&gpu, &from.buffer);
    buffer_finish(&gpu, &to.buffer);
    buffer_finish(&gpu, &list.buffer);
}

static void test_images(void)
{
    section("images from and to memory");
    struct memory from = memory_init(SIZE, 0), to = memory_init(SIZE, 0);
    for (uint32_t i = 0; i < COUNT; i++)
        ((uint32_t *)from.buffer.map)[i] = mix32(i);
    struct image image;
    image_init(&gpu, &image,
               &(struct image_options){
                   .format = VK_FORMAT_R8G8B8A8_UNORM,
                   .extent = {16, 16},
                   .usage = VK_IMAGE_USAGE_TRANSFER_SRC_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT,
               });
    /* Rows of 32 pixels on one side, of 16 on the other. */
    VkDeviceMemoryImageCopyKHR region = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_MEMORY_IMAGE_COPY_KHR,
        .addressRange = range(&from, 0, SIZE),
        .addressFlags = storage,
        .addressRowLength = 32,
        .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
        .imageLayout = VK_IMAGE_LAYOUT_GENERAL,
        .imageExtent = {16, 16, 1},
    };
    VkCopyDeviceMemoryImageInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_COPY_DEVICE_MEMORY_IMAGE_INFO_KHR,
        .image = image.handle,
        .regionCount = 1,
        .pRegions = &region,
    };
    const VkImageSubresourceRange whole = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};
    const struct image_use before = {VK_IMAGE_LAYOUT_UNDEFINED, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT,
                                     0},
                           used = {VK_IMAGE_LAYOUT_GENERAL, VK_PIPELINE_STAGE_TRANSFER_BIT,
                                   VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT};
    const VkCommandBuffer commands = commands_begin(&gpu);
    image_barrier(commands, image.handle, &whole, &before, &used);
    vkCmdCopyMemoryToImageKHR_(commands, &info);
    image_barrier(commands, image.handle, &whole, &used, &used);
    region.addressRange = range(&to, 0, 16 * 16 * 4);
    region.addressRowLength = 0;
    vkCmdCopyImageToMemoryKHR_(commands, &info);
    barrier(commands, &to);
    commands_finish(&gpu, commands);
    for (uint32_t i = 0; i < 256; i++)
        expect(((uint32_t *)to.buffer.map)[i] == mix32(i % 16 + i / 16 * 32), "pixel %u differs",
               i);
    printf("image %016jx\n", (uintmax_t)fnv1a(to.buffer.map, SIZE));
    image_finish(&gpu, &image);
    buffer_finish(&gpu, &from.buffer);
    buffer_finish(&gpu, &to.buffer);
}

/* The shader's descriptors: each of its bindings at its own place in the heap. */
static VkPipeline make_pipeline(const uint32_t *offsets)
{
    VkDescriptorSetAndBindingMappingEXT mappings[2];
    for (uint32_t i = 0; i < 2; i++)
        mappings[i] = (VkDescriptorSetAndBindingMappingEXT){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_AND_BINDING_MAPPING_EXT,
            .firstBinding = i,
            .bindingCount = 1,
            .resourceMask = VK_SPIRV_RESOURCE_TYPE_ALL_EXT,
            .source = VK_DESCRIPTOR_MAPPING_SOURCE_HEAP_WITH_CONSTANT_OFFSET_EXT,
            .sourceData.constantOffset.heapOffset = offsets[i],
        };
    const VkShaderDescriptorSetAndBindingMappingInfoEXT info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_DESCRIPTOR_SET_AND_BINDING_MAPPING_INFO_EXT,
        .mappingCount = 2,
        .pMappings = mappings,
    };
    const VkPipelineCreateFlags2CreateInfo flags = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CREATE_FLAGS_2_CREATE_INFO,
        .flags = VK_PIPELINE_CREATE_2_DESCRIPTOR_HEAP_BIT_EXT,
    };
    const uint32_t group = GROUP;
    const VkSpecializationInfo specialization = {
        .mapEntryCount = 1,
        .pMapEntries = &(const VkSpecializationMapEntry){0, 0, sizeof(group)},
        .dataSize = sizeof(group),
        .pData = &group,
    };
    const VkShaderModule module = shader_init(&gpu, sum_comp, sizeof(sum_comp));
    VkComputePipelineCreateInfo create = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .pNext = &flags,
        .stage = stage_of(VK_SHADER_STAGE_COMPUTE_BIT, module),
    };
    create.stage.pNext = &info;
    create.stage.pSpecializationInfo = &specialization;
    VkPipeline pipeline;
    must(vkCreateComputePipelines(gpu.device, VK_NULL_HANDLE, 1, &create, NULL, &pipeline));
    vkDestroyShaderModule(gpu.device, module, NULL);
    return pipeline;
}

static VkDeviceSize up(VkDeviceSize value, VkDeviceSize alignment)
{
    return (value + alignment - 1) / alignment * alignment;
}

static void test_heap(void)
{
    section("a heap of descriptors, and a dispatch by address");
    VkPhysicalDeviceDescriptorHeapPropertiesEXT limits = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_HEAP_PROPERTIES_EXT};
    vkGetPhysicalDeviceProperties2(
        gpu.physical,
        &(VkPhysicalDeviceProperties2){.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                       .pNext = &limits});
    struct memory source = memory_init(SIZE, 0), result = memory_init(64, 0),
                  groups = memory_init(64, 0);
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < COUNT; i++)
        wanted += ((uint32_t *)source.buffer.map)[i] = mix32(i + 7);
    *(uint32_t *)result.buffer.map = 0;
    memcpy((char *)groups.buffer.map + 16, &(VkDispatchIndirectCommand){COUNT / GROUP, 1, 1},
           sizeof(VkDispatchIndirectCommand));

    /* Two descriptors, then what belongs to the driver. */
    const VkDeviceSize stride = up(limits.bufferDescriptorSize, limits.bufferDescriptorAlignment);
    const VkDeviceSize reserved = up(3 * stride, limits.resourceHeapAlignment);
    const VkDeviceSize heap_size =
        up(reserved + limits.minResourceHeapReservedRange + 4096, limits.resourceHeapAlignment);
    struct memory heap = memory_init(heap_size + limits.resourceHeapAlignment,
                                     VK_BUFFER_USAGE_DESCRIPTOR_HEAP_BIT_EXT);
    const VkDeviceSize start = up(heap.address, limits.resourceHeapAlignment) - heap.address;
    const uint32_t offsets[] = {(uint32_t)(2 * stride), 0};
    const VkDeviceAddressRangeEXT ranges[] = {{source.address, SIZE}, {result.address, 64}};
    VkResourceDescriptorInfoEXT resources[2];
    VkHostAddressRangeEXT places[2];
    for (uint32_t i = 0; i < 2; i++) {
        resources[i] = (VkResourceDescriptorInfoEXT){
            .sType = VK_STRUCTURE_TYPE_RESOURCE_DESCRIPTOR_INFO_EXT,
            .type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .data.pAddressRange = &ranges[i],
        };
        places[i] = (VkHostAddressRangeEXT){(char *)heap.buffer.map + start + offsets[i],
                                            limits.bufferDescriptorSize};
    }
    must(vkWriteResourceDescriptorsEXT_(gpu.device, 2, resources, places));
    const VkPipeline pipeline = make_pipeline(offsets);
    const uint32_t count = COUNT;

    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vkCmdBindResourceHeapEXT_(commands,
                              &(VkBindHeapInfoEXT){
                                  .sType = VK_STRUCTURE_TYPE_BIND_HEAP_INFO_EXT,
                                  .heapRange = {heap.address + start, heap_size},
                                  .reservedRangeOffset = reserved,
                                  .reservedRangeSize = limits.minResourceHeapReservedRange,
                              });
    vkCmdPushDataEXT_(commands, &(VkPushDataInfoEXT){
                                    .sType = VK_STRUCTURE_TYPE_PUSH_DATA_INFO_EXT,
                                    .data = {.address = (void *)&count, .size = sizeof(count)},
                                });
    vkCmdDispatchIndirect2KHR_(commands,
                               &(VkDispatchIndirect2InfoKHR){
                                   .sType = VK_STRUCTURE_TYPE_DISPATCH_INDIRECT_2_INFO_KHR,
                                   .addressRange = range(&groups, 16, 12),
                                   .addressFlags = storage,
                               });
    barrier(commands, &result);
    commands_finish(&gpu, commands);
    printf("sum %08x\n", *(uint32_t *)result.buffer.map);
    expect(*(uint32_t *)result.buffer.map == wanted, "%08x is wanted", wanted);
    vkDestroyPipeline(gpu.device, pipeline, NULL);
    buffer_finish(&gpu, &heap.buffer);
    buffer_finish(&gpu, &groups.buffer);
    buffer_finish(&gpu, &result.buffer);
    buffer_finish(&gpu, &source.buffer);
}

int main(void)
{
    static const char *const extensions[] = {
        VK_KHR_DEVICE_ADDRESS_COMMANDS_EXTENSION_NAME, VK_EXT_DESCRIPTOR_HEAP_EXTENSION_NAME,
        VK_KHR_COPY_MEMORY_INDIRECT_EXTENSION_NAME, VK_KHR_SHADER_UNTYPED_POINTERS_EXTENSION_NAME};
    gpu_init_instance(&gpu,
                      &(struct gpu_options){.name = "heaps", .api_version = VK_API_VERSION_1_4});
    uint32_t one = 1;
    vkEnumeratePhysicalDevices(gpu.instance, &one, &gpu.physical);
    for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
        if (!gpu_has_extension(gpu.physical, extensions[i])) {
            printf("there is no %s\n", extensions[i]);
            return EXIT_SKIPPED;
        }
    }
    VkPhysicalDeviceDescriptorHeapFeaturesEXT heap = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_HEAP_FEATURES_EXT,
        .descriptorHeap = VK_TRUE,
    };
    VkPhysicalDeviceCopyMemoryIndirectFeaturesKHR copies = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COPY_MEMORY_INDIRECT_FEATURES_KHR,
        .pNext = &heap,
        .indirectMemoryCopy = VK_TRUE,
    };
    VkPhysicalDeviceDeviceAddressCommandsFeaturesKHR addresses = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DEVICE_ADDRESS_COMMANDS_FEATURES_KHR,
        .pNext = &copies,
        .deviceAddressCommands = VK_TRUE,
    };
    VkPhysicalDeviceVulkan14Features vulkan14 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_4_FEATURES,
        .pNext = &addresses,
        .maintenance5 = VK_TRUE,
    };
    VkPhysicalDeviceVulkan13Features vulkan13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .pNext = &vulkan14,
        .synchronization2 = VK_TRUE,
    };
    VkPhysicalDeviceVulkan12Features vulkan12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .pNext = &vulkan13,
        .bufferDeviceAddress = VK_TRUE,
    };
    gpu_init_device(&gpu, &(struct gpu_options){
                              .api_version = VK_API_VERSION_1_4,
                              .device_extensions = extensions,
                              .device_extension_count = ARRAY_SIZE(extensions),
                              .features = &vulkan12,
                          });
#define LOAD(name)                                                \
    name##_ = (PFN_##name)vkGetDeviceProcAddr(gpu.device, #name); \
    expect(name##_, "there is no " #name);
    FUNCTIONS(LOAD)
    test_memory();
    test_indirect_copies();
    test_images();
    test_heap();
    gpu_finish(&gpu);
    return 0;
}

#else

int main(void)
{
    printf("the headers do not know VK_EXT_descriptor_heap\n");
    return EXIT_SKIPPED;
}

#endif
