/* SPDX-License-Identifier: MIT
 *
 * One thread is in a call that takes long; what do the other threads' calls take meanwhile? The layer
 * of faults (tests/layer) makes one command after another take long, among those whose answer an
 * application waits for: beside [COMMAND]
 */
#include "common.h"
#include "recording.h"
#include "resources.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "colour_frag.h"
#include "frame_vert.h"
#include "sum_comp.h"
#include "tests/layer/faults.h"

enum {
    SLOW_MS = 300,
    MOST_MS = 150, /* in the others' calls, on a busy machine */
    SIDE = 512,
};

static struct gpu gpu;
static struct faults *faults;
static VkDescriptorSetLayout set_layout;
static VkPipelineLayout layout;
static VkShaderModule module;
static VkDescriptorPool descriptors;
static VkPipelineCache caches[2];
static struct buffer buffer;
static struct image image;
static VkImage copied; /* VK_NULL_HANDLE: without host image copies */
static VkImage linear;
static VkRenderPass render_pass;
static VkEvent event;
static VkQueryPool queries;
static VkSemaphore timeline;
static VkDeviceAddress addressed;
static struct buffer with_address;
static uint8_t pixels[SIDE * SIDE * 4];

#define DEVICE(name) ((PFN_##name)vkGetDeviceProcAddr(gpu.device, #name))

/* ---- Calls */

static void create_compute(void)
{
    VkPipeline pipeline;
    must(vkCreateComputePipelines(gpu.device, VK_NULL_HANDLE, 1,
                                  &(VkComputePipelineCreateInfo){
                                      .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
                                      .stage = stage_of(VK_SHADER_STAGE_COMPUTE_BIT, module),
                                      .layout = layout,
                                  },
                                  NULL, &pipeline));
    vkDestroyPipeline(gpu.device, pipeline, NULL);
}

static void create_graphics(void)
{
    const VkPipeline pipeline =
        graphics_pipeline_init(&gpu, &(struct graphics_options){
                                         .layout = layout,
                                         .vertex = {frame_vert, sizeof(frame_vert)},
                                         .fragment = {colour_frag, sizeof(colour_frag)},
                                         .topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST,
                                         .colour_format = VK_FORMAT_R8G8B8A8_UNORM,
                                     });
    vkDestroyPipeline(gpu.device, pipeline, NULL);
}

static void merge_caches(void)
{
    must(vkMergePipelineCaches(gpu.device, caches[0], 1, &caches[1]));
}

static void read_cache(void)
{
    size_t size = 0;
    must(vkGetPipelineCacheData(gpu.device, caches[0], &size, NULL));
}

static void create_queries(void)
{
    VkQueryPool pool;
    must(vkCreateQueryPool(gpu.device,
                           &(VkQueryPoolCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                               .queryType = VK_QUERY_TYPE_OCCLUSION,
                               .queryCount = 4,
                           },
                           NULL, &pool));
    vkDestroyQueryPool(gpu.device, pool, NULL);
}

static VkDeviceMemory allocate_some(VkDeviceSize size)
{
    VkDeviceMemory memory;
    must(vkAllocateMemory(gpu.device,
                          &(VkMemoryAllocateInfo){
                              .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                              .allocationSize = size,
                          },
                          NULL, &memory));
    return memory;
}

static void allocate_and_free(void)
{
    vkFreeMemory(gpu.device, allocate_some(65536), NULL);
}

static void allocate_sets(void)
{
    VkDescriptorSet set;
    must(vkResetDescriptorPool(gpu.device, descriptors, 0));
    must(vkAllocateDescriptorSets(gpu.device,
                                  &(VkDescriptorSetAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                      .descriptorPool = descriptors,
                                      .descriptorSetCount = 1,
                                      .pSetLayouts = &set_layout,
                                  },
                                  &set));
}

static void ask_buffer(void)
{
    VkMemoryRequirements2 requirements = {.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2};
    const VkBufferMemoryRequirementsInfo2 info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_REQUIREMENTS_INFO_2,
        .buffer = buffer.handle,
    };
    vkGetBufferMemoryRequirements2(gpu.device, &info, &requirements);
}

