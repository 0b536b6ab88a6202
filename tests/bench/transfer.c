// Copies, blits and resolves of a few texels.
#include "bench.h"

enum {
    SIDE = 16,
    PART = 4,
    SIZE = 4096
};

static const VkImageSubresourceLayers colour = {
    .aspectMask = VK_IMAGE_ASPECT_COLOR_BIT,
    .layerCount = 1,
};
static const VkExtent3D part = {PART, PART, 1};

static struct buffer source_buffer;
static struct buffer target_buffer;
static struct image source;
static struct image target;
static struct image samples;

static void to_general(VkCommandBuffer commands, const struct image *image)
{
    image_barrier(commands, image->handle,
                  &(VkImageSubresourceRange){VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1},
                  &(struct image_use){
                      VK_IMAGE_LAYOUT_UNDEFINED,
                      VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT,
                      0,
                  },
                  &(struct image_use){
                      VK_IMAGE_LAYOUT_GENERAL,
                      VK_PIPELINE_STAGE_TRANSFER_BIT,
                      VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
                  });
}

static void init(void)
{
    const VkBufferUsageFlags both =
        VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
    buffer_init_device(&gpu, &source_buffer, SIZE, both);
    buffer_init_device(&gpu, &target_buffer, SIZE, both);
    struct image_options options = {
        .format = VK_FORMAT_R8G8B8A8_UNORM,
        .extent = {SIDE, SIDE},
        .usage = VK_IMAGE_USAGE_TRANSFER_SRC_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT |
                 VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT,
    };
    image_init(&gpu, &source, &options);
    image_init(&gpu, &target, &options);
    options.samples = VK_SAMPLE_COUNT_4_BIT;
    image_init(&gpu, &samples, &options);

    const VkCommandBuffer commands = commands_begin(&gpu);
    to_general(commands, &source);
    to_general(commands, &target);
    to_general(commands, &samples);
    vkCmdClearColorImage(commands, samples.handle, VK_IMAGE_LAYOUT_GENERAL, &(VkClearColorValue){0},
                         1, &(VkImageSubresourceRange){VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1});
    commands_finish(&gpu, commands);
}

static void finish(void)
{
    image_finish(&gpu, &samples);
    image_finish(&gpu, &target);
    image_finish(&gpu, &source);
    buffer_finish(&gpu, &target_buffer);
    buffer_finish(&gpu, &source_buffer);
}

static void copy_buffer(VkCommandBuffer commands, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        vk.CmdCopyBuffer(commands, source_buffer.handle, target_buffer.handle, 1,
                         &(VkBufferCopy){.size = 64});
}

static void copy_image(VkCommandBuffer commands, uint32_t count)
{
    const VkImageCopy region = {
        .srcSubresource = colour,
        .dstSubresource = colour,
        .extent = part,
    };
    for (uint32_t i = 0; i < count; i++)
        vk.CmdCopyImage(commands, source.handle, VK_IMAGE_LAYOUT_GENERAL, target.handle,
                        VK_IMAGE_LAYOUT_GENERAL, 1, &region);
}

static void copy_buffer_to_image(VkCommandBuffer commands, uint32_t count)
{
    const VkBufferImageCopy region = {.imageSubresource = colour, .imageExtent = part};
    for (uint32_t i = 0; i < count; i++)
        vk.CmdCopyBufferToImage(commands, source_buffer.handle, target.handle,
                                VK_IMAGE_LAYOUT_GENERAL, 1, &region);
}

static void copy_image_to_buffer(VkCommandBuffer commands, uint32_t count)
{
    const VkBufferImageCopy region = {.imageSubresource = colour, .imageExtent = part};
    for (uint32_t i = 0; i < count; i++)
        vk.CmdCopyImageToBuffer(commands, source.handle, VK_IMAGE_LAYOUT_GENERAL,
                                target_buffer.handle, 1, &region);
}

static void blit_image(VkCommandBuffer commands, uint32_t count)
{
    const VkImageBlit region = {
        .srcSubresource = colour,
        .srcOffsets = {{0}, {PART, PART, 1}},
        .dstSubresource = colour,
        .dstOffsets = {{0}, {2 * PART, 2 * PART, 1}},
    };
    for (uint32_t i = 0; i < count; i++)
        vk.CmdBlitImage(commands, source.handle, VK_IMAGE_LAYOUT_GENERAL, target.handle,
                        VK_IMAGE_LAYOUT_GENERAL, 1, &region, VK_FILTER_NEAREST);
}

static void resolve_image(VkCommandBuffer commands, uint32_t count)
{
    const VkImageResolve region = {
        .srcSubresource = colour,
        .dstSubresource = colour,
        .extent = part,
    };
    for (uint32_t i = 0; i < count; i++)
        vk.CmdResolveImage(commands, samples.handle, VK_IMAGE_LAYOUT_GENERAL, target.handle,
                           VK_IMAGE_LAYOUT_GENERAL, 1, &region);
}

// clang-format off
static const struct bench_case cases[] = {
    {"copy_buffer",          "transfer", "copy",    .record = copy_buffer,          .count = 1000},
    {"copy_image",           "transfer", "copy",    .record = copy_image,           .count = 1000},
    {"copy_buffer_to_image", "transfer", "copy",    .record = copy_buffer_to_image, .count = 1000},
    {"copy_image_to_buffer", "transfer", "copy",    .record = copy_image_to_buffer, .count = 1000},
    {"blit_image",           "transfer", "blit",    .record = blit_image,           .count = 200},
    {"resolve_image",        "transfer", "resolve", .record = resolve_image,        .count = 200},
};
// clang-format on

const struct suite suite_transfer = {
    .cases = cases,
    .case_count = ARRAY_SIZE(cases),
    .init = init,
    .finish = finish,
};
