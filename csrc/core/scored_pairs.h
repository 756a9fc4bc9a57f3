// Every pair of peaks that a limb might join, scored: what `BlockAssociation` begins with.
#pragma once

#include "core/greedy.h"

namespace smap {

/// Two peaks of a limb: its score, for `kDepthAware` without the length term, and how far they are apart in map px.
struct ScoredPair {
  float score, distance;
};

/// The pairs of an image, (L, K, K). Only those of peaks that are there are written and read.
struct ScorePairs {
  const AssociationProblem& all;
  ScoredPair* pairs;

  /// Every `step`th pair of limb l of image b, from `first`.
  SMAP_DEVICE void operator()(int64_t b, int64_t l, int32_t first, int32_t step) const {
    if (!all.is_limb(l)) return;
    GreedyAssociation image(all, b);
    const auto limb = image.limb(l);
    const auto parents = static_cast<int32_t>(limb.parents), children = static_cast<int32_t>(limb.children);
    for (int32_t i = first; i < parents * children; i += step) {
      const int32_t a = i / children, c = i % children;
      ScoredPair pair;
      pair.score = image.pair_score(limb, a, c, &pair.distance);
      // Without depth the length term is everybody's.
      if (all.options.mode == Association::kPaf)
        pair.score += image.length_penalty(static_cast<float>(all.pafs.size[3]) / 2, pair.distance);
      pairs[(l * image.capacity + a) * image.capacity + c] = pair;
    }
  }
};

}  // namespace smap
