/* SPDX-License-Identifier: MIT
 *
 * What the GPU was doing when the device was lost: the batches that have not finished, and of their command
 * buffers the last commands that make it work, with what was bound and begun around them. Nobody knows how
 * far the GPU got in a batch, so that the reader is told all candidates, or the last of many.
 *
 * Others may be recording meanwhile, and a stream may not have been replayed to its end: whatever is read
 * is checked to be where it should.
 */
#include <stdio.h>
#include <string.h>

#include "protocol/record.h"

#include "args.h"
#include "flight.h"
#include "flight_private.h"
#include "log.h"
#include "names.h"
#include "opcodes.h"
#include "replay.h"

#define BATCHES_TOLD         4
#define COMMAND_BUFFERS_TOLD 4 /* of a batch */
#define ACTIONS_TOLD         6 /* the last ones of a command buffer */
#define LABELS_MAX           8 /* around a command */
#define LINE                 384

/* ---- Objects */

struct search {
    struct vds_flight *flight;
    uint32_t born;
    bool found;
    struct vds_tape *tape; /* of a command buffer, referenced */
};

/* Under the table's lock. */
static void found(void *user, const struct vds_object_links *links)
{
    struct search *search = user;
    search->found = true;
    search->born = links->born;
}

static void found_command_buffer(void *user, const struct vds_object_links *links)
{
    struct search *search = user;
    found(search, links);
    pthread_mutex_lock(&search->flight->lock);
    search->tape = links->data;
    if (search->tape)
        atomic_fetch_add_explicit(&search->tape->references, 1, memory_order_relaxed);
    pthread_mutex_unlock(&search->flight->lock);
}

/* "0x55d0 (name)". */
static void describe_object(struct vds_flight *flight, uint32_t type, uint64_t handle, char *text,
                            size_t size)
{
    struct search search = {.flight = flight};
    int length = snprintf(text, size, "%#llx", (unsigned long long)handle);
    vds_object_visit_handle(flight->objects, type, handle, found, &search);
    pthread_mutex_lock(&flight->lock);
    if (search.found && flight->names && (size_t)length < size) {
        const struct vds_flight_named *named = vds_flight_place(flight->names, type, handle);
        if (named->type == type && named->handle == handle && search.born < named->births &&
            named->name[0])
            snprintf(text + length, size - (size_t)length, " (%s)", named->name);
    }
    pthread_mutex_unlock(&flight->lock);
}

/* ---- The commands of a command buffer */

enum {
    GRAPHICS,
    COMPUTE,
    RAYS,
    BIND_POINTS
};

struct walk {
    struct vds_flight *flight;
    const struct vds_tape *tape;
    bool nested; /* in a secondary command buffer */
    bool cut;    /* what stood before is not known */
    uint32_t commands, actions;
    uint32_t told_from; /* of the actions; to describe one takes a look at all objects */
    uint64_t pipelines[BIND_POINTS];
    bool shaders[BIND_POINTS]; /* bound without a pipeline */
    uint64_t render_pass;      /* 0: none */
    bool rendering;            /* without one */
    char labels[LABELS_MAX][VDS_FLIGHT_NAME];
    uint32_t label_count; /* may be more than there is room for */
    char inserted[VDS_FLIGHT_NAME];
    char lines[ACTIONS_TOLD][LINE];
};

static void walk_command_buffer(struct walk *walk, uint64_t handle);

/* Where the tape has so many bytes that a pointer in one of its records leads to; NULL: it has not. */
static const void *own(const struct walk *walk, const void *pointer, size_t size)
{
    const struct vds_tape *tape = walk->tape;
    const uintptr_t at = (uintptr_t)pointer,
                    origin = tape->origin; /* which another thread may set */
    const uint32_t end = tape->size;
    return at >= origin && size <= end && at - origin <= end - size ? tape->bytes + (at - origin)
                                                                    : NULL;
}

