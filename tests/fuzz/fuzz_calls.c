/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: calls from end to end. A generated application calls commands with arguments of all shapes,
 * the client's own encoders write records, the input changes some of them, the server's decoders check
 * them, a generated driver touches every byte that it is told of, the input changes the answer, and the
 * client takes it. Without changes nothing may be refused that is not refused for its numbers.
 *
 * An input is a list of calls: the command, which structs are to be in its chains, how much the record and the
 * answer are changed, and bytes for the arguments. The seeds are each command with each struct of its chains; of
 * their records each word in turn is made wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "common/image_copy.h"
#include "icd/asks.h"
#include "icd/call.h"
#include "icd/command_buffer.h"
#include "icd/physical_device.h"
#include "icd/profile.h"
#include "icd/requirements.h"
#include "objects.h"
#include "server/context.h"
#include "server/context_private.h"
#include "server/log.h"
#include "server/object.h"
#include "server/shm.h"

#include "../unit/fake_driver.h"
#include "maker.h"
#include "seeds.h"
#include "session.h"
#include "sweep.h"
#include "touch.h"

#define CALLS_MAX 6
/* Ids that records.h has names for. */
#define RESERVED 64
/* Bytes of arguments in one call, and blocks: what is beyond gets no arrays and no chains. */
#define BLOCKS_MAX 600
#define REPLY_MAX  65536u
#define SWEEP      0x8000u /* in the turn of a call */
#define SHARED_AT  IMPORT
#define SHARED_MAX (SHARED_SIZE - IMPORT)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct test_client client;
static struct vd_capset capset;
static struct vdc_connection connection;
static struct vdc_instance instance;
static struct vdc_dispatchable physical_device, device, queue;
static struct vdc_command_buffer recorder;
static uint8_t recorded[1u << 20];
static uint64_t standing[VD_TYPE_COUNT]; /* an id of each type */
static bool lost;
static struct input record_changes, answer_changes;
static bool sweeps; /* each word of this call's records is to be made wrong */

/* ---- The application */

static uint8_t byte_of(struct vdf_maker *m)
{
    if (m->left) {
        m->left--;
        return *m->at++;
    }
    m->chance = m->chance * 6364136223846793005u + 1442695040888963407u;
    return (uint8_t)(m->chance >> 56);
}

static bool is_full(const struct vdf_maker *m)
{
    return m->count >= BLOCKS_MAX;
}

static uint32_t number(struct vdf_maker *m)
{
    const uint8_t kind = byte_of(m);
    if (m->turn)
        return kind >> 7; /* which is hardly ever too much */
    if (kind < 100)
        return 0;
    if (kind < 190)
        return kind & 3;
    if (kind < 210)
        return kind & 31;
    if (kind < 225)
        return 1u << (kind & 31);
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 8 | byte_of(m);
    return value;
}

void vdf_numbers(struct vdf_maker *m, void *to, size_t size)
{
    for (size_t at = 0; at < size; at += sizeof(uint32_t)) {
        const uint32_t value = number(m);
        const size_t left = size - at;
        memcpy((uint8_t *)to + at, &value, left < sizeof(value) ? left : sizeof(value));
    }
}

uint32_t vdf_count(struct vdf_maker *m)
{
    const uint8_t kind = byte_of(m);
    if (is_full(m) || (kind < 40 && !m->turn))
        return 0;
    return kind < 250 ? 1 + kind % 3 : kind % 32;
}

unsigned vdf_links(struct vdf_maker *m)
{
    const uint8_t kind = byte_of(m);
    if (is_full(m))
        return 0;
    if (m->turn)
        return 1;
    return kind < 128 ? 0 : 1 + kind % 3;
}

unsigned vdf_pick(struct vdf_maker *m, unsigned count)
{
    const unsigned low = byte_of(m);
    if (m->turn)
        return (m->turn - 1) % count;
    return (low | (unsigned)byte_of(m) << 8) % count;
}

bool vdf_yes(struct vdf_maker *m)
{
    return (m->turn || byte_of(m) >= 64) && !is_full(m);
}

void *vdf_alloc(struct vdf_maker *m, size_t size)
{
    if (m->count == m->capacity) {
        m->capacity = m->capacity ? 2 * m->capacity : 64;
        m->blocks = realloc(m->blocks, m->capacity * sizeof(*m->blocks));
    }
    void *block = calloc(1, size ? size : 1);
    if (!block)
        abort();
    m->blocks[m->count++] = block;
    return block;
}