static void ask_image(void)
{
    VkMemoryRequirements2 requirements = {.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2};
    const VkImageMemoryRequirementsInfo2 info = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_REQUIREMENTS_INFO_2,
        .image = image.handle,
    };
    vkGetImageMemoryRequirements2(gpu.device, &info, &requirements);
}

static void ask_subresource(void)
{
    VkSubresourceLayout found;
    const VkImageSubresource which = {.aspectMask = VK_IMAGE_ASPECT_COLOR_BIT};
    vkGetImageSubresourceLayout(gpu.device, linear, &which, &found);
}

static void ask_granularity(void)
{
    VkExtent2D granularity;
    vkGetRenderAreaGranularity(gpu.device, render_pass, &granularity);
}

static void ask_event(void)
{
    vkGetEventStatus(gpu.device, event);
}

static void ask_address(void)
{
    const VkBufferDeviceAddressInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
        .buffer = with_address.handle,
    };
    expect(vkGetBufferDeviceAddress(gpu.device, &info) == addressed, "another address");
}

static void ask_layout_support(void)
{
    const VkDescriptorSetLayoutBinding binding = {
        .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
        .descriptorCount = 1,
        .stageFlags = VK_SHADER_STAGE_ALL,
    };
    const VkDescriptorSetLayoutCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = 1,
        .pBindings = &binding,
    };
    VkDescriptorSetLayoutSupport support = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_SUPPORT,
    };
    vkGetDescriptorSetLayoutSupport(gpu.device, &info, &support);
}

static void ask_image_format(void)
{
    VkImageFormatProperties2 properties = {.sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2};
    must(vkGetPhysicalDeviceImageFormatProperties2(
        gpu.physical,
        &(VkPhysicalDeviceImageFormatInfo2){
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2,
            .format = VK_FORMAT_R8G8B8A8_UNORM,
            .type = VK_IMAGE_TYPE_2D,
            .usage = VK_IMAGE_USAGE_TRANSFER_SRC_BIT | VK_IMAGE_USAGE_STORAGE_BIT,
        },
        &properties));
}

static void ask_format(void)
{
    VkFormatProperties2 properties = {.sType = VK_STRUCTURE_TYPE_FORMAT_PROPERTIES_2};
    vkGetPhysicalDeviceFormatProperties2(gpu.physical, VK_FORMAT_R5G6B5_UNORM_PACK16, &properties);
}

static void ask_sparse(void)
{
    uint32_t count = 0;
    vkGetPhysicalDeviceSparseImageFormatProperties2(
        gpu.physical,
        &(VkPhysicalDeviceSparseImageFormatInfo2){
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SPARSE_IMAGE_FORMAT_INFO_2,
            .format = VK_FORMAT_R8G8B8A8_UNORM,
            .type = VK_IMAGE_TYPE_2D,
            .samples = VK_SAMPLE_COUNT_1_BIT,
            .usage = VK_IMAGE_USAGE_SAMPLED_BIT,
        },
        &count, NULL);
}

static void bind_buffer(void)
{
    VkBuffer handle;
    must(vkCreateBuffer(gpu.device,
                        &(VkBufferCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                            .size = 4096,
                            .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                        },
                        NULL, &handle));
    const VkDeviceMemory memory = allocate_some(65536);
    must(vkBindBufferMemory2(gpu.device, 1,
                             &(VkBindBufferMemoryInfo){
                                 .sType = VK_STRUCTURE_TYPE_BIND_BUFFER_MEMORY_INFO,
                                 .buffer = handle,
                                 .memory = memory,
                             }));
    vkDestroyBuffer(gpu.device, handle, NULL);
    vkFreeMemory(gpu.device, memory, NULL);
}

static void read_queries(void)
{
    uint32_t result;
    vkGetQueryPoolResults(gpu.device, queries, 0, 1, sizeof(result), &result, sizeof(result), 0);
}

static void wait_semaphore(void)
{
    const uint64_t value = 5;
    vkWaitSemaphores(gpu.device,
                     &(VkSemaphoreWaitInfo){
                         .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                         .semaphoreCount = 1,
                         .pSemaphores = &timeline,
                         .pValues = &value,
                     },
                     SLOW_MS * (SECOND_NS / 1000));
}