static void copy_label(const struct walk *walk, const VkDebugUtilsLabelEXT *label,
                       char text[static VDS_FLIGHT_NAME])
{
    const char *end = (const char *)walk->tape->bytes + walk->tape->size;
    const VkDebugUtilsLabelEXT *found = own(walk, label, sizeof(*label));
    const char *name = found ? own(walk, found->pLabelName, 1) : NULL;
    const size_t length = name ? strnlen(name, (size_t)(end - name)) : 0;
    snprintf(text, VDS_FLIGHT_NAME, "%.*s",
             (int)(length < VDS_FLIGHT_NAME ? length : VDS_FLIGHT_NAME), name ? name : "");
}

static void append(char line[static LINE], const char *before, const char *text)
{
    const size_t length = strlen(line);
    snprintf(line + length, LINE - length, "%s%s", before, text);
}

static int bind_point_of(VkPipelineBindPoint point)
{
    switch ((int)point) {
    case VK_PIPELINE_BIND_POINT_GRAPHICS:
        return GRAPHICS;
    case VK_PIPELINE_BIND_POINT_COMPUTE:
        return COMPUTE;
    case VK_PIPELINE_BIND_POINT_RAY_TRACING_KHR:
        return RAYS;
    }
    return -1;
}

/* That the command uses; -1: none. */
static int bind_point_for(const char *name)
{
    return strncmp(name, "vkCmdDraw", strlen("vkCmdDraw")) == 0           ? GRAPHICS
           : strncmp(name, "vkCmdDispatch", strlen("vkCmdDispatch")) == 0 ? COMPUTE
           : strncmp(name, "vkCmdTrace", strlen("vkCmdTrace")) == 0       ? RAYS
                                                                          : -1;
}

static void append_arguments(char line[static LINE], uint16_t opcode, const void *body)
{
    char text[96] = "";
    switch (opcode) {
    case VD_OP_vkCmdDraw: {
        const struct vd_args_vkCmdDraw *a = body;
        snprintf(text, sizeof(text), "(%u, %u, %u, %u)", a->vertexCount, a->instanceCount,
                 a->firstVertex, a->firstInstance);
        break;
    }
    case VD_OP_vkCmdDrawIndexed: {
        const struct vd_args_vkCmdDrawIndexed *a = body;
        snprintf(text, sizeof(text), "(%u, %u, %u, %d, %u)", a->indexCount, a->instanceCount,
                 a->firstIndex, a->vertexOffset, a->firstInstance);
        break;
    }
    case VD_OP_vkCmdDispatch: {
        const struct vd_args_vkCmdDispatch *a = body;
        snprintf(text, sizeof(text), "(%u, %u, %u)", a->groupCountX, a->groupCountY,
                 a->groupCountZ);
        break;
    }
    }
    append(line, "", text);
}

static void note_action(struct walk *walk, uint16_t opcode, const void *body)
{
    const uint32_t number = walk->actions++;
    if (number < walk->told_from)
        return;
    char *line = walk->lines[number % ACTIONS_TOLD], text[128];
    const char *name = vd_opcode_name(opcode);
    const int point = bind_point_for(name);
    snprintf(line, LINE, "command %u: %s", walk->commands, name);
    append_arguments(line, opcode, body);
    if (point >= 0 && walk->pipelines[point]) {
        describe_object(walk->flight, VD_TYPE_VkPipeline, walk->pipelines[point], text,
                        sizeof(text));
        append(line, ", pipeline ", text);
    } else if (point >= 0 && walk->shaders[point]) {
        append(line, ", ", "shader objects");
    }
    if (walk->render_pass) {
        describe_object(walk->flight, VD_TYPE_VkRenderPass, walk->render_pass, text, sizeof(text));
        append(line, ", render pass ", text);
    } else if (walk->rendering) {
        append(line, ", ", "rendering without a render pass");
    }
    for (uint32_t i = 0; i < walk->label_count && i < LABELS_MAX; i++)
        append(line, i ? " > " : ", in ", walk->labels[i]);
    if (walk->inserted[0])
        append(line, ", after ", walk->inserted);
}

