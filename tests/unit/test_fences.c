/* SPDX-License-Identifier: MIT
 *
 * Fences that are shared with others: each one is marked in the end.
 */
#include "fixture.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "protocol/fence.h"
#include "server/futex.h"

/* Where their words lie in shared memory. */
#define FENCES IMPORT

static uint64_t pointer_to(const struct test_client *client, uint32_t fence)
{
    return vd_shm_pointer(client->replies->id, FENCES + fence * sizeof(uint32_t));
}

static _Atomic uint32_t *word_of(const struct test_client *client, uint32_t fence)
{
    return (_Atomic uint32_t *)(client->replies->map + FENCES) + fence;
}

static void make_signal(struct test_record *r, uint64_t queue, uint64_t number, uint64_t state)
{
    const struct vd_signal_fence args = {.queue = queue, .number = number, .state = state};
    record_begin(r, VD_OP_SIGNAL_FENCE, &args, sizeof(args), false);
}

static void signal_with(struct test_client *client, uint64_t number, uint32_t fence)
{
    struct test_record r;
    make_signal(&r, QUEUE, number, pointer_to(client, fence));
    accepted(client, &r);
}

static void submit(struct test_client *client, uint32_t batches)
{
    struct test_record r;
    make_submit(&r, batches);
    accepted(client, &r);
}

static void await_marked(_Atomic uint32_t *word)
{
    for (int i = 0; i < 2000 && atomic_load(word) != VD_FENCE_SIGNALED; i++)
        usleep(1000);
    assert_int_equal(atomic_load(word), VD_FENCE_SIGNALED);
}

static void who_sees_a_batch_done_sees_its_fence(void **state)
{
    struct test_client *client = *state;
    struct vd_completion_queue *queue = &client->completion->queues[0];
    for (uint32_t i = 1; i <= 500; i++) {
        atomic_store(word_of(client, 0), VD_FENCE_UNSIGNALED);
        signal_with(client, i, 0);
        submit(client, 1);
        while (atomic_load(&queue->done) < i) {
        }
        assert_int_equal(atomic_load(word_of(client, 0)), VD_FENCE_SIGNALED);
    }
}

static void fences_wait_for_their_batch(void **state)
{
    struct test_client *client = *state;
    struct vd_completion_queue *queue = &client->completion->queues[0];
    signal_with(client, 2, 0);
    signal_with(client, 4, 1);
    signal_with(client, 4, 2);
    submit(client, 1);
    await_count(&queue->done, 1);
    assert_int_equal(atomic_load(word_of(client, 0)), VD_FENCE_UNSIGNALED);
    submit(client, 2);
    await_count(&queue->done, 3);
    assert_int_equal(atomic_load(word_of(client, 0)), VD_FENCE_SIGNALED);
    assert_int_equal(atomic_load(word_of(client, 1)), VD_FENCE_UNSIGNALED);
    fake_driver.hold = true;
    submit(client, 1);
    usleep(20000);
    assert_int_equal(atomic_load(word_of(client, 1)), VD_FENCE_UNSIGNALED);
    fake_driver_finish();
    await_marked(word_of(client, 1));
    await_marked(word_of(client, 2));
    assert_false(client_is_lost(client));
}

static void *sleep_on(void *data)
{
    _Atomic uint32_t *word = data;
    while (atomic_load(word) == VD_FENCE_AWAITED)
        vds_futex_wait(word, VD_FENCE_AWAITED);
    return NULL;
}

static void who_sleeps_is_woken(void **state)
{
    struct test_client *client = *state;
    pthread_t thread;
    fake_driver.hold = true;
    atomic_store(word_of(client, 0), VD_FENCE_AWAITED);
    signal_with(client, 1, 0);
    submit(client, 1);
    assert_int_equal(pthread_create(&thread, NULL, sleep_on, word_of(client, 0)), 0);
    usleep(20000);
    fake_driver_finish();
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(word_of(client, 0)), VD_FENCE_SIGNALED);
}