static void create_device(void)
{
    VkDevice device;
    must(vkCreateDevice(gpu.physical,
                        &(VkDeviceCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                            .queueCreateInfoCount = 1,
                            .pQueueCreateInfos =
                                &(VkDeviceQueueCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                    .queueFamilyIndex = gpu.family,
                                    .queueCount = 1,
                                    .pQueuePriorities = &(const float){1.0f},
                                },
                        },
                        NULL, &device));
    vkDestroyDevice(device, NULL);
}

static const VkImageSubresourceLayers colour = {
    .aspectMask = VK_IMAGE_ASPECT_COLOR_BIT,
    .layerCount = 1,
};

static void copy_in(void)
{
    must(DEVICE(vkCopyMemoryToImageEXT)(
        gpu.device, &(VkCopyMemoryToImageInfoEXT){
                        .sType = VK_STRUCTURE_TYPE_COPY_MEMORY_TO_IMAGE_INFO_EXT,
                        .dstImage = copied,
                        .dstImageLayout = VK_IMAGE_LAYOUT_GENERAL,
                        .regionCount = 1,
                        .pRegions =
                            &(VkMemoryToImageCopyEXT){
                                .sType = VK_STRUCTURE_TYPE_MEMORY_TO_IMAGE_COPY_EXT,
                                .pHostPointer = pixels,
                                .imageSubresource = colour,
                                .imageExtent = {SIDE, SIDE, 1},
                            },
                    }));
}

static void copy_out(void)
{
    must(DEVICE(vkCopyImageToMemoryEXT)(
        gpu.device, &(VkCopyImageToMemoryInfoEXT){
                        .sType = VK_STRUCTURE_TYPE_COPY_IMAGE_TO_MEMORY_INFO_EXT,
                        .srcImage = copied,
                        .srcImageLayout = VK_IMAGE_LAYOUT_GENERAL,
                        .regionCount = 1,
                        .pRegions =
                            &(VkImageToMemoryCopyEXT){
                                .sType = VK_STRUCTURE_TYPE_IMAGE_TO_MEMORY_COPY_EXT,
                                .pHostPointer = pixels,
                                .imageSubresource = colour,
                                .imageExtent = {SIDE, SIDE, 1},
                            },
                    }));
}

static void transition(void)
{
    must(DEVICE(vkTransitionImageLayoutEXT)(
        gpu.device, 1,
        &(VkHostImageLayoutTransitionInfoEXT){
            .sType = VK_STRUCTURE_TYPE_HOST_IMAGE_LAYOUT_TRANSITION_INFO_EXT,
            .image = copied,
            .oldLayout = VK_IMAGE_LAYOUT_UNDEFINED,
            .newLayout = VK_IMAGE_LAYOUT_GENERAL,
            .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1},
        }));
}

static const struct call {
    const char *name;
    void (*make)(void);
    bool copies; /* with VK_EXT_host_image_copy */
} calls[] = {
    {"vkCreateComputePipelines", create_compute, false},
    {"vkCreateGraphicsPipelines", create_graphics, false},
    {"vkMergePipelineCaches", merge_caches, false},
    {"vkGetPipelineCacheData", read_cache, false},
    {"vkCreateQueryPool", create_queries, false},
    {"vkAllocateMemory", allocate_and_free, false},
    {"vkFreeMemory", allocate_and_free, false},
    {"vkAllocateDescriptorSets", allocate_sets, false},
    {"vkGetBufferMemoryRequirements2", ask_buffer, false},
    {"vkGetImageMemoryRequirements2", ask_image, false},
    {"vkGetImageSubresourceLayout", ask_subresource, false},
    {"vkGetRenderAreaGranularity", ask_granularity, false},
    {"vkGetEventStatus", ask_event, false},
    {"vkGetBufferDeviceAddress", ask_address, false},
    {"vkGetDescriptorSetLayoutSupport", ask_layout_support, false},
    {"vkGetPhysicalDeviceImageFormatProperties2", ask_image_format, false},
    {"vkGetPhysicalDeviceFormatProperties2", ask_format, false},
    {"vkGetPhysicalDeviceSparseImageFormatProperties2", ask_sparse, false},
    {"vkBindBufferMemory2", bind_buffer, false},
    {"vkGetQueryPoolResults", read_queries, false},
    {"vkWaitSemaphores", wait_semaphore, false},
    {"vkCreateDevice", create_device, false},
    {"vkDestroyDevice", create_device, false},
    {"vkTransitionImageLayoutEXT", transition, true},
    {"vkCopyMemoryToImageEXT", copy_in, true},
    {"vkCopyImageToMemoryEXT", copy_out, true},
};

