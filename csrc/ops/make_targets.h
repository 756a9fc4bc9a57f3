// Training targets (paper Sec. 3.1) from people in map pixels and metres: what one output element is, given everyone.
#pragma once

#include <cmath>

#include "core/half.h"
#include "core/view.h"

namespace smap {

constexpr float kSmallestHeat = 1.2e-4f;  // about exp(-9): lower values of a Gaussian are written as zero
constexpr float kHeatReach = 4.25f;       // in sigmas: beyond it a Gaussian is lower than kSmallestHeat
constexpr float kFarthest = 1e5f;         // map pixels: farther out a float has no sub-pixel places; no joint is there
constexpr float kShortestLimb = 1e-3f;    // map pixels: a shorter limb has no direction in the picture
constexpr int64_t kRootReach = 2;         // cells: root depth is written in 5x5 around the root and supervised in 3x3

/// exp(-x), x in [0, 80], by rounding to a power of two and a polynomial: the same bits on every machine.
SMAP_HOST_DEVICE inline float exp_minus(float x) {
  const float t = x * -1.44269504f;
  const int32_t n = static_cast<int32_t>(t - 0.5f);  // t <= 0: rounds to nearest
  const float u = (t - static_cast<float>(n)) * 0.69314718f;
  const float p =
      1 + u * (1 + u * (0.5f + u * (0.16666667f + u * (0.041666668f + u * (0.0083333338f + u * 0.0013888889f)))));
  return bits_to_float(static_cast<uint32_t>(n + 127) << 23) * p;
}

/// One factor of a separable Gaussian with peak 1.
SMAP_HOST_DEVICE inline float gaussian_factor(float distance, float sigma) {
  const float d = distance / sigma;
  const float x = 0.5f * d * d;
  return x > 20 ? 0.0f : exp_minus(x);
}

SMAP_HOST_DEVICE inline float heat(float fx, float fy) {
  const float value = fx * fy;
  return value < kSmallestHeat ? 0.0f : value;
}

/// Whether a coordinate can be that of a joint; NaN cannot.
SMAP_HOST_DEVICE inline bool is_near(float x) {
  return x < kFarthest && -x < kFarthest;
}

/// Everyone in a batch.
struct Crowd {
  View<const float, 4> joints;        // (B, P, J, 2) map pixels
  View<const float, 3> depths;        // (B, P, J) metres along z; NaN unknown
  View<const uint8_t, 3> visibility;  // (B, P, J) 0: the joint makes no target
  View<const float, 1> depth_scale;   // (B) normalised depth per metre: w / f (Eq. 1)
  View<const int64_t, 2> limbs;       // (L, 2) parent, child
  View<const float, 2> scales;        // (S, 2) sigma of the heatmaps and half width of the limbs, map pixels

  SMAP_HOST_DEVICE int64_t people() const { return joints.size[1]; }
  SMAP_HOST_DEVICE int64_t num_joints() const { return joints.size[2]; }
  SMAP_HOST_DEVICE int64_t num_limbs() const { return limbs.size[0]; }
  SMAP_HOST_DEVICE int64_t num_scales() const { return scales.size[0]; }

  SMAP_HOST_DEVICE bool present(int64_t b, int64_t p, int64_t j) const {
    return j >= 0 && j < num_joints() && visibility(b, p, j) != 0 && is_near(joints(b, p, j, 0)) &&
           is_near(joints(b, p, j, 1));
  }
};

/// One limb of one person in the map.
struct LimbTarget {
  bool present = false, has_depth = false;
  float x = 0, y = 0, ux = 0, uy = 0, length = 0;  // start, unit direction, map pixels
  float dz = 0;                                    // metres, child - parent
  float weight = 0;                                // of this person where limbs overlap

