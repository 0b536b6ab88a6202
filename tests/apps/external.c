/* SPDX-License-Identifier: MIT
 *
 * Memory that two devices share by descriptor: what one of them writes with its GPU, the other one
 * reads with its own. The devices belong to two instances, and then to two processes.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "processes.h"

#include "common.h"

#define SIZE  65536u
#define WORDS (SIZE / 4)
/* More than anybody keeps descriptors on their way. */
#define ROUNDS 200

static const VkExternalMemoryHandleTypeFlagBits handle_type =
    VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT;

struct side {
    struct gpu gpu;
    PFN_vkGetMemoryFdKHR get_memory_fd;
};

static void side_init(struct side *side, const char *name)
{
    static const char *const extension = VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME;
    struct gpu_options options = {.name = name};
    gpu_init(&side->gpu, &options);
    if (!gpu_has_extension(side->gpu.physical, extension)) {
        printf("external: skipped, there is no %s\n", extension);
        exit(EXIT_SKIPPED);
    }
    gpu_finish_device(&side->gpu);
    options.device_extensions = &extension;
    options.device_extension_count = 1;
    gpu_init_device(&side->gpu, &options);
    side->get_memory_fd =
        (PFN_vkGetMemoryFdKHR)vkGetDeviceProcAddr(side->gpu.device, "vkGetMemoryFdKHR");
    expect(side->get_memory_fd, "vkGetMemoryFdKHR is missing");
}

/* ---- Buffers and images that are shared */

struct shared {
    VkBuffer buffer; /* or */
    VkImage image;
    VkDeviceMemory memory;
    VkDeviceSize size;
    uint32_t type;
};

static const VkExtent3D extent = {64, 64, 1};

static VkMemoryRequirements create(const struct gpu *gpu, bool image, struct shared *shared)
{
    VkMemoryRequirements requirements;
    *shared = (struct shared){0};
    if (image) {
        const VkExternalMemoryImageCreateInfo external = {
            .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO,
            .handleTypes = handle_type,
        };
        const VkImageCreateInfo info = {
            .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
            .pNext = &external,
            .imageType = VK_IMAGE_TYPE_2D,
            .format = VK_FORMAT_R8G8B8A8_UNORM,
            .extent = extent,
            .mipLevels = 1,
            .arrayLayers = 1,
            .samples = VK_SAMPLE_COUNT_1_BIT,
            .usage = VK_IMAGE_USAGE_TRANSFER_SRC_BIT | VK_IMAGE_USAGE_TRANSFER_DST_BIT,
        };
        must(vkCreateImage(gpu->device, &info, NULL, &shared->image));
        vkGetImageMemoryRequirements(gpu->device, shared->image, &requirements);
    } else {
        const VkExternalMemoryBufferCreateInfo external = {
            .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
            .handleTypes = handle_type,
        };
        const VkBufferCreateInfo info = {
            .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
            .pNext = &external,
            .size = SIZE,
            .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        };
        must(vkCreateBuffer(gpu->device, &info, NULL, &shared->buffer));
        vkGetBufferMemoryRequirements(gpu->device, shared->buffer, &requirements);
    }
    return requirements;
}

/* With memory that `chain` exports or imports; dedicated, which every driver allows. */
static VkResult back(const struct gpu *gpu, struct shared *shared, const void *chain)
{
    const VkMemoryDedicatedAllocateInfo dedicated = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
        .pNext = chain,
        .buffer = shared->buffer,
        .image = shared->image,
    };
    const VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = &dedicated,
        .allocationSize = shared->size,
        .memoryTypeIndex = shared->type,
    };
    const VkResult result = vkAllocateMemory(gpu->device, &info, NULL, &shared->memory);
    if (result != VK_SUCCESS)
        return result;
    if (shared->buffer)
        must(vkBindBufferMemory(gpu->device, shared->buffer, shared->memory, 0));
    else
        must(vkBindImageMemory(gpu->device, shared->image, shared->memory, 0));
    return VK_SUCCESS;
}

