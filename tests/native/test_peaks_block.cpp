// The peaks of a block of threads are those of the definition, in the same order, in whatever order its threads run.
#include <cmath>
#include <vector>

#include "arrays.h"
#include "check.h"
#include "core/peaks_block.h"
#include "emulated_block.h"

using smap::FindPeaks;

namespace {

struct Result {
  Array<float, 4> xy;
  Array<float, 3> score;
  Array<int64_t, 2> count;

  Result(const smap::MapView<4>& map, int64_t capacity)
      : xy({map.size[0], map.size[1], capacity, 2}, 77),
        score({map.size[0], map.size[1], capacity}, 77),
        count({map.size[0], map.size[1]}, 77) {}

  FindPeaks on(const smap::MapView<4>& map, float threshold, float scale, bool official) {
    return {map, threshold, scale, official, xy.view(), score.view(), count.view(), {}};
  }
};

void compare(uint32_t seed) {
  Random random(seed);
  const int64_t batch = integer(random, 0, 2), joints = integer(random, 0, 3), capacity = integer(random, 0, 12);
  const int64_t height = integer(random, 0, 24), width = integer(random, 0, 1) ? integer(random, 0, 5) : 40;
  // Coarse values make plateaus and ties, bumps are what networks give.
  const float steps = integer(random, 0, 1) ? 4.0f : 1024.0f;
  const bool bumps = integer(random, 0, 1), bad = integer(random, 0, 9) == 0;
  int64_t i = 0;
  RandomMap<4> map(random, {batch, joints, height, width}, [&] {
    if (bad && integer(random, 0, 30) == 0) return integer(random, 0, 1) ? std::nanf("") : INFINITY;
    const float wave = std::sin(static_cast<float>(i++) * 0.7f);
    return bumps ? wave * wave * wave : std::floor(number(random, -0.5f, 1.0f) * steps) / steps;
  });
  const float threshold = static_cast<float>(integer(random, 0, 2)) * 0.25f,
              scale = integer(random, 0, 1) ? 1.0f : 3.0f;
  const bool official = integer(random, 0, 1);
  Result plain(map.view, capacity);
  const FindPeaks definition = plain.on(map.view, threshold, scale, official);
  for (int64_t c = 0; c < batch * joints; ++c) definition(c);
  for (Order order : {Order::kForward, Order::kBackward, Order::kShuffled}) {
    Result result(map.view, capacity);
    FindPeaks find = result.on(map.view, threshold, scale, official);
    EmulatedBlock block(order);
    using Peaks = smap::BlockPeaks<EmulatedBlock>;
    const int64_t words = smap::bit_words(height * width);
    Array<int32_t, 2> marks({batch * joints, words}, 77);
    find.marks = marks.view();
    std::vector<int32_t> scratch(static_cast<size_t>(words), 77);
    for (int64_t c = 0; c < batch * joints; ++c) {
      for (int32_t first = 0; first < words; first += 7) Peaks(block, find, c).mark(first, 7);
      Peaks(block, find, c).list(scratch.data());
    }
    CHECK(same_bits(result.count, plain.count));
    CHECK(same_bits(result.score, plain.score));
    CHECK(same_bits(result.xy, plain.xy));  // a centroid of infinite values is NaN
  }
}

}  // namespace

int main() {
  for (uint32_t seed = 0; seed < 3000; ++seed) compare(seed);
}
