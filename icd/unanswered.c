/* SPDX-License-Identifier: MIT */
#include "unanswered.h"

#include "call.h"

bool vdc_unanswered_settle(struct vdc_unanswered *calls, void *self)
{
    /* Whatever is counted by now stands in the ring before what is sent next. */
    const uint64_t made = atomic_load(&calls->made);
    uint64_t executed = atomic_load(&calls->executed);
    if (executed >= made)
        return true;
    if (vdc_call_catch_up(self) != VK_SUCCESS)
        return false;
    while (executed < made && !atomic_compare_exchange_weak(&calls->executed, &executed, made))
        ;
    return true;
}