static void export_from(const struct gpu *gpu, bool image, VkMemoryPropertyFlags wanted,
                        struct shared *shared)
{
    const VkMemoryRequirements requirements = create(gpu, image, shared);
    shared->size = requirements.size;
    shared->type = find_memory_type(gpu, requirements.memoryTypeBits, wanted, 0);
    expect(shared->type != UINT32_MAX, "no memory type for what is shared");
    const VkExportMemoryAllocateInfo export = {
        .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
        .handleTypes = handle_type,
    };
    must(back(gpu, shared, &export));
}

static int descriptor(const struct side *side, const struct shared *shared)
{
    int fd = -1;
    must(side->get_memory_fd(side->gpu.device,
                             &(VkMemoryGetFdInfoKHR){
                                 .sType = VK_STRUCTURE_TYPE_MEMORY_GET_FD_INFO_KHR,
                                 .memory = shared->memory,
                                 .handleType = handle_type,
                             },
                             &fd));
    expect(fd >= 0, "vkGetMemoryFdKHR gave %d", fd);
    return fd;
}

static void import_into(const struct gpu *gpu, bool image, const struct shared *exported, int fd,
                        struct shared *shared)
{
    create(gpu, image, shared);
    shared->size = exported->size;
    shared->type = exported->type;
    const VkImportMemoryFdInfoKHR import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR,
        .handleType = handle_type,
        .fd = fd,
    };
    must(back(gpu, shared, &import));
}

static void finish(const struct gpu *gpu, struct shared *shared)
{
    vkDestroyBuffer(gpu->device, shared->buffer, NULL);
    vkDestroyImage(gpu->device, shared->image, NULL);
    vkFreeMemory(gpu->device, shared->memory, NULL);
}

/* ---- What the GPUs do */

static const VkImageSubresourceRange whole = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};

/* To and from the queue family of other devices of this driver: from who has written, to who reads. */
static void hand_over(const struct gpu *gpu, VkCommandBuffer commands, const struct shared *shared,
                      bool acquire)
{
    const VkAccessFlags access = VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
    const uint32_t from = acquire ? VK_QUEUE_FAMILY_EXTERNAL : gpu->family;
    const uint32_t to = acquire ? gpu->family : VK_QUEUE_FAMILY_EXTERNAL;
    const VkBufferMemoryBarrier buffer = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_BARRIER,
        .srcAccessMask = acquire ? 0 : access,
        .dstAccessMask = acquire ? access : 0,
        .srcQueueFamilyIndex = from,
        .dstQueueFamilyIndex = to,
        .buffer = shared->buffer,
        .size = VK_WHOLE_SIZE,
    };
    const VkImageMemoryBarrier image = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
        .srcAccessMask = acquire ? 0 : access,
        .dstAccessMask = acquire ? access : 0,
        .oldLayout = VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
        .newLayout = VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
        .srcQueueFamilyIndex = from,
        .dstQueueFamilyIndex = to,
        .image = shared->image,
        .subresourceRange = whole,
    };
    vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
                         VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, 0, 0, NULL, shared->buffer ? 1 : 0,
                         &buffer, shared->image ? 1 : 0, &image);
}

static uint32_t word(uint32_t seed, uint32_t index)
{
    return mix32(seed * WORDS + index);
}

static void copy(VkCommandBuffer commands, const struct shared *shared, VkBuffer host, bool in)
{
    const VkBufferCopy bytes = {.size = SIZE};
    const VkBufferImageCopy texels = {
        .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
        .imageExtent = extent,
    };
    if (shared->buffer)
        vkCmdCopyBuffer(commands, in ? host : shared->buffer, in ? shared->buffer : host, 1,
                        &bytes);
    else if (in)
        vkCmdCopyBufferToImage(commands, host, shared->image, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
                               1, &texels);
    else
        vkCmdCopyImageToBuffer(commands, shared->image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, host,
                               1, &texels);
}

static uint32_t words_of(const struct shared *shared)
{
    return shared->buffer ? WORDS : extent.width * extent.height;
}

