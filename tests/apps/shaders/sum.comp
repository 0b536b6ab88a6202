// SPDX-License-Identifier: MIT
#version 450

// Adds up an array, modulo 2^32: each workgroup in shared memory, then one atomic per group.

layout(local_size_x_id = 0) in;

layout(set = 0, binding = 0) readonly buffer Source { uint source[]; };
layout(set = 0, binding = 1) buffer Result { uint total; };

layout(push_constant) uniform Push { uint count; } push;

shared uint partial[gl_WorkGroupSize.x];

void main()
{
    uint i = gl_GlobalInvocationID.x;
    partial[gl_LocalInvocationIndex] = i < push.count ? source[i] : 0;
    barrier();
    for (uint stride = gl_WorkGroupSize.x / 2; stride > 0; stride /= 2) {
        if (gl_LocalInvocationIndex < stride)
            partial[gl_LocalInvocationIndex] += partial[gl_LocalInvocationIndex + stride];
        barrier();
    }
    if (gl_LocalInvocationIndex == 0)
        atomicAdd(total, partial[0]);
}
