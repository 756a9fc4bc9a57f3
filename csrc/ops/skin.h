// Skinned meshes on the screen: the vertices and normals that rasterize and shade read.
#pragma once

#include <cstdint>

#include "ops/rasterize.h"

namespace smap {

constexpr int kInfluences = 4;    // bones of a vertex
constexpr int kRestSize = 6;      // position and normal of a vertex in the T-pose
constexpr int kPoseSize = 12;     // a bone's 3x4 transform, row by row
constexpr float kNearest = 0.1f;  // metres: vertices nearer than this count as behind the camera

/// Columns of the table beside the instances: what a mesh is made of.
enum SkinColumn { kFirstRest, kPose, kSkinColumns };

/// Output vertex i.
struct Skin {
  const int32_t* instances;  // (I, kInstanceColumns) of rasterize; kFirstVertex rises
  const int32_t* skins;      // (I, kSkinColumns) first row of `rest`, row of `poses`
  const float* rest;         // (R, kRestSize)
  const uint8_t* bones;      // (U, kInfluences) by kFirstUv, as texture coordinates are
  const float* weights;      // (U, kInfluences)
  const float* poses;        // (P, K, kPoseSize) T-pose -> camera frame
  const float* cameras;      // (B, 4) fx, fy, cx, cy
  float* screen;             // (V, 3) x, y in pixels, 1/z or 0 where nearer than kNearest; out
  float* normals;            // (V, 3) any length; out
  int64_t instance_count, rest_count, influence_count, pose_count, bone_count, pictures;

  SMAP_HOST_DEVICE void operator()(int64_t i) const {
    int64_t low = 0, high = instance_count - 1;
    while (low < high) {
      const int64_t middle = (low + high + 1) / 2;
      if (instances[middle * kInstanceColumns + kFirstVertex] <= i) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    pose(low, i);
  }

  /// Output vertex i, which belongs to instance `row`.
  SMAP_HOST_DEVICE void pose(int64_t row, int64_t i) const {
    const int32_t* instance = instances + row * kInstanceColumns;
    const int32_t* skin = skins + row * kSkinColumns;
    const int64_t local = i - instance[kFirstVertex];
    const int64_t at = skin[kFirstRest] + local, influence = instance[kFirstUv] + local;
    float* out = screen + 3 * i;
    float* normal = normals + 3 * i;
    out[0] = out[1] = out[2] = normal[0] = normal[1] = normal[2] = 0.f;
    if (outside(local, rest_count) || outside(at, rest_count) || outside(influence, influence_count) ||
        outside(skin[kPose], pose_count) || outside(instance[kPicture], pictures)) {
      return;
    }
    float m[kPoseSize] = {};
    for (int k = 0; k < kInfluences; ++k) {
      const float weight = weights[kInfluences * influence + k];
      const int64_t bone = bones[kInfluences * influence + k];
      if (weight == 0.f || bone >= bone_count) continue;
      const float* move = poses + (skin[kPose] * bone_count + bone) * kPoseSize;
      for (int c = 0; c < kPoseSize; ++c) m[c] += weight * move[c];
    }
    const float* v = rest + kRestSize * at;
    const float* n = v + 3;
    float p[3];
    for (int r = 0; r < 3; ++r) {
      const float* t = m + 4 * r;
      p[r] = t[0] * v[0] + t[1] * v[1] + t[2] * v[2] + t[3];
      normal[r] = t[0] * n[0] + t[1] * n[1] + t[2] * n[2];
    }
    const float* camera = cameras + 4 * static_cast<int64_t>(instance[kPicture]);
    const float inverse = p[2] > kNearest ? 1.f / p[2] : 0.f;
    out[0] = p[0] * inverse * camera[0] + camera[2];
    out[1] = p[1] * inverse * camera[1] + camera[3];
    out[2] = inverse;
  }

 private:
  SMAP_HOST_DEVICE static bool outside(int64_t index, int64_t count) { return index < 0 || index >= count; }
};

}  // namespace smap
