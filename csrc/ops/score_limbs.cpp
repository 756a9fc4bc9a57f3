#include "ops/score_limbs.h"

#include <algorithm>
#include <vector>

#include "core/limb_pairs.h"
#include "ops/op.h"

namespace smap {

#ifndef SMAP_WITH_CUDA
namespace {

/// The same on the CPU, faster: most pairs of peaks are no limb, and eight at a time a few samples tell. Throws
/// std::invalid_argument when a score is not finite.
void score_limbs_on_host(const ScoreLimbs& body) {
  const auto [batch, limbs, capacity, _] = body.scores.size;
  std::fill(body.scores.data, body.scores.data + body.scores.numel(), LimbScore::kNoLimb);
  std::vector<float> child_x, child_y;
  std::vector<int32_t> possible(static_cast<size_t>(capacity));
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t l = 0; l < limbs; ++l) {
      const int64_t parent = body.limbs(l, 0), child = body.limbs(l, 1);
      if (!body.is_joint(parent) || !body.is_joint(child)) continue;
      const int64_t parents = std::min(body.count(b, parent), capacity);
      const int64_t children = std::min(body.count(b, child), capacity);
      child_x.clear();
      child_y.clear();
      for (int64_t c = 0; c < children; ++c) {
        child_x.push_back(body.xy(b, child, c, 0));
        child_y.push_back(body.xy(b, child, c, 1));
      }
      const LimbScore score(body.options, body.pafs[b][l], body.limbs(l, 2) != 0);
      for (int64_t a = 0; a < parents; ++a) {
        const float ax = body.xy(b, parent, a, 0), ay = body.xy(b, parent, a, 1);
        const int64_t listed =
            list_possible_limbs(score, ax, ay, child_x.data(), child_y.data(), std::ssize(child_x), possible.data());
        for (int64_t i = 0; i < listed; ++i) {
          const auto c = static_cast<size_t>(possible[static_cast<size_t>(i)]);
          float length;
          const float value = score_limb(score, ax, ay, child_x[c], child_y[c], &length);
          check(is_finite(value), "pafs and xy", "be finite", "nan or inf");
          body.scores(b, l, a, static_cast<int64_t>(c)) = value;
        }
      }
    }
  }
}

}  // namespace
#endif

Tensor score_limbs(const Tensor& pafs, const Tensor& xy, const Tensor& count, const Tensor& limbs, double scale,
                   double sample_threshold, double counted_share, bool official) {
  check_same_device(xy, "xy", pafs);
  check_same_device(count, "count", pafs);
  check_same_device(limbs, "limbs", pafs);
  check(counted_share >= 0, "counted_share", "be at least 0", counted_share);
  ScoreLimbs body;
  body.pafs = map_view(pafs, "pafs", {-1, -1, 2, -1, -1});
  const int64_t batch = body.pafs.size[0], limbs_count = body.pafs.size[1];
  check(body.pafs.size[3] > 0 && body.pafs.size[4] > 0, "pafs", "have at least one pixel", "an empty map");
  body.xy = view<const float>(xy, "xy", {batch, -1, -1, 2});
  const int64_t joints = body.xy.size[1], capacity = body.xy.size[2];
  body.count = view<const int64_t>(count, "count", {batch, joints});
  body.limbs = view<const int64_t>(limbs, "limbs", {limbs_count, 3});
  body.options = {static_cast<float>(scale), static_cast<float>(sample_threshold), static_cast<float>(counted_share),
                  official};
  Tensor scores = empty(pafs, {batch, limbs_count, capacity, capacity}, ScalarType::Float);
  body.scores = view<float>(scores, "scores", {batch, limbs_count, capacity, capacity});
#ifdef SMAP_WITH_CUDA
  run(body, body.scores.numel(), pafs);
#else
  score_limbs_on_host(body);
#endif
  return scores;
}

}  // namespace smap

SMAP_REGISTER(score_limbs,
              "(Tensor pafs, Tensor xy, Tensor count, Tensor limbs, float scale, float sample_threshold, "
              "float counted_share, bool official) -> Tensor")
