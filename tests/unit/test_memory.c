/* SPDX-License-Identifier: MIT
 *
 * What lies in shared memory: bytes that do not cross in a record, and memory of the device.
 */
#include "fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "args.h"
#include "server/bounds.h"
#include "server/shm.h"

#include "shared_copy.h"

/* The copy of a square. */
static void make_copy_of(struct test_record *r, uint64_t image, uint32_t side,
                         VkHostImageCopyFlags flags, uint64_t length)
{
    const struct vd_args_vkCopyMemoryToImage args = {.device = HANDLE(VkDevice, DEVICE)};
    const VkCopyMemoryToImageInfo info = {.sType = VK_STRUCTURE_TYPE_COPY_MEMORY_TO_IMAGE_INFO,
                                          .flags = flags,
                                          .dstImage = HANDLE(VkImage, image),
                                          .regionCount = 1};
    const VkMemoryToImageCopy region = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_TO_IMAGE_COPY,
        .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
        .imageExtent = {side, side, 1},
    };
    static uint64_t bytes[1024];
    bytes[0] = length;
    record_begin(r, VD_OP_vkCopyMemoryToImage, &args, sizeof(args), true);
    const uint32_t info_at = record_put(
        r, ARG(r, struct vd_args_vkCopyMemoryToImage, pCopyMemoryToImageInfo), &info, sizeof(info));
    const uint32_t region_at = record_put(r, info_at + offsetof(VkCopyMemoryToImageInfo, pRegions),
                                          &region, sizeof(region));
    record_put(r, region_at + offsetof(VkMemoryToImageCopy, pHostPointer), bytes,
               (uint32_t)(sizeof(*bytes) + length));
}

static void copies_have_the_bytes_that_the_driver_takes(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t image = ID(VkImage, 351), unknown = ID(VkImage, 352);
    assert_true(client_add_image(client, image));
    assert_true(
        vds_object_add(&client->context->objects, unknown, 0x1000, vd_id_index(DEVICE), 0, NULL));
    make_copy_of(&r, image, 16, 0, 1024);
    answered(client, &r, VK_SUCCESS);
    make_copy_of(&r, image, 16, 0, 1023);
    refused(client, &r);
    make_copy_of(&r, image, 16, 0, 8);
    refused(client, &r);
    make_copy_of(&r, image, 8, 0, 256);
    answered(client, &r, VK_SUCCESS);
    make_copy_of(&r, image, 17, 0, 2048); /* beyond the image */
    refused(client, &r);
    make_copy_of(&r, image, 8, VK_HOST_IMAGE_COPY_MEMCPY, 1999);
    refused(client, &r);
    make_copy_of(&r, image, 8, VK_HOST_IMAGE_COPY_MEMCPY, 2000);
    answered(client, &r, VK_SUCCESS);
    make_copy_of(&r, unknown, 1, 0, 1024); /* not made for it */
    refused(client, &r);
}

