// What the maps say about a limb: `Association::kOptimal` judges with it.
#pragma once

#include <cmath>

#include "core/association.h"

namespace smap {

/// A limb between two places.
struct LimbEvidence {
  float paf;     // component along the limb, mean over the samples; lowered when an end is imagined
  float length;  // map px
  float depth;   // metres, child minus parent, mean over the samples that count
};

struct LimbMaps;

/// Whether the processor has AVX2 and offsets within these maps fit its vectors.
bool can_look_with_vectors(const MapView<3>& paf, const MapView<2>& depths);

/// The rest of `LimbMaps::look` on a CPU, for limbs of some length: the same result and, where it is true, the same
/// `limb`. Of a limb without support it reads more of the PAF and less of the depths than one by one, so it may tell of
/// other values that are not finite.
bool look_with_vectors(const LimbMaps& maps, float ax, float ay, float dx, float dy, LimbEvidence* limb);

/// Whether a row of `xy` (K, 2) lies no farther from (x, y) than the root of `reach`.
SMAP_HOST_DEVICE inline bool is_in_reach(const View<const float, 2>& xy, int32_t row, float x, float y, float reach) {
  const float dx = xy(row, 0) - x, dy = xy(row, 1) - y;
  return dx * dx + dy * dy <= reach;
}

/// Bit i: row first + i of `xy` (K, 2), one before `last`, lies no farther from (x, y) than the root of `reach`; of 32
/// rows.
uint32_t rows_in_reach(const View<const float, 2>& xy, int32_t first, int32_t last, float x, float y, float reach);

/// The maps of one limb of one image.
struct LimbMaps {
  // Chosen on the scenes of benchmarks/association_scenes.py.
  static constexpr float kCountedShare = 0.5f;   // of the samples must count
  static constexpr float kPoint = 1.5f;          // map px: a shorter limb has no direction in the maps
  static constexpr float kPointScore = 0.15f;    // what such a limb is worth
  static constexpr float kWalkReach = 1.1f;      // a PAF is followed this many mean lengths at most,
  static constexpr float kWalkStrength = 0.2f;   // as long as it is this strong,
  static constexpr float kWalkOvershoot = 1.0f;  // it spreads beyond the joint by these map px,
  static constexpr float kWalkShare = 0.5f;      // and it must lead this many mean lengths far

#ifdef __CUDA_ARCH__
  static constexpr int kAhead = 8;  // samples that are read together; waiting for each would take a thousand cycles
#else
  static constexpr int kAhead = 2;
#endif
  static constexpr int kMostSamples = 16;

  MapView<3> paf;     // (2, h, w)
  MapView<2> depths;  // (h, w) metres
  LimbScoreOptions options;
  int32_t* status;  // set when a value is not finite
  bool vectors;     // `look_with_vectors` may be used

  /// Fills `limb` for the vector (dx, dy) from (ax, ay), map px. False: less than half of the PAF supports it.
  SMAP_HOST_DEVICE bool look(float ax, float ay, float dx, float dy, LimbEvidence* limb) const {
    *limb = {kPointScore, sqrtf(dx * dx + dy * dy), 0.0f};
    if (limb->length < kPoint) return true;
#ifndef __CUDA_ARCH__
    if (vectors) return look_with_vectors(*this, ax, ay, dx, dy, limb);
#endif
    if (paf.type == Element::kFloat32) return sample<float>(ax, ay, dx, dy, limb);
    if (paf.type == Element::kFloat16) return sample<Float16>(ax, ay, dx, dy, limb);
    return sample<BFloat16>(ax, ay, dx, dy, limb);
  }

