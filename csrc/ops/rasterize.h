// The visibility buffer of a batch of pictures: which triangle is nearest at every sample.
//
// Coverage is exact: corners are snapped to 1/256 sample and edges are integers with the top-left rule, so triangles
// that share an edge never both cover a sample nor leave one out, and CPU and GPU agree. Of several triangles the
// nearest wins, then the lowest id: the order of drawing does not matter.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/view.h"

namespace smap {

/// Columns of the instance table: one row draws one mesh in one picture.
enum InstanceColumn {
  kPicture,        // index of the picture
  kFirstVertex,    // added to the mesh's indices to address `screen`
  kFirstUv,        // added to the mesh's indices to address `uv`
  kFirstTriangle,  // row of `triangles` where the mesh starts
  kTriangleCount,
  kTexture,  // row of `textures`
  kFlags,    // InstanceFlag
  kFirstId,  // triangles of all earlier rows: id of this mesh's first triangle
  kInstanceColumns,
};

enum InstanceFlag { kCullBack = 1, kAlphaTest = 2, kRegions = 4 };

/// Square RGBA textures with their mipmaps, one after the other in one array of bytes.
struct Textures {
  static constexpr int64_t kLargest = 1 << 19;  // texels along a side

  const uint8_t* texels;
  const int64_t* table;  // (N, 3) first byte, size of level 0, levels
  int64_t count;         // N

  SMAP_HOST_DEVICE int64_t size(int64_t texture, int level) const { return table[3 * texture + 1] >> level; }
  SMAP_HOST_DEVICE int levels(int64_t texture) const { return static_cast<int>(table[3 * texture + 2]); }

  /// Whether a row of the table lies inside so many bytes of texels.
  SMAP_HOST_DEVICE bool holds(int64_t texture, int64_t bytes) const {
    const int64_t first = table[3 * texture], side = table[3 * texture + 1], count_of_levels = table[3 * texture + 2];
    if (first < 0 || first > bytes || side < 1 || side > kLargest || count_of_levels < 1) return false;
    int64_t left = bytes - first;
    for (int l = 0; l < count_of_levels; ++l) {
      if (side >> l < 1) return false;
      left -= 4 * (side >> l) * (side >> l);
    }
    return left >= 0;
  }

  SMAP_HOST_DEVICE const uint8_t* level(int64_t texture, int level) const {
    int64_t offset = table[3 * texture];
    for (int l = 0; l < level; ++l) offset += 4 * size(texture, l) * size(texture, l);
    return texels + offset;
  }

  /// The texel that holds (u, v); coordinates outside [0, 1] take the nearest edge.
  SMAP_HOST_DEVICE const uint8_t* nearest(const uint8_t* level, int64_t size, float u, float v) const {
    return level + 4 * (clamp(v, size) * size + clamp(u, size));
  }

