#include "ops/associate.h"

#include <algorithm>
#include <string>
#include <tuple>

#include "core/association_block.h"
#include "ops/op.h"

namespace smap {

std::tuple<Tensor, Tensor, Tensor> associate(const Tensor& pafs, const Tensor& limb_depths, const Tensor& root_depth,
                                             const Tensor& xy, const Tensor& score, const Tensor& count,
                                             const Tensor& limbs, const Tensor& lengths, std::string mode,
                                             int64_t max_people, int64_t min_joints, double min_score,
                                             double max_overlap, bool half_bodies, bool ordinal_prior,
                                             double length_slack, double scale, double sample_threshold,
                                             double counted_share, bool official) {
  for (const Tensor* t : {&limb_depths, &root_depth, &xy, &score, &count, &limbs, &lengths})
    check_same_device(*t, "every tensor", pafs);
  Associate body;
  body.pafs = map_view(pafs, "pafs", {-1, -1, 2, -1, -1});
  const int64_t batch = body.pafs.size[0], limbs_count = body.pafs.size[1];
  const int64_t h = body.pafs.size[3], w = body.pafs.size[4];
  body.limb_depths = map_view(limb_depths, "limb_depths", {batch, limbs_count, h, w});
  body.root_depth = map_view(root_depth, "root_depth", {batch, -1, -1});
  body.xy = view<const float>(xy, "xy", {batch, -1, -1, 2});
  const int64_t joints = body.xy.size[1], capacity = body.xy.size[2];
  body.score = view<const float>(score, "score", {batch, joints, capacity});
  body.count = view<const int64_t>(count, "count", {batch, joints});
  body.limbs = view<const int64_t>(limbs, "limbs", {limbs_count, 3});
  body.lengths = view<const double>(lengths, "lengths", {limbs_count});
  check(joints >= 1, "xy", "have at least one joint", "none");
  check_rules(max_people, joints, counted_share);
  const bool empty_map = (limbs_count > 0 && h * w == 0) || body.root_depth.size[1] * body.root_depth.size[2] == 0;
  check(batch == 0 || !empty_map, "maps", "have at least one pixel", "an empty map");
  body.options.mode = association_named(mode);
  body.options.limb = {static_cast<float>(scale), static_cast<float>(sample_threshold),
                       static_cast<float>(counted_share), official};
  body.options.length_slack = length_slack;
  body.options.half_bodies = half_bodies;
  body.options.ordinal_prior = ordinal_prior;
  body.options.min_joints = min_joints;
  body.options.min_score = static_cast<float>(min_score);
  body.options.max_overlap = static_cast<float>(max_overlap);
  Tensor people = empty(pafs, {batch, max_people, joints}, ScalarType::Long);
  Tensor people_count = empty(pafs, {batch}, ScalarType::Long);
  Tensor root_depths = empty(pafs, {batch, max_people}, ScalarType::Float);
  body.people = view<int64_t>(people, "people", {batch, max_people, joints});
  body.people_count = view<int64_t>(people_count, "people_count", {batch});
  body.root_depths = view<float>(root_depths, "root_depths", {batch, max_people});
#ifdef SMAP_WITH_CUDA
  // Threads of a block number pairs of people and joints, or of people and all peaks of a step's limbs, in 32 bits.
  const int64_t rows = max_people + ImageProblem::most_people(body), of_each = limbs_count * 32 * bit_words(capacity);
  check(rows * std::max(joints, of_each) < int64_t{1} << 31, "xy", "have fewer peaks on a GPU", capacity);
  const int64_t words =
      body.options.mode == Association::kOptimal ? body.workspace_size() : AssociationMemory(body).words();
  Tensor workspace = empty(pafs, {batch, words}, ScalarType::Int);
  Tensor status = empty(pafs, {batch}, ScalarType::Int);
  body.workspace = view<int32_t>(workspace, "workspace", {batch, words});
  body.status = view<int32_t>(status, "status", {batch});
  run(body, batch, pafs);
#else
  associate_on_host(body);
#endif
  return {people, people_count, root_depths};
}

}  // namespace smap

SMAP_REGISTER(
    associate,
    "(Tensor pafs, Tensor limb_depths, Tensor root_depth, Tensor xy, Tensor score, Tensor count, "
    "Tensor limbs, Tensor lengths, str mode, int max_people, int min_joints, float min_score, float max_overlap, "
    "bool half_bodies, bool ordinal_prior, float length_slack, float scale, float sample_threshold, float "
    "counted_share, bool official) "
    "-> (Tensor people, Tensor count, Tensor root_depths)")
