/* SPDX-License-Identifier: MIT
 *
 * Memory of the application's that becomes device memory: what is in it before, what either side
 * writes meanwhile, and what is left afterwards. Other threads go on using it all the time.
 */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

#define SIZE  (UINT64_C(1) << 20)
#define WORDS (SIZE / 4)

static const VkExternalMemoryHandleTypeFlagBits handle_type =
    VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;

static struct gpu gpu;
static PFN_vkGetMemoryHostPointerPropertiesEXT get_properties;

static void init(void)
{
    static const char *const extension = VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME;
    struct gpu_options options = {.name = "pointers"};
    gpu_init(&gpu, &options);
    if (!gpu_has_extension(gpu.physical, extension)) {
        printf("pointers: skipped, there is no %s\n", extension);
        exit(EXIT_SKIPPED);
    }
    gpu_finish_device(&gpu);
    options.device_extensions = &extension;
    options.device_extension_count = 1;
    gpu_init_device(&gpu, &options);
    get_properties = (PFN_vkGetMemoryHostPointerPropertiesEXT)vkGetDeviceProcAddr(
        gpu.device, "vkGetMemoryHostPointerPropertiesEXT");
    expect(get_properties, "vkGetMemoryHostPointerPropertiesEXT is missing");

    VkPhysicalDeviceExternalMemoryHostPropertiesEXT host = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT,
    };
    vkGetPhysicalDeviceProperties2(gpu.physical,
                                   &(VkPhysicalDeviceProperties2){
                                       .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                       .pNext = &host,
                                   });
    const VkDeviceSize alignment = host.minImportedHostPointerAlignment;
    expect(alignment && !(alignment & (alignment - 1)) && SIZE % alignment == 0,
           "the alignment is %" PRIu64, alignment);

    VkExternalBufferProperties buffers = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES};
    vkGetPhysicalDeviceExternalBufferProperties(
        gpu.physical,
        &(VkPhysicalDeviceExternalBufferInfo){
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO,
            .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT,
            .handleType = handle_type,
        },
        &buffers);
    expect(buffers.externalMemoryProperties.externalMemoryFeatures &
               VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT,
           "buffers cannot have memory of the application");
}

/* ---- Memory that is imported, behind a buffer */

struct imported {
    VkBuffer buffer;
    VkDeviceMemory memory;
};

static VkResult import_pages(void *pages, VkDeviceSize size, struct imported *out)
{
    *out = (struct imported){0};
    VkMemoryHostPointerPropertiesEXT properties = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT,
    };
    VkResult result = get_properties(gpu.device, handle_type, pages, &properties);
    if (result != VK_SUCCESS)
        return result;
    const VkExternalMemoryBufferCreateInfo external = {
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
        .handleTypes = handle_type,
    };
    must(vkCreateBuffer(
        gpu.device,
        &(VkBufferCreateInfo){
            .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
            .pNext = &external,
            .size = size,
            .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        },
        NULL, &out->buffer));
    VkMemoryRequirements requirements;
    vkGetBufferMemoryRequirements(gpu.device, out->buffer, &requirements);
    const uint32_t type =
        find_memory_type(&gpu, properties.memoryTypeBits & requirements.memoryTypeBits,
                         VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, 0);
    expect(type != UINT32_MAX, "no coherent memory type takes pages");
    const VkImportMemoryHostPointerInfoEXT import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
        .handleType = handle_type,
        .pHostPointer = pages,
    };
    result = vkAllocateMemory(gpu.device,
                              &(VkMemoryAllocateInfo){
                                  .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                  .pNext = &import,
                                  .allocationSize = size,
                                  .memoryTypeIndex = type,
                              },
                              NULL, &out->memory);
    if (result != VK_SUCCESS) {
        vkDestroyBuffer(gpu.device, out->buffer, NULL);
        return result;
    }
    must(vkBindBufferMemory(gpu.device, out->buffer, out->memory, 0));
    return VK_SUCCESS;
}

static void finish(const struct imported *imported)
{
    vkDestroyBuffer(gpu.device, imported->buffer, NULL);
    vkFreeMemory(gpu.device, imported->memory, NULL);
}

static void *map_pages(uint64_t size, int flags)
{
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    expect(pages != MAP_FAILED, "no memory");
    return pages;
}

static void fill(uint32_t *words, uint32_t seed)
{
    for (uint32_t i = 0; i < WORDS; i++)
        words[i] = mix32(seed + i);
}

static void check(const uint32_t *words, uint32_t seed, const char *what)
{
    for (uint32_t i = 0; i < WORDS; i++)
        expect(words[i] == mix32(seed + i), "%s: word %" PRIu32 " is wrong", what, i);
}

static void gpu_copy(VkBuffer from, VkBuffer to)
{
    VkCommandBuffer commands = commands_begin(&gpu);
    memory_barrier(commands, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_WRITE_BIT,
                   VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_READ_BIT);
    vkCmdCopyBuffer(commands, from, to, 1, &(VkBufferCopy){.size = SIZE});
    memory_barrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                   VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    commands_finish(&gpu, commands);
}