/* ---- The others */

static _Atomic bool running;

static void submit_something(void)
{
    const VkCommandBuffer commands = commands_begin(&gpu);
    vkCmdFillBuffer(commands, buffer.handle, 0, VK_WHOLE_SIZE, 1);
    commands_finish(&gpu, commands);
}

/* Whether the command is among those that `doing` makes. */
static bool makes(void (*doing)(void), const char *command)
{
    return doing == allocate_and_free
               ? strcmp(command, "vkAllocateMemory") == 0 || strcmp(command, "vkFreeMemory") == 0
               : doing == ask_buffer && strcmp(command, "vkGetBufferMemoryRequirements2") == 0;
}

/* What is done while the other thread is in its call; returns the longest time, in milliseconds. */
static double meanwhile(const char *command)
{
    static void (*const doing[])(void) = {allocate_and_free, ask_buffer, submit_something};
    double worst = 0;
    /* The call may be made at once, where nobody has to be asked. */
    while (atomic_load(&running) && atomic_load(&faults->slept) == 0)
        sleep_ms(1);
    while (atomic_load(&running)) {
        for (size_t i = 0; i < ARRAY_SIZE(doing); i++) {
            if (makes(doing[i], command))
                continue;
            const uint64_t begun = now_ns();
            doing[i]();
            const double ms = (double)(now_ns() - begun) / 1e6;
            worst = ms > worst ? ms : worst;
        }
        sleep_ms(1);
    }
    return worst;
}

static void *make_call(void *data)
{
    const struct call *call = data;
    call->make();
    atomic_store(&running, false);
    return NULL;
}

/* The layer knows commands by the names that have no suffix. */
static void make_slow(const char *name)
{
    strcpy(faults->slow, name);
    const size_t length = strlen(name);
    if (length > 3 && strcmp(name + length - 3, "EXT") == 0)
        faults->slow[length - 3] = 0;
    atomic_store(&faults->slept, 0);
    atomic_store(&faults->slow_ms, SLOW_MS);
}

static void test(const struct call *call)
{
    make_slow(call->name);
    atomic_store(&running, true);
    pthread_t thread;
    expect(pthread_create(&thread, NULL, make_call, (void *)call) == 0, "no thread");
    const double worst = meanwhile(call->name);
    pthread_join(thread, NULL);
    atomic_store(&faults->slow_ms, 0);
    if (atomic_load(&faults->slept) == 0 && call->make != wait_semaphore)
        printf("%s: nobody was asked\n", call->name);
    else
        printf("%s: %.1f ms\n", call->name, worst);
    expect(worst < MOST_MS, "%s: another thread's call took %.1f ms", call->name, worst);
}

/* ---- What the calls need */

static void map_faults(void)
{
    const char *path = getenv("VIADUCT_FAULTS");
    const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) {
        printf("there is no layer to make calls slow\n");
        exit(EXIT_SKIPPED);
    }
    faults = mmap(NULL, sizeof(*faults), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    expect(faults != MAP_FAILED, "no file of faults");
    close(fd);
}

static VkImage create_image(VkImageTiling tiling, VkImageUsageFlags usage)
{
    VkImage made;
    must(vkCreateImage(gpu.device,
                       &(VkImageCreateInfo){
                           .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                           .imageType = VK_IMAGE_TYPE_2D,
                           .format = VK_FORMAT_R8G8B8A8_UNORM,
                           .extent = {SIDE, SIDE, 1},
                           .mipLevels = 1,
                           .arrayLayers = 1,
                           .samples = VK_SAMPLE_COUNT_1_BIT,
                           .tiling = tiling,
                           .usage = usage,
                       },
                       NULL, &made));
    VkMemoryRequirements requirements;
    vkGetImageMemoryRequirements(gpu.device, made, &requirements);
    must(vkBindImageMemory(gpu.device, made, allocate(&gpu, &requirements, 0, 0), 0));
    return made;
}

