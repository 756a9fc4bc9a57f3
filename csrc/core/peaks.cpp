#include "core/peaks.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/simd.h"
#include "core/text.h"

namespace smap {
namespace {

constexpr int64_t kBlock = 32;  // pixels of a row looked at together

/// Where a block starts.
struct Place {
  int32_t y, x;
};

/// Bit patterns of a floating-point type as signed integers: positive values order like their bits.
template <class Int>
struct Bits {
  Int above;     // the lowest pattern of a value that passes the threshold
  Int absolute;  // mask that drops the sign
  Int infinite;  // patterns from here on, sign dropped, are not finite
};

template <class Int>
bool look_at(const Int* pixels, int64_t n, const Bits<Int>& bits, bool* bad) {
  Int hit = 0, not_finite = 0;
  for (int64_t i = 0; i < n; ++i) {
    hit |= pixels[i] >= bits.above ? Int(-1) : Int(0);
    not_finite |= (pixels[i] & bits.absolute) >= bits.infinite ? Int(-1) : Int(0);
  }
  *bad |= not_finite != 0;
  return hit != 0;
}

/// Lists the blocks, row by row, with a value that passes the threshold; true when a value is not finite.
template <class Int>
bool look(const Int* map, int64_t height, int64_t width, int64_t stride, const Bits<Int>& bits, Place* hits,
          int64_t* count) {
  bool bad = false;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; x += kBlock) {
      hits[*count] = {static_cast<int32_t>(y), static_cast<int32_t>(x)};
      *count += look_at(map + y * stride + x, width - x < kBlock ? width - x : kBlock, bits, &bad);
    }
  return bad;
}

/// Bit i of n: v[i] passes the threshold and is not below its four neighbours: all peaks and few others.
template <class Int>
uint32_t mark(const Int* v, const Int* up, const Int* down, int64_t n, Int above) {
  uint32_t marks = 0;
  for (int64_t i = 0; i < n; ++i) {
    const bool set = (v[i] >= above) & (v[i] >= v[i - 1]) & (v[i] >= v[i + 1]) & (v[i] >= up[i]) & (v[i] >= down[i]);
    marks |= static_cast<uint32_t>(set) << i;
  }
  return marks;
}

#ifdef SMAP_AVX2

/// 256 bits of pixels.
struct Lanes {
  __m256i v;

  SMAP_AVX2 static Lanes load(const void* from) { return {_mm256_loadu_si256(static_cast<const __m256i*>(from))}; }
  SMAP_AVX2 static Lanes all(int32_t value) { return {_mm256_set1_epi32(value)}; }
  SMAP_AVX2 static Lanes all(int16_t value) { return {_mm256_set1_epi16(value)}; }

