/* SPDX-License-Identifier: MIT */
#include "driver_environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "common/driver_environment.h"
#include "common/environment.h"

#include "call.h"
#include "opcodes.h"
#include "program_name.h"

struct text {
    char bytes[VD_ENVIRONMENT_MAX];
    size_t size;
};

static void add(struct text *text, const char *variable)
{
    const size_t length = strlen(variable);
    if (!vd_is_driver_variable(variable, length) || length + 1 > sizeof(text->bytes) - text->size)
        return;
    memcpy(text->bytes + text->size, variable, length + 1);
    text->size += length + 1;
}

/* By the user's choice, as natively, or by its file's name. */
static void add_program(struct text *text)
{
    char name[VD_VARIABLE_MAX - sizeof(VD_DRIVER_PROGRAM)], variable[VD_VARIABLE_MAX];
    const char *chosen = vd_getenv("MESA_DRICONF_EXECUTABLE_OVERRIDE");
    vdc_program_name(name, sizeof(name));
    snprintf(variable, sizeof(variable), VD_DRIVER_PROGRAM "=%s", chosen ? chosen : name);
    add(text, variable);
}

void vdc_send_driver_environment(struct vdc_instance *instance)
{
    struct text text = {.size = 0};
    struct vdc_call call;
    if (!vdc_peer_knows_command(&instance->peer, VD_OP_ENVIRONMENT))
        return;
    /* First: of two equal names the first one counts, and there may be no room for all. */
    add_program(&text);
    /* The user's variables are not for a program that has more rights. */
    if (!getauxval(AT_SECURE))
        for (char **variable = environ; variable && *variable; variable++)
            add(&text, *variable);
    if (vdc_call_begin(&call, instance, VD_OP_ENVIRONMENT, text.size, VDC_CALL_LAZY) != VK_SUCCESS)
        return; /* which vkCreateInstance will find, too */
    memcpy(call.encoder.base + call.encoder.at, text.bytes, text.size);
    vdc_call_send(&call);
    vdc_call_end(&call);
}