static void shared_bytes_stay_in_their_region(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t image = ID(VkImage, 350);
    const uint32_t shm = client->replies->id;
    const uint64_t size = SHARED_SIZE - CHUNKS;
    assert_true(client_add_image(client, image));
    make_shared_copy(&r, image, size | VD_SIZED_SHARED, vd_shm_pointer(shm, CHUNKS), true);
    answered(client, &r, VK_SUCCESS);
    /* Inline, the same length is far too much. */
    make_shared_copy(&r, image, size, vd_shm_pointer(shm, CHUNKS), true);
    refused(client, &r);
    /* Whoever consumes the ring must know. */
    make_shared_copy(&r, image, size | VD_SIZED_SHARED, vd_shm_pointer(shm, CHUNKS), false);
    refused(client, &r);
    const struct {
        uint64_t length, pointer;
    } bad[] = {
        {size + 1, vd_shm_pointer(shm, CHUNKS)},
        {VD_SIZED_SHARED - 1, vd_shm_pointer(shm, CHUNKS)},
        {size, vd_shm_pointer(shm + 40, CHUNKS)},
        {1, vd_shm_pointer(shm, SHARED_SIZE)},
        {1, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        make_shared_copy(&r, image, bad[i].length | VD_SIZED_SHARED, bad[i].pointer, true);
        refused(client, &r);
    }
    /* The location is missing. */
    make_shared_copy(&r, image, size | VD_SIZED_SHARED, vd_shm_pointer(shm, CHUNKS), true);
    r.size -= 8;
    ((struct vd_record *)r.bytes)->size -= 8;
    refused(client, &r);
    make_shared_copy(&r, image, size | VD_SIZED_SHARED, vd_shm_pointer(shm, CHUNKS), true);
    answered(client, &r, VK_SUCCESS);
}

static void imports_stay_within_shared_memory(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint32_t shm = client->replies->id;
    const uint64_t id = ID(VkDeviceMemory, 150);
    const struct {
        uint64_t pointer, size;
    } bad[] = {
        {vd_shm_pointer(shm, IMPORT), SHARED_SIZE},
        {vd_shm_pointer(shm, SHARED_SIZE), 4096},
        {vd_shm_pointer(shm, SHARED_SIZE + 4096), 4096},
        {vd_shm_pointer(shm, IMPORT), UINT64_MAX - 4095},
        {vd_shm_pointer(99, 0), 4096},
        {0, 4096},
        {UINT64_MAX, 4096},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        make_memory(&r, id, bad[i].pointer, bad[i].size);
        refused(client, &r);
    }
    make_memory(&r, id, vd_shm_pointer(shm, IMPORT + 16), 4096);
    answered(client, &r, VK_ERROR_INVALID_EXTERNAL_HANDLE);
    make_memory(&r, id, vd_shm_pointer(shm, IMPORT), SHARED_SIZE - IMPORT);
    answered(client, &r, VK_SUCCESS);
    assert_ptr_equal(fake_driver.imported, client->replies->map + IMPORT);
    assert_memory_equal(client_reply_bytes(client), &id, 8);
}

static void imported_memory_outlives_its_id(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t id = ID(VkDeviceMemory, 150);
    int fd;
    const uint32_t shm = vds_shm_add(client->shm, 4096, &fd);
    close(fd);
    make_memory(&r, id, vd_shm_pointer(shm, 0), 4096);
    answered(client, &r, VK_SUCCESS);
    assert_true(vds_shm_remove(client->shm, shm));
    assert_int_equal(*(volatile const uint8_t *)fake_driver.imported, 0);
    make_memory(&r, ID(VkDeviceMemory, 151), vd_shm_pointer(shm, 0), 4096);
    refused(client, &r);
    const struct vd_args_vkFreeMemory free_args = {.device = HANDLE(VkDevice, DEVICE),
                                                   .memory = HANDLE(VkDeviceMemory, id)};
    record_begin(&r, VD_OP_vkFreeMemory, &free_args, sizeof(free_args), true);
    accepted(client, &r);
    assert_int_equal(client_host_handle(client, id), 0);
}

static void ask_for_file(struct test_record *r, uint64_t memory, uint32_t size)
{
    const struct vd_get_memory_file args = {.memory = memory};
    record_begin(r, VD_OP_GET_MEMORY_FILE, &args, sizeof(args), true);
    ((struct vd_reply_request *)((struct vd_record *)r->bytes + 1))->out_size = size;
}

static void only_memory_of_the_driver_is_found(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t id = ID(VkDeviceMemory, 150);
    ask_for_file(&r, id, sizeof(struct vd_memory_file));
    refused(client, &r);
    make_memory(&r, id, vd_shm_pointer(client->replies->id, IMPORT), 4096);
    answered(client, &r, VK_SUCCESS);
    ask_for_file(&r, id, 8);
    refused(client, &r);
    ask_for_file(&r, DEVICE, sizeof(struct vd_memory_file));
    refused(client, &r);
    ask_for_file(&r, id, sizeof(struct vd_memory_file));
    answered(client, &r, VK_ERROR_MEMORY_MAP_FAILED);
}

/* Before a descriptor that is imported stands one that is not, with a number of the server's own. */
static void only_what_was_lent_is_closed(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t id = ID(VkDeviceMemory, 150);
    const int own = memfd_create("own", MFD_CLOEXEC);
    assert_true(own >= 0);
    const struct vd_args_vkAllocateMemory args = {.device = HANDLE(VkDevice, DEVICE)};
    const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                       .allocationSize = 4096};
    VkImportMemoryFdInfoKHR import = {.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR,
                                      .fd = own};
    record_begin(&r, VD_OP_vkAllocateMemory, &args, sizeof(args), true);
    uint32_t at = record_put(&r, ARG(&r, struct vd_args_vkAllocateMemory, pAllocateInfo), &info,
                             sizeof(info));
    at = record_put(&r, at + (uint32_t)offsetof(VkMemoryAllocateInfo, pNext), &import,
                    sizeof(import));
    import.handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT;
    import.fd = (int)vds_shm_add_fd(client->shm, dup(own));
    record_put(&r, at + (uint32_t)offsetof(VkImportMemoryFdInfoKHR, pNext), &import,
               sizeof(import));
    record_put_back(&r, ARG(&r, struct vd_args_vkAllocateMemory, pMemory), &id, sizeof(id));
    fake_driver.next_result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    answered(client, &r, VK_ERROR_OUT_OF_DEVICE_MEMORY);
    assert_true(fcntl(own, F_GETFD) >= 0);
    close(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(copies_have_the_bytes_that_the_driver_takes, open_device),
        TEST(shared_bytes_stay_in_their_region, open_device),
        TEST(imports_stay_within_shared_memory, open_device),
        TEST(imported_memory_outlives_its_id, open_device),
        TEST(only_memory_of_the_driver_is_found, open_device),
        TEST(only_what_was_lent_is_closed, open_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
