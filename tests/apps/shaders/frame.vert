// SPDX-License-Identifier: MIT
#version 450

// A triangle that turns with the number of the frame.

layout(location = 0) out vec3 out_colour;

layout(push_constant) uniform Push { uint frame; } push;

void main()
{
    float angle = 0.1 * float(push.frame) + 2.0943951 * float(gl_VertexIndex);
    gl_Position = vec4(0.9 * cos(angle), 0.9 * sin(angle), 0.0, 1.0);
    out_colour = vec3(gl_VertexIndex == 0, gl_VertexIndex == 1, gl_VertexIndex == 2);
}
