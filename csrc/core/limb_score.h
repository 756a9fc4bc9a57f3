// How well a PAF supports a limb between two peaks (paper Sec. 3.2, after Cao et al.).
#pragma once

#include <cmath>

#include "core/map_view.h"

namespace smap {

struct LimbScoreOptions {
  float scale = 1.0f;              // PAF values are multiplied by it first
  float sample_threshold = 0.05f;  // a sample counts when its component along the limb is above
  float counted_share = 0.8f;      // share of the samples that must count, exclusive
  bool official = false;           // the authors' sampling: half a pixel to the lower right, without the far end
};

struct LimbScore {
  static constexpr int kMinSamples = 5, kMaxSamples = 25;  // authors' limits
  static constexpr float kNearScore = 0.1f + 1e-6f;        // authors' score of two peaks that nearly coincide
  static constexpr float kNoLimb = -1.0f;

  LimbScoreOptions options;
  MapView<3> paf;       // (2, h, w) x, y components of this limb, parent to child
  bool from_child;      // sampled from the child's end, as the authors do for the limb that they store that way round
  float near_distance;  // map px: nearer peaks get kNearScore where the PAF says nothing

  SMAP_HOST_DEVICE LimbScore(const LimbScoreOptions& options, const MapView<3>& paf, bool from_child)
      : options(options),
        paf(paf),
        from_child(from_child),
        near_distance(sqrtf(static_cast<float>(paf.size[1] * paf.size[2])) / 150) {
    if (from_child) this->options.scale = -options.scale;
  }

  /// Parent peak (ax, ay) and child peak (bx, by), map px with centres at integers; `length` is their distance.
  /// Mean of the counted samples, kNearScore, or kNoLimb; NaN when a sampled value is not finite.
  SMAP_HOST_DEVICE float operator()(float ax, float ay, float bx, float by, float* length) const {
    const Segment s = segment(ax, ay, bx, by);
    *length = measured(s);
    if (!(s.length > 1e-6f)) return is_finite(s.length) ? kNoLimb : s.length - s.length;

    const int n = s.samples;
    // Most pairs are wrong, and the PAF between them is mostly background: look there before summing in order.
    int misses = 0;
    for (int probe = 1; probe < 4; ++probe) {
      const int i = (probe == 1 ? 2 : probe == 2 ? 3 : 1) * n / 4;
      const float along = sample(s, i);
      if (!is_finite(along)) return along - along;
      if (!(along > options.sample_threshold) && !enough(n - ++misses, n)) return fallback(s);
    }
    float sum = 0.0f;
    int counted = 0;
    for (int i = 0; i < n; ++i) {
      const float along = sample(s, i);
      if (!is_finite(along)) return along - along;
      if (along > options.sample_threshold) {
        sum += along;
        ++counted;
      } else if (!enough(n - 1 - i + counted, n)) {
        return fallback(s);
      }
    }
    return enough(counted, n) ? sum / static_cast<float>(counted) : fallback(s);
  }

  struct Segment {
    float x, y, dx, dy, length, ux, uy, step_x, step_y;
    int samples;

    SMAP_HOST_DEVICE Segment(float ax, float ay, float bx, float by) : x(ax), y(ay), dx(bx - ax), dy(by - ay) {
      const float absx = fabsf(dx), absy = fabsf(dy), longer = absx > absy ? absx : absy;
      const int n = longer < 1e4f ? static_cast<int>(sqrtf(5.0f * longer) + 0.5f) : kMaxSamples;
      samples = n < kMinSamples ? kMinSamples : n > kMaxSamples ? kMaxSamples : n;
      length = sqrtf(dx * dx + dy * dy);
      ux = dx / length;
      uy = dy / length;
      step_x = dx / static_cast<float>(samples);
      step_y = dy / static_cast<float>(samples);
    }
  };

  /// From where it is sampled.
  SMAP_HOST_DEVICE Segment segment(float ax, float ay, float bx, float by) const {
    const float shift = this->shift();
    return from_child ? Segment(bx + shift, by + shift, ax + shift, ay + shift)
                      : Segment(ax + shift, ay + shift, bx + shift, by + shift);
  }

  /// Length for the length term: the authors measure a second time there, in double.
  SMAP_HOST_DEVICE float measured(const Segment& s) const {
    if (!options.official) return s.length;
    const double dx = s.dx, dy = s.dy;
    return static_cast<float>(sqrt(dx * dx + dy * dy));
  }

  /// The authors' peaks lie 0.5 to the lower right of ours; adding it first rounds the vector as theirs.
  SMAP_HOST_DEVICE float shift() const { return options.official ? 0.5f : 0.0f; }

  /// Where the first sample lies, in steps from the start.
  SMAP_HOST_DEVICE float first_sample() const { return options.official ? 0.0f : 0.5f; }

  /// Whether so many counted samples of n are enough.
  SMAP_HOST_DEVICE bool enough(int counted, int n) const {
    return static_cast<float>(counted) / static_cast<float>(n) > options.counted_share;
  }

  SMAP_HOST_DEVICE float fallback(const Segment& s) const { return s.length < near_distance ? kNearScore : kNoLimb; }

 private:
  /// Component along the limb at sample i, nearest pixel.
  SMAP_HOST_DEVICE float sample(const Segment& s, int i) const {
    const float t = static_cast<float>(i) + first_sample();
    const int64_t px = nearest_pixel(s.x + t * s.step_x, paf.size[2]),
                  py = nearest_pixel(s.y + t * s.step_y, paf.size[1]);
    const int64_t offset = py * paf.stride[1] + px * paf.stride[2];
    const float vx = paf.at(offset) * options.scale, vy = paf.at(offset + paf.stride[0]) * options.scale;
    return s.ux * vx + s.uy * vy;
  }
};

}  // namespace smap
