/* SPDX-License-Identifier: MIT */
#include "context.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/trace.h"

#include "context_private.h"
#include "extensions.h"
#include "lanes.h"
#include "log.h"
#include "names.h"
#include "opcodes.h"
#include "replay.h"
#include "wait.h"

#define VALIDATION_LAYER "VK_LAYER_KHRONOS_validation"

/* Later ones are not news. */
#define FAILURES_LOGGED 100

/* Larger buffers are not kept. */
#define BUFFER_KEPT (UINT32_C(8) << 20)

bool vd_malformed(const struct vd_record *record, const char *why)
{
    vd_log(VD_LOG_WARNING, "protocol error: %s: %s", vd_opcode_name(record->opcode), why);
    return false;
}

bool vd_buffer_reserve(uint8_t **buffer, size_t *capacity, size_t size)
{
    if (size <= *capacity && (*capacity <= BUFFER_KEPT || size > BUFFER_KEPT)) {
        return true;
    }
    free(*buffer);
    *buffer = NULL;
    *capacity = 0;
    const size_t rounded = (size + 4095) & ~(size_t)4095;
    *buffer = malloc(rounded);
    if (!*buffer) {
        vd_log(VD_LOG_ERROR, "out of memory for %zu bytes", size);
        return false;
    }
    *capacity = rounded;
    return true;
}

/* ---- Creation */

static bool has_validation_layer(PFN_vkGetInstanceProcAddr get)
{
    const PFN_vkEnumerateInstanceLayerProperties enumerate =
        (PFN_vkEnumerateInstanceLayerProperties)get(NULL, "vkEnumerateInstanceLayerProperties");
    uint32_t count = 0;
    if (!enumerate || enumerate(&count, NULL) != VK_SUCCESS || count == 0) {
        return false;
    }
    VkLayerProperties *layers = calloc(count, sizeof(*layers));
    bool found = false;
    if (layers && enumerate(&count, layers) >= 0) {
        for (uint32_t i = 0; i < count && !found; i++) {
            found = strcmp(layers[i].layerName, VALIDATION_LAYER) == 0;
        }
    }
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
        vd_log(VD_LOG_ERROR, "no Vulkan loader on this machine: %s", dlerror());
        return NULL;
    }
    void *symbol = dlsym(library, "vkGetInstanceProcAddr");
    if (!symbol) {
        vd_log(VD_LOG_ERROR, "libvulkan.so.1 has no vkGetInstanceProcAddr");
        return NULL;
    }
    PFN_vkGetInstanceProcAddr get;
    memcpy(&get, &symbol, sizeof(get));
    return get;
}

/* An object with data is gone. */
static void release_object(void *user, uint32_t type, void *data)
{
    struct vd_context *context = user;
    if (type == VD_TYPE_VkDeviceMemory) {
        vd_shm_put(context->shm, data);
    } else if (type == VD_TYPE_VkCommandPool) {
        vd_lane_destroy(data);
    }
}

struct vd_context *vd_context_create(const struct vd_context_options *options,
                                     struct vd_shm_table *shm)
{
    if (options->trace && !vd_trace_open(options->trace, "worker")) {
        vd_log(VD_LOG_WARNING, "no trace at %s: %s", options->trace, strerror(errno));
    }
    const PFN_vkGetInstanceProcAddr get = load_vulkan();
    return get ? vd_context_create_on(get, options, shm) : NULL;
}

struct vd_context *vd_context_create_on(PFN_vkGetInstanceProcAddr get,
                                        const struct vd_context_options *options,
                                        struct vd_shm_table *shm)
{
    if (options->validate && !has_validation_layer(get)) {
        vd_log(VD_LOG_ERROR, "asked to validate, but the layer %s is not installed",
               VALIDATION_LAYER);
        return NULL;
    }
    struct vd_context *context = calloc(1, sizeof(*context));
    if (!context) {
        vd_log(VD_LOG_ERROR, "out of memory for a context");
        return NULL;
    }
    context->options = *options;
    context->shm = shm;
    vd_pending_fences_init(&context->fences, shm);
    context->get_instance_proc_addr = get;
    vd_decoder_init(&context->decoder, context);
    vd_object_table_init(&context->objects, release_object, context);
    context->waits = vd_waits_create(context);
    context->lanes = vd_lanes_create(context, (uint32_t)options->lanes);
    if (!context->waits || !context->lanes) {
        vd_log(VD_LOG_ERROR, "out of memory for a context");
        vd_context_destroy(context);
        return NULL;
    }
    return context;
}

