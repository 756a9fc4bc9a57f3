// The tensors that rasterize and shade share, checked once.
#pragma once

#include "ops/op.h"
#include "ops/rasterize.h"

namespace smap {

/// What a `Meshes` points to, kept alive.
struct MeshTensors {
  Tensor screen, uv, triangles, instances, texels, textures;

  MeshTensors(const Tensor& screen, const Tensor& uv, const Tensor& triangles, const Tensor& instances,
              const Tensor& texels, const Tensor& textures)
      : screen(dense(screen)),
        uv(dense(uv)),
        triangles(dense(triangles)),
        instances(dense(instances)),
        texels(dense(texels)),
        textures(dense(textures)) {}

  Meshes meshes(int64_t pictures, int64_t supersample) const {
    check(supersample >= 1 && supersample <= kMaxSupersample, "supersample", "be 1 to 4", supersample);
    Meshes m;
    m.screen = elements<const float>(screen, "screen", {-1, 3}, screen);
    m.uv = elements<const float>(uv, "uv", {-1, 2}, screen);
    m.triangles = elements<const int32_t>(triangles, "triangles", {-1, 3}, screen);
    m.instances = elements<const int32_t>(instances, "instances", {-1, kInstanceColumns}, screen);
    m.textures.texels = elements<const uint8_t>(texels, "texels", {-1}, screen);
    m.textures.table = elements<const int64_t>(textures, "textures", {-1, 3}, screen);
    m.textures.count = textures.size(0);
    m.vertex_count = screen.size(0);
    m.uv_count = uv.size(0);
    m.triangle_count = triangles.size(0);
    m.instance_count = instances.size(0);
    m.pictures = pictures;
    m.supersample = static_cast<int>(supersample);
#ifndef SMAP_WITH_CUDA  // reading the table back would wait for the device
    for (int64_t i = 0; i < m.textures.count; ++i) {
      check(m.textures.holds(i, texels.size(0)), "textures", "lie inside texels", "row " + std::to_string(i));
    }
#endif
    return m;
  }
};

}  // namespace smap
