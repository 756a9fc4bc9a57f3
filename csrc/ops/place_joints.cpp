#include "ops/place_joints.h"

#include <tuple>

#include "ops/op.h"

namespace smap {

std::tuple<Tensor, Tensor, Tensor, Tensor> place_joints(const Tensor& limb_values, const Tensor& xy,
                                                        const Tensor& score, const Tensor& people,
                                                        const Tensor& root_depths, const Tensor& frames,
                                                        const Tensor& cameras, const Tensor& paths,
                                                        const Tensor& order) {
  for (const Tensor* t : {&xy, &score, &people, &root_depths, &frames, &cameras, &paths, &order})
    check_same_device(*t, "every tensor", limb_values);
  PlaceJoints body;
  body.limb_values = view<const float>(limb_values, "limb_values", {-1, -1, -1});
  const int64_t batch = body.limb_values.size[0], persons = body.limb_values.size[1];
  body.xy = view<const float>(xy, "xy", {batch, -1, -1, 2});
  const int64_t joints = body.xy.size[1], capacity = body.xy.size[2];
  body.score = view<const float>(score, "score", {batch, joints, capacity});
  body.people = view<const int64_t>(people, "people", {batch, persons, joints});
  body.root_depths = view<const float>(root_depths, "root_depths", {batch, persons});
  body.frames = view<const float>(frames, "frames", {batch, 4});
  body.cameras = view<const float>(cameras, "cameras", {batch, 4});
  body.paths = view<const float>(paths, "paths", {joints, body.limb_values.size[2]});
  body.order = view<const int64_t>(order, "order", {joints});
  Tensor points = empty(xy, {batch, persons, joints, 3}, ScalarType::Float);
  Tensor image_xy = empty(xy, {batch, persons, joints, 2}, ScalarType::Float);
  Tensor scores = empty(xy, {batch, persons, joints}, ScalarType::Float);
  Tensor person_scores = empty(xy, {batch, persons}, ScalarType::Float);
  body.points = view<float>(points, "points", {batch, persons, joints, 3});
  body.image_xy = view<float>(image_xy, "image_xy", {batch, persons, joints, 2});
  body.scores = view<float>(scores, "scores", {batch, persons, joints});
  body.person_scores = view<float>(person_scores, "person_scores", {batch, persons});
  run(body, batch * persons * joints, limb_values);
  return {points, image_xy, scores, person_scores};
}

}  // namespace smap

SMAP_REGISTER(place_joints,
              "(Tensor limb_values, Tensor xy, Tensor score, Tensor people, Tensor root_depths, Tensor frames, "
              "Tensor cameras, Tensor paths, Tensor order) -> "
              "(Tensor points, Tensor image_xy, Tensor scores, Tensor person_scores)")