static void note_render_pass(struct walk *walk, const VkRenderPassBeginInfo *info)
{
    const VkRenderPassBeginInfo *found = own(walk, info, sizeof(*info));
    walk->render_pass = found ? (uint64_t)(uintptr_t)found->renderPass : 0;
    walk->rendering = true;
}

static void note_label(struct walk *walk, const VkDebugUtilsLabelEXT *label)
{
    if (walk->label_count < LABELS_MAX)
        copy_label(walk, label, walk->labels[walk->label_count]);
    walk->label_count++;
}

static void walk_secondaries(struct walk *walk, const struct vd_args_vkCmdExecuteCommands *a)
{
    const struct vds_tape *tape = walk->tape;
    const uint32_t count = a->commandBufferCount;
    const VkCommandBuffer *handles = own(walk, a->pCommandBuffers, count * sizeof(*handles));
    if (walk->nested || !handles)
        return;
    walk->nested = true;
    for (uint32_t i = 0; i < count; i++)
        walk_command_buffer(walk, (uint64_t)(uintptr_t)handles[i]);
    walk->nested = false;
    walk->tape = tape;
}

/* What the record means to those behind it. The body holds the command's arguments. */
static void note_state(struct walk *walk, uint16_t opcode, const void *body)
{
    switch (opcode) {
    case VD_OP_vkCmdBindPipeline: {
        const struct vd_args_vkCmdBindPipeline *a = body;
        const int point = bind_point_of(a->pipelineBindPoint);
        if (point >= 0)
            walk->pipelines[point] = (uint64_t)(uintptr_t)a->pipeline;
        break;
    }
    case VD_OP_vkCmdBindShadersEXT:
        for (int i = 0; i < BIND_POINTS; i++) {
            walk->pipelines[i] = 0;
            walk->shaders[i] = true;
        }
        break;
    case VD_OP_vkCmdBeginRenderPass:
        note_render_pass(walk,
                         ((const struct vd_args_vkCmdBeginRenderPass *)body)->pRenderPassBegin);
        break;
    case VD_OP_vkCmdBeginRenderPass2:
        note_render_pass(walk,
                         ((const struct vd_args_vkCmdBeginRenderPass2 *)body)->pRenderPassBegin);
        break;
    case VD_OP_vkCmdBeginRendering:
        walk->rendering = true;
        break;
    case VD_OP_vkCmdEndRenderPass:
    case VD_OP_vkCmdEndRenderPass2:
    case VD_OP_vkCmdEndRendering:
        walk->render_pass = 0;
        walk->rendering = false;
        break;
    case VD_OP_vkCmdBeginDebugUtilsLabelEXT:
        note_label(walk, ((const struct vd_args_vkCmdBeginDebugUtilsLabelEXT *)body)->pLabelInfo);
        break;
    case VD_OP_vkCmdEndDebugUtilsLabelEXT:
        walk->label_count -= walk->label_count > 0;
        break;
    case VD_OP_vkCmdInsertDebugUtilsLabelEXT:
        copy_label(walk, ((const struct vd_args_vkCmdInsertDebugUtilsLabelEXT *)body)->pLabelInfo,
                   walk->inserted);
        break;
    case VD_OP_vkCmdExecuteCommands:
        walk_secondaries(walk, body);
        break;
    }
}

