/* SPDX-License-Identifier: MIT
 *
 * The thread that notices that the server is gone.
 */
#ifndef VIADUCT_ICD_CONNECTION_WATCHER_H
#define VIADUCT_ICD_CONNECTION_WATCHER_H

#include "link.h"

struct vdc_watcher;

/* lost(data) is called once, by the thread. NULL without memory, descriptors or threads. */
struct vdc_watcher *vdc_watcher_start(struct vdc_link *link, void (*lost)(void *data), void *data);
/* NULL is fine. */
void vdc_watcher_stop(struct vdc_watcher *watcher);

#endif
