/* SPDX-License-Identifier: MIT
 *
 * Binaries of the driver, on their way out and back: sealed (seal.h) behind their last byte, so that
 * what applications look at, a header, stands where the specification puts it.
 */
#include <stdlib.h>

#include "args.h"
#include "device.h"
#include "execution.h"
#include "log.h"
#include "opcodes.h"
#include "replay.h"
#include "seal.h"

static bool has(struct vds_execution *x, bool command)
{
    return command || vds_dec_fail(&x->decoder, "the host has no such command");
}

/* Says nothing of what the client does not know to be wrong: another server's caches are daily business. */
static bool is_ours(const struct vds_sealed_data *binary, const char *what)
{
    const bool ours = vds_seal_holds(binary);
    if (!ours) {
        vds_log(VDS_LOG_INFO, "%s of %zu bytes was not made by this server: not used", what,
                binary->size);
    }
    return ours;
}

/* Seals the `*size` bytes at `data`, behind which there is room. */
static VkResult append_seal(const struct vds_sealed_data *binary, void *data, size_t *size)
{
    if (!vds_seal(binary, (uint8_t *)data + *size))
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    *size += VDS_SEAL_SIZE;
    return VK_SUCCESS;
}

/* ---- Pipeline caches */

void vds_call_vkCreatePipelineCache(struct vds_execution *x, void *body)
{
    const struct vd_args_vkCreatePipelineCache *a = body;
    VkPipelineCacheCreateInfo info = *a->pCreateInfo;
    const struct vds_sealed_data binary = {
        .kind = VDS_SEALED_PIPELINE_CACHE,
        .data = info.pInitialData,
        .size = info.initialDataSize,
    };
    if (info.initialDataSize) {
        /* What is not compatible makes a cache that is empty. */
        const bool ours = is_ours(&binary, "a pipeline cache");
        info.initialDataSize = ours ? info.initialDataSize - VDS_SEAL_SIZE : 0;
        if (!info.initialDataSize)
            info.pInitialData = NULL;
    }
    x->result = x->device->vkCreatePipelineCache(a->device, &info, NULL, a->pPipelineCache);
}

/* Of commands that return VK_INCOMPLETE where there is little room. `get` is what calls the driver. */
static void
get_incomplete(struct vds_execution *x, void *body, enum vds_sealed kind, size_t *size, void *data,
               VkResult (*get)(struct vds_execution *x, void *body, size_t *size, void *data))
{
    size_t bytes = 0;
    if (!data) {
        x->result = get(x, body, &bytes, NULL);
        *size = bytes ? bytes + VDS_SEAL_SIZE : 0;
        return;
    }
    if (*size <= VDS_SEAL_SIZE) {
        *size = 0;
        x->result = VK_INCOMPLETE;
        return;
    }
    bytes = *size - VDS_SEAL_SIZE;
    VkResult result = get(x, body, &bytes, data);
    const struct vds_sealed_data binary = {.kind = kind, .data = data, .size = bytes};
    if (result >= 0 && bytes) {
        const VkResult sealed = append_seal(&binary, data, &bytes);
        result = sealed < 0 ? sealed : result;
    }
    *size = result >= 0 ? bytes : 0;
    x->result = result;
}

static VkResult get_cache(struct vds_execution *x, void *body, size_t *size, void *data)
{
    const struct vd_args_vkGetPipelineCacheData *a = body;
    return x->device->vkGetPipelineCacheData(a->device, a->pipelineCache, size, data);
}

void vds_call_vkGetPipelineCacheData(struct vds_execution *x, void *body)
{
    const struct vd_args_vkGetPipelineCacheData *a = body;
    get_incomplete(x, body, VDS_SEALED_PIPELINE_CACHE, a->pDataSize, a->pData, get_cache);
}

/* ---- Shader binaries */

static VkResult get_shader(struct vds_execution *x, void *body, size_t *size, void *data)
{
    const struct vd_args_vkGetShaderBinaryDataEXT *a = body;
    return x->device->vkGetShaderBinaryDataEXT(a->device, a->shader, size, data);
}

void vds_call_vkGetShaderBinaryDataEXT(struct vds_execution *x, void *body)
{
    const struct vd_args_vkGetShaderBinaryDataEXT *a = body;
    if (has(x, x->device->vkGetShaderBinaryDataEXT))
        get_incomplete(x, body, VDS_SEALED_SHADER_BINARY, a->pDataSize, a->pData, get_shader);
}

void vds_call_vkCreateShadersEXT(struct vds_execution *x, void *body)
{
    const struct vd_args_vkCreateShadersEXT *a = body;
    if (!has(x, x->device->vkCreateShadersEXT))
        return;
    /* The record is a private copy, so that what stands in it may be changed. */
    VkShaderCreateInfoEXT *infos = (VkShaderCreateInfoEXT *)a->pCreateInfos;
    for (uint32_t i = 0; i < a->createInfoCount; i++) {
        const struct vds_sealed_data binary = {
            .kind = VDS_SEALED_SHADER_BINARY,
            .data = infos[i].pCode,
            .size = infos[i].codeSize,
        };
        if (infos[i].codeType != VK_SHADER_CODE_TYPE_BINARY_EXT)
            continue;
        if (!is_ours(&binary, "a shader binary")) {
            x->result = VK_INCOMPATIBLE_SHADER_BINARY_EXT; /* and no shader comes to be */
            return;
        }
        infos[i].codeSize -= VDS_SEAL_SIZE;
    }
    x->result =
        x->device->vkCreateShadersEXT(a->device, a->createInfoCount, infos, NULL, a->pShaders);
}

