// What is behind the people: pictures seen as planes or as a sphere around the camera, recoloured and shadowed.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/view.h"

namespace smap {

/// Columns of a layer. A layer shows one picture of the pool; the second lies over the first where its line is
/// positive.
enum LayerColumn {
  kImage = 0,      // row of `images`; negative: no such layer
  kSphere = 1,     // 1: the matrix gives directions (x right, y down, z ahead) in an equirectangular picture
  kMatrix = 2,     // 3x3, row by row: window pixel (x, y, 1) -> homogeneous texel, centres at integers
  kCrop = 11,      // x0, y0, width, height of the part of the picture that repeats by mirroring, texels
  kMean = 15,      // RGB that the picture fades to, 0 to 255
  kContrast = 18,  // 3-vector on (x, y, 1): share of the picture against its mean, limited to [0, kMost]
  kMost = 21,
  kLine = 22,  // 3-vector on (x, y, 1): positive where the layer is
  kLayerColumns = 25,
};

constexpr int kLayers = 2;
constexpr float kFarTimes = 1e6f;                   // repetitions of a crop beyond which its first texel stands for it
constexpr int kColourSize = 6;                      // gain and offset of each channel
constexpr int64_t kLongestSide = int64_t{1} << 30;  // of a picture, texels

/// Pixel i of the flattened (picture, y, x) grid.
struct Backdrop {
  const uint8_t* texels;  // (N,) RGB pictures one after the other
  const int64_t* images;  // (K, 3) first byte, width, height
  const float* layers;    // (B, kLayers, kLayerColumns)
  const float* colours;   // (B, kColourSize) colour' = gain colour + offset
  const float* shadows;   // (B, shadow_height, shadow_width) stretched over the picture: share of light that is left
  uint8_t* out;           // (B, height, width, 3)
  int64_t image_count, texel_count, height, width, shadow_height, shadow_width;
  float shadow_across, shadow_down;  // pixels of the shadows' mask per pixel

  SMAP_HOST_DEVICE void operator()(int64_t i) const { pixel(i / width / height, i / width % height, i % width); }

  SMAP_HOST_DEVICE void pixel(int64_t b, int64_t row, int64_t column) const {
    const int64_t i = (b * height + row) * width + column;
    const float x = static_cast<float>(column), y = static_cast<float>(row);
    const float* layer = layers + b * kLayers * kLayerColumns;
    const float* second = layer + kLayerColumns;
    if (second[kImage] >= 0.f && dot(second + kLine, x, y) > 0.f) layer = second;
    float rgb[3] = {0.f, 0.f, 0.f};
    if (layer[kImage] >= 0.f && layer[kImage] < static_cast<float>(image_count)) show(layer, x, y, rgb);
    const float light = shadow(b, x, y);
    const float* colour = colours + b * kColourSize;
    for (int c = 0; c < 3; ++c) {
      const float value = bound(colour[c] * rgb[c] + colour[3 + c], 255.f) * light;
      out[3 * i + c] = static_cast<uint8_t>(bound(value, 255.f) + 0.5f);
    }
  }

 private:
  SMAP_HOST_DEVICE static float dot(const float* v, float x, float y) { return v[0] * x + v[1] * y + v[2]; }

  SMAP_HOST_DEVICE static float bound(float value, float last) {
    if (!(value > 0.f)) return 0.f;
    return value < last ? value : last;
  }

