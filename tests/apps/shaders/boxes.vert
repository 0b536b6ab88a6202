// SPDX-License-Identifier: MIT
#version 450

// A box per instance, made from the vertex number alone: 36 vertices.

layout(location = 0) out vec3 out_colour;

layout(push_constant) uniform Push {
    mat4 transform;
    vec4 colour;
    vec4 step; // from one instance to the next
} push;

const vec3 corners[8] = vec3[](
    vec3(-1, -1, -1), vec3(1, -1, -1), vec3(-1, 1, -1), vec3(1, 1, -1),
    vec3(-1, -1, 1), vec3(1, -1, 1), vec3(-1, 1, 1), vec3(1, 1, 1));
const uint faces[36] = uint[](
    0, 1, 2, 2, 1, 3,
    4, 6, 5, 5, 6, 7,
    0, 4, 1, 1, 4, 5,
    2, 3, 6, 6, 3, 7,
    0, 2, 4, 4, 2, 6,
    1, 5, 3, 3, 5, 7);

void main()
{
    vec3 corner = corners[faces[gl_VertexIndex]];
    gl_Position = push.transform * vec4(corner + push.step.xyz * float(gl_InstanceIndex), 1.0);
    float shade = 0.4 + 0.1 * float(gl_VertexIndex / 6);
    out_colour = push.colour.rgb * shade + vec3(0.08 * float(gl_InstanceIndex));
}
