/* SPDX-License-Identifier: MIT
 *
 * Objects of all kinds: their life, their ids, what happens where they could not be made.
 */
#define _GNU_SOURCE 1
#include "fixture.h"

#include <pthread.h>
#include <unistd.h>

#include "args.h"
#include "protocol/physical_device.h"

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

static void *destroy_device(void *client)
{
    struct test_record r;
    make_simple(&r, VD_OP_vkDestroyDevice, DEVICE, true);
    accepted((struct test_client *)client, &r);
    return NULL;
}

static void *let_go(void *data)
{
    (void)data;
    usleep(100000);
    fake_driver.keeps_devices = false;
    return NULL;
}

/* The ring has gone on while the driver destroys a device. */
static void an_instance_ends_after_its_devices(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    pthread_t threads[2];
    client->looks = true; /* the threads share it */
    fake_driver.keeps_devices = true;
    assert_int_equal(pthread_create(&threads[0], NULL, destroy_device, client), 0);
    assert_true(vds_context_await(client->context));
    assert_int_equal(pthread_create(&threads[1], NULL, let_go, NULL), 0);
    make_simple(&r, VD_OP_vkDestroyInstance, ID(VkInstance, 1), false);
    accepted(client, &r);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(fake_driver.instances, 0);
    assert_int_equal(fake_driver.devices, 0);
    assert_int_equal(fake_driver.orphans, 0);
}

static void *create_buffer(void *client)
{
    struct test_record r;
    make_buffer(&r, DEVICE, ID(VkBuffer, 131), true);
    accepted((struct test_client *)client, &r);
    return NULL;
}

/* The driver makes an object while its device is destroyed, and another one takes its place. */
static void late_objects_are_not_for_the_next_device(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    pthread_t thread;
    client->looks = true; /* the threads share it */
    fake_driver.keeps_objects = true;
    const uint32_t before = fake_driver.objects;
    assert_int_equal(pthread_create(&thread, NULL, create_buffer, client), 0);
    assert_true(vds_context_await(client->context));
    make_simple(&r, VD_OP_vkDestroyDevice, DEVICE, false);
    accepted(client, &r);
    make_device(&r, DEVICE, NULL, 0);
    accepted(client, &r);
    assert_true(client_host_handle(client, DEVICE) != 0);
    fake_driver.keeps_objects = false;
    pthread_join(thread, NULL);
    for (int i = 0; i < 2000 && fake_driver.objects == before; i++)
        usleep(1000);
    usleep(20000); /* it is committed */
    assert_int_equal(client_host_handle(client, ID(VkBuffer, 131)), 0);
}