char *vdf_text(struct vdf_maker *m)
{
    const unsigned length = byte_of(m) % 20;
    char *text = vdf_alloc(m, length + 1);
    for (unsigned i = 0; i < length; i++)
        text[i] = (char)('a' + byte_of(m) % 26);
    return text;
}

uint64_t vdf_self(struct vdf_maker *m, uint32_t type)
{
    (void)m;
    switch (type) {
    case VD_TYPE_VkInstance:
        return (uintptr_t)&instance;
    case VD_TYPE_VkPhysicalDevice:
        return (uintptr_t)&physical_device;
    case VD_TYPE_VkDevice:
        return (uintptr_t)&device;
    case VD_TYPE_VkQueue:
        return (uintptr_t)&queue;
    case VD_TYPE_VkCommandBuffer:
        return (uintptr_t)&recorder;
    }
    return standing[type];
}

uint64_t vdf_handle(struct vdf_maker *m, uint32_t type)
{
    const uint8_t kind = byte_of(m);
    if (kind < 8 && !m->turn)
        return 0;
    if (kind == 8 && !m->turn && !vd_objects[type].dispatchable)
        return standing[VD_TYPE_VkBuffer];
    return vdf_self(m, type);
}

uint32_t vdf_type(struct vdf_maker *m)
{
    /* Handles of what the client alone knows are pointers to objects of its own. */
    const uint32_t type = vdf_pick(m, VD_TYPE_COUNT);
    return vd_objects[type].crosses && standing[type] ? type : VD_TYPE_VkBuffer;
}

void *vdf_new_dispatchable(struct vdf_maker *m, uint32_t type)
{
    struct vdc_dispatchable *object = vdf_alloc(m, sizeof(*object));
    vdc_dispatchable_init(object, vdc_id_new(&instance, (uint8_t)type, 0), &instance,
                          (struct vdc_device *)&device);
    return object;
}

void *vdf_shm_pointer(struct vdf_maker *m)
{
    uint64_t *pointer = vdf_alloc(m, sizeof(*pointer));
    *pointer = vd_shm_pointer(client.replies->id, IMPORT + 4096ull * (byte_of(m) % 4));
    return pointer;
}

static void release(struct vdf_maker *m)
{
    while (m->count)
        free(m->blocks[--m->count]);
    free(m->blocks);
}

/* ---- The driver */

static volatile uint8_t sink;
static bool memcpy_regions;

void vdf_touch(const void *bytes, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++)
        sink = ((const uint8_t *)bytes)[i];
}

void vdf_touch_out(void *bytes, uint64_t size)
{
    volatile uint8_t *to = bytes;
    for (uint64_t i = 0; i < size; i++)
        to[i] = to[i];
}

void vdf_touch_text(const char *text)
{
    if (text)
        vdf_touch(text, strlen(text) + 1);
}

void vdf_require(bool holds, const char *member)
{
    if (!holds) {
        fprintf(stderr, "the driver is given a wrong %s\n", member);
        abort();
    }
}

/* As the image of session_open's client has it. */
static uint64_t bytes_of(uint32_t row_length, uint32_t image_height,
                         const VkImageSubresourceLayers *part, const VkExtent3D *extent)
{
    return vd_image_copy_size(&(struct vd_image_copy){
        .format = VK_FORMAT_R8G8B8A8_UNORM,
        .aspect = part->aspectMask,
        .row_length = row_length,
        .image_height = image_height,
        .extent = *extent,
        .layers = part->layerCount == VK_REMAINING_ARRAY_LAYERS ? 0 : part->layerCount,
    });
}

void vdf_touch_sized(const char *member, const void *bytes, const void *s)
{
    const VkMemoryToImageCopy *to = s;
    const VkImageToMemoryCopy *from = s;
    if (!bytes || memcpy_regions)
        return;
    if (strcmp(member, "VkMemoryToImageCopy.pHostPointer") == 0)
        vdf_touch(bytes, bytes_of(to->memoryRowLength, to->memoryImageHeight, &to->imageSubresource,
                                  &to->imageExtent));
    else if (strcmp(member, "VkImageToMemoryCopy.pHostPointer") == 0)
        vdf_touch_out((void *)bytes, bytes_of(from->memoryRowLength, from->memoryImageHeight,
                                              &from->imageSubresource, &from->imageExtent));
}

