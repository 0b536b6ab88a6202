// What the parts of the benchmark share: one device, one small stage to draw on, and what a case
// is.
//
// Each file of cases is a suite: a table of cases with a function each, and what they need. How
// often a function is called, and what its time means, is the business of measure.c alone.
#ifndef BENCH_H
#define BENCH_H

#include "../apps/common.h"

// Commands that are called so often that the loader's own share would show. An application that
// cares gets them from the device, too. The last ones are not in every loader.
#define COMMANDS(X)                    \
    X(AllocateMemory)                  \
    X(BeginCommandBuffer)              \
    X(CmdBeginRenderPass)              \
    X(CmdBeginRendering)               \
    X(CmdBindDescriptorSets)           \
    X(CmdBindIndexBuffer)              \
    X(CmdBindPipeline)                 \
    X(CmdBindVertexBuffers)            \
    X(CmdBlitImage)                    \
    X(CmdCopyBuffer)                   \
    X(CmdCopyBufferToImage)            \
    X(CmdCopyImage)                    \
    X(CmdCopyImageToBuffer)            \
    X(CmdDispatch)                     \
    X(CmdDraw)                         \
    X(CmdDrawIndexed)                  \
    X(CmdEndRenderPass)                \
    X(CmdEndRendering)                 \
    X(CmdExecuteCommands)              \
    X(CmdPipelineBarrier)              \
    X(CmdPipelineBarrier2)             \
    X(CmdPushConstants)                \
    X(CmdResolveImage)                 \
    X(CmdSetScissor)                   \
    X(CmdSetViewport)                  \
    X(CreateBuffer)                    \
    X(CreateComputePipelines)          \
    X(CreateGraphicsPipelines)         \
    X(CreateImage)                     \
    X(CreateImageView)                 \
    X(CreateSampler)                   \
    X(DestroyBuffer)                   \
    X(DestroyImage)                    \
    X(DestroyImageView)                \
    X(DestroyPipeline)                 \
    X(DestroySampler)                  \
    X(EndCommandBuffer)                \
    X(FreeMemory)                      \
    X(GetBufferMemoryRequirements)     \
    X(GetDescriptorEXT)                \
    X(GetImageMemoryRequirements)      \
    X(GetQueryPoolResults)             \
    X(MapMemory)                       \
    X(QueueSubmit)                     \
    X(ResetCommandPool)                \
    X(ResetFences)                     \
    X(SignalSemaphore)                 \
    X(UnmapMemory)                     \
    X(UpdateDescriptorSetWithTemplate) \
    X(UpdateDescriptorSets)            \
    X(WaitForFences)                   \
    X(WaitSemaphores)                  \
    X(CmdPushDescriptorSetKHR)         \
    X(CopyImageToMemoryEXT)            \
    X(CopyMemoryToImageEXT)            \
    X(TransitionImageLayoutEXT)

struct commands {
#define X(name) PFN_vk##name name;
    COMMANDS(X)
#undef X
};

extern struct commands vk;
extern struct gpu gpu;

// Where a recording case records.
enum place {
    OUTSIDE,   // of a render pass
    INSIDE,    // of the stage's pass, with everything bound that a draw needs
    SECONDARY, // inside of the stage's pass, whose contents are secondary command buffers
};

// One of the three functions is there.
struct bench_case {
    const char *name;
    const char *group;
    const char *unit; // what one operation is

    // Records so many operations into a command buffer that is being recorded. Measured twice:
    // submitted as an application would, and, with "record_" before its name, never submitted.
    void (*record)(VkCommandBuffer commands, uint32_t count);
    enum place place;

    // Does so many operations. What it leaves to the device is waited for after many calls.
    void (*repeat)(uint32_t count);

    // Does one operation and returns how many nanoseconds of it count: its latency.
    uint64_t (*once)(void);

    uint32_t count; // operations of one call
    uint64_t bytes; // that one operation moves, where a bandwidth is wanted

    const char *(*missing)(void); // why it can not run here, or NULL
};

struct suite {
    const struct bench_case *cases;
    size_t case_count;
    void (*init)(void);
    void (*finish)(void);
};

extern const struct suite suite_descriptor;
extern const struct suite suite_draw;
extern const struct suite suite_memory;
extern const struct suite suite_object;
extern const struct suite suite_pass;
extern const struct suite suite_submit;
extern const struct suite suite_thread;
extern const struct suite suite_transfer;

// A device with all that the cases can use. stage.c
void bench_gpu_init(void);
void bench_gpu_finish(void);
bool bench_has_push_descriptor(void);
bool bench_has_host_image_copy(void);
bool bench_has_descriptor_buffer(void);

// A target of a few pixels, and two of everything that a draw needs so that it can be changed.
// The triangles have no area: vertices are all that is left to do for the device.
struct stage {
    struct image target;
    VkRenderPass render_pass;
    VkFramebuffer framebuffer;
    VkDescriptorSetLayout set_layout; // binding 0: a uniform buffer
    VkDescriptorPool descriptor_pool;
    VkDescriptorSet sets[2];
    VkPipelineLayout layout; // set 0, and push constants: a vec4 for the vertex shader
    VkPipeline pipelines[2];
    struct buffer vertices[2];
    struct buffer indices[2];
    struct buffer uniforms[2];
};

extern struct stage stage;
extern const struct shader_code compute_shader_code; // binding 0: a storage buffer

void stage_init(void);
void stage_finish(void);
void stage_begin(VkCommandBuffer commands, VkSubpassContents contents);
void stage_bind(VkCommandBuffer commands);
void stage_end(VkCommandBuffer commands);
VkPipeline stage_pipeline(VkPipelineLayout layout);

// Records and submits over and over, as a thread of an application does: a few command pools in
// turn, each reset as a whole when its last submission has finished. record.c
enum {
    SLOT_COUNT = 3
};

struct recorder {
    struct slot {
        VkCommandPool pool;
        VkCommandBuffer commands;
        VkCommandBuffer marker;
        VkFence fence;
        bool pending;
    } slots[SLOT_COUNT];
    uint32_t frame_count;
};

void recorder_init(struct recorder *recorder);
void recorder_finish(struct recorder *recorder);
// Returns the nanoseconds that the case's function took.
uint64_t recorder_frame(struct recorder *recorder, const struct bench_case *bench_case,
                        bool submits);
// Returns when everything that was recorded has arrived at the driver, and everything that was
// submitted has finished.
void recorder_drain(struct recorder *recorder);

// Threads may submit at the same time.
void submit(uint32_t count, const VkCommandBuffer *commands, VkFence fence);
VkFence fence_init(void);
void fence_wait(VkFence fence); // and reset it
// Returns when the device has done everything that was asked of it before.
void drain(void);

struct result {
    double ns;           // per operation: the median of samples, or of single operations
    double record_ns;    // of these, in the thread that records
    double p50, p99;     // of single operations, where these are measured
    double cpu_ns;       // processor time of this process, per operation
    double server_ns;    // processor time of the server's workers, per operation
    uint64_t operations; // that were measured
};

// measure.c
void measure(const struct bench_case *bench_case, bool submits, double seconds, int server,
             struct result *result);

#endif
