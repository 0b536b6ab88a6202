/* SPDX-License-Identifier: MIT */
#include "records.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "opcodes.h"
#include "protocol/physical_device.h"
#include "server/seal.h"

static struct vd_record *header(struct test_record *r)
{
    return (struct vd_record *)r->bytes;
}

static struct vd_reply_request *request(struct test_record *r)
{
    return (struct vd_reply_request *)(header(r) + 1);
}

void record_begin(struct test_record *r, uint16_t opcode, const void *args, uint32_t size,
                  bool reply)
{
    memset(r, 0, sizeof(*r));
    header(r)->opcode = opcode;
    header(r)->flags = reply ? VD_RECORD_REPLY : 0;
    r->body = vd_record_body(header(r));
    if (size)
        memcpy(r->bytes + r->body, args, size);
    r->size = r->body + (uint32_t)vd_align(size);
    header(r)->size = r->size;
    if (reply)
        request(r)->offset = REPLY_OFFSET;
}

uint32_t record_put(struct test_record *r, uint32_t where, const void *data, uint32_t size)
{
    const uint32_t at = r->size;
    assert(at + vd_align(size) <= sizeof(r->bytes));
    memcpy(r->bytes + at, data, size);
    record_set64(r, where, at);
    r->size += (uint32_t)vd_align(size);
    header(r)->size = r->size;
    return at;
}

uint32_t record_put_back(struct test_record *r, uint32_t where, const void *data, uint32_t size)
{
    const uint32_t at = record_put(r, where, data, size);
    if (header(r)->flags & VD_RECORD_REPLY && !request(r)->echo)
        request(r)->echo = at;
    return at;
}

void record_out(struct test_record *r, uint32_t where, uint32_t size)
{
    record_set64(r, where, VD_POINTER_OUT | request(r)->out_size);
    request(r)->out_size += (uint32_t)vd_align(size);
}

void record_set64(struct test_record *r, uint32_t where, uint64_t value)
{
    memcpy(r->bytes + where, &value, sizeof(value));
}

uint64_t record_get64(const struct test_record *r, uint32_t where)
{
    uint64_t value;
    memcpy(&value, r->bytes + where, sizeof(value));
    return value;
}

bool client_send(struct test_client *client, const struct test_record *r, uint32_t shm)
{
    uint8_t *copy = malloc(r->size);
    memcpy(copy, r->bytes, r->size);
    const struct vd_record *record = (const struct vd_record *)r->bytes;
    if (record->flags & VD_RECORD_REPLY) {
        if (r->size >= sizeof(*record) + sizeof(struct vd_reply_request))
            ((struct vd_reply_request *)(copy + sizeof(*record)))->shm = shm;
        memset(client->replies->map, 0xcd, 65536);
        struct vd_reply *reply = (struct vd_reply *)(client->replies->map + REPLY_OFFSET);
        reply->state = VD_REPLY_PENDING;
    }
    const bool ok = vds_context_execute(client->context, copy, r->size);
    if (!client->looks)
        vds_context_leave(client->context);
    free(copy);
    return ok;
}

/* ---- Valid records */

void make_instance(struct test_record *r)
{
    const struct vd_args_vkCreateInstance args = {0};
    const VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                       .enabledExtensionCount = 1};
    const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO};
    const uint64_t id = ID(VkInstance, 1);
    record_begin(r, VD_OP_vkCreateInstance, &args, sizeof(args), true);
    const uint32_t at =
        record_put(r, ARG(r, struct vd_args_vkCreateInstance, pCreateInfo), &info, sizeof(info));
    const uint32_t application_at =
        record_put(r, at + (uint32_t)offsetof(VkInstanceCreateInfo, pApplicationInfo), &application,
                   sizeof(application));
    record_put(r, application_at + (uint32_t)offsetof(VkApplicationInfo, pApplicationName), "test",
               5);
    const uint64_t none = 0;
    const uint32_t names =
        record_put(r, at + (uint32_t)offsetof(VkInstanceCreateInfo, ppEnabledExtensionNames), &none,
                   sizeof(none));
    record_put(r, names, "VK_KHR_surface", 15);
    record_put(r, ARG(r, struct vd_args_vkCreateInstance, pInstance), &id, sizeof(id));
}

void make_get_physical_devices(struct test_record *r, uint32_t capacity)
{
    const struct vd_get_physical_devices args = {.id_count = 1, .capacity = capacity};
    const uint64_t id = PHYSICAL_DEVICE;
    record_begin(r, VD_OP_GET_PHYSICAL_DEVICES, &args, sizeof(args), true);
    record_out(r, sizeof(r->bytes) - 8, capacity);
    record_put(r, sizeof(r->bytes) - 8, &id, sizeof(id));
}

