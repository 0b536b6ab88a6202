// Threads that record at the same time, each into pools of its own.
#include "bench.h"

#include <pthread.h>

enum {
    THREAD_MAX = 8,
    FRAME_COUNT = 8, // of each thread, for one call
    DRAW_COUNT = 4000,
};

static void draws(VkCommandBuffer commands, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const float constants[4] = {(float)(i & 1)};
        vk.CmdPushConstants(commands, stage.layout, VK_SHADER_STAGE_VERTEX_BIT, 0,
                            sizeof(constants), constants);
        vk.CmdDraw(commands, 3, 1, 0, 0);
    }
}

static const struct bench_case recording = {
    .record = draws,
    .place = INSIDE,
    .count = DRAW_COUNT,
};

static struct recorder recorders[THREAD_MAX];

static void init(void)
{
    for (uint32_t i = 0; i < THREAD_MAX; i++)
        recorder_init(&recorders[i]);
}

static void finish(void)
{
    for (uint32_t i = 0; i < THREAD_MAX; i++)
        recorder_finish(&recorders[i]);
}

static void *work(void *data)
{
    // A device executes one submission after another, so that only what is not submitted shows
    // whether threads hinder each other.
    for (uint32_t i = 0; i < FRAME_COUNT; i++)
        recorder_frame(data, &recording, false);
    recorder_drain(data);
    return NULL;
}

static void threads(uint32_t count)
{
    pthread_t others[THREAD_MAX];
    for (uint32_t i = 1; i < count; i++)
        expect(pthread_create(&others[i], NULL, work, &recorders[i]) == 0, "no more threads");
    work(&recorders[0]);
    for (uint32_t i = 1; i < count; i++)
        pthread_join(others[i], NULL);
}

#define THREADS(n)                          \
    static void threads_##n(uint32_t count) \
    {                                       \
        (void)count;                        \
        threads(n);                         \
    }
THREADS(1)
THREADS(2)
THREADS(4)
THREADS(8)

// clang-format off
static const struct bench_case cases[] = {
    {"threads_1", "thread", "change + draw", .repeat = threads_1, .count = 1 * FRAME_COUNT * DRAW_COUNT},
    {"threads_2", "thread", "change + draw", .repeat = threads_2, .count = 2 * FRAME_COUNT * DRAW_COUNT},
    {"threads_4", "thread", "change + draw", .repeat = threads_4, .count = 4 * FRAME_COUNT * DRAW_COUNT},
    {"threads_8", "thread", "change + draw", .repeat = threads_8, .count = 8 * FRAME_COUNT * DRAW_COUNT},
};
// clang-format on

const struct suite suite_thread = {
    .cases = cases,
    .case_count = ARRAY_SIZE(cases),
    .init = init,
    .finish = finish,
};
