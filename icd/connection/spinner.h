/* SPDX-License-Identifier: MIT
 *
 * Looking again and again for a short time before sleeping. It pays as long as what is waited for
 * tends to come before a sleeper would be awake again.
 */
#ifndef VIADUCT_ICD_CONNECTION_SPINNER_H
#define VIADUCT_ICD_CONNECTION_SPINNER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* How long one kind of wait spins: longer after success, shorter after failure. Thread-safe. */
struct vdc_spinner {
    _Atomic uint32_t budget_ns; /* 0: a single processor, where spinning only keeps others away */
};

void vdc_spinner_init(struct vdc_spinner *spinner);
/* True as soon as ready(data); false when it took too long and sleeping is better. */
bool vdc_spin(struct vdc_spinner *spinner, bool (*ready)(const void *data), const void *data);

#endif
