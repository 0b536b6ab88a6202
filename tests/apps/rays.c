/* SPDX-License-Identifier: MIT
 *
 * Ray queries: two bottom-level structures built by one command, with geometries in an array and in
 * an array of pointers, a compacted copy, instances in a buffer, and what each ray of a grid hits,
 * compared with what it has to hit.
 */
#include "common.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "rays_comp.h"

enum {
    GRID = 32, /* rays on each side; the scene is four units wide */
    INSTANCES = 3,
};

struct hit {
    uint32_t instance; /* custom index plus one, 0: nothing */
    uint32_t geometry;
    uint32_t primitive;
    uint32_t distance; /* in sixteenths */
};

/* A structure in a buffer of its own. */
struct structure {
    struct buffer buffer;
    VkAccelerationStructureKHR handle;
    VkDeviceAddress address;
};

static struct gpu gpu;

#define FUNCTION(name) static PFN_vk##name name
FUNCTION(CreateAccelerationStructureKHR);
FUNCTION(DestroyAccelerationStructureKHR);
FUNCTION(GetAccelerationStructureBuildSizesKHR);
FUNCTION(GetAccelerationStructureDeviceAddressKHR);
FUNCTION(CmdBuildAccelerationStructuresKHR);
FUNCTION(CmdCopyAccelerationStructureKHR);
FUNCTION(CmdWriteAccelerationStructuresPropertiesKHR);
#undef FUNCTION

