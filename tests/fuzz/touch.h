/* SPDX-License-Identifier: MIT
 *
 * What the generated driver (fuzz_driver.c) does with its arguments: it reads every byte that it may read, and
 * writes every byte that it may write.
 */
#ifndef VIADUCT_TESTS_FUZZ_TOUCH_H
#define VIADUCT_TESTS_FUZZ_TOUCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vulkan/vulkan_core.h>

struct vdf_through {
    const char *name;
    PFN_vkVoidFunction through;
    PFN_vkVoidFunction *below; /* what it goes on to */
};

extern const struct vdf_through vdf_through[];
extern const unsigned vdf_through_count;

void vdf_touch(const void *bytes, uint64_t size);
/* Writes what stands there. */
void vdf_touch_out(void *bytes, uint64_t size);
/* NULL is fine. */
void vdf_touch_text(const char *text);
/* What is behind a pointer of kind `sized`; `s` is the struct that it stands in, or NULL. */
void vdf_touch_sized(const char *member, const void *bytes, const void *s);
/* The server has promised this to drivers. */
void vdf_require(bool holds, const char *member);
/* Whether a command is one that does nothing. */
bool vdf_is_nothing(PFN_vkVoidFunction function);
void vdf_new_handles(void *to, uint64_t count);

/* Structs that say something about others further in. */
void vdf_remember_VkCopyMemoryToImageInfo(const VkCopyMemoryToImageInfo *s);
void vdf_remember_VkCopyImageToMemoryInfo(const VkCopyImageToMemoryInfo *s);
void vdf_remember_VkVideoBeginCodingInfoKHR(const VkVideoBeginCodingInfoKHR *s);

#endif
