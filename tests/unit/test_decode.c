/* SPDX-License-Identifier: MIT
 *
 * The server's core with a driver that is not one: what is decoded, created, answered, refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "opcodes.h"
#include "protocol/descriptor.h"
#include "protocol/physical_device.h"
#include "server/context_private.h"
#include "server/log.h"
#include "server/shm.h"

#include "fake_driver.h"
#include "records.h"

/* ---- The client */

static const struct vd_reply *reply(const struct test_client *client)
{
    return (const struct vd_reply *)(client->replies->map + REPLY_OFFSET);
}

static const uint8_t *reply_bytes(const struct test_client *client)
{
    return (const uint8_t *)(reply(client) + 1);
}

static bool send_record(struct test_client *client, const struct test_record *r)
{
    return client_send(client, r, client->replies->id);
}

#define accepted(client, r) assert_true(send_record(client, r))
#define refused(client, r)  assert_false(send_record(client, r))
#define answered(client, r, expected)                          \
    do {                                                       \
        accepted(client, r);                                   \
        assert_int_equal(reply(client)->state, VD_REPLY_DONE); \
        assert_int_equal(reply(client)->result, expected);     \
    } while (0)

static bool is_lost(const struct test_client *client)
{
    return atomic_load(&client->completion->lost) != 0;
}

static void open_shared(struct test_client *client)
{
    int fd;
    uint32_t id = vd_shm_add(client->shm, SHARED_SIZE, &fd);
    close(fd);
    client->replies = vd_shm_get(client->shm, id, 0, 0);
    id = vd_shm_add(client->shm, sizeof(struct vd_completion), &fd);
    close(fd);
    client->page = vd_shm_get(client->shm, id, 0, 0);
    client->completion = (struct vd_completion *)client->page->map;
}

static int connect_with(void **state, int lanes)
{
    struct test_client *client = calloc(1, sizeof(*client));
    const struct vd_context_options options = {.gpu = -1, .lanes = lanes};
    fake_driver_reset();
    vd_log_set_level(getenv("VERBOSE") ? VD_LOG_INFO : (enum vd_log_level) - 1);
    client->shm = vd_shm_table_create();
    open_shared(client);
    client->context = vd_context_create_on(fake_get_instance_proc_addr, &options, client->shm);
    vd_context_set_completion(client->context, client->completion);
    *state = client;
    return client->context ? 0 : -1;
}

static int connect_client(void **state)
{
    return connect_with(state, 0);
}

static int disconnect(void **state)
{
    struct test_client *client = *state;
    vd_context_destroy(client->context);
    vd_shm_put(client->shm, client->replies);
    vd_shm_put(client->shm, client->page);
    vd_shm_table_destroy(client->shm);
    free(client);
    return fake_driver.instances == 0 ? 0 : -1;
}

/* ---- Beginnings */

static int open_device_with(void **state, int lanes)
{
    struct test_record r;
    if (connect_with(state, lanes) != 0) {
        return -1;
    }
    struct test_client *client = *state;
    make_instance(&r);
    answered(client, &r, VK_SUCCESS);
    make_get_physical_devices(&r, 65536 - 1024);
    answered(client, &r, VK_SUCCESS);
    make_device(&r, DEVICE, NULL, 0);
    answered(client, &r, VK_SUCCESS);
    make_queue(&r, 0, QUEUE);
    answered(client, &r, VK_SUCCESS);
    make_buffer(&r, DEVICE, BUFFER, false);
    accepted(client, &r);
    return 0;
}

static int open_device(void **state)
{
    return open_device_with(state, 0);
}

static int open_command_buffer(void **state)
{
    struct test_record r;
    if (open_device(state) != 0) {
        return -1;
    }
    make_command_pool(&r, COMMAND_POOL);
    accepted((struct test_client *)*state, &r);
    make_command_buffer(&r, COMMAND_POOL, COMMAND_BUFFER);
    accepted((struct test_client *)*state, &r);
    return 0;
}

static void await(_Atomic uint64_t *counter, uint64_t value)
{
    for (int i = 0; i < 2000 && atomic_load(counter) < value; i++) {
        usleep(1000);
    }
    assert_int_equal(atomic_load(counter), value);
}

static uint64_t host_handle(struct test_client *client, uint64_t id)
{
    const struct vd_object *object = vd_object_find(&client->context->objects, id);
    return object ? object->handle : 0;
}

/* ---- Life */

static void instances_come_and_go(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    make_buffer(&r, DEVICE, BUFFER, false);
    refused(client, &r);
    for (int i = 0; i < 3; i++) {
        make_instance(&r);
        answered(client, &r, VK_SUCCESS);
        assert_int_equal(fake_driver.instances, 1);
        refused(client, &r);
        make_get_physical_devices(&r, 65536 - 1024);
        answered(client, &r, VK_SUCCESS);
        make_device(&r, DEVICE, NULL, 0);
        answered(client, &r, VK_SUCCESS);
        make_queue(&r, 0, QUEUE);
        answered(client, &r, VK_SUCCESS);
        make_simple(&r, VD_OP_vkDestroyDevice, DEVICE, true);
        accepted(client, &r);
        assert_int_equal(fake_driver.devices, 0);
        assert_int_equal(fake_driver.objects, 0);
        make_simple(&r, VD_OP_vkDestroyInstance, ID(VkInstance, 1), true);
        accepted(client, &r);
        assert_int_equal(fake_driver.instances, 0);
    }
}

static void what_is_left_behind_is_destroyed(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    make_pool(&r, POOL);
    accepted(client, &r);
    make_memory(&r, ID(VkDeviceMemory, 20), vd_shm_pointer(client->replies->id, IMPORT), 4096);
    answered(client, &r, VK_SUCCESS);
    assert_true(fake_driver.objects >= 3);
    make_simple(&r, VD_OP_vkDestroyDevice, DEVICE, true);
    accepted(client, &r);
    assert_int_equal(fake_driver.objects, 0);
    assert_int_equal(fake_driver.devices, 0);
    /* All of its ids are free. */
    make_device(&r, DEVICE, NULL, 0);
    answered(client, &r, VK_SUCCESS);
    make_queue(&r, 0, QUEUE);
    answered(client, &r, VK_SUCCESS);
    make_buffer(&r, DEVICE, BUFFER, true);
    answered(client, &r, VK_SUCCESS);
}

static void physical_devices_are_described(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    make_get_physical_devices(&r, 65536 - 1024);
    answered(client, &r, VK_SUCCESS);
    const struct vd_physical_devices *head =
        (const struct vd_physical_devices *)reply_bytes(client);
    assert_int_equal(head->count, 1);
    const struct vd_physical_device_data *data = (const struct vd_physical_device_data *)(head + 1);
    assert_int_equal(head->size, sizeof(*head) + data->size);
    assert_int_equal(data->importable, 1);
    assert_int_equal(data->import_alignment, 4096);
    assert_int_equal(data->extension_count, 1);
    assert_int_equal(data->queue_family_count, 1);
    assert_int_equal(data->core_features.robustBufferAccess, VK_TRUE);
    assert_string_equal(data->core_properties.deviceName, "fake");
    bool found = false;
    const uint8_t *at = (const uint8_t *)data + data->features;
    const uint8_t *end = at + data->features_size;
    while (at < end) {
        const struct vd_chain_entry *entry = (const struct vd_chain_entry *)at;
        if (entry->type == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_4_FEATURES) {
            const VkBool32 *members = (const VkBool32 *)(entry + 1);
            found = members[(offsetof(VkPhysicalDeviceVulkan14Features, pushDescriptor) - 16) / 4];
        }
        at += sizeof(*entry) + vd_align(entry->size);
    }
    assert_ptr_equal(at, end);
    assert_true(found);

    make_get_physical_devices(&r, 64);
    answered(client, &r, VK_SUCCESS);
    assert_true(head->size > 64);
    for (int i = sizeof(*head); i < 64; i++) {
        assert_int_equal(reply_bytes(client)[i], 0);
    }
    make_get_physical_devices(&r, 64);
    record_set64(&r, r.body, UINT64_C(64) << 32 | 0xffffffff);
    refused(client, &r);
}

static void devices_get_timeline_semaphores(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    assert_true(fake_driver.timeline_enabled);
    const VkPhysicalDeviceVulkan12Features core = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
    make_device(&r, OTHER_DEVICE, &core, sizeof(core));
    answered(client, &r, VK_SUCCESS);
    assert_true(fake_driver.timeline_enabled);
    make_simple(&r, VD_OP_vkDestroyDevice, OTHER_DEVICE, true);
    accepted(client, &r);
    const VkPhysicalDeviceTimelineSemaphoreFeatures timeline = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES};
    make_device(&r, OTHER_DEVICE, &timeline, sizeof(timeline));
    answered(client, &r, VK_SUCCESS);
    assert_true(fake_driver.timeline_enabled);
}

static void queues_need_a_free_slot(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    make_queue(&r, 0, ID(VkQueue, 30));
    refused(client, &r);
    make_queue(&r, VD_QUEUE_MAX, ID(VkQueue, 30));
    refused(client, &r);
    make_queue(&r, 1, QUEUE);
    refused(client, &r);
    make_queue(&r, 1, ID(VkBuffer, 30));
    refused(client, &r);
    make_queue(&r, 1, ID(VkQueue, 30));
    answered(client, &r, VK_SUCCESS);
}

