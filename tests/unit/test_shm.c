/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/shm.h"

#define PAGE 4096

static int set_up(void **state)
{
    *state = vds_shm_table_create();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    vds_shm_table_destroy(*state);
    return 0;
}

static uint32_t add(struct vds_shm_table *table, uint64_t size)
{
    int fd = -1;
    const uint32_t id = vds_shm_add(table, size, &fd);
    assert_int_not_equal(id, 0);
    assert_true(fd >= 0);
    close(fd);
    return id;
}

static void memory_is_zeroed_shared_and_sealed(void **state)
{
    struct vds_shm_table *table = *state;
    int fd = -1;
    const uint32_t id = vds_shm_add(table, PAGE + 1, &fd);
    assert_int_not_equal(id, 0);

    struct vds_shm_region *region = vds_shm_get(table, id, 0, 2 * PAGE);
    assert_non_null(region);
    assert_int_equal(region->id, id);
    assert_int_equal(region->size, 2 * PAGE);
    for (int i = 0; i < 2 * PAGE; i++)
        assert_int_equal(region->map[i], 0);
    uint8_t *map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    map[PAGE] = 42;
    assert_int_equal(region->map[PAGE], 42);
    munmap(map, 2 * PAGE);
    vds_shm_put(table, region);

    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, 4 * PAGE), -1);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(fd);
}

static void bounds_are_checked(void **state)
{
    struct vds_shm_table *table = *state;
    const uint32_t id = add(table, PAGE);
    static const struct {
        uint64_t offset, size;
        bool valid;
    } cases[] = {
        {0, 0, true},
        {0, PAGE, true},
        {PAGE, 0, true},
        {PAGE - 8, 8, true},
        {0, PAGE + 1, false},
        {1, PAGE, false},
        {PAGE + 1, 0, false},
        {PAGE, 1, false},
        {UINT64_MAX, 1, false},
        {UINT64_MAX, UINT64_MAX, false},
        {8, UINT64_MAX - 7, false},
        {UINT64_MAX - 7, 16, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vds_shm_region *region = vds_shm_get(table, id, cases[i].offset, cases[i].size);
        assert_int_equal(region != NULL, cases[i].valid);
        vds_shm_put(table, region);
    }
}

static void unknown_ids_are_refused(void **state)
{
    struct vds_shm_table *table = *state;
    static const uint32_t ids[] = {0, 1, 2, 63, 64, 1u << 24, UINT32_MAX};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        assert_null(vds_shm_get(table, ids[i], 0, 0));
        assert_false(vds_shm_remove(table, ids[i]));
    }
    const uint32_t id = add(table, PAGE);
    assert_null(vds_shm_get(table, id + 1, 0, 0));
    assert_true(vds_shm_remove(table, id));
    assert_false(vds_shm_remove(table, id));
    assert_null(vds_shm_get(table, id, 0, 0));
}

static void impossible_sizes_are_refused(void **state)
{
    struct vds_shm_table *table = *state;
    static const uint64_t sizes[] = {0, (UINT64_C(1) << 40) + 1, UINT64_C(1) << 63, UINT64_MAX};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int fd = -1;
        assert_int_equal(vds_shm_add(table, sizes[i], &fd), 0);
        assert_int_not_equal(errno, 0);
        assert_int_equal(fd, -1);
    }
}

static void a_reference_outlives_removal(void **state)
{
    struct vds_shm_table *table = *state;
    const uint32_t id = add(table, PAGE);
    struct vds_shm_region *region = vds_shm_get(table, id, 0, PAGE);
    assert_non_null(region);
    assert_true(vds_shm_remove(table, id));
    region->map[0] = 1;

    const uint32_t other = add(table, PAGE);
    struct vds_shm_region *successor = vds_shm_get(table, other, 0, PAGE);
    assert_ptr_not_equal(successor, region);
    assert_int_equal(successor->map[0], 0);
    vds_shm_put(table, successor);
    vds_shm_put(table, region);
}

