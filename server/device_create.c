/* SPDX-License-Identifier: MIT */
#include "device.h"

#include <stdlib.h>

#include "common/chain.h"
#include "common/masked_features.h"

#include "args.h"
#include "chains.h"
#include "context_private.h"
#include "execute.h"
#include "extensions.h"
#include "fence.h"
#include "instance.h"
#include "log.h"
#include "names.h"
#include "opcodes.h"
#include "own_records.h"
#include "queue.h"
#include "replay.h"
#include "semaphore.h"
#include "turn.h"
#include "wait.h"

/* ---- Creation */

static bool lists(const VkDeviceCreateInfo *info, const char *extension)
{
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++)
        if (strcmp(info->ppEnabledExtensionNames[i], extension) == 0)
            return true;
    return false;
}

/* What Viaduct itself needs, on top of what the client asks for. */
static void add_extension(VkDeviceCreateInfo *info, const char **extensions,
                          const struct vds_physical_device *pd, const char *extension)
{
    if (vds_physical_device_has(pd, extension) && !lists(info, extension))
        extensions[info->enabledExtensionCount++] = extension;
}

/* What the client was not offered, it must not have: it is trusted with nothing. */
static bool is_offered(struct vds_decoder *d, const VkDeviceCreateInfo *info)
{
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++) {
        const int index = vd_extension_find(info->ppEnabledExtensionNames[i]);
        if (index < 0 || !vd_extensions[index].device ||
            vd_extensions[index].way == VD_EXTENSION_WITHHELD)
            return vds_dec_fail(d, "refused: enables an extension that is not offered");
    }
    if (vd_masked_feature_enabled(info->pNext))
        return vds_dec_fail(d, "refused: enables a feature that is not offered");
    return true;
}

/* What decoding looks at later. */
static void ask_limits(const struct vds_instance *instance, const struct vds_physical_device *pd,
                       struct vds_limits *limits)
{
    VkPhysicalDeviceRayTracingPipelinePropertiesKHR rays = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_RAY_TRACING_PIPELINE_PROPERTIES_KHR};
    VkPhysicalDeviceDescriptorBufferPropertiesEXT descriptors = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_BUFFER_PROPERTIES_EXT};
    VkPhysicalDeviceDriverProperties driver = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {.sType =
                                                  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    if (vds_physical_device_has(pd, VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME)) {
        driver.pNext = properties.pNext;
        properties.pNext = &driver;
    }
    if (vds_physical_device_has(pd, VK_KHR_RAY_TRACING_PIPELINE_EXTENSION_NAME)) {
        rays.pNext = properties.pNext;
        properties.pNext = &rays;
    }
    if (vds_physical_device_has(pd, VK_EXT_DESCRIPTOR_BUFFER_EXTENSION_NAME)) {
        descriptors.pNext = properties.pNext;
        properties.pNext = &descriptors;
    }
#ifdef VK_ARM_tensors
    VkPhysicalDeviceDescriptorBufferTensorPropertiesARM tensors = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DESCRIPTOR_BUFFER_TENSOR_PROPERTIES_ARM};
    if (vds_physical_device_has(pd, VK_ARM_TENSORS_EXTENSION_NAME)) {
        tensors.pNext = properties.pNext;
        properties.pNext = &tensors;
    }
#endif
    instance->dispatch.vkGetPhysicalDeviceProperties2(pd->handle, &properties);
    *limits = (struct vds_limits){
        .core = properties.properties.limits,
        .cpu = properties.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU,
        .plain_files = driver.driverID == VK_DRIVER_ID_GOOGLE_SWIFTSHADER,
        .group_handle = rays.shaderGroupHandleSize,
        .group_capture = rays.shaderGroupHandleCaptureReplaySize,
        .descriptors = descriptors,
#ifdef VK_ARM_tensors
        .tensor_capture = tensors.tensorCaptureReplayDescriptorDataSize,
        .tensor_view_capture = tensors.tensorViewCaptureReplayDescriptorDataSize,
#endif
    };
}