/* ---- Parts */

static void both_ways(uint32_t *words, const char *what)
{
    struct buffer other;
    buffer_init_host(&gpu, &other, SIZE,
                     VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    struct imported imported;
    fill(words, 1);
    must(import_pages(words, SIZE, &imported));
    check(words, 1, "imported");
    gpu_copy(imported.buffer, other.handle);
    check(other.map, 1, "what was there before");

    fill(words, 2);
    gpu_copy(imported.buffer, other.handle);
    check(other.map, 2, "what was written later");

    fill(other.map, 3);
    gpu_copy(other.handle, imported.buffer);
    check(words, 3, "what the GPU wrote");

    uint32_t *map;
    must(vkMapMemory(gpu.device, imported.memory, 0, VK_WHOLE_SIZE, 0, (void **)&map));
    check(map, 3, "mapped");
    map[5] = 55;
    expect(words[5] == 55, "mapping it showed other memory");
    words[5] = mix32(3 + 5);
    vkUnmapMemory(gpu.device, imported.memory);

    finish(&imported);
    check(words, 3, "given back");
    fill(words, 4);
    check(words, 4, "the application's own again");
    buffer_finish(&gpu, &other);
    printf("pointers: %s\n", what);
}

static void kinds_of_memory(void)
{
    section("memory of the heap and of its own");
    void *words;
    expect(!posix_memalign(&words, 65536, SIZE), "no memory");
    both_ways(words, "aligned allocation");
    free(words);

    words = map_pages(SIZE, MAP_PRIVATE);
    both_ways(words, "mapped memory");
    munmap(words, SIZE);

    /* In the middle of others, of which nothing may change. */
    uint8_t *wide = map_pages(3 * SIZE, MAP_PRIVATE);
    memset(wide, 0xab, 3 * SIZE);
    both_ways((uint32_t *)(wide + SIZE), "a part of mapped memory");
    for (uint64_t i = 0; i < SIZE; i++)
        expect(wide[i] == 0xab && wide[2 * SIZE + i] == 0xab, "memory beside it has changed");
    munmap(wide, 3 * SIZE);
}

/* Drivers may refuse files and memory of several processes, but then they have to say so. */
static void other_memory(void)
{
    section("memory that others have as well");
    FILE *file = tmpfile();
    expect(file && !ftruncate(fileno(file), (off_t)SIZE), "no temporary file");
    const struct {
        const char *name;
        int flags;
        int fd;
    } kinds[] = {
        {"shared memory", MAP_SHARED | MAP_ANONYMOUS, -1},
        {"shared file", MAP_SHARED, fileno(file)},
        {"private file", MAP_PRIVATE, fileno(file)},
    };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        uint32_t *words = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, kinds[i].flags, kinds[i].fd, 0);
        expect(words != MAP_FAILED, "cannot map %s", kinds[i].name);
        fill(words, 7);
        struct imported imported;
        const VkResult result = import_pages(words, SIZE, &imported);
        expect(result == VK_SUCCESS || result == VK_ERROR_INVALID_EXTERNAL_HANDLE, "%s: %s",
               kinds[i].name, result_name(result));
        check(words, 7, kinds[i].name);
        if (kinds[i].flags & MAP_SHARED) {
            const pid_t child = fork();
            if (child == 0) {
                words[0] = 42;
                _exit(0);
            }
            expect(waitpid(child, NULL, 0) == child, "lost a child");
            expect(words[0] == 42, "%s is no longer shared", kinds[i].name);
        }
        if (result == VK_SUCCESS)
            finish(&imported);
        munmap(words, SIZE);
    }
    fclose(file);
}

#define WRITERS 3

struct writer {
    pthread_t thread;
    uint64_t *counters; /* one in each page */
    uint32_t pages, first, step;
    uint64_t counted;
    _Atomic bool *stop;
};

static void *writer_run(void *data)
{
    struct writer *w = data;
    while (!atomic_load(w->stop)) {
        for (uint32_t i = w->first; i < w->pages; i += w->step)
            w->counters[i * 512 + w->first]++;
        w->counted++;
        sched_yield(); /* the one that imports wants to get on */
    }
    return NULL;
}