void vd_context_destroy(struct vd_context *context)
{
    if (!context) {
        return;
    }
    vd_lanes_stop(context->lanes);
    vd_instance_destroy(context, context->instance);
    vd_instance_destroy(context, context->warm);
    vd_lanes_destroy(context->lanes);
    vd_waits_destroy(context->waits);
    vd_pending_fences_finish(&context->fences);
    vd_object_table_finish(&context->objects);
    vd_decoder_finish(&context->decoder);
    free(context->out);
    free(context);
}

void vd_context_set_completion(struct vd_context *context, struct vd_completion *page)
{
    context->completion = page;
    if (atomic_load(&context->lost)) {
        atomic_store(&page->lost, 1);
    }
}

static void mark_lost(struct vd_context *context, const char *why, va_list args)
{
    if (!atomic_exchange(&context->lost, true)) {
        char text[256];
        vsnprintf(text, sizeof(text), why, args);
        vd_log(VD_LOG_ERROR, "device lost: %s", text);
    }
    struct vd_completion *page = context->completion;
    if (page) {
        atomic_store(&page->lost, 1);
        vd_completion_changed(page);
        vd_wake(&page->event);
    }
    vd_pending_fences_lose(&context->fences);
}

void vd_context_mark_lost(struct vd_context *context, const char *why, ...)
{
    va_list args;
    va_start(args, why);
    mark_lost(context, why, args);
    va_end(args);
}

void vd_context_lose(struct vd_context *context, const char *why, ...)
{
    va_list args;
    va_start(args, why);
    mark_lost(context, why, args);
    va_end(args);
    vd_waits_lose(context->waits);
}

bool vd_context_lose_if_failed(const struct vd_decoder *d)
{
    if (d->tombstone) {
        vd_context_lose(d->context, "%s uses an object whose creation failed",
                        vd_opcode_name(d->opcode));
    }
    return d->tombstone;
}

void vd_capset_fill(struct vd_capset *capset)
{
    *capset = (struct vd_capset){
        .protocol_version = VD_PROTOCOL_VERSION,
        .registry_version = VD_REGISTRY_VERSION,
        .opcode_count = VD_OP_COUNT,
    };
    for (int i = 0; i < VD_EXT_COUNT; i++) {
        const size_t size = strlen(vd_extensions[i].name) + 1;
        if (vd_extensions[i].way == VD_EXTENSION_WITHHELD ||
            size > sizeof(capset->extensions) - capset->extensions_size) {
            continue;
        }
        memcpy(capset->extensions + capset->extensions_size, vd_extensions[i].name, size);
        capset->extensions_size += (uint32_t)size;
    }
}

/* ---- Commands */

bool vd_command_decode(struct vd_decoder *d, uint8_t *bytes, const struct vd_answer *answer,
                       uint8_t *out)
{
    const struct vd_record *record = (const struct vd_record *)bytes;
    const struct vd_command *command = &vd_commands[record->opcode];
    const uint32_t body = vd_record_body(record);

    vd_decoder_begin(d, bytes, record->size, record->opcode);
    d->instance = d->context->instance ? &d->context->instance->dispatch : NULL;
    d->device = NULL;
    d->owner = NULL;
    d->owner_index = 0;
    d->out = out;
    d->out_size = answer->request.out_size;
    d->echo = answer->request.echo;
    if (record->size < body + vd_align(command->size)) {
        return vd_dec_fail(d, "arguments that are cut short");
    }
    d->cursor = body + (uint32_t)vd_align(command->size);
    if (!command->decode(d, bytes + body)) {
        return false;
    }
    if (d->cursor != d->size) {
        return vd_dec_fail(d, "more bytes than its arguments need");
    }
    if (d->out_cursor != d->out_size) {
        return vd_dec_fail(d, "more output area than its arguments need");
    }
    return true;
}

/* A call that waits was answered when the device was lost, but may still be in the driver; what it
 * waits for must stay. */
static bool must_stay(const struct vd_decoder *d)
{
    return vd_commands[d->opcode].flags & VD_COMMAND_WAITED &&
           atomic_load_explicit(&d->context->lost, memory_order_relaxed) &&
           vd_waits_use(d->context->waits, d->owner);
}

