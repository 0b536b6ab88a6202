/* SPDX-License-Identifier: MIT
 *
 * What the client makes of a server that knows other things than itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "extensions.h"
#include "icd/peer.h"
#include "icd/transport.h"
#include "names.h"
#include "opcodes.h"

static struct vd_capset capset;

static void know_command(uint32_t opcode)
{
    capset.opcodes[opcode / 8] |= (uint8_t)(1u << opcode % 8);
}

static int prepare(void **state)
{
    (void)state;
    memset(&capset, 0, sizeof(capset));
    return 0;
}

static void commands_that_the_server_knows(void **state)
{
    (void)state;
    struct vdc_peer peer;
    know_command(VD_OP_vkCmdDraw);
    assert_true(vdc_peer_init(&peer, &capset));
    assert_true(vdc_peer_knows_command(&peer, VD_OP_vkCmdDraw));
    assert_false(vdc_peer_knows_command(&peer, VD_OP_vkCmdDraw + 1));
    assert_false(vdc_peer_knows_command(&peer, VD_OP_vkCmdDraw - 1));
    assert_false(vdc_peer_knows_command(&peer, VD_CAPSET_OPCODES + VD_OP_vkCmdDraw));
    assert_true(vdc_peer_knows_command(&peer, 0)); /* never crosses */
    vdc_peer_finish(&peer);
}

static void members_that_the_server_may_not_have_set(void **state)
{
    (void)state;
    struct vdc_peer peer;
    const struct vd_physical_device_data data = {.file_types = 5};
    assert_true(vdc_peer_init(&peer, &capset));
    assert_int_equal(vdc_peer_file_types(&peer, &data), 0);
    know_command(VD_OP_GET_MEMORY_FILE);
    assert_int_equal(vdc_peer_file_types(&peer, &data), 5);
    vdc_peer_finish(&peer);
}

static void structs_that_the_server_does_not_know(void **state)
{
    (void)state;
    struct vdc_peer peer;
    /* All but one, and one that we do not know. */
    const size_t missing = vd_stype_count / 2;
    for (size_t i = 0; i < vd_stype_count; i++)
        if (i != missing)
            capset.stypes[capset.stype_count++] = (uint32_t)vd_stypes[i];
    capset.stypes[capset.stype_count++] = 0x7ffffff0;
    assert_true(vdc_capset_is_valid(&capset));
    assert_true(vdc_peer_init(&peer, &capset));
    for (size_t i = 0; i < vd_stype_count; i++)
        assert_int_equal(vdc_peer_knows_struct(&peer, vd_stypes[i]), i != missing);
    vdc_peer_finish(&peer);
}

static void extensions_that_the_server_knows(void **state)
{
    (void)state;
    struct vdc_peer peer;
    static const char names[] = "VK_KHR_first\0VK_EXT_second";
    memcpy(capset.extensions, names, sizeof(names));
    capset.extensions_size = sizeof(names);
    assert_true(vdc_peer_init(&peer, &capset));
    assert_true(vdc_peer_knows_extension(&peer, "VK_KHR_first"));
    assert_true(vdc_peer_knows_extension(&peer, "VK_EXT_second"));
    assert_false(vdc_peer_knows_extension(&peer, "VK_EXT_sec"));
    assert_false(vdc_peer_knows_extension(&peer, ""));
    vdc_peer_finish(&peer);
}

static void capsets_without_sense(void **state)
{
    (void)state;
    assert_true(vdc_capset_is_valid(&capset));
    capset.stype_count = VD_CAPSET_STYPES + 1;
    assert_false(vdc_capset_is_valid(&capset));
    capset.stype_count = 2;
    capset.stypes[0] = capset.stypes[1] = 5; /* must grow */
    assert_false(vdc_capset_is_valid(&capset));
    capset.stypes[1] = 6;
    assert_true(vdc_capset_is_valid(&capset));
    capset.extensions_size = sizeof(capset.extensions) + 1;
    assert_false(vdc_capset_is_valid(&capset));
    capset.extensions_size = 4;
    memcpy(capset.extensions, "abcd", 4); /* no end */
    assert_false(vdc_capset_is_valid(&capset));
}

/* Ray tracing pipelines need acceleration structures, which need deferred operations. */
static void extensions_come_with_what_they_depend_on(void **state)
{
    (void)state;
    bool set[VD_EXT_COUNT] = {0};
    const int all[] = {VD_EXT_KHR_ray_tracing_pipeline, VD_EXT_KHR_acceleration_structure,
                       VD_EXT_KHR_deferred_host_operations};
    for (int i = 0; i < 3; i++)
        set[all[i]] = true;
    vd_extensions_close(set, VK_API_VERSION_1_4);
    assert_true(set[all[0]] && set[all[1]] && set[all[2]]);
    set[all[2]] = false;
    vd_extensions_close(set, VK_API_VERSION_1_4);
    assert_false(set[all[0]] || set[all[1]] || set[all[2]]);
    /* The loader offers what VK_EXT_debug_marker depends on. */
    assert_int_equal(vd_extensions[VD_EXT_EXT_debug_report].way, VD_EXTENSION_LOADER);
    /* A version stands for what was promoted to it. */
    set[VD_EXT_KHR_timeline_semaphore] = true;
    vd_extensions_close(set, VK_API_VERSION_1_1);
    assert_true(set[VD_EXT_KHR_timeline_semaphore]);
    vd_extensions_close(set, VK_API_VERSION_1_0);
    assert_false(set[VD_EXT_KHR_timeline_semaphore]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(commands_that_the_server_knows, prepare),
        cmocka_unit_test_setup(members_that_the_server_may_not_have_set, prepare),
        cmocka_unit_test_setup(structs_that_the_server_does_not_know, prepare),
        cmocka_unit_test_setup(extensions_that_the_server_knows, prepare),
        cmocka_unit_test_setup(capsets_without_sense, prepare),
        cmocka_unit_test(extensions_come_with_what_they_depend_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
