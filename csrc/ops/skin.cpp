#include "ops/skin.h"

#include <tuple>

#include "ops/meshes.h"

namespace smap {

std::tuple<Tensor, Tensor> skin(const Tensor& instances, const Tensor& skins, const Tensor& rest, const Tensor& bones,
                                const Tensor& weights, const Tensor& poses, const Tensor& cameras, int64_t vertices) {
  const Tensor rows = dense(instances), parts = dense(skins), model = dense(rest), who = dense(bones);
  const Tensor share = dense(weights), moves = dense(poses), views = dense(cameras);
  check(vertices >= 0 && vertices <= INT32_MAX, "vertices", "be a count below 2^31", vertices);
  Skin body;
  body.instances = elements<const int32_t>(rows, "instances", {-1, kInstanceColumns}, rest);
  body.instance_count = rows.size(0);
  body.skins = elements<const int32_t>(parts, "skins", {body.instance_count, kSkinColumns}, rest);
  body.rest = elements<const float>(model, "rest", {-1, kRestSize}, rest);
  body.bones = elements<const uint8_t>(who, "bones", {-1, kInfluences}, rest);
  body.weights = elements<const float>(share, "weights", {who.size(0), kInfluences}, rest);
  body.poses = elements<const float>(moves, "poses", {-1, -1, kPoseSize}, rest);
  body.cameras = elements<const float>(views, "cameras", {-1, 4}, rest);
  body.rest_count = model.size(0);
  body.influence_count = who.size(0);
  body.pose_count = moves.size(0);
  body.bone_count = moves.size(1);
  body.pictures = views.size(0);
  check(vertices == 0 || body.instance_count > 0, "vertices", "be 0 without instances", vertices);
  Tensor screen = empty(rest, {vertices, 3}, ScalarType::Float),
         normals = empty(rest, {vertices, 3}, ScalarType::Float);
  body.screen = static_cast<float*>(screen.data_ptr());
  body.normals = static_cast<float*>(normals.data_ptr());
#ifdef SMAP_WITH_CUDA
  run(body, vertices, rest);
#else
  // Mesh by mesh, so that a vertex need not look for its instance.
  for (int64_t row = 0; row < body.instance_count; ++row) {
    const bool last = row + 1 == body.instance_count;
    const int64_t end = last ? vertices : body.instances[(row + 1) * kInstanceColumns + kFirstVertex];
    const int64_t first = body.instances[row * kInstanceColumns + kFirstVertex];
    check(first >= 0 && first <= end && end <= vertices, "instances", "have rising first vertices", first);
    check(row > 0 || first == 0, "instances", "begin with vertex 0", first);
    for (int64_t i = first; i < end; ++i) body.pose(row, i);
  }
#endif
  return {screen, normals};
}

}  // namespace smap

SMAP_REGISTER(
    skin,
    "(Tensor instances, Tensor skins, Tensor rest, Tensor bones, Tensor weights, Tensor poses, Tensor cameras, "
    "int vertices) -> (Tensor, Tensor)")