/* ---- Malformed records */

static void prepare_samples(struct test_client *client)
{
    struct test_record r;
    make_pool(&r, POOL);
    accepted(client, &r);
    make_layout(&r, LAYOUT);
    accepted(client, &r);
    make_semaphore(&r, SEMAPHORE);
    accepted(client, &r);
}

static void every_truncation_is_refused(void **state)
{
    struct test_client *client = *state;
    struct test_record r, cut;
    prepare_samples(client);
    for (int n = 0; make_sample(&r, n, client->replies->id); n++) {
        const uint32_t full = r.size;
        for (uint32_t size = 8; size < full; size += 8) {
            cut = r;
            cut.size = size;
            refused(client, &cut); /* the span ends early */
            memcpy(cut.bytes, &size, sizeof(size));
            refused(client, &cut); /* the record does */
        }
        for (uint32_t size = full - 7; size < full; size++) {
            cut = r;
            memcpy(cut.bytes, &size, sizeof(size));
            refused(client, &cut);
        }
        /* And one that is too long. */
        cut = r;
        cut.size += 8;
        memcpy(cut.bytes, &cut.size, sizeof(cut.size));
        refused(client, &cut);
        accepted(client, &r);
    }
    struct test_record nothing = {.size = 4};
    refused(client, &nothing);
}

static void pointers_are_canonical(void **state)
{
    struct test_client *client = *state;
    struct test_record r, bad;
    prepare_samples(client);
    for (int n = 0; make_sample(&r, n, client->replies->id); n++) {
        for (uint32_t at = r.body; at + 8 <= r.size; at += 8) {
            const uint64_t value = record_get64(&r, at);
            const bool points = value >= r.body && value < r.size && value % 8 == 0 && value > 8;
            if (!points) {
                continue;
            }
            const uint64_t wrong[] = {
                value + 8,  value - 8,          value + 1,          at,
                r.size,     r.size + 8,         value | 1ull << 32, VD_POINTER_OUT,
                UINT64_MAX, value + (1u << 31), value | 1ull << 63};
            for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                bad = r;
                record_set64(&bad, at, wrong[i]);
                refused(client, &bad);
            }
        }
        accepted(client, &r);
    }
}

/* Nothing to be seen, but for a sanitizer. */
static void changed_bytes_do_no_harm(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    static const uint8_t values[] = {0x00, 0x01, 0x08, 0x7f, 0x80, 0xff};
    prepare_samples(client);
    for (int n = 0; make_sample(&r, n, client->replies->id); n++) {
        for (uint32_t at = 8; at < r.size; at++) {
            for (size_t i = 0; i < sizeof(values); i++) {
                struct test_record bad = r;
                bad.bytes[at] = values[i];
                if (send_record(client, &bad)) {
                    /* Whatever has happened: begin anew. */
                    disconnect(state);
                    open_device(state);
                    fake_driver.impatient = true;
                    client = *state;
                    prepare_samples(client);
                }
            }
        }
    }
}

static void foreign_structs_are_refused(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const VkPhysicalDeviceVulkan12Features known = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
    VkPhysicalDeviceVulkan12Features unknown = known;
    unknown.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO;
    make_device(&r, OTHER_DEVICE, &unknown, sizeof(unknown));
    refused(client, &r);
    unknown.sType = (VkStructureType)0x7ffffffe;
    make_device(&r, OTHER_DEVICE, &unknown, sizeof(unknown));
    refused(client, &r);
    /* Known, but longer than the record. */
    make_device(&r, OTHER_DEVICE, NULL, 0);
    const uint32_t info =
        (uint32_t)record_get64(&r, ARG(&r, struct vd_args_vkCreateDevice, pCreateInfo));
    r.size -= 8;
    record_put(&r, info + (uint32_t)offsetof(VkDeviceCreateInfo, pNext), &known, 16);
    refused(client, &r);
    /* A wrong sType of a struct that is not in a chain. */
    make_device(&r, OTHER_DEVICE, NULL, 0);
    r.bytes[info] ^= 1;
    refused(client, &r);
}

static void chains_end(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    make_device(&r, OTHER_DEVICE, NULL, 0);
    uint32_t at = (uint32_t)record_get64(&r, ARG(&r, struct vd_args_vkCreateDevice, pCreateInfo));
    r.size -= 8; /* the id comes behind the chain */
    const VkPhysicalDeviceTimelineSemaphoreFeatures link = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES};
    for (int i = 0; i < VD_CHAIN_MAX + 1; i++) {
        at = record_put(&r, at + (uint32_t)offsetof(VkBaseInStructure, pNext), &link, sizeof(link));
    }
    const uint64_t id = OTHER_DEVICE;
    record_put(&r, ARG(&r, struct vd_args_vkCreateDevice, pDevice), &id, sizeof(id));
    refused(client, &r);
}

static void counts_do_not_overflow(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t sets[2] = {ID(VkDescriptorSet, 40), ID(VkDescriptorSet, 41)};
    static const uint32_t counts[] = {3,          0x10000000, 0x20000000,
                                      0x20000002, 0x80000000, 0xffffffff};
    prepare_samples(client);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        make_sets(&r, POOL, LAYOUT, sets, 2);
        const uint32_t at = (uint32_t)record_get64(
            &r, ARG(&r, struct vd_args_vkAllocateDescriptorSets, pAllocateInfo));
        memcpy(r.bytes + at + offsetof(VkDescriptorSetAllocateInfo, descriptorSetCount), &counts[i],
               4);
        refused(client, &r);
        make_free_sets(&r, POOL, sets, 2);
        memcpy(r.bytes + ARG(&r, struct vd_args_vkFreeDescriptorSets, descriptorSetCount),
               &counts[i], 4);
        refused(client, &r);
        make_submit(&r, 1);
        memcpy(r.bytes + ARG(&r, struct vd_args_vkQueueSubmit, submitCount), &counts[i], 4);
        refused(client, &r);
    }
    /* NULL where something must be. */
    make_submit(&r, 1);
    r.size -= (uint32_t)sizeof(VkSubmitInfo);
    memcpy(r.bytes, &r.size, 4);
    record_set64(&r, ARG(&r, struct vd_args_vkQueueSubmit, pSubmits), 0);
    refused(client, &r);
}

static void specialization_stays_in_its_data(void **state)
{
    struct test_client *client = *state;
    static const struct {
        VkSpecializationMapEntry entry;
        bool good;
    } cases[] = {
        {{0, 0, 8}, true},           {{0, 4, 4}, true},         {{0, 8, 0}, true},
        {{0, 4, 5}, false},          {{0, 9, 0}, false},        {{0, 0, 9}, false},
        {{0, UINT32_MAX, 4}, false}, {{0, 4, SIZE_MAX}, false}, {{0, 4, SIZE_MAX - 3}, false},
    };
    const struct vd_args_vkCreateComputePipelines args = {
        .device = HANDLE(VkDevice, DEVICE),
        .createInfoCount = 1,
    };
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT},
    };
    const VkSpecializationInfo constants = {.mapEntryCount = 1, .dataSize = 8};
    const uint64_t data = 0;
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct test_record r;
        const uint64_t id = ID(VkPipeline, 200 + i);
        record_begin(&r, VD_OP_vkCreateComputePipelines, &args, sizeof(args), true);
        const uint32_t at =
            record_put_back(&r, ARG(&r, struct vd_args_vkCreateComputePipelines, pCreateInfos),
                            &info, sizeof(info)) +
            (uint32_t)offsetof(VkComputePipelineCreateInfo, stage);
        record_put(&r, at + (uint32_t)offsetof(VkPipelineShaderStageCreateInfo, pName), "main", 5);
        const uint32_t special = record_put(
            &r, at + (uint32_t)offsetof(VkPipelineShaderStageCreateInfo, pSpecializationInfo),
            &constants, sizeof(constants));
        record_put(&r, special + (uint32_t)offsetof(VkSpecializationInfo, pMapEntries),
                   &cases[i].entry, sizeof(cases[i].entry));
        record_put(&r, special + (uint32_t)offsetof(VkSpecializationInfo, pData), &data, 8);
        record_put_back(&r, ARG(&r, struct vd_args_vkCreateComputePipelines, pPipelines), &id, 8);
        if (cases[i].good) {
            answered(client, &r, VK_SUCCESS);
        } else {
            refused(client, &r);
        }
    }
}

static void query_results_stay_in_their_array(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const struct vd_args_vkCreateQueryPool create = {.device = HANDLE(VkDevice, DEVICE)};
    const VkQueryPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO};
    const uint64_t id = ID(VkQueryPool, 60);
    record_begin(&r, VD_OP_vkCreateQueryPool, &create, sizeof(create), true);
    record_put(&r, ARG(&r, struct vd_args_vkCreateQueryPool, pCreateInfo), &info, sizeof(info));
    record_put_back(&r, ARG(&r, struct vd_args_vkCreateQueryPool, pQueryPool), &id, sizeof(id));
    answered(client, &r, VK_SUCCESS);

    struct vd_args_vkGetQueryPoolResults args = {
        .device = HANDLE(VkDevice, DEVICE),
        .queryPool = HANDLE(VkQueryPool, id),
        .queryCount = 4,
        .dataSize = 16,
        .stride = 4,
        .flags = VK_QUERY_RESULT_WAIT_BIT,
    };
    const uint8_t data[16] = {0};
    for (int i = 0; i < 4; i++) {
        args.stride = i == 0 ? 4 : i == 1 ? UINT64_MAX / 2 : i == 2 ? 64 : 4;
        args.dataSize = i == 3 ? UINT64_MAX : 16;
        record_begin(&r, VD_OP_vkGetQueryPoolResults, &args, sizeof(args), true);
        record_put_back(&r, ARG(&r, struct vd_args_vkGetQueryPoolResults, pData), data,
                        sizeof(data));
        if (i == 0) {
            answered(client, &r, VK_SUCCESS);
            assert_int_equal(reply_bytes(client)[15], 0x11);
        } else {
            refused(client, &r);
        }
    }
}

