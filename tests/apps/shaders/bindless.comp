// SPDX-License-Identifier: MIT
#version 450
#extension GL_EXT_nonuniform_qualifier : require
#extension GL_EXT_buffer_reference : require

// An array of buffers of which most are not bound, and one that is known by its address alone.

layout(local_size_x = 1) in;

layout(buffer_reference, std430, buffer_reference_align = 4) buffer Words { uint words[]; };

layout(set = 0, binding = 0, std430) buffer Result { uint result[]; };
layout(set = 0, binding = 1, std430) readonly buffer Array { uint word; } arrays[];

layout(push_constant) uniform Push {
    Words address;
    uint index;
} push;

void main()
{
    result[0] = arrays[nonuniformEXT(push.index)].word;
    result[1] = push.address.words[3];
    push.address.words[4] = result[0] + result[1];
}