bool vd_command_call(struct vd_decoder *d)
{
    const struct vd_command *command = &vd_commands[d->opcode];
    if (vd_context_lose_if_failed(d)) {
        if (command->flags & VD_COMMAND_RESULT) {
            d->result = VK_ERROR_DEVICE_LOST;
        }
        return true;
    }
    if (d->skip || must_stay(d)) {
        return true;
    }
    command->call(d, d->record + vd_record_body((const struct vd_record *)d->record));
    if (command->flags & VD_COMMAND_RESULT && d->result == VK_ERROR_DEVICE_LOST) {
        vd_context_lose(d->context, "the host's driver says so in %s", vd_opcode_name(d->opcode));
    }
    return !d->failed;
}

/* ---- What a command creates and destroys */

/* Gives the new objects their ids. The client who waits learns which there are; for one who does
 * not, tombstones stand in place of those that there are not. */
static bool take_new(struct vd_context *context, struct vd_decoder *d, bool waits)
{
    const bool some = vd_commands[d->opcode].flags & VD_COMMAND_SOME;
    const bool none = d->tombstone || (d->result < 0 && !some);
    for (uint32_t i = 0; i < d->pending_count; i++) {
        const struct vd_pending *new = &d->pendings[i];
        const uint64_t handle = none ? 0 : *new->where;
        *new->where = 0;
        if (handle == 0 && waits) {
            continue;
        }
        const uint32_t owner =
            vd_id_type(new->id) == VD_TYPE_VkDevice ? vd_id_index(new->id) : d->owner_index;
        if (!vd_object_add(&context->objects, new->id, handle, owner, new->pool, new->data)) {
            return vd_dec_fail(d, "its new object can not be added");
        }
        if (handle) {
            *new->where = new->id;
        }
    }
    return true;
}

/* The driver frees blindly what it is told to free: it must be there, once, and from that pool. */
static bool doom_victims(struct vd_context *context, struct vd_decoder *d)
{
    const bool from_pool = vd_objects[d->victim_type].pool != VD_TYPE_NONE;
    if (from_pool && d->pool == 0) {
        return vd_dec_fail(d, "no pool");
    }
    for (uint32_t i = 0; i < d->victim_count; i++) {
        const uint64_t id = d->victims[i];
        if (!vd_object_find_type(&context->objects, id, d->victim_type)) {
            d->victims[i] = 0; /* decoded to VK_NULL_HANDLE */
            continue;
        }
        struct vd_object_links *links = vd_object_links(&context->objects, vd_id_index(id));
        if (from_pool && links->pool != d->pool) {
            return vd_dec_fail(d, "an object of another pool");
        }
        if (links->doomed) {
            return vd_dec_fail(d, "an object that is named twice");
        }
        links->doomed = true;
    }
    return true;
}

static void drop_victims(struct vd_context *context, const struct vd_decoder *d)
{
    for (uint32_t i = 0; i < d->victim_count; i++) {
        vd_object_remove(&context->objects, d->victims[i]);
    }
    if (d->emptied && d->result >= 0) {
        vd_object_remove_children(&context->objects, d->emptied);
    }
}

/* ---- The loop */

/* VD_OP_SYNC: whoever waits for the answer waits for what came before. */
static bool execute_sync(struct vd_context *context, uint8_t *bytes)
{
    const struct vd_record *record = (const struct vd_record *)bytes;
    struct vd_answer answer;
    if (record->flags != VD_RECORD_REPLY || record->size != vd_record_body(record)) {
        return vd_malformed(record, "asks for no answer, or says more than that");
    }
    if (!vd_answer_begin(context, &answer, record)) {
        return false;
    }
    const bool plain = answer.request.out_size == 0 && answer.request.echo == 0;
    if (plain) {
        vd_decoder_begin(&context->decoder, bytes, record->size, record->opcode);
        vd_answer_send(context, &answer, &context->decoder);
    }
    vd_answer_end(context, &answer);
    return plain || vd_malformed(record, "asks for output");
}

/* The client went on without waiting for this result. */
static void note_failure(struct vd_context *context, const struct vd_decoder *d)
{
    const uint32_t flags = vd_commands[d->opcode].flags;
    if (!(flags & VD_COMMAND_RESULT) || d->result >= 0 || d->tombstone) {
        return;
    }
    if (context->failures < FAILURES_LOGGED) {
        context->failures++;
        vd_log(VD_LOG_WARNING, "%s failed: %s", vd_opcode_name(d->opcode),
               vd_result_name((VkResult)d->result));
    }
    if (d->pending_count == 0 && !(flags & VD_COMMAND_FORGIVEN)) {
        vd_context_lose(context, "%s failed, and nobody waited for its result",
                        vd_opcode_name(d->opcode));
    }
}

