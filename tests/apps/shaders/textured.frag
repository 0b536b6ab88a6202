// SPDX-License-Identifier: MIT
#version 450

layout(location = 0) in vec2 texture_position;

layout(location = 0) out vec4 out_colour;

layout(set = 0, binding = 0) uniform Object {
    mat4 transform;
    vec4 tint;
} object;
layout(set = 0, binding = 1) uniform sampler2D picture;

void main()
{
    out_colour = texture(picture, texture_position) * object.tint;
}
