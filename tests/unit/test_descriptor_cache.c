/* SPDX-License-Identifier: MIT
 *
 * Descriptors that are kept: the right ones, no more than there is room for, and whole ones whatever
 * other threads do; and ids, which they are found by and which must not come again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <pthread.h>

#include <cmocka.h>

#include "icd/descriptor_cache.h"
#include "icd/object.h"
#include "opcodes.h"

#define SIZE    60 /* no multiple of eight */
#define MANY    1000000
#define FEW     2000
#define READERS 3
#define WRITES  50000

static struct vdc_descriptor_cache cache;

static int begin(void **state)
{
    (void)state;
    vdc_descriptor_cache_init(&cache);
    return 0;
}

static int end(void **state)
{
    (void)state;
    vdc_descriptor_cache_finish(&cache);
    return 0;
}

static struct vdc_descriptor_key key_of(uint64_t number)
{
    return (struct vdc_descriptor_key){{SIZE, number, 256, 0, vdc_descriptor_cache_life(&cache)}};
}

/* Bytes of a key; those at the end are zero for every second one. */
static void pattern(uint64_t number, uint8_t *bytes)
{
    memset(bytes, 0, SIZE);
    for (size_t i = 0; i < (number & 1 ? SIZE : SIZE / 2 - 3); i++)
        bytes[i] = (uint8_t)(number * 31 + i + 1);
}

static void put(uint64_t number)
{
    uint8_t bytes[SIZE];
    const struct vdc_descriptor_key key = key_of(number);
    pattern(number, bytes);
    vdc_descriptor_cache_put(&cache, &key, bytes, SIZE, SIZE + 4);
}

/* Whether it is known; if so, it is right. */
static bool get(uint64_t number)
{
    uint8_t bytes[SIZE + 1], wanted[SIZE];
    const struct vdc_descriptor_key key = key_of(number);
    memset(bytes, 0xee, sizeof(bytes));
    if (!vdc_descriptor_cache_get(&cache, &key, bytes, SIZE))
        return false;
    pattern(number, wanted);
    assert_memory_equal(bytes, wanted, SIZE);
    assert_int_equal(bytes[SIZE], 0xee);
    return true;
}

static void what_was_put_is_found(void **state)
{
    (void)state;
    assert_false(get(1));
    for (uint64_t i = 1; i <= FEW; i++)
        put(i << 8);
    for (uint64_t i = 1; i <= FEW; i++)
        assert_true(get(i << 8));
    assert_false(get(1));
    /* Each word of the key counts. */
    for (size_t i = 0; i < 5; i++) {
        struct vdc_descriptor_key key = key_of(1 << 8);
        uint8_t bytes[SIZE];
        key.words[i] ^= 1;
        assert_false(vdc_descriptor_cache_get(&cache, &key, bytes, SIZE));
    }
}

static void addresses_have_lives(void **state)
{
    (void)state;
    put(1);
    assert_true(get(1));
    vdc_descriptor_cache_end_life(&cache);
    assert_false(get(1));
    put(1);
    assert_true(get(1));
}

static void too_large_is_not_kept(void **state)
{
    (void)state;
    uint8_t bytes[SIZE + 16] = {1};
    const struct vdc_descriptor_key key = key_of(1);
    put(2);
    vdc_descriptor_cache_put(&cache, &key, bytes, sizeof(bytes), sizeof(bytes));
    assert_false(vdc_descriptor_cache_get(&cache, &key, bytes, sizeof(bytes)));
}

/* The newest stay, nearly all of them: a set of the index may overflow. */
static void many_are_bounded(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < MANY; i++)
        put(i << 8);
    uint32_t known = 0, newest = 0;
    for (uint64_t i = 0; i < MANY; i++) {
        const bool found = get(i << 8);
        known += found;
        newest += found && i >= MANY - FEW;
    }
    assert_in_range(known, 50000, 16 << 20 >> 6);
    assert_in_range(newest, FEW - FEW / 50, FEW);
}

/* Large ones, of which few have room: each is soon written over, and that takes long. */
#define LARGE 16384
#define ROOM  ((16 << 20) / LARGE)

static _Atomic uint64_t newest;
static _Atomic uint32_t found, torn;

static void large_pattern(uint64_t number, uint64_t *words)
{
    for (size_t i = 0; i < LARGE / 8; i++)
        words[i] = number;
}

/* Looks for those that are about to be written over. */
static void *read_oldest(void *data)
{
    uint64_t words[LARGE / 8];
    (void)data;
    for (uint64_t last; (last = atomic_load(&newest)) < WRITES;) {
        for (uint64_t i = 0; i < 20 && i + ROOM < last; i++) {
            const uint64_t number = last - ROOM + i;
            const struct vdc_descriptor_key key = key_of(number);
            if (!vdc_descriptor_cache_get(&cache, &key, words, LARGE))
                continue;
            atomic_fetch_add(&found, 1);
            for (size_t j = 0; j < LARGE / 8; j++)
                if (words[j] != number)
                    atomic_fetch_add(&torn, 1);
        }
    }
    return NULL;
}

static void readers_see_whole_ones(void **state)
{
    (void)state;
    uint64_t words[LARGE / 8];
    pthread_t readers[READERS];
    atomic_store(&newest, 0);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_oldest, NULL), 0);
    for (uint64_t i = 1; i <= WRITES; i++) {
        const struct vdc_descriptor_key key = key_of(i);
        large_pattern(i, words);
        vdc_descriptor_cache_put(&cache, &key, words, LARGE, LARGE);
        atomic_store(&newest, i);
    }
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_not_equal(atomic_load(&found), 0);
    assert_int_equal(atomic_load(&torn), 0);
}

/* As many objects as one index has generations, one after another. */
static void ids_do_not_come_again(void **state)
{
    (void)state;
    struct vdc_ids *ids = vdc_ids_create();
    const uint64_t first = vdc_ids_new(ids, VD_TYPE_VkSampler, 0);
    vdc_ids_free(ids, &first, 1);
    for (uint32_t i = 0; i < VD_ID_GENERATION_MAX + 2; i++) {
        const uint64_t id = vdc_ids_new(ids, VD_TYPE_VkSampler, 0);
        if (id == first || !id)
            fail_msg("id %#jx after %u others", (uintmax_t)id, i);
        vdc_ids_free(ids, &id, 1);
    }
    vdc_ids_destroy(ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_is_found, begin, end),
        cmocka_unit_test_setup_teardown(addresses_have_lives, begin, end),
        cmocka_unit_test_setup_teardown(too_large_is_not_kept, begin, end),
        cmocka_unit_test_setup_teardown(many_are_bounded, begin, end),
        cmocka_unit_test_setup_teardown(readers_see_whole_ones, begin, end),
        cmocka_unit_test(ids_do_not_come_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
