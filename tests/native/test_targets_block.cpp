// The maps of a block of threads per tile are those of the definition, bit by bit, in whatever order its threads run.
#include <cmath>
#include <vector>

#include "arrays.h"
#include "check.h"
#include "emulated_block.h"
#include "ops/make_targets_block.h"

namespace {

template <class T>
Array<T, 5> heatmaps_of(const smap::Crowd& crowd, int64_t h, int64_t w) {
  return Array<T, 5>({crowd.joints.size[0], crowd.num_scales(), crowd.num_joints(), h, w}, smap::narrow<T>(77));
}

template <class T>
Array<T, 6> pafs_of(const smap::Crowd& crowd, int64_t h, int64_t w) {
  return Array<T, 6>({crowd.joints.size[0], crowd.num_scales(), crowd.num_limbs(), 2, h, w}, smap::narrow<T>(77));
}

template <class T>
Array<T, 5> depths_of(const smap::Crowd& crowd, int64_t h, int64_t w) {
  return Array<T, 5>({crowd.joints.size[0], crowd.num_scales(), crowd.num_limbs(), h, w}, smap::narrow<T>(77));
}

template <class Body>
void run_tiles(const smap::Crowd& crowd, const Body& body, int64_t channels, int64_t h, int64_t w, Order order) {
  EmulatedBlock block(order);
  using Targets = smap::BlockTargets<EmulatedBlock>;
  std::vector<int32_t> scratch(static_cast<size_t>(Targets::scratch_words(crowd)), 77);
  for (int64_t i = 0; i < crowd.joints.size[0] * channels * smap::Tile::count(h, w); ++i)
    Targets(block, crowd, scratch.data()).run(body, i);
}

template <class T>
void compare(const smap::Crowd& crowd, int64_t h, int64_t w, Order order) {
  const int64_t batch = crowd.joints.size[0];
  auto heat = heatmaps_of<T>(crowd, h, w), tiled_heat = heatmaps_of<T>(crowd, h, w);
  const smap::MakeHeatmaps<T> heatmaps{crowd, heat.view()};
  for (int64_t i = 0; i < batch * crowd.num_joints() * h * w; ++i) heatmaps(i);
  run_tiles(crowd, smap::MakeHeatmaps<T>{crowd, tiled_heat.view()}, crowd.num_joints(), h, w, order);
  CHECK(same_bits(tiled_heat, heat));

  auto paf = pafs_of<T>(crowd, h, w), tiled_paf = pafs_of<T>(crowd, h, w);
  auto depth = depths_of<T>(crowd, h, w), tiled_depth = depths_of<T>(crowd, h, w);
  const smap::MakeLimbs<T> limbs{crowd, paf.view(), depth.view()};
  for (int64_t i = 0; i < batch * crowd.num_limbs() * h * w; ++i) limbs(i);
  run_tiles(crowd, smap::MakeLimbs<T>{crowd, tiled_paf.view(), tiled_depth.view()}, crowd.num_limbs(), h, w, order);
  CHECK(same_bits(tiled_paf, paf));
  CHECK(same_bits(tiled_depth, depth));
}

void compare_roots(const smap::Crowd& crowd, int64_t h, int64_t w, Order order) {
  const int64_t batch = crowd.joints.size[0];
  Array<float, 3> depth({batch, h, w}, 77), weight({batch, h, w}, 77);
  Array<float, 3> tiled_depth({batch, h, w}, 77), tiled_weight({batch, h, w}, 77);
  const smap::MakeRoots roots{crowd, depth.view(), weight.view()};
  for (int64_t i = 0; i < batch * h * w; ++i) roots(i);
  run_tiles(crowd, smap::MakeRoots{crowd, tiled_depth.view(), tiled_weight.view()}, 1, h, w, order);
  CHECK(same_bits(tiled_depth, depth));
  CHECK(same_bits(tiled_weight, weight));
}

void random_crowd(uint32_t seed) {
  Random random(seed);
  const int64_t batch = integer(random, 1, 2), joints = 3, scales = integer(random, 1, 2);
  const int64_t people = integer(random, 0, 3) ? integer(random, 0, 8) : integer(random, 30, 50);
  const int64_t h = integer(random, 1, 40),
                w = integer(random, 0, 1) ? 4 * integer(random, 1, 34) : integer(random, 1, 90);
  Array<float, 4> xy({batch, people, joints, 2});
  for (float& x : xy.data) x = integer(random, 0, 20) ? number(random, -15, 90) : integer(random, 0, 1) ? NAN : 7e4f;
  Array<float, 3> z({batch, people, joints});
  for (float& depth : z.data) depth = integer(random, 0, 9) ? number(random, 0.05f, 9) : NAN;
  Array<uint8_t, 3> visibility({batch, people, joints});
  for (uint8_t& v : visibility.data) v = static_cast<uint8_t>(integer(random, 0, 3));
  Array<float, 1> depth_scale({batch}, 1);
  Array<int64_t, 2> limbs({2, 2});
  limbs.data = {0, 1, 1, 2};
  Array<float, 2> sizes({scales, 2});
  for (float& size : sizes.data) size = number(random, 0.6f, 4);
  const smap::Crowd crowd{xy.read(), z.read(), visibility.read(), depth_scale.read(), limbs.read(), sizes.read()};
  const Order order = static_cast<Order>(integer(random, 0, 2));
  compare_roots(crowd, h, w, order);
  compare<float>(crowd, h, w, order);
  if (seed % 2) {
    compare<smap::Float16>(crowd, h, w, order);
  } else {
    compare<smap::BFloat16>(crowd, h, w, order);
  }
}

}  // namespace

int main() {
  for (uint32_t seed = 0; seed < 300; ++seed) random_crowd(seed);
}
