// Recording, submitting and waiting as an application does it.
#include "bench.h"

#include <pthread.h>

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;

void submit(uint32_t count, const VkCommandBuffer *commands, VkFence fence)
{
    pthread_mutex_lock(&queue_lock);
    must(vk.QueueSubmit(gpu.queue, 1,
                        &(VkSubmitInfo){
                            .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                            .commandBufferCount = count,
                            .pCommandBuffers = commands,
                        },
                        fence));
    pthread_mutex_unlock(&queue_lock);
}

VkFence fence_init(void)
{
    VkFence fence;
    must(vkCreateFence(gpu.device,
                       &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO}, NULL,
                       &fence));
    return fence;
}

void fence_wait(VkFence fence)
{
    must(vk.WaitForFences(gpu.device, 1, &fence, VK_TRUE, LONG_NS));
    must(vk.ResetFences(gpu.device, 1, &fence));
}

void drain(void)
{
    const VkFence fence = fence_init();
    const VkCommandBuffer nothing = commands_begin(&gpu);
    commands_end(nothing);
    submit(1, &nothing, fence);
    fence_wait(fence);
    vkFreeCommandBuffers(gpu.device, gpu.pool, 1, &nothing);
    vkDestroyFence(gpu.device, fence, NULL);
}

void recorder_init(struct recorder *recorder)
{
    *recorder = (struct recorder){0};
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &recorder->slots[i];
        must(vkCreateCommandPool(gpu.device,
                                 &(VkCommandPoolCreateInfo){
                                     .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                     .flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT,
                                     .queueFamilyIndex = gpu.family,
                                 },
                                 NULL, &slot->pool));
        VkCommandBuffer buffers[2];
        must(vkAllocateCommandBuffers(gpu.device,
                                      &(VkCommandBufferAllocateInfo){
                                          .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                          .commandPool = slot->pool,
                                          .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                          .commandBufferCount = 2,
                                      },
                                      buffers));
        slot->commands = buffers[0];
        slot->marker = buffers[1];
        slot->fence = fence_init();
    }
}

static void slot_wait(struct slot *slot)
{
    if (slot->pending)
        fence_wait(slot->fence);
    slot->pending = false;
}

static void slot_submit(struct slot *slot, VkCommandBuffer commands)
{
    submit(1, &commands, slot->fence);
    slot->pending = true;
}

void recorder_finish(struct recorder *recorder)
{
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        slot_wait(&recorder->slots[i]);
        vkDestroyFence(gpu.device, recorder->slots[i].fence, NULL);
        vkDestroyCommandPool(gpu.device, recorder->slots[i].pool, NULL);
    }
}

static void begin(VkCommandBuffer commands)
{
    must(vk.BeginCommandBuffer(commands, &(VkCommandBufferBeginInfo){
                                             .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                             .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
                                         }));
}

uint64_t recorder_frame(struct recorder *recorder, const struct bench_case *bench_case,
                        bool submits)
{
    struct slot *slot = &recorder->slots[recorder->frame_count++ % SLOT_COUNT];
    slot_wait(slot);
    must(vk.ResetCommandPool(gpu.device, slot->pool, 0));
    begin(slot->commands);
    switch (bench_case->place) {
    case OUTSIDE:
        break;
    case INSIDE:
        stage_begin(slot->commands, VK_SUBPASS_CONTENTS_INLINE);
        stage_bind(slot->commands);
        break;
    case SECONDARY:
        stage_begin(slot->commands, VK_SUBPASS_CONTENTS_SECONDARY_COMMAND_BUFFERS);
        break;
    }
    const uint64_t started = now_ns();
    bench_case->record(slot->commands, bench_case->count);
    const uint64_t taken = now_ns() - started;
    if (bench_case->place != OUTSIDE)
        stage_end(slot->commands);
    must(vk.EndCommandBuffer(slot->commands));
    if (submits)
        slot_submit(slot, slot->commands);
    return taken;
}

// What was recorded and not submitted may still be on its way to the driver. An empty command
// buffer of the same pool can not overtake it.
void recorder_drain(struct recorder *recorder)
{
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &recorder->slots[i];
        slot_wait(slot);
        begin(slot->marker);
        must(vk.EndCommandBuffer(slot->marker));
        slot_submit(slot, slot->marker);
    }
    for (uint32_t i = 0; i < SLOT_COUNT; i++)
        slot_wait(&recorder->slots[i]);
}
