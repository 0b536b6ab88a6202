/* SPDX-License-Identifier: MIT */
#include "library.h"

#include <dlfcn.h>

#include "common/process_lock.h"

#include "log.h"

VD_PROCESS_LOCK(lock) /* one library is loaded at a time */

static bool load(struct vdc_library *library)
{
    void *handle = dlopen(library->file, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        vdc_log("%s: %s", dlerror(), library->without);
        return false;
    }
    for (size_t i = 0; i < library->count; i++) {
        library->functions[i] = dlsym(handle, library->names[i]);
        if (!library->functions[i]) {
            vdc_log("%s has no %s: %s", library->file, library->names[i], library->without);
            dlclose(handle);
            return false;
        }
    }
    return true;
}

bool vdc_library_load(struct vdc_library *library)
{
    pthread_mutex_lock(&lock);
    if (!library->tried)
        library->loaded = load(library);
    library->tried = true;
    const bool loaded = library->loaded;
    pthread_mutex_unlock(&lock);
    return loaded;
}
