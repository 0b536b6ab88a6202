/* SPDX-License-Identifier: MIT */
#include "context.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "context_private.h"
#include "driver_environment.h"
#include "extensions.h"
#include "fence.h"
#include "flight.h"
#include "futex.h"
#include "instance.h"
#include "lanes.h"
#include "log.h"
#include "memory.h"
#include "names.h"
#include "opcodes.h"
#include "own_records.h"
#include "replay.h"
#include "turn.h"
#include "wait.h"

#define VALIDATION_LAYER "VK_LAYER_KHRONOS_validation"

/* ---- Creation */

static bool has_validation_layer(PFN_vkGetInstanceProcAddr get)
{
    const PFN_vkEnumerateInstanceLayerProperties enumerate =
        (PFN_vkEnumerateInstanceLayerProperties)get(NULL, "vkEnumerateInstanceLayerProperties");
    uint32_t count = 0;
    if (!enumerate || enumerate(&count, NULL) != VK_SUCCESS || count == 0)
        return false;
    VkLayerProperties *layers = calloc(count, sizeof(*layers));
    bool found = false;
    if (layers && enumerate(&count, layers) >= 0)
        for (uint32_t i = 0; i < count && !found; i++)
            found = strcmp(layers[i].layerName, VALIDATION_LAYER) == 0;
    free(layers);
    return found;
}

/* The library stays loaded: not every driver survives the opposite, and the process ends soon. */
static PFN_vkGetInstanceProcAddr load_vulkan(void)
{
    /* A driver that compiles for the CPU (lavapipe) calls what the compiler's runtime and libm have,
     * and finds it only among what the program itself has loaded, as most programs have. */
    dlopen("libm.so.6", RTLD_NOW | RTLD_GLOBAL);
    dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_GLOBAL);
    void *library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        vds_log(VDS_LOG_ERROR, "no Vulkan loader on this machine: %s", dlerror());
        return NULL;
    }
    void *symbol = dlsym(library, "vkGetInstanceProcAddr");
    if (!symbol) {
        vds_log(VDS_LOG_ERROR, "libvulkan.so.1 has no vkGetInstanceProcAddr");
        return NULL;
    }
    PFN_vkGetInstanceProcAddr get;
    memcpy(&get, &symbol, sizeof(get));
    return get;
}

/* An object with data is gone. */
static void release_object(void *user, uint32_t type, void *data)
{
    struct vds_context *context = user;
    if (type == VD_TYPE_VkDeviceMemory)
        vds_memory_release(context, data);
    else if (type == VD_TYPE_VkCommandPool)
        vds_lane_destroy(data);
    else if (type == VD_TYPE_VkCommandBuffer)
        vds_tape_put(data);
    else if (type == VD_TYPE_VkImage)
        free(data);
}

struct vds_context *vds_context_create(const struct vds_context_options *options,
                                       struct vds_shm_table *shm)
{
    vds_driver_environment_prepare();
    const PFN_vkGetInstanceProcAddr get = load_vulkan();
    return get ? vds_context_create_on(get, options, shm) : NULL;
}

struct vds_context *vds_context_create_on(PFN_vkGetInstanceProcAddr get,
                                          const struct vds_context_options *options,
                                          struct vds_shm_table *shm)
{
    if (options->validate && !has_validation_layer(get)) {
        vds_log(VDS_LOG_ERROR, "asked to validate, but the layer %s is not installed",
                VALIDATION_LAYER);
        return NULL;
    }
    struct vds_context *context = calloc(1, sizeof(*context));
    if (!context) {
        vds_log(VDS_LOG_ERROR, "out of memory for a context");
        return NULL;
    }
    context->options = *options;
    if (!context->options.ways)
        context->options.ways = &context->own_ways;
    context->shm = shm;
    vds_meter_init(&context->meter, options->counters);
    context->device_memory.limit = options->max_device_memory;
    pthread_mutex_init(&context->devices_lock, NULL);
    context->get_instance_proc_addr = get;
    vds_object_table_init(&context->objects, release_object, context);
    context->fences = vds_pending_fences_create(shm);
    context->turn = vds_turn_create(context);
    context->waits = vds_waits_create(context);
    context->lanes = vds_lanes_create(context, (uint32_t)options->lanes);
    context->flight = vds_flight_create(&context->objects);
    if (!context->flight || !context->fences || !context->turn || !context->waits ||
        !context->lanes) {
        vds_log(VDS_LOG_ERROR, "out of memory for a context");
        vds_context_destroy(context);
        return NULL;
    }
    return context;
}