static void write_words(const struct gpu *gpu, const struct shared *shared, uint32_t seed)
{
    struct buffer host;
    buffer_init_host(gpu, &host, SIZE, VK_BUFFER_USAGE_TRANSFER_SRC_BIT);
    for (uint32_t i = 0; i < WORDS; i++)
        ((uint32_t *)host.map)[i] = word(seed, i);
    VkCommandBuffer commands = commands_begin(gpu);
    if (shared->image)
        image_barrier(
            commands, shared->image, &whole,
            &(struct image_use){VK_IMAGE_LAYOUT_UNDEFINED, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, 0},
            &(struct image_use){VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
                                VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT});
    copy(commands, shared, host.handle, true);
    hand_over(gpu, commands, shared, false);
    commands_finish(gpu, commands);
    buffer_finish(gpu, &host);
}

static void check_words(const struct gpu *gpu, const struct shared *shared, uint32_t seed)
{
    struct buffer host;
    buffer_init_host(gpu, &host, SIZE, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    VkCommandBuffer commands = commands_begin(gpu);
    hand_over(gpu, commands, shared, true);
    copy(commands, shared, host.handle, false);
    memory_barrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                   VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    commands_finish(gpu, commands);
    for (uint32_t i = 0; i < words_of(shared); i++) {
        const uint32_t found = ((const uint32_t *)host.map)[i];
        expect(found == word(seed, i), "word %u is %08x, not %08x", i, found, word(seed, i));
    }
    buffer_finish(gpu, &host);
}

/* ---- The tests */

static void test_properties(const struct gpu *gpu)
{
    VkExternalBufferProperties properties = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES,
    };
    vkGetPhysicalDeviceExternalBufferProperties(
        gpu->physical,
        &(VkPhysicalDeviceExternalBufferInfo){
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
            .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
            .handleType = handle_type,
        },
        &properties);
    const VkExternalMemoryProperties *memory = &properties.externalMemoryProperties;
    const VkExternalMemoryFeatureFlags both =
        VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT | VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT;
    expect((memory->externalMemoryFeatures & both) == both, "features %x",
           memory->externalMemoryFeatures);
    expect(memory->compatibleHandleTypes & handle_type, "a type that does not fit itself");
}

static void test_instances(const struct side *a, bool image)
{
    struct side b;
    struct shared exported, imported;
    side_init(&b, "importer");
    export_from(&a->gpu, image, 0, &exported);
    import_into(&b.gpu, image, &exported, descriptor(a, &exported), &imported);
    write_words(&a->gpu, &exported, 1);
    check_words(&b.gpu, &imported, 1);
    write_words(&b.gpu, &imported, 2);
    check_words(&a->gpu, &exported, 2);
    /* What is imported outlives what it was exported from. */
    write_words(&a->gpu, &exported, 3);
    finish(&a->gpu, &exported);
    check_words(&b.gpu, &imported, 3);
    finish(&b.gpu, &imported);
    gpu_finish(&b.gpu);
}

static uint32_t *map(const struct gpu *gpu, const struct shared *shared)
{
    uint32_t *words;
    must(vkMapMemory(gpu->device, shared->memory, 0, VK_WHOLE_SIZE, 0, (void **)&words));
    return words;
}

/* The specification promises that buffers can have such memory, whatever they are for. */
static void test_mapped(const struct side *a)
{
    struct side b;
    struct shared exported, imported;
    side_init(&b, "importer");
    export_from(&a->gpu, false,
                VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
                &exported);
    import_into(&b.gpu, false, &exported, descriptor(a, &exported), &imported);
    uint32_t *ours = map(&a->gpu, &exported);
    const uint32_t *theirs = map(&b.gpu, &imported);
    for (uint32_t i = 0; i < WORDS; i++)
        ours[i] = word(20, i);
    for (uint32_t i = 0; i < WORDS; i++)
        expect(theirs[i] == word(20, i), "mapped elsewhere, word %u is %08x", i, theirs[i]);
    check_words(&b.gpu, &imported, 20);
    write_words(&b.gpu, &imported, 21);
    check_words(&a->gpu, &exported, 21);
    for (uint32_t i = 0; i < WORDS; i++)
        expect(ours[i] == word(21, i), "mapped, word %u is %08x", i, ours[i]);
    finish(&a->gpu, &exported);
    finish(&b.gpu, &imported);
    gpu_finish(&b.gpu);
}

