#include "ops/backdrop.h"

#include "ops/meshes.h"

namespace smap {

Tensor backdrop(const Tensor& texels, const Tensor& images, const Tensor& layers, const Tensor& colours,
                const Tensor& shadows, int64_t height, int64_t width) {
  const Tensor pool = dense(texels), table = dense(images), planes = dense(layers), tones = dense(colours);
  const Tensor masks = dense(shadows);
  const int64_t size[2] = {height, width};
  check(height > 0 && width > 0, "picture size", "be positive", shape_text(size, 2));
  Backdrop body;
  body.texels = elements<const uint8_t>(pool, "texels", {-1}, layers);
  body.images = elements<const int64_t>(table, "images", {-1, 3}, layers);
  body.layers = elements<const float>(planes, "layers", {-1, kLayers, kLayerColumns}, layers);
  const int64_t pictures = planes.size(0);
  body.colours = elements<const float>(tones, "colours", {pictures, kColourSize}, layers);
  body.shadows = elements<const float>(masks, "shadows", {pictures, -1, -1}, layers);
  body.image_count = table.size(0);
  body.texel_count = pool.size(0);
  body.height = height;
  body.width = width;
  body.shadow_height = masks.size(1);
  body.shadow_width = masks.size(2);
  body.shadow_across = static_cast<float>(body.shadow_width) / static_cast<float>(width);
  body.shadow_down = static_cast<float>(body.shadow_height) / static_cast<float>(height);
  check(pictures == 0 || (body.shadow_height > 0 && body.shadow_width > 0), "shadows", "have pixels",
        shape_text(masks.sizes().data(), masks.dim()));
  Tensor out = empty(layers, {pictures, height, width, 3}, ScalarType::Byte);
  body.out = static_cast<uint8_t*>(out.data_ptr());
  run_pixels(body, pictures, height, width, layers);
  return out;
}

}  // namespace smap

SMAP_REGISTER(backdrop,
              "(Tensor texels, Tensor images, Tensor layers, Tensor colours, Tensor shadows, int height, int width) "
              "-> Tensor")