static void writers(void)
{
    section("threads that write meanwhile");
    const uint32_t pages = SIZE / 4096;
    for (int round = 0; round < 8; round++) {
        /* Nobody has touched it: the first write to a page may come at any time. */
        uint64_t *counters = map_pages(SIZE, MAP_PRIVATE);
        _Atomic bool stop = false;
        struct writer list[WRITERS];
        for (uint32_t i = 0; i < WRITERS; i++) {
            list[i] = (struct writer){
                .counters = counters, .pages = pages, .first = i, .step = WRITERS, .stop = &stop};
            expect(!pthread_create(&list[i].thread, NULL, writer_run, &list[i]), "no thread");
        }
        for (int i = 0; i < 5; i++) {
            struct imported imported;
            must(import_pages(counters, SIZE, &imported));
            finish(&imported);
        }
        atomic_store(&stop, true);
        for (uint32_t i = 0; i < WRITERS; i++)
            pthread_join(list[i].thread, NULL);
        for (uint32_t i = 0; i < WRITERS; i++)
            for (uint32_t page = i; page < pages; page += WRITERS)
                expect(counters[page * 512 + i] == list[i].counted,
                       "page %" PRIu32 " has counted %" PRIu64 ", its thread %" PRIu64, page,
                       counters[page * 512 + i], list[i].counted);
        munmap(counters, SIZE);
    }
    printf("pointers: no write was lost\n");
}

static void forks(void)
{
    section("a child has memory of its own");
    uint32_t *words = map_pages(SIZE, MAP_PRIVATE);
    fill(words, 9);
    struct imported imported;
    must(import_pages(words, SIZE, &imported));
    int ends[2];
    expect(pipe(ends) == 0, "no pipe");
    const pid_t child = fork();
    if (child == 0) {
        check(words, 9, "in the child");
        char byte; /* until the parent has written */
        expect(read(ends[0], &byte, 1) == 1, "no word from the parent");
        check(words, 9, "in the child, later");
        fill(words, 10);
        check(words, 10, "in the child");
        _exit(0);
    }
    sleep_ms(200); /* the child has its own when fork() has returned there */
    fill(words, 11);
    int status;
    expect(write(ends[1], "", 1) == 1, "cannot tell the child");
    expect(waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status),
           "the child failed: %d", status);
    close(ends[0]);
    close(ends[1]);
    check(words, 11, "in the parent");
    finish(&imported);
    check(words, 11, "in the parent, given back");
    munmap(words, SIZE);
    printf("pointers: a child writes to its own\n");
}

/* Against the rules, but seen: the memory goes before the VkDeviceMemory. */
static void gone_before(void)
{
    section("memory that goes first");
    uint32_t *words = map_pages(SIZE, MAP_PRIVATE);
    struct imported imported;
    must(import_pages(words, SIZE, &imported));
    munmap(words, SIZE);
    uint32_t *others =
        mmap(words, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    expect(others == words, "cannot map it again");
    fill(others, 11);
    finish(&imported);
    check(others, 11, "what came later");
    munmap(others, SIZE);
}

static void many(void)
{
    section("several at once, side by side");
    enum {
        COUNT = 16
    };
    uint8_t *pages = map_pages(COUNT * SIZE, MAP_PRIVATE);
    struct imported imported[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        fill((uint32_t *)(pages + i * SIZE), i);
        must(import_pages(pages + i * SIZE, SIZE, &imported[i]));
    }
    for (uint32_t i = 0; i < COUNT; i++)
        finish(&imported[(i * 5) % COUNT]);
    for (uint32_t i = 0; i < COUNT; i++)
        check((uint32_t *)(pages + i * SIZE), i, "of many");
    munmap(pages, COUNT * SIZE);
    printf("pointers: %d at once\n", COUNT);
}

/* Of pages that several have, each has what the others write, to the last one. */
static void overlapping(void)
{
    section("the same pages more than once");
    uint32_t *words = map_pages(2 * SIZE, MAP_PRIVATE);
    uint32_t *middle = words + WORDS / 2, *end = words + WORDS;
    struct imported first, whole, again, second;
    struct buffer other;
    buffer_init_host(&gpu, &other, SIZE,
                     VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    fill(words, 12);
    fill(end, 13);
    must(import_pages(words, SIZE, &first));
    must(import_pages(middle, SIZE, &whole));
    must(import_pages(middle, SIZE, &again));
    must(import_pages(end, SIZE, &second));
    check(words, 12, "imported in parts");
    check(end, 13, "imported in parts");

    fill(other.map, 14);
    gpu_copy(other.handle, whole.buffer);
    check(middle, 14, "written through the one in the middle");
    gpu_copy(again.buffer, other.handle);
    check(other.map, 14, "read through the other one");
    finish(&whole);
    fill(middle, 15);
    gpu_copy(again.buffer, other.handle);
    check(other.map, 15, "read through the one that is left");
    finish(&again);
    fill(words, 16);
    gpu_copy(first.buffer, other.handle);
    check(other.map, 16, "read through the first one");
    finish(&first);
    fill(end, 17);
    gpu_copy(second.buffer, other.handle);
    check(other.map, 17, "read through the second one");
    finish(&second);
    check(words, 16, "given back");
    check(end, 17, "given back");
    buffer_finish(&gpu, &other);
    munmap(words, 2 * SIZE);
    printf("pointers: the same pages more than once\n");
}

int main(void)
{
    init();
    kinds_of_memory();
    other_memory();
    many();
    overlapping();
    writers();
    forks();
    gone_before();
    gpu_finish(&gpu);
    printf("pointers: all passed\n");
    return 0;
}
