/* SPDX-License-Identifier: MIT */
#include "driver_environment.h"

#include <stdlib.h>
#include <string.h>

#include "common/driver_environment.h"
#include "common/environment.h"

#include "context_private.h"
#include "log.h"

static const char *text_of(const struct vds_decoder *d, const void *body, uint32_t *size)
{
    *size = d->size - (uint32_t)((const uint8_t *)body - d->record);
    return body;
}

bool vds_decode_environment(struct vds_decoder *d, void *body)
{
    uint32_t size;
    const char *text = text_of(d, body, &size);
    d->cursor = d->size;
    if (size > VD_ENVIRONMENT_MAX)
        return vds_dec_fail(d, "too many bytes");
    return !size || !text[size - 1] || vds_dec_fail(d, "text without end");
}

/* Mesa asks for the program's name once in a process, for the first instance, and keeps the address that
 * getenv gives it. So the variable is there before that, in memory of ours, which may change (putenv(3)). */
static char program[VD_VARIABLE_MAX] = VD_DRIVER_PROGRAM "=viaduct-server";
/* The server was not started with another name, nor has a client said one. */
static bool names_program;

void vds_driver_environment_prepare(void)
{
    if (!vd_getenv("MESA_DRICONF_EXECUTABLE_OVERRIDE"))
        names_program = putenv(program) == 0;
}

/* "NAME=VALUE". What the server was started with stands. */
static void set(const char *variable)
{
    char copy[VD_VARIABLE_MAX];
    if (!vd_is_driver_variable(variable, strlen(variable))) {
        vds_log(VDS_LOG_DEBUG, "a variable of the client's that no driver is told of");
        return;
    }
    strcpy(copy, variable); /* which is shorter */
    char *equals = strchr(copy, '=');
    *equals = '\0';
    const bool is_program = names_program && !strcmp(copy, VD_DRIVER_PROGRAM);
    if (!is_program && vd_getenv(copy))
        return;
    vds_log(VDS_LOG_DEBUG, "for the driver, by the client: %s", variable);
    if (is_program) {
        strcpy(program, variable);
        names_program = false;
        return;
    }
    setenv(copy, equals + 1, 1);
    /* What others have compiled may not be what a driver that was told to work in another way compiles: lavapipe's
     * keys do not have the width of its vectors. */
    setenv("MESA_SHADER_CACHE_DISABLE", "true", 1);
}

/* Before the client's instance. What a driver has loaded and tried for another one by then (vds_context_warm)
 * has ended what it began; a driver whose threads read variables for ever could meet this. */
void vds_call_environment(struct vds_execution *x, void *body)
{
    uint32_t size;
    const char *text = text_of(&x->decoder, body, &size);
    if (x->context->instance) {
        vds_dec_fail(&x->decoder, "after vkCreateInstance");
        return;
    }
    for (uint32_t at = 0; at < size; at += (uint32_t)strlen(text + at) + 1)
        if (text[at])
            set(text + at);
}
