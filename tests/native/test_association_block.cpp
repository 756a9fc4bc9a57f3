// The people of a block of threads are those of the solver, in whatever order its threads run.
#include <cmath>
#include <stdexcept>
#include <vector>

#include "arrays.h"
#include "check.h"
#include "core/associate.h"
#include "core/association_block.h"
#include "emulated_block.h"

using smap::Associate;
using smap::Association;

namespace {

struct Result {
  Array<int64_t, 3> people;
  Array<int64_t, 1> count;
  Array<float, 2> root_depths;

  Result(int64_t batch, int64_t max_people, int64_t joints)
      : people({batch, max_people, joints}, 77), count({batch}, 77), root_depths({batch, max_people}, 77) {}

  Associate of(Associate problem) {
    problem.people = people.view();
    problem.people_count = count.view();
    problem.root_depths = root_depths.view();
    return problem;
  }
};

/// `fast_words` of memory beside the workspace: none, too little or enough.
Result solve_in_blocks(const Associate& problem, Order order, size_t fast_words) {
  const int64_t batch = problem.count.size[0], limbs = problem.limbs.size[0];
  Result result(batch, problem.people.size[1], problem.count.size[1]);
  Array<int32_t, 1> status({batch});
  Associate associate = result.of(problem);
  associate.status = status.view();
  EmulatedBlock block(order);
  std::vector<int32_t> fast(fast_words, 77);
  const auto size = static_cast<int64_t>(fast.size());
  if (associate.options.mode == Association::kOptimal) {
    Array<int32_t, 2> workspace({batch, associate.workspace_size()}, 77);
    associate.workspace = workspace.view();
    for (int64_t b = 0; b < batch; ++b) {
      const smap::Memory lent{workspace.view().data + b * associate.workspace_size(), fast.data(), size};
      smap::OptimalAssociation(associate, b, lent).run(block);
    }
    return result;
  }
  const smap::AssociationMemory memory(associate);
  for (int64_t b = 0; b < batch; ++b) {
    std::vector<smap::ScoredPair> pairs(static_cast<size_t>(memory.pairs / 2), {77, 77});
    std::vector<int32_t> scratch(static_cast<size_t>(memory.scratch), 77);
    for (int32_t l = 0; l < limbs; ++l)
      for (int32_t thread = 0; thread < 3; ++thread) smap::ScorePairs{associate, pairs.data()}(b, l, thread, 3);
    const smap::Memory lent{scratch.data(), fast.data(), size};
    smap::BlockAssociation<EmulatedBlock>(block, associate, b, pairs.data(), lent).run();
  }
  return result;
}

/// Number of people. Few distinct values make ties; `crowded` ones fill the capacities.
int64_t compare(uint32_t seed) {
  Random random(seed);
  const bool crowded = integer(random, 0, 3) == 0, coarse = integer(random, 0, 1);
  const int64_t batch = integer(random, 1, 2), joints = integer(random, 1, 9), height = 20, width = 24;
  const int64_t capacity = integer(random, crowded ? 8 : 0, 14), max_people = integer(random, 0, crowded ? 9 : 30);
  const int64_t limbs = integer(random, 0, 9) == 0 ? 0 : joints - 1;
  const auto value = [&](float low, float high) {
    const float v = number(random, low, high);
    return coarse ? std::round(v * 2) / 2 : v;
  };
  // The PAF of a limb points about one way, so that many pairs have a score and fight for their ends.
  float way = 0;
  int64_t i = 0;
  // The maps of one more limb, which names a joint that is not there: a GPU cannot refuse it and leaves it out.
  const bool broken = limbs > 0 && integer(random, 0, 3) == 0;
  RandomMap<5> pafs(random, {batch, limbs + 1, 2, height, width}, [&] {
    if (i++ % (2 * height * width) == 0) way = value(-1, 1);
    return way + value(-0.5f, 0.5f);
  });
  RandomMap<4> limb_depths(random, {batch, limbs + 1, height, width}, [&] { return value(-0.5f, 0.5f); });
  RandomMap<3> root_depth(random, {batch, height, width}, [&] { return value(-0.2f, 2); });
  Array<float, 4> xy({batch, joints, capacity, 2});
  for (float& x : xy.data) x = value(-1, 23);
  Array<float, 3> score({batch, joints, capacity});
  for (float& s : score.data) s = value(0, 1);
  Array<int64_t, 2> count({batch, joints});
  for (int64_t& n : count.data) n = crowded ? capacity : integer(random, 0, capacity);
  Array<int64_t, 2> table({limbs + 1, 3});
  Array<double, 1> lengths({limbs + 1}, 0.3);
  table.view()(limbs, 0) = integer(random, 0, joints - 1);
  table.view()(limbs, 1) = integer(random, 0, 1) ? -1 : joints + 3;
  for (int64_t l = 0; l < limbs; ++l) {
    // Mostly a tree; sometimes a joint has two parents.
    table.view()(l, 0) = integer(random, 0, l);
    table.view()(l, 1) = integer(random, 0, 9) == 0 ? integer(random, 0, joints - 1) : l + 1;
    table.view()(l, 2) = integer(random, 0, 1);
    lengths.data[static_cast<size_t>(l)] = number(random, 0.05f, 0.6f);
  }
  Associate problem{};
  problem.options.mode = static_cast<Association>(integer(random, 0, 2));
  problem.options.ordinal_prior = integer(random, 0, 3);
  problem.options.limb.official = integer(random, 0, 1);
  problem.options.limb.counted_share = number(random, 0, 0.8f);
  problem.options.half_bodies = integer(random, 0, 1);
  problem.options.min_joints = integer(random, 1, 3);
  problem.options.min_score = integer(random, 0, 2) ? 0.0f : number(random, 0, 0.4f);
  problem.options.max_overlap = integer(random, 0, 1) ? 1.0f : number(random, 0, 0.9f);
  problem.pafs = pafs.view;
  problem.limb_depths = limb_depths.view;
  problem.root_depth = root_depth.view;
  problem.xy = xy.read();
  problem.score = score.read();
  problem.count = count.read();
  problem.limbs = table.read();
  problem.lengths = lengths.read();
  problem.pafs.size[1] = problem.limb_depths.size[1] = problem.limbs.size[0] = problem.lengths.size[0] = limbs;
  Result expected(batch, max_people, joints);
  problem = expected.of(problem);
  smap::associate_on_host(problem);
  if (broken)
    problem.pafs.size[1] = problem.limb_depths.size[1] = problem.limbs.size[0] = problem.lengths.size[0] = limbs + 1;
  for (Order order : {Order::kForward, Order::kBackward, Order::kShuffled}) {
    constexpr size_t kFastWords[] = {0, 300, 1000, 3000, 100000};
    const Result result = solve_in_blocks(problem, order, kFastWords[integer(random, 0, 4)]);
    CHECK(same_bits(result.count, expected.count));
    CHECK(same_bits(result.people, expected.people));
    CHECK(same_bits(result.root_depths, expected.root_depths));
  }
  // Depths that are no numbers, which a GPU cannot refuse: still every row is written, whoever comes first.
  RandomMap<3> odd_depth(random, {batch, height, width},
                         [&] { return integer(random, 0, 2) == 0 ? std::nanf("") : value(-0.2f, 2); });
  problem.root_depth = odd_depth.view;
  const Result result = solve_in_blocks(problem, Order::kShuffled, 3000);
  for (int64_t b = 0; b < batch; ++b) CHECK(result.count.data[static_cast<size_t>(b)] <= max_people);
  for (int64_t k : result.people.data) CHECK(k >= -1 && k < capacity);
  int64_t joined = 0;
  for (int64_t k : expected.people.data) joined += k >= 0;
  return joined;
}

}  // namespace

int main() {
  int64_t joined = 0;
  for (uint32_t seed = 0; seed < 3000; ++seed) joined += compare(seed);
  CHECK(joined > 20000);
}
