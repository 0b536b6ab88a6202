/* SPDX-License-Identifier: MIT */
#include "nearness.h"

#include "common/time_namespace.h"

#include "log.h"

void vdc_nearness_find(struct vdc_nearness *nearness, const struct vdc_connection *connection)
{
    const struct vd_completion *page = connection->link.completion;
    *nearness = (struct vdc_nearness){.kernel = vdc_link_same_kernel(&connection->link)};
    int64_t ours;
    if (!nearness->kernel || !vd_time_namespace_monotonic(&ours))
        return;
    /* A server that does not say is in no time namespace, as far as anybody knows; a client that is
     * not in one either has always taken the clocks for the same. */
    const bool told = page->monotonic_known;
    nearness->clocks =
        (told || ours == 0) &&
        !__builtin_sub_overflow(ours, told ? page->monotonic_ahead_ns : 0, &nearness->ahead_ns);
    if (nearness->ahead_ns)
        vdc_log("this process's clocks are %lld ns ahead of the server's",
                (long long)nearness->ahead_ns);
}
