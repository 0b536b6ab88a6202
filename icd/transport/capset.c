/* SPDX-License-Identifier: MIT */
#include "icd/transport.h"

bool vdc_capset_is_valid(const struct vd_capset *capset)
{
    if (capset->stype_count > VD_CAPSET_STYPES ||
        capset->extensions_size > sizeof(capset->extensions))
        return false;
    for (uint32_t i = 1; i < capset->stype_count; i++)
        if (capset->stypes[i] <= capset->stypes[i - 1])
            return false;
    return !capset->extensions_size || !capset->extensions[capset->extensions_size - 1];
}