  SMAP_HOST_DEVICE static int64_t clamp(float u, int64_t size) {
    const float at = u * static_cast<float>(size);
    if (!(at > 0.f)) return 0;
    return at >= static_cast<float>(size) ? size - 1 : static_cast<int64_t>(at);
  }
};

constexpr int64_t kNothing = 0x7FF0000000000000;  // no triangle at this sample: beyond every key, exact as a double
constexpr int kSubpixel = 256;                    // snapped positions per sample
constexpr float kFarOutside = 1 << 20;            // pixels; corners beyond would overflow the integer edges
constexpr int kMaxSupersample = 4;
constexpr float kAlphaThreshold = 0.35f;

/// (depth, triangle) as one integer: smaller is nearer. High half: inverted bits of 1/z; low half: triangle id.
SMAP_HOST_DEVICE inline int64_t visibility_key(float inverse_depth, int32_t id) {
  uint32_t bits;
  memcpy(&bits, &inverse_depth, sizeof bits);
  return static_cast<int64_t>(0x7F800000u - bits) << 32 | static_cast<uint32_t>(id);
}

SMAP_HOST_DEVICE inline float key_inverse_depth(int64_t key) {
  const uint32_t bits = 0x7F800000u - static_cast<uint32_t>(key >> 32);
  float inverse_depth;
  memcpy(&inverse_depth, &bits, sizeof bits);
  return inverse_depth;
}

/// floorf without a call into the C library, which a CPU of any age would take for it.
SMAP_HOST_DEVICE inline int64_t floor_to_int(float value) {
  const int64_t whole = static_cast<int64_t>(value);
  return static_cast<float>(whole) > value ? whole - 1 : whole;
}

/// Meshes of a batch: what drawing and shading both read.
struct Meshes {
  const float* screen;       // (V, 3) x, y in pixels and 1/z in 1/m; 1/z <= 0 or NaN: behind the camera
  const float* uv;           // (U, 2) texture coordinates in [0, 1]
  const int32_t* triangles;  // (T, 3) indices into a mesh's vertices; counter-clockwise seen from outside
  const int32_t* instances;  // (I, kInstanceColumns)
  int64_t vertex_count, uv_count, triangle_count, instance_count, pictures;
  Textures textures;
  int supersample;  // samples per pixel along each axis

  SMAP_HOST_DEVICE const int32_t* instance(int64_t row) const { return instances + row * kInstanceColumns; }

  /// The instance that a triangle id belongs to.
  SMAP_HOST_DEVICE const int32_t* find(int64_t id) const {
    int64_t low = 0, high = instance_count - 1;
    while (low < high) {
      const int64_t middle = (low + high + 1) / 2;
      if (instance(middle)[kFirstId] <= id) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return instance(low);
  }
};

/// One projected triangle, wound so that its area is positive.
struct ScreenTriangle {
  int64_t x[3], y[3];  // corners in 1/kSubpixel samples
  float inverse_depth[3];
  int32_t corner[3];  // index within the mesh
  int64_t area;       // twice the area, squared subpixels
  bool back;          // seen from behind

  /// False when nothing can be drawn: degenerate, culled, partly behind the camera, or indices out of range.
  SMAP_HOST_DEVICE bool load(const Meshes& meshes, const int32_t* instance, int64_t local) {
    const int64_t row = instance[kFirstTriangle] + local;
    if (outside(row, meshes.triangle_count) || outside(instance[kPicture], meshes.pictures) ||
        outside(instance[kTexture], meshes.textures.count)) {
      return false;
    }
    const int32_t* indices = meshes.triangles + 3 * row;
    const float scale = static_cast<float>(meshes.supersample);
    for (int k = 0; k < 3; ++k) {
      corner[k] = indices[k];
      const int64_t vertex = static_cast<int64_t>(instance[kFirstVertex]) + indices[k];
      const int64_t uv_index = static_cast<int64_t>(instance[kFirstUv]) + indices[k];
      if (outside(vertex, meshes.vertex_count) || outside(uv_index, meshes.uv_count)) return false;
      const float* at = meshes.screen + 3 * vertex;
      if (!(at[2] > 0.f) || !(fabsf(at[0]) < kFarOutside) || !(fabsf(at[1]) < kFarOutside)) return false;
      inverse_depth[k] = at[2];
      x[k] = snap(at[0], scale);
      y[k] = snap(at[1], scale);
    }
    area = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0]);
    back = area > 0;  // y points down: a counter-clockwise triangle has negative area
    if (area == 0 || (back && (instance[kFlags] & kCullBack))) return false;
    if (area < 0) {
      area = -area;
      swap(x[1], x[2]);
      swap(y[1], y[2]);
      swap(inverse_depth[1], inverse_depth[2]);
      swap(corner[1], corner[2]);
    }
    return true;
  }