  template <class Int>
  SMAP_AVX2 void raise(Lanes other) {
    v = sizeof(Int) == 4 ? _mm256_max_epi32(v, other.v) : _mm256_max_epi16(v, other.v);
  }
  /// As if the numbers had no sign: of negative ones the lowest.
  template <class Int>
  SMAP_AVX2 void raise_unsigned(Lanes other) {
    v = sizeof(Int) == 4 ? _mm256_max_epu32(v, other.v) : _mm256_max_epu16(v, other.v);
  }
  template <class Int>
  SMAP_AVX2 __m256i exceeds(Lanes other) const {
    return sizeof(Int) == 4 ? _mm256_cmpgt_epi32(v, other.v) : _mm256_cmpgt_epi16(v, other.v);
  }
};

/// Asks for memory some way ahead: what the processor does so by itself ends with each page.
inline void prefetch(const void* from, int64_t bytes) {
  constexpr int64_t kAhead = 4096, kLine = 64;
  for (int64_t i = 0; i < bytes; i += kLine) _mm_prefetch(static_cast<const char*>(from) + kAhead + i, _MM_HINT_T0);
}

SMAP_AVX2 inline bool any(__m256i mask) {
  return !_mm256_testz_si256(mask, mask);
}

/// `look` for rows of a block or more.
template <class Int>
SMAP_AVX2 inline bool look_avx2(const Int* map, int64_t height, int64_t width, int64_t stride, const Bits<Int>& bits,
                                Place* hits, int64_t* count) {
  const Lanes below = Lanes::all(static_cast<Int>(bits.above - 1));  // the highest pattern that does not pass
  Lanes extremes[2] = {Lanes::all(Int(0)), Lanes::all(Int(0))};      // highest and lowest patterns
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; x += kBlock) {
      // The last block of a row reaches back, over pixels that were looked at before.
      const Int* pixels = map + y * stride + (x + kBlock <= width ? x : width - kBlock);
      prefetch(pixels, kBlock * static_cast<int64_t>(sizeof(Int)));
      Lanes top = Lanes::all(Int(0));
      for (int64_t i = 0; i < kBlock; i += static_cast<int64_t>(sizeof(Lanes) / sizeof(Int))) {
        const Lanes v = Lanes::load(pixels + i);
        top.raise<Int>(v);
        extremes[1].raise_unsigned<Int>(v);
      }
      extremes[0].raise<Int>(top);
      hits[*count] = {static_cast<int32_t>(y), static_cast<int32_t>(x)};
      *count += any(top.exceeds<Int>(below));
    }
  Int each[2 * sizeof(Lanes) / sizeof(Int)];
  memcpy(each, extremes, sizeof each);
  bool bad = false;
  look_at(each, std::ssize(each), bits, &bad);
  return bad;
}

/// `mark` of a block.
template <class Int>
SMAP_AVX2 inline uint32_t mark_avx2(const Int* v, const Int* up, const Int* down, Int above) {
  const Lanes below = Lanes::all(static_cast<Int>(above - 1));
  constexpr int64_t kLanes = sizeof(Lanes) / sizeof(Int);
  uint32_t marks = 0;
  for (int64_t i = 0; i < kBlock; i += kLanes) {
    const Lanes here = Lanes::load(v + i);
    Lanes around = Lanes::load(v + i - 1);
    around.raise<Int>(Lanes::load(v + i + 1));
    around.raise<Int>(Lanes::load(up + i));
    around.raise<Int>(Lanes::load(down + i));
    const __m256i marked = _mm256_andnot_si256(around.exceeds<Int>(here), here.exceeds<Int>(below));
    uint32_t set;
    if constexpr (sizeof(Int) == 4) {
      set = static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(marked)));
    } else {
      const __m128i low = _mm256_castsi256_si128(marked), high = _mm256_extracti128_si256(marked, 1);
      set = static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
    }
    marks |= set << i;
  }
  return marks;
}
#endif

template <class Int>
bool scan(const FindPeaks& find, FindPeaks::Channel& channel, const Bits<Int>& bits, bool vectors,
          std::vector<Place>& hits) {
  const MapView<2>& map = channel.map;
  const int64_t h = map.size[0], w = map.size[1];
  const Int* data = static_cast<const Int*>(map.data);
  hits.resize(static_cast<size_t>(h * ((w + kBlock - 1) / kBlock)));
  int64_t count = 0;
  bool bad;
#ifdef SMAP_AVX2
  const bool wide = vectors && processor_has_avx2() && w >= kBlock + 2;
  if (wide) {
    bad = look_avx2(data, h, w, map.stride[0], bits, hits.data(), &count);
  } else
#endif
    bad = look(data, h, w, map.stride[0], bits, hits.data(), &count);
  for (int64_t k = 0; k < count; ++k) {
    const int64_t y = hits[static_cast<size_t>(k)].y, start = hits[static_cast<size_t>(k)].x;
    const Int* row = data + y * map.stride[0];
    const Int* up = y > 0 ? row - map.stride[0] : row;
    const Int* down = y < h - 1 ? row + map.stride[0] : row;
    const int64_t n = w - start < kBlock ? w - start : kBlock;
    // A row's ends, which lack a neighbour, are always looked at.
    const int64_t first = start == 0 ? 1 : 0, last = start + n == w ? n - 1 : n;
    uint32_t marks = 0;
    if (first < last) {
#ifdef SMAP_AVX2
      if (wide) {
        const int64_t from = std::clamp(start, int64_t{1}, w - 1 - kBlock);  // a block with all neighbours
        marks = mark_avx2(row + from, up + from, down + from, bits.above);
        marks = from > start ? marks << (from - start) : marks >> (start - from);
      } else
#endif
        marks = mark(row + start + first, up + start + first, down + start + first, last - first, bits.above) << first;
    }
    if (first) marks |= 1;
    if (last < n) marks |= uint32_t{1} << (n - 1);
    for (; marks != 0; marks &= marks - 1) find.consider(channel, y, start + std::countr_zero(marks));
  }
  return bad;
}

