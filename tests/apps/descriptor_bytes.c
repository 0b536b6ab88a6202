/* SPDX-License-Identifier: MIT
 *
 * Descriptors as bytes: whoever asks again gets the same, and whoever asks about something new gets its
 * own, also where it has the address or the handle of something that is gone.
 */
#include "common.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
    BYTES_MAX = 1024,
    SIZE = 4096,
    MANY = 1000,
    THREADS = 4,
    TRIES = 50,
    UNTOUCHED = 0xee,
};

struct bytes {
    uint8_t data[BYTES_MAX];
};

static struct gpu gpu;
static PFN_vkGetDescriptorEXT get_descriptor;
static VkPhysicalDeviceDescriptorBufferPropertiesEXT sizes = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_BUFFER_PROPERTIES_EXT,
};

static size_t size_of(VkDescriptorType type)
{
    switch ((int)type) {
    case VK_DESCRIPTOR_TYPE_SAMPLER:
        return sizes.samplerDescriptorSize;
    case VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER:
        return sizes.combinedImageSamplerDescriptorSize;
    case VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE:
        return sizes.sampledImageDescriptorSize;
    case VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER:
        return sizes.uniformBufferDescriptorSize;
    case VK_DESCRIPTOR_TYPE_STORAGE_BUFFER:
        return sizes.storageBufferDescriptorSize;
    default:
        return sizes.uniformTexelBufferDescriptorSize;
    }
}

static struct bytes get(VkDescriptorType type, VkDescriptorDataEXT data)
{
    struct bytes bytes;
    const size_t size = size_of(type);
    expect(size > 0 && size < BYTES_MAX, "descriptors of type %d have %zu bytes", type, size);
    memset(&bytes, UNTOUCHED, sizeof(bytes));
    get_descriptor(gpu.device,
                   &(VkDescriptorGetInfoEXT){
                       .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_GET_INFO_EXT,
                       .type = type,
                       .data = data,
                   },
                   size, bytes.data);
    for (size_t i = size; i < BYTES_MAX; i++)
        expect(bytes.data[i] == UNTOUCHED, "byte %zu of type %d was written, of %zu", i, type,
               size);
    return bytes;
}

static bool same(const struct bytes *a, const struct bytes *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static struct bytes of_buffer(VkDescriptorType type, VkDeviceAddress address, VkDeviceSize range)
{
    const VkDescriptorAddressInfoEXT info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_ADDRESS_INFO_EXT,
        .address = address,
        .range = range,
        .format = type == VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER ? VK_FORMAT_R32_UINT
                                                                  : VK_FORMAT_UNDEFINED,
    };
    return get(type, (VkDescriptorDataEXT){.pUniformBuffer = &info});
}

static struct bytes of_image(VkDescriptorType type, VkImageView view, VkSampler sampler)
{
    const VkDescriptorImageInfo info = {sampler, view, VK_IMAGE_LAYOUT_GENERAL};
    return get(type, (VkDescriptorDataEXT){.pCombinedImageSampler = &info});
}

static const VkDescriptorType buffer_types[] = {
    VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER,
    VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
    VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER,
};

static VkBuffer create_buffer(void)
{
    VkBuffer buffer;
    must(vkCreateBuffer(gpu.device,
                        &(VkBufferCreateInfo){
                            .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                            .size = SIZE,
                            .usage = VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT |
                                     VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                                     VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT |
                                     VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT,
                        },
                        NULL, &buffer));
    return buffer;
}

static VkDeviceAddress bind(VkBuffer buffer, VkDeviceMemory memory)
{
    must(vkBindBufferMemory(gpu.device, buffer, memory, 0));
    return vkGetBufferDeviceAddress(gpu.device,
                                    &(VkBufferDeviceAddressInfo){
                                        .sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                                        .buffer = buffer,
                                    });
}

static VkDeviceMemory allocate_for(VkBuffer buffer)
{
    VkMemoryRequirements needs;
    vkGetBufferMemoryRequirements(gpu.device, buffer, &needs);
    VkDeviceMemory memory;
    must(vkAllocateMemory(
        gpu.device,
        &(VkMemoryAllocateInfo){
            .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
            .pNext =
                &(VkMemoryAllocateFlagsInfo){
                    .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                    .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT,
                },
            .allocationSize = needs.size,
            .memoryTypeIndex = find_memory_type(
                &gpu, needs.memoryTypeBits,
                VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, 0),
        },
        NULL, &memory));
    return memory;
}

static void ask_all(VkDeviceAddress address, struct bytes *bytes)
{
    for (size_t i = 0; i < ARRAY_SIZE(buffer_types); i++) {
        bytes[i] = of_buffer(buffer_types[i], address, 256);
        const struct bytes again = of_buffer(buffer_types[i], address, 256);
        expect(same(&bytes[i], &again), "type %d has two descriptors", buffer_types[i]);
        const struct bytes shorter = of_buffer(buffer_types[i], address, 128);
        expect(!same(&bytes[i], &shorter), "of type %d the range makes no difference",
               buffer_types[i]);
    }
}

