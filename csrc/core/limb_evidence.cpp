#include "core/limb_evidence.h"

#include <cfloat>

#include "core/map_lanes.h"

namespace smap {
namespace {

#ifdef SMAP_AVX2

/// Of eight rows without gaps.
SMAP_AVX2 inline uint32_t in_reach_avx2(const float* xy, float x, float y, float reach) {
  const __m256 from = _mm256_setr_ps(x, y, x, y, x, y, x, y);
  const __m256 first = _mm256_sub_ps(_mm256_loadu_ps(xy), from),
               last = _mm256_sub_ps(_mm256_loadu_ps(xy + kLanes), from);
  const __m256 mixed = _mm256_hadd_ps(_mm256_mul_ps(first, first), _mm256_mul_ps(last, last));  // 0 1 4 5 2 3 6 7
  const __m256 squares = _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(mixed), _MM_SHUFFLE(3, 1, 2, 0)));
  return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(squares, _mm256_set1_ps(reach), _CMP_LE_OQ)));
}

/// Where samples lie along the limb, in its lengths: `LimbMaps::nth_sample`.
struct SamplePlaces {
  alignas(32) float t[LimbMaps::kMostSamples];

  explicit constexpr SamplePlaces(int n) : t() {
    for (int i = 0; i < LimbMaps::kMostSamples; ++i)
      t[i] = (static_cast<float>(LimbMaps::nth_sample(i < n ? i : 0, n)) + 0.5f) * (1.0f / static_cast<float>(n));
  }
};
constexpr SamplePlaces kSix(6), kTen(10), kSixteen(16);

template <class T>
SMAP_AVX2 bool look_avx2(const LimbMaps& maps, float ax, float ay, float dx, float dy, LimbEvidence* limb) {
  const int n = LimbMaps::samples(limb->length);
  const SamplePlaces& places = n == 6 ? kSix : n == 10 ? kTen : kSixteen;
  const T* const values = static_cast<const T*>(maps.paf.data);
  const T* const depths = static_cast<const T*>(maps.depths.data);
  const __m256 ux = _mm256_set1_ps(dx / limb->length * maps.options.scale),
               uy = _mm256_set1_ps(dy / limb->length * maps.options.scale);
  const float most_misses = (1.0f - LimbMaps::kCountedShare) * static_cast<float>(n);
  alignas(32) float along[LimbMaps::kMostSamples];
  alignas(32) int32_t at_depth[LimbMaps::kMostSamples];
  int counts = 0;  // bit i: sample i does
  bool bad = false;
  for (int first = 0; first < n; first += kLanes) {
    const int lanes = n - first < kLanes ? (1 << (n - first)) - 1 : (1 << kLanes) - 1;
    const __m256 t = _mm256_load_ps(places.t + first);
    const __m256 x = _mm256_add_ps(_mm256_set1_ps(ax), _mm256_mul_ps(t, _mm256_set1_ps(dx))),
                 y = _mm256_add_ps(_mm256_set1_ps(ay), _mm256_mul_ps(t, _mm256_set1_ps(dy)));
    const __m256i column = nearest_pixels(x, maps.paf.size[2]), row = nearest_pixels(y, maps.paf.size[1]);
    const __m256i pixel = offsets(row, maps.paf.stride[1], column, maps.paf.stride[2]);
    _mm256_store_si256(reinterpret_cast<__m256i*>(at_depth + first),
                       offsets(row, maps.depths.stride[0], column, maps.depths.stride[1]));
    const __m256 here = _mm256_add_ps(_mm256_mul_ps(ux, load(values, pixel)),
                                      _mm256_mul_ps(uy, load(values + maps.paf.stride[0], pixel)));
    _mm256_store_ps(along + first, here);
    const __m256 threshold = _mm256_set1_ps(maps.options.sample_threshold);
    counts |= (_mm256_movemask_ps(_mm256_cmp_ps(here, threshold, _CMP_GT_OQ)) & lanes) << first;
    bad |= (finite(here) & lanes) != lanes;
    const int seen = n - first < kLanes ? n : first + kLanes;
    if (static_cast<float>(seen - __builtin_popcount(static_cast<unsigned>(counts))) > most_misses) {
      if (bad) *maps.status = AssociationProblem::kPafsNotFinite;
      return false;
    }
  }
  float sum = 0.0f, depth_sum = 0.0f;
  for (int i = 0; i < n; ++i) sum += along[i];
  for (int rest = counts; rest != 0; rest &= rest - 1)
    depth_sum += static_cast<float>(depths[at_depth[__builtin_ctz(static_cast<unsigned>(rest))]]);
  limb->paf = sum * (1.0f / static_cast<float>(n));
  limb->depth = depth_sum / static_cast<float>(__builtin_popcount(static_cast<unsigned>(counts)));
  const bool fine = is_finite(sum), deep = is_finite(depth_sum);
  if (!fine) *maps.status = AssociationProblem::kPafsNotFinite;
  if (!deep) *maps.status = AssociationProblem::kLimbDepthsNotFinite;
  return fine && deep;
}

#endif

}  // namespace

uint32_t rows_in_reach(const View<const float, 2>& xy, int32_t first, int32_t last, float x, float y, float reach) {
  const int32_t count = last - first < 32 ? last - first : 32;
  uint32_t near = 0;
  int32_t i = 0;
#ifdef SMAP_AVX2
  if (processor_has_avx2() && xy.stride[0] == 2 && xy.stride[1] == 1)
    for (; i + kLanes <= count; i += kLanes) near |= in_reach_avx2(&xy(first + i, 0), x, y, reach) << i;
#endif
  for (; i < count; ++i) near |= static_cast<uint32_t>(is_in_reach(xy, first + i, x, y, reach)) << i;
  return near;
}

#ifdef SMAP_AVX2

bool can_look_with_vectors(const MapView<3>& paf, const MapView<2>& depths) {
  return processor_has_avx2() && paf.type == depths.type && is_small(paf) && is_small(depths);
}

bool look_with_vectors(const LimbMaps& maps, float ax, float ay, float dx, float dy, LimbEvidence* limb) {
  switch (maps.paf.type) {
    case Element::kFloat32:
      return look_avx2<float>(maps, ax, ay, dx, dy, limb);
    case Element::kFloat16:
      return look_avx2<Float16>(maps, ax, ay, dx, dy, limb);
    default:
      return look_avx2<BFloat16>(maps, ax, ay, dx, dy, limb);
  }
}

#else

bool can_look_with_vectors(const MapView<3>&, const MapView<2>&) {
  return false;
}

bool look_with_vectors(const LimbMaps&, float, float, float, float, LimbEvidence*) {
  return false;
}

#endif

}  // namespace smap
