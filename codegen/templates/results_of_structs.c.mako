/* Generated from vk.xml. */
#include "results.h"

size_t vdc_output_size(VkStructureType type)
{
    switch ((int)type) {
% for s in g.client.zeroed():
    case ${s.stype}:
        return sizeof(${s.name});
% endfor
    }
    return 0;
}