static void replies_stay_in_shared_memory(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    make_requirements(&r, DEVICE, BUFFER);
    struct vd_reply_request *request = (struct vd_reply_request *)(r.bytes + 8);
    const struct vd_reply_request good = *request;
    request->offset = SHARED_SIZE - 16;
    refused(client, &r);
    request->offset = UINT32_MAX & ~7u;
    refused(client, &r);
    *request = good;
    request->offset += 4;
    refused(client, &r);
    *request = good;
    request->echo = 8;
    refused(client, &r);
    request->echo = r.size + 8;
    refused(client, &r);
    *request = good;
    request->out_size = 8;
    refused(client, &r);
    request->out_size = 0xfffffff8;
    refused(client, &r);
    *request = good;
    assert_false(client_send(client, &r, 77));
    accepted(client, &r);
}

/* ---- Handles */

static void handles_are_checked(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    make_device(&r, OTHER_DEVICE, NULL, 0);
    answered(client, &r, VK_SUCCESS);
    make_buffer(&r, OTHER_DEVICE, ID(VkBuffer, 70), true);
    answered(client, &r, VK_SUCCESS);

    const uint64_t wrong[] = {
        ID(VkBuffer, 70),                   /* another device's */
        vd_id_make(VD_TYPE_VkBuffer, 2, 9), /* another generation */
        vd_id_make(VD_TYPE_VkImage, 1, 9),  /* another type */
        ID(VkBuffer, 71),                   /* nobody's */
        ID(VkBuffer, 9) + (1u << 24),       /* beyond all indices */
        9,                                  /* no type */
        1u << 20,                           /* no type, and no page */
        UINT64_MAX,                         /* */
        DEVICE,                             /* */
        host_handle(client, BUFFER),        /* the host's own */
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        make_requirements(&r, DEVICE, wrong[i]);
        refused(client, &r);
        make_destroy_buffer(&r, DEVICE, wrong[i]);
        refused(client, &r);
    }
    const uint64_t devices[] = {0, BUFFER, ID(VkDevice, 72), vd_id_make(VD_TYPE_VkDevice, 2, 3),
                                PHYSICAL_DEVICE};
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        make_requirements(&r, devices[i], BUFFER);
        refused(client, &r);
    }
    make_requirements(&r, OTHER_DEVICE, ID(VkBuffer, 70));
    accepted(client, &r);
}

static void ids_are_given_once(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t wrong[] = {BUFFER,
                              vd_id_make(VD_TYPE_VkBuffer, 2, 9),
                              vd_id_make(VD_TYPE_VkBuffer, 1, 3), /* the device's index */
                              ID(VkImage, 80),
                              vd_id_make(VD_TYPE_VkBuffer, 1, 0),
                              vd_id_make(VD_TYPE_VkBuffer, 1, 1u << 24),
                              0,
                              80};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        make_buffer(&r, DEVICE, wrong[i], true);
        refused(client, &r);
    }
    const uint64_t twice[2] = {ID(VkDescriptorSet, 40), ID(VkDescriptorSet, 40)};
    prepare_samples(client);
    make_sets(&r, POOL, LAYOUT, twice, 2);
    refused(client, &r);
}

static void freed_ids_are_stale(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t successor = vd_id_make(VD_TYPE_VkBuffer, 2, 9);
    const uint64_t handle = host_handle(client, BUFFER);
    make_destroy_buffer(&r, DEVICE, BUFFER);
    accepted(client, &r);
    assert_int_equal(fake_driver.last_freed, handle);
    refused(client, &r);
    make_buffer(&r, DEVICE, successor, true);
    answered(client, &r, VK_SUCCESS);
    make_requirements(&r, DEVICE, BUFFER);
    refused(client, &r);
    make_requirements(&r, DEVICE, successor);
    accepted(client, &r);
    make_destroy_buffer(&r, DEVICE, 0);
    accepted(client, &r);
}

static void pools_own_their_children(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t other_pool = ID(VkDescriptorPool, 90);
    const uint64_t sets[3] = {ID(VkDescriptorSet, 40), ID(VkDescriptorSet, 41),
                              ID(VkDescriptorSet, 43)};
    prepare_samples(client);
    make_pool(&r, other_pool);
    accepted(client, &r);
    make_sets(&r, POOL, LAYOUT, sets, 3);
    answered(client, &r, VK_SUCCESS);
    assert_memory_equal(reply_bytes(client), sets, sizeof(sets));

    make_free_sets(&r, other_pool, sets, 1);
    refused(client, &r);
    make_free_sets(&r, 0, sets, 1);
    refused(client, &r);
    const uint64_t twice[2] = {sets[2], sets[2]};
    make_free_sets(&r, POOL, twice, 2);
    refused(client, &r);
    assert_int_not_equal(host_handle(client, sets[0]), 0);

    /* NULL and nonsense are the application's right. */
    const uint64_t mixed[3] = {0, sets[0], BUFFER};
    make_free_sets(&r, POOL, mixed, 3);
    accepted(client, &r);
    assert_int_equal(host_handle(client, sets[0]), 0);
    assert_int_not_equal(host_handle(client, BUFFER), 0);

    const struct vd_args_vkResetDescriptorPool reset = {
        .device = HANDLE(VkDevice, DEVICE), .descriptorPool = HANDLE(VkDescriptorPool, POOL)};
    record_begin(&r, VD_OP_vkResetDescriptorPool, &reset, sizeof(reset), false);
    accepted(client, &r);
    assert_int_equal(host_handle(client, sets[1]), 0);
    assert_int_not_equal(host_handle(client, POOL), 0);

    make_sets(&r, POOL, LAYOUT, sets, 3);
    answered(client, &r, VK_SUCCESS);
    const struct vd_args_vkDestroyDescriptorPool destroy = {
        .device = HANDLE(VkDevice, DEVICE), .descriptorPool = HANDLE(VkDescriptorPool, POOL)};
    record_begin(&r, VD_OP_vkDestroyDescriptorPool, &destroy, sizeof(destroy), false);
    accepted(client, &r);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(host_handle(client, sets[i]), 0);
    }
    make_sets(&r, POOL, LAYOUT, sets, 3);
    refused(client, &r);
    make_sets(&r, 0, LAYOUT, sets, 3);
    refused(client, &r);
}

/* ---- What returns */

static void outputs_return_and_pointers_do_not(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    make_requirements(&r, DEVICE, BUFFER);
    accepted(client, &r);
    assert_int_equal(reply(client)->state, VD_REPLY_DONE);
    struct {
        VkMemoryRequirements2 requirements;
        VkMemoryDedicatedRequirements dedicated;
    } back;
    memcpy(&back, reply_bytes(client), sizeof(back));
    assert_int_equal(back.requirements.memoryRequirements.size, 64);
    assert_int_equal(back.dedicated.prefersDedicatedAllocation, VK_TRUE);
    assert_null(back.requirements.pNext);
    assert_null(back.dedicated.pNext);

    /* Everything returns: also what stands before the output. */
    struct vd_reply_request *request = (struct vd_reply_request *)(r.bytes + 8);
    request->echo = r.body;
    accepted(client, &r);
    struct vd_args_vkGetBufferMemoryRequirements2 args;
    VkBufferMemoryRequirementsInfo2 info;
    memcpy(&args, reply_bytes(client), sizeof(args));
    memcpy(&info, reply_bytes(client) + sizeof(args), sizeof(info));
    assert_null(args.pInfo);
    assert_null(args.pMemoryRequirements);
    assert_int_equal((uintptr_t)args.device, DEVICE);
    assert_int_equal((uintptr_t)info.buffer, BUFFER);

    /* Untouched memory of the reply stays untouched. */
    assert_int_equal(reply_bytes(client)[r.size - r.body], 0xcd);

    make_sample(&r, 10, client->replies->id);
    accepted(client, &r);
    assert_int_equal(((const VkMemoryRequirements *)reply_bytes(client))->size, 4096);

    const struct vd_args_vkGetBufferDeviceAddress address = {.device = HANDLE(VkDevice, DEVICE)};
    const VkBufferDeviceAddressInfo address_info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO, .buffer = HANDLE(VkBuffer, BUFFER)};
    record_begin(&r, VD_OP_vkGetBufferDeviceAddress, &address, sizeof(address), true);
    record_put(&r, ARG(&r, struct vd_args_vkGetBufferDeviceAddress, pInfo), &address_info,
               sizeof(address_info));
    accepted(client, &r);
    assert_true(reply(client)->value == 0x123456789abc);
}