void make_device(struct test_record *r, uint64_t id, const void *chain, uint32_t chain_size)
{
    static const float priority = 1.0f;
    const struct vd_args_vkCreateDevice args = {.physicalDevice =
                                                    HANDLE(VkPhysicalDevice, PHYSICAL_DEVICE)};
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .queueCreateInfoCount = 1};
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueCount = 1};
    record_begin(r, VD_OP_vkCreateDevice, &args, sizeof(args), true);
    const uint32_t at =
        record_put(r, ARG(r, struct vd_args_vkCreateDevice, pCreateInfo), &info, sizeof(info));
    const uint32_t queue_at = record_put(
        r, at + (uint32_t)offsetof(VkDeviceCreateInfo, pQueueCreateInfos), &queue, sizeof(queue));
    record_put(r, queue_at + (uint32_t)offsetof(VkDeviceQueueCreateInfo, pQueuePriorities),
               &priority, sizeof(priority));
    if (chain)
        record_put(r, at + (uint32_t)offsetof(VkDeviceCreateInfo, pNext), chain, chain_size);
    record_put(r, ARG(r, struct vd_args_vkCreateDevice, pDevice), &id, sizeof(id));
}

void make_queue(struct test_record *r, uint32_t slot, uint64_t id)
{
    const struct vd_get_queue args = {.device = DEVICE, .queue = id, .slot = slot};
    record_begin(r, VD_OP_GET_QUEUE, &args, sizeof(args), true);
}

void make_buffer(struct test_record *r, uint64_t device, uint64_t id, bool wait)
{
    const struct vd_args_vkCreateBuffer args = {.device = HANDLE(VkDevice, device)};
    const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = 63};
    record_begin(r, VD_OP_vkCreateBuffer, &args, sizeof(args), wait);
    record_put(r, ARG(r, struct vd_args_vkCreateBuffer, pCreateInfo), &info, sizeof(info));
    record_put_back(r, ARG(r, struct vd_args_vkCreateBuffer, pBuffer), &id, sizeof(id));
}

void make_destroy_buffer(struct test_record *r, uint64_t device, uint64_t id)
{
    const struct vd_args_vkDestroyBuffer args = {.device = HANDLE(VkDevice, device),
                                                 .buffer = HANDLE(VkBuffer, id)};
    record_begin(r, VD_OP_vkDestroyBuffer, &args, sizeof(args), false);
}

/* A command with output in a chain. */
void make_requirements(struct test_record *r, uint64_t device, uint64_t buffer)
{
    const struct vd_args_vkGetBufferMemoryRequirements2 args = {.device = HANDLE(VkDevice, device)};
    const VkBufferMemoryRequirementsInfo2 info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_REQUIREMENTS_INFO_2,
        .buffer = HANDLE(VkBuffer, buffer)};
    const VkMemoryRequirements2 out = {.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2};
    const VkMemoryDedicatedRequirements dedicated = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_REQUIREMENTS};
    record_begin(r, VD_OP_vkGetBufferMemoryRequirements2, &args, sizeof(args), true);
    record_put(r, ARG(r, struct vd_args_vkGetBufferMemoryRequirements2, pInfo), &info,
               sizeof(info));
    const uint32_t at = record_put_back(
        r, ARG(r, struct vd_args_vkGetBufferMemoryRequirements2, pMemoryRequirements), &out,
        sizeof(out));
    record_put(r, at + (uint32_t)offsetof(VkMemoryRequirements2, pNext), &dedicated,
               sizeof(dedicated));
}

void make_pool(struct test_record *r, uint64_t id)
{
    const struct vd_args_vkCreateDescriptorPool args = {.device = HANDLE(VkDevice, DEVICE)};
    const VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                             .maxSets = 8};
    record_begin(r, VD_OP_vkCreateDescriptorPool, &args, sizeof(args), false);
    record_put(r, ARG(r, struct vd_args_vkCreateDescriptorPool, pCreateInfo), &info, sizeof(info));
    record_put(r, ARG(r, struct vd_args_vkCreateDescriptorPool, pDescriptorPool), &id, sizeof(id));
}

void make_layout(struct test_record *r, uint64_t id)
{
    const struct vd_args_vkCreateDescriptorSetLayout args = {.device = HANDLE(VkDevice, DEVICE)};
    const VkDescriptorSetLayoutCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO};
    record_begin(r, VD_OP_vkCreateDescriptorSetLayout, &args, sizeof(args), false);
    record_put(r, ARG(r, struct vd_args_vkCreateDescriptorSetLayout, pCreateInfo), &info,
               sizeof(info));
    record_put(r, ARG(r, struct vd_args_vkCreateDescriptorSetLayout, pSetLayout), &id, sizeof(id));
}

