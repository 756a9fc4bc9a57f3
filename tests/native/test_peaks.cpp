// The fast scan of the CPU finds what the plain definition finds, for any type, stride, size and capacity, and refuses
// maps that are not finite.
#include <cmath>
#include <stdexcept>

#include "arrays.h"
#include "check.h"
#include "core/peaks.h"

using smap::FindPeaks;

namespace {

struct Result {
  Array<float, 4> xy;
  Array<float, 3> score;
  Array<int64_t, 2> count;

  Result(int64_t batch, int64_t joints, int64_t capacity)
      : xy({batch, joints, capacity, 2}, 77), score({batch, joints, capacity}, 77), count({batch, joints}, 77) {}

  FindPeaks on(const smap::MapView<4>& map, float threshold, float scale, bool official) {
    return {map, threshold, scale, official, xy.view(), score.view(), count.view(), {}};
  }
};

void compare(uint32_t seed) {
  Random random(seed);
  const int64_t batch = integer(random, 0, 2), joints = integer(random, 0, 3), capacity = integer(random, 0, 9);
  // Widths around multiples of the 32 pixels that are looked at together; coarse values make plateaus and ties.
  const int64_t height = integer(random, 1, 9),
                width = integer(random, 1, 3) == 1 ? integer(random, 1, 6) : integer(random, 30, 135);
  const float steps = integer(random, 0, 1) ? 4.0f : 1024.0f;
  RandomMap<4> map(random, {batch, joints, height, width},
                   [&] { return std::floor(number(random, -0.5f, 1.0f) * steps) / steps; });
  const float threshold = static_cast<float>(integer(random, 0, 3)) * 0.25f,
              scale = integer(random, 0, 1) ? 1.0f : 3.0f;
  const bool official = integer(random, 0, 1);
  Result fast(batch, joints, capacity), plain(batch, joints, capacity);
  smap::find_peaks_on_host(fast.on(map.view, threshold, scale, official), integer(random, 0, 1));
  const FindPeaks definition = plain.on(map.view, threshold, scale, official);
  for (int64_t i = 0; i < batch * joints; ++i) definition(i);
  CHECK(fast.count.data == plain.count.data);
  CHECK(fast.score.data == plain.score.data);
  CHECK(fast.xy.data == plain.xy.data);
}

void not_finite_is_refused() {
  for (float value : {std::nanf(""), -std::nanf(""), INFINITY, -INFINITY}) {
    for (uint32_t seed = 0; seed < 60; ++seed) {
      Random random(seed);
      const int64_t at = integer(random, 0, 199);
      int64_t i = 0;
      RandomMap<4> map(random, {1, 1, 2, 100}, [&] { return i++ == at ? value : 0.25f; });
      if (map.view.stride[2] == 2 || map.view.stride[3] == 2) continue;  // the value may lie in a gap
      Result result(1, 1, 4);
      bool refused = false;
      try {
        smap::find_peaks_on_host(result.on(map.view, 0.1f, 1.0f, false), seed % 2);
      } catch (const std::invalid_argument&) {
        refused = true;
      }
      CHECK(refused);
    }
  }
}

}  // namespace

int main() {
  for (uint32_t seed = 0; seed < 4000; ++seed) compare(seed);
  not_finite_is_refused();
}