/* What is copied as the driver lays it out has sizes that this one does not tell. */
void vdf_remember_VkCopyMemoryToImageInfo(const VkCopyMemoryToImageInfo *s)
{
    memcpy_regions = s->flags & VK_HOST_IMAGE_COPY_MEMCPY;
}

void vdf_remember_VkCopyImageToMemoryInfo(const VkCopyImageToMemoryInfo *s)
{
    memcpy_regions = s->flags & VK_HOST_IMAGE_COPY_MEMCPY;
}

void vdf_remember_VkVideoBeginCodingInfoKHR(const VkVideoBeginCodingInfoKHR *s)
{
    (void)s;
}

bool vdf_is_nothing(PFN_vkVoidFunction function)
{
    return function == fake_get_instance_proc_addr(NULL, "");
}

void vdf_new_handles(void *to, uint64_t count)
{
    static uint64_t next = 0x7e0000001000;
    for (uint64_t i = 0; to && i < count; i++)
        ((uint64_t *)to)[i] = next += 16;
}

static PFN_vkVoidFunction get_proc_addr(VkInstance unused, const char *name);

static PFN_vkVoidFunction get_device_proc_addr(VkDevice unused, const char *name)
{
    (void)unused;
    return get_proc_addr(NULL, name);
}

/* By hash: comparing text is what fuzzing engines look at, and this is asked for a lot. */
struct entry {
    uint64_t hash;
    PFN_vkVoidFunction through;
};

static uint64_t hash(const char *name)
{
    uint64_t value = 14695981039346656037u;
    for (; *name; name++)
        value = (value ^ (uint8_t)*name) * 1099511628211u;
    return value;
}

static int compare(const void *a, const void *b)
{
    const uint64_t left = ((const struct entry *)a)->hash, right = ((const struct entry *)b)->hash;
    return (left > right) - (left < right);
}

static PFN_vkVoidFunction get_proc_addr(VkInstance unused, const char *name)
{
    static struct entry *entries;
    (void)unused;
    if (!entries) {
        entries = calloc(vdf_through_count, sizeof(*entries));
        for (unsigned i = 0; i < vdf_through_count; i++) {
            const struct vdf_through *from = &vdf_through[i];
            entries[i] = (struct entry){hash(from->name), from->through};
            /* Of the names of one command the fake driver has one. */
            const PFN_vkVoidFunction below = fake_get_instance_proc_addr(NULL, from->name);
            if (!*from->below || !vdf_is_nothing(below))
                *from->below = below;
        }
        qsort(entries, vdf_through_count, sizeof(*entries), compare);
    }
    static uint64_t of_devices;
    const struct entry key = {.hash = hash(name)};
    of_devices = of_devices ? of_devices : hash("vkGetDeviceProcAddr");
    if (key.hash == of_devices)
        return (PFN_vkVoidFunction)get_device_proc_addr;
    const struct entry *found =
        bsearch(&key, entries, vdf_through_count, sizeof(*entries), compare);
    return found ? found->through : fake_get_instance_proc_addr(NULL, name);
}

/* ---- Between them: what of the client is not looked at here */

bool vdc_link_lost(const struct vdc_link *link)
{
    (void)link;
    return lost;
}

bool vdc_link_gone(const struct vdc_link *link)
{
    return vdc_link_lost(link);
}

struct vdc_physical_device *vdc_physical_device_living(struct vdc_physical_device *pd)
{
    return pd;
}

uint8_t *vdc_ring_write_begin(struct vdc_ring *ring, uint32_t *capacity)
{
    (void)ring, (void)capacity;
    return NULL;
}

void vdc_ring_write_end(struct vdc_ring *ring, uint32_t size, bool now)
{
    (void)ring, (void)size, (void)now;
}

static void execute(const void *bytes, uint32_t size)
{
    if (sweeps)
        sweep_record(&client, bytes, size);
    uint8_t *copy = malloc(size); /* exact, so that a sanitizer sees what reaches beyond it */
    memcpy(copy, bytes, size);
    change(copy, size, &record_changes);
    fake_driver.imported = NULL;
    lost = !vds_context_execute(client.context, copy, size);
    vds_context_leave(client.context);
    if (!lost && fake_driver.imported)
        vdf_touch_out((void *)fake_driver.imported, fake_driver.imported_size);
    free(copy);
}