template <class T, class Int>
Int lowest_above(float threshold, float scale, Int infinite) {
  Int low = 0, high = infinite;  // patterns of positive values order like the values
  while (low < high) {
    const Int middle = static_cast<Int>(low + (high - low) / 2);
    T value;
    memcpy(&value, &middle, sizeof value);
    if (static_cast<float>(value) * scale > threshold) {
      high = middle;
    } else {
      low = static_cast<Int>(middle + 1);
    }
  }
  return low;
}

bool scan_any_stride(const FindPeaks& find, FindPeaks::Channel& channel) {
  bool bad = false;
  for (int64_t y = 0; y < channel.map.size[0]; ++y)
    for (int64_t x = 0; x < channel.map.size[1]; ++x) {
      const float v = channel.map(y, x);
      bad |= !is_finite(v);
      if (v * find.scale > find.threshold) find.consider(channel, y, x);
    }
  return bad;
}

[[noreturn]] void report_not_finite(const FindPeaks& find, int64_t i) {
  const int64_t joints = find.count.size[1];
  const MapView<2> map = find.heatmaps[i / joints][i % joints];
  for (int64_t y = 0; y < map.size[0]; ++y)
    for (int64_t x = 0; x < map.size[1]; ++x)
      if (!is_finite(map(y, x))) {
        std::ostringstream text;
        text << "heatmaps must be finite, got " << (std::isnan(map(y, x)) ? "nan" : "inf") << " in image " << i / joints
             << ", joint " << i % joints << " at x " << x << ", y " << y;
        throw std::invalid_argument(text.str());
      }
  throw std::logic_error("the scan saw a value that is not finite");
}

}  // namespace

void check_peak_rules(double threshold, double scale, int64_t capacity) {
  check(threshold >= 0, "threshold", "be at least 0", threshold);
  check(scale > 0, "scale", "be positive", scale);
  check(capacity >= 1 && capacity <= kMostPeaks, "capacity", "be 1 to " + std::to_string(kMostPeaks), capacity);
}

void find_peaks_on_host(const FindPeaks& find, bool vectors) {
  const Bits<int32_t> float32{lowest_above<float, int32_t>(find.threshold, find.scale, 0x7f800000), 0x7fffffff,
                              0x7f800000};
  const Bits<int16_t> float16{lowest_above<Float16, int16_t>(find.threshold, find.scale, 0x7c00), 0x7fff, 0x7c00};
  const Bits<int16_t> bfloat16{lowest_above<BFloat16, int16_t>(find.threshold, find.scale, 0x7f80), 0x7fff, 0x7f80};
  const int64_t channels = find.count.numel();
  std::vector<Place> hits;
  for (int64_t i = 0; i < channels; ++i) {
    FindPeaks::Channel channel = find.channel(i);
    bool bad;
    if (channel.map.stride[1] != 1) {
      bad = scan_any_stride(find, channel);
    } else if (channel.map.type == Element::kFloat32) {
      bad = scan(find, channel, float32, vectors, hits);
    } else {
      bad = scan(find, channel, channel.map.type == Element::kFloat16 ? float16 : bfloat16, vectors, hits);
    }
    if (bad) report_not_finite(find, i);
    find.finish(i, channel);
  }
}

}  // namespace smap
