/* SPDX-License-Identifier: MIT
 *
 * Capture data of descriptors: of each kind of object it comes whole and in the size that the device says,
 * and objects are made from it.
 */
#include "common.h"

#include <stdio.h>
#include <string.h>

#define DATA_MAX  256
#define UNTOUCHED 0xee

static struct gpu gpu;
static VkPhysicalDeviceDescriptorBufferPropertiesEXT sizes = {
    .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_BUFFER_PROPERTIES_EXT,
};
static uint8_t data[DATA_MAX];

/* In the chain of an object's second life. */
static const VkOpaqueCaptureDescriptorDataCreateInfoEXT replay = {
    .sType = VK_STRUCTURE_TYPE_OPAQUE_CAPTURE_DESCRIPTOR_DATA_CREATE_INFO_EXT,
    .opaqueCaptureDescriptorData = data,
};

static void begin(void)
{
    memset(data, UNTOUCHED, sizeof(data));
}

/* Prints it, to be compared with another driver's. */
static void show(const char *what, size_t size)
{
    expect(size > 0 && size < DATA_MAX, "data of a %s has %zu bytes", what, size);
    printf("%s: %zu bytes, %016jx\n", what, size, (uintmax_t)fnv1a(data, size));
    bool some = false;
    for (size_t i = 0; i < size; i++)
        some = some || data[i] != UNTOUCHED;
    expect(some, "nothing was captured of a %s", what);
    expect(data[size - 1] != UNTOUCHED, "the last byte of a %s is missing", what);
    for (size_t i = size; i < DATA_MAX; i++)
        expect(data[i] == UNTOUCHED, "byte %zu was written behind the data of a %s", i, what);
}

/* Calls a command of VK_EXT_descriptor_buffer. */
#define CAPTURE(name, info)                                                     \
    must(((PFN_vkGet##name##OpaqueCaptureDescriptorDataEXT)vkGetDeviceProcAddr( \
        gpu.device, "vkGet" #name "OpaqueCaptureDescriptorDataEXT"))(gpu.device, info, data))

static void test_buffer(void)
{
    VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .flags = VK_BUFFER_CREATE_DESCRIPTOR_BUFFER_CAPTURE_REPLAY_BIT_EXT,
        .size = 256,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
    };
    for (int life = 0; life < 2; life++) {
        VkBuffer buffer;
        must(vkCreateBuffer(gpu.device, &info, NULL, &buffer));
        begin();
        CAPTURE(Buffer, (&(VkBufferCaptureDescriptorDataInfoEXT){
                            .sType = VK_STRUCTURE_TYPE_BUFFER_CAPTURE_DESCRIPTOR_DATA_INFO_EXT,
                            .buffer = buffer,
                        }));
        show("buffer", sizes.bufferCaptureReplayDescriptorDataSize);
        vkDestroyBuffer(gpu.device, buffer, NULL);
        info.pNext = &replay;
    }
}

static VkDeviceMemory bind_image(VkImage image)
{
    VkMemoryRequirements requirements;
    vkGetImageMemoryRequirements(gpu.device, image, &requirements);
    const VkDeviceMemory memory = allocate(&gpu, &requirements, 0, 0);
    must(vkBindImageMemory(gpu.device, image, memory, 0));
    return memory;
}

static void test_image(void)
{
    VkImageCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
        .flags = VK_IMAGE_CREATE_DESCRIPTOR_BUFFER_CAPTURE_REPLAY_BIT_EXT,
        .imageType = VK_IMAGE_TYPE_2D,
        .format = VK_FORMAT_R8G8B8A8_UNORM,
        .extent = {16, 16, 1},
        .mipLevels = 1,
        .arrayLayers = 1,
        .samples = VK_SAMPLE_COUNT_1_BIT,
        .usage = VK_IMAGE_USAGE_SAMPLED_BIT,
    };
    for (int life = 0; life < 2; life++) {
        VkImage image;
        must(vkCreateImage(gpu.device, &info, NULL, &image));
        begin();
        CAPTURE(Image, (&(VkImageCaptureDescriptorDataInfoEXT){
                           .sType = VK_STRUCTURE_TYPE_IMAGE_CAPTURE_DESCRIPTOR_DATA_INFO_EXT,
                           .image = image,
                       }));
        show("image", sizes.imageCaptureReplayDescriptorDataSize);
        vkDestroyImage(gpu.device, image, NULL);
        info.pNext = &replay;
    }
    info.pNext = NULL;

    VkImage image;
    must(vkCreateImage(gpu.device, &info, NULL, &image));
    const VkDeviceMemory memory = bind_image(image);
    VkImageViewCreateInfo view_info = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
        .flags = VK_IMAGE_VIEW_CREATE_DESCRIPTOR_BUFFER_CAPTURE_REPLAY_BIT_EXT,
        .image = image,
        .viewType = VK_IMAGE_VIEW_TYPE_2D,
        .format = info.format,
        .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1},
    };
    for (int life = 0; life < 2; life++) {
        VkImageView view;
        must(vkCreateImageView(gpu.device, &view_info, NULL, &view));
        begin();
        CAPTURE(ImageView,
                (&(VkImageViewCaptureDescriptorDataInfoEXT){
                    .sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CAPTURE_DESCRIPTOR_DATA_INFO_EXT,
                    .imageView = view,
                }));
        show("view", sizes.imageViewCaptureReplayDescriptorDataSize);
        vkDestroyImageView(gpu.device, view, NULL);
        view_info.pNext = &replay;
    }
    vkDestroyImage(gpu.device, image, NULL);
    vkFreeMemory(gpu.device, memory, NULL);
}

