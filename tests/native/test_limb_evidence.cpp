// What the maps say about limbs, read eight places at once, against one by one.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "arrays.h"
#include "check.h"
#include "core/limb_evidence.h"
#include "core/simd.h"

namespace {

constexpr int64_t kHeight = 40, kWidth = 60;

/// Maps of one limb, of any types and strides.
struct Maps {
  RandomMap<3> paf;
  RandomMap<2> depths;
  int32_t status = 0;

  template <class PafValue, class DepthValue>
  Maps(Random& random, PafValue of_paf, DepthValue of_depths)
      : paf(random, {2, kHeight, kWidth}, of_paf), depths(random, {kHeight, kWidth}, of_depths) {}

  bool can_look_with_vectors() const { return smap::can_look_with_vectors(paf.view, depths.view); }

  smap::LimbMaps with(bool vectors) { return {paf.view, depths.view, {}, &status, vectors && can_look_with_vectors()}; }
};

bool same(float a, float b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

/// Half of the PAF is strong, so that limbs pass and fail at every sample.
bool compare_limbs(Random& random) {
  Maps maps(
      random, [&] { return number(random, 0, 1) < 0.5f ? 0.0f : number(random, -1, 1); },
      [&] { return number(random, -1, 1); });
  int supported = 0;
  constexpr int kLimbs = 1000;
  for (int i = 0; i < kLimbs; ++i) {
    const float reach = integer(random, 0, 1) ? 10.0f : 60.0f, wild[] = {NAN, INFINITY, 1e30f, -1e30f, 1e-40f};
    float limb[] = {number(random, -3, kWidth + 3), number(random, -3, kHeight + 3), number(random, -reach, reach),
                    number(random, -reach, reach)};
    if (integer(random, 0, 9) == 0) limb[integer(random, 0, 3)] = wild[integer(random, 0, 4)];
    const auto [ax, ay, dx, dy] = limb;
    smap::LimbEvidence one, eight;
    const bool is = maps.with(false).look(ax, ay, dx, dy, &one);
    CHECK(is == maps.with(true).look(ax, ay, dx, dy, &eight));
    CHECK(!is || (same(one.paf, eight.paf) && same(one.length, eight.length) && same(one.depth, eight.depth)));
    supported += is;
  }
  CHECK(maps.status == 0 || maps.status == smap::AssociationProblem::kPafsNotFinite);  // of directions without an end
  CHECK(supported > kLimbs / 100 && supported < kLimbs * 99 / 100);
  return maps.can_look_with_vectors();
}

/// Limbs that have support, on maps of which nothing is finite.
void tell_what_is_not_finite(Random& random) {
  using Problem = smap::AssociationProblem;
  for (const float wild : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()})
    for (const bool vectors : {false, true}) {
      Maps pafs(random, [=] { return wild; }, [] { return 0.5f; });
      Maps depths(random, [] { return 0.75f; }, [=] { return wild; });
      smap::LimbEvidence limb;
      CHECK(!pafs.with(vectors).look(30, 5, 10, 20, &limb) && pafs.status == Problem::kPafsNotFinite);
      CHECK(!depths.with(vectors).look(30, 5, 10, 20, &limb) && depths.status == Problem::kLimbDepthsNotFinite);
    }
}

void compare_reach(Random& random) {
  for (const int64_t columns : {2, 3}) {  // without gaps, and with
    Array<float, 2> places({77, columns});
    for (float& v : places.data) v = number(random, 0, 50);
    places.data[8] = NAN;
    const int32_t rows = static_cast<int32_t>(places.size[0]);
    const auto xy = places.read();
    for (int32_t last = 0; last <= rows; last += 7)
      for (int32_t first = 0; first < last; first += 5) {
        const float x = number(random, 0, 50), y = number(random, 0, 50), reach = number(random, 0, 900);
        const uint32_t near = smap::rows_in_reach(xy, first, last, x, y, reach);
        for (int32_t i = 0; i < 32; ++i) {
          const int32_t row = first + i;
          const float dx = row < last ? xy(row, 0) - x : 0, dy = row < last ? xy(row, 1) - y : 0;
          CHECK((near >> i & 1) == (row < last && dx * dx + dy * dy <= reach));
        }
      }
  }
}

}  // namespace

int main() {
  Random random(5);
  int with_vectors = 0;
  for (int round = 0; round < 30; ++round) {
    with_vectors += compare_limbs(random);
    tell_what_is_not_finite(random);
  }
#ifdef SMAP_AVX2
  CHECK(with_vectors > 3 || !smap::processor_has_avx2());
#endif
  compare_reach(random);
}
