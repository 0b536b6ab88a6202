/* SPDX-License-Identifier: MIT
 *
 * How test programs stop at the first thing that goes wrong, with a line that says where. Needs no
 * Vulkan loader.
 */
#ifndef TESTS_EXPECT_H
#define TESTS_EXPECT_H

#include <vulkan/vulkan_core.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

_Noreturn void fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define expect(condition, ...)                     \
    do {                                           \
        if (!(condition))                          \
            fail(__FILE__, __LINE__, __VA_ARGS__); \
    } while (0)

#define must(call)            must_be(VK_SUCCESS, call)
#define must_be(wanted, call) check_result(__FILE__, __LINE__, #call, wanted, call)

void check_result(const char *file, int line, const char *call, VkResult wanted, VkResult result);
const char *result_name(VkResult result);

#endif
