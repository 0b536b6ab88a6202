/* SPDX-License-Identifier: MIT
 *
 * What every test program needs: a device, memory chosen by the rules of the
 * specification, a command buffer, and a picture written from an image.
 *
 * The programs are ordinary Vulkan applications. They stop at the first thing
 * that goes wrong, with a line that says where, so nothing here returns errors.
 */
#ifndef TESTS_COMMON_H
#define TESTS_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <vulkan/vulkan.h>

#include "expect.h"

#define SECOND_NS UINT64_C(1000000000)

/* Long enough for a software driver under a sanitizer on a busy machine. A
 * test that needs it has failed; an endless wait would hide which one. */
#define LONG_NS (60 * SECOND_NS)

/* The exit status of a program that found nothing to test. It says why. */
enum {
    EXIT_SKIPPED = 77
};

/* Announces a part of a program, so that the last line before a hang or a
 * crash says what was being done. */
void section(const char *name);

struct program_part {
    const char *name;
    void (*run)(void);
};

/* Runs the parts of a program, each announced. */
void run_parts(const char *program, const struct program_part *parts, size_t count);

/* Ignored members may hold anything. Reading from this address ends the program. */
#define GARBAGE_POINTER ((void *)(uintptr_t)0xdead0000beef0000u)
#define GARBAGE_HANDLE  GARBAGE_POINTER

uint64_t now_ns(void);
void sleep_ms(uint32_t milliseconds);
uint64_t fnv1a(const void *data, size_t size);

/* Numbers that look random and are the same on every machine. */
uint32_t mix32(uint32_t value);

struct gpu_options {
    const char *name;
    uint32_t api_version; /* 0: Vulkan 1.3 */
    const char *const *instance_extensions;
    uint32_t instance_extension_count;
    const char *const *device_extensions;
    uint32_t device_extension_count;
    const void *features; /* pNext chain of VkDeviceCreateInfo */
    const VkPhysicalDeviceFeatures *core_features;
    VkSurfaceKHR surface; /* the queue must be able to present to it */
};

struct gpu {
    VkInstance instance;
    VkPhysicalDevice physical;
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceMemoryProperties memory;
    VkQueueFamilyProperties family_properties;
    VkDevice device;
    uint32_t family;
    VkQueue queue;
    VkCommandPool pool;
};

void gpu_init(struct gpu *gpu, const struct gpu_options *options);
void gpu_init_instance(struct gpu *gpu, const struct gpu_options *options);
void gpu_init_device(struct gpu *gpu, const struct gpu_options *options);
void gpu_finish_device(struct gpu *gpu);
void gpu_finish(struct gpu *gpu);
bool gpu_has_extension(VkPhysicalDevice physical, const char *name);
bool instance_has_extension(const char *name);

/* The lowest type in bits that has all of required and preferred, or else the
 * lowest that has all of required: types are sorted by the implementation so
 * that the first match is the best. UINT32_MAX when there is none. */
uint32_t find_memory_type(const struct gpu *gpu, uint32_t bits, VkMemoryPropertyFlags required,
                          VkMemoryPropertyFlags preferred);
VkDeviceMemory allocate(const struct gpu *gpu, const VkMemoryRequirements *requirements,
                        VkMemoryPropertyFlags required, VkMemoryPropertyFlags preferred);

struct buffer {
    VkBuffer handle;
    VkDeviceMemory memory;
    VkDeviceSize size;
    void *map; /* whole buffer; NULL when it was made by buffer_init_device */
};

/* Host-visible and coherent, mapped for as long as it lives. */
void buffer_init_host(const struct gpu *gpu, struct buffer *buffer, VkDeviceSize size,
                      VkBufferUsageFlags usage);
void buffer_init_device(const struct gpu *gpu, struct buffer *buffer, VkDeviceSize size,
                        VkBufferUsageFlags usage);
/* Host-visible and coherent, mapped, and known to shaders by its address, which is returned. */
VkDeviceAddress buffer_init_addressed(const struct gpu *gpu, struct buffer *buffer,
                                      VkDeviceSize size, VkBufferUsageFlags usage);
void buffer_finish(const struct gpu *gpu, struct buffer *buffer);

struct image {
    VkImage handle;
    VkDeviceMemory memory;
    VkImageView view;
    VkFormat format;
    VkExtent2D extent;
    uint32_t levels;
};

