// Submissions and what comes back: fences, results, timeline semaphores, queries; and compute, which
// is where small submissions are many.
#include "bench.h"

#include <stdio.h>
#include <string.h>

enum {
    MANY = 50,
    QUERY_COUNT = 16,
    READ_BACK_SIZE = 4096,
};

static VkCommandPool pool;
static VkCommandBuffer prepared[MANY]; // nothing in them
static VkCommandBuffer commands;
static VkFence fence;
static VkFence fences[2]; // of batches of submissions
static bool fence_pending[2];
static uint32_t next_fence;
static struct buffer read_back;
static VkSemaphore timeline;
static uint64_t timeline_value;
static VkQueryPool queries;

static VkDescriptorSetLayout set_layout;
static VkDescriptorPool descriptor_pool;
static VkDescriptorSet set;
static VkPipelineLayout layout;
static VkPipeline pipeline;

static void buffers_init(uint32_t count, VkCommandBuffer *buffers)
{
    must(vkAllocateCommandBuffers(gpu.device,
                                  &(VkCommandBufferAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                      .commandPool = pool,
                                      .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                      .commandBufferCount = count,
                                  },
                                  buffers));
}

static void begin(VkCommandBuffer buffer, VkCommandBufferUsageFlags flags)
{
    must(vk.BeginCommandBuffer(buffer, &(VkCommandBufferBeginInfo){
                                           .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                           .flags = flags,
                                       }));
}

static void compute_init(void)
{
    must(vkCreateDescriptorSetLayout(
        gpu.device,
        &(VkDescriptorSetLayoutCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = 1,
            .pBindings =
                &(VkDescriptorSetLayoutBinding){
                    .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                    .descriptorCount = 1,
                    .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
                },
        },
        NULL, &set_layout));
    must(vkCreateDescriptorPool(
        gpu.device,
        &(VkDescriptorPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .maxSets = 1,
            .poolSizeCount = 1,
            .pPoolSizes = &(VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1},
        },
        NULL, &descriptor_pool));
    must(vkAllocateDescriptorSets(gpu.device,
                                  &(VkDescriptorSetAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                      .descriptorPool = descriptor_pool,
                                      .descriptorSetCount = 1,
                                      .pSetLayouts = &set_layout,
                                  },
                                  &set));
    vkUpdateDescriptorSets(gpu.device, 1,
                           &(VkWriteDescriptorSet){
                               .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                               .dstSet = set,
                               .descriptorCount = 1,
                               .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                               .pBufferInfo =
                                   &(VkDescriptorBufferInfo){
                                       .buffer = read_back.handle,
                                       .range = VK_WHOLE_SIZE,
                                   },
                           },
                           0, NULL);
    must(vkCreatePipelineLayout(gpu.device,
                                &(VkPipelineLayoutCreateInfo){
                                    .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                    .setLayoutCount = 1,
                                    .pSetLayouts = &set_layout,
                                },
                                NULL, &layout));
    pipeline = compute_pipeline_init(&gpu, layout, compute_shader_code.words,
                                     compute_shader_code.size, NULL);
}

