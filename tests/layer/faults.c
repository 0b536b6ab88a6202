/* SPDX-License-Identifier: MIT
 *
 * A driver with faults, which faults.h tells: commands that take long, that are refused for lack of
 * memory, or that lose the device.
 */
#include <fcntl.h>
#include <stdbool.h>
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
static PFN_vkDestroyDevice destroy_device_below;

/* Whether that is all that the command does. */
static bool before(const char *command)
{
    if (!faults || !atomic_load(&faults->slow_ms) || strcmp(faults->slow, command) != 0)
        return false;
    const uint32_t ms = atomic_load(&faults->slow_ms);
    atomic_fetch_add(&faults->slept, 1);
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    nanosleep(&time, NULL);
    return atomic_load(&faults->refrain);
}

static bool is_spared;

/* Looks random, and is the same for the same seed. */
static uint32_t chance(void)
{
    uint32_t x = atomic_fetch_add(&faults->calls, 1) * 2654435769u + atomic_load(&faults->seed);
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

static VkResult refusal(const char *command)
{
    if (!faults || is_spared || !atomic_load(&faults->one_in) ||
        (faults->refuse[0] && strcmp(faults->refuse, command) != 0))
        return VK_SUCCESS;
    const uint32_t x = chance();
    if (x % atomic_load(&faults->one_in) != 0)
        return VK_SUCCESS;
    atomic_fetch_add(&faults->refused, 1);
    return x & 0x10000 ? VK_ERROR_OUT_OF_HOST_MEMORY : VK_ERROR_OUT_OF_DEVICE_MEMORY;
}

/* What is lost does nothing any more: its objects may be destroyed. */
#define DEVICES_MAX 16
static VkDevice devices[DEVICES_MAX];

static void replace_device(VkDevice old, VkDevice new)
{
    for (size_t i = 0; i < DEVICES_MAX; i++) {
        if (devices[i] == old) {
            devices[i] = new;
            return;
        }
    }
}

static void end_work(void)
{
    for (size_t i = 0; i < DEVICES_MAX; i++)
        if (devices[i])
            NEXT(devices[i], vkDeviceWaitIdle)(devices[i]);
}

/* Whether the device is lost. Then it stays so, as devices do. */
static bool loss(const char *command)
{
    static _Atomic bool lost;
    (void)command;
    if (!faults || is_spared || !atomic_load(&faults->lose_one_in))
        return false;
    if (!atomic_load(&lost) && chance() % atomic_load(&faults->lose_one_in) == 0 &&
        !atomic_exchange(&lost, true)) {
        end_work();
        atomic_fetch_add(&faults->lost, 1);
    }
    return atomic_load(&lost);
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
    is_spared = faults && atomic_fetch_add(&faults->instances, 1) < atomic_load(&faults->spared);
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
    if (before("vkCreateDevice"))
        return VK_ERROR_OUT_OF_HOST_MEMORY;
    const VkResult result = create_device_below(physical, info, alloc, device);
    if (result == VK_SUCCESS)
        replace_device(VK_NULL_HANDLE, *device);
    return result;
}

static VKAPI_ATTR void VKAPI_CALL destroy_device(VkDevice device,
                                                 const VkAllocationCallbacks *alloc)
{
    (void)before("vkDestroyDevice");
    replace_device(device, VK_NULL_HANDLE);
    destroy_device_below(device, alloc);
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
    if (below && strcmp(name, "vkDestroyDevice") == 0) {
        destroy_device_below = (PFN_vkDestroyDevice)below;
        return (PFN_vkVoidFunction)destroy_device;
    }
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
