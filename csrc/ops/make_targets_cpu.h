// make_targets on the CPU: most of the output is zero, so clear one map, then visit only the pixels that somebody
// reaches, while the map is in the cache or, where they are few, without it ever being there. The arithmetic of a pixel
// is that of make_targets.h, to the bit; a native test holds the two together.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "ops/make_targets.h"

namespace smap {

/// Zeros. Of a map that is `sparse`, few of whose pixels are visited afterwards, past the cache: that spares reading
/// what is overwritten, which is half of the traffic.
template <class T>
void clear(T* map, int64_t count, [[maybe_unused]] bool sparse = false) {
  char *at = reinterpret_cast<char*>(map), *const end = at + count * static_cast<int64_t>(sizeof(T));
#if defined(__SSE2__)
  if (sparse) {
    while (at < end && reinterpret_cast<uintptr_t>(at) % sizeof(__m128i) != 0) *at++ = 0;
    const __m128i zero = _mm_setzero_si128();
    for (; end - at >= static_cast<int64_t>(sizeof zero); at += sizeof zero) {
      _mm_stream_si128(reinterpret_cast<__m128i*>(at), zero);
    }
    _mm_sfence();  // before another thread may be told of it
  }
#endif
  std::memset(at, 0, static_cast<size_t>(end - at));
}

/// Whether a map of a tensor is worth clearing past the cache: the tensor is larger than caches are, and at most a
/// `1 / kSparse` of the map is visited.
inline bool is_sparse(int64_t tensor_bytes, double visited, int64_t pixels) {
  constexpr int64_t kLarge = 1 << 20, kSparse = 16;
  return tensor_bytes > kLarge && visited * kSparse <= static_cast<double>(pixels);
}

/// One joint at one scale. `factor` has room for a row.
template <class T>
void paint_joint(const View<T, 2>& map, float jx, float jy, float sigma, std::vector<float>& factor) {
  const float reach = kHeatReach * sigma;
  const float left = std::fmax(std::ceil(jx - reach), 0.0f), top = std::fmax(std::ceil(jy - reach), 0.0f);
  const float right = std::fmin(std::floor(jx + reach), static_cast<float>(map.size[1] - 1));
  const float bottom = std::fmin(std::floor(jy + reach), static_cast<float>(map.size[0] - 1));
  if (!(left <= right && top <= bottom)) return;
  const int64_t x0 = static_cast<int64_t>(left), width = static_cast<int64_t>(right) - x0 + 1;
  for (int64_t x = 0; x < width; ++x) factor[x] = gaussian_factor(static_cast<float>(x0 + x) - jx, sigma);
  for (int64_t y = static_cast<int64_t>(top); y <= static_cast<int64_t>(bottom); ++y) {
    const float fy = gaussian_factor(static_cast<float>(y) - jy, sigma);
    T* row = &map(y, x0);
    for (int64_t x = 0; x < width; ++x) {
      const float value = heat(factor[x], fy), before = row[x];
      row[x] = narrow<T>(value > before ? value : before);
    }
  }
}

template <class T>
void paint_heatmaps(const MakeHeatmaps<T>& out) {
  const Crowd& c = out.crowd;
  const int64_t h = out.heatmaps.size[3], w = out.heatmaps.size[4];
  const int64_t bytes = out.heatmaps.numel() * static_cast<int64_t>(sizeof(T));
  std::vector<float> factor(static_cast<size_t>(w));
  for (int64_t b = 0; b < c.joints.size[0]; ++b) {
    for (int64_t s = 0; s < c.num_scales(); ++s) {
      const double side = 2.0 * kHeatReach * c.scales(s, 0) + 1;
      const bool sparse = is_sparse(bytes, static_cast<double>(c.people()) * side * side, h * w);
      for (int64_t j = 0; j < c.num_joints(); ++j) {
        const View<T, 2> map = out.heatmaps[b][s][j];
        clear(map.data, h * w, sparse);
        for (int64_t p = 0; p < c.people(); ++p) {
          if (!c.present(b, p, j)) continue;
          paint_joint(map, c.joints(b, p, j, 0), c.joints(b, p, j, 1), c.scales(s, 0), factor);
        }
      }
    }
  }
}

/// A pixel near a limb.
struct Reached {
  int32_t pixel;
  float square;  // of the distance
};

/// Appends every pixel within `half_width` of the limb; looks at little more than those.
inline void find_reached(const LimbTarget& t, float half_width, int64_t h, int64_t w, std::vector<Reached>& reached) {
  const float reach = half_width + 1e-3f, end_y = t.y + t.uy * t.length;
  const float top = std::fmax(std::ceil(std::fmin(t.y, end_y) - reach), 0.0f);
  const float bottom = std::fmin(std::floor(std::fmax(t.y, end_y) + reach), static_cast<float>(h - 1));
  if (!(top <= bottom)) return;
  for (int64_t y = static_cast<int64_t>(top); y <= static_cast<int64_t>(bottom); ++y) {
    // The part of the limb's axis that comes within reach of this row.
    float from = 0, to = t.length;
    if (std::fabs(t.uy) > 1e-4f) {
      const float a = (static_cast<float>(y) - reach - t.y) / t.uy, c = (static_cast<float>(y) + reach - t.y) / t.uy;
      from = std::fmax(from, std::fmin(a, c) - 1e-2f);
      to = std::fmin(to, std::fmax(a, c) + 1e-2f);
      if (from > to) continue;
    }
    const float xa = t.x + t.ux * from, xb = t.x + t.ux * to;
    const float left = std::fmax(std::ceil(std::fmin(xa, xb) - reach), 0.0f);
    const float right = std::fmin(std::floor(std::fmax(xa, xb) + reach), static_cast<float>(w - 1));
    if (!(left <= right)) continue;
    for (int64_t x = static_cast<int64_t>(left); x <= static_cast<int64_t>(right); ++x) {
      const float square = t.square_distance(static_cast<float>(x), static_cast<float>(y));
      if (square < half_width * half_width) reached.push_back({static_cast<int32_t>(y * w + x), square});
    }
  }
}

/// What the maps of one limb and scale say at a pixel.
template <class T>
struct LimbWriter {
  T *paf_x, *paf_y, *depth;

