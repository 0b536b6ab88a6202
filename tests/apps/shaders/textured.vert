// SPDX-License-Identifier: MIT
#version 450

layout(location = 0) in vec3 position;
layout(location = 1) in vec2 texture_position;

layout(location = 0) out vec2 out_texture_position;

layout(set = 0, binding = 0) uniform Object {
    mat4 transform;
    vec4 tint;
} object;

void main()
{
    gl_Position = object.transform * vec4(position, 1.0);
    out_texture_position = texture_position;
}