static void init(void)
{
    must(vkCreateCommandPool(gpu.device,
                             &(VkCommandPoolCreateInfo){
                                 .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                 .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                 .queueFamilyIndex = gpu.family,
                             },
                             NULL, &pool));
    buffers_init(1, &commands);
    buffers_init(MANY, prepared);
    for (uint32_t i = 0; i < MANY; i++) {
        begin(prepared[i], VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT);
        must(vk.EndCommandBuffer(prepared[i]));
    }
    fence = fence_init();
    for (uint32_t i = 0; i < 2; i++)
        fences[i] = fence_init();
    buffer_init_host(&gpu, &read_back, READ_BACK_SIZE,
                     VK_BUFFER_USAGE_TRANSFER_DST_BIT | VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    timeline_value = 0;
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
    if (gpu.family_properties.timestampValidBits) {
        must(vkCreateQueryPool(gpu.device,
                               &(VkQueryPoolCreateInfo){
                                   .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                   .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                   .queryCount = QUERY_COUNT,
                               },
                               NULL, &queries));
    }
    compute_init();
}

static void finish(void)
{
    for (uint32_t i = 0; i < 2; i++) {
        if (fence_pending[i])
            fence_wait(fences[i]);
        fence_pending[i] = false;
        vkDestroyFence(gpu.device, fences[i], NULL);
    }
    vkDestroyFence(gpu.device, fence, NULL);
    vkDestroyPipeline(gpu.device, pipeline, NULL);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
    vkDestroyDescriptorPool(gpu.device, descriptor_pool, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, set_layout, NULL);
    vkDestroyQueryPool(gpu.device, queries, NULL);
    vkDestroySemaphore(gpu.device, timeline, NULL);
    buffer_finish(&gpu, &read_back);
    vkDestroyCommandPool(gpu.device, pool, NULL);
}

// A fence for the last of them, so that not more than two batches are under way.
static void submit_many(uint32_t count, uint32_t buffer_count)
{
    const uint32_t turn = next_fence++ % 2;
    if (fence_pending[turn])
        fence_wait(fences[turn]);
    for (uint32_t i = 0; i < count; i++)
        submit(buffer_count, prepared, i + 1 == count ? fences[turn] : VK_NULL_HANDLE);
    fence_pending[turn] = true;
}

static void submit_1(uint32_t count)
{
    submit_many(count, 1);
}

static void submit_50(uint32_t count)
{
    submit_many(count, MANY);
}

static void submit_infos(uint32_t count, const VkSubmitInfo *infos, uint32_t info_count)
{
    const uint32_t turn = next_fence++ % 2;
    if (fence_pending[turn])
        fence_wait(fences[turn]);
    for (uint32_t i = 0; i < count; i++)
        must(vk.QueueSubmit(gpu.queue, info_count, infos,
                            i + 1 == count ? fences[turn] : VK_NULL_HANDLE));
    fence_pending[turn] = true;
}

static void submit_noop(uint32_t count)
{
    submit_many(count, 0);
}

static void submit_50_noop(uint32_t count)
{
    VkSubmitInfo infos[MANY];
    for (uint32_t i = 0; i < MANY; i++)
        infos[i] = (VkSubmitInfo){.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO};
    submit_infos(count, infos, MANY);
}

static void submit_50x1(uint32_t count)
{
    VkSubmitInfo infos[MANY];
    for (uint32_t i = 0; i < MANY; i++)
        infos[i] = (VkSubmitInfo){
            .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
            .commandBufferCount = 1,
            .pCommandBuffers = &prepared[i],
        };
    submit_infos(count, infos, MANY);
}

// Of an empty command buffer: where there is none, the driver need not hear of it.
static uint64_t submit_wait(void)
{
    const uint64_t started = now_ns();
    submit(1, prepared, fence);
    fence_wait(fence);
    return now_ns() - started;
}

static uint64_t record_submit_wait_read(void)
{
    static uint32_t value;
    value++;
    const uint64_t started = now_ns();
    begin(commands, VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT);
    vkCmdFillBuffer(commands, read_back.handle, 0, READ_BACK_SIZE, value);
    memory_barrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                   VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    must(vk.EndCommandBuffer(commands));
    submit(1, &commands, fence);
    fence_wait(fence);
    const uint32_t *words = read_back.map;
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < READ_BACK_SIZE / sizeof(*words); i++)
        wrong += words[i] != value;
    const uint64_t taken = now_ns() - started;
    expect(wrong == 0, "%u words of the buffer have an old value", wrong);
    return taken;
}

