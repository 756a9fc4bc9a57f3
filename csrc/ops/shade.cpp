#include "ops/shade.h"

#include "ops/meshes.h"

namespace smap {

Tensor shade(const Tensor& visibility, const Tensor& screen, const Tensor& normals, const Tensor& uv,
             const Tensor& triangles, const Tensor& instances, const Tensor& materials, const Tensor& texels,
             const Tensor& textures, const Tensor& lights, const Tensor& background, int64_t supersample) {
  const int64_t pictures = background.dim() == 4 ? background.size(0) : 0;
  Shade body;
  body.background = elements<const uint8_t>(background, "background", {-1, -1, -1, 3}, screen);
  body.height = background.size(1);
  body.width = background.size(2);
  body.meshes = meshes_of(screen, uv, triangles, instances, texels, textures, pictures, supersample);
  body.visibility = elements<const int64_t>(visibility, "visibility",
                                            {pictures, body.height * supersample, body.width * supersample}, screen);
  body.normals = elements<const float>(normals, "normals", {screen.size(0), 3}, screen);
  body.materials = elements<const float>(materials, "materials", {instances.size(0), kRegionCount, 3, 4}, screen);
  body.lights = elements<const float>(lights, "lights", {pictures, kLightSize}, screen);
  Tensor out = empty(screen, {pictures, body.height, body.width, 3}, ScalarType::Byte);
  body.image = static_cast<uint8_t*>(out.data_ptr());
  run(body, pictures * body.height * body.width, screen);
  return out;
}

}  // namespace smap

SMAP_REGISTER(shade,
              "(Tensor visibility, Tensor screen, Tensor normals, Tensor uv, Tensor triangles, Tensor instances, "
              "Tensor materials, Tensor texels, Tensor textures, Tensor lights, Tensor background, int supersample) "
              "-> Tensor")
