/* SPDX-License-Identifier: MIT
 *
 * Records, well formed and malformed: what is decoded, refused, answered.
 */
#include "fixture.h"

#include <stdlib.h>

#include "args.h"
#include "server/execute.h"

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

static void decoding_changes_nothing_but_the_record(void **state)
{
    struct test_client *client = *state;
    struct vds_execution x;
    struct test_record r;
    prepare_samples(client);
    vds_execution_init(&x, client->context);
    for (int n = 0; make_sample(&r, n, client->replies->id); n++) {
        const uint32_t objects = fake_driver.objects, devices = fake_driver.devices;
        const uint32_t submits = fake_driver.submits, updates = fake_driver.updates;
        struct test_record first = r, second = r;
        assert_true(vds_decode(&x, first.bytes));
        const uint32_t births = x.decoder.plan.birth_count;
        assert_null(x.answer.region);
        assert_true(vds_decode(&x, second.bytes));
        assert_int_equal(x.decoder.plan.birth_count, births);
        for (uint32_t i = 0; i < births; i++)
            assert_int_equal(client_host_handle(client, x.decoder.plan.births[i].id), 0);
        vds_end(&x);
        assert_int_equal(fake_driver.objects, objects);
        assert_int_equal(fake_driver.devices, devices);
        assert_int_equal(fake_driver.submits, submits);
        assert_int_equal(fake_driver.updates, updates);
        accepted(client, &r);
    }
    vds_execution_finish(&x);
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
            if (!points)
                continue;
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
                if (client_send_record(client, &bad)) {
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
    for (int i = 0; i < VD_CHAIN_MAX + 1; i++)
        at = record_put(&r, at + (uint32_t)offsetof(VkBaseInStructure, pNext), &link, sizeof(link));
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
        if (cases[i].good)
            answered(client, &r, VK_SUCCESS);
        else
            refused(client, &r);
    }
}

static void binaries_stay_in_the_record(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t ids[2] = {ID(VkPipelineBinaryKHR, 200), ID(VkPipelineBinaryKHR, 201)};
    make_binaries(&r, ids, 2);
    const uint32_t info = (uint32_t)record_get64(
        &r, ARG(&r, struct vd_args_vkCreatePipelineBinariesKHR, pCreateInfo));
    const uint32_t all = (uint32_t)record_get64(
        &r, info + (uint32_t)offsetof(VkPipelineBinaryCreateInfoKHR, pKeysAndDataInfo));
    const uint32_t keys = (uint32_t)record_get64(
        &r, all + (uint32_t)offsetof(VkPipelineBinaryKeysAndDataKHR, pPipelineBinaryKeys));
    const uint32_t data = (uint32_t)record_get64(
        &r, all + (uint32_t)offsetof(VkPipelineBinaryKeysAndDataKHR, pPipelineBinaryData));
    const uint32_t handles =
        (uint32_t)record_get64(&r, ARG(&r, struct vd_args_vkCreatePipelineBinariesKHR, pBinaries));
    const struct {
        uint32_t at, size;
        uint64_t value;
    } wrong[] = {
        {handles + (uint32_t)offsetof(VkPipelineBinaryHandlesInfoKHR, pipelineBinaryCount), 4, 3},
        {handles + (uint32_t)offsetof(VkPipelineBinaryHandlesInfoKHR, pipelineBinaryCount), 4,
         0x20000002},
        {all, 4, 3},
        {all, 4, UINT32_MAX},
        {keys + (uint32_t)offsetof(VkPipelineBinaryKeyKHR, keySize), 4, 33},
        {keys + (uint32_t)offsetof(VkPipelineBinaryKeyKHR, keySize), 4, UINT32_MAX},
        {data, 8, r.size},
        {data, 8, UINT64_MAX},
        {data, 8, UINT64_MAX - 7},
        {data + 8, 8, 0}, /* no data */
        {all + 8, 8, 0},  /* no keys */
        {all + 16, 8, 0}, /* nothing at all */
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct test_record bad = r;
        memcpy(bad.bytes + wrong[i].at, &wrong[i].value, wrong[i].size);
        refused(client, &bad);
    }
    answered(client, &r, VK_SUCCESS);
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
            assert_int_equal(client_reply_bytes(client)[15], 0x11);
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

static void outputs_return_and_pointers_do_not(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    make_requirements(&r, DEVICE, BUFFER);
    accepted(client, &r);
    assert_int_equal(client_reply(client)->state, VD_REPLY_DONE);
    struct {
        VkMemoryRequirements2 requirements;
        VkMemoryDedicatedRequirements dedicated;
    } back;
    memcpy(&back, client_reply_bytes(client), sizeof(back));
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
    memcpy(&args, client_reply_bytes(client), sizeof(args));
    memcpy(&info, client_reply_bytes(client) + sizeof(args), sizeof(info));
    assert_null(args.pInfo);
    assert_null(args.pMemoryRequirements);
    assert_int_equal((uintptr_t)args.device, DEVICE);
    assert_int_equal((uintptr_t)info.buffer, BUFFER);

    /* Untouched memory of the reply stays untouched. */
    assert_int_equal(client_reply_bytes(client)[r.size - r.body], 0xcd);

    make_sample(&r, 10, client->replies->id);
    accepted(client, &r);
    assert_int_equal(((const VkMemoryRequirements *)client_reply_bytes(client))->size, 4096);

    const struct vd_args_vkGetBufferDeviceAddress address = {.device = HANDLE(VkDevice, DEVICE)};
    const VkBufferDeviceAddressInfo address_info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO, .buffer = HANDLE(VkBuffer, BUFFER)};
    record_begin(&r, VD_OP_vkGetBufferDeviceAddress, &address, sizeof(address), true);
    record_put(&r, ARG(&r, struct vd_args_vkGetBufferDeviceAddress, pInfo), &address_info,
               sizeof(address_info));
    accepted(client, &r);
    assert_true(client_reply(client)->value == 0x123456789abc);
}