static void creations_are_told(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    uint64_t id = ID(VkBuffer, 100);
    make_buffer(&r, DEVICE, id, true);
    answered(client, &r, VK_SUCCESS);
    assert_memory_equal(reply_bytes(client), &id, 8);
    id = ID(VkBuffer, 101);
    make_buffer(&r, DEVICE, id, true);
    fake_driver.next_result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    answered(client, &r, VK_ERROR_OUT_OF_DEVICE_MEMORY);
    id = 0;
    assert_memory_equal(reply_bytes(client), &id, 8);
    assert_false(is_lost(client));
    /* The id may be given again. */
    answered(client, &r, VK_SUCCESS);
}

static void tombstones_lose_the_device(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t id = ID(VkBuffer, 110), other = ID(VkBuffer, 111);
    fake_driver.next_result = VK_ERROR_OUT_OF_HOST_MEMORY;
    make_buffer(&r, DEVICE, id, false);
    accepted(client, &r);
    fake_driver.next_result = VK_ERROR_OUT_OF_HOST_MEMORY;
    make_buffer(&r, DEVICE, other, false);
    accepted(client, &r);
    assert_false(is_lost(client));
    /* To destroy it is no use of it. */
    make_destroy_buffer(&r, DEVICE, id);
    accepted(client, &r);
    assert_false(is_lost(client));
    refused(client, &r);

    const uint32_t event = atomic_load(&client->completion->event);
    make_requirements(&r, DEVICE, other);
    accepted(client, &r);
    assert_int_equal(reply(client)->state, VD_REPLY_DONE);
    assert_true(is_lost(client));
    assert_int_not_equal(atomic_load(&client->completion->event), event);
    for (int i = 16; i < 40; i++) {
        assert_int_equal(reply_bytes(client)[i], 0);
    }
    /* Nothing is submitted any more. */
    make_submit(&r, 1);
    const uint32_t submits = fake_driver.submits;
    accepted(client, &r);
    assert_int_equal(fake_driver.submits, submits);
}

static void failures_that_nobody_hears_of_lose_the_device(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    fake_driver.next_result = VK_ERROR_OUT_OF_HOST_MEMORY;
    make_submit(&r, 1);
    accepted(client, &r);
    assert_true(is_lost(client));
}

static void names_are_passed_on(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const struct vd_args_vkSetDebugUtilsObjectNameEXT args = {.device = HANDLE(VkDevice, DEVICE)};
    VkDebugUtilsObjectNameInfoEXT info = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT,
        .objectType = VK_OBJECT_TYPE_BUFFER,
        .objectHandle = BUFFER,
    };
    const struct {
        VkObjectType type;
        uint64_t id;
        uint32_t named;
    } cases[] = {
        {VK_OBJECT_TYPE_BUFFER, BUFFER, 1},
        {VK_OBJECT_TYPE_IMAGE, BUFFER, 0},
        {VK_OBJECT_TYPE_BUFFER, ID(VkBuffer, 120), 0},
        {VK_OBJECT_TYPE_BUFFER, 0, 0},
        {VK_OBJECT_TYPE_DEVICE, DEVICE, 1},
        {VK_OBJECT_TYPE_UNKNOWN, 9, 0},
        {(VkObjectType)12345, UINT64_MAX, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fake_driver.names = 0;
        info.objectType = cases[i].type;
        info.objectHandle = cases[i].id;
        record_begin(&r, VD_OP_vkSetDebugUtilsObjectNameEXT, &args, sizeof(args), true);
        const uint32_t at =
            record_put(&r, ARG(&r, struct vd_args_vkSetDebugUtilsObjectNameEXT, pNameInfo), &info,
                       sizeof(info));
        record_put(&r, at + (uint32_t)offsetof(VkDebugUtilsObjectNameInfoEXT, pObjectName), "name",
                   5);
        answered(client, &r, VK_SUCCESS);
        assert_int_equal(fake_driver.names, cases[i].named);
        /* Text without end. */
        memset(r.bytes + r.size - 8, 'x', 8);
        refused(client, &r);
    }
}

/* ---- Streams */

struct stream {
    uint8_t bytes[16384];
    uint32_t size;
    uint32_t flags;
};

static void add(struct stream *stream, const struct test_record *r)
{
    memcpy(stream->bytes + stream->size, r->bytes, r->size);
    stream->size += r->size;
}

static void add_begin(struct stream *stream)
{
    struct test_record r;
    make_begin(&r);
    add(stream, &r);
}

static void add_draw_of(struct stream *stream, uint32_t vertices)
{
    struct test_record r;
    const struct vd_args_vkCmdDraw args = {.vertexCount = vertices, .instanceCount = 1};
    record_begin(&r, VD_OP_vkCmdDraw, &args, sizeof(args), false);
    add(stream, &r);
}

static void add_draw(struct stream *stream)
{
    add_draw_of(stream, 3);
}

static void make_bind(struct test_record *r, const uint64_t *buffers, uint32_t count)
{
    const struct vd_args_vkCmdBindVertexBuffers args = {.bindingCount = count};
    const uint64_t offsets[8] = {0};
    record_begin(r, VD_OP_vkCmdBindVertexBuffers, &args, sizeof(args), false);
    record_put(r, ARG(r, struct vd_args_vkCmdBindVertexBuffers, pBuffers), buffers, 8 * count);
    record_put(r, ARG(r, struct vd_args_vkCmdBindVertexBuffers, pOffsets), offsets, 8 * count);
}

static void make_multi_draw(struct test_record *r, uint32_t stride)
{
    const struct vd_args_vkCmdDrawMultiEXT args = {
        .drawCount = 2,
        .instanceCount = 1,
        .stride = stride,
    };
    const VkMultiDrawInfoEXT draws[2] = {{0, 3}, {3, 3}};
    record_begin(r, VD_OP_vkCmdDrawMultiEXT, &args, sizeof(args), false);
    record_put(r, ARG(r, struct vd_args_vkCmdDrawMultiEXT, pVertexInfo), draws, sizeof(draws));
}

/* In two chunks. */
static bool replay(struct test_client *client, const struct stream *stream, uint64_t command_buffer)
{
    struct test_record r;
    struct {
        struct vd_stream stream;
        struct vd_stream_chunk chunks[2];
    } args = {
        .stream = {.command_buffer = command_buffer, .chunk_count = 2, .flags = stream->flags},
        .chunks = {{.shm = client->replies->id, .offset = CHUNKS, .size = 8},
                   {.shm = client->replies->id, .offset = CHUNKS + 64, .size = stream->size - 8}},
    };
    memcpy(client->replies->map + CHUNKS, stream->bytes, 8);
    memcpy(client->replies->map + CHUNKS + 64, stream->bytes + 8, stream->size - 8);
    record_begin(&r, VD_OP_STREAM, &args, sizeof(args), false);
    return send_record(client, &r);
}

static void streams_are_replayed(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    struct stream stream = {0};
    const uint64_t buffers[3] = {BUFFER, 0, BUFFER};
    add_begin(&stream);
    add_draw(&stream);
    make_bind(&r, buffers, 3);
    add(&stream, &r);
    add_draw(&stream);
    make_multi_draw(&r, sizeof(VkMultiDrawInfoEXT));
    add(&stream, &r);
    assert_true(replay(client, &stream, COMMAND_BUFFER));
    assert_int_equal(fake_driver.draws, 4);
    assert_int_equal(fake_driver.bound_count, 3);
    assert_int_equal((uintptr_t)fake_driver.bound[0], host_handle(client, BUFFER));
    assert_null(fake_driver.bound[1]);
    assert_int_equal((uintptr_t)fake_driver.bound[2], host_handle(client, BUFFER));
    assert_false(is_lost(client));
    /* The client's memory is as it was. */
    assert_memory_equal(client->replies->map + CHUNKS + 64, stream.bytes + 8, stream.size - 8);
}

static void open_streams_go_on(void **state)
{
    struct test_client *client = *state;
    struct stream first = {.flags = VD_STREAM_OPEN}, part = {.flags = VD_STREAM_OPEN}, last = {0};
    add_draw(&part);
    /* Nothing is open yet. */
    assert_false(replay(client, &part, COMMAND_BUFFER));
    add_begin(&first);
    add_draw(&first);
    assert_true(replay(client, &first, COMMAND_BUFFER));
    assert_int_equal(fake_driver.draws, 1);
    assert_int_equal(fake_driver.begun, 1);
    assert_int_equal(fake_driver.ended, 0);
    assert_true(replay(client, &part, COMMAND_BUFFER));
    assert_int_equal(fake_driver.draws, 2);
    add_draw(&last);
    assert_true(replay(client, &last, COMMAND_BUFFER));
    assert_int_equal(fake_driver.draws, 3);
    assert_int_equal(fake_driver.begun, 1);
    assert_int_equal(fake_driver.ended, 1);
    /* It has ended. */
    assert_false(replay(client, &last, COMMAND_BUFFER));

    /* The rest may be empty, but nothing else may. */
    struct test_record r;
    const struct vd_stream rest = {.command_buffer = COMMAND_BUFFER};
    assert_true(replay(client, &first, COMMAND_BUFFER));
    record_begin(&r, VD_OP_STREAM, &rest, sizeof(rest), false);
    accepted(client, &r);
    assert_int_equal(fake_driver.ended, 2);
    refused(client, &r);
    /* Or it begins anew. */
    assert_true(replay(client, &first, COMMAND_BUFFER));
    assert_true(replay(client, &first, COMMAND_BUFFER));
    assert_int_equal(fake_driver.begun, 4);
}

