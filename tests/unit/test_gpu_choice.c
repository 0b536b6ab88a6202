/* SPDX-License-Identifier: MIT
 *
 * What --gpu means.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/gpu_choice.h"

static const struct vds_gpu_identity card = {
    .number = 1,
    .name = "NVIDIA H100 80GB HBM3",
    .uuid = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0, 0, 0, 0, 0, 0, 0, 0x42},
    .on_pci = true,
    .domain = 0x10000,
    .bus = 0xc1,
    .device = 0x1f,
    .function = 2,
};

static void each_way_to_call_a_gpu(void **state)
{
    (void)state;
    static const char *const right[] = {
        NULL,
        "1",
        "01",
        "H100",
        "nvidia h100",
        "10000:c1:1f.2",
        "10000:C1:1F.2",
        "0123456789abcdef0000000000000042",
        "01234567-89AB-CDEF-0000-000000000042",
    };
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        assert_true(vds_gpu_is_wanted(right[i], &card));
}

static void other_gpus_are_not_meant(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "0",
        "11",
        "100",
        "18446744073709551617",
        "H200",
        "0000:c1:1f.2",
        "c1:1f.2",
        "10000:c1:1f.3",
        "0123456789abcdef0000000000000043",
        "0123456789abcdef00000000000000421",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(vds_gpu_is_wanted(wrong[i], &card));
}

static void a_short_address_is_of_domain_0(void **state)
{
    (void)state;
    struct vds_gpu_identity other = card;
    other.domain = 0;
    assert_true(vds_gpu_is_wanted("c1:1f.2", &other));
    assert_true(vds_gpu_is_wanted("0000:c1:1f.2", &other));
    other.on_pci = false;
    assert_false(vds_gpu_is_wanted("c1:1f.2", &other));
}

static void make_folder(const char *folder, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_return_code(mkdir(path, 0700), errno);
}

/* In a folder as /sys/class/drm: links to where the devices are. */
static void only_an_address_tells_of_a_node(void **state)
{
    (void)state;
    char folder[] = "/tmp/viaduct-drm-XXXXXX", path[128];
    assert_non_null(mkdtemp(folder));
    static const char *const folders[] = {
        "pci0000:c0",
        "pci0000:c0/0000:c1:1f.2",
        "pci0000:c0/0000:03:00.0",
        "pci0000:c0/0000:03:00.0/virtio0",
        "soc",
        "soc/gpu",
        "renderD128",
        "renderD129",
        "renderD130",
    };
    const size_t count = sizeof(folders) / sizeof(folders[0]);
    for (size_t i = 0; i < count; i++)
        make_folder(folder, folders[i]);
    static const char *const links[][2] = {
        {"renderD128", "../pci0000:c0/0000:c1:1f.2"},
        {"renderD129", "../pci0000:c0/0000:03:00.0/virtio0"},
        {"renderD130", "../soc/gpu"},
    };
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s/device", folder, links[i][0]);
        assert_return_code(symlink(links[i][1], path), errno);
    }
    assert_true(vds_gpu_may_be_node("c1:1f.2", folder, "renderD128"));
    assert_true(vds_gpu_may_be_node("0000:C1:1F.2", folder, "renderD128"));
    assert_false(vds_gpu_may_be_node("c1:1f.2", folder, "renderD129"));
    assert_true(vds_gpu_may_be_node("03:00.0", folder, "renderD129"));
    assert_false(vds_gpu_may_be_node("c1:1f.2", folder, "renderD130"));
    assert_false(vds_gpu_may_be_node("c1:1f.2", folder, "renderD131"));
    static const char *const others[] = {NULL, "0", "H100", "0123456789abcdef0000000000000042"};
    for (size_t i = 0; i < 4; i++)
        assert_true(vds_gpu_may_be_node(others[i], folder, "renderD129"));
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s/device", folder, links[i][0]);
        unlink(path);
    }
    for (size_t i = count; i-- > 0;) {
        snprintf(path, sizeof(path), "%s/%s", folder, folders[i]);
        rmdir(path);
    }
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_to_call_a_gpu),
        cmocka_unit_test(other_gpus_are_not_meant),
        cmocka_unit_test(a_short_address_is_of_domain_0),
        cmocka_unit_test(only_an_address_tells_of_a_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