static void what_was_taken_back_is_not_marked(void **state)
{
    struct test_client *client = *state;
    signal_with(client, 1, 0);
    signal_with(client, 1, 1);
    signal_with(client, 0, 0);
    submit(client, 1);
    await_marked(word_of(client, 1));
    assert_int_equal(atomic_load(word_of(client, 0)), VD_FENCE_UNSIGNALED);
}

static void bad_records_are_refused(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    const uint64_t good = pointer_to(client, 0);
    submit(client, 2);
    const uint64_t queues[] = {0, DEVICE, BUFFER, ID(VkQueue, 200), UINT64_MAX};
    for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
        make_signal(&r, queues[i], 3, good);
        refused(client, &r);
    }
    const uint32_t shm = client->replies->id;
    const uint64_t states[] = {
        0,
        vd_shm_pointer(0, FENCES),
        vd_shm_pointer(shm + 100, FENCES),
        vd_shm_pointer(shm, FENCES + 1),
        vd_shm_pointer(shm, FENCES + 2),
        vd_shm_pointer(shm, SHARED_SIZE),
        vd_shm_pointer(shm, SHARED_SIZE - 2),
        vd_shm_pointer(shm, SHARED_SIZE + 4096),
        UINT64_MAX,
        UINT64_MAX - 3,
    };
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        make_signal(&r, QUEUE, 3, states[i]);
        refused(client, &r);
    }
    /* For batches that came before. */
    for (uint64_t number = 1; number <= 2; number++) {
        make_signal(&r, QUEUE, number, good);
        refused(client, &r);
    }
    const struct vd_signal_fence args = {.queue = QUEUE, .number = 3, .state = good};
    record_begin(&r, VD_OP_SIGNAL_FENCE, &args, sizeof(args), true);
    refused(client, &r);
    record_begin(&r, VD_OP_SIGNAL_FENCE, &args, sizeof(args) - 8, false);
    refused(client, &r);
    make_signal(&r, QUEUE, 3, good);
    accepted(client, &r);
}

static void all_are_marked_when_the_device_is_lost(void **state)
{
    struct test_client *client = *state;
    fake_driver.hold = true;
    signal_with(client, 1, 0);
    signal_with(client, UINT64_MAX, 1);
    submit(client, 1);
    assert_int_equal(atomic_load(word_of(client, 0)), VD_FENCE_UNSIGNALED);
    vds_context_lose(client->context, "the test says so");
    assert_int_equal(atomic_load(word_of(client, 0)), VD_FENCE_SIGNALED);
    assert_int_equal(atomic_load(word_of(client, 1)), VD_FENCE_SIGNALED);
    /* Nothing comes after that. */
    signal_with(client, 7, 2);
    assert_int_equal(atomic_load(word_of(client, 2)), VD_FENCE_SIGNALED);
    fake_driver_finish();
}

static void all_are_marked_when_the_queue_ends(void **state)
{
    struct test_client *client = *state;
    struct test_record r;
    signal_with(client, 5, 0);
    fake_driver.hold = true;
    signal_with(client, 1, 1);
    submit(client, 1);
    const time_t start = time(NULL);
    make_simple(&r, VD_OP_vkDestroyDevice, DEVICE, false);
    accepted(client, &r);
    assert_true(time(NULL) - start <= 4);
    assert_int_equal(atomic_load(word_of(client, 0)), VD_FENCE_SIGNALED);
    assert_int_equal(atomic_load(word_of(client, 1)), VD_FENCE_SIGNALED);
    /* The device was left to itself; let it end. */
    fake_driver_finish();
    usleep(50000);
    fake_driver.instances = 0;
}

/* For LeakSanitizer: the device that is left to itself is lost on purpose. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:open_device_with\nleak:all_are_marked_when_the_queue_ends\n";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_sees_a_batch_done_sees_its_fence, open_device),
        TEST(fences_wait_for_their_batch, open_device),
        TEST(who_sleeps_is_woken, open_device),
        TEST(what_was_taken_back_is_not_marked, open_device),
        TEST(bad_records_are_refused, open_device),
        TEST(all_are_marked_when_the_device_is_lost, open_device),
        TEST(all_are_marked_when_the_queue_ends, open_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
