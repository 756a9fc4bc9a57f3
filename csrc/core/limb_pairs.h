// `LimbScore` on a CPU with AVX2, eight at a time; the same results. Most pairs of peaks are no limb, and a few samples
// of the PAF tell.
#pragma once

#include "core/limb_score.h"

namespace smap {

/// Lists those of `count` child peaks that may have a score above 0 with the parent peak (ax, ay), in their order;
/// returns how many. All that it leaves out have `LimbScore::kNoLimb`; without AVX2 it leaves out none.
int64_t list_possible_limbs(const LimbScore& score, float ax, float ay, const float* child_x, const float* child_y,
                            int64_t count, int32_t* possible);

/// score(ax, ay, bx, by, length).
float score_limb(const LimbScore& score, float ax, float ay, float bx, float by, float* length);

}  // namespace smap