static void bad_streams_are_refused(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    struct stream stream = {0}, bad;
    const uint64_t buffers[2] = {BUFFER, BUFFER};
    add_begin(&stream);
    make_bind(&r, buffers, 2);
    const uint32_t bind_at = stream.size;
    add(&stream, &r);

    assert_false(replay(client, &stream, 0));
    assert_false(replay(client, &stream, BUFFER));
    assert_false(replay(client, &stream, ID(VkCommandBuffer, 130)));
    for (uint32_t size = 16; size < stream.size; size += 8) {
        bad = stream;
        bad.size = size;
        if (size != bind_at) {
            assert_false(replay(client, &bad, COMMAND_BUFFER));
        }
    }
    static const uint32_t counts[] = {1, 3, 0x20000000, 0xffffffff};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        bad = stream;
        memcpy(bad.bytes + bind_at + 8 +
                   offsetof(struct vd_args_vkCmdBindVertexBuffers, bindingCount),
               &counts[i], 4);
        assert_false(replay(client, &bad, COMMAND_BUFFER));
    }
    /* Strides that would lead the driver out of the record. */
    static const uint32_t strides[] = {0, 4, 12, 0x7ffffff8};
    for (size_t i = 0; i < sizeof(strides) / sizeof(strides[0]); i++) {
        bad = (struct stream){0};
        add_begin(&bad);
        make_multi_draw(&r, strides[i]);
        add(&bad, &r);
        assert_false(replay(client, &bad, COMMAND_BUFFER));
    }
    bad = (struct stream){0};
    add_draw(&bad);
    assert_false(replay(client, &bad, COMMAND_BUFFER));
    bad = (struct stream){0};
    add_begin(&bad);
    add_begin(&bad);
    assert_false(replay(client, &bad, COMMAND_BUFFER));
    /* What belongs to the ring. */
    bad = (struct stream){0};
    add_begin(&bad);
    make_buffer(&r, DEVICE, ID(VkBuffer, 131), false);
    add(&bad, &r);
    assert_false(replay(client, &bad, COMMAND_BUFFER));
    /* What belongs to streams, in the ring. */
    make_bind(&r, buffers, 2);
    refused(client, &r);
    make_simple(&r, VD_OP_vkEndCommandBuffer, COMMAND_BUFFER, false);
    refused(client, &r);
    /* A reply from within. */
    bad = stream;
    bad.bytes[bind_at + 6] = VD_RECORD_REPLY;
    assert_false(replay(client, &bad, COMMAND_BUFFER));

    /* Chunks that lie elsewhere. */
    struct {
        struct vd_stream stream;
        struct vd_stream_chunk chunk;
    } args = {
        .stream = {.command_buffer = COMMAND_BUFFER, .chunk_count = 1},
        .chunk = {.shm = client->replies->id, .offset = CHUNKS, .size = stream.size},
    };
    memcpy(client->replies->map + CHUNKS, stream.bytes, stream.size);
    record_begin(&r, VD_OP_STREAM, &args, sizeof(args), false);
    accepted(client, &r);
    const struct vd_stream_chunk chunks[] = {
        {.shm = 99, .offset = CHUNKS, .size = stream.size},
        {.shm = client->replies->id, .offset = SHARED_SIZE - 8, .size = stream.size},
        {.shm = client->replies->id, .offset = UINT64_MAX - 7, .size = stream.size},
        {.shm = client->replies->id, .offset = CHUNKS + 4, .size = stream.size},
        {.shm = client->replies->id, .offset = CHUNKS, .size = stream.size + 4},
        {.shm = client->replies->id, .offset = CHUNKS, .size = 0},
        {.shm = client->replies->id, .offset = 0, .size = 0xfffffff8},
    };
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        args.chunk = chunks[i];
        record_begin(&r, VD_OP_STREAM, &args, sizeof(args), false);
        refused(client, &r);
    }
    args.stream.chunk_count = 0xffffffff;
    record_begin(&r, VD_OP_STREAM, &args, sizeof(args), false);
    refused(client, &r);
}

/* ---- Descriptors */

#define SET       ID(VkDescriptorSet, 40)
#define OTHER_SET ID(VkDescriptorSet, 41)

static int open_sets(void **state)
{
    struct test_record r;
    const uint64_t sets[] = {SET, OTHER_SET};
    if (open_device(state) != 0) {
        return -1;
    }
    struct test_client *client = *state;
    make_pool(&r, POOL);
    accepted(client, &r);
    make_layout(&r, LAYOUT);
    accepted(client, &r);
    make_sets(&r, POOL, LAYOUT, sets, 2);
    answered(client, &r, VK_SUCCESS);
    return 0;
}

static void descriptors_are_updated(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const struct buffer_update good_write = write_update(SET, BUFFER);
    const struct copy_update good_copy = copy_update(SET, OTHER_SET);
    start_updates(&r);
    accepted(client, &r);
    assert_int_equal(fake_driver.updates, 0);
    for (int i = 0; i < 100; i++) {
        add_update(&r, &good_write, sizeof(good_write));
    }
    accepted(client, &r);
    assert_int_equal(fake_driver.writes, 100);
    assert_in_range(fake_driver.updates, 1, 4);
    assert_int_equal(fake_driver.write.dstBinding, 3);
    assert_int_equal(fake_driver.write.dstArrayElement, 5);
    assert_int_equal(fake_driver.write.descriptorCount, 1);
    assert_int_equal(fake_driver.write.descriptorType, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER);
    assert_null(fake_driver.write.pImageInfo);
    assert_null(fake_driver.write.pTexelBufferView);
    assert_true(fake_driver.descriptor.buffer != VK_NULL_HANDLE &&
                (uint64_t)fake_driver.descriptor.buffer != BUFFER);
    assert_int_equal(fake_driver.descriptor.offset, 16);
    assert_int_equal(fake_driver.descriptor.range, 32);

    /* A copy comes behind the writes before it, and before those after it. */
    start_updates(&r);
    add_update(&r, &good_write, sizeof(good_write));
    add_update(&r, &good_copy, sizeof(good_copy));
    add_update(&r, &good_write, sizeof(good_write));
    const uint32_t before = fake_driver.updates;
    accepted(client, &r);
    assert_int_equal(fake_driver.updates, before + 3);
    assert_int_equal(fake_driver.copies, 1);
    assert_int_equal(fake_driver.writes, 102);
    assert_false(is_lost(client));
}

static void bad_updates_are_refused(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const struct buffer_update good_write = write_update(SET, BUFFER);
    const struct copy_update good_copy = copy_update(SET, OTHER_SET);
    struct buffer_update write;
    struct copy_update copy;
#define REFUSED(kind, member, value)         \
    do {                                     \
        kind = good_##kind;                  \
        kind.member = value;                 \
        start_updates(&r);                   \
        add_update(&r, &kind, sizeof(kind)); \
        refused(client, &r);                 \
    } while (0)
    REFUSED(write, update.set, 0);
    REFUSED(write, update.set, BUFFER);
    REFUSED(write, update.set, ID(VkDescriptorSet, 62));
    REFUSED(write, update.count, 0);
    REFUSED(write, update.count, 2);
    REFUSED(write, update.count, UINT32_MAX);
    REFUSED(write, update.type, VK_DESCRIPTOR_TYPE_INLINE_UNIFORM_BLOCK);
    REFUSED(write, update.type, UINT32_MAX - 1);
    REFUSED(write, info.buffer, (VkBuffer)SET);
    REFUSED(write, info.buffer, (VkBuffer)ID(VkBuffer, 63));
    REFUSED(copy, source.set, 0);
    REFUSED(copy, source.set, ID(VkDescriptorSet, 62));
#undef REFUSED
    start_updates(&r);
    add_update(&r, &good_write, sizeof(good_write));
    for (uint32_t size = 24; size < r.size; size += 8) {
        struct test_record cut = r;
        cut.size = ((struct vd_record *)cut.bytes)->size = size;
        refused(client, &cut);
    }
    record_set64(&r, r.body, OTHER_DEVICE);
    refused(client, &r);
    record_set64(&r, r.body, DEVICE);
    ((struct vd_record *)r.bytes)->flags = VD_RECORD_REPLY;
    refused(client, &r);
    assert_int_equal(fake_driver.updates, 0);
}

/* ---- Bytes that stay in shared memory */

static void make_copy(struct test_record *r, uint64_t image, uint64_t length, uint64_t pointer,
                      bool shares)
{
    const struct vd_args_vkCopyMemoryToImage args = {.device = HANDLE(VkDevice, DEVICE)};
    const VkCopyMemoryToImageInfo info = {.sType = VK_STRUCTURE_TYPE_COPY_MEMORY_TO_IMAGE_INFO,
                                          .dstImage = HANDLE(VkImage, image),
                                          .regionCount = 1};
    const VkMemoryToImageCopy region = {.sType = VK_STRUCTURE_TYPE_MEMORY_TO_IMAGE_COPY};
    const uint64_t bytes[] = {length, pointer};
    record_begin(r, VD_OP_vkCopyMemoryToImage, &args, sizeof(args), true);
    const uint32_t info_at = record_put(
        r, ARG(r, struct vd_args_vkCopyMemoryToImage, pCopyMemoryToImageInfo), &info, sizeof(info));
    const uint32_t region_at = record_put(r, info_at + offsetof(VkCopyMemoryToImageInfo, pRegions),
                                          &region, sizeof(region));
    record_put(r, region_at + offsetof(VkMemoryToImageCopy, pHostPointer), bytes, sizeof(bytes));
    ((struct vd_record *)r->bytes)->flags |= shares ? VD_RECORD_SHARES : 0;
}

