// The solver on random input, sane and absurd: it stays inside its arrays, refuses what it cannot read, and what it
// returns is people: every peak at most once, near to far, within the capacity.
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "arrays.h"
#include "check.h"
#include "core/associate.h"

using smap::Associate;
using smap::Association;

namespace {

float absurd(Random& random) {
  const float values[] = {std::nanf(""), INFINITY, -INFINITY, 1e30f, -1e30f, 3.4e38f, -1e-42f, 0.0f, 1e10f, 2.5e9f};
  return values[integer(random, 0, 9)];
}

struct Case {
  int64_t batch, joints, capacity, max_people, height, width;
  std::vector<std::pair<int64_t, int64_t>> tree;

  explicit Case(Random& random)
      : batch(integer(random, 0, 3)),
        joints(integer(random, 1, 8)),
        capacity(integer(random, 0, 12)),
        max_people(integer(random, 0, 12)),
        height(integer(random, 1, 20)),
        width(integer(random, 1, 20)) {
    for (int64_t joint = 1; joint < joints; ++joint) tree.emplace_back(integer(random, 0, joint - 1), joint);
  }
};

void check_people(const Case& c, const Associate& a) {
  for (int64_t b = 0; b < c.batch; ++b) {
    const int64_t found = a.people_count(b);
    CHECK(found >= 0 && found <= c.max_people);
    const bool sorted = !(a.options.mode == Association::kPaf && a.options.limb.official);
    for (int64_t p = 0; p + 1 < found && sorted; ++p) CHECK(!(a.root_depths(b, p) > a.root_depths(b, p + 1)));
    for (int64_t p = found; p < c.max_people; ++p) CHECK(a.root_depths(b, p) == 0);
    for (int64_t j = 0; j < c.joints; ++j) {
      std::vector<bool> used(static_cast<size_t>(c.capacity));
      for (int64_t p = 0; p < c.max_people; ++p) {
        const int64_t k = a.people(b, p, j);
        CHECK(k >= -1 && k < c.capacity);
        if (k < 0) continue;
        CHECK(p < found && k < a.count(b, j) && !used[static_cast<size_t>(k)]);
        used[static_cast<size_t>(k)] = true;
      }
    }
    for (int64_t p = 0; p < found; ++p) {
      int64_t size = 0;
      for (int64_t j = 0; j < c.joints; ++j) size += a.people(b, p, j) >= 0;
      CHECK(size >= a.options.min_joints);
    }
  }
}

/// One random problem; `mad` puts in values that no map or peak should have. True when it was refused.
bool solve(uint32_t seed, bool mad) {
  Random random(seed);
  const Case c(random);
  const int64_t limbs = static_cast<int64_t>(c.tree.size());
  const auto value = [&](float low, float high) {
    return mad && integer(random, 0, 200) == 0 ? absurd(random) : number(random, low, high);
  };
  RandomMap<5> pafs(random, {c.batch, limbs, 2, c.height, c.width}, [&] { return value(-1, 1); });
  RandomMap<4> limb_depths(random, {c.batch, limbs, c.height, c.width}, [&] { return value(-0.5, 0.5); });
  RandomMap<3> root_depth(random, {c.batch, c.height, c.width}, [&] { return value(-1, 6); });
  Array<float, 4> xy({c.batch, c.joints, c.capacity, 2});
  for (float& x : xy.data) x = value(-2, 22);
  Array<float, 3> score({c.batch, c.joints, c.capacity});
  for (float& s : score.data) s = value(0, 1);
  Array<int64_t, 2> count({c.batch, c.joints});
  for (int64_t& n : count.data) n = mad ? integer(random, -3, c.capacity + 5) : integer(random, 0, c.capacity);
  Array<int64_t, 2> limb_table({limbs, 3});
  Array<double, 1> lengths({limbs});
  for (int64_t l = 0; l < limbs; ++l) {
    limb_table.view()(l, 0) = c.tree[static_cast<size_t>(l)].first;
    limb_table.view()(l, 1) = c.tree[static_cast<size_t>(l)].second;
    limb_table.view()(l, 2) = integer(random, 0, 1);
    lengths.data[static_cast<size_t>(l)] = number(random, 0.05f, 0.6f);
  }
  const bool wrong_limb = mad && limbs > 0 && integer(random, 0, 9) == 0;
  if (wrong_limb)
    limb_table.view()(integer(random, 0, limbs - 1), integer(random, 0, 1)) = integer(random, 0, 1) ? -1 : c.joints;
  Array<int64_t, 3> people({c.batch, c.max_people, c.joints}, 77);
  Array<int64_t, 1> people_count({c.batch}, 77);
  Array<float, 2> root_depths({c.batch, c.max_people}, 77);

  Associate associate{};
  associate.options.mode = static_cast<Association>(integer(random, 0, 2));
  associate.options.ordinal_prior = integer(random, 0, 3);
  associate.options.limb.official = integer(random, 0, 1);
  associate.options.limb.counted_share = number(random, 0, 0.9f);
  associate.options.half_bodies = integer(random, 0, 1);
  associate.options.min_joints = integer(random, 1, 3);
  associate.options.min_score = integer(random, 0, 2) ? 0.0f : number(random, 0, 0.4f);
  associate.options.max_overlap = integer(random, 0, 1) ? 1.0f : number(random, 0, 0.9f);
  associate.pafs = pafs.view;
  associate.limb_depths = limb_depths.view;
  associate.root_depth = root_depth.view;
  associate.xy = xy.read();
  associate.score = score.read();
  associate.count = count.read();
  associate.limbs = limb_table.read();
  associate.lengths = lengths.read();
  associate.people = people.view();
  associate.people_count = people_count.view();
  associate.root_depths = root_depths.view();
  try {
    smap::associate_on_host(associate);
  } catch (const std::invalid_argument&) {
    CHECK(mad);
    return true;
  }
  CHECK(!wrong_limb);
  check_people(c, associate);
  return false;
}

}  // namespace

int main() {
  int refused = 0;
  for (uint32_t seed = 0; seed < 3000; ++seed) {
    solve(seed, false);
    refused += solve(seed, true);
  }
  CHECK(refused > 100 && refused < 2900);
}
