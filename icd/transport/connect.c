/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "common/environment.h"

#include "icd/log.h"
#include "icd/transport.h"

#define TRANSPORT_ENV "VIADUCT_TRANSPORT"

/* In the order in which they are tried. */
static const struct {
    const char *name;
    VkResult (*connect)(struct vdc_transport **transport);
} transports[] = {
    {"virtgpu", vdc_virtgpu_connect},
    {"vtest", vdc_vtest_connect},
};

VkResult vdc_transport_connect(struct vdc_transport **transport)
{
    const char *wanted = vd_getenv(TRANSPORT_ENV);
    VkResult result = VK_ERROR_INCOMPATIBLE_DRIVER;
    bool known = false;
    if (wanted && wanted[0] == '\0')
        wanted = NULL;
    for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
        if (!wanted || strcmp(wanted, transports[i].name) == 0) {
            known = true;
            result = transports[i].connect(transport);
            if (result == VK_SUCCESS)
                return result;
        }
    }
    if (!known)
        vdc_log_reason("transport-unknown", wanted, TRANSPORT_ENV " is virtgpu or vtest, not '%s'",
                       wanted);
    return result;
}