/* ---- Pipeline binaries, whose key is sealed with them */

void vds_call_vkGetPipelineBinaryDataKHR(struct vds_execution *x, void *body)
{
    const struct vd_args_vkGetPipelineBinaryDataKHR *a = body;
    const PFN_vkGetPipelineBinaryDataKHR get = x->device->vkGetPipelineBinaryDataKHR;
    if (!has(x, get))
        return;
    const size_t room = a->pPipelineBinaryData ? *a->pPipelineBinaryDataSize : 0;
    const bool fits = room > VDS_SEAL_SIZE;
    size_t bytes = fits ? room - VDS_SEAL_SIZE : 0;
    x->result = get(a->device, a->pInfo, a->pPipelineBinaryKey, &bytes,
                    fits ? a->pPipelineBinaryData : NULL);
    if (x->result == VK_SUCCESS && !fits) {
        bytes += VDS_SEAL_SIZE;
        if (a->pPipelineBinaryData)
            x->result = VK_ERROR_NOT_ENOUGH_SPACE_KHR;
    } else if (x->result == VK_SUCCESS) {
        const struct vds_sealed_data binary = {
            .kind = VDS_SEALED_PIPELINE_BINARY,
            .label = a->pPipelineBinaryKey->key,
            .label_size = sizeof(a->pPipelineBinaryKey->key),
            .data = a->pPipelineBinaryData,
            .size = bytes,
        };
        x->result = append_seal(&binary, a->pPipelineBinaryData, &bytes);
    } else if (x->result == VK_ERROR_NOT_ENOUGH_SPACE_KHR) {
        bytes += VDS_SEAL_SIZE;
    }
    *a->pPipelineBinaryDataSize = bytes;
}

/* From data: what this server has not made does not reach the driver, and becomes no binary; the others
 * do, as after a driver that finds one damaged. */
static VkResult create_from_data(struct vds_execution *x,
                                 const struct vd_args_vkCreatePipelineBinariesKHR *a, bool *ours)
{
    VkPipelineBinaryKeysAndDataKHR given = *a->pCreateInfo->pKeysAndDataInfo;
    VkPipelineBinaryKeyKHR *keys = (void *)given.pPipelineBinaryKeys;
    VkPipelineBinaryDataKHR *data = (void *)given.pPipelineBinaryData;
    VkPipelineBinaryKHR *made = a->pBinaries->pPipelineBinaries;
    const uint32_t total = given.binaryCount, room = a->pBinaries->pipelineBinaryCount;
    const uint32_t count = room < total ? room : total;
    uint32_t good = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct vds_sealed_data binary = {
            .kind = VDS_SEALED_PIPELINE_BINARY,
            .label = keys[i].key,
            .label_size = sizeof(keys[i].key),
            .data = data[i].pData,
            .size = data[i].dataSize,
        };
        ours[i] = is_ours(&binary, "a pipeline binary");
        if (!ours[i])
            continue;
        keys[good] = keys[i];
        data[good] = data[i];
        data[good++].dataSize -= VDS_SEAL_SIZE;
    }
    VkPipelineBinaryCreateInfoKHR info = *a->pCreateInfo;
    info.pKeysAndDataInfo = &given;
    given.binaryCount = good;
    a->pBinaries->pipelineBinaryCount = good;
    VkResult result =
        good ? x->device->vkCreatePipelineBinariesKHR(a->device, &info, NULL, a->pBinaries)
             : VK_SUCCESS;
    for (uint32_t i = count, from = good; i-- > 0;)
        made[i] = ours[i] ? made[--from] : VK_NULL_HANDLE;
    a->pBinaries->pipelineBinaryCount = count;
    if (result == VK_SUCCESS && good < count)
        result = VK_ERROR_INITIALIZATION_FAILED;
    return result == VK_SUCCESS && count < total ? VK_INCOMPLETE : result;
}

void vds_call_vkCreatePipelineBinariesKHR(struct vds_execution *x, void *body)
{
    const struct vd_args_vkCreatePipelineBinariesKHR *a = body;
    const VkPipelineBinaryKeysAndDataKHR *given = a->pCreateInfo->pKeysAndDataInfo;
    if (!has(x, x->device->vkCreatePipelineBinariesKHR))
        return;
    if (!given) {
        x->result =
            x->device->vkCreatePipelineBinariesKHR(a->device, a->pCreateInfo, NULL, a->pBinaries);
        return;
    }
    if (!a->pBinaries->pPipelineBinaries) {
        a->pBinaries->pipelineBinaryCount = given->binaryCount;
        x->result = VK_SUCCESS;
        return;
    }
    bool *ours = calloc(given->binaryCount ? given->binaryCount : 1, sizeof(*ours));
    x->result = ours ? create_from_data(x, a, ours) : VK_ERROR_OUT_OF_HOST_MEMORY;
    free(ours);
}
