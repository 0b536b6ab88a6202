/* SPDX-License-Identifier: MIT
 *
 * Creations that a driver refuses are refused at once, and nothing is lost.
 *
 *   refusals               what is too large, or too much at a time; and then what is neither
 *   refusals poisoned      with the layer of faults (tests/layer), which refuses creations of an ordinary
 *                          size one after another: whoever uses what was not made is told that there was
 *                          no memory, as far as a command can say so
 */
#include "common.h"
#include "recording.h"
#include "resources.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sum_comp.h"
#include "tests/layer/faults.h"

#define GIB (UINT64_C(1) << 30)

static struct gpu gpu;

/* What was created before has come to the driver, and nothing was lost by it. */
static void settle(void)
{
    VkQueryPool pool;
    must(vkCreateQueryPool(gpu.device,
                           &(VkQueryPoolCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                               .queryType = VK_QUERY_TYPE_OCCLUSION,
                               .queryCount = 1,
                           },
                           NULL, &pool));
    vkDestroyQueryPool(gpu.device, pool, NULL);
    must(vkDeviceWaitIdle(gpu.device));
}

static void show(const char *what, VkResult result)
{
    printf("%s: %s\n", what, result_name(result));
    settle();
}

/* ---- Too large */

static void try_buffer(const char *what, VkDeviceSize size, VkBufferCreateFlags flags)
{
    VkBuffer buffer = VK_NULL_HANDLE;
    const VkResult result = vkCreateBuffer(gpu.device,
                                           &(VkBufferCreateInfo){
                                               .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                               .flags = flags,
                                               .size = size,
                                               .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
                                           },
                                           NULL, &buffer);
    if (result == VK_SUCCESS) {
        VkMemoryRequirements needs;
        vkGetBufferMemoryRequirements(gpu.device, buffer, &needs);
        expect(needs.size >= size, "%s: it needs %ju bytes", what, (uintmax_t)needs.size);
    }
    vkDestroyBuffer(gpu.device, result == VK_SUCCESS ? buffer : VK_NULL_HANDLE, NULL);
    show(what, result);
}

static void test_buffers(void)
{
    try_buffer("a buffer of 4096 bytes", 4096, 0);
    try_buffer("of 65 MiB", UINT64_C(65) << 20, 0);
    try_buffer("of 3 GiB", 3 * GIB, 0);
    try_buffer("of 5 GiB", 5 * GIB, 0);
    try_buffer("of 1 TiB", 1024 * GIB, 0);
    try_buffer("of almost 2^64 bytes", UINT64_MAX - 4095, 0);
    VkPhysicalDeviceFeatures features;
    vkGetPhysicalDeviceFeatures(gpu.physical, &features);
    if (features.sparseBinding)
        try_buffer("a sparse one of 16 TiB", 16384 * GIB, VK_BUFFER_CREATE_SPARSE_BINDING_BIT);
}

static void try_image(const char *what, VkImageType type, VkFormat format, VkExtent3D extent,
                      uint32_t levels, uint32_t layers, VkImageTiling tiling)
{
    VkImage image = VK_NULL_HANDLE;
    const VkResult result = vkCreateImage(
        gpu.device,
        &(VkImageCreateInfo){
            .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
            .imageType = type,
            .format = format,
            .extent = extent,
            .mipLevels = levels,
            .arrayLayers = layers,
            .samples = VK_SAMPLE_COUNT_1_BIT,
            .tiling = tiling,
            .usage = VK_IMAGE_USAGE_TRANSFER_SRC_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT,
        },
        NULL, &image);
    if (result == VK_SUCCESS)
        vkDestroyImage(gpu.device, image, NULL);
    show(what, result);
}