/* What a device is at work with stays, and so does its instance. */
static int disconnect_left_behind(void **state)
{
    disconnect(state);
    return fake_driver.instances == 1 ? 0 : -1;
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
    const uint64_t oldest = client_host_handle(client, BUFFER);
    make_simple(&r, VD_OP_vkDestroyDevice, DEVICE, true);
    accepted(client, &r);
    assert_int_equal(fake_driver.objects, 0);
    assert_int_equal(fake_driver.last_freed, oldest);
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
        (const struct vd_physical_devices *)client_reply_bytes(client);
    assert_int_equal(head->count, 1);
    const struct vd_physical_device_data *data = (const struct vd_physical_device_data *)(head + 1);
    assert_int_equal(head->size, sizeof(*head) + data->size);
    assert_int_equal(data->importable, 1);
    assert_int_equal(data->import_alignment, 4096);
    assert_int_equal(data->extension_count, 3);
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
    for (int i = sizeof(*head); i < 64; i++)
        assert_int_equal(client_reply_bytes(client)[i], 0);
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

/* Layouts of presented images cross, although swapchains do not. */
static void devices_know_of_presentation(void **state)
{
    (void)state;
    assert_true(fake_driver.surface_enabled);
    assert_true(fake_driver.swapchain_enabled);
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

/* ---- Ids */

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
        client_host_handle(client, BUFFER), /* the host's own */
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
    const uint64_t handle = client_host_handle(client, BUFFER);
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
    assert_memory_equal(client_reply_bytes(client), sets, sizeof(sets));

    make_free_sets(&r, other_pool, sets, 1);
    refused(client, &r);
    make_free_sets(&r, 0, sets, 1);
    refused(client, &r);
    const uint64_t twice[2] = {sets[2], sets[2]};
    make_free_sets(&r, POOL, twice, 2);
    refused(client, &r);
    assert_int_not_equal(client_host_handle(client, sets[0]), 0);

    /* NULL and nonsense are the application's right. */
    const uint64_t mixed[3] = {0, sets[0], BUFFER};
    make_free_sets(&r, POOL, mixed, 3);
    accepted(client, &r);
    assert_int_equal(client_host_handle(client, sets[0]), 0);
    assert_int_not_equal(client_host_handle(client, BUFFER), 0);

    const struct vd_args_vkResetDescriptorPool reset = {
        .device = HANDLE(VkDevice, DEVICE), .descriptorPool = HANDLE(VkDescriptorPool, POOL)};
    record_begin(&r, VD_OP_vkResetDescriptorPool, &reset, sizeof(reset), false);
    accepted(client, &r);
    assert_int_equal(client_host_handle(client, sets[1]), 0);
    assert_int_not_equal(client_host_handle(client, POOL), 0);

    make_sets(&r, POOL, LAYOUT, sets, 3);
    answered(client, &r, VK_SUCCESS);
    const struct vd_args_vkDestroyDescriptorPool destroy = {
        .device = HANDLE(VkDevice, DEVICE), .descriptorPool = HANDLE(VkDescriptorPool, POOL)};
    record_begin(&r, VD_OP_vkDestroyDescriptorPool, &destroy, sizeof(destroy), false);
    accepted(client, &r);
    for (int i = 0; i < 3; i++)
        assert_int_equal(client_host_handle(client, sets[i]), 0);
    make_sets(&r, POOL, LAYOUT, sets, 3);
    refused(client, &r);
    make_sets(&r, 0, LAYOUT, sets, 3);
    refused(client, &r);
}

/* ---- What comes of it */

static void creations_are_told(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    uint64_t id = ID(VkBuffer, 100);
    make_buffer(&r, DEVICE, id, true);
    answered(client, &r, VK_SUCCESS);
    assert_memory_equal(client_reply_bytes(client), &id, 8);
    id = ID(VkBuffer, 101);
    make_buffer(&r, DEVICE, id, true);
    fake_driver.next_result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    answered(client, &r, VK_ERROR_OUT_OF_DEVICE_MEMORY);
    id = 0;
    assert_memory_equal(client_reply_bytes(client), &id, 8);
    assert_false(client_is_lost(client));
    /* The id may be given again. */
    answered(client, &r, VK_SUCCESS);
}

/* What the client learns of a call that makes pipeline binaries. */
static const VkPipelineBinaryHandlesInfoKHR *binaries_of(struct test_client *client)
{
    return (const VkPipelineBinaryHandlesInfoKHR *)client_reply_bytes(client);
}

static void some_of_many_may_be_missing(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t ids[3] = {ID(VkPipelineBinaryKHR, 100), ID(VkPipelineBinaryKHR, 101),
                             ID(VkPipelineBinaryKHR, 102)};
    const uint32_t objects = fake_driver.objects;
    make_binaries(&r, NULL, 3);
    answered(client, &r, VK_SUCCESS);
    assert_int_equal(binaries_of(client)->pipelineBinaryCount, 3);
    assert_int_equal(fake_driver.objects, objects);

    /* Nothing that another server has made, or somebody else, reaches the driver. */
    const uint64_t others[3] = {ID(VkPipelineBinaryKHR, 110), ID(VkPipelineBinaryKHR, 111),
                                ID(VkPipelineBinaryKHR, 112)};
    make_binaries(&r, others, 3);
    uint8_t *text = memmem(r.bytes, r.size, "a bin", 5);
    assert_non_null(text);
    text[0]++;
    answered(client, &r, VK_ERROR_INITIALIZATION_FAILED);
    const uint64_t good[3] = {0, others[1], others[2]};
    assert_memory_equal(binaries_of(client) + 1, good, sizeof(good));
    assert_int_equal(fake_driver.objects, objects + 2);

    make_binaries(&r, ids, 3);
    fake_driver.missing = 1u << 1;
    answered(client, &r, VK_PIPELINE_BINARY_MISSING_KHR);
    const uint64_t made[3] = {ids[0], 0, ids[2]};
    assert_memory_equal(binaries_of(client) + 1, made, sizeof(made));
    assert_null(binaries_of(client)->pPipelineBinaries);
    assert_int_equal(fake_driver.objects, objects + 4);
    assert_int_equal(client_host_handle(client, ids[1]), 0);

    /* The id of what was not made may be given again, as another's, and those of others not. */
    fake_driver.missing = 0;
    make_binaries(&r, &ids[1], 1);
    answered(client, &r, VK_SUCCESS);
    for (int i = 0; i < 3; i++) {
        assert_int_not_equal(client_host_handle(client, ids[i]), 0);
        make_binaries(&r, &ids[i], 1);
        refused(client, &r);
    }
    const uint64_t twice[2] = {ID(VkPipelineBinaryKHR, 103), ID(VkPipelineBinaryKHR, 103)};
    make_binaries(&r, twice, 2);
    refused(client, &r);
}

static void some_of_many_may_fail(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t ids[2] = {ID(VkPipelineBinaryKHR, 100), ID(VkPipelineBinaryKHR, 101)};
    make_binaries(&r, ids, 2);
    fake_driver.missing = 1;
    fake_driver.missing_result = VK_ERROR_INITIALIZATION_FAILED;
    answered(client, &r, VK_ERROR_INITIALIZATION_FAILED);
    const uint64_t made[2] = {0, ids[1]};
    assert_memory_equal(binaries_of(client) + 1, made, sizeof(made));
    assert_int_not_equal(client_host_handle(client, ids[1]), 0);
    assert_false(client_is_lost(client));
}

static void poisoned_objects_are_told_of_or_lose_the_device(void **state)
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
    assert_false(client_is_lost(client));
    /* To destroy it is no use of it. */
    make_destroy_buffer(&r, DEVICE, id);
    accepted(client, &r);
    assert_false(client_is_lost(client));
    refused(client, &r);

    /* A client that waits for an answer hears of it. */
    make_requirements(&r, DEVICE, other);
    answered(client, &r, 0);
    for (int i = 16; i < 40; i++)
        assert_int_equal(client_reply_bytes(client)[i], 0);
    const uint64_t pool = ID(VkDescriptorPool, 112), sets[1] = {ID(VkDescriptorSet, 113)};
    fake_driver.next_result = VK_ERROR_OUT_OF_HOST_MEMORY;
    make_pool(&r, pool);
    accepted(client, &r);
    make_layout(&r, LAYOUT);
    accepted(client, &r);
    make_sets(&r, pool, LAYOUT, sets, 1);
    answered(client, &r, VK_ERROR_OUT_OF_DEVICE_MEMORY);
    assert_int_equal(client_host_handle(client, sets[0]), 0);
    /* One that does not may make something of it, which is as poisoned. */
    const uint64_t commands = ID(VkCommandPool, 114), recorded = ID(VkCommandBuffer, 115);
    fake_driver.next_result = VK_ERROR_OUT_OF_HOST_MEMORY;
    make_command_pool(&r, commands);
    accepted(client, &r);
    make_command_buffer(&r, commands, recorded);
    accepted(client, &r);
    assert_int_equal(client_host_handle(client, recorded), 0);
    assert_false(client_is_lost(client));

    const uint32_t event = atomic_load(&client->completion->event);
    const uint64_t none = 0;
    make_free_sets(&r, pool, &none, 1);
    accepted(client, &r);
    assert_true(client_is_lost(client));
    assert_int_not_equal(atomic_load(&client->completion->event), event);
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
    assert_true(client_is_lost(client));
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

/* A stage that brings its code itself may say how that is called, which is no handle. */
static void unknown_objects_may_be_named_on_the_way(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t id = ID(VkPipeline, 130);
    const struct vd_args_vkCreateComputePipelines args = {
        .device = HANDLE(VkDevice, DEVICE),
        .createInfoCount = 1,
    };
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT},
    };
    const VkDebugUtilsObjectNameInfoEXT name = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT,
        .objectType = VK_OBJECT_TYPE_SHADER_MODULE,
    };
    record_begin(&r, VD_OP_vkCreateComputePipelines, &args, sizeof(args), true);
    const uint32_t stage =
        record_put_back(&r, ARG(&r, struct vd_args_vkCreateComputePipelines, pCreateInfos), &info,
                        sizeof(info)) +
        (uint32_t)offsetof(VkComputePipelineCreateInfo, stage);
    record_put(&r, stage + (uint32_t)offsetof(VkPipelineShaderStageCreateInfo, pName), "main", 5);
    const uint32_t named =
        record_put(&r, stage + (uint32_t)offsetof(VkPipelineShaderStageCreateInfo, pNext), &name,
                   sizeof(name));
    record_put(&r, named + (uint32_t)offsetof(VkDebugUtilsObjectNameInfoEXT, pObjectName), "name",
               5);
    record_put_back(&r, ARG(&r, struct vd_args_vkCreateComputePipelines, pPipelines), &id, 8);
    answered(client, &r, VK_SUCCESS);
    assert_int_not_equal(client_host_handle(client, id), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(instances_come_and_go, connect_client),
        TEST(what_is_left_behind_is_destroyed, open_device),
        TEST(an_instance_ends_after_its_devices, open_device),
        cmocka_unit_test_setup_teardown(late_objects_are_not_for_the_next_device, open_device,
                                        disconnect_left_behind),
        TEST(physical_devices_are_described, open_device),
        TEST(devices_get_timeline_semaphores, open_device),
        TEST(devices_know_of_presentation, open_device),
        TEST(queues_need_a_free_slot, open_device),
        TEST(handles_are_checked, open_device),
        TEST(ids_are_given_once, open_device),
        TEST(freed_ids_are_stale, open_device),
        TEST(pools_own_their_children, open_device),
        TEST(creations_are_told, open_device),
        TEST(some_of_many_may_be_missing, open_device),
        TEST(some_of_many_may_fail, open_device),
        TEST(poisoned_objects_are_told_of_or_lose_the_device, open_device),
        TEST(failures_that_nobody_hears_of_lose_the_device, open_device),
        TEST(names_are_passed_on, open_device),
        TEST(unknown_objects_may_be_named_on_the_way, open_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
