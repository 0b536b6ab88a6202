/* SPDX-License-Identifier: MIT
 *
 * The seals of binaries that clients keep for the driver.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/seal.h"

#define SIZE 100u

static uint8_t bytes[SIZE + VDS_SEAL_SIZE];

static struct vds_sealed_data sealed(const char *label)
{
    for (unsigned i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)i;
    struct vds_sealed_data binary = {
        .kind = VDS_SEALED_PIPELINE_BINARY,
        .label = label,
        .label_size = strlen(label),
        .data = bytes,
        .size = SIZE,
    };
    assert_true(vds_seal(&binary, bytes + SIZE));
    binary.size = sizeof(bytes);
    return binary;
}

static void what_was_sealed_holds(void **state)
{
    (void)state;
    const struct vds_sealed_data binary = sealed("key");
    assert_true(vds_seal_holds(&binary));
}

static void every_change_shows(void **state)
{
    (void)state;
    struct vds_sealed_data binary = sealed("key");
    for (unsigned bit = 0; bit < 8 * sizeof(bytes); bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(vds_seal_holds(&binary));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (binary.size = 0; binary.size < sizeof(bytes); binary.size++)
        assert_false(vds_seal_holds(&binary));
    assert_true(vds_seal_holds(&binary));
    binary.kind = VDS_SEALED_SHADER_BINARY;
    assert_false(vds_seal_holds(&binary));
    binary.kind = VDS_SEALED_PIPELINE_BINARY;
    binary.label = "kez";
    assert_false(vds_seal_holds(&binary));
}

static void another_server_has_another_key(void **state)
{
    (void)state;
    const struct vds_sealed_data binary = sealed("key");
    uint8_t ours[VDS_SEAL_KEY_SIZE], theirs[VDS_SEAL_KEY_SIZE];
    assert_true(vds_seal_get_key(ours));
    memcpy(theirs, ours, sizeof(ours));
    theirs[31] ^= 1;
    vds_seal_set_key(theirs);
    assert_false(vds_seal_holds(&binary));
    vds_seal_set_key(ours);
    assert_true(vds_seal_holds(&binary));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_holds),
        cmocka_unit_test(every_change_shows),
        cmocka_unit_test(another_server_has_another_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