  struct Value {
    T paf_x, paf_y, depth;
  };
  static Value of(const LimbMean& mean) {
    return {narrow<T>(mean.paf_x()), narrow<T>(mean.paf_y()), narrow<T>(mean.depth())};
  }
  void operator()(int64_t pixel, const Value& value) const {
    paf_x[pixel] = value.paf_x;
    paf_y[pixel] = value.paf_y;
    depth[pixel] = value.depth;
  }
};

template <class T>
void paint_limbs(const MakeLimbs<T>& out) {
  const Crowd& c = out.crowd;
  const int64_t h = out.limb_depths.size[3], w = out.limb_depths.size[4];
  const int64_t bytes = out.limb_depths.numel() * static_cast<int64_t>(sizeof(T));
  float widest = 0;
  for (int64_t s = 0; s < c.num_scales(); ++s) widest = std::fmax(widest, c.scales(s, 1));
  // Per pixel: nobody, the only limb there, or -2 - (its place in `crossings`).
  constexpr int32_t kNobody = -1;
  std::vector<int32_t> owner(static_cast<size_t>(h * w), kNobody);
  struct Crossing {
    int32_t pixel;
    LimbMean mean;
  };
  std::vector<Crossing> crossings;
  std::vector<LimbTarget> limbs;
  std::vector<typename LimbWriter<T>::Value> alone;  // where no other limb is
  std::vector<Reached> reached;                      // of all limbs
  std::vector<size_t> ends;                          // of each limb's share of `reached`
  for (int64_t b = 0; b < c.joints.size[0]; ++b) {
    for (int64_t l = 0; l < c.num_limbs(); ++l) {
      limbs.clear();
      alone.clear();
      reached.clear();
      ends.clear();
      for (int64_t p = 0; p < c.people(); ++p) {
        const LimbTarget t = LimbTarget::of(c, b, p, l);
        if (!t.present) continue;
        find_reached(t, widest, h, w, reached);
        ends.push_back(reached.size());
        limbs.push_back(t);
        LimbMean mean;
        mean.add(t);
        alone.push_back(LimbWriter<T>::of(mean));
      }
      for (int64_t s = 0; s < c.num_scales(); ++s) {
        const LimbWriter<T> write{&out.pafs(b, s, l, 0, 0, 0), &out.pafs(b, s, l, 1, 0, 0),
                                  &out.limb_depths(b, s, l, 0, 0)};
        const bool sparse = is_sparse(bytes, static_cast<double>(reached.size()), h * w);
        clear(write.paf_x, 2 * h * w, sparse);
        clear(write.depth, h * w, sparse);
        const float half_width = c.scales(s, 1), limit = half_width * half_width;
        crossings.clear();
        size_t i = 0;
        for (size_t k = 0; k < limbs.size(); ++k) {
          for (; i < ends[k]; ++i) {
            if (!(reached[i].square < limit)) continue;
            int32_t& at = owner[reached[i].pixel];
            if (at == kNobody) {
              at = static_cast<int32_t>(k);
              write(reached[i].pixel, alone[k]);
              continue;
            }
            if (at >= 0) {
              crossings.push_back({reached[i].pixel, LimbMean{}});
              crossings.back().mean.add(limbs[at]);
              at = -1 - static_cast<int32_t>(crossings.size());
            }
            crossings[-2 - at].mean.add(limbs[k]);
          }
        }
        for (const Crossing& crossing : crossings) write(crossing.pixel, LimbWriter<T>::of(crossing.mean));
        for (const Reached& r : reached) owner[r.pixel] = kNobody;
      }
    }
  }
}

inline void paint_roots(const MakeRoots& out) {
  const Crowd& c = out.crowd;
  const int64_t h = out.root_depth.size[1], w = out.root_depth.size[2];
  clear(out.root_depth.data, out.root_depth.numel());
  clear(out.root_weight.data, out.root_weight.numel());
  for (int64_t b = 0; b < c.joints.size[0]; ++b) {
    for (int64_t p = 0; p < c.people(); ++p) {
      const RootTarget t = RootTarget::of(c, b, p);
      if (!t.present) continue;
      for (int64_t y = t.y - kRootReach; y <= t.y + kRootReach; ++y) {
        for (int64_t x = t.x - kRootReach; x <= t.x + kRootReach; ++x) {
          if (y >= 0 && y < h && x >= 0 && x < w) out((b * h + y) * w + x);
        }
      }
    }
  }
}

}  // namespace smap
