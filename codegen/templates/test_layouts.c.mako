/* Generated from vk.xml: the generator's layouts against the compiler's. */
#include <assert.h>
#include <stddef.h>
#include <stdio.h>

#include "protocol/vk.h"

% for name in r.structs:
% if name not in p.left_out and not any(m.type in ("RROutput",) for m in r.structs[name].members):
<% size, align, fields = layouts.of_struct(name) %>\
static_assert(sizeof(${name}) == ${size}, "${name}");
static_assert(_Alignof(${name}) == ${align}, "${name}");
% for member, offset, _ in fields:
% if offset is not None:
static_assert(offsetof(${name}, ${member}) == ${offset}, "${name}.${member}");
% endif
% endfor
% endif
% endfor

int main(void)
{
    printf("layouts of ${len(r.structs.keys() - p.left_out.keys())} structs agree with the compiler\n");
    return 0;
}
