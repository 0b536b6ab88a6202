/* SPDX-License-Identifier: MIT
 *
 * What a server says of its devices, and how it may lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "icd/physical_device_data.h"
#include "protocol/record.h"

#define HEAD sizeof(VD_WIRE(VkBaseOutStructure))

/* One device with an extension, a queue family, and a struct of each kind. */
struct answer {
    struct vd_physical_devices head;
    struct vd_physical_device_data data;
    VkExtensionProperties extension;
    uint32_t padding;
    VkQueueFamilyProperties family;
    struct vd_chain_entry feature;
    uint8_t features[sizeof(VD_WIRE(VkPhysicalDeviceVulkan12Features)) - HEAD];
    struct vd_chain_entry property;
    uint8_t properties[sizeof(VD_WIRE(VkPhysicalDeviceDriverProperties)) - HEAD];
};

#define AT(member) ((uint32_t)(offsetof(struct answer, member) - offsetof(struct answer, data)))

static struct answer honest(void)
{
    struct answer a;
    memset(&a, 0, sizeof(a));
    a.head = (struct vd_physical_devices){.count = 1, .size = sizeof(a)};
    a.data.size = (uint32_t)(sizeof(a) - sizeof(a.head));
    a.data.import_alignment = 4096;
    a.data.extension_count = 1;
    a.data.extensions = AT(extension);
    a.data.queue_family_count = 1;
    a.data.queue_families = AT(family);
    a.data.features = AT(feature);
    a.data.features_size = (uint32_t)(sizeof(a.feature) + sizeof(a.features));
    a.data.properties = AT(property);
    a.data.properties_size = (uint32_t)(sizeof(a.property) + sizeof(a.properties));
    a.data.memory.memoryTypeCount = 1;
    a.data.memory.memoryHeapCount = 1;
    a.feature = (struct vd_chain_entry){VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                                        sizeof(a.features)};
    a.property = (struct vd_chain_entry){VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES,
                                         sizeof(a.properties)};
    return a;
}

/* From exactly as many bytes, so that a sanitizer sees what reaches beyond them. */
static const char *check(const struct answer *a, size_t size, uint32_t *count)
{
    uint8_t *blob = malloc(size ? size : 1);
    memcpy(blob, a, size);
    const char *wrong = vdc_physical_devices_check(blob, size, count);
    free(blob);
    return wrong;
}

static void says(const struct answer *a, const char *expected)
{
    uint32_t count = 8;
    const char *wrong = check(a, sizeof(*a), &count);
    if (!expected)
        assert_null(wrong);
    else
        assert_string_equal(wrong ? wrong : "nothing", expected);
}

static void an_honest_answer_is_taken(void **state)
{
    (void)state;
    struct answer a = honest();
    uint32_t count = 8;
    assert_null(check(&a, sizeof(a), &count));
    assert_int_equal(count, 1);
    /* Structs of a newer server are skipped. */
    a.feature.type = 0x7ffffff0;
    says(&a, NULL);
    /* Of many devices as many as were asked for. */
    a.head.count = UINT32_MAX;
    count = 1;
    assert_null(check(&a, sizeof(a), &count));
    assert_int_equal(count, 1);
}

#define LIE(member, value, expected) \
    do {                             \
        struct answer a = honest();  \
        a.member = (value);          \
        says(&a, expected);          \
    } while (0)