  /// Edge function opposite corner k at sample (px, py); the three sum to `area`.
  SMAP_HOST_DEVICE int64_t edge(int k, int64_t px, int64_t py) const {
    const int a = (k + 1) % 3, b = (k + 2) % 3;
    return (x[b] - x[a]) * (py * kSubpixel - y[a]) - (y[b] - y[a]) * (px * kSubpixel - x[a]);
  }

  /// 0 for edges whose samples belong to this triangle (top and left ones), -1 for the others.
  SMAP_HOST_DEVICE int64_t bias(int k) const {
    const int a = (k + 1) % 3, b = (k + 2) % 3;
    const int64_t dx = x[b] - x[a], dy = y[b] - y[a];
    return dy < 0 || (dy == 0 && dx > 0) ? 0 : -1;
  }

  /// Mipmap level at which a texel is about as large as a pixel, for the whole triangle; the texture repeats `repeats`
  /// times over the unit square.
  SMAP_HOST_DEVICE int mip_level(const Meshes& meshes, const int32_t* instance, int64_t texture,
                                 float repeats = 1.f) const {
    const float* t[3];
    for (int k = 0; k < 3; ++k) t[k] = meshes.uv + 2 * (static_cast<int64_t>(instance[kFirstUv]) + corner[k]);
    const float size = static_cast<float>(meshes.textures.size(texture, 0)) * repeats;
    float texels =
        fabsf((t[1][0] - t[0][0]) * (t[2][1] - t[0][1]) - (t[1][1] - t[0][1]) * (t[2][0] - t[0][0])) * size * size;
    const float step = static_cast<float>(kSubpixel * meshes.supersample);
    const float pixels = static_cast<float>(area) / (step * step);
    int level = 0;
    for (const int last = meshes.textures.levels(texture) - 1; level < last && texels > 2.f * pixels; ++level) {
      texels *= 0.25f;
    }
    return level;
  }

 private:
  SMAP_HOST_DEVICE static bool outside(int64_t index, int64_t count) { return index < 0 || index >= count; }

  SMAP_HOST_DEVICE static int64_t snap(float pixel, float scale) {
    return floor_to_int(((pixel + 0.5f) * scale - 0.5f) * kSubpixel + 0.5f);
  }

  template <class T>
  SMAP_HOST_DEVICE static void swap(T& a, T& b) {
    const T c = a;
    a = b;
    b = c;
  }
};

/// Triangle `id` of the batch.
struct Rasterize {
  Meshes meshes;
  int64_t* visibility;  // (B, height, width) in samples, kNothing before the first triangle; out
  int64_t height, width;

  SMAP_HOST_DEVICE void operator()(int64_t id) const {
    const int32_t* instance = meshes.find(id);
    draw(instance, id - instance[kFirstId]);
  }

  /// One triangle of a mesh.
  SMAP_HOST_DEVICE void draw(const int32_t* instance, int64_t local) const { draw<1, 1>(instance, local, 0, 0, 0); }

