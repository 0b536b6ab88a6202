/* Generated from vk.xml. */
#include "formats.h"

#include <stddef.h>

const struct vd_format *vd_format_info(VkFormat format)
{
    switch ((int)format) {
% for name, (size, extent, planes) in r.formats.items():
% if name in r.enums["VkFormat"]:
    case ${name}: {
        static const struct vd_format info = {${size}, ${extent[0]}, ${extent[1]}, ${extent[2]}, ${len(planes)}, {${", ".join("{%d, %d, %s}" % x for x in planes) or "{0, 0, VK_FORMAT_UNDEFINED}"}}};
        return &info;
    }
% endif
% endfor
    }
    return NULL;
}
