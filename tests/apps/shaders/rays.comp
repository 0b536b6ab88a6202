// SPDX-License-Identifier: MIT
#version 460
#extension GL_EXT_ray_query : require

// A ray straight down for each place of a grid; what it hits, and how far away.

layout(local_size_x = 1) in;

layout(set = 0, binding = 0) uniform accelerationStructureEXT scene;
layout(set = 0, binding = 1, std430) buffer Result { uvec4 result[]; };

layout(push_constant) uniform Push { uint mask; } push;

void main()
{
    uint width = gl_NumWorkGroups.x;
    // Off the diagonals, on which triangles meet.
    vec2 place = (vec2(gl_GlobalInvocationID.xy) + vec2(0.375, 0.5)) / float(width) * 4.0;
    rayQueryEXT query;
    rayQueryInitializeEXT(query, scene, gl_RayFlagsOpaqueEXT, push.mask, vec3(place, 10.0), 0.0,
                          vec3(0.0, 0.0, -1.0), 100.0);
    while (rayQueryProceedEXT(query)) {
    }
    uvec4 hit = uvec4(0);
    if (rayQueryGetIntersectionTypeEXT(query, true) ==
        gl_RayQueryCommittedIntersectionTriangleEXT) {
        hit = uvec4(1 + rayQueryGetIntersectionInstanceCustomIndexEXT(query, true),
                    rayQueryGetIntersectionGeometryIndexEXT(query, true),
                    rayQueryGetIntersectionPrimitiveIndexEXT(query, true),
                    uint(round(rayQueryGetIntersectionTEXT(query, true) * 16.0)));
    }
    result[gl_GlobalInvocationID.y * width + gl_GlobalInvocationID.x] = hit;
}