  SMAP_HOST_DEVICE static LimbTarget of(const Crowd& c, int64_t b, int64_t p, int64_t l) {
    LimbTarget t;
    const int64_t from = c.limbs(l, 0), to = c.limbs(l, 1);
    if (!c.present(b, p, from) || !c.present(b, p, to)) return t;
    t.x = c.joints(b, p, from, 0);
    t.y = c.joints(b, p, from, 1);
    const float dx = c.joints(b, p, to, 0) - t.x, dy = c.joints(b, p, to, 1) - t.y;
    t.length = sqrtf(dx * dx + dy * dy);
    if (!(t.length > kShortestLimb)) return t;
    t.ux = dx / t.length;
    t.uy = dy / t.length;
    const float z0 = c.depths(b, p, from), z1 = c.depths(b, p, to);
    t.has_depth = is_finite(z0) && is_finite(z1);
    t.dz = t.has_depth ? z1 - z0 : 0.0f;
    // Nearness ^ 16: people at one depth are averaged, half a metre at 5 m decides 5 to 1, and float still holds
    // 0.1 to 100 m. Somebody of unknown depth counts where nobody else is.
    const float z = 0.5f * (z0 + z1);
    const float nearness = 1 / (z < 0.1f ? 0.1f : z > 100.0f ? 100.0f : z);
    const float square = nearness * nearness, fourth = square * square, eighth = fourth * fourth;
    t.weight = t.has_depth ? eighth * eighth : 1e-36f;
    t.present = true;
    return t;
  }

  /// Squared distance from a map pixel to the limb. Its ends count as well: a peak may lie a little off the joint.
  SMAP_HOST_DEVICE float square_distance(float px, float py) const {
    const float rx = px - x, ry = py - y;
    float along = rx * ux + ry * uy;
    along = along < 0 ? 0 : along > length ? length : along;
    const float ex = rx - along * ux, ey = ry - along * uy;
    return ex * ex + ey * ey;
  }
};

/// Weighted mean of the limbs over a pixel.
struct LimbMean {
  float weight = 0, ux = 0, uy = 0, depth_weight = 0, dz = 0;

  SMAP_HOST_DEVICE void add(const LimbTarget& t) {
    weight += t.weight;
    ux += t.weight * t.ux;
    uy += t.weight * t.uy;
    if (t.has_depth) {
      depth_weight += t.weight;
      dz += t.weight * t.dz;
    }
  }
  SMAP_HOST_DEVICE float paf_x() const { return weight > 0 ? ux / weight : 0.0f; }
  SMAP_HOST_DEVICE float paf_y() const { return weight > 0 ? uy / weight : 0.0f; }
  /// 0 where no limb is; NaN where there is one whose depth nobody knows.
  SMAP_HOST_DEVICE float depth() const {
    return !(weight > 0) ? 0.0f : depth_weight > 0 ? dz / depth_weight : bits_to_float(0x7fc00000u);
  }
};

/// Where a person is rooted: the first joint of the tree, root outwards, that is present.
struct RootTarget {
  bool present = false;
  int64_t x = 0, y = 0;  // cell
  float z = 0;           // metres

  SMAP_HOST_DEVICE static RootTarget of(const Crowd& c, int64_t b, int64_t p) {
    RootTarget t;
    const int64_t limbs = c.num_limbs();
    for (int64_t n = 0; n <= limbs; ++n) {
      const int64_t j = n ? c.limbs(n - 1, 1) : limbs ? c.limbs(0, 0) : 0;
      if (!c.present(b, p, j)) continue;
      const float x = floorf(c.joints(b, p, j, 0) + 0.5f), y = floorf(c.joints(b, p, j, 1) + 0.5f);
      t.z = c.depths(b, p, j);
      t.present = is_finite(t.z);
      t.x = static_cast<int64_t>(x);
      t.y = static_cast<int64_t>(y);
      return t;
    }
    return t;
  }

  /// Cells between a pixel and the root, along the longer axis.
  SMAP_HOST_DEVICE int64_t distance(int64_t px, int64_t py) const {
    const int64_t dx = px < x ? x - px : px - x, dy = py < y ? y - py : py - y;
    return dx > dy ? dx : dy;
  }
};

/// Element i of the (B, J, h, w) grid, every scale: the highest of the people's Gaussians.
template <class T>
struct MakeHeatmaps {
  Crowd crowd;
  View<T, 5> heatmaps;  // (B, S, J, h, w); out