static int memory_file(uint64_t size, int seals)
{
    const int fd = memfd_create("given", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void files_become_shared_memory(void **state)
{
    struct vds_shm_table *table = *state;
    const int fd = memory_file(2 * PAGE, F_SEAL_SHRINK);
    const uint32_t id = vds_shm_add_file(table, fd, 0, 2 * PAGE);
    assert_int_not_equal(id, 0);
    struct vds_shm_region *region = vds_shm_get(table, id, PAGE, PAGE);
    assert_non_null(region);
    assert_null(vds_shm_get(table, id, PAGE, PAGE + 1));
    assert_int_equal(pwrite(fd, "x", 1, PAGE), 1);
    assert_int_equal(region->map[PAGE], 'x');
    close(fd);
    assert_true(vds_shm_remove(table, id));
    assert_int_equal(region->map[PAGE], 'x');
    vds_shm_put(table, region);
}

static void parts_of_files_become_shared_memory(void **state)
{
    struct vds_shm_table *table = *state;
    const uint64_t far = UINT64_C(1) << 46;
    const int fd = memory_file(2 * far, F_SEAL_SHRINK);
    const uint32_t id = vds_shm_add_file(table, fd, far, 2 * PAGE);
    assert_int_not_equal(id, 0);
    struct vds_shm_region *region = vds_shm_get(table, id, 0, 2 * PAGE);
    assert_non_null(region);
    assert_int_equal(pwrite(fd, "x", 1, (off_t)(far + PAGE)), 1);
    assert_int_equal(region->map[PAGE], 'x');
    assert_null(vds_shm_get(table, id, 0, 2 * PAGE + 1));
    vds_shm_put(table, region);
    assert_int_equal(vds_shm_add_file(table, fd, 2 * far, PAGE), 0);
    assert_int_equal(vds_shm_add_file(table, fd, 2 * far - PAGE, 2 * PAGE), 0);
    assert_int_equal(vds_shm_add_file(table, fd, far, 0), 0);
    assert_int_equal(vds_shm_add_file(table, fd, far + 8, PAGE), 0);
    assert_int_equal(vds_shm_add_file(table, fd, far, PAGE + 8), 0);
    assert_int_equal(vds_shm_add_file(table, fd, UINT64_MAX - PAGE + 1, PAGE), 0);
    assert_int_equal(vds_shm_add_file(table, fd, PAGE, UINT64_MAX - PAGE + 1), 0);
    close(fd);
}

static void refuse_file(struct vds_shm_table *table, int fd)
{
    assert_true(fd >= 0);
    assert_int_equal(vds_shm_add_file(table, fd, 0, PAGE), 0);
    close(fd);
}

/* What could be taken away while it is mapped, and what cannot be mapped. */
static void other_files_do_not(void **state)
{
    struct vds_shm_table *table = *state;
    int ends[2];
    refuse_file(table, memory_file(PAGE, 0));
    refuse_file(table, memory_file(PAGE, F_SEAL_GROW | F_SEAL_SEAL));
    refuse_file(table, memory_file(PAGE, F_SEAL_SHRINK | F_SEAL_WRITE));
    refuse_file(table, memory_file(0, F_SEAL_SHRINK));
    refuse_file(table, memory_file(PAGE + 8, F_SEAL_SHRINK));
    refuse_file(table, open("/dev/zero", O_RDWR | O_CLOEXEC));
    refuse_file(table, open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    refuse_file(table, ends[0]);
    refuse_file(table, ends[1]);
    assert_int_equal(vds_shm_add_file(table, -1, 0, PAGE), 0);
}

static void many_regions(void **state)
{
    struct vds_shm_table *table = *state;
    uint32_t ids[500];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 500; i++) {
            ids[i] = add(table, PAGE);
            assert_true(ids[i] <= 500);
        }
        for (int i = 0; i < 500; i++)
            assert_true(vds_shm_remove(table, ids[i]));
    }
}

static void *reader(void *data)
{
    struct vds_shm_table *table = data;
    uint64_t found = 0;
    for (int i = 0; i < 20000; i++) {
        struct vds_shm_region *region = vds_shm_get(table, 1 + (uint32_t)i % 8, 0, 8);
        if (region) {
            found += ((volatile uint8_t *)region->map)[0] == 0;
            vds_shm_put(table, region);
        }
    }
    return found > 0 ? table : NULL;
}

static void threads_get_while_others_remove(void **state)
{
    struct vds_shm_table *table = *state;
    pthread_t threads[2];
    uint32_t ids[8];
    for (int i = 0; i < 8; i++)
        ids[i] = add(table, PAGE);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader, table), 0);
    for (int i = 0; i < 500; i++) {
        assert_true(vds_shm_remove(table, ids[i % 8]));
        ids[i % 8] = add(table, PAGE);
    }
    for (int i = 0; i < 2; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_non_null(result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(memory_is_zeroed_shared_and_sealed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bounds_are_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unknown_ids_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(impossible_sizes_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reference_outlives_removal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_become_shared_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parts_of_files_become_shared_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_files_do_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_regions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_get_while_others_remove, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
