// `FindPeaks` by a block of threads per channel: the same peaks in the same order.
#pragma once

#include "core/block.h"
#include "core/peaks.h"

namespace smap {

/// One channel. All threads look at pixels side by side and mark the peaks in a bit mask; sums over it then tell each
/// peak its place in raster order.
template <class Block>
struct BlockPeaks {
  /// int32 words of memory that the block shares, for a map of so many pixels.
  SMAP_HOST_DEVICE static int64_t scratch_words(int64_t pixels) { return 2 * ((pixels + 31) / 32); }

  SMAP_DEVICE BlockPeaks(Block& block, const FindPeaks& find, int64_t i, int32_t* scratch)
      : block(block),
        find(find),
        index(i),
        channel(find.channel(i)),
        width(static_cast<int32_t>(channel.map.size[1])),
        pixels(static_cast<int32_t>(channel.map.size[0]) * width),
        words((pixels + 31) / 32),
        capacity(static_cast<int32_t>(channel.score.size[0])),
        peaks(reinterpret_cast<uint32_t*>(scratch)),
        starts(scratch + words) {}

  SMAP_DEVICE void run() {
    switch (channel.map.type) {
      case Element::kFloat32:
        mark<float>();
        break;
      case Element::kFloat16:
        mark<Float16>();
        break;
      case Element::kBFloat16:
        mark<BFloat16>();
        break;
    }
    int32_t found = number();
    if (found > capacity && !find.official) {
      drop_lowest();
      found = number();
    }
    write(found < capacity ? found : capacity);
  }

 private:
  Block& block;
  const FindPeaks& find;
  int64_t index;
  FindPeaks::Channel channel;
  int32_t width, pixels, words, capacity;
  uint32_t* peaks;  // (words) a bit for each pixel, in raster order
  int32_t* starts;  // (words) bits set in the words before

  template <class T>
  SMAP_DEVICE void mark() {
    const T* data = static_cast<const T*>(channel.map.data);
    const int64_t row = channel.map.stride[0], column = channel.map.stride[1];
    const bool dense = column == 1 && row == width;
    block.mask(
        pixels, peaks, [&](int32_t i) -> float { return data[dense ? i : i / width * row + i % width * column]; },
        [&](int32_t i, float value) {
          return value * find.scale > find.threshold && find.is_peak(channel.map, i / width, i % width);
        });
  }

  SMAP_DEVICE int32_t number() {
    block.each(words, [&](int32_t w) { starts[w] = count_bits(peaks[w]); });
    return block.exclusive_sum(starts, words);
  }

  /// Peaks are positive, and positive floats order like their bits.
  SMAP_DEVICE uint32_t score_bits(int32_t pixel) const {
    return float_to_bits(channel.map(pixel / width, pixel % width));
  }

  /// Keeps the `capacity` highest, of equal ones the first.
  SMAP_DEVICE void drop_lowest() {
    uint32_t lowest = 0;  // the score of the last one kept: the largest that so many peaks reach
    for (int bit = 30; bit >= 0; --bit) {
      const uint32_t higher = lowest | 1u << bit;
      const int32_t reached = block.sum(words, [&](int32_t w) {
        int32_t n = 0;
        each_bit(peaks[w], [&](int32_t i) { n += score_bits(w * 32 + i) >= higher; });
        return n;
      });
      if (reached >= capacity) lowest = higher;
    }
    const int32_t above = block.sum(words, [&](int32_t w) {
      int32_t n = 0;
      each_bit(peaks[w], [&](int32_t i) { n += score_bits(w * 32 + i) > lowest; });
      return n;
    });
    block.each(words, [&](int32_t w) {
      starts[w] = 0;
      each_bit(peaks[w], [&](int32_t i) { starts[w] += score_bits(w * 32 + i) == lowest; });
    });
    block.exclusive_sum(starts, words);
    block.each(words, [&](int32_t w) {
      int32_t equal = starts[w];
      uint32_t kept = 0;
      each_bit(peaks[w], [&](int32_t i) {
        const uint32_t score = score_bits(w * 32 + i);
        if (score > lowest || (score == lowest && equal++ < capacity - above)) kept |= 1u << i;
      });
      peaks[w] = kept;
    });
  }

  SMAP_DEVICE void write(int32_t found) {
    block.each(words, [&](int32_t w) {
      int32_t k = starts[w];
      each_bit(peaks[w], [&](int32_t i) {
        if (k >= capacity) return;
        const int32_t y = (w * 32 + i) / width, x = (w * 32 + i) % width;
        find.locate(channel.map, y, x, &channel.xy(k, 0), &channel.xy(k, 1));
        channel.score(k++) = channel.map(y, x);
      });
    });
    block.each(capacity - found, [&](int32_t i) {
      const int32_t k = found + i;
      channel.xy(k, 0) = channel.xy(k, 1) = channel.score(k) = 0.0f;
    });
    block.each(1, [&](int32_t) { find.count(index / find.count.size[1], index % find.count.size[1]) = found; });
  }
};

}  // namespace smap