static void test_images(void)
{
    const VkFormat rgba = VK_FORMAT_R8G8B8A8_UNORM, wide = VK_FORMAT_R32G32B32A32_SFLOAT;
    const VkImageTiling optimal = VK_IMAGE_TILING_OPTIMAL, linear = VK_IMAGE_TILING_LINEAR;
    const VkImageType flat = VK_IMAGE_TYPE_2D, solid = VK_IMAGE_TYPE_3D;
    try_image("an image of 16 x 16", flat, rgba, (VkExtent3D){16, 16, 1}, 1, 1, optimal);
    try_image("of 5000 x 5000", flat, rgba, (VkExtent3D){5000, 5000, 1}, 1, 1, optimal);
    try_image("of 16384 x 16384 in floats", flat, wide, (VkExtent3D){16384, 16384, 1}, 15, 1,
              optimal);
    try_image("with 2048 layers of that", flat, wide, (VkExtent3D){16384, 16384, 1}, 1, 2048,
              optimal);
    try_image("linear, 16384 x 16384 in floats", flat, wide, (VkExtent3D){16384, 16384, 1}, 1, 1,
              linear);
    try_image("of 100000 x 100000", flat, rgba, (VkExtent3D){100000, 100000, 1}, 1, 1, optimal);
    try_image("with 65000 layers", flat, wide, (VkExtent3D){16384, 16384, 1}, 1, 65000, optimal);
    try_image("of 16384 x 16384 x 16384", solid, wide, (VkExtent3D){16384, 16384, 16384}, 1, 1,
              optimal);
    try_image("of 2048 x 2048 x 2048", solid, wide, (VkExtent3D){2048, 2048, 2048}, 1, 1, optimal);
}

static void test_layouts(void)
{
    for (uint32_t i = 0; i < 3; i++) {
        const VkDescriptorSetLayoutBinding binding = {
            .binding = i == 0   ? 0
                       : i == 1 ? 5000
                                : 100000,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .descriptorCount = i == 2 ? 100000 : 4,
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
        };
        VkDescriptorSetLayout layout = VK_NULL_HANDLE;
        const VkResult result = vkCreateDescriptorSetLayout(
            gpu.device,
            &(VkDescriptorSetLayoutCreateInfo){
                .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                .bindingCount = 1,
                .pBindings = &binding,
            },
            NULL, &layout);
        if (result == VK_SUCCESS)
            vkDestroyDescriptorSetLayout(gpu.device, layout, NULL);
        show("a layout of descriptor sets", result);
    }
    VkDescriptorPool pool;
    VkResult result = vkCreateDescriptorPool(
        gpu.device,
        &(VkDescriptorPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .maxSets = 200000,
            .poolSizeCount = 1,
            .pPoolSizes = &(const VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 200000},
        },
        NULL, &pool);
    if (result == VK_SUCCESS)
        vkDestroyDescriptorPool(gpu.device, pool, NULL);
    show("a pool of 200000 descriptors", result);
}

static void test_many_at_once(void)
{
    static VkCommandBuffer buffers[3000];
    must(vkAllocateCommandBuffers(gpu.device,
                                  &(VkCommandBufferAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                      .commandPool = gpu.pool,
                                      .commandBufferCount = ARRAY_SIZE(buffers),
                                  },
                                  buffers));
    must(vkBeginCommandBuffer(
        buffers[2999],
        &(VkCommandBufferBeginInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO}));
    must(vkEndCommandBuffer(buffers[2999]));
    vkFreeCommandBuffers(gpu.device, gpu.pool, ARRAY_SIZE(buffers), buffers);
}

static void test_work(void)
{
    struct buffer buffer;
    buffer_init_host(&gpu, &buffer, 4096, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdFillBuffer(commands, buffer.handle, 0, VK_WHOLE_SIZE, 77);
    commands_finish(&gpu, commands);
    expect(((const uint32_t *)buffer.map)[1023] == 77, "the device does nothing any more");
    buffer_finish(&gpu, &buffer);
}

/* A feature that the driver may have, and Viaduct does not show. */
static void test_features(void)
{
    VkPhysicalDeviceAccelerationStructureFeaturesKHR features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ACCELERATION_STRUCTURE_FEATURES_KHR,
    };
    if (!gpu_has_extension(gpu.physical, VK_KHR_ACCELERATION_STRUCTURE_EXTENSION_NAME))
        return;
    vkGetPhysicalDeviceFeatures2(gpu.physical,
                                 &(VkPhysicalDeviceFeatures2){
                                     .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                     .pNext = &features,
                                 });
    if (features.accelerationStructureHostCommands)
        return;
    features = (VkPhysicalDeviceAccelerationStructureFeaturesKHR){
        .sType = features.sType,
        .accelerationStructureHostCommands = VK_TRUE,
    };
    const char *const names[] = {VK_KHR_ACCELERATION_STRUCTURE_EXTENSION_NAME,
                                 VK_KHR_DEFERRED_HOST_OPERATIONS_EXTENSION_NAME};
    VkDevice device;
    const VkResult result =
        vkCreateDevice(gpu.physical,
                       &(VkDeviceCreateInfo){
                           .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                           .pNext = &features,
                           .queueCreateInfoCount = 1,
                           .pQueueCreateInfos =
                               &(VkDeviceQueueCreateInfo){
                                   .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                   .queueCount = 1,
                                   .pQueuePriorities = &(const float){1},
                               },
                           .enabledExtensionCount = ARRAY_SIZE(names),
                           .ppEnabledExtensionNames = names,
                       },
                       NULL, &device);
    expect(result == VK_ERROR_FEATURE_NOT_PRESENT, "a feature that is not there: %s",
           result_name(result));
    settle();
}

