// SPDX-License-Identifier: MIT
#version 450

layout(local_size_x = 1) in;

layout(set = 0, binding = 0, std430) buffer Result { uint result[]; };
layout(set = 0, binding = 1) uniform Uniform { uint word; } uniform_buffer;
layout(set = 0, binding = 2) uniform usampler2D combined[2];
layout(set = 0, binding = 4, r32ui) uniform readonly uimageBuffer texels;

layout(push_constant) uniform Push { uint slot; } push;

void main()
{
    result[push.slot * 4 + 0] = uniform_buffer.word;
    result[push.slot * 4 + 1] = texture(combined[0], vec2(0.5)).x;
    result[push.slot * 4 + 2] = texture(combined[1], vec2(0.5)).x;
    result[push.slot * 4 + 3] = imageLoad(texels, 0).x;
}