VkResult vdc_ring_send(struct vdc_ring *ring, const void *record, uint64_t *position)
{
    (void)ring, (void)position;
    execute(record, ((const struct vd_record *)record)->size);
    return lost ? VK_ERROR_DEVICE_LOST : VK_SUCCESS;
}

VkResult vdc_ring_send_anyway(struct vdc_ring *ring, const void *record, uint64_t *position)
{
    return vdc_ring_send(ring, record, position);
}

VkResult vdc_reply_begin(struct vdc_replies *replies, uint64_t size, struct vdc_reply_space *space)
{
    (void)replies;
    if (size > REPLY_MAX)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    memset(client.replies->map + REPLY_OFFSET, 0, sizeof(struct vd_reply) + size);
    *space = (struct vdc_reply_space){
        .reply = (struct vd_reply *)(client.replies->map + REPLY_OFFSET),
        .shm = client.replies->id,
        .offset = REPLY_OFFSET,
        .capacity = (uint32_t)size,
    };
    return VK_SUCCESS;
}

VkResult vdc_reply_begin_anyway(struct vdc_replies *replies, uint64_t size,
                                struct vdc_reply_space *space)
{
    return vdc_reply_begin(replies, size, space);
}

VkResult vdc_reply_wait(struct vdc_replies *replies, struct vdc_reply_space *space)
{
    (void)replies;
    /* change() leaves the first 8 bytes alone, of which 4 are the result. */
    if (answer_changes.left & 1)
        space->reply->result = (int32_t)take(&answer_changes, 1) - 128;
    change((uint8_t *)space->reply, (uint32_t)sizeof(struct vd_reply) + space->capacity,
           &answer_changes);
    return VK_SUCCESS;
}

void vdc_reply_end(struct vdc_replies *replies, struct vdc_reply_space *space)
{
    (void)replies, (void)space;
}

VkResult vdc_shm_pool_alloc(struct vdc_shm_pool *pool, uint64_t size, struct vdc_shm_part *part)
{
    (void)pool;
    if (size > SHARED_MAX)
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    *part = (struct vdc_shm_part){.shm = client.replies->id,
                                  .offset = SHARED_AT,
                                  .size = size,
                                  .map = client.replies->map + SHARED_AT};
    return VK_SUCCESS;
}

void vdc_shm_pool_free_after(struct vdc_shm_pool *pool, struct vdc_shm_part *part,
                             uint64_t position)
{
    (void)pool, (void)part, (void)position;
}

void vdc_requirements_of_host(VkDevice unused, VkMemoryRequirements *requirements)
{
    (void)unused, (void)requirements;
}

uint64_t vdc_host_copy_size(struct vdc_encoder *e, uint32_t row_length, uint32_t image_height,
                            const VkImageSubresourceLayers *subresource, const VkExtent3D *extent)
{
    (void)e;
    const uint64_t size = bytes_of(row_length, image_height, subresource, extent);
    return size > VDF_SIZED ? VDF_SIZED : size;
}

bool vdc_host_copy_is_tight(uint32_t row_length, uint32_t image_height, const VkExtent3D *extent)
{
    return row_length <= extent->width && image_height <= extent->height;
}

/* Whether a call waits for its answer is all the same to both ends. */
bool vdc_asks_buffer(const VkBufferCreateInfo *info)
{
    return info->flags & 1;
}

bool vdc_asks_image(VkDevice unused, const VkImageCreateInfo *info)
{
    (void)unused;
    return info->flags & 1;
}

bool vdc_asks_semaphore(const VkSemaphoreCreateInfo *info)
{
    return info->flags & 1;
}

bool vdc_asks_framebuffer(VkDevice unused, const VkFramebufferCreateInfo *info)
{
    (void)unused;
    return info->flags & 1;
}

bool vdc_asks_render_pass(const VkRenderPassCreateInfo *info)
{
    return info->flags & 1;
}

bool vdc_asks_set_layout(const VkDescriptorSetLayoutCreateInfo *info)
{
    return info->flags & 1;
}

bool vdc_asks_descriptor_pool(const VkDescriptorPoolCreateInfo *info)
{
    return info->flags & 1;
}

bool vdc_asks_free(VkDevice unused, VkDeviceMemory memory)
{
    (void)unused;
    return (uintptr_t)memory & 8;
}

bool vdc_asks_bytes(size_t size)
{
    return size & 4;
}

