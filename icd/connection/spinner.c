/* SPDX-License-Identifier: MIT */
#include "spinner.h"

#include <unistd.h>

#include "common/clock.h"
#include "common/spin.h"

#define SPIN_MAX_NS 25000u
#define SPIN_MIN_NS 1000u

void vdc_spinner_init(struct vdc_spinner *spinner)
{
    spinner->budget_ns = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? SPIN_MAX_NS : 0;
}

bool vdc_spin(struct vdc_spinner *spinner, bool (*ready)(const void *data), const void *data)
{
    if (ready(data))
        return true;
    const uint32_t budget = atomic_load_explicit(&spinner->budget_ns, memory_order_relaxed);
    if (budget == 0)
        return false;
    const uint64_t until = vd_clock_ns() + budget;
    bool found;
    unsigned looks = 1;
    do {
        vd_spin_pause(looks++);
        found = ready(data);
    } while (!found && vd_clock_ns() < until);

    uint32_t next = found ? budget + budget / 2 : budget - budget / 4;
    next = next > SPIN_MAX_NS ? SPIN_MAX_NS : next < SPIN_MIN_NS ? SPIN_MIN_NS : next;
    if (next != budget)
        atomic_store_explicit(&spinner->budget_ns, next, memory_order_relaxed);
    return found;
}