void make_sets(struct test_record *r, uint64_t pool, uint64_t layout, const uint64_t *ids,
               uint32_t count)
{
    uint64_t layouts[8];
    for (uint32_t i = 0; i < count; i++)
        layouts[i] = layout;
    const struct vd_args_vkAllocateDescriptorSets args = {.device = HANDLE(VkDevice, DEVICE)};
    const VkDescriptorSetAllocateInfo info = {.sType =
                                                  VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                              .descriptorPool = HANDLE(VkDescriptorPool, pool),
                                              .descriptorSetCount = count};
    record_begin(r, VD_OP_vkAllocateDescriptorSets, &args, sizeof(args), true);
    const uint32_t at = record_put(
        r, ARG(r, struct vd_args_vkAllocateDescriptorSets, pAllocateInfo), &info, sizeof(info));
    record_put(r, at + (uint32_t)offsetof(VkDescriptorSetAllocateInfo, pSetLayouts), layouts,
               8 * count);
    record_put_back(r, ARG(r, struct vd_args_vkAllocateDescriptorSets, pDescriptorSets), ids,
                    8 * count);
}

void start_updates(struct test_record *r)
{
    const uint64_t device = DEVICE;
    record_begin(r, VD_OP_UPDATE_DESCRIPTORS, &device, sizeof(device), false);
}

void add_update(struct test_record *r, const void *update, uint32_t size)
{
    memcpy(r->bytes + r->size, update, size);
    r->size += size;
    header(r)->size = r->size;
}

struct buffer_update write_update(uint64_t set, uint64_t buffer)
{
    return (struct buffer_update){
        {set, 3, 5, 1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER},
        {HANDLE(VkBuffer, buffer), 16, 32},
    };
}

struct copy_update copy_update(uint64_t to, uint64_t from)
{
    return (struct copy_update){{to, 0, 0, 1, VD_DESCRIPTOR_COPY}, {from, 0, 0}};
}

void make_free_sets(struct test_record *r, uint64_t pool, const uint64_t *ids, uint32_t count)
{
    const struct vd_args_vkFreeDescriptorSets args = {.device = HANDLE(VkDevice, DEVICE),
                                                      .descriptorPool =
                                                          HANDLE(VkDescriptorPool, pool),
                                                      .descriptorSetCount = count};
    record_begin(r, VD_OP_vkFreeDescriptorSets, &args, sizeof(args), false);
    record_put(r, ARG(r, struct vd_args_vkFreeDescriptorSets, pDescriptorSets), ids, 8 * count);
}

void make_command_buffer(struct test_record *r, uint64_t pool, uint64_t id)
{
    const struct vd_args_vkAllocateCommandBuffers args = {.device = HANDLE(VkDevice, DEVICE)};
    const VkCommandBufferAllocateInfo info = {.sType =
                                                  VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                              .commandPool = HANDLE(VkCommandPool, pool),
                                              .commandBufferCount = 1};
    record_begin(r, VD_OP_vkAllocateCommandBuffers, &args, sizeof(args), false);
    record_put(r, ARG(r, struct vd_args_vkAllocateCommandBuffers, pAllocateInfo), &info,
               sizeof(info));
    record_put(r, ARG(r, struct vd_args_vkAllocateCommandBuffers, pCommandBuffers), &id,
               sizeof(id));
}

void make_command_pool(struct test_record *r, uint64_t id)
{
    const struct vd_args_vkCreateCommandPool args = {.device = HANDLE(VkDevice, DEVICE)};
    const VkCommandPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO};
    record_begin(r, VD_OP_vkCreateCommandPool, &args, sizeof(args), false);
    record_put(r, ARG(r, struct vd_args_vkCreateCommandPool, pCreateInfo), &info, sizeof(info));
    record_put(r, ARG(r, struct vd_args_vkCreateCommandPool, pCommandPool), &id, sizeof(id));
}

void make_submit(struct test_record *r, uint32_t count)
{
    const struct vd_args_vkQueueSubmit args = {.queue = HANDLE(VkQueue, QUEUE),
                                               .submitCount = count};
    VkSubmitInfo submits[4] = {0};
    for (uint32_t i = 0; i < count; i++)
        submits[i].sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
    record_begin(r, VD_OP_vkQueueSubmit, &args, sizeof(args), false);
    if (count) {
        record_put(r, ARG(r, struct vd_args_vkQueueSubmit, pSubmits), submits,
                   count * (uint32_t)sizeof(VkSubmitInfo));
    }
}

