/* SPDX-License-Identifier: MIT */
#include "resource.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "complaint.h"

#define SIDE_MAX        16384u
#define PIXEL_BYTES_MAX (UINT64_C(1) << 30) /* of all 2D resources of a guest */
#define RESOURCES_MAX   65536u              /* of a guest */
#define BYTES_PER_PIXEL 4u
/* Every page of the guest's memory can stand in two lists, and a few more times. */
#define SEGMENTS_PER_PAGE 2u
#define SEGMENTS_MORE     4096u
#define BUCKETS           1024

struct vg_resource {
    struct vg_resource *next; /* in its bucket */
    struct vg_resources *resources;
    uint32_t id;
    bool is_3d;
    uint32_t target, format, width, height;
    uint64_t first;             /* where the first pixel lies */
    uint32_t pitch;             /* bytes from row to row */
    uint8_t *pixels;            /* of a 2D resource: width * 4 bytes a row */
    struct vg_segment *backing; /* guest pages, NULL: none */
    uint32_t backing_count;
    uint64_t backing_size;
    uint64_t *backing_start;    /* the byte at which each segment begins */
    uint32_t users;             /* workers that have the pages mapped */
    struct vg_commands freeing; /* answered when there are none */
};

struct vg_resources {
    const struct vg_memory *memory;
    const struct vg_resource_listener *listener;
    void *data;
    uint64_t pixel_bytes;   /* of all 2D resources */
    uint64_t segment_count; /* of all lists of pages */
    uint32_t count;
    struct vg_resource *buckets[BUCKETS];
};

/* ---- Formats: which byte of a pixel is blue, green, red */

static const struct format {
    uint32_t format;
    uint8_t blue, green, red;
} formats[] = {
    {VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 0, 1, 2}, {VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 0, 1, 2},
    {VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, 3, 2, 1}, {VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, 3, 2, 1},
    {VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, 2, 1, 0}, {VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, 2, 1, 0},
    {VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, 1, 2, 3}, {VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, 1, 2, 3},
};

static const struct format *find_format(uint32_t format)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (formats[i].format == format)
            return &formats[i];
    return NULL;
}

/* ---- The table */

struct vg_resources *vg_resources_create(const struct vg_memory *memory,
                                         const struct vg_resource_listener *listener, void *data)
{
    struct vg_resources *resources = calloc(1, sizeof(*resources));
    if (!resources)
        return NULL;
    resources->memory = memory;
    resources->listener = listener;
    resources->data = data;
    return resources;
}

void vg_resources_destroy(struct vg_resources *resources)
{
    if (!resources)
        return;
    vg_resources_clear(resources);
    free(resources);
}

static struct vg_resource **bucket(struct vg_resources *resources, uint32_t id)
{
    return &resources->buckets[id % BUCKETS];
}

struct vg_resource *vg_resource_find(const struct vg_resources *resources, uint32_t id)
{
    struct vg_resource *resource = resources->buckets[id % BUCKETS];
    while (resource && resource->id != id)
        resource = resource->next;
    return id ? resource : NULL;
}

uint32_t vg_resource_id(const struct vg_resource *resource)
{
    return resource->id;
}

static void drop_backing(struct vg_resource *resource)
{
    resource->resources->segment_count -= resource->backing_count;
    free(resource->backing);
    free(resource->backing_start);
    resource->backing = NULL;
    resource->backing_start = NULL;
    resource->backing_count = 0;
    resource->backing_size = 0;
}

static void destroy(struct vg_resource *resource)
{
    struct vg_resources *resources = resource->resources;
    struct vg_resource **link = bucket(resources, resource->id);
    while (*link != resource)
        link = &(*link)->next;
    *link = resource->next;
    if (resource->pixels) {
        resources->pixel_bytes -= (uint64_t)resource->width * resource->height * BYTES_PER_PIXEL;
        free(resource->pixels);
    }
    drop_backing(resource);
    resources->count--;
    free(resource);
}

