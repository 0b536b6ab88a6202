/* SPDX-License-Identifier: MIT
 *
 * VK_KHR_pipeline_binary over a driver that has not got it, for tests: a pipeline has one binary for
 * each of its stages, which is that stage's SPIR-V, and pipelines are made of them in earnest. What
 * was ever captured is in the internal cache. Data that does not belong to its key is refused.
 *
 * Only monolithic graphics and compute pipelines are looked at.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "extensions.h"
#include "layer.h"

#define NAME       "VK_LAYER_VIADUCT_pipeline_binary"
#define STAGES_MAX 5

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* To be asked for while the instance is created; later the loader gives the whole chain's. */
static struct {
    PFN_vkGetPhysicalDeviceFeatures2 get_features;
    PFN_vkGetPhysicalDeviceProperties2 get_properties;
    PFN_vkEnumerateDeviceExtensionProperties enumerate_extensions;
    PFN_vkCreateDevice create_device;
} below;
static bool cache_disabled;
static uint32_t binaries_alive;

static uint64_t hash_more(uint64_t hash, const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const uint8_t *)data)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t hash_of(const void *data, size_t size)
{
    return hash_more(UINT64_C(0xcbf29ce484222325), data, size);
}

/* ---- What is known of modules and pipelines */

struct code {
    size_t size;
    const void *words;
};

/* A handle and what belongs to it. */
struct entry {
    struct entry *next;
    uint64_t handle; /* 0: in the cache */
    uint32_t count;
    struct code codes[STAGES_MAX];
};

static struct entry *modules, *pipelines, *cache;

static struct code copy_code(struct code code)
{
    void *words = malloc(code.size);
    memcpy(words, code.words, code.size);
    return (struct code){code.size, words};
}

static void add_entry(struct entry **list, uint64_t handle, uint32_t count,
                      const struct code *codes)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    entry->handle = handle;
    entry->count = count;
    for (uint32_t i = 0; i < count; i++)
        entry->codes[i] = copy_code(codes[i]);
    pthread_mutex_lock(&lock);
    entry->next = *list;
    *list = entry;
    pthread_mutex_unlock(&lock);
}

static void remove_entry(struct entry **list, uint64_t handle)
{
    pthread_mutex_lock(&lock);
    while (*list && (*list)->handle != handle)
        list = &(*list)->next;
    struct entry *entry = *list;
    if (entry)
        *list = entry->next;
    pthread_mutex_unlock(&lock);
    for (uint32_t i = 0; entry && i < entry->count; i++)
        free((void *)entry->codes[i].words);
    free(entry);
}

static const struct entry *find_entry(struct entry *const *list, uint64_t handle)
{
    pthread_mutex_lock(&lock);
    const struct entry *entry = *list;
    while (entry && entry->handle != handle)
        entry = entry->next;
    pthread_mutex_unlock(&lock);
    return entry;
}

static bool is_cached(struct code code)
{
    pthread_mutex_lock(&lock);
    const struct entry *entry = cache;
    while (entry && (entry->codes[0].size != code.size ||
                     memcmp(entry->codes[0].words, code.words, code.size) != 0))
        entry = entry->next;
    pthread_mutex_unlock(&lock);
    return entry;
}

/* ---- Pipelines */

/* What the create infos of pipelines have in common. */
struct pipeline_info {
    const void *chain;
    uint32_t stage_count;
    const VkPipelineShaderStageCreateInfo *stages;
};

static struct pipeline_info graphics_info(const VkGraphicsPipelineCreateInfo *info)
{
    return (struct pipeline_info){info->pNext, info->stageCount, info->pStages};
}

static struct pipeline_info compute_info(const VkComputePipelineCreateInfo *info)
{
    return (struct pipeline_info){info->pNext, 1, &info->stage};
}

static struct code stage_code(const VkPipelineShaderStageCreateInfo *stage)
{
    const VkShaderModuleCreateInfo *info =
        vd_chain_find(stage->pNext, VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO);
    if (info)
        return (struct code){info->codeSize, info->pCode};
    return find_entry(&modules, (uint64_t)stage->module)->codes[0];
}

struct binary {
    uint64_t key;
    size_t size;
    uint8_t data[];
};

static struct binary *binary_of(VkPipelineBinaryKHR handle)
{
    return (struct binary *)(uintptr_t)handle;
}

