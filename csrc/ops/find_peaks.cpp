#include "ops/find_peaks.h"

#include <tuple>

#include "core/block.h"
#include "ops/op.h"

namespace smap {

std::tuple<Tensor, Tensor, Tensor> find_peaks(const Tensor& heatmaps, double threshold, double scale, int64_t capacity,
                                              bool official) {
  check_peak_rules(threshold, scale, capacity);
  FindPeaks find;
  find.heatmaps = map_view(heatmaps, "heatmaps", {-1, -1, -1, -1});
  const int64_t batch = find.heatmaps.size[0], joints = find.heatmaps.size[1];
  Tensor xy = empty(heatmaps, {batch, joints, capacity, 2}, ScalarType::Float);
  Tensor score = empty(heatmaps, {batch, joints, capacity}, ScalarType::Float);
  Tensor count = empty(heatmaps, {batch, joints}, ScalarType::Long);
  find.threshold = static_cast<float>(threshold);
  find.scale = static_cast<float>(scale);
  find.official = official;
  find.xy = view<float>(xy, "xy", {batch, joints, capacity, 2});
  find.score = view<float>(score, "score", {batch, joints, capacity});
  find.count = view<int64_t>(count, "count", {batch, joints});
#ifdef SMAP_WITH_CUDA
  const int64_t words = bit_words(find.heatmaps.size[2] * find.heatmaps.size[3]);
  Tensor marks = empty(heatmaps, {batch * joints, words}, ScalarType::Int);
  find.marks = view<int32_t>(marks, "marks", {batch * joints, words});
  run(find, batch * joints, heatmaps);
#else
  find_peaks_on_host(find);
#endif
  return {xy, score, count};
}

}  // namespace smap

SMAP_REGISTER(find_peaks,
              "(Tensor heatmaps, float threshold, float scale, int capacity, bool official) "
              "-> (Tensor xy, Tensor score, Tensor count)")
