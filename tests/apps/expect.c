/* SPDX-License-Identifier: MIT */
#include "expect.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void fail(const char *file, int line, const char *format, ...)
{
    /* What was printed before must not appear after the reason. */
    fflush(stdout);
    fprintf(stderr, "FAILED at %s:%d: ", file, line);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    /* Not exit(): an atexit handler of a driver may wait for what just broke. */
    fflush(stderr);
    _Exit(1);
}

const char *result_name(VkResult result)
{
    static const struct {
        VkResult result;
        const char *name;
    } names[] = {
#define NAME(result) {result, #result}
        NAME(VK_SUCCESS),
        NAME(VK_NOT_READY),
        NAME(VK_TIMEOUT),
        NAME(VK_EVENT_SET),
        NAME(VK_EVENT_RESET),
        NAME(VK_INCOMPLETE),
        NAME(VK_PIPELINE_BINARY_MISSING_KHR),
        NAME(VK_ERROR_NOT_ENOUGH_SPACE_KHR),
        NAME(VK_SUBOPTIMAL_KHR),
        NAME(VK_PIPELINE_COMPILE_REQUIRED),
        NAME(VK_ERROR_OUT_OF_HOST_MEMORY),
        NAME(VK_ERROR_OUT_OF_DEVICE_MEMORY),
        NAME(VK_ERROR_INITIALIZATION_FAILED),
        NAME(VK_ERROR_DEVICE_LOST),
        NAME(VK_ERROR_MEMORY_MAP_FAILED),
        NAME(VK_ERROR_LAYER_NOT_PRESENT),
        NAME(VK_ERROR_EXTENSION_NOT_PRESENT),
        NAME(VK_ERROR_FEATURE_NOT_PRESENT),
        NAME(VK_ERROR_INCOMPATIBLE_DRIVER),
        NAME(VK_ERROR_TOO_MANY_OBJECTS),
        NAME(VK_ERROR_FORMAT_NOT_SUPPORTED),
        NAME(VK_ERROR_FRAGMENTED_POOL),
        NAME(VK_ERROR_UNKNOWN),
        NAME(VK_ERROR_OUT_OF_POOL_MEMORY),
        NAME(VK_ERROR_INVALID_EXTERNAL_HANDLE),
        NAME(VK_ERROR_FRAGMENTATION),
        NAME(VK_ERROR_SURFACE_LOST_KHR),
        NAME(VK_ERROR_NATIVE_WINDOW_IN_USE_KHR),
        NAME(VK_ERROR_OUT_OF_DATE_KHR),
#undef NAME
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (names[i].result == result)
            return names[i].name;
    return "unnamed result";
}

void check_result(const char *file, int line, const char *call, VkResult wanted, VkResult result)
{
    if (result != wanted)
        fail(file, line, "%s gave %s (%d), not %s", call, result_name(result), result,
             result_name(wanted));
}