static VkResult create(struct vds_device *device, const struct vds_instance *instance,
                       const VkDeviceCreateInfo *asked)
{
    const struct vds_physical_device *pd = device->physical_device;
    VkDeviceCreateInfo info = *asked;
    const char **extensions = calloc((size_t)info.enabledExtensionCount + 7, sizeof(*extensions));
    if (!extensions)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    for (uint32_t i = 0; i < info.enabledExtensionCount; i++)
        extensions[i] = info.ppEnabledExtensionNames[i];
    info.ppEnabledExtensionNames = extensions;
    switch (pd->way.kind) {
    case VDS_MEMORY_IMPORT:
        add_extension(&info, extensions, pd, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME);
        break;
    case VDS_MEMORY_OWN:
    case VDS_MEMORY_UDMABUF:
        add_extension(&info, extensions, pd, VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME);
        if (pd->way.handle_type == VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT)
            add_extension(&info, extensions, pd, VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME);
        break;
    case VDS_MEMORY_NO_WAY:
    case VDS_MEMORY_NONE:
        break;
    }
    if (instance->surface) {
        /* Swapchains are the client's, but VK_IMAGE_LAYOUT_PRESENT_SRC_KHR crosses. */
        add_extension(&info, extensions, pd, VK_KHR_SWAPCHAIN_EXTENSION_NAME);
    }
    if (lists(&info, VK_KHR_ACCELERATION_STRUCTURE_EXTENSION_NAME)) {
        /* Its commands stay in the client, but an extension that crosses requires it. */
        add_extension(&info, extensions, pd, VK_KHR_DEFERRED_HOST_OPERATIONS_EXTENSION_NAME);
    }
    add_extension(&info, extensions, pd, VK_EXT_DEVICE_FAULT_EXTENSION_NAME);
    device->tells_faults = lists(&info, VK_EXT_DEVICE_FAULT_EXTENSION_NAME);
    if (pd->api_version < VK_API_VERSION_1_2)
        add_extension(&info, extensions, pd, VK_KHR_TIMELINE_SEMAPHORE_EXTENSION_NAME);

    /* The chain is a private copy, so that what stands in it may be changed. */
    VkPhysicalDeviceTimelineSemaphoreFeatures timeline = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES,
        .pNext = (void *)info.pNext,
        .timelineSemaphore = VK_TRUE,
    };
    VkPhysicalDeviceVulkan12Features *core =
        (void *)vd_chain_find(info.pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES);
    VkPhysicalDeviceTimelineSemaphoreFeatures *given = (void *)vd_chain_find(
        info.pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES);
    if (core)
        core->timelineSemaphore = VK_TRUE;
    else if (given)
        given->timelineSemaphore = VK_TRUE;
    else
        info.pNext = &timeline;
    /* Whoever has the extension has the feature. */
    VkPhysicalDeviceFaultFeaturesEXT faults = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FAULT_FEATURES_EXT,
        .pNext = (void *)info.pNext,
        .deviceFault = VK_TRUE,
    };
    VkPhysicalDeviceFaultFeaturesEXT *faults_given =
        (void *)vd_chain_find(info.pNext, faults.sType);
    if (faults_given)
        faults_given->deviceFault |= device->tells_faults;
    else if (device->tells_faults)
        info.pNext = &faults;
    const VkResult result =
        instance->dispatch.vkCreateDevice(pd->handle, &info, NULL, &device->handle);
    free(extensions);
    return result;
}

static bool remember_queues(struct vds_device *device, const VkDeviceCreateInfo *info)
{
    device->ranges = calloc(info->queueCreateInfoCount, sizeof(*device->ranges));
    if (!device->ranges)
        return false;
    device->range_count = info->queueCreateInfoCount;
    for (uint32_t i = 0; i < info->queueCreateInfoCount; i++) {
        const VkDeviceQueueCreateInfo *queue = &info->pQueueCreateInfos[i];
        device->ranges[i] = (struct vds_queue_range){
            .flags = queue->flags,
            .family = queue->queueFamilyIndex,
            .count = queue->queueCount,
        };
    }
    return true;
}