static void shared_bytes_stay_in_their_region(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t image = ID(VkImage, 350);
    const uint32_t shm = client->replies->id;
    const uint64_t size = SHARED_SIZE - CHUNKS;
    assert_true(
        vd_object_add(&client->context->objects, image, 0x1000, vd_id_index(DEVICE), 0, NULL));
    make_copy(&r, image, size | VD_SIZED_SHARED, vd_shm_pointer(shm, CHUNKS), true);
    answered(client, &r, VK_SUCCESS);
    /* Inline, the same length is far too much. */
    make_copy(&r, image, size, vd_shm_pointer(shm, CHUNKS), true);
    refused(client, &r);
    /* Whoever consumes the ring must know. */
    make_copy(&r, image, size | VD_SIZED_SHARED, vd_shm_pointer(shm, CHUNKS), false);
    refused(client, &r);
    const struct {
        uint64_t length, pointer;
    } bad[] = {
        {size + 1, vd_shm_pointer(shm, CHUNKS)},
        {VD_SIZED_SHARED - 1, vd_shm_pointer(shm, CHUNKS)},
        {size, vd_shm_pointer(shm + 40, CHUNKS)},
        {1, vd_shm_pointer(shm, SHARED_SIZE)},
        {1, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        make_copy(&r, image, bad[i].length | VD_SIZED_SHARED, bad[i].pointer, true);
        refused(client, &r);
    }
    /* The location is missing. */
    make_copy(&r, image, size | VD_SIZED_SHARED, vd_shm_pointer(shm, CHUNKS), true);
    r.size -= 8;
    ((struct vd_record *)r.bytes)->size -= 8;
    refused(client, &r);
    make_copy(&r, image, size | VD_SIZED_SHARED, vd_shm_pointer(shm, CHUNKS), true);
    answered(client, &r, VK_SUCCESS);
}

/* ---- Lanes */

#define LANES 4
/* Command buffers, each of its own pool. */
#define LANE_POOL(i)   ID(VkCommandPool, 300 + (i))
#define LANE_BUFFER(i) ID(VkCommandBuffer, 320 + (i))
/* So many that it is worth to wake somebody up for them. */
#define LANE_DRAWS 300

static int open_lanes(void **state)
{
    struct test_record r;
    if (open_device_with(state, LANES) != 0) {
        return -1;
    }
    struct test_client *client = *state;
    for (uint32_t i = 0; i < LANES; i++) {
        make_command_pool(&r, LANE_POOL(i));
        accepted(client, &r);
        make_command_buffer(&r, LANE_POOL(i), LANE_BUFFER(i));
        accepted(client, &r);
    }
    return 0;
}

/* The first of its draws has so many vertices. */
static bool record(struct test_client *client, uint32_t lane, uint32_t vertices)
{
    struct stream stream = {.flags = VD_STREAM_ALONE};
    add_begin(&stream);
    add_draw_of(&stream, vertices);
    for (uint32_t i = 1; i < LANE_DRAWS; i++) {
        add_draw(&stream);
    }
    return replay(client, &stream, LANE_BUFFER(lane));
}

static void settle(struct test_client *client)
{
    struct test_record r;
    make_destroy_buffer(&r, DEVICE, BUFFER);
    accepted(client, &r);
}

static void lanes_are_replayed_at_the_same_time(void **state)
{
    struct test_client *client = *state;
    fake_driver.meeting = LANES;
    for (uint32_t i = 0; i < LANES; i++) {
        assert_true(record(client, i, FAKE_MEETING));
    }
    settle(client);
    /* Each had to see all the others. */
    assert_int_equal(fake_driver.met, LANES);
    assert_int_equal(fake_driver.draws, LANES * LANE_DRAWS);
}

static void one_lane_alone_is_put_off(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    assert_true(record(client, 0, 3));
    assert_int_equal(fake_driver.draws, 0);
    assert_true(vd_context_idle(client->context));
    assert_int_equal(fake_driver.draws, LANE_DRAWS);
    /* Or until it is needed. */
    static const uint16_t opcodes[] = {VD_OP_vkResetCommandBuffer, VD_OP_vkQueueSubmit,
                                       VD_OP_vkAllocateCommandBuffers};
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(record(client, 0, 3));
        assert_int_equal(fake_driver.draws, (i + 1) * LANE_DRAWS);
        switch (opcodes[i]) {
        case VD_OP_vkResetCommandBuffer:
            make_simple(&r, VD_OP_vkResetCommandBuffer, LANE_BUFFER(0), false);
            break;
        case VD_OP_vkQueueSubmit:
            make_submit_of(&r, LANE_BUFFER(0));
            break;
        default:
            make_command_buffer(&r, LANE_POOL(0), ID(VkCommandBuffer, 340));
        }
        accepted(client, &r);
        assert_int_equal(fake_driver.draws, (i + 2) * LANE_DRAWS);
    }
}

static void a_lane_keeps_its_order(void **state)
{
    struct test_client *client = *state;
    fake_driver.blocked = true;
    assert_true(record(client, 0, FAKE_BLOCKED));
    assert_true(record(client, 1, FAKE_BLOCKED));
    for (int i = 0; i < 20; i++) {
        assert_true(record(client, 0, 3));
    }
    usleep(50000);
    assert_int_equal(fake_driver.draws, 0);
    fake_driver.blocked = false;
    settle(client);
    assert_int_equal(fake_driver.draws, 22 * LANE_DRAWS);
}

static void submissions_wait_for_their_lanes_only(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    fake_driver.blocked = true;
    assert_true(record(client, 0, FAKE_BLOCKED));
    assert_true(record(client, 1, 3));
    make_submit_of(&r, LANE_BUFFER(1));
    accepted(client, &r);
    assert_int_equal(fake_driver.submits, 1);
    assert_int_equal(fake_driver.draws, LANE_DRAWS);
    /* Nor does what may happen while something is recorded wait. */
    make_buffer(&r, DEVICE, ID(VkBuffer, 341), true);
    answered(client, &r, VK_SUCCESS);
    fake_driver.blocked = false;
    make_submit_of(&r, LANE_BUFFER(0));
    accepted(client, &r);
    assert_int_equal(fake_driver.submits, 2);
    assert_int_equal(fake_driver.draws, 2 * LANE_DRAWS);
}

static void streams_of_several_command_buffers_keep_their_place(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    struct stream stream = {0};
    const uint64_t secondary = LANE_BUFFER(1);
    const struct vd_args_vkCmdExecuteCommands args = {.commandBufferCount = 1};
    add_begin(&stream);
    record_begin(&r, VD_OP_vkCmdExecuteCommands, &args, sizeof(args), false);
    record_put(&r, ARG(&r, struct vd_args_vkCmdExecuteCommands, pCommandBuffers), &secondary, 8);
    add(&stream, &r);

    assert_true(record(client, 0, 3));
    assert_true(record(client, 1, 3));
    assert_true(replay(client, &stream, LANE_BUFFER(0)));
    assert_int_equal(fake_driver.draws, 2 * LANE_DRAWS);
    assert_int_equal(fake_driver.executed, 1);

    stream.flags = VD_STREAM_ALONE;
    replay(client, &stream, LANE_BUFFER(0)); /* may know already, or not */
    settle(client);
    assert_false(vd_context_idle(client->context));
    assert_int_equal(fake_driver.executed, 1);
}

static void note_failure(void *data)
{
    atomic_fetch_add((_Atomic int *)data, 1);
}

static void what_is_malformed_on_a_lane_is_told(void **state)
{
    struct test_client *client = *state;
    _Atomic int failures = 0;
    struct stream bad = {.flags = VD_STREAM_ALONE};
    client->context->options.failed = note_failure;
    client->context->options.data = (void *)&failures;
    fake_driver.blocked = true;
    assert_true(record(client, 0, FAKE_BLOCKED));
    for (uint32_t i = 0; i < LANE_DRAWS; i++) {
        add_draw(&bad); /* without a beginning */
    }
    replay(client, &bad, LANE_BUFFER(1)); /* may know already, or not */
    for (int i = 0; i < 5000 && !failures; i++) {
        usleep(1000);
    }
    assert_int_equal(failures, 1);
    fake_driver.blocked = false;
    assert_false(vd_context_idle(client->context));
}

static void a_failed_recording_is_not_executed(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    struct stream stream = {0};
    const uint64_t id = ID(VkBuffer, 140);
    fake_driver.next_result = VK_ERROR_OUT_OF_HOST_MEMORY;
    make_buffer(&r, DEVICE, id, false);
    accepted(client, &r);
    add_begin(&stream);
    make_bind(&r, &id, 1);
    add(&stream, &r);
    add_draw(&stream);
    assert_true(replay(client, &stream, COMMAND_BUFFER));
    assert_true(is_lost(client));
    assert_int_equal(fake_driver.draws, 0);
    assert_int_equal(fake_driver.bound_count, 0);
}

/* ---- Memory */

