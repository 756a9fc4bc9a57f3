// Relative depth of every limb of every person, read from the limb-depth maps (paper Sec. 3.3).
#pragma once

#include <cmath>

#include "core/half.h"
#include "core/view.h"

namespace smap {

/// Limb i of the flattened (image, person, limb) grid: a robust mean of the map along the limb.
template <class T>
struct ReadLimbDepths {
  static constexpr int kMaxSamples = 32;

  View<const T, 4> maps;          // (B, L, h, w) metres, child - parent
  View<const float, 4> xy;        // (B, J, K, 2) map pixels
  View<const int64_t, 3> people;  // (B, P, J) peak index, -1 none
  View<const int64_t, 2> limbs;   // (L, 2) parent, child
  int64_t stride = 4;             // input pixels per map pixel: the release rounds to input pixels
  int samples = 10;               // points along a limb
  bool child_alone = true;        // without the parent, read the child's own pixel; else the limb counts 0
  View<float, 3> out;             // (B, P, L) metres

  SMAP_HOST_DEVICE void operator()(int64_t i) const {
    const int64_t l = i % out.size[2], p = i / out.size[2] % out.size[1], b = i / out.size[2] / out.size[1];
    const int64_t parent = limbs(l, 0), child = limbs(l, 1);
    const int64_t from = peak(b, p, parent), to = peak(b, p, child);
    float value = 0;
    if (to >= 0 && from >= 0) {
      value = along(b, l, xy(b, parent, from, 0), xy(b, parent, from, 1), xy(b, child, to, 0), xy(b, child, to, 1));
    } else if (to >= 0 && child_alone) {
      value = at(b, l, pixel(xy(b, child, to, 0), maps.size[3]), pixel(xy(b, child, to, 1), maps.size[2]));
    }
    out(b, p, l) = value;
  }

  /// Peak of a person's joint or -1. What names no joint or no peak counts as none: a kernel cannot complain.
  SMAP_HOST_DEVICE int64_t peak(int64_t b, int64_t p, int64_t joint) const {
    if (joint < 0 || joint >= people.size[2]) return -1;
    const int64_t k = people(b, p, joint);
    return k < xy.size[2] ? k : -1;
  }

  /// Mean of the samples between two joints, clipped to their 10th and 90th percentile (linear interpolation).
  SMAP_HOST_DEVICE float along(int64_t b, int64_t l, float x0, float y0, float x1, float y1) const {
    // Places first and all values before the first comparison: maps are seldom in the cache.
    int32_t x[kMaxSamples], y[kMaxSamples];
    const float last = static_cast<float>(samples > 1 ? samples - 1 : 1);
    for (int s = 0; s < samples; ++s) {
      const float t = static_cast<float>(s) / last;
      x[s] = pixel(x0 + (x1 - x0) * t, maps.size[3]);
      y[s] = pixel(y0 + (y1 - y0) * t, maps.size[2]);
    }
    float values[kMaxSamples];
    for (int s = 0; s < samples; ++s) values[s] = at(b, l, x[s], y[s]);
    return samples <= 10 ? clipped_mean<2>(values) : clipped_mean<5>(values);
  }

  /// Only the lowest and highest values matter, so many that both percentiles lie among them, and only they are sorted.
  template <int kTail>
  SMAP_HOST_DEVICE float clipped_mean(const float* values) const {
    static_assert(kTail == 2 || kTail >= (kMaxSamples - 1) / 10 + 2);
    float lowest[kTail], highest[kTail];
    for (int i = 0; i < kTail; ++i) {
      lowest[i] = INFINITY;
      highest[i] = -INFINITY;
    }
    for (int s = 0; s < samples; ++s) {
      float up = values[s], down = values[s];
      for (int i = 0; i < kTail; ++i) {  // without a branch that the processor would guess wrong
        const float low = lowest[i], high = highest[i];
        lowest[i] = up < low ? up : low;
        up = up < low ? low : up;
        highest[i] = down > high ? down : high;
        down = down > high ? high : down;
      }
    }
    const float place = 0.1f * static_cast<float>(samples - 1);
    const int below = static_cast<int>(place), above = below + 1 < samples ? below + 1 : below;
    const float share = place - static_cast<float>(below);
    const float low = lowest[below] + (lowest[above] - lowest[below]) * share;
    const float high = highest[below] + (highest[above] - highest[below]) * share;
    float sum = 0;
    for (int s = 0; s < samples; ++s) sum += values[s] < low ? low : values[s] > high ? high : values[s];
    return sum / static_cast<float>(samples);
  }

  SMAP_HOST_DEVICE float at(int64_t b, int64_t l, int32_t x, int32_t y) const {
    return static_cast<float>(maps(b, l, y, x));
  }

  /// The pixel of a place on a map, which is rounded to an input pixel first (ties to even) as the release does. In
  /// floats and without branches: a CPU does four at a time, and a place may be farther away than an integer holds.
  SMAP_HOST_DEVICE int32_t pixel(float place, int64_t size) const {
    constexpr float kWhole = 3 << 22;  // a float this large has no fraction
    const float length = static_cast<float>(stride), end = static_cast<float>(size) * length;
    const float input = (place + 0.5f) * length, above = input > 0 ? input : 0, inside = above < end ? above : end;
    const float rounded = (inside + kWhole) - kWhole;
    // Half an input pixel keeps the quotient clear of the next one, however it is rounded.
    const int32_t pixel = static_cast<int32_t>((rounded + 0.5f) / length), last = static_cast<int32_t>(size - 1);
    return pixel < last ? pixel : last;
  }
};

}  // namespace smap
