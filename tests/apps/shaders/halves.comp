#version 460
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_EXT_buffer_reference : require

layout(local_size_x = 8) in;

layout(buffer_reference, std430) buffer Results
{
    float values[];
};

layout(push_constant) uniform Push
{
    Results results;
};

void main()
{
    const uint i = gl_GlobalInvocationID.x;
    const float16_t x = float16_t(float(i) * 0.25 + 0.5);
    results.values[4 * i] = float(sin(x));
    results.values[4 * i + 1] = float(log2(x));
    results.values[4 * i + 2] = float(exp2(x));
    results.values[4 * i + 3] = float(pow(x, float16_t(1.5)));
}