bool vdc_asks_count(uint32_t count)
{
    return count & 1;
}

bool vdc_asks_copy(VkDevice unused, const VkCopyMemoryToImageInfo *info)
{
    (void)unused;
    return info->regionCount & 1;
}

uint64_t vdc_descriptor_capture_size(struct vdc_encoder *e)
{
    (void)e;
    return 32;
}

uint64_t vdc_tensor_capture_size(struct vdc_encoder *e, uint32_t type)
{
    (void)e, (void)type;
    return 32;
}

uint64_t vdc_group_capture_size(struct vdc_encoder *e)
{
    (void)e;
    return 32;
}

uint64_t vdc_buffer_removal_times_size(const struct vdc_encoder *e)
{
    (void)e;
    return 8;
}

bool vdc_command_buffer_room(struct vdc_command_buffer *cb, uint32_t size)
{
    (void)cb, (void)size;
    return false;
}

void vdc_command_buffer_failed(struct vdc_encoder *e)
{
    (void)e;
}

void vdc_command_buffer_hand_over(VkCommandBuffer unused)
{
    (void)unused;
}

void vdc_profile_call(struct vdc_profile *profile, uint16_t opcode, uint64_t bytes)
{
    (void)profile, (void)opcode, (void)bytes;
}

void vdc_profile_answer(struct vdc_profile *profile, uint16_t opcode, uint64_t ns)
{
    (void)profile, (void)opcode, (void)ns;
}

/* ---- All of them */

static bool no_room(struct vdc_encoder *e, uint64_t capacity)
{
    (void)e, (void)capacity;
    return false;
}

/* Of each type that lives in a device, and that the session has none of. Dispatchable ones are pointers for the
 * encoders; one that nothing here makes (VkExternalComputeQueueNV) has no id either. */
static void stand(uint32_t type)
{
    const struct vd_object_facts *facts = &vd_objects[type];
    if (standing[type] || !facts->crosses || !facts->of_device || facts->dispatchable)
        return;
    const uint32_t pool = facts->pool ? vd_id_index(standing[facts->pool]) : 0;
    standing[type] = vdc_id_new(&instance, (uint8_t)type, facts->pool ? standing[facts->pool] : 0);
    if (!vds_object_add(&client.context->objects, standing[type], 0x7d0000000000 + 16ull * type,
                        vd_id_index(DEVICE), pool, NULL))
        abort();
}

static void make_image(void)
{
    const VkImageCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
        .imageType = VK_IMAGE_TYPE_2D,
        .format = VK_FORMAT_R8G8B8A8_UNORM,
        .extent = {16, 16, 1},
        .mipLevels = 2,
        .arrayLayers = 4,
        .samples = VK_SAMPLE_COUNT_1_BIT,
    };
    VkImage image;
    if (vdc_call_vkCreateImage((VkDevice)&device, &info, NULL, &image) != VK_SUCCESS)
        abort();
    standing[VD_TYPE_VkImage] = (uint64_t)(uintptr_t)image;
}

static void start(void)
{
    const uint64_t named[] = {
        [VD_TYPE_VkInstance] = ID(VkInstance, 1),
        [VD_TYPE_VkPhysicalDevice] = PHYSICAL_DEVICE,
        [VD_TYPE_VkDevice] = DEVICE,
        [VD_TYPE_VkQueue] = QUEUE,
        [VD_TYPE_VkDescriptorPool] = POOL,
        [VD_TYPE_VkCommandPool] = COMMAND_POOL,
        [VD_TYPE_VkCommandBuffer] = COMMAND_BUFFER,
        [VD_TYPE_VkBuffer] = BUFFER,
        [VD_TYPE_VkDescriptorSetLayout] = LAYOUT,
        [VD_TYPE_VkSemaphore] = SEMAPHORE,
    };
    lost = false;
    memset(standing, 0, sizeof(standing));
    memcpy(standing, named, sizeof(named));
    session_open(&client, get_proc_addr, 0);
    memset(&instance, 0, sizeof(instance));
    instance.connection = &connection;
    instance.ids = vdc_ids_create();
    pthread_mutex_init(&instance.lock, NULL);
    for (int i = 0; i < RESERVED; i++)
        vdc_id_new(&instance, VD_TYPE_VkBuffer, 0);
    if (!capset.registry_version)
        vds_capset_fill(&capset);
    if (!vdc_peer_init(&instance.peer, &capset))
        abort();
    vdc_dispatchable_init(&instance.base, named[VD_TYPE_VkInstance], &instance, NULL);
    vdc_dispatchable_init(&physical_device, PHYSICAL_DEVICE, &instance, NULL);
    struct vdc_device *in = (struct vdc_device *)&device;
    vdc_dispatchable_init(&device, DEVICE, &instance, in);
    vdc_dispatchable_init(&queue, QUEUE, &instance, in);
    make_image();
    for (uint32_t type = 1; type < VD_TYPE_COUNT; type++)
        if (!vd_objects[type].pool)
            stand(type);
    for (uint32_t type = 1; type < VD_TYPE_COUNT; type++)
        stand(type);
}