  /// Every `kColumns`-th sample of every `kRows`-th row of one triangle's box, from (column, row) of it on. False, and
  /// nothing is drawn, when the box holds more samples than `most`, if that is not 0.
  template <int kColumns, int kRows>
  SMAP_HOST_DEVICE bool draw(const int32_t* instance, int64_t local, int64_t column, int64_t row_of_box,
                             int64_t most) const {
    ScreenTriangle t;
    if (!t.load(meshes, instance, local)) return true;
    const int64_t first_x = first_sample(min3(t.x), 0), right = last_sample(max3(t.x), width);
    const int64_t first_y = first_sample(min3(t.y), 0), bottom = last_sample(max3(t.y), height);
    if (first_x > right || first_y > bottom) return true;
    if (most > 0 && (right - first_x + 1) * (bottom - first_y + 1) > most) return false;
    const int64_t left = first_x + column, top = first_y + row_of_box;
    const int32_t id = instance[kFirstId] + static_cast<int32_t>(local);
    const bool alpha_test = instance[kFlags] & kAlphaTest;
    const int level = alpha_test ? t.mip_level(meshes, instance, instance[kTexture]) : 0;
    const float scale = 1.f / static_cast<float>(t.area);

    int64_t row[3], bias[3], step_x[3], step_y[3];
    for (int k = 0; k < 3; ++k) {
      const int a = (k + 1) % 3, b = (k + 2) % 3;
      bias[k] = t.bias(k);
      row[k] = t.edge(k, left, top) + bias[k];
      step_x[k] = (t.y[a] - t.y[b]) * kSubpixel * kColumns;
      step_y[k] = (t.x[b] - t.x[a]) * kSubpixel * kRows;
    }
    int64_t* line = visibility + (instance[kPicture] * height + top) * width;
    for (int64_t py = top; py <= bottom; py += kRows, line += kRows * width) {
      int64_t e0 = row[0], e1 = row[1], e2 = row[2];
      for (int64_t px = left; px <= right; px += kColumns) {
        if ((e0 | e1 | e2) >= 0) {
          const float w0 = static_cast<float>(e0 - bias[0]) * scale * t.inverse_depth[0];
          const float w1 = static_cast<float>(e1 - bias[1]) * scale * t.inverse_depth[1];
          const float w2 = static_cast<float>(e2 - bias[2]) * scale * t.inverse_depth[2];
          const float inverse_depth = w0 + w1 + w2;
          if (inverse_depth > 0.f && (!alpha_test || opaque(instance, t, level, w0, w1, w2))) {
            store(line + px, visibility_key(inverse_depth, id));
          }
        }
        e0 += step_x[0];
        e1 += step_x[1];
        e2 += step_x[2];
      }
      for (int k = 0; k < 3; ++k) row[k] += step_y[k];
    }
    return true;
  }

 private:
  SMAP_HOST_DEVICE bool opaque(const int32_t* instance, const ScreenTriangle& t, int level, float w0, float w1,
                               float w2) const {
    const float* uv = meshes.uv + 2 * static_cast<int64_t>(instance[kFirstUv]);
    const float total = w0 + w1 + w2;
    const float u = (w0 * uv[2 * t.corner[0]] + w1 * uv[2 * t.corner[1]] + w2 * uv[2 * t.corner[2]]) / total;
    const float v =
        (w0 * uv[2 * t.corner[0] + 1] + w1 * uv[2 * t.corner[1] + 1] + w2 * uv[2 * t.corner[2] + 1]) / total;
    const Textures& textures = meshes.textures;
    const int64_t texture = instance[kTexture];
    const uint8_t* texel = textures.nearest(textures.level(texture, level), textures.size(texture, level), u, v);
    return static_cast<float>(texel[3]) >= kAlphaThreshold * 255.f;
  }

  SMAP_HOST_DEVICE static void store(int64_t* at, int64_t key) {
#ifdef __CUDA_ARCH__
    if (key < *at) atomicMin(reinterpret_cast<long long*>(at), static_cast<long long>(key));
#else
    if (key < *at) *at = key;
#endif
  }

  SMAP_HOST_DEVICE static int64_t min3(const int64_t (&v)[3]) {
    const int64_t m = v[0] < v[1] ? v[0] : v[1];
    return m < v[2] ? m : v[2];
  }
  SMAP_HOST_DEVICE static int64_t max3(const int64_t (&v)[3]) {
    const int64_t m = v[0] > v[1] ? v[0] : v[1];
    return m > v[2] ? m : v[2];
  }
  SMAP_HOST_DEVICE static int64_t first_sample(int64_t low, int64_t first) {
    const int64_t s = (low + kSubpixel - 1) >> 8;
    return s < first ? first : s;
  }
  SMAP_HOST_DEVICE static int64_t last_sample(int64_t high, int64_t count) {
    const int64_t s = high >> 8;
    return s < count ? s : count - 1;
  }
};

}  // namespace smap