void vds_context_warm(struct vds_context *context)
{
    static const VkInstanceCreateInfo nothing = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO};
    VkResult result;
    context->warm = vds_instance_create(context, &nothing, &result);
    if (context->warm)
        vds_physical_devices_probe(context, context->warm);
}

bool vds_context_destroy(struct vds_context *context)
{
    if (!context)
        return true;
    vds_lanes_stop(context->lanes);
    vds_instance_destroy(context, context->instance);
    vds_instance_destroy(context, context->warm);
    vds_lanes_destroy(context->lanes);
    vds_waits_destroy(context->waits);
    vds_pending_fences_destroy(context->fences);
    vds_object_table_finish(&context->objects);
    vds_flight_destroy(context->flight);
    vds_turn_destroy(context->turn);
    pthread_mutex_destroy(&context->devices_lock);
    vds_meter_finish(&context->meter);
    const bool whole = !context->stuck;
    free(context);
    return whole;
}

void vds_context_set_completion(struct vds_context *context, struct vd_completion *page,
                                uint64_t size)
{
    const uint64_t places =
        (size - offsetof(struct vd_completion, queues)) / sizeof(page->queues[0]);
    context->queue_places = places < VD_QUEUE_MAX ? (uint32_t)places : VD_QUEUE_MAX;
    context->completion = page;
    page->monotonic_known = context->options.clock_known;
    page->monotonic_ahead_ns = context->options.clock_ahead_ns;
    if (atomic_load(&context->lost))
        atomic_store(&page->lost, 1);
}

void vds_context_set_guest(struct vds_context *context)
{
    context->is_guest = true;
}

static bool mark_lost(struct vds_context *context, bool by_driver, const char *why, va_list args)
{
    const bool news = !atomic_exchange(&context->lost, true);
    if (news) {
        char text[256];
        vsnprintf(text, sizeof(text), why, args);
        vds_log(VDS_LOG_ERROR, "device lost: %s", text);
    }
    /* Before the client hears of it, and frees what is told. */
    if (news && by_driver)
        vds_flight_report(context->flight);
    struct vd_completion *page = context->completion;
    if (page) {
        atomic_store(&page->lost, 1);
        vd_completion_changed(page);
        vds_wake(&page->event);
    }
    vds_pending_fences_lose(context->fences);
    return news;
}

bool vds_context_mark_lost(struct vds_context *context, const char *why, ...)
{
    va_list args;
    va_start(args, why);
    const bool news = mark_lost(context, true, why, args);
    va_end(args);
    return news;
}

bool vds_context_lose_device(struct vds_context *context, const char *why, ...)
{
    va_list args;
    va_start(args, why);
    const bool news = mark_lost(context, true, why, args);
    va_end(args);
    vds_waits_lose(context->waits);
    return news;
}

void vds_context_lose(struct vds_context *context, const char *why, ...)
{
    va_list args;
    va_start(args, why);
    mark_lost(context, false, why, args);
    va_end(args);
    vds_waits_lose(context->waits);
}

/* Our own records up to SYNC come with the protocol's version. */
static bool is_told_of(uint32_t opcode)
{
    if (opcode < VDS_OWN_RECORDS)
        return opcode > VD_OP_SYNC && vds_own_records[opcode].decode;
    return vds_commands[opcode].decode || vds_commands[opcode].replay;
}

void vds_capset_fill(struct vd_capset *capset)
{
    *capset = (struct vd_capset){
        .protocol_version = VD_PROTOCOL_VERSION,
        .registry_version = VD_REGISTRY_VERSION,
    };
    static_assert(VD_OP_COUNT <= VD_CAPSET_OPCODES, "each opcode has a bit");
    for (uint32_t i = 0; i < VD_OP_COUNT; i++)
        if (is_told_of(i))
            capset->opcodes[i / 8] |= (uint8_t)(1u << i % 8);
    while (capset->stype_count < vd_stype_count && capset->stype_count < VD_CAPSET_STYPES) {
        capset->stypes[capset->stype_count] = (uint32_t)vd_stypes[capset->stype_count];
        capset->stype_count++;
    }
    bool offered[VD_EXT_COUNT];
    for (int i = 0; i < VD_EXT_COUNT; i++)
        offered[i] = vd_extensions[i].way != VD_EXTENSION_WITHHELD;
    vd_extensions_close(offered, VD_REGISTRY_VERSION);
    for (int i = 0; i < VD_EXT_COUNT; i++) {
        const size_t size = strlen(vd_extensions[i].name) + 1;
        if (!offered[i] || size > sizeof(capset->extensions) - capset->extensions_size)
            continue;
        memcpy(capset->extensions + capset->extensions_size, vd_extensions[i].name, size);
        capset->extensions_size += (uint32_t)size;
    }
}