static uint32_t add(struct vg_resources *resources, const struct vg_resource *values)
{
    if (values->id == 0 || vg_resource_find(resources, values->id))
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (resources->count >= RESOURCES_MAX) {
        vg_complain("the guest has %u resources, and may have no more", resources->count);
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    }
    struct vg_resource *resource = malloc(sizeof(*resource));
    if (!resource)
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    resources->count++;
    *resource = *values;
    resource->resources = resources;
    vg_commands_init(&resource->freeing);
    resource->next = *bucket(resources, resource->id);
    *bucket(resources, resource->id) = resource;
    return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t vg_resource_create_2d(struct vg_resources *resources, struct vg_command *command)
{
    struct virtio_gpu_resource_create_2d create;
    memcpy(&create, command->request.bytes, sizeof(create));
    struct vg_resource values = {
        .id = create.resource_id,
        .format = create.format,
        .width = create.width,
        .height = create.height,
        .pitch = create.width * BYTES_PER_PIXEL,
    };
    if (!find_format(values.format) || values.width == 0 || values.width > SIDE_MAX ||
        values.height == 0 || values.height > SIDE_MAX)
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    const uint64_t bytes = (uint64_t)values.width * values.height * BYTES_PER_PIXEL;
    if (bytes > PIXEL_BYTES_MAX - resources->pixel_bytes)
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    values.pixels = calloc(1, bytes);
    if (!values.pixels)
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    const uint32_t result = add(resources, &values);
    if (result == VIRTIO_GPU_RESP_OK_NODATA)
        resources->pixel_bytes += bytes;
    else
        free(values.pixels);
    return result;
}

/* Nothing is stored for it here: it is its guest pages. */
uint32_t vg_resource_create_3d(struct vg_resources *resources, struct vg_command *command)
{
    struct virtio_gpu_resource_create_3d create;
    memcpy(&create, command->request.bytes, sizeof(create));
    const struct vg_resource values = {
        .id = create.resource_id,
        .is_3d = true,
        .target = create.target,
        .format = create.format,
        .width = create.width,
        .height = create.height,
        .pitch = create.width * BYTES_PER_PIXEL,
    };
    return add(resources, &values);
}

/* ---- Their end. What the guest wants to free stays until no worker uses it. */

static void free_unused(struct vg_resource *resource)
{
    struct vg_resources *resources = resource->resources;
    struct vg_commands commands = resource->freeing;
    if (!commands.first)
        return;
    vg_commands_init(&resource->freeing);
    struct vg_command *command;
    bool gone = false;
    while ((command = vg_commands_take(&commands))) {
        if (gone) {
            vg_command_respond_type(command, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
            continue;
        }
        drop_backing(resource);
        if (command->request.header.type == VIRTIO_GPU_CMD_RESOURCE_UNREF) {
            resources->listener->freed(resources->data, resource->id);
            destroy(resource);
            gone = true;
        }
        vg_command_respond_type(command, VIRTIO_GPU_RESP_OK_NODATA);
    }
}

static uint32_t free_when_unused(struct vg_resources *resources, struct vg_command *command,
                                 uint32_t id)
{
    struct vg_resource *resource = vg_resource_find(resources, id);
    if (!resource)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    vg_commands_append(&resource->freeing, command);
    resources->listener->freeing(resources->data, resource);
    if (resource->users == 0)
        free_unused(resource);
    return 0;
}

uint32_t vg_resource_unref(struct vg_resources *resources, struct vg_command *command)
{
    struct virtio_gpu_resource_unref unref;
    memcpy(&unref, command->request.bytes, sizeof(unref));
    return free_when_unused(resources, command, unref.resource_id);
}

uint32_t vg_resource_detach_backing(struct vg_resources *resources, struct vg_command *command)
{
    struct virtio_gpu_resource_detach_backing detach;
    memcpy(&detach, command->request.bytes, sizeof(detach));
    return free_when_unused(resources, command, detach.resource_id);
}

bool vg_resource_is_freeing(const struct vg_resource *resource)
{
    return resource->freeing.first != NULL;
}

void vg_resource_use(struct vg_resource *resource)
{
    resource->users++;
}

void vg_resource_unuse(struct vg_resource *resource)
{
    if (--resource->users == 0)
        free_unused(resource);
}

void vg_resources_clear(struct vg_resources *resources)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        while (resources->buckets[i]) {
            struct vg_command *command;
            while ((command = vg_commands_take(&resources->buckets[i]->freeing)))
                vg_command_free(command);
            destroy(resources->buckets[i]);
        }
    }
}

/* ---- Guest pages */