static const struct program_part parts[] = {
    {"buffers", test_buffers},           {"images", test_images},     {"descriptors", test_layouts},
    {"many at once", test_many_at_once}, {"features", test_features}, {"work", test_work},
};

/* ---- Poisoned */

static struct faults *faults;

/* From here on this command is refused; NULL: none is. */
static void refuse(const char *command)
{
    settle();
    strncpy(faults->refuse, command ? command : "", sizeof(faults->refuse) - 1);
    atomic_store(&faults->one_in, command ? 1 : 0);
}

/* Until the last refusal is so long ago that nobody expects another one (icd/call.c). */
static void forget(void)
{
    sleep_ms(2100);
}

static VkBuffer make_buffer(void)
{
    VkBuffer buffer;
    must(vkCreateBuffer(
        gpu.device,
        &(VkBufferCreateInfo){
            .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
            .size = 4321,
            .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT,
        },
        NULL, &buffer));
    return buffer;
}

static void test_poisoned_buffer(void)
{
    refuse("vkCreateBuffer");
    const VkBuffer buffer = make_buffer();
    VkMemoryRequirements needs = {77, 77, 77};
    vkGetBufferMemoryRequirements(gpu.device, buffer, &needs);
    expect(needs.memoryTypeBits == 0, "it could have memory of types %x", needs.memoryTypeBits);
    VkBufferView view;
    must(vkCreateBufferView(gpu.device,
                            &(VkBufferViewCreateInfo){
                                .sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO,
                                .buffer = buffer,
                                .format = VK_FORMAT_R32_UINT,
                                .range = VK_WHOLE_SIZE,
                            },
                            NULL, &view));
    VkDeviceMemory memory = VK_NULL_HANDLE;
    must_be(VK_ERROR_OUT_OF_DEVICE_MEMORY,
            vkAllocateMemory(gpu.device,
                             &(VkMemoryAllocateInfo){
                                 .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                 .pNext =
                                     &(const VkMemoryDedicatedAllocateInfo){
                                         .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
                                         .buffer = buffer,
                                     },
                                 .allocationSize = 65536,
                             },
                             NULL, &memory));
    vkDestroyBufferView(gpu.device, view, NULL);
    vkDestroyBuffer(gpu.device, buffer, NULL);
    refuse(NULL);
    /* One like it has what it needs. */
    const VkBuffer another = make_buffer();
    vkGetBufferMemoryRequirements(gpu.device, another, &needs);
    expect(needs.memoryTypeBits && needs.size >= 4321, "what failed once fails for ever");
    vkDestroyBuffer(gpu.device, another, NULL);
    forget();
}

static VkDescriptorSetLayout make_set_layout(void)
{
    VkDescriptorSetLayout layout;
    layout = set_layout_of_two(&gpu, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                               VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, VK_SHADER_STAGE_ALL);
    return layout;
}

static void expect_no_pipeline(VkShaderModule module, VkPipelineLayout layout)
{
    VkPipeline pipeline;
    must_be(VK_ERROR_OUT_OF_DEVICE_MEMORY,
            vkCreateComputePipelines(gpu.device, VK_NULL_HANDLE, 1,
                                     &(VkComputePipelineCreateInfo){
                                         .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
                                         .stage = stage_of(VK_SHADER_STAGE_COMPUTE_BIT, module),
                                         .layout = layout,
                                     },
                                     NULL, &pipeline));
    expect(!pipeline, "there is a pipeline all the same");
}