static void imports_stay_within_shared_memory(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint32_t shm = client->replies->id;
    const uint64_t id = ID(VkDeviceMemory, 150);
    const struct {
        uint64_t pointer, size;
    } bad[] = {
        {vd_shm_pointer(shm, IMPORT), SHARED_SIZE},
        {vd_shm_pointer(shm, SHARED_SIZE), 4096},
        {vd_shm_pointer(shm, SHARED_SIZE + 4096), 4096},
        {vd_shm_pointer(shm, IMPORT), UINT64_MAX - 4095},
        {vd_shm_pointer(99, 0), 4096},
        {0, 4096},
        {UINT64_MAX, 4096},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        make_memory(&r, id, bad[i].pointer, bad[i].size);
        refused(client, &r);
    }
    make_memory(&r, id, vd_shm_pointer(shm, IMPORT + 16), 4096);
    answered(client, &r, VK_ERROR_INVALID_EXTERNAL_HANDLE);
    make_memory(&r, id, vd_shm_pointer(shm, IMPORT), SHARED_SIZE - IMPORT);
    answered(client, &r, VK_SUCCESS);
    assert_ptr_equal(fake_driver.imported, client->replies->map + IMPORT);
    assert_memory_equal(reply_bytes(client), &id, 8);
}

static void imported_memory_outlives_its_id(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t id = ID(VkDeviceMemory, 150);
    int fd;
    const uint32_t shm = vd_shm_add(client->shm, 4096, &fd);
    close(fd);
    make_memory(&r, id, vd_shm_pointer(shm, 0), 4096);
    answered(client, &r, VK_SUCCESS);
    assert_true(vd_shm_remove(client->shm, shm));
    assert_int_equal(*(volatile const uint8_t *)fake_driver.imported, 0);
    make_memory(&r, ID(VkDeviceMemory, 151), vd_shm_pointer(shm, 0), 4096);
    refused(client, &r);
    const struct vd_args_vkFreeMemory free_args = {.device = HANDLE(VkDevice, DEVICE),
                                                   .memory = HANDLE(VkDeviceMemory, id)};
    record_begin(&r, VD_OP_vkFreeMemory, &free_args, sizeof(free_args), true);
    accepted(client, &r);
    assert_int_equal(host_handle(client, id), 0);
}

/* ---- Semaphores by descriptor */

static void make_import(struct test_record *r, VkExternalSemaphoreHandleTypeFlagBits type,
                        uint32_t fd)
{
    const struct vd_args_vkImportSemaphoreFdKHR args = {.device = HANDLE(VkDevice, DEVICE)};
    const VkImportSemaphoreFdInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_IMPORT_SEMAPHORE_FD_INFO_KHR,
        .semaphore = HANDLE(VkSemaphore, SEMAPHORE),
        .handleType = type,
        .fd = (int)fd,
    };
    record_begin(r, VD_OP_vkImportSemaphoreFdKHR, &args, sizeof(args), true);
    record_put(r, ARG(r, struct vd_args_vkImportSemaphoreFdKHR, pImportSemaphoreFdInfo), &info,
               sizeof(info));
}

static void make_export(struct test_record *r, VkExternalSemaphoreHandleTypeFlagBits type)
{
    const struct vd_args_vkGetSemaphoreFdKHR args = {.device = HANDLE(VkDevice, DEVICE)};
    const VkSemaphoreGetFdInfoKHR info = {
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_GET_FD_INFO_KHR,
        .semaphore = HANDLE(VkSemaphore, SEMAPHORE),
        .handleType = type,
    };
    record_begin(r, VD_OP_vkGetSemaphoreFdKHR, &args, sizeof(args), true);
    record_put(r, ARG(r, struct vd_args_vkGetSemaphoreFdKHR, pGetFdInfo), &info, sizeof(info));
    record_out(r, ARG(r, struct vd_args_vkGetSemaphoreFdKHR, pFd), sizeof(int));
}

static const VkExternalSemaphoreHandleTypeFlagBits opaque_fd =
    VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_OPAQUE_FD_BIT;
static const VkExternalSemaphoreHandleTypeFlagBits sync_fd =
    VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT;

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void semaphores_are_imported(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    make_semaphore(&r, SEMAPHORE);
    accepted(client, &r);
    /* What was not given, or used before. */
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const uint32_t id = vd_shm_add_fd(client->shm, fd);
    const uint32_t bad[] = {0, client->replies->id, id + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        make_import(&r, opaque_fd, bad[i]);
        refused(client, &r);
    }
    make_import(&r, opaque_fd, id);
    answered(client, &r, VK_SUCCESS);
    assert_int_equal(fake_driver.imported_fd, fd);
    assert_true(is_open(fd)); /* the driver's */
    refused(client, &r);

    /* What the driver does not want is closed. */
    make_import(&r, opaque_fd, vd_shm_add_fd(client->shm, fd));
    fake_driver.next_result = VK_ERROR_INVALID_EXTERNAL_HANDLE;
    answered(client, &r, VK_ERROR_INVALID_EXTERNAL_HANDLE);
    assert_false(is_open(fd));

    /* What is signalled already has no descriptor. */
    make_import(&r, sync_fd, UINT32_MAX);
    answered(client, &r, VK_SUCCESS);
    assert_int_equal(fake_driver.imported_fd, -1);
}

static int answered_fd(const struct test_client *client)
{
    int fd;
    memcpy(&fd, reply_bytes(client), sizeof(fd));
    return fd;
}

static void semaphores_are_exported(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    make_semaphore(&r, SEMAPHORE);
    accepted(client, &r);
    fake_driver.exported_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    make_export(&r, opaque_fd);
    answered(client, &r, VK_SUCCESS);
    assert_true(answered_fd(client) > 0);
    assert_int_equal(vd_shm_take_fd(client->shm, (uint32_t)answered_fd(client)),
                     fake_driver.exported_fd);
    close(fake_driver.exported_fd);

    fake_driver.exported_fd = -1;
    make_export(&r, sync_fd);
    answered(client, &r, VK_SUCCESS);
    assert_int_equal(answered_fd(client), -1);

    fake_driver.next_result = VK_ERROR_TOO_MANY_OBJECTS;
    answered(client, &r, VK_ERROR_TOO_MANY_OBJECTS);
}

/* ---- Queues */

static void submissions_are_counted(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    struct vd_completion_queue *queue = &client->completion->queues[0];
    make_submit(&r, 1);
    accepted(client, &r);
    await(&queue->done, 1);
    make_submit(&r, 3);
    accepted(client, &r);
    await(&queue->done, 4);
    assert_int_equal(fake_driver.signal_count, 3);
    assert_int_equal(fake_driver.signalled[0], 2);
    assert_int_equal(fake_driver.signalled[2], 4);
    make_submit(&r, 0);
    accepted(client, &r);
    await(&queue->done, 5);

    struct vd_args_vkQueueSubmit2 args = {.queue = HANDLE(VkQueue, QUEUE), .submitCount = 2};
    const VkSubmitInfo2 infos[2] = {{.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2},
                                    {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO_2}};
    record_begin(&r, VD_OP_vkQueueSubmit2, &args, sizeof(args), false);
    record_put(&r, ARG(&r, struct vd_args_vkQueueSubmit2, pSubmits), infos, sizeof(infos));
    accepted(client, &r);
    await(&queue->done, 7);

    const struct vd_args_vkQueueBindSparse bind = {.queue = HANDLE(VkQueue, QUEUE)};
    record_begin(&r, VD_OP_vkQueueBindSparse, &bind, sizeof(bind), false);
    accepted(client, &r);
    await(&queue->done, 8);
    make_submit(&r, 1);
    accepted(client, &r);
    await(&queue->done, 9);

    fake_driver.hold = true;
    make_submit(&r, 2);
    accepted(client, &r);
    usleep(20000);
    assert_int_equal(atomic_load(&queue->done), 9);
    fake_driver_finish();
    await(&queue->done, 11);
    assert_false(is_lost(client));
}

static void who_executes_looks_itself(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    struct vd_completion_queue *queue = &client->completion->queues[0];
    client->looks = true;
    fake_driver.hold = true;
    make_submit(&r, 2);
    accepted(client, &r);
    vd_context_look(client->context);
    assert_int_equal(atomic_load(&queue->done), 0);
    fake_driver_finish();
    usleep(20000);
    /* Nobody else has. */
    assert_int_equal(atomic_load(&queue->done), 0);
    vd_context_look(client->context);
    assert_int_equal(atomic_load(&queue->done), 2);

    fake_driver.hold = true;
    make_submit(&r, 1);
    accepted(client, &r);
    vd_context_look(client->context);
    vd_context_leave(client->context);
    fake_driver_finish();
    await(&queue->done, 3);
    /* What was not left to anybody is waited for at the end. */
    fake_driver.hold = false;
    make_submit(&r, 1);
    accepted(client, &r);
}

