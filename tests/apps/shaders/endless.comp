#version 460
#extension GL_EXT_buffer_reference : require

layout(local_size_x = 1) in;

layout(buffer_reference, std430) coherent buffer State
{
    uint rounds;
    uint stop;
};

layout(push_constant) uniform Push
{
    State state;
};

/* What is counted can be seen from outside, so that no compiler may drop the loop. */
void main()
{
    while (atomicAdd(state.stop, 0) == 0)
        atomicAdd(state.rounds, 1);
}
