#version 450

layout(set = 0, binding = 0) uniform Colour { vec4 colour; };

layout(location = 0) out vec4 out_colour;

void main()
{
    out_colour = colour;
}