static void timeline_values_are_kept(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t semaphore = ID(VkSemaphore, 160), value = 42;
    make_semaphore(&r, semaphore);
    accepted(client, &r);
    const VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .signalSemaphoreCount = 1};
    const VkTimelineSemaphoreSubmitInfo values = {
        .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO, .signalSemaphoreValueCount = 1};
    const struct vd_args_vkQueueSubmit args = {.queue = HANDLE(VkQueue, QUEUE), .submitCount = 1};
    record_begin(&r, VD_OP_vkQueueSubmit, &args, sizeof(args), false);
    const uint32_t at =
        record_put(&r, ARG(&r, struct vd_args_vkQueueSubmit, pSubmits), &info, sizeof(info));
    record_put(&r, at + (uint32_t)offsetof(VkSubmitInfo, pSignalSemaphores), &semaphore, 8);
    const uint32_t link =
        record_put(&r, at + (uint32_t)offsetof(VkSubmitInfo, pNext), &values, sizeof(values));
    record_put(&r, link + (uint32_t)offsetof(VkTimelineSemaphoreSubmitInfo, pSignalSemaphoreValues),
               &value, 8);
    accepted(client, &r);
    await(&client->completion->queues[0].done, 1);
    assert_int_equal(fake_driver.signal_count, 2);
    assert_int_equal(fake_driver.signalled[0], 42);
    assert_int_equal(fake_driver.signalled[1], 1);
}

static void destroy_semaphore(struct test_client *client, uint64_t id)
{
    struct test_record r;
    const struct vd_args_vkDestroySemaphore args = {.device = HANDLE(VkDevice, DEVICE),
                                                    .semaphore = HANDLE(VkSemaphore, id)};
    record_begin(&r, VD_OP_vkDestroySemaphore, &args, sizeof(args), false);
    accepted(client, &r);
}

/* A driver may look at what a batch waited for after it has signalled its end. */
static void semaphores_outlive_the_batches_before_their_end(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    struct vd_completion_queue *queue = &client->completion->queues[0];
    for (uint64_t i = 0; i < 5; i++) {
        make_semaphore(&r, ID(VkSemaphore, 160 + i));
        accepted(client, &r);
    }
    const uint32_t objects = fake_driver.objects;
    make_submit(&r, 1);
    accepted(client, &r);
    await(&queue->done, 1);
    destroy_semaphore(client, ID(VkSemaphore, 160));
    destroy_semaphore(client, ID(VkSemaphore, 161));
    assert_int_equal(host_handle(client, ID(VkSemaphore, 160)), 0);
    assert_int_equal(fake_driver.objects, objects);
    /* Behind a later batch there is no use for the first one, and then for the second. */
    make_submit(&r, 1);
    accepted(client, &r);
    await(&queue->done, 2);
    destroy_semaphore(client, ID(VkSemaphore, 162));
    assert_int_equal(fake_driver.objects, objects - 1);
    make_submit(&r, 1);
    accepted(client, &r);
    await(&queue->done, 3);
    destroy_semaphore(client, ID(VkSemaphore, 163));
    assert_int_equal(fake_driver.objects, objects - 2);
}

/* Without later batches they do not pile up for ever. */
static void semaphores_do_not_pile_up(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    make_submit(&r, 1);
    accepted(client, &r);
    await(&client->completion->queues[0].done, 1);
    const uint32_t objects = fake_driver.objects;
    for (uint64_t i = 0; i < 2000; i++) {
        make_semaphore(&r, ID(VkSemaphore, 160 + i));
        accepted(client, &r);
        destroy_semaphore(client, ID(VkSemaphore, 160 + i));
        assert_true(fake_driver.objects < objects + 600);
    }
}

/* ---- Waits */

static bool await_reply(struct test_client *client)
{
    for (int i = 0; i < 2000; i++) {
        const _Atomic uint32_t *state = (const _Atomic uint32_t *)&reply(client)->state;
        if (atomic_load(state) == VD_REPLY_DONE) {
            return true;
        }
        usleep(1000);
    }
    return false;
}

static void waits_do_not_stop_the_ring(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t semaphore = ID(VkSemaphore, 170);
    make_semaphore(&r, semaphore);
    accepted(client, &r);
    make_wait(&r, semaphore, 0);
    answered(client, &r, VK_TIMEOUT);

    for (int i = 0; i < 2; i++) {
        make_wait(&r, semaphore, UINT64_MAX);
        accepted(client, &r);
        if (i == 0) {
            assert_int_equal(reply(client)->state, VD_REPLY_PENDING);
        }
        const struct vd_args_vkSignalSemaphore args = {.device = HANDLE(VkDevice, DEVICE)};
        const VkSemaphoreSignalInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO,
                                            .semaphore = HANDLE(VkSemaphore, semaphore),
                                            .value = 1};
        record_begin(&r, VD_OP_vkSignalSemaphore, &args, sizeof(args), false);
        record_put(&r, ARG(&r, struct vd_args_vkSignalSemaphore, pSignalInfo), &info, sizeof(info));
        accepted(client, &r);
        assert_true(await_reply(client));
        assert_int_equal(reply(client)->result, VK_SUCCESS);
    }
}

static void waits_end_when_the_device_is_lost(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t semaphore = ID(VkSemaphore, 175);
    make_semaphore(&r, semaphore);
    accepted(client, &r);
    make_wait(&r, semaphore, UINT64_MAX);
    accepted(client, &r);
    assert_int_equal(reply(client)->state, VD_REPLY_PENDING);
    fake_driver.next_result = VK_ERROR_DEVICE_LOST;
    make_submit(&r, 1);
    accepted(client, &r);
    assert_int_equal(reply(client)->state, VD_REPLY_DONE);
    assert_int_equal(reply(client)->result, VK_ERROR_DEVICE_LOST);
    make_wait(&r, semaphore, UINT64_MAX);
    answered(client, &r, VK_ERROR_DEVICE_LOST);

    /* The driver still waits for it. */
    const uint32_t objects = fake_driver.objects;
    destroy_semaphore(client, semaphore);
    assert_int_equal(fake_driver.objects, objects);
    assert_int_equal(host_handle(client, semaphore), 0);
    fake_driver_give_up();
}

static void waits_without_end_do_not_hang_the_end(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t semaphore = ID(VkSemaphore, 180);
    make_semaphore(&r, semaphore);
    accepted(client, &r);
    make_wait(&r, semaphore, UINT64_MAX);
    accepted(client, &r);
    fake_driver.hold = true;
    make_submit(&r, 1);
    accepted(client, &r);
    const time_t start = time(NULL);
    make_simple(&r, VD_OP_vkDestroyDevice, DEVICE, false);
    accepted(client, &r);
    make_simple(&r, VD_OP_vkDestroyInstance, ID(VkInstance, 1), false);
    accepted(client, &r);
    assert_true(time(NULL) - start <= 4);
    /* Both were left to themselves; let them end. */
    vd_context_destroy(client->context);
    const struct vd_context_options options = {.gpu = -1};
    client->context = vd_context_create_on(fake_get_instance_proc_addr, &options, client->shm);
    fake_driver_finish();
    usleep(50000);
    fake_driver.instances = 0;
}

int main(void)
{
#define TEST(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, disconnect)
    const struct CMUnitTest tests[] = {
        TEST(instances_come_and_go, connect_client),
        TEST(what_is_left_behind_is_destroyed, open_device),
        TEST(physical_devices_are_described, open_device),
        TEST(devices_get_timeline_semaphores, open_device),
        TEST(queues_need_a_free_slot, open_device),
        TEST(every_truncation_is_refused, open_device),
        TEST(pointers_are_canonical, open_device),
        TEST(changed_bytes_do_no_harm, open_device),
        TEST(foreign_structs_are_refused, open_device),
        TEST(chains_end, open_device),
        TEST(counts_do_not_overflow, open_device),
        TEST(specialization_stays_in_its_data, open_device),
        TEST(query_results_stay_in_their_array, open_device),
        TEST(replies_stay_in_shared_memory, open_device),
        TEST(handles_are_checked, open_device),
        TEST(ids_are_given_once, open_device),
        TEST(freed_ids_are_stale, open_device),
        TEST(pools_own_their_children, open_device),
        TEST(outputs_return_and_pointers_do_not, open_device),
        TEST(creations_are_told, open_device),
        TEST(tombstones_lose_the_device, open_device),
        TEST(failures_that_nobody_hears_of_lose_the_device, open_device),
        TEST(names_are_passed_on, open_device),
        TEST(streams_are_replayed, open_command_buffer),
        TEST(shared_bytes_stay_in_their_region, open_device),
        TEST(lanes_are_replayed_at_the_same_time, open_lanes),
        TEST(one_lane_alone_is_put_off, open_lanes),
        TEST(a_lane_keeps_its_order, open_lanes),
        TEST(submissions_wait_for_their_lanes_only, open_lanes),
        TEST(streams_of_several_command_buffers_keep_their_place, open_lanes),
        TEST(what_is_malformed_on_a_lane_is_told, open_lanes),
        TEST(open_streams_go_on, open_command_buffer),
        TEST(bad_streams_are_refused, open_command_buffer),
        TEST(descriptors_are_updated, open_sets),
        TEST(bad_updates_are_refused, open_sets),
        TEST(a_failed_recording_is_not_executed, open_command_buffer),
        TEST(imports_stay_within_shared_memory, open_device),
        TEST(imported_memory_outlives_its_id, open_device),
        TEST(semaphores_are_imported, open_device),
        TEST(semaphores_are_exported, open_device),
        TEST(submissions_are_counted, open_device),
        TEST(who_executes_looks_itself, open_device),
        TEST(timeline_values_are_kept, open_device),
        TEST(semaphores_outlive_the_batches_before_their_end, open_device),
        TEST(semaphores_do_not_pile_up, open_device),
        TEST(waits_do_not_stop_the_ring, open_device),
        TEST(waits_end_when_the_device_is_lost, open_device),
        TEST(waits_without_end_do_not_hang_the_end, open_device),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
