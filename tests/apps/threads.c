/* SPDX-License-Identifier: MIT
 *
 * Threads that record and submit at the same time, each with its own pool, on one queue and on one
 * device: threads [--threads N] [--rounds N | --until-term]
 */
#include "common.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mix_comp.h"

enum {
    MAX_THREADS = 64,
    ELEMENT_COUNT = 4096,
    GROUP_SIZE = 64,
    IN_FLIGHT = 3,
};

struct push {
    uint32_t count;
    uint32_t factor;
    uint32_t addend;
};

static struct gpu gpu;
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t start;
static VkDescriptorSetLayout set_layout;
static VkPipelineLayout layout;
static VkPipeline pipeline; /* used by all threads at once */
static uint32_t round_count = 60;
static _Atomic bool stopped; /* by SIGTERM */

struct job {
    VkCommandBuffer commands;
    VkFence fence;
    struct buffer result;
    VkDescriptorSet set;
    uint32_t seed; /* 0: nothing is in flight */
};

struct worker {
    pthread_t thread;
    uint32_t number;
    VkCommandPool pool;
    VkDescriptorPool descriptors;
    struct buffer source;
    struct job jobs[IN_FLIGHT];
};

static struct push push_of(uint32_t seed)
{
    return (struct push){
        .count = ELEMENT_COUNT,
        .factor = mix32(seed) | 1,
        .addend = seed,
    };
}