void vds_call_vkCreateDevice(struct vds_execution *x, void *body)
{
    struct vd_args_vkCreateDevice *a = body;
    struct vds_instance *instance = x->context->instance;
    if (!is_offered(&x->decoder, a->pCreateInfo))
        return;
    struct vds_device *device = calloc(1, sizeof(*device));
    if (!device) {
        x->result = VK_ERROR_OUT_OF_HOST_MEMORY;
        return;
    }
    device->physical_device = vds_physical_device_find(instance, a->physicalDevice);
    device->index = vd_id_index(x->decoder.plan.births[0].id);
    x->result = remember_queues(device, a->pCreateInfo) ? create(device, instance, a->pCreateInfo)
                                                        : VK_ERROR_OUT_OF_HOST_MEMORY;
    if (x->result != VK_SUCCESS) {
        vds_log(VDS_LOG_WARNING, "vkCreateDevice: %s", vd_result_name((VkResult)x->result));
        free(device->ranges);
        free(device);
        return;
    }
    const PFN_vkGetDeviceProcAddr get = (PFN_vkGetDeviceProcAddr)x->context->get_instance_proc_addr(
        instance->handle, "vkGetDeviceProcAddr");
    vds_device_dispatch_load(&device->dispatch, device->handle, get);
    if (!instance->debug_utils)
        vds_debug_utils_stub(&device->dispatch);
    ask_limits(instance, device->physical_device, &device->limits);
    pthread_mutex_lock(&x->context->devices_lock);
    device->next = instance->devices;
    instance->devices = device;
    pthread_mutex_unlock(&x->context->devices_lock);
    x->decoder.plan.births[0].data = device;
    *a->pDevice = device->handle;
}

/* ---- Queues */

/* Drivers do not check. */
static bool has_queue(const struct vds_device *device, const struct vd_get_queue *args)
{
    for (uint32_t i = 0; i < device->range_count; i++) {
        const struct vds_queue_range *range = &device->ranges[i];
        if (range->family == args->family && range->flags == args->flags)
            return args->index < range->count;
    }
    return false;
}

bool vds_decode_get_queue(struct vds_decoder *d, void *body)
{
    struct vd_get_queue *args = body;
    if (args->slot >= VD_QUEUE_MAX)
        return vds_dec_fail(d, "a slot that there is not");
    return vds_dec_first(d, &args->device, VD_TYPE_VkDevice) &&
           vds_dec_births(d, &args->queue, 1, VD_TYPE_VkQueue, "queue");
}

/* NULL: the host has none. */
static struct vds_queue *make_queue(struct vds_execution *x, const struct vd_get_queue *args)
{
    VkQueue handle = VK_NULL_HANDLE;
    if (!has_queue(x->owner, args))
        return NULL;
    if (args->flags) {
        const VkDeviceQueueInfo2 info = {
            .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_INFO_2,
            .flags = args->flags,
            .queueFamilyIndex = args->family,
            .queueIndex = args->index,
        };
        x->device->vkGetDeviceQueue2(x->owner->handle, &info, &handle);
    } else {
        x->device->vkGetDeviceQueue(x->owner->handle, args->family, args->index, &handle);
    }
    return handle ? vds_queue_create(x->context, x->owner, handle, args->slot) : NULL;
}

void vds_call_get_queue(struct vds_execution *x, void *body)
{
    const struct vd_get_queue *args = body;
    struct vds_context *context = x->context;
    if (args->slot >= context->queue_places || context->queue_slots[args->slot]) {
        vds_dec_fail(&x->decoder, "a slot that can not be given");
        return;
    }
    struct vds_queue *queue = make_queue(x, args);
    if (!queue) {
        vds_context_lose(context, "the host has no queue %u of family %u", args->index,
                         args->family);
        x->result = VK_ERROR_DEVICE_LOST;
        return;
    }
    queue->next = x->owner->queues;
    x->owner->queues = queue;
    struct vds_birth *birth = &x->decoder.plan.births[0];
    *birth->where = (uintptr_t)queue->handle;
    birth->data = queue;
}

/* ---- The end */

struct leftover {
    uint64_t handle;
    uint32_t type;
    uint32_t born;
};

struct leftovers {
    struct leftover *items;
    size_t count, capacity;
    bool incomplete; /* there are more */
};

