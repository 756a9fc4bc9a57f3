// Deferred shading of a visibility buffer: texture, body-region recolouring, light, resolve over the background.
#pragma once

#include "ops/rasterize.h"

namespace smap {

constexpr int kRegionCount = 10;  // rows of `materials`: regions of the body
// 9 x RGB irradiance coefficients, direction to the key light, its RGB, crease darkening: strength, radius x focal
// length
constexpr int kLightSize = 35;
constexpr int kPatternSize = 4;        // texture row, repeats, strength (negative: replaces the colour), set of regions
constexpr float kSameSurface = 0.05f;  // metres: samples of one mesh closer than this are shaded once per pixel
constexpr float kCreaseNear = 0.02f;   // metres of height difference that darken nothing
constexpr float kCreaseDepth = 0.2f;   // metres that darken most
constexpr float kCreaseFarthest = 0.3f;  // metres: what is nearer than this by more darkens no more

/// Pixel i of the flattened (picture, y, x) grid.
struct Shade {
  Meshes meshes;
  const int64_t* visibility;  // (B, height S, width S) of rasterize
  const float* normals;       // (V, 3) outward, any length, in the frame of the lights
  const float* materials;     // (I, kRegionCount, 3, 4) colour' = M [r, g, b, 1], colours in [0, 1]
  const float* patterns;      // (I, kPatternSize) a second texture over the set of regions; strength 0: none
  const float* lights;        // (B, kLightSize)
  const uint8_t* background;  // (B, height, width, 3)
  uint8_t* image;             // (B, height, width, 3); out
  int64_t height, width;

  SMAP_HOST_DEVICE void operator()(int64_t i) const { pixel(i / (height * width), i / width % height, i % width); }

  SMAP_HOST_DEVICE void pixel(int64_t b, int64_t y, int64_t x) const {
    const int64_t i = (b * height + y) * width + x;
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
    if (covered == 0 || meshes.instance_count == 0) {
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
      weight *= openness(b, y * s + first / s, x * s + first % s, depth, lights + b * kLightSize);
      for (int c = 0; c < 3; ++c) sum[c] += weight * colour[c];
    }
    const float share = 1.f / static_cast<float>(s * s);
    for (int c = 0; c < 3; ++c) {
      out[c] = static_cast<uint8_t>(sqrtf(bound(sum[c] * share, 1.f)) * 255.f + 0.5f);
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
    const int64_t texture = instance[kTexture];
    const int level = t.mip_level(meshes, instance, texture);
    if (instance[kFlags] & kRegions) {
      const int found =
          meshes.textures.nearest(meshes.textures.level(texture, level), meshes.textures.size(texture, level), u, v)[3];
      region = found < kRegionCount ? found : kRegionCount - 1;
    }
    sample(texture, level, u, v, rgb);
    const int64_t row = (instance - meshes.instances) / kInstanceColumns;
    const float* pattern = patterns + row * kPatternSize;
    float print[3] = {0.5f, 0.5f, 0.5f};
    const bool set = pattern[3] > 0.f && pattern[3] < static_cast<float>(1 << kRegionCount);
    float strength = set && (static_cast<int>(pattern[3]) >> region & 1) ? pattern[2] : 0.f;
    if (strength != 0.f && pattern[0] >= 0.f && pattern[0] < static_cast<float>(meshes.textures.count)) {
      const int64_t second = static_cast<int64_t>(pattern[0]);
      const float repeats = pattern[1];
      const float pu = u * repeats, pv = v * repeats;
      sample(second, t.mip_level(meshes, instance, second, repeats), pu - floorf(pu), pv - floorf(pv), print);
    } else {
      strength = 0.f;
    }
    const float* m = materials + (row * kRegionCount + region) * 12;
    for (int c = 0; c < 3; ++c, m += 4) {
      const float plain = m[0] * rgb[0] + m[1] * rgb[1] + m[2] * rgb[2] + m[3];
      const float value =
          strength < 0.f ? plain - strength * (print[c] - plain) : plain * (1.f + strength * (2.f * print[c] - 1.f));
      const float albedo = value < 0.f ? 0.f : (value > 1.f ? 1.f : value);
      out[c] = albedo * albedo * irradiance(n, light, c);
    }
  }

  /// Share of the light that reaches a sample in a crease: samples around it, in opposite pairs so that slanted
  /// surfaces cancel, count as far as they rise above it.
  SMAP_HOST_DEVICE float openness(int64_t b, int64_t py, int64_t px, float depth, const float* light) const {
    const float strength = light[33];
    if (!(strength > 0.f)) return 1.f;
    const int64_t rows = height * meshes.supersample, columns = width * meshes.supersample;
    float radius = light[34] / depth * static_cast<float>(meshes.supersample);
    radius = !(radius > 1.f) ? 1.f : (radius > 48.f ? 48.f : radius);
    const int64_t far = static_cast<int64_t>(radius + 0.5f), near = static_cast<int64_t>(0.5f * radius + 0.5f);
    const int64_t steps[4][2] = {{far, 0}, {0, far}, {near, near}, {near, -near}};
    float rise = 0.f;
    for (int k = 0; k < 4; ++k) {
      float pair = -kCreaseNear;
      for (int sign = -1; sign <= 1; sign += 2) {
        const int64_t x = px + sign * steps[k][0], y = py + sign * steps[k][1];
        float above = -kCreaseFarthest;
        if (x >= 0 && x < columns && y >= 0 && y < rows) {
          const int64_t key = visibility[(b * rows + y) * columns + x];
          if (key != kNothing) above = depth - 1.f / key_inverse_depth(key);
        }
        pair += above < -kCreaseFarthest ? -kCreaseFarthest : (above > kCreaseFarthest ? kCreaseFarthest : above);
      }
      rise += pair < 0.f ? 0.f : (pair > kCreaseDepth ? kCreaseDepth : pair);
    }
    return 1.f - strength * rise * (1.f / (4.f * kCreaseDepth));
  }

  /// Bilinear colour in [0, 1].
  SMAP_HOST_DEVICE void sample(int64_t texture, int level, float u, float v, float (&rgb)[3]) const {
    const int64_t size = meshes.textures.size(texture, level);
    const uint8_t* texels = meshes.textures.level(texture, level);
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