/* Whose descriptor is refused stays its owner, but lavapipe closes it. */
static void test_garbage(const struct side *side)
{
    struct shared exported, refused;
    export_from(&side->gpu, false, 0, &exported);
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    expect(nothing >= 0, "no /dev/null");
    create(&side->gpu, false, &refused);
    refused.size = exported.size;
    refused.type = exported.type;
    const VkImportMemoryFdInfoKHR import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR,
        .handleType = handle_type,
        .fd = nothing,
    };
    expect(back(&side->gpu, &refused, &import) != VK_SUCCESS, "what is no memory was imported");
    close(nothing);
    vkDestroyBuffer(side->gpu.device, refused.buffer, NULL);
    finish(&side->gpu, &exported);
}

static void test_many(const struct side *side)
{
    struct shared exported, imported;
    export_from(&side->gpu, false, 0, &exported);
    write_words(&side->gpu, &exported, 4);
    const int before = count_descriptors();
    for (int i = 0; i < ROUNDS; i++) {
        const int unused = descriptor(side, &exported);
        const int used = descriptor(side, &exported);
        expect(used != unused, "the same descriptor twice");
        import_into(&side->gpu, false, &exported, used, &imported);
        if (i % 50 == 0)
            check_words(&side->gpu, &imported, 4);
        finish(&side->gpu, &imported);
        close(unused);
    }
    /* A native driver may keep one open for the memory that it exports. */
    const int after = count_descriptors();
    expect(after <= before + 1, "%d descriptors before, %d after", before, after);
    finish(&side->gpu, &exported);
}

/* What one process tells the other. */
struct message {
    struct shared exported;
    uint32_t seed;
};

static _Noreturn void be_the_other_process(int socket)
{
    struct side side;
    struct message message;
    struct shared imported;
    const int fd = hear(socket, &message, sizeof(message));
    expect(fd >= 0, "no descriptor came");
    side_init(&side, "other process");
    import_into(&side.gpu, false, &message.exported, fd, &imported);
    check_words(&side.gpu, &imported, message.seed);
    message.seed++;
    write_words(&side.gpu, &imported, message.seed);
    tell(socket, &message, sizeof(message), -1);
    finish(&side.gpu, &imported);
    gpu_finish(&side.gpu);
    exit(EXIT_SUCCESS);
}

static void test_processes(const struct side *side, int socket, pid_t child)
{
    struct message message = {.seed = 10};
    export_from(&side->gpu, false, 0, &message.exported);
    write_words(&side->gpu, &message.exported, message.seed);
    const int fd = descriptor(side, &message.exported);
    tell(socket, &message, sizeof(message), fd);
    close(fd);
    hear(socket, &message, sizeof(message));
    check_words(&side->gpu, &message.exported, 11);
    finish(&side->gpu, &message.exported);
    int status;
    expect(waitpid(child, &status, 0) == child && status == 0, "the other process: %x", status);
}

int main(void)
{
    int socket;
    const pid_t child = other_process(&socket, be_the_other_process);

    struct side side;
    side_init(&side, "external");
    section("properties");
    test_properties(&side.gpu);
    section("two instances, a buffer");
    test_instances(&side, false);
    section("two instances, an image");
    test_instances(&side, true);
    section("mapped");
    test_mapped(&side);
    section("garbage");
    test_garbage(&side);
    section("many times");
    test_many(&side);
    section("two processes");
    test_processes(&side, socket, child);
    gpu_finish(&side.gpu);
    printf("external: 7 tests passed\n");
    return 0;
}
