/* SPDX-License-Identifier: MIT */
#include "execution.h"

#include <stdlib.h>

#include "context_private.h"

void vds_execution_init(struct vds_execution *x, struct vds_context *context)
{
    *x = (struct vds_execution){.context = context};
    vds_decoder_init(&x->decoder, &context->objects);
}

void vds_execution_finish(struct vds_execution *x)
{
    vds_decoder_finish(&x->decoder);
    free(x->out);
    *x = (struct vds_execution){0};
}

struct vds_execution *vds_execution_create(struct vds_context *context)
{
    struct vds_execution *x = malloc(sizeof(*x));
    if (x)
        vds_execution_init(x, context);
    return x;
}

void vds_execution_destroy(struct vds_execution *x)
{
    if (x)
        vds_execution_finish(x);
    free(x);
}