static void job_init(struct worker *worker, struct job *job)
{
    must(vkAllocateCommandBuffers(gpu.device,
                                  &(VkCommandBufferAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                      .commandPool = worker->pool,
                                      .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                      .commandBufferCount = 1,
                                  },
                                  &job->commands));
    must(vkCreateFence(gpu.device,
                       &(VkFenceCreateInfo){.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO}, NULL,
                       &job->fence));
    buffer_init_host(&gpu, &job->result, ELEMENT_COUNT * sizeof(uint32_t),
                     VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    must(vkAllocateDescriptorSets(gpu.device,
                                  &(VkDescriptorSetAllocateInfo){
                                      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                      .descriptorPool = worker->descriptors,
                                      .descriptorSetCount = 1,
                                      .pSetLayouts = &set_layout,
                                  },
                                  &job->set));
    vkUpdateDescriptorSets(gpu.device, 1,
                           &(VkWriteDescriptorSet){
                               .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                               .dstSet = job->set,
                               .descriptorCount = 2,
                               .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                               .pBufferInfo =
                                   (const VkDescriptorBufferInfo[]){
                                       {worker->source.handle, 0, VK_WHOLE_SIZE},
                                       {job->result.handle, 0, VK_WHOLE_SIZE},
                                   },
                           },
                           0, NULL);
}

static void job_submit(struct job *job, uint32_t seed)
{
    const struct push push = push_of(seed);
    must(vkBeginCommandBuffer(
        job->commands,
        &(VkCommandBufferBeginInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO}));
    vkCmdBindPipeline(job->commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
    vkCmdBindDescriptorSets(job->commands, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1, &job->set,
                            0, NULL);
    vkCmdPushConstants(job->commands, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(push), &push);
    vkCmdDispatch(job->commands, ELEMENT_COUNT / GROUP_SIZE, 1, 1);
    memory_barrier(job->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                   VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    commands_end(job->commands);

    pthread_mutex_lock(&queue_lock);
    commands_submit(&gpu, job->commands, job->fence);
    pthread_mutex_unlock(&queue_lock);
    job->seed = seed;
}

static void job_check(const struct worker *worker, struct job *job)
{
    must(vkWaitForFences(gpu.device, 1, &job->fence, VK_TRUE, LONG_NS));
    must(vkResetFences(gpu.device, 1, &job->fence));
    const struct push push = push_of(job->seed);
    const uint32_t *source = worker->source.map, *result = job->result.map;
    for (uint32_t i = 0; i < ELEMENT_COUNT; i++) {
        const uint32_t wanted = source[i] * push.factor + push.addend;
        expect(result[i] == wanted, "thread %u: element %u is %#x, not %#x", worker->number, i,
               result[i], wanted);
    }
    job->seed = 0;
}

/* Objects come and go in all threads while others record and submit. */
static void make_and_break(uint32_t seed)
{
    struct buffer buffer;
    buffer_init_host(&gpu, &buffer, 256 + mix32(seed) % 10000, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    memset(buffer.map, (int)seed, buffer.size);
    VkSampler sampler;
    must(vkCreateSampler(gpu.device,
                         &(VkSamplerCreateInfo){.sType = VK_STRUCTURE_TYPE_SAMPLER_CREATE_INFO},
                         NULL, &sampler));
    vkDestroySampler(gpu.device, sampler, NULL);
    buffer_finish(&gpu, &buffer);
}

static void *work(void *data)
{
    struct worker *worker = data;
    must(vkCreateCommandPool(gpu.device,
                             &(VkCommandPoolCreateInfo){
                                 .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                 .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                 .queueFamilyIndex = gpu.family,
                             },
                             NULL, &worker->pool));
    must(vkCreateDescriptorPool(
        gpu.device,
        &(VkDescriptorPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .maxSets = IN_FLIGHT,
            .poolSizeCount = 1,
            .pPoolSizes = &(VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 2 * IN_FLIGHT},
        },
        NULL, &worker->descriptors));
    buffer_init_host(&gpu, &worker->source, ELEMENT_COUNT * sizeof(uint32_t),
                     VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    uint32_t *source = worker->source.map;
    for (uint32_t i = 0; i < ELEMENT_COUNT; i++)
        source[i] = mix32(worker->number * ELEMENT_COUNT + i);
    for (size_t i = 0; i < IN_FLIGHT; i++)
        job_init(worker, &worker->jobs[i]);

    pthread_barrier_wait(&start);
    for (uint32_t round = 0; round < round_count && !atomic_load(&stopped); round++) {
        struct job *job = &worker->jobs[round % IN_FLIGHT];
        if (job->seed)
            job_check(worker, job);
        job_submit(job, worker->number * 1000 + round + 1);
        if (round % 8 == worker->number % 8)
            make_and_break(round);
    }

    for (size_t i = 0; i < IN_FLIGHT; i++) {
        struct job *job = &worker->jobs[i];
        if (job->seed)
            job_check(worker, job);
        vkDestroyFence(gpu.device, job->fence, NULL);
        buffer_finish(&gpu, &job->result);
    }
    buffer_finish(&gpu, &worker->source);
    vkDestroyDescriptorPool(gpu.device, worker->descriptors, NULL);
    vkDestroyCommandPool(gpu.device, worker->pool, NULL);
    return NULL;
}

static void create_pipeline(void)
{
    set_layout = set_layout_of_two(&gpu, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                   VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, VK_SHADER_STAGE_COMPUTE_BIT);
    layout =
        pipeline_layout_init(&gpu, &set_layout, VK_SHADER_STAGE_COMPUTE_BIT, sizeof(struct push));
    pipeline = compute_pipeline_init(
        &gpu, layout, mix_comp, sizeof(mix_comp),
        &(VkSpecializationInfo){
            .mapEntryCount = 1,
            .pMapEntries = &(VkSpecializationMapEntry){0, 0, sizeof(uint32_t)},
            .dataSize = sizeof(uint32_t),
            .pData = &(const uint32_t){GROUP_SIZE},
        });
}

static void stop(int signal)
{
    (void)signal;
    atomic_store(&stopped, true);
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"threads", required_argument, NULL, 't'},
        {"rounds", required_argument, NULL, 'r'},
        {"until-term", no_argument, NULL, 'u'},
        {0},
    };
    uint32_t thread_count = 8;
    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;)
        if (option == 't')
            thread_count = (uint32_t)strtoul(optarg, NULL, 10);
        else if (option == 'r')
            round_count = (uint32_t)strtoul(optarg, NULL, 10);
        else if (option == 'u')
            round_count = UINT32_MAX;
        else
            return 2;
    expect(thread_count >= 1 && thread_count <= MAX_THREADS, "%u threads", thread_count);

    sigaction(SIGTERM, &(struct sigaction){.sa_handler = stop}, NULL);
    gpu_init(&gpu, &(struct gpu_options){.name = "threads"});
    create_pipeline();
    static struct worker workers[MAX_THREADS];
    pthread_barrier_init(&start, NULL, thread_count);
    for (uint32_t i = 0; i < thread_count; i++) {
        workers[i].number = i;
        expect(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0,
               "cannot start thread %u", i);
    }
    for (uint32_t i = 0; i < thread_count; i++)
        pthread_join(workers[i].thread, NULL);
    pthread_barrier_destroy(&start);

    vkDestroyPipeline(gpu.device, pipeline, NULL);
    vkDestroyPipelineLayout(gpu.device, layout, NULL);
    vkDestroyDescriptorSetLayout(gpu.device, set_layout, NULL);
    gpu_finish(&gpu);
    if (atomic_load(&stopped))
        printf("threads: %u threads until they were told to end, all results correct\n",
               thread_count);
    else
        printf("threads: %u threads, %u submissions each, all results correct\n", thread_count,
               round_count);
    return 0;
}
