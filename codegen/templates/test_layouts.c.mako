/* Generated from vk.xml: the generator's layouts, which are the wire's, against the compiler's: of Vulkan's
 * structs, where those are what crosses, and of their mirrors anywhere. */
#include <assert.h>
#include <stddef.h>
#include <stdio.h>

#include "protocol/vk.h"
#include "protocol/wire.h"
#include "wire_structs.h"

<%def name="agrees(name, struct)">
<% size, align, fields = layouts.of_struct(struct) %>\
static_assert(sizeof(${name}) == ${size}, "${name}");
% for member, offset, _ in fields:
% if offset is not None:
static_assert(offsetof(${name}, ${member}) == ${offset}, "${name}.${member}");
% endif
% endfor
</%def>
<%
known = [n for n in r.structs
         if n not in p.left_out and not any(m.type == "RROutput" for m in r.structs[n].members)]
mirrored = wire.structs()
%>
#if VD_WIRE_IS_NATIVE
% for name in known:
${agrees(name, name)}
static_assert(_Alignof(${name}) == ${layouts.of_struct(name)[1]}, "${name}");
% endfor
#else
% for name in p.structs:
% if name not in mirrored:
${agrees(name, name)}
% endif
% endfor
#endif
% for name in mirrored:
${agrees("vd_wire_" + name, name)}
% endfor

int main(void)
{
    printf("layouts of ${len(r.structs.keys() - p.left_out.keys())} structs agree with the compiler\n");
    return 0;
}
