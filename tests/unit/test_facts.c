/* SPDX-License-Identifier: MIT
 *
 * The generated table of what both ends know about types of objects.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "names.h"
#include "objects.h"

static void every_type_has_a_row(void **state)
{
    (void)state;
    for (uint32_t i = 1; i < VD_TYPE_COUNT; i++) {
        const struct vd_object_facts *facts = &vd_objects[i];
        assert_int_not_equal(vd_type_name(i)[0], '?');
        if (facts->object_type == VK_OBJECT_TYPE_UNKNOWN) {
            assert_false(facts->crosses); /* another platform's, or a newer registry's */
            continue;
        }
        assert_int_equal(vd_type_of_object(facts->object_type), i);
        if (facts->report_type)
            assert_int_equal(vd_type_of_report(facts->report_type), i);
        assert_true(facts->parent != VD_TYPE_NONE || i == VD_TYPE_VkInstance);
        if (facts->pool) {
            assert_int_equal(facts->pool, facts->parent);
            assert_int_equal(vd_objects[facts->pool].child, i);
        }
    }
    assert_int_equal(vd_type_of_object(VK_OBJECT_TYPE_UNKNOWN), VD_TYPE_NONE);
    assert_int_equal(vd_type_of_object((VkObjectType)12345), VD_TYPE_NONE);
    assert_int_equal(vd_type_of_report(VK_DEBUG_REPORT_OBJECT_TYPE_UNKNOWN_EXT), VD_TYPE_NONE);
    assert_false(vd_objects[VD_TYPE_NONE].crosses);
}

static void some_facts_are_known(void **state)
{
    (void)state;
    assert_int_equal(vd_objects[VD_TYPE_VkDescriptorSet].pool, VD_TYPE_VkDescriptorPool);
    assert_int_equal(vd_objects[VD_TYPE_VkCommandPool].child, VD_TYPE_VkCommandBuffer);
    assert_int_equal(vd_objects[VD_TYPE_VkDeviceMemory].ender, VD_OP_vkFreeMemory);
    assert_int_equal(vd_objects[VD_TYPE_VkQueue].ender, VD_OP_NOP);
    assert_int_equal(vd_objects[VD_TYPE_VkDisplayModeKHR].parent, VD_TYPE_VkDisplayKHR);
    const uint32_t dispatchable[] = {VD_TYPE_VkInstance, VD_TYPE_VkPhysicalDevice, VD_TYPE_VkDevice,
                                     VD_TYPE_VkQueue, VD_TYPE_VkCommandBuffer};
    uint32_t known = 5, count = 0;
#ifdef VK_NV_external_compute_queue
    known++; /* VkExternalComputeQueueNV, of an extension that is withheld */
#endif
    for (uint32_t i = 0; i < VD_TYPE_COUNT; i++)
        count += vd_objects[i].dispatchable;
    assert_int_equal(count, known);
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(vd_objects[dispatchable[i]].dispatchable);
        assert_true(vd_objects[dispatchable[i]].crosses);
    }
    assert_false(vd_objects[VD_TYPE_VkInstance].of_device);
    assert_false(vd_objects[VD_TYPE_VkPhysicalDevice].of_device);
    assert_true(vd_objects[VD_TYPE_VkDevice].of_device);
    assert_true(vd_objects[VD_TYPE_VkQueue].of_device);
    assert_true(vd_objects[VD_TYPE_VkCommandBuffer].of_device);
    assert_true(vd_objects[VD_TYPE_VkDescriptorSet].of_device);
    assert_true(vd_objects[VD_TYPE_VkFence].of_device);
    assert_true(vd_objects[VD_TYPE_VkPrivateDataSlot].of_device);
    assert_false(vd_objects[VD_TYPE_VkSurfaceKHR].of_device);
    const uint32_t of_client[] = {VD_TYPE_VkFence,
                                  VD_TYPE_VkSurfaceKHR,
                                  VD_TYPE_VkSwapchainKHR,
                                  VD_TYPE_VkDisplayKHR,
                                  VD_TYPE_VkDisplayModeKHR,
                                  VD_TYPE_VkPrivateDataSlot,
                                  VD_TYPE_VkDescriptorUpdateTemplate,
                                  VD_TYPE_VkDebugUtilsMessengerEXT,
                                  VD_TYPE_VkDebugReportCallbackEXT,
                                  VD_TYPE_VkDeferredOperationKHR};
    for (uint32_t i = 0; i < sizeof(of_client) / sizeof(of_client[0]); i++)
        assert_false(vd_objects[of_client[i]].crosses);
    assert_true(vd_objects[VD_TYPE_VkImage].crosses);
    assert_true(vd_objects[VD_TYPE_VkPipelineBinaryKHR].crosses);
    assert_int_equal(vd_type_of_report(VK_DEBUG_REPORT_OBJECT_TYPE_DISPLAY_MODE_KHR_EXT),
                     VD_TYPE_VkDisplayModeKHR);
    assert_int_equal(vd_type_of_report(VK_DEBUG_REPORT_OBJECT_TYPE_VALIDATION_CACHE_EXT_EXT),
                     VD_TYPE_VkValidationCacheEXT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_a_row),
        cmocka_unit_test(some_facts_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
