// Draws, alone and with what applications change between them.
#include "bench.h"

static void draw_only(VkCommandBuffer commands)
{
    vk.CmdDraw(commands, 3, 1, 0, 0);
}

static void draw_indexed_only(VkCommandBuffer commands)
{
    vk.CmdDrawIndexed(commands, 3, 1, 0, 0, 0);
}

static void set_pipeline(VkCommandBuffer commands, uint32_t i)
{
    vk.CmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, stage.pipelines[i & 1]);
}

static void set_vertices(VkCommandBuffer commands, uint32_t i)
{
    vk.CmdBindVertexBuffers(commands, 0, 1, &stage.vertices[i & 1].handle, &(VkDeviceSize){0});
}

static void set_indices(VkCommandBuffer commands, uint32_t i)
{
    vk.CmdBindIndexBuffer(commands, stage.indices[i & 1].handle, 0, VK_INDEX_TYPE_UINT32);
}

static void set_constants(VkCommandBuffer commands, uint32_t i)
{
    const float constants[4] = {(float)(i & 1)};
    vk.CmdPushConstants(commands, stage.layout, VK_SHADER_STAGE_VERTEX_BIT, 0, sizeof(constants),
                        constants);
}

static void set_descriptors(VkCommandBuffer commands, uint32_t i)
{
    vk.CmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_GRAPHICS, stage.layout, 0, 1,
                             &stage.sets[i & 1], 0, NULL);
}

static void set_dynamic(VkCommandBuffer commands, uint32_t i)
{
    const uint32_t side = 16 - (i & 1);
    vk.CmdSetViewport(commands, 0, 1, &(VkViewport){0, 0, (float)side, (float)side, 0, 1});
    vk.CmdSetScissor(commands, 0, 1, &(VkRect2D){{0, 0}, {side, side}});
}

static void draw(VkCommandBuffer commands, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        draw_only(commands);
}

static void draw_indexed(VkCommandBuffer commands, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        draw_indexed_only(commands);
}

static void draw_vertex_buffer(VkCommandBuffer commands, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        set_vertices(commands, i);
        draw_only(commands);
    }
}

static void draw_index_buffer(VkCommandBuffer commands, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        set_indices(commands, i);
        draw_indexed_only(commands);
    }
}

static void draw_pipeline(VkCommandBuffer commands, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        set_pipeline(commands, i);
        draw_only(commands);
    }
}

static void draw_push_constants(VkCommandBuffer commands, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        set_constants(commands, i);
        draw_only(commands);
    }
}

static void draw_descriptor_set(VkCommandBuffer commands, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        set_descriptors(commands, i);
        draw_only(commands);
    }
}

static void draw_dynamic_state(VkCommandBuffer commands, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        set_dynamic(commands, i);
        draw_only(commands);
    }
}

static void draw_all_state(VkCommandBuffer commands, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        set_pipeline(commands, i);
        set_vertices(commands, i);
        set_indices(commands, i);
        set_descriptors(commands, i);
        set_constants(commands, i);
        set_dynamic(commands, i);
        draw_indexed_only(commands);
    }
}

static void push_constants(VkCommandBuffer commands, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        set_constants(commands, i);
}

static void bind_descriptor_set(VkCommandBuffer commands, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        set_descriptors(commands, i);
}

// clang-format off
static const struct bench_case cases[] = {
    {"draw",                "draw", "draw",           .record = draw,                .place = INSIDE, .count = 4000},
    {"draw_indexed",        "draw", "draw",           .record = draw_indexed,        .place = INSIDE, .count = 4000},
    {"draw_vertex_buffer",  "draw", "change + draw",  .record = draw_vertex_buffer,  .place = INSIDE, .count = 4000},
    {"draw_index_buffer",   "draw", "change + draw",  .record = draw_index_buffer,   .place = INSIDE, .count = 4000},
    {"draw_pipeline",       "draw", "change + draw",  .record = draw_pipeline,       .place = INSIDE, .count = 4000},
    {"draw_push_constants", "draw", "change + draw",  .record = draw_push_constants, .place = INSIDE, .count = 4000},
    {"draw_descriptor_set", "draw", "change + draw",  .record = draw_descriptor_set, .place = INSIDE, .count = 4000},
    {"draw_dynamic_state",  "draw", "change + draw",  .record = draw_dynamic_state,  .place = INSIDE, .count = 4000},
    {"draw_all_state",      "draw", "change + draw",  .record = draw_all_state,      .place = INSIDE, .count = 1000},
    {"push_constants",      "draw", "command",        .record = push_constants,      .place = INSIDE, .count = 4000},
    {"bind_descriptor_set", "draw", "command",        .record = bind_descriptor_set, .place = INSIDE, .count = 4000},
};
// clang-format on

const struct suite suite_draw = {.cases = cases, .case_count = ARRAY_SIZE(cases)};