static void init(void)
{
    static VkPhysicalDeviceHostImageCopyFeaturesEXT copies = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_HOST_IMAGE_COPY_FEATURES_EXT,
        .hostImageCopy = VK_TRUE,
    };
    static VkPhysicalDeviceVulkan12Features core12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .timelineSemaphore = VK_TRUE,
        .bufferDeviceAddress = VK_TRUE,
    };
    static VkPhysicalDeviceVulkan13Features core13 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .pNext = &core12,
        .dynamicRendering = VK_TRUE,
        .synchronization2 = VK_TRUE,
    };
    static const char *const extension = VK_EXT_HOST_IMAGE_COPY_EXTENSION_NAME;
    struct gpu_options options = {.name = "beside", .features = &core13};
    gpu_init_instance(&gpu, &options);
    VkPhysicalDevice first;
    uint32_t count = 1;
    expect(vkEnumeratePhysicalDevices(gpu.instance, &count, &first) >= 0 && count, "no device");
    const bool has_copies = gpu_has_extension(first, extension);
    if (has_copies) {
        copies.pNext = &core13;
        options.features = &copies;
        options.device_extensions = &extension;
        options.device_extension_count = 1;
    }
    gpu_init_device(&gpu, &options);

    set_layout = set_layout_of_two(&gpu, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                   VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, VK_SHADER_STAGE_ALL);
    layout = pipeline_layout_init(&gpu, &set_layout, VK_SHADER_STAGE_ALL, 64);
    module = shader_init(&gpu, sum_comp, sizeof(sum_comp));
    must(vkCreateDescriptorPool(
        gpu.device,
        &(VkDescriptorPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .maxSets = 4,
            .poolSizeCount = 1,
            .pPoolSizes = &(VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 16},
        },
        NULL, &descriptors));
    for (int i = 0; i < 2; i++) {
        must(vkCreatePipelineCache(
            gpu.device,
            &(VkPipelineCacheCreateInfo){.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO},
            NULL, &caches[i]));
    }
    buffer_init_host(&gpu, &buffer, 65536, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    addressed = buffer_init_addressed(&gpu, &with_address, 256, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    image_init(&gpu, &image,
               &(struct image_options){
                   .format = VK_FORMAT_R8G8B8A8_UNORM,
                   .extent = {16, 16},
                   .usage = VK_IMAGE_USAGE_SAMPLED_BIT,
               });
    linear = create_image(VK_IMAGE_TILING_LINEAR, VK_IMAGE_USAGE_TRANSFER_SRC_BIT);
    if (has_copies) {
        copied = create_image(VK_IMAGE_TILING_OPTIMAL, VK_IMAGE_USAGE_HOST_TRANSFER_BIT_EXT);
        transition();
    }
    must(vkCreateRenderPass(
        gpu.device,
        &(VkRenderPassCreateInfo){
            .sType = VK_STRUCTURE_TYPE_RENDER_PASS_CREATE_INFO,
            .subpassCount = 1,
            .pSubpasses =
                &(VkSubpassDescription){.pipelineBindPoint = VK_PIPELINE_BIND_POINT_GRAPHICS},
        },
        NULL, &render_pass));
    must(vkCreateEvent(gpu.device,
                       &(VkEventCreateInfo){.sType = VK_STRUCTURE_TYPE_EVENT_CREATE_INFO}, NULL,
                       &event));
    must(vkCreateQueryPool(gpu.device,
                           &(VkQueryPoolCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                               .queryType = VK_QUERY_TYPE_OCCLUSION,
                               .queryCount = 1,
                           },
                           NULL, &queries));
    must(vkCreateSemaphore(gpu.device,
                           &(VkSemaphoreCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                               .pNext =
                                   &(VkSemaphoreTypeCreateInfo){
                                       .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                       .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
                                   },
                           },
                           NULL, &timeline));
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    map_faults();
    init();
    int tested = 0;
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        if ((argc > 1 && strcmp(argv[1], calls[i].name) != 0) || (calls[i].copies && !copied))
            continue;
        test(&calls[i]);
        tested++;
    }
    expect(tested, "no such command");
    printf("beside: ok\n");
    return 0;
}