  SMAP_HOST_DEVICE void show(const float* layer, float x, float y, float (&rgb)[3]) const {
    const int64_t* image = images + 3 * static_cast<int64_t>(layer[kImage]);
    const int64_t image_width = image[1], image_height = image[2];
    if (image_width < 1 || image_height < 1 || image_width > kLongestSide || image_height > kLongestSide ||
        image[0] < 0 || image[0] > texel_count - 3 * image_width * image_height) {
      return;
    }
    const float* m = layer + kMatrix;
    const float a = dot(m, x, y), b = dot(m + 3, x, y), c = dot(m + 6, x, y);
    float u, v;
    if (layer[kSphere] > 0.f) {
      constexpr float kPi = 3.14159265f;
      u = (atan2f(a, c) * (0.5f / kPi) + 0.5f) * static_cast<float>(image_width) - 0.5f;
      v = (atan2f(b, sqrtf(a * a + c * c)) * (1.f / kPi) + 0.5f) * static_cast<float>(image_height) - 0.5f;
    } else {
      const float* crop = layer + kCrop;
      const float inverse = 1.f / c;
      u = mirrored(a * inverse, crop[0], crop[2]);
      v = mirrored(b * inverse, crop[1], crop[3]);
    }
    const float share = bound(dot(layer + kContrast, x, y), layer[kMost]);
    bilinear(texels + image[0], image_width, image_height, u, v, layer[kSphere] > 0.f, rgb);
    for (int k = 0; k < 3; ++k) {
      const float mean = layer[kMean + k];
      rgb[k] = mean + share * (rgb[k] - mean);
    }
  }

  /// A coordinate in the crop that begins at `first` and repeats by mirroring.
  SMAP_HOST_DEVICE static float mirrored(float u, float first, float size) {
    float t = u + 0.5f - first;
    if (!(t >= 0.f && t <= size)) {  // most pixels are spared the division
      t *= 0.5f / size;
      if (!(fabsf(t) < kFarTimes)) return first;  // NaN and infinity of the horizon too
      t = 2.f * size * (t - static_cast<float>(static_cast<int64_t>(t)));
      if (t < 0.f) t = -t;
      if (t > size) t = 2.f * size - t;
    }
    return first + t - 0.5f;
  }

  SMAP_HOST_DEVICE static void bilinear(const uint8_t* picture, int64_t image_width, int64_t image_height, float u,
                                        float v, bool around, float (&rgb)[3]) {
    if (around && u < 0.f) u += static_cast<float>(image_width);
    const float x = bound(u, static_cast<float>(image_width - (around ? 0 : 1)));
    const float y = bound(v, static_cast<float>(image_height - 1));
    const int64_t x0 = static_cast<int64_t>(x), y0 = static_cast<int64_t>(y);
    const int64_t left = x0 < image_width ? x0 : 0;
    const int64_t right = left + 1 < image_width ? left + 1 : (around ? 0 : left);
    const int64_t below = y0 + 1 < image_height ? y0 + 1 : y0;
    const float fx = x - static_cast<float>(x0), fy = y - static_cast<float>(y0);
    const uint8_t* upper = picture + 3 * y0 * image_width;
    const uint8_t* lower = picture + 3 * below * image_width;
    for (int c = 0; c < 3; ++c) {
      const float p = upper[3 * left + c], q = upper[3 * right + c], r = lower[3 * left + c], s = lower[3 * right + c];
      const float top = p + (q - p) * fx, bottom = r + (s - r) * fx;
      rgb[c] = top + (bottom - top) * fy;
    }
  }

  SMAP_HOST_DEVICE float shadow(int64_t b, float x, float y) const {
    const float* mask = shadows + b * shadow_height * shadow_width;
    if (shadow_height == 1 && shadow_width == 1) return mask[0];
    const float u = bound((x + 0.5f) * shadow_across - 0.5f, static_cast<float>(shadow_width - 1));
    const float v = bound((y + 0.5f) * shadow_down - 0.5f, static_cast<float>(shadow_height - 1));
    const int64_t x0 = static_cast<int64_t>(u), y0 = static_cast<int64_t>(v);
    const int64_t x1 = x0 + 1 < shadow_width ? x0 + 1 : x0, y1 = y0 + 1 < shadow_height ? y0 + 1 : y0;
    const float fx = u - static_cast<float>(x0), fy = v - static_cast<float>(y0);
    const float* upper = mask + y0 * shadow_width;
    const float* lower = mask + y1 * shadow_width;
    const float top = upper[x0] + (upper[x1] - upper[x0]) * fx, bottom = lower[x0] + (lower[x1] - lower[x0]) * fx;
    return top + (bottom - top) * fy;
  }
};

}  // namespace smap
