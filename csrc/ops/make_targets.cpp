#include <string>
#include <tuple>

#include "ops/make_targets_cpu.h"
#include "ops/op.h"

namespace smap {

#ifndef SMAP_WITH_CUDA
namespace {

void check_content(const Crowd& c) {
  for (int64_t l = 0; l < c.num_limbs(); ++l) {
    for (int64_t end = 0; end < 2; ++end) {
      const int64_t joint = c.limbs(l, end);
      check(joint >= 0 && joint < c.num_joints(), "limbs", "name joints of the people", joint);
    }
  }
  for (int64_t s = 0; s < c.num_scales(); ++s) {
    check(c.scales(s, 0) > 0 && c.scales(s, 1) > 0, "scales", "be positive",
          std::to_string(c.scales(s, 0)) + ", " + std::to_string(c.scales(s, 1)));
  }
}

}  // namespace
#endif

template <class T>
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> make_targets_as(const Crowd& crowd, const Tensor& like, int64_t h,
                                                                   int64_t w) {
  const int64_t batch = crowd.joints.size[0], joints = crowd.num_joints(), limbs = crowd.num_limbs();
  const int64_t scales = crowd.num_scales();
  Tensor heatmaps = empty(like, {batch, scales, joints, h, w}, kScalarType<T>);
  Tensor pafs = empty(like, {batch, scales, limbs, 2, h, w}, kScalarType<T>);
  Tensor limb_depths = empty(like, {batch, scales, limbs, h, w}, kScalarType<T>);
  Tensor root_depth = empty(like, {batch, h, w}, ScalarType::Float);
  Tensor root_weight = empty(like, {batch, h, w}, ScalarType::Float);
  const MakeHeatmaps<T> make_heatmaps{crowd, view<T>(heatmaps, "heatmaps", {-1, -1, -1, -1, -1})};
  const MakeLimbs<T> make_limbs{crowd, view<T>(pafs, "pafs", {-1, -1, -1, -1, -1, -1}),
                                view<T>(limb_depths, "limb_depths", {-1, -1, -1, -1, -1})};
  const MakeRoots make_roots{crowd, view<float>(root_depth, "root_depth", {-1, -1, -1}),
                             view<float>(root_weight, "root_weight", {-1, -1, -1})};
#ifdef SMAP_WITH_CUDA
  run(make_heatmaps, batch * joints * h * w, like);
  run(make_limbs, batch * limbs * h * w, like);
  run(make_roots, batch * h * w, like);
#else
  if (batch * h * w > 0) {
    paint_heatmaps(make_heatmaps);
    paint_limbs(make_limbs);
    paint_roots(make_roots);
  }
#endif
  return {heatmaps, pafs, limb_depths, root_depth, root_weight};
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> make_targets(const Tensor& joints, const Tensor& depths,
                                                                const Tensor& visibility, const Tensor& depth_scale,
                                                                const Tensor& limbs, const Tensor& scales,
                                                                int64_t height, int64_t width, ScalarType dtype) {
  check_same_device(depths, "depths", joints);
  check_same_device(visibility, "visibility", joints);
  check_same_device(depth_scale, "depth_scale", joints);
  check_same_device(limbs, "limbs", joints);
  check_same_device(scales, "scales", joints);
  Crowd crowd;
  crowd.joints = view<const float>(joints, "joints", {-1, -1, -1, 2});
  const int64_t batch = crowd.joints.size[0], people = crowd.people(), joint_count = crowd.num_joints();
  crowd.depths = view<const float>(depths, "depths", {batch, people, joint_count});
  crowd.visibility = view<const uint8_t>(visibility, "visibility", {batch, people, joint_count});
  crowd.depth_scale = view<const float>(depth_scale, "depth_scale", {batch});
  crowd.limbs = view<const int64_t>(limbs, "limbs", {-1, 2});
  crowd.scales = view<const float>(scales, "scales", {-1, 2});
  check(height >= 0, "height", "be 0 or more", height);
  check(width >= 0, "width", "be 0 or more", width);
#ifndef SMAP_WITH_CUDA
  check_content(crowd);  // a GPU would have to be waited for; there, limbs of joints that do not exist make no target
#endif
  switch (dtype) {
    case ScalarType::Float:
      return make_targets_as<float>(crowd, joints, height, width);
    case ScalarType::Half:
      return make_targets_as<Float16>(crowd, joints, height, width);
    case ScalarType::BFloat16:
      return make_targets_as<BFloat16>(crowd, joints, height, width);
    default:
      check(false, "dtype", "be float32, float16 or bfloat16", dtype_name(dtype));
      throw;
  }
}

}  // namespace smap

SMAP_REGISTER(make_targets,
              "(Tensor joints, Tensor depths, Tensor visibility, Tensor depth_scale, Tensor limbs, Tensor scales, "
              "int height, int width, ScalarType dtype) -> (Tensor, Tensor, Tensor, Tensor, Tensor)")