  /// Follows the PAF from (ax, ay) to the child (direction 1) or back to the parent (-1) for `reach` map px or so.
  SMAP_HOST_DEVICE bool follow(float ax, float ay, float reach, float direction, float* to_x, float* to_y) const {
    const float sign = direction * options.scale;
    const float right = static_cast<float>(paf.size[2] - 1), bottom = static_cast<float>(paf.size[1] - 1);
    const int most = static_cast<int>(fmaxf(fminf(kWalkReach * reach, 1e4f), 0.0f)) + 1;
    float ux = 0.0f, uy = 0.0f, x = ax, y = ay;
    int steps = 0;
    while (steps < most) {
      const int64_t offset =
          nearest_pixel(y, paf.size[1]) * paf.stride[1] + nearest_pixel(x, paf.size[2]) * paf.stride[2];
      const float vx = sign * paf.at(offset), vy = sign * paf.at(offset + paf.stride[0]);
      const float strength = sqrtf(vx * vx + vy * vy);
      if (!(strength > kWalkStrength) || !is_finite(strength)) break;
      if (steps > 0 && !(vx * ux + vy * uy > 0.5f * strength)) break;  // another limb crosses
      // Straight on, in the mean direction so far.
      const float one = 1.0f / strength, so_far = static_cast<float>(steps);
      const float sx = so_far * ux + one * vx, sy = so_far * uy + one * vy, norm = 1.0f / sqrtf(sx * sx + sy * sy);
      ux = norm * sx;
      uy = norm * sy;
      ++steps;
      x = ax + ux * static_cast<float>(steps);
      y = ay + uy * static_cast<float>(steps);
      if (!(x >= 0.0f && y >= 0.0f && x <= right && y <= bottom)) break;
    }
    const float far = static_cast<float>(steps) - kWalkOvershoot;
    if (!(far > kWalkShare * reach)) return false;
    *to_x = ax + ux * far;
    *to_y = ay + uy * far;
    return true;
  }

  /// Of a limb of this length in map px.
  SMAP_HOST_DEVICE static int samples(float length) { return length > 40.0f ? kMostSamples : length > 12.0f ? 10 : 6; }

  /// Place of the i-th of n samples along the limb, from the middle outwards: a wrong limb is given up early.
  SMAP_HOST_DEVICE static constexpr int nth_sample(int i, int n) {
    return i % 2 == 0 ? n / 2 + i / 2 : n / 2 - 1 - i / 2;
  }

 private:
  template <class T>
  SMAP_HOST_DEVICE bool sample(float ax, float ay, float dx, float dy, LimbEvidence* limb) const {
    const T* values = static_cast<const T*>(paf.data);
    const float ux = dx / limb->length * options.scale, uy = dy / limb->length * options.scale;
    const int n = samples(limb->length);
    const float step = 1.0f / static_cast<float>(n);
    float sum = 0.0f, depth_sum = 0.0f;
    int counted = 0;
    bool hopeless = false;
    for (int first = 0; first < n && !hopeless; first += kAhead) {
      float along[kAhead], depth[kAhead];
      for (int a = 0; a < kAhead; ++a) {
        const float t = (static_cast<float>(nth_sample(first + a < n ? first + a : 0, n)) + 0.5f) * step;
        const int64_t x = nearest_pixel(ax + t * dx, paf.size[2]), y = nearest_pixel(ay + t * dy, paf.size[1]);
        const int64_t offset = y * paf.stride[1] + x * paf.stride[2];
        along[a] = ux * static_cast<float>(values[offset]) + uy * static_cast<float>(values[offset + paf.stride[0]]);
        depth[a] = depths(y, x);
      }
      for (int a = 0; a < kAhead && first + a < n && !hopeless; ++a) {
        sum += along[a];
        if (along[a] > options.sample_threshold) {
          depth_sum += depth[a];
          ++counted;
        } else {
          hopeless = static_cast<float>(first + a + 1 - counted) > (1.0f - kCountedShare) * static_cast<float>(n);
        }
      }
    }
    if (!is_finite(sum)) *status = AssociationProblem::kPafsNotFinite;
    if (!is_finite(depth_sum)) *status = AssociationProblem::kLimbDepthsNotFinite;
    limb->paf = sum * step;
    limb->depth = depth_sum / static_cast<float>(counted);
    const bool supported = static_cast<float>(n - counted) <= (1.0f - kCountedShare) * static_cast<float>(n);
    return supported && is_finite(sum) && is_finite(depth_sum);
  }
};

}  // namespace smap