void make_submit_of(struct test_record *r, uint64_t command_buffer)
{
    const struct vd_args_vkQueueSubmit args = {.queue = HANDLE(VkQueue, QUEUE), .submitCount = 1};
    const VkSubmitInfo submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1};
    record_begin(r, VD_OP_vkQueueSubmit, &args, sizeof(args), false);
    const uint32_t at =
        record_put(r, ARG(r, struct vd_args_vkQueueSubmit, pSubmits), &submit, sizeof(submit));
    record_put(r, at + offsetof(VkSubmitInfo, pCommandBuffers), &command_buffer,
               sizeof(command_buffer));
}

void make_semaphore(struct test_record *r, uint64_t id)
{
    const struct vd_args_vkCreateSemaphore args = {.device = HANDLE(VkDevice, DEVICE)};
    const VkSemaphoreCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO};
    record_begin(r, VD_OP_vkCreateSemaphore, &args, sizeof(args), false);
    record_put(r, ARG(r, struct vd_args_vkCreateSemaphore, pCreateInfo), &info, sizeof(info));
    record_put(r, ARG(r, struct vd_args_vkCreateSemaphore, pSemaphore), &id, sizeof(id));
}

void make_wait(struct test_record *r, uint64_t semaphore, uint64_t timeout)
{
    const struct vd_args_vkWaitSemaphores args = {.device = HANDLE(VkDevice, DEVICE),
                                                  .timeout = timeout};
    const VkSemaphoreWaitInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                      .semaphoreCount = 1};
    const uint64_t value = 1;
    record_begin(r, VD_OP_vkWaitSemaphores, &args, sizeof(args), true);
    const uint32_t at =
        record_put(r, ARG(r, struct vd_args_vkWaitSemaphores, pWaitInfo), &info, sizeof(info));
    record_put(r, at + (uint32_t)offsetof(VkSemaphoreWaitInfo, pSemaphores), &semaphore,
               sizeof(semaphore));
    record_put(r, at + (uint32_t)offsetof(VkSemaphoreWaitInfo, pValues), &value, sizeof(value));
}

void make_memory(struct test_record *r, uint64_t id, uint64_t pointer, uint64_t size)
{
    const struct vd_args_vkAllocateMemory args = {.device = HANDLE(VkDevice, DEVICE)};
    const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                       .allocationSize = size};
    const VkImportMemoryHostPointerInfoEXT import = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
        .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
        .pHostPointer = (void *)(uintptr_t)pointer};
    record_begin(r, VD_OP_vkAllocateMemory, &args, sizeof(args), true);
    const uint32_t at =
        record_put(r, ARG(r, struct vd_args_vkAllocateMemory, pAllocateInfo), &info, sizeof(info));
    record_put(r, at + (uint32_t)offsetof(VkMemoryAllocateInfo, pNext), &import, sizeof(import));
    record_put_back(r, ARG(r, struct vd_args_vkAllocateMemory, pMemory), &id, sizeof(id));
}

void make_binaries(struct test_record *r, const uint64_t *ids, uint32_t count)
{
    const struct vd_args_vkCreatePipelineBinariesKHR args = {.device = HANDLE(VkDevice, DEVICE)};
    const VkPipelineBinaryCreateInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_BINARY_CREATE_INFO_KHR};
    const VkPipelineBinaryKeysAndDataKHR all = {.binaryCount = count};
    const VkPipelineBinaryHandlesInfoKHR handles = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_BINARY_HANDLES_INFO_KHR,
        .pipelineBinaryCount = ids ? count : 0};
    VkPipelineBinaryKeyKHR keys[4] = {0};
    VkPipelineBinaryDataKHR data[4] = {0};
    assert(count <= 4);
    uint8_t bytes[4][16 + VDS_SEAL_SIZE];
    for (uint32_t i = 0; i < count; i++) {
        keys[i].sType = VK_STRUCTURE_TYPE_PIPELINE_BINARY_KEY_KHR;
        keys[i].keySize = 20 + i;
        memcpy(bytes[i], "a binary", 5 + i);
        const struct vds_sealed_data binary = {
            .kind = VDS_SEALED_PIPELINE_BINARY,
            .label = keys[i].key,
            .label_size = sizeof(keys[i].key),
            .data = bytes[i],
            .size = 5 + i,
        };
        vds_seal(&binary, bytes[i] + binary.size);
        data[i].dataSize = binary.size + VDS_SEAL_SIZE;
    }
    record_begin(r, VD_OP_vkCreatePipelineBinariesKHR, &args, sizeof(args), true);
    uint32_t at = record_put(r, ARG(r, struct vd_args_vkCreatePipelineBinariesKHR, pCreateInfo),
                             &info, sizeof(info));
    at = record_put(r, at + (uint32_t)offsetof(VkPipelineBinaryCreateInfoKHR, pKeysAndDataInfo),
                    &all, sizeof(all));
    record_put(r, at + (uint32_t)offsetof(VkPipelineBinaryKeysAndDataKHR, pPipelineBinaryKeys),
               keys, count * (uint32_t)sizeof(*keys));
    at = record_put(r, at + (uint32_t)offsetof(VkPipelineBinaryKeysAndDataKHR, pPipelineBinaryData),
                    data, count * (uint32_t)sizeof(*data));
    for (uint32_t i = 0; i < count; i++) {
        record_put(r, at + (uint32_t)offsetof(VkPipelineBinaryDataKHR, pData), bytes[i],
                   (uint32_t)data[i].dataSize);
        at += (uint32_t)sizeof(*data);
    }
    at = record_put_back(r, ARG(r, struct vd_args_vkCreatePipelineBinariesKHR, pBinaries), &handles,
                         sizeof(handles));
    if (ids) {
        record_put(r, at + (uint32_t)offsetof(VkPipelineBinaryHandlesInfoKHR, pPipelineBinaries),
                   ids, count * 8);
    }
}

