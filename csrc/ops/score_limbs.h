// PAF scores of all pairs of peaks of every limb (paper Sec. 3.2): to look at, and for other solvers. The decode scores
// only the pairs it needs.
#pragma once

#include "core/limb_score.h"

namespace smap {

/// Pair i of the flattened (image, limb, parent peak, child peak) grid.
struct ScoreLimbs {
  LimbScoreOptions options;
  MapView<5> pafs;               // (B, L, 2, h, w)
  View<const float, 4> xy;       // (B, J, K, 2) map px, centres at integers
  View<const int64_t, 2> count;  // (B, J)
  View<const int64_t, 2> limbs;  // (L, 3) parent, child, 1 when sampled from the child
  View<float, 4> scores;         // (B, L, K, K); out, -1 where there is no limb, NaN where a PAF is not finite

  SMAP_HOST_DEVICE bool is_joint(int64_t joint) const { return joint >= 0 && joint < count.size[1]; }

  SMAP_HOST_DEVICE void operator()(int64_t i) const {
    const int64_t limbs_count = scores.size[1], capacity = scores.size[2];
    const int64_t c = i % capacity, a = i / capacity % capacity, l = i / capacity / capacity % limbs_count;
    const int64_t b = i / capacity / capacity / limbs_count, parent = limbs(l, 0), child = limbs(l, 1);
    float& out = scores(b, l, a, c);
    out = LimbScore::kNoLimb;
    if (!is_joint(parent) || !is_joint(child)) return;
    if (a >= count(b, parent) || c >= count(b, child)) return;
    const LimbScore score(options, pafs[b][l], limbs(l, 2) != 0);
    float length;
    out = score(xy(b, parent, a, 0), xy(b, parent, a, 1), xy(b, child, c, 0), xy(b, child, c, 1), &length);
  }
};

}  // namespace smap
