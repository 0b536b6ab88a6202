/* SPDX-License-Identifier: MIT
 *
 * Packed updates of descriptor sets.
 */
#include "fixture.h"

#include "protocol/descriptor.h"

#define SET       ID(VkDescriptorSet, 40)
#define OTHER_SET ID(VkDescriptorSet, 41)

static int open_sets(void **state)
{
    struct test_record r;
    const uint64_t sets[] = {SET, OTHER_SET};
    if (open_device(state) != 0)
        return -1;
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
    for (int i = 0; i < 100; i++)
        add_update(&r, &good_write, sizeof(good_write));
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
    assert_false(client_is_lost(client));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(descriptors_are_updated, open_sets),
        TEST(bad_updates_are_refused, open_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
