// The tensors that rasterize and shade share, checked once.
#pragma once

#include "ops/op.h"
#include "ops/rasterize.h"

namespace smap {

/// The elements of a contiguous tensor of this shape (-1 is free).
template <class T, size_t N>
T* elements(const Tensor& t, const char* what, const int64_t (&shape)[N], const Tensor& like) {
  check_same_device(t, what, like);
  T* data = view<T>(t, what, shape).data;
  check(t.is_contiguous(), what, "be contiguous", "strides");
  return data;
}

inline Meshes meshes_of(const Tensor& screen, const Tensor& uv, const Tensor& triangles, const Tensor& instances,
                        const Tensor& texels, const Tensor& textures, int64_t pictures, int64_t supersample) {
  check(supersample >= 1 && supersample <= 4, "supersample", "be 1 to 4", supersample);
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
  return m;
}

}  // namespace smap
