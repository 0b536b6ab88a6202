#version 450

layout(local_size_x = 1) in;

layout(set = 0, binding = 0) buffer Result { uint value; };

void main()
{
    value = gl_WorkGroupID.x;
}
