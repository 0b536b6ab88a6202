/* SPDX-License-Identifier: MIT
 *
 * Features that are not offered although their extensions are ([masked] in codegen/policy.toml).
 */
#ifndef VIADUCT_COMMON_MASKED_FEATURES_H
#define VIADUCT_COMMON_MASKED_FEATURES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "chain.h"
#include "chains.h"

/* Whether the chain of a VkDeviceCreateInfo enables one of them. */
static inline bool vd_masked_feature_enabled(const void *chain)
{
    for (size_t i = 0; i < vd_masked_feature_count; i++) {
        const uint8_t *link = vd_chain_find(chain, vd_masked_features[i].type);
        VkBool32 enabled = VK_FALSE;
        if (link)
            memcpy(&enabled, link + vd_masked_features[i].offset, sizeof(enabled));
        if (enabled)
            return true;
    }
    return false;
}

#endif