static bool run(struct vd_context *context, struct vd_decoder *d, bool waits)
{
    if (vd_commands[d->opcode].flags & VD_COMMAND_SETTLES) {
        vd_lanes_wait_all(context->lanes);
    }
    if (!doom_victims(context, d) || !vd_command_call(d) || !take_new(context, d, waits)) {
        return false;
    }
    drop_victims(context, d);
    if (!waits) {
        note_failure(context, d);
    }
    return true;
}

static bool execute_command(struct vd_context *context, uint8_t *bytes)
{
    const struct vd_record *record = (const struct vd_record *)bytes;
    if (record->opcode >= VD_OP_COUNT || !vd_commands[record->opcode].decode) {
        vd_log(VD_LOG_WARNING, "protocol error: no command has the number %u", record->opcode);
        return false;
    }
    const uint32_t flags = vd_commands[record->opcode].flags;
    if (flags & VD_COMMAND_STREAMED || record->opcode == VD_OP_vkEndCommandBuffer) {
        return vd_malformed(record, "outside of a stream");
    }
    if (!context->instance && record->opcode != VD_OP_vkCreateInstance) {
        return vd_malformed(record, "before vkCreateInstance");
    }
    if (context->instance && record->opcode == VD_OP_vkCreateInstance) {
        return vd_malformed(record, "a second instance");
    }
    if (flags & VD_COMMAND_BLOCKING) {
        return vd_waits_execute(context->waits, bytes);
    }

    struct vd_answer answer;
    if (!vd_answer_begin(context, &answer, record)) {
        return false;
    }
    const bool waits = answer.region != NULL;
    bool ok = true;
    if (answer.request.out_size) {
        ok = vd_buffer_reserve(&context->out, &context->out_capacity, answer.request.out_size);
        if (ok) {
            memset(context->out, 0, answer.request.out_size);
        }
    }
    struct vd_decoder *d = &context->decoder;
    ok = ok && vd_command_decode(d, bytes, &answer, context->out) && run(context, d, waits);
    if (ok) {
        vd_answer_send(context, &answer, d);
    }
    vd_answer_end(context, &answer);
    vd_shm_put(context->shm, d->shm);
    d->shm = NULL;
    vd_decoder_unshare(d);
    return ok;
}

static bool execute_record(struct vd_context *context, uint8_t *record)
{
    switch (((const struct vd_record *)record)->opcode) {
    case VD_OP_NOP:
        return true;
    case VD_OP_STREAM:
        return vd_execute_stream(context, record);
    case VD_OP_UPDATE_DESCRIPTORS:
        return vd_execute_update_descriptors(context, record);
    case VD_OP_GET_QUEUE:
        return vd_execute_get_queue(context, record);
    case VD_OP_GET_PHYSICAL_DEVICES:
        return vd_execute_get_physical_devices(context, record);
    case VD_OP_SIGNAL_FENCE:
        return vd_execute_signal_fence(context, record);
    case VD_OP_SYNC:
        return execute_sync(context, record);
    case VD_OP_SIGNAL_SEMAPHORE:
        return vd_execute_signal_semaphore(context, record);
    }
    return execute_command(context, record);
}

static bool execute(struct vd_context *context, uint8_t *bytes)
{
    const struct vd_record *record = (const struct vd_record *)bytes;
    const uint16_t opcode = record->opcode;
    const uint32_t size = record->size;
    const uint64_t traced = vd_trace_begin();
    const bool ok = execute_record(context, bytes);
    vd_trace_end(traced, vd_opcode_name(opcode), size);
    return ok;
}

bool vd_context_idle(struct vd_context *context)
{
    vd_lanes_idle(context->lanes);
    return !vd_lanes_failed(context->lanes);
}

bool vd_context_execute(struct vd_context *context, uint8_t *records, size_t size)
{
    while (size) {
        const struct vd_record *record = (const struct vd_record *)records;
        if (size < sizeof(*record) || record->size < sizeof(*record) ||
            record->size % VD_ALIGN != 0 || record->size > size) {
            vd_log(VD_LOG_WARNING, "protocol error: a record that is cut short");
            return false;
        }
        const uint32_t step = record->size;
        if (!execute(context, records)) {
            return false;
        }
        records += step;
        size -= step;
    }
    return true;
}
