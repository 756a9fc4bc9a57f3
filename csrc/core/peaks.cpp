#include "core/peaks.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace smap {
namespace {

constexpr int64_t kBlock = 64;  // pixels looked at together

/// Bit patterns of a floating-point type as signed integers: positive values order like their bits.
template <class Int>
struct Bits {
  Int above;     // the lowest pattern of a value that passes the threshold
  Int absolute;  // mask that drops the sign
  Int infinite;  // patterns from here on, sign dropped, are not finite
};

#if defined(__GNUC__)
#define SMAP_INLINE inline __attribute__((always_inline))
#else
#define SMAP_INLINE inline
#endif

/// Sets hits[i] for every block of the row with a value that passes the threshold; true when one is not finite.
template <class Int>
SMAP_INLINE bool look_at_row(const Int* row, int64_t width, const Bits<Int>& bits, uint8_t* hits) {
  Int any_bad = 0;
  for (int64_t start = 0; start < width; start += kBlock) {
    Int hit = 0, bad = 0;
    const int64_t end = width - start < kBlock ? width : start + kBlock;
    for (int64_t i = start; i < end; ++i) {
      hit |= row[i] >= bits.above ? Int(-1) : Int(0);
      bad |= (row[i] & bits.absolute) >= bits.infinite ? Int(-1) : Int(0);
    }
    *hits++ = hit != 0;
    any_bad |= bad;
  }
  return any_bad != 0;
}

/// mask[i] = v[i] passes the threshold and is not below its four neighbours: all peaks and few others.
template <class Int>
SMAP_INLINE void mark(const Int* v, const Int* up, const Int* down, int64_t n, Int above, uint8_t* mask) {
  for (int64_t i = 0; i < n; ++i) {
    mask[i] = (v[i] >= above) & (v[i] >= v[i - 1]) & (v[i] >= v[i + 1]) & (v[i] >= up[i]) & (v[i] >= down[i]);
  }
}

// The two loops that touch every pixel, compiled a second time for CPUs with AVX2, which halves their time.
template <class Int>
struct Loops {
  bool (*look_at_row)(const Int*, int64_t, const Bits<Int>&, uint8_t*);
  void (*mark)(const Int*, const Int*, const Int*, int64_t, Int, uint8_t*);
};

#if defined(__x86_64__) && defined(__GNUC__)
#define SMAP_AVX2 __attribute__((target("avx2")))
template <class Int>
SMAP_AVX2 bool look_at_row_avx2(const Int* row, int64_t width, const Bits<Int>& bits, uint8_t* hits) {
  return look_at_row(row, width, bits, hits);
}
template <class Int>
SMAP_AVX2 void mark_avx2(const Int* v, const Int* up, const Int* down, int64_t n, Int above, uint8_t* mask) {
  mark(v, up, down, n, above, mask);
}
template <class Int>
Loops<Int> loops() {
  if (__builtin_cpu_supports("avx2")) return {look_at_row_avx2<Int>, mark_avx2<Int>};
  return {look_at_row<Int>, mark<Int>};
}
#else
template <class Int>
Loops<Int> loops() {
  return {look_at_row<Int>, mark<Int>};
}
#endif

template <class Int>
bool scan(const FindPeaks& find, FindPeaks::Channel& channel, const Bits<Int>& bits) {
  const Loops<Int> loop = loops<Int>();
  const MapView<2>& map = channel.map;
  const int64_t h = map.size[0], w = map.size[1];
  bool bad = false;
  std::vector<uint8_t> hits(static_cast<size_t>((w + kBlock - 1) / kBlock));
  for (int64_t y = 0; y < h; ++y) {
    const Int* row = static_cast<const Int*>(map.data) + y * map.stride[0];
    const Int* up = y > 0 ? row - map.stride[0] : row;
    const Int* down = y < h - 1 ? row + map.stride[0] : row;
    bad |= loop.look_at_row(row, w, bits, hits.data());
    for (int64_t start = 0; start < w; start += kBlock) {
      if (!hits[static_cast<size_t>(start / kBlock)]) continue;
      const int64_t n = w - start < kBlock ? w - start : kBlock;
      uint8_t mask[kBlock] = {};
      const int64_t first = start == 0 ? 1 : 0, last = start + n == w ? n - 1 : n;  // a row's ends lack a neighbour
      if (last > first) {
        loop.mark(row + start + first, up + start + first, down + start + first, last - first, bits.above,
                  mask + first);
      }
      if (first) mask[0] = 1;
      if (last < n) mask[n - 1] = 1;
      for (int64_t word = 0; word < kBlock; word += 8) {
        uint64_t set;
        memcpy(&set, mask + word, sizeof set);
        if (set == 0) continue;
        for (int64_t i = word; i < word + 8; ++i)
          if (mask[i]) find.consider(channel, y, start + i);
      }
    }
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

void find_peaks_on_host(const FindPeaks& find) {
  const Bits<int32_t> float32{lowest_above<float, int32_t>(find.threshold, find.scale, 0x7f800000), 0x7fffffff,
                              0x7f800000};
  const Bits<int16_t> float16{lowest_above<Float16, int16_t>(find.threshold, find.scale, 0x7c00), 0x7fff, 0x7c00};
  const Bits<int16_t> bfloat16{lowest_above<BFloat16, int16_t>(find.threshold, find.scale, 0x7f80), 0x7fff, 0x7f80};
  const int64_t channels = find.count.numel();
  for (int64_t i = 0; i < channels; ++i) {
    FindPeaks::Channel channel = find.channel(i);
    bool bad;
    if (channel.map.stride[1] != 1) {
      bad = scan_any_stride(find, channel);
    } else if (channel.map.type == Element::kFloat32) {
      bad = scan(find, channel, float32);
    } else {
      bad = scan(find, channel, channel.map.type == Element::kFloat16 ? float16 : bfloat16);
    }
    if (bad) report_not_finite(find, i);
    find.finish(i, channel);
  }
}

}  // namespace smap
