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
      value = at(b, l, xy(b, child, to, 0), xy(b, child, to, 1));
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
    float values[kMaxSamples];
    for (int s = 0; s < samples; ++s) {  // all before the first comparison: maps are seldom in the cache
      const float t = samples > 1 ? static_cast<float>(s) / static_cast<float>(samples - 1) : 0.f;
      values[s] = at(b, l, x0 + (x1 - x0) * t, y0 + (y1 - y0) * t);
    }
    for (int last = samples - 1; last > 0; --last) {  // without a branch that the processor would guess wrong
      for (int s = 0; s < last; ++s) {
        const float here = values[s], next = values[s + 1];
        values[s] = next < here ? next : here;
        values[s + 1] = next < here ? here : next;
      }
    }
    const float low = percentile(values, 0.1f), high = percentile(values, 0.9f);
    float sum = 0;
    for (int s = 0; s < samples; ++s) sum += values[s] < low ? low : values[s] > high ? high : values[s];
    return sum / static_cast<float>(samples);
  }

  SMAP_HOST_DEVICE float percentile(const float* sorted, float share) const {
    const float place = share * static_cast<float>(samples - 1);
    const int below = static_cast<int>(place);
    if (below + 1 >= samples) return sorted[samples - 1];
    return sorted[below] + (sorted[below + 1] - sorted[below]) * (place - static_cast<float>(below));
  }

  /// The map at a point in map pixels, rounded to an input pixel first (ties to even) as the release does.
  SMAP_HOST_DEVICE float at(int64_t b, int64_t l, float x, float y) const {
    return static_cast<float>(maps(b, l, pixel(y, maps.size[2]), pixel(x, maps.size[3])));
  }

  /// Compared as floats: a place may be farther away than an integer holds.
  SMAP_HOST_DEVICE int64_t pixel(float place, int64_t size) const {
    const float input = (place + 0.5f) * static_cast<float>(stride);
    if (!(input > 0)) return 0;
    if (input >= static_cast<float>(size * stride)) return size - 1;
    const int64_t rounded = lrintf(input) / stride;
    return rounded < size ? rounded : size - 1;
  }
};

}  // namespace smap