/* A driver may put into descriptors what tells one buffer from the next. */
static void compare(const char *what, const struct bytes *before, const struct bytes *after)
{
    for (size_t i = 0; i < ARRAY_SIZE(buffer_types); i++)
        printf("%s, type %d: %s bytes\n", what, buffer_types[i],
               same(&before[i], &after[i]) ? "the same" : "other");
}

static void test_next_buffer(void)
{
    struct bytes before[ARRAY_SIZE(buffer_types)], after[ARRAY_SIZE(buffer_types)];
    VkBuffer buffer = create_buffer();
    const VkDeviceMemory memory = allocate_for(buffer);
    const VkDeviceAddress address = bind(buffer, memory);
    ask_all(address, before);
    vkDestroyBuffer(gpu.device, buffer, NULL);
    buffer = create_buffer();
    expect(bind(buffer, memory) == address, "the next buffer in its memory has another address");
    ask_all(address, after);
    compare("another buffer at the same address", before, after);
    vkDestroyBuffer(gpu.device, buffer, NULL);
    vkFreeMemory(gpu.device, memory, NULL);
}

/* The buffer lives on without its memory, whose address others may have. */
static void test_next_memory(void)
{
    struct bytes before[ARRAY_SIZE(buffer_types)], after[ARRAY_SIZE(buffer_types)];
    bool found = false;
    for (int i = 0; i < TRIES && !found; i++) {
        const VkBuffer old = create_buffer();
        VkDeviceMemory memory = allocate_for(old);
        const VkDeviceAddress address = bind(old, memory);
        ask_all(address, before);
        vkFreeMemory(gpu.device, memory, NULL);
        const VkBuffer buffer = create_buffer();
        memory = allocate_for(buffer);
        found = bind(buffer, memory) == address;
        if (found)
            ask_all(address, after);
        vkDestroyBuffer(gpu.device, old, NULL);
        vkDestroyBuffer(gpu.device, buffer, NULL);
        vkFreeMemory(gpu.device, memory, NULL);
    }
    expect(found, "no address came again");
    compare("other memory at the same address", before, after);
}

static VkSampler create_sampler(VkFilter filter)
{
    VkSampler sampler;
    must(vkCreateSampler(gpu.device,
                         &(VkSamplerCreateInfo){
                             .sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO,
                             .magFilter = filter,
                             .minFilter = filter,
                         },
                         NULL, &sampler));
    return sampler;
}

static struct bytes of_sampler(VkSampler sampler)
{
    return get(VK_DESCRIPTOR_TYPE_SAMPLER, (VkDescriptorDataEXT){.pSampler = &sampler});
}

static VkImageView create_view(VkImage image, VkFormat format)
{
    VkImageView view;
    must(vkCreateImageView(gpu.device,
                           &(VkImageViewCreateInfo){
                               .sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
                               .image = image,
                               .viewType = VK_IMAGE_VIEW_TYPE_2D,
                               .format = format,
                               .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1},
                           },
                           NULL, &view));
    return view;
}

/* Two kinds in turns, each of which may get the handle that the other one had. */
static void test_handles(void)
{
    VkImage image;
    must(vkCreateImage(gpu.device,
                       &(VkImageCreateInfo){
                           .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
                           .flags = VK_IMAGE_CREATE_MUTABLE_FORMAT_BIT,
                           .imageType = VK_IMAGE_TYPE_2D,
                           .format = VK_FORMAT_R8G8B8A8_UNORM,
                           .extent = {16, 16, 1},
                           .mipLevels = 1,
                           .arrayLayers = 1,
                           .samples = VK_SAMPLE_COUNT_1_BIT,
                           .usage = VK_IMAGE_USAGE_SAMPLED_BIT,
                       },
                       NULL, &image));
    VkMemoryRequirements needs;
    vkGetImageMemoryRequirements(gpu.device, image, &needs);
    const VkDeviceMemory memory = allocate(&gpu, &needs, 0, 0);
    must(vkBindImageMemory(gpu.device, image, memory, 0));
    const VkSampler linear = create_sampler(VK_FILTER_LINEAR);
    const struct bytes of_linear = of_sampler(linear);
    for (int i = 0; i < 4; i++) {
        const bool odd = i & 1;
        const VkSampler sampler = create_sampler(odd ? VK_FILTER_LINEAR : VK_FILTER_NEAREST);
        const VkImageView view =
            create_view(image, odd ? VK_FORMAT_R32_UINT : VK_FORMAT_R8G8B8A8_UNORM);
        const struct bytes bytes = of_sampler(sampler);
        printf("sampler %d: %s bytes\n", i, same(&bytes, &of_linear) ? "the same" : "other");
        const struct bytes sampled =
            of_image(VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE, view, (VkSampler)GARBAGE_HANDLE);
        const struct bytes again = of_image(VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE, view, VK_NULL_HANDLE);
        expect(same(&sampled, &again), "an image depends on a sampler that it has not");
        const struct bytes both =
            of_image(VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER, view, sampler);
        const struct bytes other =
            of_image(VK_DESCRIPTOR_TYPE_COMBINED_IMAGE_SAMPLER, view, linear);
        printf("with its sampler, or another: %s bytes\n",
               same(&both, &other) ? "the same" : "other");
        vkDestroyImageView(gpu.device, view, NULL);
        vkDestroySampler(gpu.device, sampler, NULL);
    }
    vkDestroySampler(gpu.device, linear, NULL);
    vkDestroyImage(gpu.device, image, NULL);
    vkFreeMemory(gpu.device, memory, NULL);
}

