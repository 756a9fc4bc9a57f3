// Deferred shading of a visibility buffer: texture, body-region recolouring, light, resolve over the background.
#pragma once

#include "ops/rasterize.h"

namespace smap {

constexpr int kRegionCount = 8;        // rows of `materials`: regions of the body
constexpr int kLightSize = 33;         // 9 x RGB irradiance coefficients, direction to the key light, its RGB
constexpr float kSameSurface = 0.05f;  // metres: samples of one mesh closer than this are shaded once per pixel

/// Pixel i of the flattened (picture, y, x) grid.
struct Shade {
  Meshes meshes;
  const int64_t* visibility;  // (B, height S, width S) of rasterize
  const float* normals;       // (V, 3) outward, any length, in the frame of the lights
  const float* materials;     // (I, kRegionCount, 3, 4) colour' = M [r, g, b, 1], colours in [0, 1]
  const float* lights;        // (B, kLightSize)
  const uint8_t* background;  // (B, height, width, 3)
  uint8_t* image;             // (B, height, width, 3); out
  int64_t height, width;

  SMAP_HOST_DEVICE void operator()(int64_t i) const {
    const int64_t b = i / (height * width), y = i / width % height, x = i % width;
    const int s = meshes.supersample;
    int64_t keys[kMaxSupersample * kMaxSupersample];
    int covered = 0;
    for (int sy = 0; sy < s; ++sy) {
      const int64_t* row = visibility + (b * height * s + y * s + sy) * width * s + x * s;
      for (int sx = 0; sx < s; ++sx) {
        keys[sy * s + sx] = row[sx];
        covered += row[sx] != kNothing;
      }
    }
    const uint8_t* behind = background + 3 * i;
    uint8_t* out = image + 3 * i;
    if (covered == 0) {
      for (int c = 0; c < 3; ++c) out[c] = behind[c];
      return;
    }
    // Light adds up linearly; display values are taken as its square root, which CPU and GPU compute alike.
    float sum[3];
    for (int c = 0; c < 3; ++c) {
      const float value = static_cast<float>(behind[c]) * (1.f / 255.f);
      sum[c] = static_cast<float>(s * s - covered) * value * value;
    }
    uint32_t done = 0;
    for (int first = 0; first < s * s; ++first) {
      if (keys[first] == kNothing || (done >> first & 1)) continue;
      const int32_t* instance = meshes.find(static_cast<uint32_t>(keys[first]));
      const float depth = 1.f / key_inverse_depth(keys[first]);
      float weight = 0.f;
      for (int other = first; other < s * s; ++other) {
        if (keys[other] == kNothing || (done >> other & 1)) continue;
        const int64_t local = static_cast<int64_t>(static_cast<uint32_t>(keys[other])) - instance[kFirstId];
        if (local < 0 || local >= instance[kTriangleCount]) continue;
        if (fabsf(1.f / key_inverse_depth(keys[other]) - depth) > kSameSurface) continue;
        done |= 1u << other;
        weight += 1.f;
      }
      float colour[3];
      surface(instance, static_cast<uint32_t>(keys[first]) - instance[kFirstId], x * s + first % s, y * s + first / s,
              lights + b * kLightSize, colour);
      for (int c = 0; c < 3; ++c) sum[c] += weight * colour[c];
    }
    const float share = 1.f / static_cast<float>(s * s);
    for (int c = 0; c < 3; ++c) {
      const float value = sum[c] * share;
      out[c] = static_cast<uint8_t>(sqrtf(value < 1.f ? value : 1.f) * 255.f + 0.5f);
    }
  }