struct image_options {
    VkFormat format;
    VkExtent2D extent;
    uint32_t levels;               /* 0: one */
    VkSampleCountFlagBits samples; /* 0: one */
    VkImageUsageFlags usage;
};

void image_init(const struct gpu *gpu, struct image *image, const struct image_options *options);
void image_finish(const struct gpu *gpu, struct image *image);
VkImageAspectFlags format_aspects(VkFormat format);

/* set and stages with push_size may each be missing: NULL, or 0. */
VkPipelineLayout pipeline_layout_init(const struct gpu *gpu, const VkDescriptorSetLayout *set,
                                      VkShaderStageFlags stages, uint32_t push_size);
VkShaderModule shader_init(const struct gpu *gpu, const uint32_t *code, size_t size);
/* Its entry point is main. */
VkPipelineShaderStageCreateInfo stage_of(VkShaderStageFlagBits stage, VkShaderModule module);
VkPipeline compute_pipeline_init(const struct gpu *gpu, VkPipelineLayout layout,
                                 const uint32_t *code, size_t size,
                                 const VkSpecializationInfo *specialization);

struct shader_code {
    const uint32_t *words;
    size_t size;
};

/* A pipeline of a vertex and a fragment shader with one colour attachment and
 * dynamic viewport and scissor. Without render_pass it is for dynamic
 * rendering with colour_format and depth_format. */
struct graphics_options {
    VkPipelineLayout layout;
    struct shader_code vertex;
    struct shader_code fragment;
    const VkPipelineVertexInputStateCreateInfo *vertex_input; /* NULL: no buffers */
    VkPrimitiveTopology topology;
    VkCullModeFlags cull;
    VkSampleCountFlagBits samples; /* 0: one */
    VkRenderPass render_pass;
    VkFormat colour_format;
    VkFormat depth_format; /* with a render pass: anything but UNDEFINED tests depth */
};

VkPipeline graphics_pipeline_init(const struct gpu *gpu, const struct graphics_options *options);
void set_viewport(VkCommandBuffer commands, VkExtent2D extent);

VkFence fence_create(const struct gpu *gpu, VkFenceCreateFlags flags);

VkCommandBuffer commands_begin(const struct gpu *gpu);
void commands_end(VkCommandBuffer commands);
void commands_submit(const struct gpu *gpu, VkCommandBuffer commands, VkFence fence);
/* Ends, submits, waits and frees. */
void commands_finish(const struct gpu *gpu, VkCommandBuffer commands);

struct image_use {
    VkImageLayout layout;
    VkPipelineStageFlags stages;
    VkAccessFlags access;
};

void image_barrier(VkCommandBuffer commands, VkImage image, const VkImageSubresourceRange *range,
                   const struct image_use *from, const struct image_use *to);
void memory_barrier(VkCommandBuffer commands, VkPipelineStageFlags from_stages,
                    VkAccessFlags from_access, VkPipelineStageFlags to_stages,
                    VkAccessFlags to_access);

/* Eight bits each of red, green, blue, alpha; rows from the top without gaps. */
struct picture {
    uint32_t width;
    uint32_t height;
    uint8_t *pixels;
};

/* The image must be in TRANSFER_SRC_OPTIMAL, with a colour format of four
 * times eight bits, and its writes must be available (a fence was waited for). */
void picture_init_from_image(const struct gpu *gpu, struct picture *picture, VkImage image,
                             VkFormat format, VkExtent2D extent);
void picture_init(struct picture *picture, uint32_t width, uint32_t height);
void picture_finish(struct picture *picture);
void picture_write(const struct picture *picture, const char *path);
uint64_t picture_checksum(const struct picture *picture);
bool picture_equal(const struct picture *a, const struct picture *b);
/* How many different colours, counting up to limit: a picture of one colour
 * would compare equal to another blank one. */
uint32_t picture_count_colours(const struct picture *picture, uint32_t limit);

/* How many descriptors are open. */
int count_descriptors(void);
/* A message to another process, with a descriptor unless it is negative, which the receiver gets. */
void tell(int socket, const void *message, size_t size, int fd);
int hear(int socket, void *message, size_t size);
/* The same where all that is said is how far one is; it must be this far. */
void say(int socket, int step, int fd);
int listen_for(int socket, int step);
/* Starts another process, which must be before the first instance: the child has one of its own. Once
 * it is told something, and not if this one ends before, it calls run with its end of *socket, and
 * ends when that returns. */
pid_t other_process(int *socket, void (*run)(int socket));

#endif