// The device waits for the host, which then waits for the device.
static uint64_t timeline_ping_pong(void)
{
    const uint64_t ping = ++timeline_value;
    const uint64_t pong = ++timeline_value;
    const uint64_t started = now_ns();
    must(vk.QueueSubmit(
        gpu.queue, 1,
        &(VkSubmitInfo){
            .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
            .pNext =
                &(VkTimelineSemaphoreSubmitInfo){
                    .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
                    .waitSemaphoreValueCount = 1,
                    .pWaitSemaphoreValues = &ping,
                    .signalSemaphoreValueCount = 1,
                    .pSignalSemaphoreValues = &pong,
                },
            .waitSemaphoreCount = 1,
            .pWaitSemaphores = &timeline,
            .pWaitDstStageMask = &(VkPipelineStageFlags){VK_PIPELINE_STAGE_ALL_COMMANDS_BIT},
            .signalSemaphoreCount = 1,
            .pSignalSemaphores = &timeline,
        },
        VK_NULL_HANDLE));
    must(vk.SignalSemaphore(gpu.device, &(VkSemaphoreSignalInfo){
                                            .sType = VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO,
                                            .semaphore = timeline,
                                            .value = ping,
                                        }));
    must(vk.WaitSemaphores(gpu.device,
                           &(VkSemaphoreWaitInfo){
                               .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                               .semaphoreCount = 1,
                               .pSemaphores = &timeline,
                               .pValues = &pong,
                           },
                           LONG_NS));
    return now_ns() - started;
}

// Only the reading counts, and nobody can know the results before: they are new each time.
static uint64_t query_results(void)
{
    begin(commands, VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT);
    vkCmdResetQueryPool(commands, queries, 0, QUERY_COUNT);
    for (uint32_t i = 0; i < QUERY_COUNT; i++)
        vkCmdWriteTimestamp(commands, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, queries, i);
    must(vk.EndCommandBuffer(commands));
    submit(1, &commands, fence);
    fence_wait(fence);

    uint64_t results[QUERY_COUNT];
    const uint64_t started = now_ns();
    must(vk.GetQueryPoolResults(gpu.device, queries, 0, QUERY_COUNT, sizeof(results), results,
                                sizeof(*results), VK_QUERY_RESULT_64_BIT));
    return now_ns() - started;
}

static const char *no_timestamps(void)
{
    return gpu.family_properties.timestampValidBits ? NULL : "the queue has no timestamps";
}

static void dispatch(VkCommandBuffer buffer, uint32_t count)
{
    vk.CmdBindPipeline(buffer, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vk.CmdBindDescriptorSets(buffer, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1, &set, 0, NULL);
    for (uint32_t i = 0; i < count; i++)
        vk.CmdDispatch(buffer, 1, 1, 1);
}

// clang-format off
static const struct bench_case cases[] = {
    {"submit_1",                "submit",  "submission",       .repeat = submit_1,  .count = 32},
    {"submit_50",               "submit",  "submission of 50", .repeat = submit_50, .count = 8},
    {"submit_noop",             "submit",  "submission",       .repeat = submit_noop,    .count = 32},
    {"submit_50_noop",          "submit",  "submission of 50", .repeat = submit_50_noop, .count = 8},
    {"submit_50x1",             "submit",  "50 batches of 1",  .repeat = submit_50x1,    .count = 8},
    {"submit_wait",             "latency", "round trip",       .once = submit_wait,             .count = 1},
    {"record_submit_wait_read", "latency", "round trip",       .once = record_submit_wait_read, .count = 1},
    {"timeline_ping_pong",      "latency", "round trip",       .once = timeline_ping_pong,      .count = 1},
    {"query_results",           "query",   "read of 16",       .once = query_results,           .count = 1, .missing = no_timestamps},
    {"dispatch_10000",          "compute", "dispatch",         .record = dispatch,              .count = 10000},
};
// clang-format on

const struct suite suite_submit = {
    .cases = cases,
    .case_count = ARRAY_SIZE(cases),
    .init = init,
    .finish = finish,
};