 private:
  /// Linear colour of one triangle at a sample.
  SMAP_HOST_DEVICE void surface(const int32_t* instance, int64_t local, int64_t px, int64_t py, const float* light,
                                float (&out)[3]) const {
    out[0] = out[1] = out[2] = 0.f;
    ScreenTriangle t;
    if (!t.load(meshes, instance, local)) return;  // not what rasterize drew
    float w[3], total = 0.f;
    for (int k = 0; k < 3; ++k) {
      w[k] = static_cast<float>(t.edge(k, px, py)) / static_cast<float>(t.area) * t.inverse_depth[k];
      total += w[k];
    }
    float n[3] = {0.f, 0.f, 0.f}, u = 0.f, v = 0.f;
    for (int k = 0; k < 3; ++k) {
      const float share = w[k] / total;
      const float* normal = normals + 3 * (static_cast<int64_t>(instance[kFirstVertex]) + t.corner[k]);
      const float* at = meshes.uv + 2 * (static_cast<int64_t>(instance[kFirstUv]) + t.corner[k]);
      for (int c = 0; c < 3; ++c) n[c] += share * normal[c];
      u += share * at[0];
      v += share * at[1];
    }
    const float length = sqrtf(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]) + 1e-12f;
    const float facing = (t.back ? -1.f : 1.f) / length;
    for (int c = 0; c < 3; ++c) n[c] *= facing;

    float rgb[3];
    int region = kRegionCount - 1;
    sample(instance, t.mip_level(meshes, instance), u, v, rgb, region);
    const int64_t row = (instance - meshes.instances) / kInstanceColumns;
    const float* m = materials + (row * kRegionCount + region) * 12;
    for (int c = 0; c < 3; ++c, m += 4) {
      const float value = m[0] * rgb[0] + m[1] * rgb[1] + m[2] * rgb[2] + m[3];
      const float albedo = value < 0.f ? 0.f : (value > 1.f ? 1.f : value);
      out[c] = albedo * albedo * irradiance(n, light, c);
    }
  }

  /// Bilinear colour in [0, 1] and the nearest texel's region.
  SMAP_HOST_DEVICE void sample(const int32_t* instance, int level, float u, float v, float (&rgb)[3],
                               int& region) const {
    const Textures& textures = meshes.textures;
    const int64_t size = textures.size(instance[kTexture], level);
    const uint8_t* texels = textures.level(instance[kTexture], level);
    if (instance[kFlags] & kRegions) {
      const int found = textures.nearest(texels, size, u, v)[3];
      region = found < kRegionCount ? found : kRegionCount - 1;
    }
    const float last = static_cast<float>(size - 1);
    const float x = bound(u * static_cast<float>(size) - 0.5f, last),
                y = bound(v * static_cast<float>(size) - 0.5f, last);
    const int64_t x0 = static_cast<int64_t>(x), y0 = static_cast<int64_t>(y);
    const int64_t x1 = x0 + 1 < size ? x0 + 1 : x0, y1 = y0 + 1 < size ? y0 + 1 : y0;
    const float fx = x - static_cast<float>(x0), fy = y - static_cast<float>(y0);
    for (int c = 0; c < 3; ++c) {
      const float a = static_cast<float>(texels[4 * (y0 * size + x0) + c]);
      const float b = static_cast<float>(texels[4 * (y0 * size + x1) + c]);
      const float d = static_cast<float>(texels[4 * (y1 * size + x0) + c]);
      const float e = static_cast<float>(texels[4 * (y1 * size + x1) + c]);
      const float upper = a + (b - a) * fx, lower = d + (e - d) * fx;
      rgb[c] = (upper + (lower - upper) * fy) * (1.f / 255.f);
    }
  }

  /// Spherical-harmonics irradiance over pi plus the key light, one channel.
  SMAP_HOST_DEVICE static float irradiance(const float (&n)[3], const float* light, int c) {
    const float x = n[0], y = n[1], z = n[2];
    float e = 0.282095f * light[c] + 0.488603f * (y * light[3 + c] + z * light[6 + c] + x * light[9 + c]) +
              1.092548f * (x * y * light[12 + c] + y * z * light[15 + c] + x * z * light[21 + c]) +
              0.315392f * (3.f * z * z - 1.f) * light[18 + c] + 0.546274f * (x * x - y * y) * light[24 + c];
    if (e < 0.f) e = 0.f;
    const float cosine = x * light[27] + y * light[28] + z * light[29];
    return cosine > 0.f ? e + cosine * light[30 + c] : e;
  }

  SMAP_HOST_DEVICE static float bound(float value, float last) {
    if (!(value > 0.f)) return 0.f;
    return value < last ? value : last;
  }
};

}  // namespace smap