static void finish(void)
{
    session_close(&client);
    vdc_scratch_finish(&instance);
    vdc_peer_finish(&instance.peer);
    vdc_ids_destroy(instance.ids);
    pthread_mutex_destroy(&instance.lock);
}

/* Hands over what was recorded. */
static void replay(void)
{
    const uint32_t size = (uint32_t)(recorder.encoder.base - recorded);
    uint32_t at = stream_start(&client);
    struct test_record r;
    if (size == 0 || size > IMPORT - CHUNKS - at)
        return;
    if (sweeps)
        sweep_recorded(&client, recorded, size);
    uint8_t *to = client.replies->map + CHUNKS + at;
    memcpy(to, recorded, size);
    change(to, size, &record_changes);
    stream_record(&r, &client, at + size, 0);
    sweeps = false;
    execute(r.bytes, r.size);
}

static void make_call(struct input *input)
{
    static const struct vdc_encoder_ops ops = {.grow = no_room};
    static uint8_t changes[2][64];
    const struct vdf_call *call = &vdf_calls[take(input, 2) % vdf_call_count];
    const uint32_t turn = (uint32_t)take(input, 2);
    const uint8_t sizes = (uint8_t)take(input, 1);
    struct vdf_maker m = {.chance = (uint64_t)(call - vdf_calls), .turn = turn & ~SWEEP};
    sweeps = turn & SWEEP;
    /* Most calls arrive as they were meant. */
    for (size_t i = 0; i < (sizes >> 4); i++)
        changes[0][i] = (uint8_t)take(input, 1);
    for (size_t i = 0; i < (sizes & 15); i++)
        changes[1][i] = (uint8_t)take(input, 1);
    record_changes = (struct input){changes[0], sizes >> 4};
    answer_changes = (struct input){changes[1], sizes & 15};
    m.left = take(input, 1);
    if (m.left > input->left)
        m.left = input->left;
    m.at = input->at;
    for (size_t i = 0; i < m.left; i++)
        m.chance = (m.chance ^ m.at[i]) * 1099511628211u;
    input->at += m.left;
    input->left -= m.left;

    recorder = (struct vdc_command_buffer){
        .base = {.id = COMMAND_BUFFER, .instance = &instance, .device = (void *)&device},
        .encoder = {.base = recorded,
                    .capacity = sizeof(recorded),
                    .ops = &ops,
                    .instance = &instance,
                    .device = (void *)&device},
    };
    if (getenv("VERBOSE"))
        fprintf(stderr, "%s, turn %u, %zu and %zu bytes of changes\n", call->name, m.turn,
                record_changes.left, answer_changes.left);
    call->call(&m);
    if (call->streamed && !recorder.encoder.failed)
        replay();
    release(&m);
}

void make_seeds(void)
{
    for (unsigned i = 0; i < vdf_call_count; i++) {
        for (unsigned turn = 0; turn <= vdf_calls[i].turns; turn++) {
            const unsigned asked = turn ? turn | SWEEP : 0;
            const uint8_t seed[] = {
                (uint8_t)i, (uint8_t)(i >> 8), (uint8_t)asked, (uint8_t)(asked >> 8), 0,
                2, /* bytes, so that chance is another one for each turn */
                (uint8_t)i, (uint8_t)turn};
            write_seed(seed, sizeof(seed));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    vds_log_set_level(getenv("VERBOSE") ? VDS_LOG_DEBUG : VDS_LOG_ERROR);
    record_changes = answer_changes = (struct input){0};
    start();
    for (int calls = 0; calls < CALLS_MAX && input.left && !lost; calls++)
        make_call(&input);
    finish();
    return 0;
}