  SMAP_HOST_DEVICE void operator()(int64_t i) const {
    const int64_t w = heatmaps.size[4], h = heatmaps.size[3], joints = heatmaps.size[2];
    const int64_t x = i % w, y = i / w % h, j = i / (w * h) % joints, b = i / (w * h * joints);
    for (int64_t s = 0; s < crowd.num_scales(); ++s) {
      const float sigma = crowd.scales(s, 0);
      float best = 0;
      for (int64_t p = 0; p < crowd.people(); ++p) {
        if (!crowd.present(b, p, j)) continue;
        const float dx = static_cast<float>(x) - crowd.joints(b, p, j, 0);
        const float dy = static_cast<float>(y) - crowd.joints(b, p, j, 1);
        const float reach = kHeatReach * sigma;
        if (dx > reach || -dx > reach || dy > reach || -dy > reach) continue;
        const float value = heat(gaussian_factor(dx, sigma), gaussian_factor(dy, sigma));
        best = value > best ? value : best;
      }
      heatmaps(b, s, j, y, x) = narrow<T>(best);
    }
  }
};

/// Element i of the (B, L, h, w) grid, every scale: direction and depth of the limbs that cover the pixel.
template <class T>
struct MakeLimbs {
  Crowd crowd;
  View<T, 6> pafs;         // (B, S, L, 2, h, w); out
  View<T, 5> limb_depths;  // (B, S, L, h, w) metres; out

  SMAP_HOST_DEVICE void operator()(int64_t i) const {
    const int64_t w = limb_depths.size[4], h = limb_depths.size[3], limbs = limb_depths.size[2];
    const int64_t x = i % w, y = i / w % h, l = i / (w * h) % limbs, b = i / (w * h * limbs);
    for (int64_t s = 0; s < crowd.num_scales(); ++s) {
      LimbMean mean;
      for (int64_t p = 0; p < crowd.people(); ++p) {
        const LimbTarget t = LimbTarget::of(crowd, b, p, l);
        const float half_width = crowd.scales(s, 1);
        if (t.present && t.square_distance(static_cast<float>(x), static_cast<float>(y)) < half_width * half_width) {
          mean.add(t);
        }
      }
      pafs(b, s, l, 0, y, x) = narrow<T>(mean.paf_x());
      pafs(b, s, l, 1, y, x) = narrow<T>(mean.paf_y());
      limb_depths(b, s, l, y, x) = narrow<T>(mean.depth());
    }
  }
};

/// The root whose cell is closest to a pixel, of two the nearer person.
struct RootChoice {
  int64_t distance = kRootReach + 1;
  float z = 0;

  SMAP_HOST_DEVICE void consider(const RootTarget& t, int64_t x, int64_t y) {
    if (!t.present) return;
    const int64_t d = t.distance(x, y);
    if (d > kRootReach || d > distance || (d == distance && !(t.z < z))) return;
    distance = d;
    z = t.z;
  }
  SMAP_HOST_DEVICE float depth(float scale) const { return distance <= kRootReach ? z * scale : 0.0f; }
  SMAP_HOST_DEVICE float weight() const { return distance == 0 ? 1.0f : distance == 1 ? 0.35f : 0.0f; }
};

/// Element i of the (B, h, w) grid: normalised depth of the root that `RootChoice` finds.
struct MakeRoots {
  Crowd crowd;
  View<float, 3> root_depth;   // (B, h, w) Z w / f (Eq. 1); out
  View<float, 3> root_weight;  // (B, h, w) 1 in a root's cell, 0.35 around it, 0 elsewhere; out

  SMAP_HOST_DEVICE void operator()(int64_t i) const {
    const int64_t w = root_depth.size[2], h = root_depth.size[1];
    const int64_t x = i % w, y = i / w % h, b = i / (w * h);
    RootChoice choice;
    for (int64_t p = 0; p < crowd.people(); ++p) choice.consider(RootTarget::of(crowd, b, p), x, y);
    root_depth(b, y, x) = choice.depth(crowd.depth_scale(b));
    root_weight(b, y, x) = choice.weight();
  }
};

}  // namespace smap
