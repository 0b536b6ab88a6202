/* SPDX-License-Identifier: MIT
 *
 * Files that memory of this process is mapped from.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/mapped_file.h"

#define PAGE UINT64_C(4096)

static int make_file(void)
{
    const int fd = memfd_create("mapped", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 64 * PAGE), 0);
    return fd;
}

static uint8_t *map(int fd, uint64_t offset, uint64_t size, int flags)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, (off_t)offset);
    assert_true(at != MAP_FAILED);
    return at;
}

static void a_place_in_a_file_is_found(void **state)
{
    (void)state;
    const int files[] = {make_file(), make_file(), make_file()};
    for (uint32_t i = 0; i < 3; i++) {
        /* Not next to each other in the file, so that they are mappings of their own. */
        uint8_t *first = map(files[i], (10 + i) * PAGE, 4 * PAGE, MAP_SHARED);
        uint8_t *second = map(files[i], 30 * PAGE, 2 * PAGE, MAP_SHARED);
        int file = -1;
        uint64_t offset = 0;
        assert_true(vds_mapped_file_find(first, 4 * PAGE, &file, &offset));
        assert_int_equal(file, files[i]);
        assert_int_equal(offset, (10 + i) * PAGE);
        assert_true(vds_mapped_file_find(first + 3 * PAGE, PAGE, &file, &offset));
        assert_int_equal(offset, (13 + i) * PAGE);
        assert_true(vds_mapped_file_find(second, 2 * PAGE, &file, &offset));
        assert_int_equal(file, files[i]);
        assert_int_equal(offset, 30 * PAGE);
        munmap(first, 4 * PAGE);
        munmap(second, 2 * PAGE);
    }
    for (uint32_t i = 0; i < 3; i++)
        close(files[i]);
}

/* Each time the list of mappings is another one. */
static void what_is_mapped_meanwhile_is_found(void **state)
{
    (void)state;
    uint8_t *maps[32];
    const int fd = make_file();
    for (uint32_t i = 0; i < 32; i++) {
        int file;
        uint64_t offset;
        maps[i] = map(fd, 2 * i * PAGE, PAGE, MAP_SHARED);
        assert_true(vds_mapped_file_find(maps[i], PAGE, &file, &offset));
        assert_int_equal(file, fd);
        assert_int_equal(offset, 2 * i * PAGE);
    }
    for (uint32_t i = 0; i < 32; i++)
        munmap(maps[i], PAGE);
    close(fd);
}

static void what_is_no_such_mapping_is_not_found(void **state)
{
    (void)state;
    const int fd = make_file();
    int file;
    uint64_t offset;
    uint8_t *private = map(fd, 0, PAGE, MAP_PRIVATE);
    uint8_t *anonymous = map(-1, 0, PAGE, MAP_PRIVATE | MAP_ANONYMOUS);
    uint8_t *shared = map(fd, 8 * PAGE, 2 * PAGE, MAP_SHARED);
    assert_false(vds_mapped_file_find(private, PAGE, &file, &offset));
    assert_false(vds_mapped_file_find(anonymous, PAGE, &file, &offset));
    assert_false(vds_mapped_file_find(NULL, PAGE, &file, &offset));
    assert_true(vds_mapped_file_find(shared, 2 * PAGE, &file, &offset));
    /* Of which a part is another page of the file. */
    assert_true(mmap(shared + PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
    assert_false(vds_mapped_file_find(shared, 2 * PAGE, &file, &offset));
    assert_true(vds_mapped_file_find(shared, PAGE, &file, &offset));
    /* The mapping lives without a descriptor, but nobody can be given one. */
    close(fd);
    assert_false(vds_mapped_file_find(shared, PAGE, &file, &offset));
    munmap(private, PAGE);
    munmap(anonymous, PAGE);
    munmap(shared, 2 * PAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_in_a_file_is_found),
        cmocka_unit_test(what_is_mapped_meanwhile_is_found),
        cmocka_unit_test(what_is_no_such_mapping_is_not_found),
    };
    vds_mapped_file_open();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