/* Children of pools go with these, queues with the device. */
static void collect(void *user, uint32_t type, uint64_t handle, uint32_t born)
{
    struct leftovers *left = user;
    if (handle == 0 || type == VD_TYPE_VkDevice || !vd_objects[type].ender || vd_objects[type].pool)
        return;
    if (left->count == left->capacity) {
        const size_t capacity = left->capacity ? left->capacity * 2 : 64;
        struct leftover *items = realloc(left->items, capacity * sizeof(*items));
        if (!items) {
            left->incomplete = true;
            return;
        }
        left->items = items;
        left->capacity = capacity;
    }
    left->items[left->count++] = (struct leftover){handle, type, born};
}

static int youngest_first(const void *a, const void *b)
{
    const uint32_t left = ((const struct leftover *)a)->born;
    const uint32_t right = ((const struct leftover *)b)->born;
    return left < right ? 1 : left > right ? -1 : 0;
}

/* In an order that spares drivers a surprise: what was made from others goes before these. False:
 * something remains. */
static bool destroy_leftovers(struct vds_context *context, struct vds_device *device)
{
    struct leftovers left = {0};
    vds_object_visit_owned(&context->objects, device->index, collect, &left);
    if (left.count) {
        vds_log(VDS_LOG_INFO, "%zu objects outlive their device; destroying them", left.count);
        qsort(left.items, left.count, sizeof(*left.items), youngest_first);
    }
    bool all = !left.incomplete;
    for (size_t i = 0; i < left.count; i++)
        if (!vds_destroy_object(&device->dispatch, device->handle, left.items[i].type,
                                left.items[i].handle))
            all = false;
    free(left.items);
    return all;
}

static void unlink_device(struct vds_context *context, struct vds_device *device)
{
    pthread_mutex_lock(&context->devices_lock);
    struct vds_device **link = &context->instance->devices;
    while (*link != device)
        link = &(*link)->next;
    *link = device->next;
    pthread_mutex_unlock(&context->devices_lock);
}

static void device_free(struct vds_device *device)
{
    free(device->ranges);
    free(device);
}

/* Everything but the host's device itself, which nobody can name any more then. False: that stays, and
 * `device` is nobody's business any more. */
static bool end(struct vds_context *context, struct vds_device *device)
{
    bool ended = vds_turn_drain(context->turn, device);
    if (!vds_waits_drain(context->waits, device))
        ended = false;
    for (struct vds_queue *queue = device->queues; queue; queue = queue->next) {
        if (!vds_queue_stop(queue))
            ended = false;
        context->queue_slots[queue->slot] = false;
    }
    unlink_device(context, device);
    if (!ended) {
        /* The client's memory stays mapped, for the host's device may still use it. */
        vds_log(VDS_LOG_WARNING, "a device that is still at work is left behind");
        if (atomic_load(&context->completion->lost)) {
            /* The client is gone, and with so little time left so may be this worker, too soon for
             * its other devices. */
            vds_pending_fences_lose(context->fences);
        }
        vds_object_remove_owned(&context->objects, device->index, false);
        context->stuck = true;
        /* Within reach, so that it does not count as lost memory. */
        static struct vds_device *left_behind;
        device->next = left_behind;
        left_behind = device;
        return false;
    }

    if (device->submitted)
        device->dispatch.vkDeviceWaitIdle(device->handle);
    vds_semaphores_finish(device);
    while (device->queues) {
        struct vds_queue *queue = device->queues;
        device->queues = queue->next;
        vds_queue_destroy(queue);
    }
    const bool clean = destroy_leftovers(context, device);
    if (!clean) {
        vds_log(VDS_LOG_WARNING, "a device is left behind whose objects can not all be destroyed");
        context->stuck = true;
    }
    vds_object_remove_owned(&context->objects, device->index, clean);
    if (!clean)
        device_free(device);
    return clean;
}

void vds_device_destroy(struct vds_context *context, struct vds_device *device)
{
    if (end(context, device)) {
        device->dispatch.vkDestroyDevice(device->handle, NULL);
        device_free(device);
    }
}

void vds_call_vkDestroyDevice(struct vds_execution *x, void *body)
{
    (void)body;
    struct vds_device *device = x->owner;
    if (!end(x->context, device))
        return;
    x->owner = NULL; /* now it is one of the instance's calls, whose end waits for it */
    const uint64_t number = vds_call_open(x);
    device->dispatch.vkDestroyDevice(device->handle, NULL);
    vds_call_close(x, number);
    device_free(device);
}
