#include "ops/shade.h"

#include "ops/meshes.h"

namespace smap {

Tensor shade(const Tensor& visibility, const Tensor& screen, const Tensor& normals, const Tensor& uv,
             const Tensor& triangles, const Tensor& instances, const Tensor& materials, const Tensor& patterns,
             const Tensor& texels, const Tensor& textures, const Tensor& lights, const Tensor& background,
             int64_t supersample) {
  const MeshTensors held(screen, uv, triangles, instances, texels, textures);
  const Tensor keys = dense(visibility), directions = dense(normals), colours = dense(materials);
  const Tensor prints = dense(patterns), light = dense(lights), behind = dense(background);
  Shade body;
  body.background = elements<const uint8_t>(behind, "background", {-1, -1, -1, 3}, screen);
  const int64_t pictures = behind.size(0);
  body.height = behind.size(1);
  body.width = behind.size(2);
  body.meshes = held.meshes(pictures, supersample);
  body.visibility = elements<const int64_t>(keys, "visibility",
                                            {pictures, body.height * supersample, body.width * supersample}, screen);
  body.normals = elements<const float>(directions, "normals", {screen.size(0), 3}, screen);
  body.materials = elements<const float>(colours, "materials", {instances.size(0), kRegionCount, 3, 4}, screen);
  body.patterns = elements<const float>(prints, "patterns", {instances.size(0), kPatternSize}, screen);
  body.lights = elements<const float>(light, "lights", {pictures, kLightSize}, screen);
  Tensor out = empty(screen, {pictures, body.height, body.width, 3}, ScalarType::Byte);
  body.image = static_cast<uint8_t*>(out.data_ptr());
  run_pixels(body, pictures, body.height, body.width, screen);
  return out;
}

}  // namespace smap

SMAP_REGISTER(shade,
              "(Tensor visibility, Tensor screen, Tensor normals, Tensor uv, Tensor triangles, Tensor instances, "
              "Tensor materials, Tensor patterns, Tensor texels, Tensor textures, Tensor lights, Tensor background, "
              "int supersample) "
              "-> Tensor")