/* False: more than the guest may have. What a list takes is the device's memory, not the guest's. */
static bool count_segments(struct vg_resources *resources, uint32_t count)
{
    const uint64_t pages = vg_memory_size(resources->memory) / 4096;
    const uint64_t most = pages * SEGMENTS_PER_PAGE + SEGMENTS_MORE;
    if (resources->segment_count > most || count > most - resources->segment_count)
        return false;
    resources->segment_count += count;
    return true;
}

/* Memory of which less is needed than was expected. */
static void *shrunk(void *memory, size_t size)
{
    void *moved = realloc(memory, size);
    return moved ? moved : memory;
}

uint32_t vg_resource_attach_backing(struct vg_resources *resources, struct vg_command *command)
{
    struct virtio_gpu_resource_attach_backing attach;
    memcpy(&attach, command->request.bytes, sizeof(attach));
    struct vg_resource *resource = vg_resource_find(resources, attach.resource_id);
    if (!resource)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (resource->backing || attach.nr_entries == 0 ||
        attach.nr_entries > (command->size - sizeof(attach)) / sizeof(struct virtio_gpu_mem_entry))
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    struct vg_segment *segments = malloc(attach.nr_entries * sizeof(*segments));
    uint64_t *starts = malloc(attach.nr_entries * sizeof(*starts));
    if (!segments || !starts) {
        free(segments);
        free(starts);
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    }
    uint32_t count = 0;
    uint64_t total = 0;
    for (uint32_t i = 0; i < attach.nr_entries; i++) {
        struct virtio_gpu_mem_entry entry;
        memcpy(&entry, command->request.bytes + sizeof(attach) + i * sizeof(entry), sizeof(entry));
        uint64_t size = entry.length;
        if (entry.length == 0 || !vg_memory_at(resources->memory, entry.addr, &size) ||
            size < entry.length) {
            vg_complain("resource %u: %u bytes at %#llx are not the guest's memory", resource->id,
                        entry.length, (unsigned long long)entry.addr);
            free(segments);
            free(starts);
            return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
        }
        /* Neighbours become one, unless they lie in different files. */
        if (count > 0 && segments[count - 1].address + segments[count - 1].size == entry.addr &&
            vg_memory_region(resources->memory, segments[count - 1].address) ==
                vg_memory_region(resources->memory, entry.addr)) {
            segments[count - 1].size += entry.length;
        } else {
            starts[count] = total;
            segments[count++] = (struct vg_segment){entry.addr, entry.length};
        }
        total += entry.length;
    }
    if (!count_segments(resource->resources, count)) {
        vg_complain("resource %u: the guest's lists of pages are longer than its memory",
                    resource->id);
        free(segments);
        free(starts);
        return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
    }
    resource->backing = shrunk(segments, count * sizeof(*segments));
    resource->backing_start = shrunk(starts, count * sizeof(*starts));
    resource->backing_count = count;
    resource->backing_size = total;
    return VIRTIO_GPU_RESP_OK_NODATA;
}

bool vg_resource_is_shareable(const struct vg_resource *resource)
{
    return resource->is_3d && resource->target == 0 && resource->backing;
}

const struct vg_segment *vg_resource_pages(const struct vg_resource *resource, uint32_t *count,
                                           uint64_t *size)
{
    *count = resource->backing_count;
    *size = resource->backing_size;
    return resource->backing;
}

const struct vg_memory *vg_resource_memory(const struct vg_resource *resource)
{
    return resource->resources->memory;
}