/* The refusals leave the process's environment as it is, and so does what is not on the list. */
static void variables_reach_the_environment(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    static char all[4104];
    static const char text[] = "radv_test=1\0MESA_LOADER_DRIVER_OVERRIDE=x\0radv_test=2\0no\0"
                               "RADV_DEBUG=\033[2J\0RADV_DEBUGS=x\0RADV_PERFTEST=rt,\0=\0\0\0\0\0";
    static_assert(sizeof(text) % 8 == 0, "whole words");
    setenv("RADV_PERFTEST", "the server's", 1);
    unsetenv("MESA_SHADER_CACHE_DISABLE");
    record_begin(&r, VD_OP_ENVIRONMENT, "MESA_DRICONF_EXECUTABLE_OVERRIDE=program\0\0\0\0\0\0\0",
                 48, false);
    accepted(client, &r);
    record_begin(&r, VD_OP_ENVIRONMENT, text, sizeof(text), false);
    accepted(client, &r);
    assert_string_equal(getenv("radv_test"), "1");
    assert_string_equal(getenv("MESA_SHADER_CACHE_DISABLE"), "true");
    assert_null(getenv("MESA_LOADER_DRIVER_OVERRIDE"));
    assert_null(getenv("RADV_DEBUG"));
    assert_null(getenv("RADV_DEBUGS"));
    assert_string_equal(getenv("RADV_PERFTEST"), "the server's");
    memset(all, 'x', sizeof(all));
    memcpy(all, "radv_long=", 10);
    all[511] = '\0';
    record_begin(&r, VD_OP_ENVIRONMENT, all, 512, false);
    accepted(client, &r);
    assert_null(getenv("radv_long"));
    record_begin(&r, VD_OP_ENVIRONMENT, NULL, 0, false);
    accepted(client, &r);
    record_begin(&r, VD_OP_ENVIRONMENT, text, sizeof(text), true);
    refused(client, &r);
    record_begin(&r, VD_OP_ENVIRONMENT, "radv_no=1234567", 8, false);
    refused(client, &r);
    memset(all, 0, sizeof(all));
    record_begin(&r, VD_OP_ENVIRONMENT, all, sizeof(all), false);
    refused(client, &r);
    record_begin(&r, VD_OP_ENVIRONMENT, all, 4096, false);
    accepted(client, &r);
    assert_null(getenv("radv_no"));
    unsetenv("RADV_PERFTEST");
    unsetenv("radv_test");
}

static void variables_come_before_the_instance(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    record_begin(&r, VD_OP_ENVIRONMENT, "radv_x=", 8, false);
    refused(client, &r);
    assert_null(getenv("radv_x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_truncation_is_refused, open_device),
        TEST(decoding_changes_nothing_but_the_record, open_device),
        TEST(pointers_are_canonical, open_device),
        TEST(changed_bytes_do_no_harm, open_device),
        TEST(foreign_structs_are_refused, open_device),
        TEST(chains_end, open_device),
        TEST(counts_do_not_overflow, open_device),
        TEST(specialization_stays_in_its_data, open_device),
        TEST(binaries_stay_in_the_record, open_device),
        TEST(query_results_stay_in_their_array, open_device),
        TEST(replies_stay_in_shared_memory, open_device),
        TEST(outputs_return_and_pointers_do_not, open_device),
        TEST(variables_reach_the_environment, connect_client),
        TEST(variables_come_before_the_instance, open_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