static void test_poisoned_layout(void)
{
    const VkShaderModule module = shader_init(&gpu, sum_comp, sizeof(sum_comp));
    refuse("vkCreateDescriptorSetLayout");
    const VkDescriptorSetLayout sets = make_set_layout();
    const VkPipelineLayout layout = pipeline_layout_init(&gpu, &sets, 0, 0);
    expect_no_pipeline(module, layout);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, sets, NULL);
    forget();
    refuse("vkCreateShaderModule");
    const VkShaderModule none = shader_init(&gpu, sum_comp, sizeof(sum_comp));
    refuse(NULL);
    const VkDescriptorSetLayout good = make_set_layout();
    const VkPipelineLayout whole = pipeline_layout_init(&gpu, &good, 0, 0);
    expect_no_pipeline(none, whole);
    vkDestroyShaderModule(gpu.device, none, NULL);
    vkDestroyShaderModule(gpu.device, module, NULL);
    vkDestroyPipelineLayout(gpu.device, whole, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, good, NULL);
    forget();
}

static void test_poisoned_pool(void)
{
    const VkDescriptorSetLayout sets = make_set_layout();
    refuse("vkCreateDescriptorPool");
    VkDescriptorPool pool;
    must(vkCreateDescriptorPool(
        gpu.device,
        &(VkDescriptorPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .maxSets = 4,
            .poolSizeCount = 1,
            .pPoolSizes = &(const VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 4},
        },
        NULL, &pool));
    VkDescriptorSet set;
    must_be(VK_ERROR_OUT_OF_DEVICE_MEMORY,
            vkAllocateDescriptorSets(gpu.device,
                                     &(VkDescriptorSetAllocateInfo){
                                         .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                         .descriptorPool = pool,
                                         .descriptorSetCount = 1,
                                         .pSetLayouts = &sets,
                                     },
                                     &set));
    vkDestroyDescriptorPool(gpu.device, pool, NULL);
    refuse(NULL);
    vkDestroyDescriptorSetLayout(gpu.device, sets, NULL);
}

/* Who has just been refused memory is told of the next refusal at once, of whatever kind it is. */
static void test_scarce(void)
{
    refuse("vkAllocateMemory");
    VkDeviceMemory memory;
    expect(vkAllocateMemory(gpu.device,
                            &(VkMemoryAllocateInfo){
                                .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                .allocationSize = 65536,
                            },
                            NULL, &memory) < 0,
           "there is memory");
    refuse("vkCreateSampler");
    VkSampler sampler = VK_NULL_HANDLE;
    const VkSamplerCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO};
    const VkResult result = vkCreateSampler(gpu.device, &info, NULL, &sampler);
    expect(result == VK_ERROR_OUT_OF_HOST_MEMORY || result == VK_ERROR_OUT_OF_DEVICE_MEMORY,
           "a refused sampler gave %s", result_name(result));
    expect(!sampler, "there is a sampler all the same");
    refuse(NULL);
    must(vkCreateSampler(gpu.device, &info, NULL, &sampler));
    vkDestroySampler(gpu.device, sampler, NULL);
    forget();
}

static const struct program_part poisoned_parts[] = {
    {"scarce", test_scarce},
    {"a buffer", test_poisoned_buffer},
    {"a layout, a module", test_poisoned_layout},
    {"a pool", test_poisoned_pool},
    {"work", test_work},
};

static void map_faults(void)
{
    const char *path = getenv("VIADUCT_FAULTS");
    const int fd = path ? open(path, O_RDWR) : -1;
    expect(fd >= 0, "VIADUCT_FAULTS names no file");
    faults = mmap(NULL, sizeof(*faults), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    expect(faults != MAP_FAILED, "cannot map the file");
    close(fd);
}

int main(int argc, char **argv)
{
    const bool poisoned = argc > 1 && strcmp(argv[1], "poisoned") == 0;
    if (poisoned)
        map_faults();
    gpu_init(&gpu, &(struct gpu_options){
                       .name = "refusals",
                       .core_features = &(const VkPhysicalDeviceFeatures){.sparseBinding = VK_TRUE},
                   });
    if (poisoned)
        run_parts("refusals", poisoned_parts, ARRAY_SIZE(poisoned_parts));
    else
        run_parts("refusals", parts, ARRAY_SIZE(parts));
    gpu_finish(&gpu);
    return 0;
}