static void test_sampler(void)
{
    VkSamplerCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO,
        .flags = VK_SAMPLER_CREATE_DESCRIPTOR_BUFFER_CAPTURE_REPLAY_BIT_EXT,
    };
    for (int life = 0; life < 2; life++) {
        VkSampler sampler;
        must(vkCreateSampler(gpu.device, &info, NULL, &sampler));
        begin();
        CAPTURE(Sampler, (&(VkSamplerCaptureDescriptorDataInfoEXT){
                             .sType = VK_STRUCTURE_TYPE_SAMPLER_CAPTURE_DESCRIPTOR_DATA_INFO_EXT,
                             .sampler = sampler,
                         }));
        show("sampler", sizes.samplerCaptureReplayDescriptorDataSize);
        vkDestroySampler(gpu.device, sampler, NULL);
        info.pNext = &replay;
    }
}

static void test_structure(void)
{
    struct buffer buffer;
    buffer_init_addressed(&gpu, &buffer, 4096,
                          VK_BUFFER_USAGE_ACCELERATION_STRUCTURE_STORAGE_BIT_KHR);
    VkAccelerationStructureCreateInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_CREATE_INFO_KHR,
        .createFlags = VK_ACCELERATION_STRUCTURE_CREATE_DESCRIPTOR_BUFFER_CAPTURE_REPLAY_BIT_EXT,
        .buffer = buffer.handle,
        .size = 4096,
        .type = VK_ACCELERATION_STRUCTURE_TYPE_BOTTOM_LEVEL_KHR,
    };
    const PFN_vkCreateAccelerationStructureKHR create =
        (PFN_vkCreateAccelerationStructureKHR)vkGetDeviceProcAddr(
            gpu.device, "vkCreateAccelerationStructureKHR");
    const PFN_vkDestroyAccelerationStructureKHR destroy =
        (PFN_vkDestroyAccelerationStructureKHR)vkGetDeviceProcAddr(
            gpu.device, "vkDestroyAccelerationStructureKHR");
    for (int life = 0; life < 2; life++) {
        VkAccelerationStructureKHR structure;
        must(create(gpu.device, &info, NULL, &structure));
        begin();
        CAPTURE(
            AccelerationStructure,
            (&(VkAccelerationStructureCaptureDescriptorDataInfoEXT){
                .sType = VK_STRUCTURE_TYPE_ACCELERATION_STRUCTURE_CAPTURE_DESCRIPTOR_DATA_INFO_EXT,
                .accelerationStructure = structure,
            }));
        show("structure", sizes.accelerationStructureCaptureReplayDescriptorDataSize);
        destroy(gpu.device, structure, NULL);
        info.pNext = &replay;
    }
    buffer_finish(&gpu, &buffer);
}

static const struct program_part parts[] = {
    {"buffers", test_buffer},
    {"images and views", test_image},
    {"samplers", test_sampler},
    {"acceleration structures", test_structure},
};

int main(void)
{
    const char *const extensions[] = {
        VK_EXT_DESCRIPTOR_BUFFER_EXTENSION_NAME,
        VK_KHR_ACCELERATION_STRUCTURE_EXTENSION_NAME,
        VK_KHR_DEFERRED_HOST_OPERATIONS_EXTENSION_NAME,
    };
    VkPhysicalDeviceVulkan12Features address = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .bufferDeviceAddress = VK_TRUE,
    };
    VkPhysicalDeviceAccelerationStructureFeaturesKHR structures = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ACCELERATION_STRUCTURE_FEATURES_KHR,
        .pNext = &address,
        .accelerationStructure = VK_TRUE,
    };
    VkPhysicalDeviceDescriptorBufferFeaturesEXT features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_BUFFER_FEATURES_EXT,
    };
    const struct gpu_options options = {
        .name = "captures",
        .device_extensions = extensions,
        .device_extension_count = ARRAY_SIZE(extensions),
        .features = &features,
    };
    gpu_init_instance(&gpu, &options);
    uint32_t one = 1;
    expect(vkEnumeratePhysicalDevices(gpu.instance, &one, &gpu.physical) >= 0 && one == 1,
           "there is no device");
    for (uint32_t i = 0; i < ARRAY_SIZE(extensions); i++) {
        if (!gpu_has_extension(gpu.physical, extensions[i])) {
            printf("captures: skipped, no %s\n", extensions[i]);
            return EXIT_SKIPPED;
        }
    }
    vkGetPhysicalDeviceFeatures2(gpu.physical,
                                 &(VkPhysicalDeviceFeatures2){
                                     .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                     .pNext = &features,
                                 });
    if (!features.descriptorBufferCaptureReplay) {
        printf("captures: skipped, no descriptorBufferCaptureReplay\n");
        return EXIT_SKIPPED;
    }
    vkGetPhysicalDeviceProperties2(gpu.physical,
                                   &(VkPhysicalDeviceProperties2){
                                       .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                       .pNext = &sizes,
                                   });
    features = (VkPhysicalDeviceDescriptorBufferFeaturesEXT){
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_BUFFER_FEATURES_EXT,
        .pNext = &structures,
        .descriptorBuffer = VK_TRUE,
        .descriptorBufferCaptureReplay = VK_TRUE,
    };
    gpu_init_device(&gpu, &options);
    run_parts("captures", parts, ARRAY_SIZE(parts));
    gpu_finish(&gpu);
    return 0;
}
