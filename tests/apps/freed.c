/* SPDX-License-Identifier: MIT
 *
 * Memory is freed, and at once allocated again:
 *
 *   freed           in other pieces, all that there was of it
 *   freed threads   by several threads, of which each needs a part of what another one has freed
 *   freed copies    of images, behind copies that the host makes: those change nothing of what is there then
 */
#include "common.h"
#include "copied.h"
#include "resources.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

enum {
    PIECES = 60, /* of a MiB; a server that has room for twice as much has not */
    ROUNDS = 8,
    TURNS = 100,
    SIDE = 128, /* a copy of so much is not waited for */
    THREADS = 4,
    SHARE =
        120, /* MiB of each thread; a server that has room for a bit more than all of it has not for one more */
};

static struct gpu gpu;
static uint32_t type;

static void find_type(void)
{
    struct buffer buffer;
    buffer_init_host(&gpu, &buffer, MIB, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    VkMemoryRequirements requirements;
    vkGetBufferMemoryRequirements(gpu.device, buffer.handle, &requirements);
    type = find_memory_type(
        &gpu, requirements.memoryTypeBits,
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, 0);
    buffer_finish(&gpu, &buffer);
}

static VkDeviceMemory allocate_mappable(VkDeviceSize size)
{
    return allocate_of_type(&gpu, type, size);
}

/* In pieces, then as one. */
static void test_all(void)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        VkDeviceMemory pieces[PIECES];
        for (uint32_t i = 0; i < PIECES; i++)
            pieces[i] = allocate_mappable(MIB);
        for (uint32_t i = 0; i < PIECES; i++)
            vkFreeMemory(gpu.device, pieces[i], NULL);
        vkFreeMemory(gpu.device, allocate_mappable(PIECES * MIB), NULL);
    }
}

/* ---- Several threads */

static pthread_barrier_t freed;

static void *allocate_share(void *unused)
{
    (void)unused;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&freed);
        const VkDeviceMemory memory = allocate_mappable(SHARE * MIB);
        pthread_barrier_wait(&freed);
        vkFreeMemory(gpu.device, memory, NULL);
        pthread_barrier_wait(&freed);
    }
    return NULL;
}

/* One frees, and the others have what it had, all at once. */
static void test_threads(void)
{
    pthread_t threads[THREADS];
    expect(pthread_barrier_init(&freed, NULL, THREADS + 1) == 0, "no threads");
    for (uint32_t i = 0; i < THREADS; i++)
        expect(pthread_create(&threads[i], NULL, allocate_share, NULL) == 0, "no threads");
    for (uint32_t round = 0; round < ROUNDS; round++) {
        VkDeviceMemory pieces[THREADS * SHARE];
        for (uint32_t i = 0; i < ARRAY_SIZE(pieces); i++)
            pieces[i] = allocate_mappable(MIB);
        for (uint32_t i = 0; i < ARRAY_SIZE(pieces); i++)
            vkFreeMemory(gpu.device, pieces[i], NULL);
        for (uint32_t i = 0; i < 3; i++)
            pthread_barrier_wait(&freed);
    }
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&freed);
}

/* ---- Copies */

static uint32_t texels[SIDE * SIDE];

/* In memory that can be mapped, where that is offered: it is the application's own. */
static struct copied create(void)
{
    struct copied copied;
    copied_init(&gpu, &copied,
                &(struct copied_options){
                    .format = VK_FORMAT_R8G8B8A8_UNORM,
                    .extent = {SIDE, SIDE, 1},
                    .layers = 1,
                    .preferred = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT,
                });
    return copied;
}

static void copy_numbers(const struct copied *copied, uint32_t first)
{
    for (uint32_t i = 0; i < SIDE * SIDE; i++)
        texels[i] = first + i;
    copy_in(&gpu, copied, 0, texels, 0, 0);
}

static void expect_numbers(const struct copied *copied, uint32_t first)
{
    copy_out(&gpu, copied, 0, texels, 0, 0);
    for (uint32_t i = 0; i < SIDE * SIDE; i++)
        expect(texels[i] == first + i, "texel %u is %x, not %x", i, texels[i], first + i);
}

/* The host copies to an image whose memory is freed at once; what is written then, the texels of the next copy
 * above all, may lie in the same pages. */
static void test_copies(void)
{
    const struct copied stays = create();
    for (uint32_t turn = 1; turn <= TURNS; turn++) {
        const struct copied goes = create();
        copy_numbers(&goes, turn << 16);
        copied_finish(&gpu, &goes);
        copy_numbers(&stays, turn << 24);
        expect_numbers(&stays, turn << 24);
    }
    copied_finish(&gpu, &stays);
}

/* ---- All of it */

static void init(bool copies)
{
    static VkPhysicalDeviceHostImageCopyFeaturesEXT features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_HOST_IMAGE_COPY_FEATURES_EXT,
        .hostImageCopy = VK_TRUE,
    };
    static const char *const extension = VK_EXT_HOST_IMAGE_COPY_EXTENSION_NAME;
    gpu_init(&gpu, &(struct gpu_options){
                       .name = "freed",
                       .features = copies ? &features : NULL,
                       .device_extensions = &extension,
                       .device_extension_count = copies,
                   });
}

int main(int argc, char **argv)
{
    const bool threads = argc > 1 && strcmp(argv[1], "threads") == 0;
    const bool copies = argc > 1 && strcmp(argv[1], "copies") == 0;
    const struct program_part part = threads  ? (struct program_part){"threads", test_threads}
                                     : copies ? (struct program_part){"copies", test_copies}
                                              : (struct program_part){"all of it", test_all};
    init(copies);
    find_type();
    run_parts("freed", &part, 1);
    gpu_finish(&gpu);
    return 0;
}