static void test_null(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(buffer_types); i++) {
        const struct bytes one = get(buffer_types[i], (VkDescriptorDataEXT){0});
        const struct bytes two = get(buffer_types[i], (VkDescriptorDataEXT){0});
        expect(same(&one, &two), "null of type %d has two descriptors", buffer_types[i]);
    }
    const struct bytes none = get(VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE, (VkDescriptorDataEXT){0});
    const struct bytes no_view =
        of_image(VK_DESCRIPTOR_TYPE_SAMPLED_IMAGE, VK_NULL_HANDLE, VK_NULL_HANDLE);
    printf("no image, and no view: %s bytes\n", same(&none, &no_view) ? "the same" : "other");
}

static VkDeviceAddress many_at;
static struct bytes many[MANY];

static void *ask_many(void *step)
{
    for (uint32_t i = 0; i < MANY; i++) {
        const uint32_t j = i * *(const uint32_t *)step % MANY;
        const struct bytes bytes =
            of_buffer(VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, many_at, 4 + 4 * (j % 1000));
        expect(same(&bytes, &many[j]), "descriptor %u is another one's", j);
    }
    return NULL;
}

/* While one of them destroys what has nothing to do with it. */
static void test_threads(void)
{
    static const uint32_t steps[THREADS] = {1, 3, 7, 999};
    pthread_t threads[THREADS];
    const VkBuffer buffer = create_buffer();
    const VkDeviceMemory memory = allocate_for(buffer);
    many_at = bind(buffer, memory);
    for (uint32_t i = 0; i < MANY; i++)
        many[i] = of_buffer(VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, many_at, 4 + 4 * (i % 1000));
    for (int i = 0; i < THREADS; i++)
        expect(pthread_create(&threads[i], NULL, ask_many, (void *)&steps[i]) == 0, "no thread");
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    vkDestroyBuffer(gpu.device, buffer, NULL);
    vkFreeMemory(gpu.device, memory, NULL);
}

static const struct program_part parts[] = {
    {"another buffer where one was", test_next_buffer},
    {"other memory where some was", test_next_memory},
    {"samplers and views", test_handles},
    {"null descriptors", test_null},
    {"threads", test_threads},
};

int main(void)
{
    const char *const extensions[] = {
        VK_EXT_DESCRIPTOR_BUFFER_EXTENSION_NAME,
        VK_EXT_ROBUSTNESS_2_EXTENSION_NAME,
    };
    VkPhysicalDeviceVulkan12Features address = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .bufferDeviceAddress = VK_TRUE,
    };
    VkPhysicalDeviceRobustness2FeaturesEXT null = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT,
        .pNext = &address,
        .nullDescriptor = VK_TRUE,
    };
    const struct gpu_options options = {
        .name = "descriptor_bytes",
        .device_extensions = extensions,
        .device_extension_count = ARRAY_SIZE(extensions),
        .features =
            &(VkPhysicalDeviceDescriptorBufferFeaturesEXT){
                .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_BUFFER_FEATURES_EXT,
                .pNext = &null,
                .descriptorBuffer = VK_TRUE,
            },
    };
    gpu_init_instance(&gpu, &options);
    uint32_t one = 1;
    expect(vkEnumeratePhysicalDevices(gpu.instance, &one, &gpu.physical) >= 0 && one == 1,
           "there is no device");
    for (uint32_t i = 0; i < ARRAY_SIZE(extensions); i++) {
        if (!gpu_has_extension(gpu.physical, extensions[i])) {
            printf("descriptor_bytes: skipped, no %s\n", extensions[i]);
            return EXIT_SKIPPED;
        }
    }
    vkGetPhysicalDeviceProperties2(gpu.physical,
                                   &(VkPhysicalDeviceProperties2){
                                       .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                       .pNext = &sizes,
                                   });
    gpu_init_device(&gpu, &options);
    get_descriptor = (PFN_vkGetDescriptorEXT)vkGetDeviceProcAddr(gpu.device, "vkGetDescriptorEXT");
    run_parts("descriptor_bytes", parts, ARRAY_SIZE(parts));
    gpu_finish(&gpu);
    return 0;
}
