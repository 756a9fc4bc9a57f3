#include "ops/score_limbs.h"

#include "ops/op.h"

namespace smap {

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
  run(body, body.scores.numel(), pafs);
#ifndef SMAP_WITH_CUDA
  const float* values = body.scores.data;
  for (int64_t i = 0; i < body.scores.numel(); ++i)
    check(is_finite(values[i]), "pafs and xy", "be finite", "nan or inf");
#endif
  return scores;
}

}  // namespace smap

SMAP_REGISTER(score_limbs,
              "(Tensor pafs, Tensor xy, Tensor count, Tensor limbs, float scale, float sample_threshold, "
              "float counted_share, bool official) -> Tensor")
