/* SPDX-License-Identifier: MIT
 *
 * A driver with faults, which faults.h tells: commands that take long, creations that are refused for
 * lack of memory.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "faults.h"
#include "layer.h"

struct passing {
    const char *name;
    PFN_vkVoidFunction through;
    PFN_vkVoidFunction *below;
};

static struct faults *faults;
static PFN_vkCreateDevice create_device_below;

static void before(const char *command)
{
    if (!faults || !atomic_load(&faults->slow_ms) || strcmp(faults->slow, command) != 0)
        return;
    const uint32_t ms = atomic_load(&faults->slow_ms);
    atomic_fetch_add(&faults->slept, 1);
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

/* Looks random, and is the same for the same seed. */
static VkResult refusal(const char *command)
{
    if (!faults || !atomic_load(&faults->one_in) ||
        (faults->refuse[0] && strcmp(faults->refuse, command) != 0))
        return VK_SUCCESS;
    uint32_t x = atomic_fetch_add(&faults->creations, 1) * 2654435769u + atomic_load(&faults->seed);
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    x ^= x >> 16;
    if (x % atomic_load(&faults->one_in) != 0)
        return VK_SUCCESS;
    atomic_fetch_add(&faults->refused, 1);
    return x & 0x10000 ? VK_ERROR_OUT_OF_HOST_MEMORY : VK_ERROR_OUT_OF_DEVICE_MEMORY;
}

#include "faults_calls.h"

/* ---- The layer */

static void map_faults(void)
{
    const char *path = getenv("VIADUCT_FAULTS");
    const int fd = path && !faults ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *map = mmap(NULL, sizeof(*faults), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map != MAP_FAILED)
        faults = map;
    close(fd);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *alloc,
                                                      VkInstance *instance)
{
    map_faults();
    const PFN_vkGetInstanceProcAddr next = step_instance(info);
    const VkResult result =
        ((PFN_vkCreateInstance)next(NULL, "vkCreateInstance"))(info, alloc, instance);
    if (result == VK_SUCCESS)
        create_device_below = (PFN_vkCreateDevice)next(*instance, "vkCreateDevice");
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical,
                                                    const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *alloc,
                                                    VkDevice *device)
{
    step_device(info);
    before("vkCreateDevice");
    return create_device_below(physical, info, alloc, device);
}

static const struct function functions[] = {
    FUNCTION("vkGetInstanceProcAddr", get_instance),
    FUNCTION("vkGetDeviceProcAddr", get_device),
    FUNCTION("vkCreateInstance", create_instance),
    FUNCTION("vkCreateDevice", create_device),
};

/* Puts the layer between the command and its caller; but for what the loader itself answers. */
static PFN_vkVoidFunction pass(const char *name, PFN_vkVoidFunction below)
{
    if (strncmp(name, "vkEnumerate", strlen("vkEnumerate")) == 0)
        return below;
    for (size_t i = 0; below && i < sizeof(passing) / sizeof(passing[0]); i++) {
        if (strcmp(passing[i].name, name) == 0) {
            *passing[i].below = below;
            return passing[i].through;
        }
    }
    return below;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_device(VkDevice device, const char *name)
{
    return strcmp(name, "vkGetDeviceProcAddr") == 0 ? (PFN_vkVoidFunction)get_device
                                                    : pass(name, next_device(device, name));
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_instance(VkInstance instance, const char *name)
{
    const PFN_vkVoidFunction ours = LOOK_UP(functions, name);
    return ours || !next_instance ? ours : pass(name, next_instance(instance, name));
}
