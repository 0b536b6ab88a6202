// What stands between draws: barriers, the beginning and end of render passes, secondary command
// buffers.
#include "bench.h"

enum {
    SET_COUNT = 2, // one is recorded while the other is executed
    SET_SIZE = 64,
    SECONDARY_DRAWS = 16,
};

static struct image image;
static VkCommandPool secondary_pool;
static VkCommandBuffer secondary; // recorded once, executed often
static struct secondary_set {
    VkCommandPool pool;
    VkCommandBuffer primary;
    VkCommandBuffer secondaries[SET_SIZE];
    VkFence fence;
    bool pending;
} sets[SET_COUNT];
static uint32_t next_set;

static VkCommandPool pool_init(void)
{
    VkCommandPool pool;
    must(vkCreateCommandPool(gpu.device,
                             &(VkCommandPoolCreateInfo){
                                 .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                 .queueFamilyIndex = gpu.family,
                             },
                             NULL, &pool));
    return pool;
}

static void buffers_init(VkCommandPool pool, VkCommandBufferLevel level, uint32_t count,
                         VkCommandBuffer *buffers)
{
    must(vkAllocateCommandBuffers(gpu.device,
                                  &(VkCommandBufferAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                      .commandPool = pool,
                                      .level = level,
                                      .commandBufferCount = count,
                                  },
                                  buffers));
}

static void record_secondary(VkCommandBuffer commands, VkCommandBufferUsageFlags flags,
                             uint32_t draw_count)
{
    const VkCommandBufferInheritanceInfo inheritance = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_INHERITANCE_INFO,
        .renderPass = stage.render_pass,
        .framebuffer = stage.framebuffer,
    };
    must(vk.BeginCommandBuffer(
        commands, &(VkCommandBufferBeginInfo){
                      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                      .flags = VK_COMMAND_BUFFER_USAGE_RENDER_PASS_CONTINUE_BIT | flags,
                      .pInheritanceInfo = &inheritance,
                  }));
    stage_bind(commands);
    for (uint32_t i = 0; i < draw_count; i++)
        vk.CmdDraw(commands, 3, 1, 0, 0);
    must(vk.EndCommandBuffer(commands));
}

static void init(void)
{
    image_init(&gpu, &image,
               &(struct image_options){
                   .format = VK_FORMAT_R8G8B8A8_UNORM,
                   .extent = {16, 16},
                   .usage = VK_IMAGE_USAGE_TRANSFER_DST_BIT | VK_IMAGE_USAGE_SAMPLED_BIT,
               });
    secondary_pool = pool_init();
    buffers_init(secondary_pool, VK_COMMAND_BUFFER_LEVEL_SECONDARY, 1, &secondary);
    record_secondary(secondary, VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT, 1);
    for (uint32_t i = 0; i < SET_COUNT; i++) {
        sets[i].pool = pool_init();
        buffers_init(sets[i].pool, VK_COMMAND_BUFFER_LEVEL_PRIMARY, 1, &sets[i].primary);
        buffers_init(sets[i].pool, VK_COMMAND_BUFFER_LEVEL_SECONDARY, SET_SIZE,
                     sets[i].secondaries);
        sets[i].fence = fence_init();
    }
}

static void finish(void)
{
    for (uint32_t i = 0; i < SET_COUNT; i++) {
        vkDestroyFence(gpu.device, sets[i].fence, NULL);
        vkDestroyCommandPool(gpu.device, sets[i].pool, NULL);
    }
    vkDestroyCommandPool(gpu.device, secondary_pool, NULL);
    image_finish(&gpu, &image);
}

static void barrier_memory(VkCommandBuffer commands, uint32_t count)
{
    const VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_SHADER_READ_BIT,
    };
    for (uint32_t i = 0; i < count; i++)
        vk.CmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
                              VK_PIPELINE_STAGE_FRAGMENT_SHADER_BIT, 0, 1, &barrier, 0, NULL, 0,
                              NULL);
}

static void barrier_image(VkCommandBuffer commands, uint32_t count)
{
    const VkImageMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_SHADER_READ_BIT,
        .oldLayout = VK_IMAGE_LAYOUT_UNDEFINED,
        .newLayout = VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL,
        .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .image = image.handle,
        .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1},
    };
    for (uint32_t i = 0; i < count; i++)
        vk.CmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
                              VK_PIPELINE_STAGE_FRAGMENT_SHADER_BIT, 0, 0, NULL, 0, NULL, 1,
                              &barrier);
}

