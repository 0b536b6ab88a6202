// SPDX-License-Identifier: MIT
#version 450

// One step of an integer hash over a big array; which step is a matter of specialisation.

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint OPERATION = 0;
layout(constant_id = 2) const bool INVERT = false;

layout(set = 0, binding = 0) readonly buffer Source { uint source[]; };
layout(set = 0, binding = 1) writeonly buffer Target { uint target[]; };

layout(push_constant) uniform Push {
    uint count;
    uint factor;
    uint addend;
} push;

void main()
{
    uint i = gl_GlobalInvocationID.x;
    if (i >= push.count)
        return;

    uint value = source[i];
    if (OPERATION == 0)
        value = value * push.factor + push.addend;
    else if (OPERATION == 1)
        value = (value ^ (value >> 15)) * push.factor ^ push.addend;
    else
        value = value + source[(i + push.addend) % push.count] * push.factor;
    target[i] = INVERT ? ~value : value;
}
