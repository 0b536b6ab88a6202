#version 450

layout(location = 0) in vec4 position;

layout(push_constant) uniform Push { vec4 offset; } push;

void main()
{
    gl_Position = position + push.offset;
}