static void load_functions(void)
{
#define LOAD(name) \
    expect((name = (PFN_vk##name)vkGetDeviceProcAddr(gpu.device, "vk" #name)), "no vk" #name)
    LOAD(CreateAccelerationStructureKHR);
    LOAD(DestroyAccelerationStructureKHR);
    LOAD(GetAccelerationStructureBuildSizesKHR);
    LOAD(GetAccelerationStructureDeviceAddressKHR);
    LOAD(CmdBuildAccelerationStructuresKHR);
    LOAD(CmdCopyAccelerationStructureKHR);
    LOAD(CmdWriteAccelerationStructuresPropertiesKHR);
#undef LOAD
}

static void structure_init(struct structure *s, VkAccelerationStructureTypeKHR type,
                           VkDeviceSize size)
{
    buffer_init_addressed(&gpu, &s->buffer, size,
                          VK_BUFFER_USAGE_ACCELERATION_STRUCTURE_STORAGE_BIT_KHR);
    must(CreateAccelerationStructureKHR(
        gpu.device,
        &(VkAccelerationStructureCreateInfoKHR){
            .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_CREATE_INFO_KHR,
            .buffer = s->buffer.handle,
            .size = size,
            .type = type,
        },
        NULL, &s->handle));
    s->address = GetAccelerationStructureDeviceAddressKHR(
        gpu.device, &(VkAccelerationStructureDeviceAddressInfoKHR){
                        .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_DEVICE_ADDRESS_INFO_KHR,
                        .accelerationStructure = s->handle,
                    });
    expect(s->address, "a structure has no address");
}

static void structure_finish(struct structure *s)
{
    DestroyAccelerationStructureKHR(gpu.device, s->handle, NULL);
    buffer_finish(&gpu, &s->buffer);
}

/* Makes the structure that `info` builds, and names it there; returns the scratch that it needs. */
static VkDeviceSize prepare_build(VkAccelerationStructureBuildGeometryInfoKHR *info,
                                  const uint32_t *primitives, struct structure *s)
{
    VkAccelerationStructureBuildSizesInfoKHR sizes = {
        .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_BUILD_SIZES_INFO_KHR,
    };
    GetAccelerationStructureBuildSizesKHR(
        gpu.device, VK_ACCELERATION_STRUCTURE_BUILD_TYPE_DEVICE_KHR, info, primitives, &sizes);
    expect(sizes.accelerationStructureSize, "a structure of no size");
    structure_init(s, info->type, sizes.accelerationStructureSize);
    info->dstAccelerationStructure = s->handle;
    return (sizes.buildScratchSize + 255) & ~UINT64_C(255);
}

static void between_builds(VkCommandBuffer commands)
{
    memory_barrier(commands, VK_PIPELINE_STAGE_ACCELERATION_STRUCTURE_BUILD_BIT_KHR,
                   VK_ACCESS_ACCELERATION_STRUCTURE_WRITE_BIT_KHR,
                   VK_PIPELINE_STAGE_ACCELERATION_STRUCTURE_BUILD_BIT_KHR |
                       VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                   VK_ACCESS_ACCELERATION_STRUCTURE_READ_BIT_KHR);
}

/* The first: a square at z = 0 of two triangles with indices, and half of one above it at z = 2.
 * The second: a square at z = 1, six vertices without indices. */
static void build_bottom(struct structure bottom[2])
{
    static const float vertices[][3] = {
        {0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {1, 1, 0},                       /* with indices */
        {0, 0, 2}, {1, 0, 2}, {0, 1, 2},                                  /* half */
        {0, 0, 1}, {1, 0, 1}, {0, 1, 1}, {0, 1, 1}, {1, 0, 1}, {1, 1, 1}, /* the second */
    };
    static const uint32_t indices[] = {0, 1, 2, 2, 1, 3};
    struct buffer input, scratch;
    const VkDeviceAddress address =
        buffer_init_addressed(&gpu, &input, sizeof(vertices) + sizeof(indices),
                              VK_BUFFER_USAGE_ACCELERATION_STRUCTURE_BUILD_INPUT_READ_ONLY_BIT_KHR);
    memcpy(input.map, vertices, sizeof(vertices));
    memcpy((char *)input.map + sizeof(vertices), indices, sizeof(indices));

    const VkAccelerationStructureGeometryKHR plain = {
        .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_GEOMETRY_KHR,
        .geometryType = VK_GEOMETRY_TYPE_TRIANGLES_KHR,
        .geometry.triangles =
            {
                .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_GEOMETRY_TRIANGLES_DATA_KHR,
                .vertexFormat = VK_FORMAT_R32G32B32_SFLOAT,
                .vertexData.deviceAddress = address,
                .vertexStride = sizeof(vertices[0]),
                .maxVertex = ARRAY_SIZE(vertices) - 1,
                .indexType = VK_INDEX_TYPE_NONE_KHR,
            },
        .flags = VK_GEOMETRY_OPAQUE_BIT_KHR,
    };
    VkAccelerationStructureGeometryKHR geometries[] = {plain, plain};
    geometries[0].geometry.triangles.indexType = VK_INDEX_TYPE_UINT32;
    geometries[0].geometry.triangles.indexData.deviceAddress = address + sizeof(vertices);
    const VkAccelerationStructureGeometryKHR *const pointers[] = {&plain};

    VkAccelerationStructureBuildGeometryInfoKHR infos[2] = {
        {
            .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_BUILD_GEOMETRY_INFO_KHR,
            .type = VK_ACCELERATION_STRUCTURE_TYPE_BOTTOM_LEVEL_KHR,
            .mode = VK_BUILD_ACCELERATION_STRUCTURE_MODE_BUILD_KHR,
            .geometryCount = 2,
            .pGeometries = geometries,
        },
        {
            .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_BUILD_GEOMETRY_INFO_KHR,
            .type = VK_ACCELERATION_STRUCTURE_TYPE_BOTTOM_LEVEL_KHR,
            .flags = VK_BUILD_ACCELERATION_STRUCTURE_ALLOW_COMPACTION_BIT_KHR,
            .mode = VK_BUILD_ACCELERATION_STRUCTURE_MODE_BUILD_KHR,
            .geometryCount = 1,
            .ppGeometries = pointers,
        },
    };
    struct structure built[2];
    const VkDeviceSize first = prepare_build(&infos[0], (const uint32_t[]){2, 1}, &built[0]);
    const VkDeviceSize second = prepare_build(&infos[1], (const uint32_t[]){2}, &built[1]);
    const VkDeviceAddress scratch_address = buffer_init_addressed(
        &gpu, &scratch, first + second + 256, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    infos[0].scratchData.deviceAddress = (scratch_address + 255) & ~UINT64_C(255);
    infos[1].scratchData.deviceAddress = infos[0].scratchData.deviceAddress + first;

    VkQueryPool pool;
    must(vkCreateQueryPool(gpu.device,
                           &(VkQueryPoolCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                               .queryType = VK_QUERY_TYPE_ACCELERATION_STRUCTURE_COMPACTED_SIZE_KHR,
                               .queryCount = 1,
                           },
                           NULL, &pool));
    VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdResetQueryPool(commands, pool, 0, 1);
    CmdBuildAccelerationStructuresKHR(
        commands, 2, infos,
        (const VkAccelerationStructureBuildRangeInfoKHR *const[]){
            (const VkAccelerationStructureBuildRangeInfoKHR[]){
                {.primitiveCount = 2},
                {.primitiveCount = 1, .primitiveOffset = 4 * sizeof(vertices[0])},
            },
            &(const VkAccelerationStructureBuildRangeInfoKHR){
                .primitiveCount = 2, .primitiveOffset = 7 * sizeof(vertices[0])},
        });
    between_builds(commands);
    CmdWriteAccelerationStructuresPropertiesKHR(
        commands, 1, &built[1].handle, VK_QUERY_TYPE_ACCELERATION_STRUCTURE_COMPACTED_SIZE_KHR,
        pool, 0);
    commands_finish(&gpu, commands);

    VkDeviceSize size = 0;
    must(vkGetQueryPoolResults(gpu.device, pool, 0, 1, sizeof(size), &size, sizeof(size),
                               VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
    expect(size && size <= built[1].buffer.size, "%ju bytes shrink to %ju",
           (uintmax_t)built[1].buffer.size, (uintmax_t)size);
    bottom[0] = built[0];
    structure_init(&bottom[1], VK_ACCELERATION_STRUCTURE_TYPE_BOTTOM_LEVEL_KHR, size);
    commands = commands_begin(&gpu);
    CmdCopyAccelerationStructureKHR(
        commands, &(VkCopyAccelerationStructureInfoKHR){
                      .sType = VK_STRUCTURE_TYPE_COPY_ACCELERATION_STRUCTURE_INFO_KHR,
                      .src = built[1].handle,
                      .dst = bottom[1].handle,
                      .mode = VK_COPY_ACCELERATION_STRUCTURE_MODE_COMPACT_KHR,
                  });
    commands_finish(&gpu, commands);

    vkDestroyQueryPool(gpu.device, pool, NULL);
    structure_finish(&built[1]);
    buffer_finish(&gpu, &scratch);
    buffer_finish(&gpu, &input);
}

static const struct place {
    uint32_t bottom;
    float x, y;
    uint32_t number; /* 24 bits */
    uint8_t mask;
} places[INSTANCES] = {
    {0, 0, 0, 5, 0xff},
    {0, 2, 0, 0xabcdef, 0x01},
    {1, 1, 2, 7, 0x02},
};

static void build_top(const struct structure bottom[2], struct structure *top)
{
    struct buffer input, scratch;
    const VkDeviceAddress address =
        buffer_init_addressed(&gpu, &input, INSTANCES * sizeof(VkAccelerationStructureInstanceKHR),
                              VK_BUFFER_USAGE_ACCELERATION_STRUCTURE_BUILD_INPUT_READ_ONLY_BIT_KHR);
    VkAccelerationStructureInstanceKHR *instances = input.map;
    for (uint32_t i = 0; i < INSTANCES; i++) {
        instances[i] = (VkAccelerationStructureInstanceKHR){
            .transform.matrix = {{1, 0, 0, places[i].x}, {0, 1, 0, places[i].y}, {0, 0, 1, 0}},
            .instanceCustomIndex = places[i].number,
            .mask = places[i].mask,
            .accelerationStructureReference = bottom[places[i].bottom].address,
        };
    }
    VkAccelerationStructureBuildGeometryInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_BUILD_GEOMETRY_INFO_KHR,
        .type = VK_ACCELERATION_STRUCTURE_TYPE_TOP_LEVEL_KHR,
        .mode = VK_BUILD_ACCELERATION_STRUCTURE_MODE_BUILD_KHR,
        .geometryCount = 1,
        .pGeometries =
            &(VkAccelerationStructureGeometryKHR){
                .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_GEOMETRY_KHR,
                .geometryType = VK_GEOMETRY_TYPE_INSTANCES_KHR,
                .geometry.instances =
                    {
                        .sType =
                            VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_GEOMETRY_INSTANCES_DATA_KHR,
                        .data.deviceAddress = address,
                    },
            },
    };
    const VkDeviceSize size = prepare_build(&info, (const uint32_t[]){INSTANCES}, top);
    info.scratchData.deviceAddress =
        (buffer_init_addressed(&gpu, &scratch, size + 256, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT) +
         255) &
        ~UINT64_C(255);
    const VkCommandBuffer commands = commands_begin(&gpu);
    CmdBuildAccelerationStructuresKHR(
        commands, 1, &info,
        (const VkAccelerationStructureBuildRangeInfoKHR *const[]){
            &(const VkAccelerationStructureBuildRangeInfoKHR){.primitiveCount = INSTANCES},
        });
    between_builds(commands);
    commands_finish(&gpu, commands);
    buffer_finish(&gpu, &scratch);
    buffer_finish(&gpu, &input);
}

/* What the ray at a place of the grid hits first, coming from z = 10. */
static struct hit expected(uint32_t column, uint32_t row, uint8_t mask)
{
    const float x = ((float)column + 0.375f) / GRID * 4, y = ((float)row + 0.5f) / GRID * 4;
    for (uint32_t i = 0; i < INSTANCES; i++) {
        const float u = x - places[i].x, v = y - places[i].y;
        if (!(places[i].mask & mask) || u < 0 || u > 1 || v < 0 || v > 1)
            continue;
        const bool lower = u + v < 1;
        if (places[i].bottom == 1)
            return (struct hit){places[i].number + 1, 0, !lower, 9 * 16};
        return lower ? (struct hit){places[i].number + 1, 1, 0, 8 * 16}
                     : (struct hit){places[i].number + 1, 0, 1, 10 * 16};
    }
    return (struct hit){0};
}

static void shoot(const struct structure *top)
{
    VkDescriptorSetLayout set_layout;
    must(vkCreateDescriptorSetLayout(
        gpu.device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = 2,
            .pBindings =
                (const VkDescriptorSetLayoutBinding[]){
                    {0, VK_DESCRIPTOR_TYPE_ACCELERATION_STRUCTURE_KHR, 1,
                     VK_SHADER_STAGE_COMPUTE_BIT, NULL},
                    {1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL},
                },
        },
        NULL, &set_layout));
    const VkPipelineLayout layout =
        pipeline_layout_init(&gpu, &set_layout, VK_SHADER_STAGE_COMPUTE_BIT, 4);
    const VkPipeline pipeline =
        compute_pipeline_init(&gpu, layout, rays_comp, sizeof(rays_comp), NULL);
    VkDescriptorPool pool;
    must(vkCreateDescriptorPool(gpu.device,
                                &(VkDescriptorPoolCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                    .maxSets = 1,
                                    .poolSizeCount = 2,
                                    .pPoolSizes =
                                        (const VkDescriptorPoolSize[]){
                                            {VK_DESCRIPTOR_TYPE_ACCELERATION_STRUCTURE_KHR, 1},
                                            {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1},
                                        },
                                },
                                NULL, &pool));
    VkDescriptorSet set;
    must(vkAllocateDescriptorSets(gpu.device,
                                  &(VkDescriptorSetAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                      .descriptorPool = pool,
                                      .descriptorSetCount = 1,
                                      .pSetLayouts = &set_layout,
                                  },
                                  &set));
    struct buffer result;
    buffer_init_host(&gpu, &result, GRID * GRID * sizeof(struct hit),
                     VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    vkUpdateDescriptorSets(
        gpu.device, 2,
        (const VkWriteDescriptorSet[]){
            {
                .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                .pNext =
                    &(VkWriteDescriptorSetAccelerationStructureKHR){
                        .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET_ACCELERATION_STRUCTURE_KHR,
                        .accelerationStructureCount = 1,
                        .pAccelerationStructures = &top->handle,
                    },
                .dstSet = set,
                .descriptorCount = 1,
                .descriptorType = VK_DESCRIPTOR_TYPE_ACCELERATION_STRUCTURE_KHR,
            },
            {
                .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                .dstSet = set,
                .dstBinding = 1,
                .descriptorCount = 1,
                .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                .pBufferInfo = &(VkDescriptorBufferInfo){result.handle, 0, VK_WHOLE_SIZE},
            },
        },
        0, NULL);

    static const uint32_t masks[] = {0xff, 0x02, 0x01};
    for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
        memset(result.map, 0xee, result.size);
        const VkCommandBuffer commands = commands_begin(&gpu);
        vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
        vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1, &set, 0,
                                NULL);
        vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, 4, &masks[i]);
        vkCmdDispatch(commands, GRID, GRID, 1);
        memory_barrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                       VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
        commands_finish(&gpu, commands);

        const struct hit *hits = result.map;
        uint32_t hit_count = 0;
        for (uint32_t ray = 0; ray < GRID * GRID; ray++) {
            const struct hit want = expected(ray % GRID, ray / GRID, (uint8_t)masks[i]);
            expect(memcmp(&hits[ray], &want, sizeof(want)) == 0,
                   "mask %#x, ray %u: instance %#x, geometry %u, primitive %u, distance %u/16 "
                   "instead of %#x, %u, %u, %u/16",
                   masks[i], ray, hits[ray].instance, hits[ray].geometry, hits[ray].primitive,
                   hits[ray].distance, want.instance, want.geometry, want.primitive, want.distance);
            hit_count += want.instance != 0;
        }
        expect(hit_count, "mask %#x hits nothing", masks[i]);
        printf("rays: mask %#x, %u of %u rays hit\n", masks[i], hit_count, GRID * GRID);
    }

    buffer_finish(&gpu, &result);
    vkDestroyDescriptorPool(gpu.device, pool, NULL);
    vkDestroyPipeline(gpu.device, pipeline, NULL);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, set_layout, NULL);
}

int main(void)
{
    static const char *const extensions[] = {
        VK_KHR_ACCELERATION_STRUCTURE_EXTENSION_NAME,
        VK_KHR_DEFERRED_HOST_OPERATIONS_EXTENSION_NAME,
        VK_KHR_RAY_QUERY_EXTENSION_NAME,
    };
    const struct gpu_options options = {
        .name = "rays",
        .device_extensions = extensions,
        .device_extension_count = ARRAY_SIZE(extensions),
        .features =
            &(VkPhysicalDeviceVulkan12Features){
                .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                .pNext =
                    &(VkPhysicalDeviceAccelerationStructureFeaturesKHR){
                        .sType =
                            VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ACCELERATION_STRUCTURE_FEATURES_KHR,
                        .pNext =
                            &(VkPhysicalDeviceRayQueryFeaturesKHR){
                                .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_RAY_QUERY_FEATURES_KHR,
                                .rayQuery = VK_TRUE,
                            },
                        .accelerationStructure = VK_TRUE,
                    },
                .bufferDeviceAddress = VK_TRUE,
            },
    };
    gpu_init_instance(&gpu, &options);
    uint32_t count = 1;
    vkEnumeratePhysicalDevices(gpu.instance, &count, &gpu.physical);
    expect(count == 1, "there is no device");
    for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
        if (!gpu_has_extension(gpu.physical, extensions[i])) {
            printf("rays: this device has no %s\n", extensions[i]);
            return EXIT_SKIPPED;
        }
    }
    gpu_init_device(&gpu, &options);
    load_functions();

    struct structure bottom[2], top;
    build_bottom(bottom);
    build_top(bottom, &top);
    shoot(&top);
    structure_finish(&top);
    structure_finish(&bottom[1]);
    structure_finish(&bottom[0]);
    gpu_finish(&gpu);
    return 0;
}
