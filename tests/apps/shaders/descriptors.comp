// SPDX-License-Identifier: MIT
#version 450
#extension GL_EXT_samplerless_texture_functions : require

// Reads one of everything that a descriptor can be, and writes down what it found.

layout(local_size_x = 1) in;

layout(set = 0, binding = 0, std430) buffer Result { uint result[]; };
layout(set = 0, binding = 1) uniform Uniform { uvec4 words[2]; } uniform_buffer;
layout(set = 0, binding = 2, r32ui) uniform uimageBuffer storage_texels;
layout(set = 0, binding = 3) uniform utextureBuffer uniform_texels;
layout(set = 0, binding = 4) uniform usampler2D combined[2];
layout(set = 0, binding = 5) uniform utexture2D sampled;
layout(set = 0, binding = 6) uniform sampler immutable_sampler;
layout(set = 0, binding = 7, r32ui) uniform uimage2D storage_image;
layout(set = 0, binding = 8) uniform Inline { uvec4 words[2]; } inline_block;
layout(set = 0, binding = 9, std430) readonly buffer Dynamic { uint word; } dynamic_storage;
layout(set = 0, binding = 10) uniform DynamicUniform { uint word; } dynamic_uniform;
layout(set = 0, binding = 13) uniform usampler2D immutable_combined;

void main()
{
    result[0] = uniform_buffer.words[1].y;
    result[1] = imageLoad(storage_texels, 3).x;
    result[2] = texelFetch(uniform_texels, 2).x;
    result[3] = texture(combined[0], vec2(0.5)).x;
    result[4] = texture(combined[1], vec2(0.5)).x;
    result[5] = texelFetch(sampled, ivec2(0), 0).x;
    result[6] = texture(usampler2D(sampled, immutable_sampler), vec2(0.5)).x;
    result[7] = imageLoad(storage_image, ivec2(0)).x;
    result[8] = inline_block.words[1].z;
    result[9] = dynamic_storage.word;
    result[10] = dynamic_uniform.word;
    result[11] = texture(immutable_combined, vec2(0.5)).x;
    imageStore(storage_image, ivec2(0), uvec4(result[7] + 1));
    imageStore(storage_texels, 3, uvec4(result[1] + 1));
}
