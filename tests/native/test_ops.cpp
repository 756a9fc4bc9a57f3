// The bodies of the ops, which run on GPU threads as they are here, on random input with wild values and indices: they
// stay inside their arrays and do nothing undefined.
#include <cmath>

#include "arrays.h"
#include "check.h"
#include "ops/back_project.h"
#include "ops/make_targets_cpu.h"
#include "ops/rasterize.h"
#include "ops/read_limb_depths.h"

namespace {

float wild(Random& random, float low, float high) {
  const float values[] = {std::nanf(""), INFINITY, -INFINITY, 1e30f, -1e30f, 3.4e38f, 9.3e18f, -2.2e9f, 1e-42f, 0.0f};
  return integer(random, 0, 30) == 0 ? values[integer(random, 0, 9)] : number(random, low, high);
}

template <class T, int N>
void fill_wild(Random& random, Array<T, N>& array, float low, float high) {
  for (T& value : array.data) value = static_cast<T>(wild(random, low, high));
}

template <class T, int N>
void fill_integers(Random& random, Array<T, N>& array, int64_t low, int64_t high) {
  for (T& value : array.data) value = static_cast<T>(integer(random, low, high));
}

template <class Body>
void run(const Body& body, int64_t count) {
  for (int64_t i = 0; i < count; ++i) body(i);
}

void back_project(Random& random) {
  const int64_t batch = integer(random, 0, 3), points = integer(random, 0, 5);
  Array<double, 3> xy({batch, points, 2}), out({batch, points, 3});
  Array<double, 2> depth({batch, points}), cameras({batch, 4});
  fill_wild(random, xy, -9, 9);
  fill_wild(random, depth, -9, 9);
  fill_wild(random, cameras, -9, 9);
  run(smap::BackProject<double>{xy.read(), depth.read(), cameras.read(), out.view()}, batch * points);
}

void read_limb_depths(Random& random) {
  const int64_t batch = integer(random, 0, 2), limbs = integer(random, 0, 4), people = integer(random, 0, 4);
  const int64_t joints = integer(random, 1, 5), capacity = integer(random, 0, 5);
  const int64_t height = integer(random, 1, 9), width = integer(random, 1, 9);
  Array<float, 4> maps({batch, limbs, height, width}), xy({batch, joints, capacity, 2});
  Array<int64_t, 3> table({batch, people, joints});
  Array<int64_t, 2> tree({limbs, 2});
  Array<float, 3> out({batch, people, limbs}, 77);
  fill_wild(random, maps, -1, 1);
  fill_wild(random, xy, -3, 12);
  fill_integers(random, table, -2, capacity + 1);
  fill_integers(random, tree, -1, joints);
  smap::ReadLimbDepths<float> body;
  body.maps = maps.read();
  body.xy = xy.read();
  body.people = table.read();
  body.limbs = tree.read();
  body.samples = static_cast<int>(integer(random, 1, 32));
  body.stride = integer(random, 1, 8);
  body.child_alone = integer(random, 0, 1);
  body.out = out.view();
  run(body, batch * people * limbs);
  for (float value : out.data) CHECK(value != 77);
}

template <class T, int N>
bool same(const Array<T, N>& a, const Array<T, N>& b) {
  return a.data.empty() || memcmp(a.data.data(), b.data.data(), a.data.size() * sizeof(T)) == 0;
}

template <class T>
void make_targets_agree(const smap::Crowd& crowd, int64_t height, int64_t width) {
  const int64_t batch = crowd.joints.size[0], joints = crowd.num_joints(), limbs = crowd.num_limbs();
  const int64_t scales = crowd.num_scales();
  if (batch * height * width == 0) return;
  const T rubbish = smap::narrow<T>(77.0f);
  Array<T, 5> heatmaps({batch, scales, joints, height, width}, rubbish), heatmaps_cpu = heatmaps;
  Array<T, 5> depths({batch, scales, limbs, height, width}, rubbish), depths_cpu = depths;
  Array<T, 6> pafs({batch, scales, limbs, 2, height, width}, rubbish), pafs_cpu = pafs;
  Array<float, 3> root({batch, height, width}, 77), weight = root, root_cpu = root, weight_cpu = root;
  run(smap::MakeHeatmaps<T>{crowd, heatmaps.view()}, batch * joints * height * width);
  run(smap::MakeLimbs<T>{crowd, pafs.view(), depths.view()}, batch * limbs * height * width);
  run(smap::MakeRoots{crowd, root.view(), weight.view()}, batch * height * width);
  smap::paint_heatmaps(smap::MakeHeatmaps<T>{crowd, heatmaps_cpu.view()});
  smap::paint_limbs(smap::MakeLimbs<T>{crowd, pafs_cpu.view(), depths_cpu.view()});
  smap::paint_roots(smap::MakeRoots{crowd, root_cpu.view(), weight_cpu.view()});
  CHECK(same(heatmaps, heatmaps_cpu));
  CHECK(same(pafs, pafs_cpu));
  CHECK(same(depths, depths_cpu));
  CHECK(same(root, root_cpu));
  CHECK(same(weight, weight_cpu));
}

void make_targets(Random& random) {
  const int64_t batch = integer(random, 0, 2), people = integer(random, 0, 4), joints = integer(random, 1, 4);
  const int64_t limbs = integer(random, 0, 3), scales = integer(random, 0, 2);
  const int64_t height = integer(random, 0, 9), width = integer(random, 0, 9);
  Array<float, 4> xy({batch, people, joints, 2});
  Array<float, 3> depths({batch, people, joints});
  Array<uint8_t, 3> visibility({batch, people, joints});
  Array<float, 1> depth_scale({batch});
  Array<int64_t, 2> tree({limbs, 2});
  Array<float, 2> sizes({scales, 2});
  fill_wild(random, xy, -3, 12);
  fill_wild(random, depths, -1, 9);
  fill_integers(random, visibility, 0, 2);
  fill_wild(random, depth_scale, 0, 2);
  fill_integers(random, tree, -1, joints);
  for (float& size : sizes.data) size = number(random, 0.3f, 4);
  const smap::Crowd crowd{xy.read(), depths.read(), visibility.read(), depth_scale.read(), tree.read(), sizes.read()};
  Array<float, 5> heatmaps({batch, scales, joints, height, width}, 77),
      limb_depths({batch, scales, limbs, height, width});
  Array<float, 6> pafs({batch, scales, limbs, 2, height, width});
  Array<float, 3> root({batch, height, width}), weight({batch, height, width}, 77);
  run(smap::MakeHeatmaps<float>{crowd, heatmaps.view()}, batch * joints * height * width);
  run(smap::MakeLimbs<float>{crowd, pafs.view(), limb_depths.view()}, batch * limbs * height * width);
  run(smap::MakeRoots{crowd, root.view(), weight.view()}, batch * height * width);
  for (float value : heatmaps.data) CHECK(value >= 0 && value <= 1);
  // The CPU goes about it in another way, with the same result.
  fill_integers(random, tree, 0, joints - 1);
  make_targets_agree<float>(crowd, height, width);
  make_targets_agree<smap::BFloat16>(crowd, height, width);
  make_targets_agree<smap::Float16>(crowd, height, width);
  for (float value : weight.data) CHECK(value == 0 || value == 0.35f || value == 1);
}

void rasterize(Random& random) {
  const int64_t vertices = integer(random, 1, 20), triangles = integer(random, 1, 30),
                instances = integer(random, 1, 4);
  const int64_t pictures = integer(random, 1, 3), supersample = integer(random, 1, 4), level = integer(random, 0, 3);
  const int64_t side = int64_t{1} << level, height = integer(random, 1, 12), width = integer(random, 1, 12);
  Array<float, 2> screen({vertices, 3}), uv({vertices, 2});
  Array<int32_t, 2> corners({triangles, 3}), table({instances, smap::kInstanceColumns});
  fill_wild(random, screen, -4, 14);
  for (int64_t v = 0; v < vertices; ++v) screen.view()(v, 2) = wild(random, -0.1f, 1);
  fill_wild(random, uv, -0.5f, 1.5f);
  fill_integers(random, corners, -1, vertices);
  int64_t total = 0, bytes = 0;
  for (int64_t i = 0; i < instances; ++i) {
    auto row = table.view()[i];
    const int64_t count = integer(random, 0, triangles + 2);
    const int64_t values[] = {integer(random, -1, pictures),
                              integer(random, -2, 2),
                              integer(random, -2, 2),
                              integer(random, -1, triangles),
                              count,
                              integer(random, -1, 1),
                              integer(random, 0, 7),
                              total};
    for (int c = 0; c < smap::kInstanceColumns; ++c) row(c) = static_cast<int32_t>(values[c]);
    total += count;
  }
  for (int64_t l = 0; l <= level; ++l) bytes += 4 * (side >> l) * (side >> l);
  Array<uint8_t, 1> texels({bytes});
  fill_integers(random, texels, 0, 255);
  Array<int64_t, 2> textures({1, 3});
  textures.data = {0, side, level + 1};
  Array<int64_t, 3> visibility({pictures, height * supersample, width * supersample}, smap::kNothing);
  smap::Rasterize body;
  body.meshes = {screen.data.data(),
                 uv.data.data(),
                 corners.data.data(),
                 table.data.data(),
                 vertices,
                 vertices,
                 triangles,
                 instances,
                 pictures,
                 {texels.data.data(), textures.data.data(), 1},
                 static_cast<int>(supersample)};
  body.visibility = visibility.data.data();
  body.height = height * supersample;
  body.width = width * supersample;
  run(body, total);
  for (int64_t key : visibility.data) CHECK(key == smap::kNothing || (key & 0xffffffff) < total);
}

}  // namespace

int main() {
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    Random random(seed);
    back_project(random);
    read_limb_depths(random);
    make_targets(random);
    rasterize(random);
  }
}