static void walk_tape(struct walk *walk, const struct vds_tape *tape)
{
    if (tape->previous)
        walk_tape(walk, tape->previous);
    if (!tape->whole || (tape->before && !tape->previous))
        *walk = (struct walk){.flight = walk->flight,
                              .nested = walk->nested,
                              .cut = true,
                              .told_from = walk->told_from};
    walk->tape = tape;
    for (uint32_t at = 0; tape->size - at >= sizeof(struct vd_record);) {
        const struct vd_record *record = (const struct vd_record *)(tape->bytes + at);
        const uint16_t opcode = record->opcode;
        const uint32_t size = record->size;
        if (size < sizeof(*record) || size % VD_ALIGN != 0 || size > tape->size - at)
            return;
        at += size;
        if (opcode >= VD_OP_COUNT || !vds_commands[opcode].replay ||
            size - sizeof(*record) < vds_commands[opcode].size)
            continue;
        walk->commands += opcode != VD_OP_vkBeginCommandBuffer;
        note_state(walk, opcode, record + 1);
        if (vds_commands[opcode].flags & VDS_COMMAND_ACTION && opcode != VD_OP_vkCmdExecuteCommands)
            note_action(walk, opcode, record + 1);
    }
}

static void walk_command_buffer(struct walk *walk, uint64_t handle)
{
    struct search search = {.flight = walk->flight};
    vds_object_visit_handle(walk->flight->objects, VD_TYPE_VkCommandBuffer, handle,
                            found_command_buffer, &search);
    if (search.tape)
        walk_tape(walk, search.tape);
    vds_tape_put(search.tape);
}

/* ---- The log */

static void report_command_buffer(struct vds_flight *flight, uint64_t handle)
{
    char text[128];
    struct walk walk = {.flight = flight, .told_from = UINT32_MAX};
    walk_command_buffer(&walk, handle); /* to count them */
    const uint32_t from = walk.actions < ACTIONS_TOLD ? 0 : walk.actions - ACTIONS_TOLD;
    walk = (struct walk){.flight = flight, .told_from = from};
    walk_command_buffer(&walk, handle);
    describe_object(flight, VD_TYPE_VkCommandBuffer, handle, text, sizeof(text));
    if (walk.commands == 0) {
        vds_log(VDS_LOG_ERROR, "device lost: command buffer %s: what was recorded is not known",
                text);
        return;
    }
    uint32_t told = walk.actions > from ? walk.actions - from : 0;
    if (told > ACTIONS_TOLD) /* others record meanwhile */
        told = ACTIONS_TOLD;
    vds_log(VDS_LOG_ERROR,
            "device lost: command buffer %s: %s%u commands, of which %u have the GPU work%s", text,
            walk.cut ? "at the end " : "", walk.commands, walk.actions,
            told < walk.actions ? ", the last ones:" : "");
    for (uint32_t i = walk.actions - told; i < walk.actions; i++)
        vds_log(VDS_LOG_ERROR, "device lost: %s", walk.lines[i % ACTIONS_TOLD]);
}

static void report_batch(struct vds_flight *flight, const struct vds_flight_batch *batch)
{
    const uint32_t count = atomic_load(&batch->count);
    const uint32_t slot = atomic_load(&batch->slot);
    vds_log(VDS_LOG_ERROR,
            "device lost: queue %u has finished batch %llu and not %llu, of %u command buffer%s",
            slot, (unsigned long long)atomic_load(&flight->finished[slot]),
            (unsigned long long)atomic_load(&batch->number), count, count == 1 ? "" : "s");
    for (uint32_t i = 0; i < count && i < COMMAND_BUFFERS_TOLD; i++)
        report_command_buffer(flight, atomic_load(&batch->command_buffers[i]));
}

void vds_flight_report(struct vds_flight *flight)
{
    const uint32_t next = atomic_load(&flight->next_batch);
    unsigned told = 0, left = 0;
    for (uint32_t i = 0; i < VDS_FLIGHT_BATCHES; i++) {
        const struct vds_flight_batch *batch = &flight->batches[(next + i) % VDS_FLIGHT_BATCHES];
        const uint64_t number = atomic_load(&batch->number);
        if (!number || number <= atomic_load(&flight->finished[atomic_load(&batch->slot)]))
            continue;
        if (told < BATCHES_TOLD) {
            report_batch(flight, batch);
            told++;
        } else {
            left++;
        }
    }
    if (left)
        vds_log(VDS_LOG_ERROR, "device lost: %u later batches had not finished either", left);
}
