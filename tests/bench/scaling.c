// What one more costs when there are many already:
//
//     scaling buffers|updates|bytes|draws|clients N [SERVER_PID]
//
// prints {"ns": ..., "client_bytes": ..., "server_bytes": ...}, each for one of N. Bytes are
// proportional set sizes, the server's those of all processes below it.
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int server;

static double pss(int pid)
{
    char path[64], line[128];
    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
    FILE *file = fopen(path, "re");
    double kib = 0;
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "Pss: %lf kB", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib * 1024;
}

static double pss_below(int pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
    FILE *file = pid ? fopen(path, "re") : NULL;
    double sum = 0;
    int child;
    while (file && fscanf(file, "%d", &child) == 1)
        sum += pss(child);
    if (file)
        fclose(file);
    return sum;
}

struct usage {
    uint64_t time;
    double client, server;
};

// Looking at memory takes time itself: it is not between the two times.
static struct usage usage_before(void)
{
    struct usage usage = {0, pss(getpid()), pss_below(server)};
    usage.time = now_ns();
    return usage;
}

static struct usage usage_after(void)
{
    struct usage usage = {.time = now_ns()};
    usage.client = pss(getpid());
    usage.server = pss_below(server);
    return usage;
}

static bool quiet; // while it warms up

static void print(const struct usage *from, const struct usage *to, uint32_t count)
{
    if (!quiet)
        printf("{\"ns\": %.1f, \"client_bytes\": %.1f, \"server_bytes\": %.1f}\n",
               (double)(to->time - from->time) / count, (to->client - from->client) / count,
               (to->server - from->server) / count);
}

// They live at the same time. Created, and destroyed.
static void buffers(uint32_t count)
{
    VkBuffer *made = malloc(count * sizeof(*made));
    memset(made, 0xff, count * sizeof(*made));
    drain();
    const struct usage before = usage_before();
    for (uint32_t i = 0; i < count; i++)
        must(vkCreateBuffer(gpu.device,
                            &(VkBufferCreateInfo){
                                .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                .size = 4096,
                                .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
                            },
                            NULL, &made[i]));
    drain();
    const struct usage full = usage_after();
    for (uint32_t i = 0; i < count; i++)
        vkDestroyBuffer(gpu.device, made[i], NULL);
    drain();
    print(&before, &full, count);
    free(made);
}

static void updates(uint32_t count)
{
    const struct usage before = usage_before();
    for (uint32_t i = 0; i < count; i++)
        vkUpdateDescriptorSets(
            gpu.device, 1,
            &(VkWriteDescriptorSet){
                .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                .dstSet = stage.sets[0],
                .descriptorCount = 1,
                .descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER,
                .pBufferInfo =
                    &(VkDescriptorBufferInfo){stage.uniforms[i & 1].handle, 0, VK_WHOLE_SIZE},
            },
            0, NULL);
    drain();
    const struct usage after = usage_after();
    print(&before, &after, count);
}

// Descriptors as bytes, no two alike, each asked for once: the worst for whoever keeps them.
static void bytes(uint32_t count)
{
    VkPhysicalDeviceDescriptorBufferPropertiesEXT sizes = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_BUFFER_PROPERTIES_EXT,
    };
    vkGetPhysicalDeviceProperties2(gpu.physical,
                                   &(VkPhysicalDeviceProperties2){
                                       .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                       .pNext = &sizes,
                                   });
    struct buffer buffer;
    const VkDeviceAddress address = buffer_init_addressed(&gpu, &buffer, 4ull * count + 256,
                                                          VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    uint8_t *to = malloc(sizes.storageBufferDescriptorSize);
    const struct usage before = usage_before();
    for (uint32_t i = 0; i < count; i++)
        vk.GetDescriptorEXT(gpu.device,
                            &(VkDescriptorGetInfoEXT){
                                .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_GET_INFO_EXT,
                                .type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                .data.pStorageBuffer =
                                    &(VkDescriptorAddressInfoEXT){
                                        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_ADDRESS_INFO_EXT,
                                        .address = address + 4ull * i,
                                        .range = 256,
                                    },
                            },
                            sizes.storageBufferDescriptorSize, to);
    const struct usage after = usage_after();
    print(&before, &after, count);
    free(to);
    buffer_finish(&gpu, &buffer);
}

// In one command buffer: recorded, submitted, waited for.
static void draws(uint32_t count)
{
    VkCommandBuffer commands = commands_begin(&gpu);
    const struct usage before = usage_before();
    stage_begin(commands, VK_SUBPASS_CONTENTS_INLINE);
    stage_bind(commands);
    for (uint32_t i = 0; i < count; i++)
        vkCmdDraw(commands, 3, 1, 0, 0);
    stage_end(commands);
    commands_end(commands);
    const VkFence fence = fence_init();
    submit(1, &commands, fence);
    fence_wait(fence);
    const struct usage after = usage_after();
    print(&before, &after, count);
    vkDestroyFence(gpu.device, fence, NULL);
}

// Processes with a device each, at the same time.
static void clients(uint32_t count)
{
    int ready[2], end[2];
    expect(pipe(ready) == 0 && pipe(end) == 0, "no pipes");
    const struct usage before = usage_before();
    for (uint32_t i = 0; i < count; i++) {
        const pid_t pid = fork();
        expect(pid >= 0, "no process");
        if (pid == 0) {
            char byte = 0;
            close(end[1]);
            bench_gpu_init();
            drain();
            const double mine = pss(getpid());
            const bool told = write(ready[1], &mine, sizeof(mine)) == sizeof(mine);
            _exit(told && read(end[0], &byte, 1) == 0 ? 0 : 1); // their end is the parent's
        }
    }
    struct usage after = before;
    for (uint32_t i = 0; i < count; i++) {
        double one;
        expect(read(ready[0], &one, sizeof(one)) == sizeof(one), "a client has failed");
        after.client += one;
    }
    after.time = now_ns();
    after.server = pss_below(server);
    close(end[1]);
    for (uint32_t i = 0; i < count; i++) {
        int status;
        wait(&status);
        expect(status == 0, "a client ended with %d", status);
    }
    print(&before, &after, count);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(uint32_t count);
    } kinds[] = {{"buffers", buffers},
                 {"updates", updates},
                 {"bytes", bytes},
                 {"draws", draws},
                 {"clients", clients}};
    const uint32_t count = argc >= 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    server = argc >= 4 ? atoi(argv[3]) : 0;
    for (size_t i = 0; count && i < ARRAY_SIZE(kinds); i++) {
        if (strcmp(argv[1], kinds[i].name) != 0)
            continue;
        if (kinds[i].run == clients) {
            clients(count);
            return 0;
        }
        bench_gpu_init();
        stage_init();
        quiet = true;
        kinds[i].run(1 + count / 10); // what is only needed once
        quiet = false;
        kinds[i].run(count);
        stage_finish();
        bench_gpu_finish();
        return 0;
    }
    fprintf(stderr, "scaling buffers|updates|bytes|draws|clients N [SERVER_PID]\n");
    return 2;
}
