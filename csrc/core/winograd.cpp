#include "core/winograd.h"

#include <algorithm>
#include <cstring>

#include "core/simd.h"

// Vectors are passed in ways that depend on the processor; inlined, which all here is that passes them, in none.
#pragma GCC diagnostic ignored "-Wpsabi"

#define SMAP_ALWAYS __attribute__((always_inline))
#define SMAP_INLINE SMAP_ALWAYS inline

namespace smap {
namespace {

using Range = WinogradConv::Range;
constexpr int64_t kTile = WinogradConv::kTile, kPatch = WinogradConv::kPatch, kPlaces = WinogradConv::kPlaces;
constexpr int64_t kLanes = WinogradConv::kLanes, kColumns = WinogradConv::kColumns;
constexpr int64_t kTilesTogether = WinogradConv::kTilesTogether;

using Lanes = float __attribute__((vector_size(kLanes * sizeof(float))));

SMAP_INLINE Lanes load(const float* from) {
  Lanes lanes;
  memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

SMAP_INLINE void store(float* to, const Lanes& lanes) {
  memcpy(to, &lanes, sizeof lanes);
}

// Polynomials are taken at 0, +-near, +-far and infinity; of points whose squares are 1/2 and 2 rounding errors are
// half of those of 1 and 2.
constexpr float kNear = 0.707106781f, kFar = 1.41421356f;

/// Six pixels of a line -> the six numbers that stand for it (B^T of the paper).
template <class In, class Out>
SMAP_INLINE void transform_patch(In in, Out out) {
  const Lanes d0 = in(0), d1 = in(1), d2 = in(2), d3 = in(3), d4 = in(4), d5 = in(5);
  const Lanes near_even = d4 - 2 * d2, near_odd = kNear * (d3 - 2 * d1);
  const Lanes far_even = d4 - 0.5f * d2, far_odd = kFar * (d3 - 0.5f * d1);
  out(0, d0 - 2.5f * d2 + d4);
  out(1, near_even + near_odd);
  out(2, near_even - near_odd);
  out(3, far_even + far_odd);
  out(4, far_even - far_odd);
  out(5, d1 - 2.5f * d3 + d5);
}

/// Six sums -> the four outputs of a line (A^T).
template <class In, class Out>
SMAP_INLINE void transform_back(In in, Out out) {
  const Lanes m1 = in(1), m2 = in(2), m3 = in(3), m4 = in(4);
  const Lanes near_even = m1 + m2, near_odd = kNear * (m1 - m2), far_even = m3 + m4, far_odd = kFar * (m3 - m4);
  out(0, in(0) + near_even + far_even);
  out(1, near_odd + far_odd);
  out(2, 0.5f * near_even + 2 * far_even);
  out(3, 0.5f * near_odd + 2 * far_odd + in(5));
}

/// Where a tile's first output lies.
struct Corner {
  int64_t picture, y, x;

  Corner(const WinogradConv& conv, int64_t tile)
      : picture(tile / conv.columns() / conv.rows()),
        y(tile / conv.columns() % conv.rows() * kTile),
        x(tile % conv.columns() * kTile) {}
};

/// Scratch of up to kTilesTogether tiles: 36 tables, in which a group of channels of all tiles comes before the next
/// one. The gap keeps tables off each other's cache lines, whose sets repeat every 4 kilobytes.
template <int64_t kTogether>
struct Tables {
  static constexpr int64_t kGroup = kTilesTogether * kTogether;

  float* data;
  int64_t stride;

  Tables(float* data, int64_t channels) : data(data), stride(size(channels) / kPlaces) {}
  static int64_t size(int64_t channels) { return kPlaces * (kTilesTogether * channels + kColumns); }

  /// This channel of a tile, with those of its group behind it.
  float* at(int64_t place, int64_t tile, int64_t channel) const {
    return data + place * stride + channel / kTogether * kGroup + tile * kTogether + channel % kTogether;
  }
};
using Patches = Tables<kLanes>;
using Sums = Tables<kColumns>;  // a group is a block of outputs

SMAP_INLINE void read_patch(const WinogradConv& conv, const Corner& corner, const float* nothing, const Patches& to,
                            int64_t tile) {
  const float* pixels[kPatch][kPatch];
  for (int64_t i = 0; i < kPatch; ++i)
    for (int64_t j = 0; j < kPatch; ++j) {
      const int64_t y = corner.y + i - 1, x = corner.x + j - 1;
      const bool inside = y >= 0 && y < conv.height && x >= 0 && x < conv.width;
      pixels[i][j] = inside ? conv.x + ((corner.picture * conv.height + y) * conv.width + x) * conv.inputs : nothing;
    }
  for (int64_t c = 0; c < conv.inputs; c += kLanes) {
    Lanes half[kPatch][kPatch];
    for (int64_t j = 0; j < kPatch; ++j)
      transform_patch([&](int64_t i) SMAP_ALWAYS { return load(pixels[i][j] + c); },
                      [&](int64_t i, const Lanes& lanes) SMAP_ALWAYS { half[i][j] = lanes; });
    for (int64_t i = 0; i < kPatch; ++i)
      transform_patch([&](int64_t j) SMAP_ALWAYS { return half[i][j]; },
                      [&](int64_t j, const Lanes& lanes) SMAP_ALWAYS { store(to.at(i * kPatch + j, tile, c), lanes); });
  }
}

SMAP_INLINE void write_tile(const WinogradConv& conv, const Corner& corner, const Sums& from, int64_t tile,
                            Range outputs) {
  const int64_t height = std::min(kTile, conv.height - corner.y), width = std::min(kTile, conv.width - corner.x);
  for (int64_t o = outputs.begin; o < outputs.end; o += kLanes) {
    const int64_t column = o - outputs.begin, bytes = std::min(kLanes, outputs.end - o) * int64_t{sizeof(float)};
    Lanes half[kTile][kPatch], values[kTile][kTile];
    for (int64_t j = 0; j < kPatch; ++j)
      transform_back([&](int64_t i) SMAP_ALWAYS { return load(from.at(i * kPatch + j, tile, column)); },
                     [&](int64_t i, const Lanes& lanes) SMAP_ALWAYS { half[i][j] = lanes; });
    for (int64_t i = 0; i < kTile; ++i)
      transform_back([&](int64_t j) SMAP_ALWAYS { return half[i][j]; },
                     [&](int64_t j, const Lanes& lanes) SMAP_ALWAYS { values[i][j] = lanes; });
    const Lanes bias = load(conv.bias + o);
    for (int64_t i = 0; i < height; ++i)
      for (int64_t j = 0; j < width; ++j) {
        const int64_t pixel = (corner.picture * conv.height + corner.y + i) * conv.width + corner.x + j;
        Lanes value = values[i][j] + bias, plus{};
        const bool whole = bytes == sizeof value;
        if (conv.plus) {
          const float* const summand = conv.plus + pixel * conv.outputs + o;
          if (whole) {
            plus = load(summand);
          } else {
            memcpy(&plus, summand, static_cast<size_t>(bytes));
          }
          value += plus;
        }
        if (conv.relu) value = value < 0 ? Lanes{} : value;  // NaN stays
        float* const to = conv.y + pixel * conv.outputs + o;
        if (whole) {
          store(to, value);
        } else {
          memcpy(to, &value, static_cast<size_t>(bytes));
        }
      }
  }
}

/// The sums of one place: rows of patches times the weights of consecutive blocks of outputs.
using Multiply = void (*)(const float* patches, int64_t rows, int64_t inputs, const float* weight, int64_t blocks,
                          float* sums);

template <Multiply multiply>
SMAP_INLINE void convolve_with(const WinogradConv& conv, Range tiles, Range blocks, float* scratch) {
  const int64_t columns = (blocks.end - blocks.begin) * kColumns;
  const Range outputs{blocks.begin * kColumns, std::min(blocks.end * kColumns, conv.outputs)};
  const Patches patches(scratch, conv.inputs);
  const Sums sums(scratch + Patches::size(conv.inputs), columns);
  float* const nothing = scratch + Patches::size(conv.inputs) + Sums::size(columns);
  std::fill_n(nothing, conv.inputs, 0.f);
  for (int64_t first = tiles.begin; first < tiles.end; first += kTilesTogether) {
    const int64_t count = std::min(kTilesTogether, tiles.end - first);
    for (int64_t t = 0; t < count; ++t) read_patch(conv, Corner(conv, first + t), nothing, patches, t);
    for (int64_t place = 0; place < kPlaces; ++place) {
      const float* const weight = conv.weight + (place * conv.output_blocks() + blocks.begin) * conv.inputs * kColumns;
      multiply(patches.at(place, 0, 0), count, conv.inputs, weight, blocks.end - blocks.begin, sums.at(place, 0, 0));
    }
    for (int64_t t = 0; t < count; ++t) write_tile(conv, Corner(conv, first + t), sums, t, outputs);
  }
}

void multiply_plain(const float* patches, int64_t rows, int64_t inputs, const float* weight, int64_t blocks,
                    float* sums) {
  for (int64_t block = 0; block < blocks; ++block, weight += inputs * kColumns, sums += Sums::kGroup)
    for (int64_t r = 0; r < rows; ++r) {
      float total[kColumns] = {};
      for (int64_t c = 0; c < inputs; ++c) {
        const float patch = patches[c / kLanes * Patches::kGroup + r * kLanes + c % kLanes];
        for (int64_t o = 0; o < kColumns; ++o) total[o] += patch * weight[c * kColumns + o];
      }
      std::copy_n(total, kColumns, sums + r * kColumns);
    }
}

#ifdef SMAP_AVX2

/// Calls `multiply(first, rows)` for consecutive rows, at most `most` at a time, as even as can be.
template <class Call>
SMAP_INLINE void in_groups(int64_t rows, int64_t most, Call call) {
  const int64_t groups = (rows + most - 1) / most, even = (rows + groups - 1) / groups;
  for (int64_t r = 0; r < rows; r += even) call(r, std::min(even, rows - r));
}

constexpr int kRows = 6;  // whose sums and two vectors of weights fill the sixteen registers

/// One block of outputs, `count` rows, at most `rows`.
template <int rows = kRows>
SMAP_AVX2_FMA void multiply_rows(const float* patches, int64_t count, int64_t inputs, const float* weight,
                                 float* sums) {
  if constexpr (rows > 1)
    if (count < rows) return multiply_rows<rows - 1>(patches, count, inputs, weight, sums);
  __m256 total[rows][2];
#pragma GCC unroll 6
  for (int r = 0; r < rows; ++r) total[r][0] = total[r][1] = _mm256_setzero_ps();
  for (int64_t group = 0; group < inputs; group += kLanes, patches += Patches::kGroup)
    for (int64_t c = 0; c < kLanes; ++c, weight += kColumns) {
      const __m256 left = _mm256_loadu_ps(weight), right = _mm256_loadu_ps(weight + kLanes);
#pragma GCC unroll 6
      for (int r = 0; r < rows; ++r) {
        const __m256 patch = _mm256_broadcast_ss(patches + r * kLanes + c);
        total[r][0] = _mm256_fmadd_ps(patch, left, total[r][0]);
        total[r][1] = _mm256_fmadd_ps(patch, right, total[r][1]);
      }
    }
#pragma GCC unroll 6
  for (int r = 0; r < rows; ++r) {
    _mm256_storeu_ps(sums + r * kColumns, total[r][0]);
    _mm256_storeu_ps(sums + r * kColumns + kLanes, total[r][1]);
  }
}

SMAP_AVX2_FMA void multiply_avx2(const float* patches, int64_t rows, int64_t inputs, const float* weight,
                                 int64_t blocks, float* sums) {
  for (int64_t block = 0; block < blocks; ++block, weight += inputs * kColumns, sums += Sums::kGroup)
    in_groups(rows, kRows, [&](int64_t r, int64_t count) SMAP_ALWAYS {
      multiply_rows(patches + r * kLanes, count, inputs, weight, sums + r * kColumns);
    });
}

SMAP_AVX2_FMA void convolve_avx2(const WinogradConv& conv, Range tiles, Range blocks, float* scratch) {
  convolve_with<multiply_avx2>(conv, tiles, blocks, scratch);
}

constexpr int kPairRows = 12;  // whose sums, two vectors of weights and a patch fit the 32 registers

/// Two blocks of outputs, `count` rows, at most `rows`: of one, sixteen numbers at once are no faster than eight.
template <int rows = kPairRows>
SMAP_AVX512 void multiply_pair(const float* patches, int64_t count, int64_t inputs, const float* weight, float* sums) {
  if constexpr (rows > 1)
    if (count < rows) return multiply_pair<rows - 1>(patches, count, inputs, weight, sums);
  __m512 total[rows][2];
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r) total[r][0] = total[r][1] = _mm512_setzero_ps();
  const float* const next = weight + inputs * kColumns;
  for (int64_t group = 0; group < inputs; group += kLanes, patches += Patches::kGroup)
    for (int64_t c = 0; c < kLanes; ++c) {
      const int64_t row = (group + c) * kColumns;
      const __m512 left = _mm512_loadu_ps(weight + row), right = _mm512_loadu_ps(next + row);
#pragma GCC unroll 12
      for (int r = 0; r < rows; ++r) {
        const __m512 patch = _mm512_set1_ps(patches[r * kLanes + c]);
        total[r][0] = _mm512_fmadd_ps(patch, left, total[r][0]);
        total[r][1] = _mm512_fmadd_ps(patch, right, total[r][1]);
      }
    }
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r) {
    _mm512_storeu_ps(sums + r * kColumns, total[r][0]);
    _mm512_storeu_ps(sums + Sums::kGroup + r * kColumns, total[r][1]);
  }
}

SMAP_AVX512 void multiply_avx512(const float* patches, int64_t rows, int64_t inputs, const float* weight,
                                 int64_t blocks, float* sums) {
  for (; blocks >= 2; blocks -= 2, weight += 2 * inputs * kColumns, sums += 2 * Sums::kGroup)
    in_groups(rows, kPairRows, [&](int64_t r, int64_t count) SMAP_ALWAYS {
      multiply_pair(patches + r * kLanes, count, inputs, weight, sums + r * kColumns);
    });
  multiply_avx2(patches, rows, inputs, weight, blocks, sums);
}

/// Patches and tiles are transformed eight numbers at once, as for AVX2.
SMAP_AVX2_FMA void convolve_avx512(const WinogradConv& conv, Range tiles, Range blocks, float* scratch) {
  convolve_with<multiply_avx512>(conv, tiles, blocks, scratch);
}

#endif

}  // namespace

int64_t winograd_scratch(const WinogradConv& conv, int64_t output_blocks) {
  return Patches::size(conv.inputs) + Sums::size(output_blocks * kColumns) + conv.inputs;
}

Simd widest_simd() {
#ifdef SMAP_AVX2
  if (processor_has_avx512()) return Simd::kAvx512;
  if (processor_has_avx2_fma()) return Simd::kAvx2;
#endif
  return Simd::kNone;
}

void convolve(const WinogradConv& conv, Range tiles, Range output_blocks, float* scratch, [[maybe_unused]] Simd simd) {
#ifdef SMAP_AVX2
  if (simd == Simd::kAvx512) return convolve_avx512(conv, tiles, output_blocks, scratch);
  if (simd == Simd::kAvx2) return convolve_avx2(conv, tiles, output_blocks, scratch);
#endif
  convolve_with<multiply_plain>(conv, tiles, output_blocks, scratch);
}

}  // namespace smap