static void barrier2_image(VkCommandBuffer commands, uint32_t count)
{
    const VkImageMemoryBarrier2 barrier = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER_2,
        .srcStageMask = VK_PIPELINE_STAGE_2_TRANSFER_BIT,
        .srcAccessMask = VK_ACCESS_2_TRANSFER_WRITE_BIT,
        .dstStageMask = VK_PIPELINE_STAGE_2_FRAGMENT_SHADER_BIT,
        .dstAccessMask = VK_ACCESS_2_SHADER_READ_BIT,
        .oldLayout = VK_IMAGE_LAYOUT_UNDEFINED,
        .newLayout = VK_IMAGE_LAYOUT_SHADER_READ_ONLY_OPTIMAL,
        .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
        .image = image.handle,
        .subresourceRange = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1},
    };
    const VkDependencyInfo dependency = {
        .sType = VK_STRUCTURE_TYPE_DEPENDENCY_INFO,
        .imageMemoryBarrierCount = 1,
        .pImageMemoryBarriers = &barrier,
    };
    for (uint32_t i = 0; i < count; i++)
        vk.CmdPipelineBarrier2(commands, &dependency);
}

static void render_pass(VkCommandBuffer commands, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        stage_begin(commands, VK_SUBPASS_CONTENTS_INLINE);
        stage_end(commands);
    }
}

static void dynamic_rendering(VkCommandBuffer commands, uint32_t count)
{
    const VkRenderingAttachmentInfo attachment = {
        .sType = VK_STRUCTURE_TYPE_RENDERING_ATTACHMENT_INFO,
        .imageView = stage.target.view,
        .imageLayout = VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL,
        .loadOp = VK_ATTACHMENT_LOAD_OP_DONT_CARE,
        .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
    };
    const VkRenderingInfo info = {
        .sType = VK_STRUCTURE_TYPE_RENDERING_INFO,
        .renderArea.extent = stage.target.extent,
        .layerCount = 1,
        .colorAttachmentCount = 1,
        .pColorAttachments = &attachment,
    };
    for (uint32_t i = 0; i < count; i++) {
        vk.CmdBeginRendering(commands, &info);
        vk.CmdEndRendering(commands);
    }
}

static void secondary_execute(VkCommandBuffer commands, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        vk.CmdExecuteCommands(commands, 1, &secondary);
}

static void secondary_record(uint32_t count)
{
    struct secondary_set *set = &sets[next_set++ % SET_COUNT];
    if (set->pending)
        fence_wait(set->fence);
    must(vk.ResetCommandPool(gpu.device, set->pool, 0));
    for (uint32_t i = 0; i < count; i++)
        record_secondary(set->secondaries[i], VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
                         SECONDARY_DRAWS);
    must(vk.BeginCommandBuffer(set->primary,
                               &(VkCommandBufferBeginInfo){
                                   .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                   .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
                               }));
    stage_begin(set->primary, VK_SUBPASS_CONTENTS_SECONDARY_COMMAND_BUFFERS);
    vk.CmdExecuteCommands(set->primary, count, set->secondaries);
    stage_end(set->primary);
    must(vk.EndCommandBuffer(set->primary));
    submit(1, &set->primary, set->fence);
    set->pending = true;
}

// clang-format off
static const struct bench_case cases[] = {
    {"barrier_memory",    "pass", "barrier",            .record = barrier_memory,    .count = 1000},
    {"barrier_image",     "pass", "barrier",            .record = barrier_image,     .count = 1000},
    {"barrier2_image",    "pass", "barrier",            .record = barrier2_image,    .count = 1000},
    {"render_pass",       "pass", "pass",               .record = render_pass,       .count = 500},
    {"dynamic_rendering", "pass", "pass",               .record = dynamic_rendering, .count = 500},
    {"secondary_execute", "pass", "execution",          .record = secondary_execute, .count = 1000, .place = SECONDARY},
    {"secondary_record",  "pass", "buffer of 16 draws", .repeat = secondary_record,  .count = SET_SIZE},
};
// clang-format on

const struct suite suite_pass = {
    .cases = cases,
    .case_count = ARRAY_SIZE(cases),
    .init = init,
    .finish = finish,
};
