/* SPDX-License-Identifier: MIT
 *
 * A Vulkan without a GPU, for the tests of what decodes and replays. It remembers what it was told;
 * it completes submissions at once, or when the test says so.
 */
#ifndef VIADUCT_TESTS_FAKE_DRIVER_H
#define VIADUCT_TESTS_FAKE_DRIVER_H

#include <stdatomic.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

#define FAKE_MEETING 1001
#define FAKE_BLOCKED 1002

struct fake_driver {
    /* What the test wants. */
    _Atomic VkResult next_result; /* of the next call that creates something, then VK_SUCCESS */
    _Atomic bool hold;            /* submissions stay unfinished until fake_driver_finish() */
    _Atomic bool lost_in_silence; /* only waits for fences tell, and only if these are submitted */
    _Atomic bool impatient;       /* nobody waits for a semaphore */
    uint32_t missing;             /* a bit for each pipeline binary that cannot be made */
    VkResult missing_result;      /* what they come to, VK_PIPELINE_BINARY_MISSING_KHR if 0 */
    bool no_debug_utils;
    bool closes_fd;  /* that it does not take */
    int exported_fd; /* what vkGetSemaphoreFdKHR gives away */
    _Atomic uint32_t
        meeting;          /* vkCmdDraw of FAKE_MEETING vertices returns when so many are in it */
    _Atomic bool blocked; /* vkCmdDraw of FAKE_BLOCKED vertices does not return meanwhile */
    _Atomic bool keeps_devices; /* vkDestroyDevice does not return meanwhile */
    _Atomic bool keeps_objects; /* nor does a call that creates some */
    _Atomic bool thinks;        /* vkGetDeviceFaultInfoEXT does not return meanwhile */
    /* What looks at pictures of videos, or NULL. */
    void (*decode_video)(const VkVideoDecodeInfoKHR *info);
    void (*encode_video)(const VkVideoEncodeInfoKHR *info);

    /* What has happened. */
    _Atomic(VkFence) submitted_fence;
    _Atomic uint32_t instances, devices, objects; /* that live */
    _Atomic uint64_t asked;                       /* for faults */
    uint32_t orphans; /* devices that were alive when their instance ended */
    _Atomic uint32_t draws, met, executed, begun, ended;
    _Atomic uint64_t vertices;         /* of all draws */
    uint32_t updates, writes, copies;  /* calls of vkUpdateDescriptorSets, and what they held */
    VkWriteDescriptorSet write;        /* the last one */
    VkDescriptorBufferInfo descriptor; /* its first one */
    uint32_t submits, names;
    uint32_t sum;        /* of what was read of pipeline binaries */
    uint64_t last_freed; /* the handle of the last object that was destroyed */
    VkBuffer bound[8];   /* by the last vkCmdBindVertexBuffers */
    uint32_t bound_count;
    VkDeviceSize imported_size; /* of the last vkAllocateMemory with a host pointer */
    const uint8_t *imported;
    int imported_fd;        /* of the last vkImportSemaphoreFdKHR that succeeded */
    int refused_fd;         /* of the last one that did not */
    uint64_t signalled[16]; /* values of the last submission's signals */
    VkSemaphore waited[16]; /* what its last batch waits for, with stages and values */
    VkPipelineStageFlags2 wait_stages[16];
    uint64_t wait_values[16];
    uint32_t wait_count;
    uint32_t signal_count;
    VkBool32 timeline_enabled;
    bool surface_enabled, swapchain_enabled; /* extensions of the last instance, the last device */
};

extern struct fake_driver fake_driver;

void fake_driver_reset(void);
/* Finishes what was held. */
void fake_driver_finish(void);
/* Ends all waits, as if their time had passed. */
void fake_driver_give_up(void);

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL fake_get_instance_proc_addr(VkInstance instance,
                                                                     const char *name);

#endif
