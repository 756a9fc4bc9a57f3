#include "ops/rasterize.h"

#include "ops/meshes.h"

namespace smap {

Tensor rasterize(const Tensor& screen, const Tensor& uv, const Tensor& triangles, const Tensor& instances,
                 const Tensor& texels, const Tensor& textures, int64_t pictures, int64_t height, int64_t width,
                 int64_t supersample, int64_t total) {
  const int64_t size[3] = {pictures, height, width};
  check(pictures >= 0 && height > 0 && width > 0, "picture size", "be positive", shape_text(size, 3));
  check(total >= 0 && total <= INT32_MAX, "total", "be a count of triangles below 2^31", total);
  Rasterize body;
  const MeshTensors held(screen, uv, triangles, instances, texels, textures);
  body.meshes = held.meshes(pictures, supersample);
  body.height = height * supersample;
  body.width = width * supersample;
  Tensor out = empty(screen, {pictures, body.height, body.width}, ScalarType::Long);
  body.visibility = static_cast<int64_t*>(out.data_ptr());
  torch::stable::fill_(out, static_cast<double>(kNothing));
  if (body.meshes.instance_count == 0 || pictures == 0) return out;
#ifdef SMAP_WITH_CUDA
  run(body, total, screen);
#else
  // Mesh by mesh, so that a triangle need not look for its instance: half of the time of a small one.
  for (int64_t row = 0; row < body.meshes.instance_count; ++row) {
    const int32_t* instance = body.meshes.instance(row);
    for (int64_t local = 0; local < instance[kTriangleCount]; ++local) body.draw(instance, local);
  }
#endif
  return out;
}

}  // namespace smap

SMAP_REGISTER(rasterize,
              "(Tensor screen, Tensor uv, Tensor triangles, Tensor instances, Tensor texels, Tensor textures, "
              "int pictures, int height, int width, int supersample, int total) -> Tensor")
