#include "core/limb_pairs.h"

#include <cfloat>
#include <cmath>

#include "core/map_lanes.h"

namespace smap {
namespace {

int64_t list_all(int64_t count, int32_t* possible) {
  for (int64_t c = 0; c < count; ++c) possible[c] = static_cast<int32_t>(c);
  return count;
}

#ifdef SMAP_AVX2

// Samples looked at, in eighths of the limb; different ones however few there are. Five are enough to rule out any
// limb that needs more than four fifths of its samples.
constexpr int kProbes[] = {4, 6, 2, 7, 1};

/// Components of a PAF along limbs, at eight places.
template <class T>
struct Samples {
  const T* values;
  int64_t height, width, to_y, row, column;
  __m256 ux, uy, scale;

  SMAP_AVX2 Samples(const LimbScore& score, __m256 ux, __m256 uy)
      : values(static_cast<const T*>(score.paf.data)),
        height(score.paf.size[1]),
        width(score.paf.size[2]),
        to_y(score.paf.stride[0]),
        row(score.paf.stride[1]),
        column(score.paf.stride[2]),
        ux(ux),
        uy(uy),
        scale(_mm256_set1_ps(score.options.scale)) {}

  SMAP_AVX2 __m256 along(__m256 x, __m256 y) const {
    const __m256i pixel = offsets(nearest_pixels(y, height), row, nearest_pixels(x, width), column);
    const __m256 vx = _mm256_mul_ps(load(values, pixel), scale), vy = _mm256_mul_ps(load(values + to_y, pixel), scale);
    return _mm256_add_ps(_mm256_mul_ps(ux, vx), _mm256_mul_ps(uy, vy));
  }
};

template <class T>
SMAP_AVX2 float score_avx2(const LimbScore& score, const LimbScore::Segment& s) {
  const Samples<T> sample(score, _mm256_set1_ps(s.ux), _mm256_set1_ps(s.uy));
  const __m256 threshold = _mm256_set1_ps(score.options.sample_threshold);
  __m256 t = _mm256_add_ps(_mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_ps(score.first_sample()));
  float sum = 0.0f;
  int counted = 0;
  for (int start = 0; start < s.samples; start += kLanes) {
    const __m256 along = sample.along(_mm256_add_ps(_mm256_set1_ps(s.x), _mm256_mul_ps(t, _mm256_set1_ps(s.step_x))),
                                      _mm256_add_ps(_mm256_set1_ps(s.y), _mm256_mul_ps(t, _mm256_set1_ps(s.step_y))));
    t = _mm256_add_ps(t, _mm256_set1_ps(static_cast<float>(kLanes)));
    const int left = s.samples - start, lanes = left < kLanes ? (1 << left) - 1 : (1 << kLanes) - 1;
    if ((finite(along) & lanes) != lanes) return NAN;
    alignas(32) float values[kLanes];
    _mm256_store_ps(values, along);
    int counts = _mm256_movemask_ps(_mm256_cmp_ps(along, threshold, _CMP_GT_OQ)) & lanes;
    counted += __builtin_popcount(static_cast<unsigned>(counts));
    for (; counts != 0; counts &= counts - 1) sum += values[__builtin_ctz(static_cast<unsigned>(counts))];
    if (!score.enough(left > kLanes ? counted + left - kLanes : counted, s.samples)) return score.fallback(s);
  }
  return sum / static_cast<float>(counted);
}

/// Bit i: the limb to child peak i of eight cannot have enough samples. The arithmetic is that of `LimbScore`, so a
/// sample that does not count here does not count there.
template <class T>
SMAP_AVX2 int rule_out_avx2(const LimbScore& score, float ax, float ay, __m256 bx, __m256 by) {
  const __m256 shift = _mm256_set1_ps(score.shift()), one_half = _mm256_set1_ps(0.5f);
  __m256 x = _mm256_add_ps(_mm256_set1_ps(ax), shift), y = _mm256_add_ps(_mm256_set1_ps(ay), shift);
  __m256 to_x = _mm256_add_ps(bx, shift), to_y = _mm256_add_ps(by, shift);
  if (score.from_child) {
    const __m256 from_x = x, from_y = y;
    x = to_x, y = to_y;
    to_x = from_x, to_y = from_y;
  }
  const __m256 dx = _mm256_sub_ps(to_x, x), dy = _mm256_sub_ps(to_y, y);
  const __m256 no_sign = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
  const __m256 longer = _mm256_max_ps(_mm256_and_ps(dx, no_sign), _mm256_and_ps(dy, no_sign));
  const __m256 length = _mm256_sqrt_ps(_mm256_add_ps(_mm256_mul_ps(dx, dx), _mm256_mul_ps(dy, dy)));
  // Near ones have a score of their own; whatever is not a number is left to LimbScore to report.
  const __m256 far = _mm256_and_ps(_mm256_cmp_ps(length, _mm256_set1_ps(score.near_distance), _CMP_GE_OQ),
                                   _mm256_cmp_ps(longer, _mm256_set1_ps(1e4f), _CMP_LT_OQ));
  int left = _mm256_movemask_ps(far), ruled_out = 0;
  __m256i n = _mm256_cvttps_epi32(_mm256_add_ps(_mm256_sqrt_ps(_mm256_mul_ps(_mm256_set1_ps(5.0f), longer)), one_half));
  n = _mm256_min_epi32(_mm256_max_epi32(n, _mm256_set1_epi32(LimbScore::kMinSamples)),
                       _mm256_set1_epi32(LimbScore::kMaxSamples));
  const __m256 samples = _mm256_cvtepi32_ps(n), share = _mm256_set1_ps(score.options.counted_share);
  const __m256 step_x = _mm256_div_ps(dx, samples), step_y = _mm256_div_ps(dy, samples);
  const __m256 ux = _mm256_div_ps(dx, length), uy = _mm256_div_ps(dy, length);
  const __m256 threshold = _mm256_set1_ps(score.options.sample_threshold);
  const Samples<T> sample(score, ux, uy);
  __m256 counted = samples;
  for (const int probe : kProbes) {
    if (left == 0) break;
    const __m256i i = _mm256_srli_epi32(_mm256_mullo_epi32(_mm256_set1_epi32(probe), n), 3);
    const __m256 t = _mm256_add_ps(_mm256_cvtepi32_ps(i), _mm256_set1_ps(score.first_sample()));
    const __m256 along =
        sample.along(_mm256_add_ps(x, _mm256_mul_ps(t, step_x)), _mm256_add_ps(y, _mm256_mul_ps(t, step_y)));
    const __m256 miss = _mm256_and_ps(_mm256_cmp_ps(along, threshold, _CMP_LE_OQ),
                                      _mm256_cmp_ps(along, _mm256_set1_ps(-FLT_MAX), _CMP_GE_OQ));
    counted = _mm256_sub_ps(counted, _mm256_and_ps(miss, _mm256_set1_ps(1.0f)));
    const __m256 few = _mm256_cmp_ps(_mm256_div_ps(counted, samples), share, _CMP_LE_OQ);
    const int out = _mm256_movemask_ps(few) & left;
    ruled_out |= out;
    left &= ~out;
  }
  return ruled_out;
}

template <class T>
SMAP_AVX2 int64_t list_avx2(const LimbScore& score, float ax, float ay, const float* child_x, const float* child_y,
                            int64_t count, int32_t* possible) {
  int64_t listed = 0;
  for (int64_t start = 0; start < count; start += kLanes) {
    const int n = count - start < kLanes ? static_cast<int>(count - start) : kLanes;
    alignas(32) float bx[kLanes], by[kLanes];
    for (int i = 0; i < kLanes; ++i) {  // the last peak fills up
      bx[i] = child_x[start + (i < n ? i : n - 1)];
      by[i] = child_y[start + (i < n ? i : n - 1)];
    }
    const int ruled_out = rule_out_avx2<T>(score, ax, ay, _mm256_load_ps(bx), _mm256_load_ps(by));
    for (int rest = ~ruled_out & ((1 << n) - 1); rest != 0; rest &= rest - 1) {
      possible[listed++] = static_cast<int32_t>(start) + __builtin_ctz(static_cast<unsigned>(rest));
    }
  }
  return listed;
}

#endif

}  // namespace

int64_t list_possible_limbs(const LimbScore& score, float ax, float ay, const float* child_x, const float* child_y,
                            int64_t count, int32_t* possible) {
#ifdef SMAP_AVX2
  if (processor_has_avx2() && is_small(score.paf)) {
    switch (score.paf.type) {
      case Element::kFloat32:
        return list_avx2<float>(score, ax, ay, child_x, child_y, count, possible);
      case Element::kFloat16:
        return list_avx2<Float16>(score, ax, ay, child_x, child_y, count, possible);
      case Element::kBFloat16:
        return list_avx2<BFloat16>(score, ax, ay, child_x, child_y, count, possible);
    }
  }
#endif
  static_cast<void>(score), static_cast<void>(ax), static_cast<void>(ay);
  static_cast<void>(child_x), static_cast<void>(child_y);
  return list_all(count, possible);
}

float score_limb(const LimbScore& score, float ax, float ay, float bx, float by, float* length) {
#ifdef SMAP_AVX2
  if (processor_has_avx2() && is_small(score.paf)) {
    const LimbScore::Segment s = score.segment(ax, ay, bx, by);
    *length = score.measured(s);
    if (s.length > 1e-6f && is_finite(s.length)) {
      switch (score.paf.type) {
        case Element::kFloat32:
          return score_avx2<float>(score, s);
        case Element::kFloat16:
          return score_avx2<Float16>(score, s);
        case Element::kBFloat16:
          return score_avx2<BFloat16>(score, s);
      }
    }
  }
#endif
  return score(ax, ay, bx, by, length);
}

}  // namespace smap