static VkShaderModule create_module(VkDevice device, struct code code)
{
    VkShaderModule module = VK_NULL_HANDLE;
    NEXT(device, vkCreateShaderModule)
    (device,
     &(VkShaderModuleCreateInfo){
         .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
         .codeSize = code.size,
         .pCode = code.words,
     },
     NULL, &module);
    return module;
}

/* Copies the stages, whose code comes from the binaries if there are some. */
static void begin_pipeline(VkDevice device, const struct pipeline_info *info,
                           VkPipelineShaderStageCreateInfo *stages)
{
    const VkPipelineBinaryInfoKHR *binaries =
        vd_chain_find(info->chain, VK_STRUCTURE_TYPE_PIPELINE_BINARY_INFO_KHR);
    for (uint32_t i = 0; i < info->stage_count; i++) {
        stages[i] = info->stages[i];
        if (!binaries || !binaries->binaryCount)
            continue;
        const struct binary *binary = binary_of(binaries->pPipelineBinaries[i]);
        stages[i].module = create_module(device, (struct code){binary->size, binary->data});
    }
}

/* Destroys what begin_pipeline made, and captures. */
static void end_pipeline(VkDevice device, const struct pipeline_info *info,
                         const VkPipelineShaderStageCreateInfo *stages, VkPipeline pipeline)
{
    const VkPipelineBinaryInfoKHR *binaries =
        vd_chain_find(info->chain, VK_STRUCTURE_TYPE_PIPELINE_BINARY_INFO_KHR);
    if (binaries && binaries->binaryCount) {
        for (uint32_t i = 0; i < info->stage_count; i++)
            NEXT(device, vkDestroyShaderModule)(device, stages[i].module, NULL);
        return;
    }
    const VkPipelineCreateFlags2CreateInfo *flags =
        vd_chain_find(info->chain, VK_STRUCTURE_TYPE_PIPELINE_CREATE_FLAGS_2_CREATE_INFO);
    if (!pipeline || !flags || !(flags->flags & VK_PIPELINE_CREATE_2_CAPTURE_DATA_BIT_KHR))
        return;
    struct code codes[STAGES_MAX];
    for (uint32_t i = 0; i < info->stage_count; i++) {
        codes[i] = stage_code(&info->stages[i]);
        if (!cache_disabled && !is_cached(codes[i]))
            add_entry(&cache, 0, 1, &codes[i]);
    }
    add_entry(&pipelines, (uint64_t)pipeline, info->stage_count, codes);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_graphics(VkDevice device,
                                                      VkPipelineCache pipeline_cache,
                                                      uint32_t count,
                                                      const VkGraphicsPipelineCreateInfo *infos,
                                                      const VkAllocationCallbacks *alloc,
                                                      VkPipeline *handles)
{
    VkResult result = VK_SUCCESS;
    for (uint32_t i = 0; i < count; i++) {
        const struct pipeline_info info = graphics_info(&infos[i]);
        VkPipelineShaderStageCreateInfo stages[STAGES_MAX];
        VkGraphicsPipelineCreateInfo changed = infos[i];
        changed.pStages = stages;
        begin_pipeline(device, &info, stages);
        const VkResult one = NEXT(device, vkCreateGraphicsPipelines)(device, pipeline_cache, 1,
                                                                     &changed, alloc, &handles[i]);
        result = result == VK_SUCCESS ? one : result;
        end_pipeline(device, &info, stages, handles[i]);
    }
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_compute(VkDevice device,
                                                     VkPipelineCache pipeline_cache, uint32_t count,
                                                     const VkComputePipelineCreateInfo *infos,
                                                     const VkAllocationCallbacks *alloc,
                                                     VkPipeline *handles)
{
    VkResult result = VK_SUCCESS;
    for (uint32_t i = 0; i < count; i++) {
        const struct pipeline_info info = compute_info(&infos[i]);
        VkComputePipelineCreateInfo changed = infos[i];
        begin_pipeline(device, &info, &changed.stage);
        const VkResult one = NEXT(device, vkCreateComputePipelines)(device, pipeline_cache, 1,
                                                                    &changed, alloc, &handles[i]);
        result = result == VK_SUCCESS ? one : result;
        end_pipeline(device, &info, &changed.stage, handles[i]);
    }
    return result;
}

static VKAPI_ATTR void VKAPI_CALL destroy_pipeline(VkDevice device, VkPipeline pipeline,
                                                   const VkAllocationCallbacks *alloc)
{
    remove_entry(&pipelines, (uint64_t)pipeline);
    NEXT(device, vkDestroyPipeline)(device, pipeline, alloc);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_shader_module(VkDevice device,
                                                           const VkShaderModuleCreateInfo *info,
                                                           const VkAllocationCallbacks *alloc,
                                                           VkShaderModule *module)
{
    const VkResult result = NEXT(device, vkCreateShaderModule)(device, info, alloc, module);
    if (result == VK_SUCCESS)
        add_entry(&modules, (uint64_t)*module, 1, &(struct code){info->codeSize, info->pCode});
    return result;
}

static VKAPI_ATTR void VKAPI_CALL destroy_shader_module(VkDevice device, VkShaderModule module,
                                                        const VkAllocationCallbacks *alloc)
{
    remove_entry(&modules, (uint64_t)module);
    NEXT(device, vkDestroyShaderModule)(device, module, alloc);
}

/* ---- Binaries */

static void write_key(VkPipelineBinaryKeyKHR *key, uint64_t hash)
{
    key->keySize = sizeof(hash);
    memcpy(key->key, &hash, sizeof(hash));
}

/* Of whatever pipeline stands in the chain. */
static struct pipeline_info chained_info(const VkPipelineCreateInfoKHR *info)
{
    const VkGraphicsPipelineCreateInfo *graphics =
        vd_chain_find(info->pNext, VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO);
    return graphics ? graphics_info(graphics) : compute_info(info->pNext);
}

/* Stages, their constants, and what dynamic rendering renders to. */
static VKAPI_ATTR VkResult VKAPI_CALL get_key(VkDevice device, const VkPipelineCreateInfoKHR *info,
                                              VkPipelineBinaryKeyKHR *key)
{
    (void)device;
    if (!info) {
        write_key(key, hash_of(&cache_disabled, sizeof(cache_disabled)));
        return VK_SUCCESS;
    }
    const struct pipeline_info pipeline = chained_info(info);
    uint64_t hash = hash_of(NULL, 0);
    for (uint32_t i = 0; i < pipeline.stage_count; i++) {
        const VkPipelineShaderStageCreateInfo *stage = &pipeline.stages[i];
        const struct code code = stage_code(stage);
        hash = hash_more(hash, code.words, code.size);
        hash = hash_more(hash, stage->pName, strlen(stage->pName));
        if (stage->pSpecializationInfo)
            hash = hash_more(hash, stage->pSpecializationInfo->pData,
                             stage->pSpecializationInfo->dataSize);
    }
    const VkPipelineRenderingCreateInfo *rendering =
        vd_chain_find(pipeline.chain, VK_STRUCTURE_TYPE_PIPELINE_RENDERING_CREATE_INFO);
    if (rendering)
        hash = hash_more(hash, rendering->pColorAttachmentFormats,
                         rendering->colorAttachmentCount * sizeof(VkFormat));
    write_key(key, hash);
    return VK_SUCCESS;
}

static VkPipelineBinaryKHR create_binary(struct code code)
{
    struct binary *binary = malloc(sizeof(*binary) + code.size);
    *binary = (struct binary){.key = hash_of(code.words, code.size), .size = code.size};
    memcpy(binary->data, code.words, code.size);
    pthread_mutex_lock(&lock);
    binaries_alive++;
    pthread_mutex_unlock(&lock);
    return (VkPipelineBinaryKHR)(uintptr_t)binary;
}

/* The n-th binary that is asked for; what is wrong with it leaves VK_NULL_HANDLE. */
static VkResult create_nth(const VkPipelineBinaryCreateInfoKHR *info, uint32_t n,
                           VkPipelineBinaryKHR *handle)
{
    *handle = VK_NULL_HANDLE;
    struct code code;
    if (info->pKeysAndDataInfo) {
        const VkPipelineBinaryKeyKHR *key = &info->pKeysAndDataInfo->pPipelineBinaryKeys[n];
        const VkPipelineBinaryDataKHR *data = &info->pKeysAndDataInfo->pPipelineBinaryData[n];
        const uint64_t hash = hash_of(data->pData, data->dataSize);
        if (key->keySize != sizeof(hash) || memcmp(key->key, &hash, sizeof(hash)) != 0)
            return VK_ERROR_INITIALIZATION_FAILED;
        code = (struct code){data->dataSize, data->pData};
    } else if (info->pipeline) {
        code = find_entry(&pipelines, (uint64_t)info->pipeline)->codes[n];
    } else {
        code = stage_code(&chained_info(info->pPipelineCreateInfo).stages[n]);
        if (!is_cached(code))
            return VK_PIPELINE_BINARY_MISSING_KHR;
    }
    *handle = create_binary(code);
    return VK_SUCCESS;
}

static uint32_t count_binaries(const VkPipelineBinaryCreateInfoKHR *info)
{
    if (info->pKeysAndDataInfo)
        return info->pKeysAndDataInfo->binaryCount;
    if (!info->pipeline)
        return chained_info(info->pPipelineCreateInfo).stage_count;
    const struct entry *captured = find_entry(&pipelines, (uint64_t)info->pipeline);
    return captured ? captured->count : 0;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_binaries(VkDevice device,
                                                      const VkPipelineBinaryCreateInfoKHR *info,
                                                      const VkAllocationCallbacks *alloc,
                                                      VkPipelineBinaryHandlesInfoKHR *binaries)
{
    (void)device, (void)alloc;
    const uint32_t total = count_binaries(info), room = binaries->pipelineBinaryCount;
    binaries->pipelineBinaryCount = total;
    if (!binaries->pPipelineBinaries)
        return VK_SUCCESS;
    if (room < total)
        binaries->pipelineBinaryCount = room;
    VkResult result = VK_SUCCESS;
    for (uint32_t i = 0; i < binaries->pipelineBinaryCount; i++) {
        const VkResult one = create_nth(info, i, &binaries->pPipelineBinaries[i]);
        result = result == VK_SUCCESS ? one : result;
    }
    return result == VK_SUCCESS && room < total ? VK_INCOMPLETE : result;
}

static VKAPI_ATTR void VKAPI_CALL destroy_binary(VkDevice device, VkPipelineBinaryKHR handle,
                                                 const VkAllocationCallbacks *alloc)
{
    (void)device, (void)alloc;
    if (!handle)
        return;
    free(binary_of(handle));
    pthread_mutex_lock(&lock);
    binaries_alive--;
    pthread_mutex_unlock(&lock);
}

static VKAPI_ATTR VkResult VKAPI_CALL get_data(VkDevice device,
                                               const VkPipelineBinaryDataInfoKHR *info,
                                               VkPipelineBinaryKeyKHR *key, size_t *size,
                                               void *data)
{
    (void)device;
    const struct binary *binary = binary_of(info->pipelineBinary);
    const size_t room = *size;
    *size = binary->size;
    if (data && room < binary->size)
        return VK_ERROR_NOT_ENOUGH_SPACE_KHR;
    if (data)
        memcpy(data, binary->data, binary->size);
    write_key(key, binary->key);
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL
release_captured(VkDevice device, const VkReleaseCapturedPipelineDataInfoKHR *info,
                 const VkAllocationCallbacks *alloc)
{
    (void)device, (void)alloc;
    remove_entry(&pipelines, (uint64_t)info->pipeline);
    return VK_SUCCESS;
}

/* ---- What the physical device says */

static VKAPI_ATTR void VKAPI_CALL get_features(VkPhysicalDevice device,
                                               VkPhysicalDeviceFeatures2 *features)
{
    below.get_features(device, features);
    VkPhysicalDevicePipelineBinaryFeaturesKHR *ours = (void *)vd_chain_find(
        features, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_BINARY_FEATURES_KHR);
    if (ours)
        ours->pipelineBinaries = VK_TRUE;
}

static VKAPI_ATTR void VKAPI_CALL get_properties(VkPhysicalDevice device,
                                                 VkPhysicalDeviceProperties2 *properties)
{
    below.get_properties(device, properties);
    VkPhysicalDevicePipelineBinaryPropertiesKHR *ours = (void *)vd_chain_find(
        properties, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_BINARY_PROPERTIES_KHR);
    if (ours) {
        ours->pipelineBinaryInternalCache = VK_TRUE;
        ours->pipelineBinaryInternalCacheControl = VK_TRUE;
        ours->pipelineBinaryPrefersInternalCache = VK_FALSE;
        ours->pipelineBinaryPrecompiledInternalCache = VK_FALSE;
        ours->pipelineBinaryCompressedData = VK_FALSE;
    }
}

static const VkExtensionProperties extension = {VK_KHR_PIPELINE_BINARY_EXTENSION_NAME,
                                                VK_KHR_PIPELINE_BINARY_SPEC_VERSION};
static const struct added added = {NAME, &extension, 1};

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_extensions(VkPhysicalDevice device,
                                                           const char *layer, uint32_t *count,
                                                           VkExtensionProperties *properties)
{
    return enumerate_added(&added, below.enumerate_extensions, device, layer, count, properties);
}

/* ---- Instances and devices */

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *alloc,
                                                      VkInstance *handle)
{
    const PFN_vkGetInstanceProcAddr next = step_instance(info);
    const VkResult result =
        ((PFN_vkCreateInstance)next(NULL, "vkCreateInstance"))(info, alloc, handle);
    if (result == VK_SUCCESS) {
        below.get_features =
            (PFN_vkGetPhysicalDeviceFeatures2)next(*handle, "vkGetPhysicalDeviceFeatures2");
        below.get_properties =
            (PFN_vkGetPhysicalDeviceProperties2)next(*handle, "vkGetPhysicalDeviceProperties2");
        below.enumerate_extensions = (PFN_vkEnumerateDeviceExtensionProperties)next(
            *handle, "vkEnumerateDeviceExtensionProperties");
        below.create_device = (PFN_vkCreateDevice)next(*handle, "vkCreateDevice");
    }
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical,
                                                    const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *alloc,
                                                    VkDevice *handle)
{
    step_device(info);
    const VkDevicePipelineBinaryInternalCacheControlKHR *control = vd_chain_find(
        info->pNext, VK_STRUCTURE_TYPE_DEVICE_PIPELINE_BINARY_INTERNAL_CACHE_CONTROL_KHR);
    cache_disabled = control && control->disableInternalCache;
    /* The driver would refuse what it has not got. */
    VkPhysicalDevicePipelineBinaryFeaturesKHR *ours = (void *)vd_chain_find(
        info->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_BINARY_FEATURES_KHR);
    const VkBool32 wanted = ours && ours->pipelineBinaries;
    if (wanted)
        ours->pipelineBinaries = VK_FALSE;
    const VkResult result = below.create_device(physical, info, alloc, handle);
    if (wanted)
        ours->pipelineBinaries = VK_TRUE;
    return result;
}

/* Says what was left, which nobody else would see. */
static VKAPI_ATTR void VKAPI_CALL destroy_device(VkDevice device,
                                                 const VkAllocationCallbacks *alloc)
{
    if (!device)
        return;
    fprintf(stderr, NAME ": %u binaries are left\n", binaries_alive);
    NEXT(device, vkDestroyDevice)(device, alloc);
}

/* ---- The loader's way in */

static const struct function device_functions[] = {
    FUNCTION("vkGetDeviceProcAddr", get_device),
    FUNCTION("vkDestroyDevice", destroy_device),
    FUNCTION("vkCreateShaderModule", create_shader_module),
    FUNCTION("vkDestroyShaderModule", destroy_shader_module),
    FUNCTION("vkCreateGraphicsPipelines", create_graphics),
    FUNCTION("vkCreateComputePipelines", create_compute),
    FUNCTION("vkDestroyPipeline", destroy_pipeline),
    FUNCTION("vkCreatePipelineBinariesKHR", create_binaries),
    FUNCTION("vkDestroyPipelineBinaryKHR", destroy_binary),
    FUNCTION("vkGetPipelineKeyKHR", get_key),
    FUNCTION("vkGetPipelineBinaryDataKHR", get_data),
    FUNCTION("vkReleaseCapturedPipelineDataKHR", release_captured),
};

static const struct function instance_functions[] = {
    FUNCTION("vkGetInstanceProcAddr", get_instance),
    FUNCTION("vkCreateInstance", create_instance),
    FUNCTION("vkCreateDevice", create_device),
    FUNCTION("vkEnumerateDeviceExtensionProperties", enumerate_extensions),
    FUNCTION("vkGetPhysicalDeviceFeatures2", get_features),
    FUNCTION("vkGetPhysicalDeviceProperties2", get_properties),
};

DEFINE_LOOK_UPS(instance_functions, device_functions)