static void lies_are_found(void **state)
{
    (void)state;
    LIE(head.count, 2, "the size of a device");
    LIE(head.size, sizeof(struct answer) + 8, "the size of it all");
    LIE(head.size, 4, "the size of it all");
    LIE(data.size, 0, "the size of a device");
    LIE(data.size, UINT32_MAX - 7, "the size of a device");
    LIE(data.size, honest().data.size - 4, "the size of a device");
    LIE(data.extension_count, UINT32_MAX, "extensions");
    LIE(data.extension_count, 100, "extensions");
    LIE(data.extensions, UINT32_MAX - 7, "extensions");
    LIE(data.extensions, AT(extension) + 4, "extensions");
    LIE(data.queue_family_count, UINT32_MAX, "queue families");
    LIE(data.queue_family_count, 60, "queue families");
    LIE(data.queue_families, UINT32_MAX - 7, "queue families");
    LIE(data.features, UINT32_MAX - 7, "features");
    LIE(data.features_size, UINT32_MAX, "features");
    LIE(data.features_size, 8, "features");
    LIE(feature.size, 200000, "features");
    LIE(feature.size, UINT32_MAX, "features");
    LIE(feature.size, sizeof(((struct answer *)0)->features) - 8, "features");
    LIE(data.properties, UINT32_MAX - 7, "properties");
    LIE(data.properties_size, UINT32_MAX, "properties");
    LIE(property.size, 200000, "properties");
    LIE(property.size, 0, "properties");
    LIE(data.memory.memoryTypeCount, 33, "memory types");
    LIE(data.memory.memoryHeapCount, 17, "memory types");
    LIE(data.memory.memoryTypes[0].heapIndex, 1, "memory types");
    LIE(data.import_alignment, 4097, "the alignment of imports");
    LIE(data.import_alignment, UINT32_C(1) << 31, "the alignment of imports");
    struct answer a = honest();
    memset(a.extension.extensionName, 'x', sizeof(a.extension.extensionName));
    says(&a, "the name of an extension");
    a = honest();
    memset(a.data.core_properties.deviceName, 'x', sizeof(a.data.core_properties.deviceName));
    says(&a, "its name");
}

static void no_part_of_an_answer_is_one(void **state)
{
    (void)state;
    const struct answer a = honest();
    for (size_t size = 0; size < sizeof(a); size++) {
        uint32_t count = 8;
        assert_non_null(check(&a, size, &count));
    }
}

/* The body of the first struct of a chain, as this machine has it. */
static const void *first(const struct answer *a, uint32_t chain, uint32_t size, size_t native)
{
    const uint8_t *at = (const uint8_t *)&a->data + chain;
    struct vd_chain_entry entry;
    memcpy(&entry, at, sizeof(entry));
    assert_int_equal(entry.size, native - sizeof(VkBaseOutStructure));
    assert_int_equal(size, sizeof(entry) + vd_align(entry.size));
    return at + sizeof(entry) - sizeof(VkBaseOutStructure);
}

static void structs_become_those_of_this_machine(void **state)
{
    (void)state;
    VD_WIRE(VkPhysicalDeviceVulkan12Features) features = {.subgroupBroadcastDynamicId = VK_TRUE};
    VD_WIRE(VkPhysicalDeviceDriverProperties)
    driver = {
        .driverID = VK_DRIVER_ID_MESA_LLVMPIPE,
        .driverInfo = "of a server",
        .conformanceVersion.patch = 7,
    };
    struct answer a = honest();
    memcpy(a.features, (uint8_t *)&features + HEAD, sizeof(a.features));
    memcpy(a.properties, (uint8_t *)&driver + HEAD, sizeof(a.properties));
    vdc_physical_device_localize(&a.data);
    const VkPhysicalDeviceVulkan12Features *f =
        first(&a, a.data.features, a.data.features_size, sizeof(*f));
    const VkPhysicalDeviceDriverProperties *d =
        first(&a, a.data.properties, a.data.properties_size, sizeof(*d));
    assert_int_equal(f->subgroupBroadcastDynamicId, VK_TRUE);
    assert_int_equal(d->driverID, VK_DRIVER_ID_MESA_LLVMPIPE);
    assert_string_equal(d->driverInfo, "of a server");
    assert_int_equal(d->conformanceVersion.patch, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_honest_answer_is_taken),
        cmocka_unit_test(lies_are_found),
        cmocka_unit_test(no_part_of_an_answer_is_one),
        cmocka_unit_test(structs_become_those_of_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