void make_begin(struct test_record *r)
{
    const struct vd_args_vkBeginCommandBuffer args = {0};
    const VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    record_begin(r, VD_OP_vkBeginCommandBuffer, &args, sizeof(args), false);
    record_put(r, ARG(r, struct vd_args_vkBeginCommandBuffer, pBeginInfo), &info, sizeof(info));
}

void make_sync(struct test_record *r)
{
    record_begin(r, VD_OP_SYNC, NULL, 0, true);
}

void make_simple(struct test_record *r, uint16_t opcode, uint64_t first, bool wait)
{
    const uint64_t args[2] = {first, 0};
    record_begin(r, opcode, args, sizeof(args), wait);
}

/* Valid ones of many kinds; false: no more. */
bool make_sample(struct test_record *r, int n, uint32_t shm)
{
    const uint64_t sets[2] = {ID(VkDescriptorSet, 40), ID(VkDescriptorSet, 41)};
    switch (n) {
    case 0:
        make_device(r, OTHER_DEVICE, NULL, 0);
        return true;
    case 1:
        make_buffer(r, DEVICE, ID(VkBuffer, 50), true);
        return true;
    case 2:
        make_requirements(r, DEVICE, BUFFER);
        return true;
    case 3:
        make_sets(r, POOL, LAYOUT, sets, 2);
        return true;
    case 4:
        make_free_sets(r, POOL, sets, 2);
        return true;
    case 5:
        make_submit(r, 3);
        return true;
    case 6:
        make_memory(r, ID(VkDeviceMemory, 51), vd_shm_pointer(shm, IMPORT), 4096);
        return true;
    case 7:
        make_queue(r, 5, ID(VkQueue, 52));
        return true;
    case 8:
        make_get_physical_devices(r, 65536 - 1024);
        return true;
    case 9:
        make_wait(r, SEMAPHORE, 0);
        return true;
    case 10: {
        const struct vd_args_vkGetImageMemoryRequirements args = {.device =
                                                                      HANDLE(VkDevice, DEVICE)};
        record_begin(r, VD_OP_vkGetImageMemoryRequirements, &args, sizeof(args), true);
        record_out(r, ARG(r, struct vd_args_vkGetImageMemoryRequirements, pMemoryRequirements),
                   sizeof(VkMemoryRequirements));
        return true;
    }
    case 11: {
        const struct vd_signal_fence args = {
            .queue = QUEUE,
            .number = 1000,
            .state = vd_shm_pointer(shm, IMPORT),
        };
        record_begin(r, VD_OP_SIGNAL_FENCE, &args, sizeof(args), false);
        return true;
    }
    case 12: {
        const uint64_t binaries[2] = {ID(VkPipelineBinaryKHR, 54), ID(VkPipelineBinaryKHR, 55)};
        make_binaries(r, binaries, 2);
        return true;
    }
    case 13:
        make_sync(r);
        return true;
    case 14: /* whose failure is told by what uses it */
        make_buffer(r, DEVICE, ID(VkBuffer, 57), false);
        return true;
    case 15:
        make_requirements(r, DEVICE, ID(VkBuffer, 57));
        return true;
    }
    return false;
}