_Atomic uint32_t *vg_resource_word(const struct vg_resource *resource, uint64_t offset)
{
    if (offset % sizeof(uint32_t) != 0 || offset >= resource->backing_size)
        return NULL;
    uint32_t low = 0, high = resource->backing_count;
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (resource->backing_start[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    const uint64_t into = offset - resource->backing_start[low];
    const uint64_t address = resource->backing[low].address + into;
    uint64_t size = sizeof(uint32_t);
    uint8_t *at = vg_memory_at(resource->resources->memory, address, &size);
    if (!at || size < sizeof(uint32_t) || (uintptr_t)at % sizeof(uint32_t) != 0 ||
        resource->backing[low].size - into < sizeof(uint32_t))
        return NULL;
    return (_Atomic uint32_t *)at;
}

/* ---- Pixels */

bool vg_resource_contains(const struct vg_resource *resource, const struct virtio_gpu_rect *rect)
{
    return rect->x <= resource->width && rect->width <= resource->width - rect->x &&
           rect->y <= resource->height && rect->height <= resource->height - rect->y;
}

bool vg_resource_has_size(const struct vg_resource *resource, uint32_t width, uint32_t height)
{
    return resource->width == width && resource->height == height;
}

uint32_t vg_resource_transfer_2d(struct vg_resources *resources, struct vg_command *command)
{
    struct virtio_gpu_transfer_to_host_2d transfer;
    memcpy(&transfer, command->request.bytes, sizeof(transfer));
    struct vg_resource *resource = vg_resource_find(resources, transfer.resource_id);
    if (!resource || !resource->pixels)
        return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
    if (!resource->backing)
        return VIRTIO_GPU_RESP_ERR_UNSPEC;
    const struct virtio_gpu_rect *r = &transfer.r;
    if (!vg_resource_contains(resource, r))
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    const uint64_t stride = (uint64_t)resource->width * BYTES_PER_PIXEL;
    const uint64_t bytes = (uint64_t)r->width * BYTES_PER_PIXEL;
    uint8_t *to = resource->pixels + r->y * stride + (uint64_t)r->x * BYTES_PER_PIXEL;
    if (transfer.offset > resource->backing_size)
        return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    if (bytes == stride) {
        /* Whole rows lie one behind the other on both sides. */
        return vg_memory_read(resources->memory, resource->backing, resource->backing_count,
                              transfer.offset, to, bytes * r->height)
                   ? VIRTIO_GPU_RESP_OK_NODATA
                   : VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    }
    for (uint32_t row = 0; row < r->height; row++)
        if (!vg_memory_read(resources->memory, resource->backing, resource->backing_count,
                            transfer.offset + row * stride, to + row * stride, bytes))
            return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
    return VIRTIO_GPU_RESP_OK_NODATA;
}

/* Both sides look at the same pages. */
uint32_t vg_resource_transfer_3d(struct vg_resources *resources, struct vg_command *command)
{
    struct virtio_gpu_transfer_host_3d transfer;
    memcpy(&transfer, command->request.bytes, sizeof(transfer));
    return vg_resource_find(resources, transfer.resource_id)
               ? VIRTIO_GPU_RESP_OK_NODATA
               : VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
}

bool vg_resource_set_layout(struct vg_resource *resource,
                            const struct vd_virtio_gpu_scanout_layout *layout)
{
    const uint64_t row = (uint64_t)layout->width * BYTES_PER_PIXEL;
    if (layout->width == 0 || layout->width > SIDE_MAX || layout->height == 0 ||
        layout->height > SIDE_MAX || layout->pitch < row ||
        layout->offset > resource->backing_size ||
        (uint64_t)layout->pitch * (layout->height - 1) + row >
            resource->backing_size - layout->offset)
        return false;
    resource->format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM;
    resource->width = layout->width;
    resource->height = layout->height;
    resource->pitch = layout->pitch;
    resource->first = layout->offset;
    return true;
}

bool vg_resource_row(const struct vg_resource *resource, uint32_t x, uint32_t y, uint32_t width,
                     uint32_t *pixels)
{
    const struct format *format = find_format(resource->format);
    if (!format || x > resource->width || width > resource->width - x || y >= resource->height)
        return false;
    const uint64_t offset =
        resource->first + (uint64_t)y * resource->pitch + (uint64_t)x * BYTES_PER_PIXEL;
    if (resource->pixels)
        memcpy(pixels, resource->pixels + offset, (size_t)width * BYTES_PER_PIXEL);
    else if (!vg_memory_read(resource->resources->memory, resource->backing,
                             resource->backing_count, offset, pixels,
                             (uint64_t)width * BYTES_PER_PIXEL))
        return false;
    if (format->blue == 0)
        return true; /* it is x8r8g8b8 already */
    for (uint32_t i = 0; i < width; i++) {
        const uint8_t *pixel = (const uint8_t *)&pixels[i];
        pixels[i] = (uint32_t)pixel[format->red] << 16 | (uint32_t)pixel[format->green] << 8 |
                    pixel[format->blue] | UINT32_C(0xff000000);
    }
    return true;
}
