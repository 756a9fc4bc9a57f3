// `FindPeaks` by blocks of threads: the same peaks in the same order.
#pragma once

#include "core/block.h"
#include "core/peaks.h"

namespace smap {

/// One channel. First any number of blocks look at pixels side by side and mark the peaks in a bit mask, each in words
/// of its own (`mark`); then one block makes the list: sums over the mask tell each peak its place in raster order.
template <class Block>
struct BlockPeaks {
  SMAP_DEVICE BlockPeaks(Block& block, const FindPeaks& find, int64_t i)
      : block(block),
        find(find),
        index(i),
        channel(find.channel(i)),
        width(static_cast<int32_t>(channel.map.size[1])),
        pixels(static_cast<int32_t>(channel.map.size[0]) * width),
        words(bit_words(pixels)),
        capacity(static_cast<int32_t>(channel.score.size[0])),
        peaks(reinterpret_cast<uint32_t*>(find.marks.data + i * find.marks.stride[0])) {}

  /// So many words of the mask.
  SMAP_DEVICE void mark(int32_t first, int32_t count) {
    count = first + count <= words ? count : words - first;
    switch (channel.map.type) {
      case Element::kFloat32:
        mark_type<float>(first, count);
        break;
      case Element::kFloat16:
        mark_type<Float16>(first, count);
        break;
      case Element::kBFloat16:
        mark_type<BFloat16>(first, count);
        break;
    }
  }

  /// `scratch`: as many words as the mask has, of memory that the block shares.
  SMAP_DEVICE void list(int32_t* scratch) {
    starts = scratch;
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
  uint32_t* peaks;            // (words) a bit for each pixel, in raster order
  int32_t* starts = nullptr;  // (words) bits set in the words before

  template <class T>
  SMAP_DEVICE void mark_type(int32_t first_word, int32_t count) {
    const T* data = static_cast<const T*>(channel.map.data);
    const int64_t row = channel.map.stride[0], column = channel.map.stride[1];
    const bool dense = column == 1 && row == width;
    const int32_t first = first_word * 32, last = first + count * 32 < pixels ? first + count * 32 : pixels;
    block.mask(
        last - first, peaks + first_word,
        [&](int32_t i) -> float {
          const int32_t pixel = first + i;
          return data[dense ? pixel : pixel / width * row + pixel % width * column];
        },
        [&](int32_t i, float value) {
          const int32_t pixel = first + i;
          return value * find.scale > find.threshold && find.is_peak(channel.map, pixel / width, pixel % width);
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
