// Where each joint of each person is, in the image and in the camera frame (paper Sec. 3.3).
#pragma once

#include "core/half.h"
#include "core/view.h"
#include "ops/back_project.h"

namespace smap {

/// Joint i of the flattened (image, person, joint) grid.
struct PlaceJoints {
  View<const float, 3> limb_values;  // (B, P, L) metres, child - parent; 0 where unknown
  View<const float, 4> xy;           // (B, J, K, 2) map pixels
  View<const float, 3> score;        // (B, J, K)
  View<const int64_t, 3> people;     // (B, P, J) peak index, -1 none
  View<const float, 2> root_depths;  // (B, P) normalised depth (Eq. 1) of the joint the person hangs on
  View<const float, 2> frames;   // (B, 4) scale, offset x, y with map = image * scale + offset; metres per depth unit
  View<const float, 2> cameras;  // (B, 4) fx, fy, cx, cy in image pixels
  View<const float, 2> paths;    // (J, L) 1 where the limb lies between the root and the joint
  View<const int64_t, 1> order;  // (J) joints from the root outwards
  View<float, 4> points;         // (B, P, J, 3) metres, camera frame, NaN where not found; out
  View<float, 4> image_xy;       // (B, P, J, 2) image pixels, NaN where not found; out
  View<float, 3> scores;         // (B, P, J) 0 where not found; out
  View<float, 2> person_scores;  // (B, P) mean of the scores, each at most 1; out

  SMAP_HOST_DEVICE void operator()(int64_t i) const {
    const int64_t joints = people.size[2], j = i % joints;
    const int64_t p = i / joints % people.size[1], b = i / joints / people.size[1];
    const int64_t k = peak(b, p, j);
    if (j == 0) person_scores(b, p) = mean_score(b, p);
    if (k < 0) {
      const float nan = bits_to_float(0x7fc00000u);
      for (int64_t axis = 0; axis < 3; ++axis) points(b, p, j, axis) = nan;
      image_xy(b, p, j, 0) = image_xy(b, p, j, 1) = nan;
      scores(b, p, j) = 0;
      return;
    }
    const float x = (xy(b, j, k, 0) - frames(b, 1)) / frames(b, 0);
    const float y = (xy(b, j, k, 1) - frames(b, 2)) / frames(b, 0);
    // Without a visible root, the depth read from the maps is that of the joint the person hangs on.
    const float z = root_depths(b, p) * frames(b, 3) + behind(b, p, anchor(b, p, j), j);
    points(b, p, j, 0) = back_projected(x, cameras(b, 0), cameras(b, 2), z);
    points(b, p, j, 1) = back_projected(y, cameras(b, 1), cameras(b, 3), z);
    points(b, p, j, 2) = z;
    image_xy(b, p, j, 0) = x;
    image_xy(b, p, j, 1) = y;
    scores(b, p, j) = score(b, j, k);
  }

 private:
  /// What names no peak counts as none: a kernel cannot complain.
  SMAP_HOST_DEVICE int64_t peak(int64_t b, int64_t p, int64_t j) const {
    const int64_t k = people(b, p, j);
    return k >= 0 && k < score.size[2] ? k : -1;
  }

  /// The person's first found joint from the root outwards; `found` is one that was.
  SMAP_HOST_DEVICE int64_t anchor(int64_t b, int64_t p, int64_t found) const {
    for (int64_t n = 0; n < order.size[0]; ++n) {
      const int64_t j = order(n);
      if (j >= 0 && j < people.size[2] && peak(b, p, j) >= 0) return j;
    }
    return found;
  }

  /// Depth of joint `to` minus that of joint `from`.
  SMAP_HOST_DEVICE float behind(int64_t b, int64_t p, int64_t from, int64_t to) const {
    float sum = 0;
    for (int64_t l = 0; l < limb_values.size[2]; ++l) {
      const float between = paths(to, l) - paths(from, l);
      if (between != 0.0f) sum += limb_values(b, p, l) * between;  // NaN of other limbs stays away
    }
    return sum;
  }

  SMAP_HOST_DEVICE float mean_score(int64_t b, int64_t p) const {
    const int64_t joints = people.size[2];
    float sum = 0;
    for (int64_t j = 0; j < joints; ++j) {
      const int64_t k = peak(b, p, j);
      if (k >= 0) sum += score(b, j, k) > 1 ? 1 : score(b, j, k);
    }
    return sum / static_cast<float>(joints);
  }
};

}  // namespace smap
