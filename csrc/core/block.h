// What the algorithms of a block of threads are written against, so that they run on a GPU (ops/block.cuh) and, thread
// after thread in any order, on a CPU (tests/native/emulated_block.h): a machine without a GPU tests their steps.
//
// A Block has kSideBySide, whether it has more than one thread, and, each ending with a barrier of the whole block and
// called by all of it:
//   each(n, f)              f(i) for i in 0..n-1. Nothing that f writes is read by another i of the same step, nor
//                           written, unless it is the same value.
//   each_pair(m, n, f)      as each, f(i, k) for i in 0..m-1 and k in 0..n-1.
//   each_apart(n, f)        as each, for few i of long work: on a GPU no two of them share a warp, whose threads take
//                           turns wherever their ways part.
//   any(n, f)               is f(i) true for some i? Calls all of them.
//   sum(n, f)               sum of the int32 f(i).
//   exclusive_sum(v, n)     v[i] becomes the sum of the int32 before it; returns the sum of all.
//   mask(n, words, load, test)   bit i % 32 of words[i / 32] = test(i, load(i)); bits from n on are 0.
// and, within a step:
//   lower(place, value)     *place = min(*place, value), as often and in whatever order threads ask. Nobody reads
//                           the place in the same step.
#pragma once

#include <cstdint>

#include "core/view.h"

#ifdef __CUDACC__
#define SMAP_DEVICE __device__
#else
#define SMAP_DEVICE
#endif

namespace smap {

/// The whole block in one thread of a CPU: what algorithms need of it that have no other CPU version.
struct OneThread {
  static constexpr bool kSideBySide = false;

  template <class F>
  void each(int32_t count, F f) const {
    for (int32_t i = 0; i < count; ++i) f(i);
  }

  template <class F>
  void each_pair(int32_t rows, int32_t columns, F f) const {
    for (int32_t i = 0; i < rows; ++i)
      for (int32_t k = 0; k < columns; ++k) f(i, k);
  }

  template <class F>
  void each_apart(int32_t count, F f) const {
    each(count, f);
  }

  void lower(int32_t* place, int32_t value) const {
    if (value < *place) *place = value;
  }
};

SMAP_HOST_DEVICE inline int32_t count_bits(uint32_t bits) {
#ifdef __CUDA_ARCH__
  return __popc(bits);
#else
  return __builtin_popcount(bits);
#endif
}

/// Words that hold so many bits.
SMAP_HOST_DEVICE inline int32_t bit_words(int64_t bits) {
  return static_cast<int32_t>((bits + 31) / 32);
}

/// Of bits that are not all 0.
SMAP_HOST_DEVICE inline int32_t lowest_bit(uint32_t bits) {
#ifdef __CUDA_ARCH__
  return __ffs(static_cast<int>(bits)) - 1;
#else
  return __builtin_ctz(bits);
#endif
}

/// Calls f(i) for every set bit i, from the lowest.
template <class F>
SMAP_HOST_DEVICE void each_bit(uint32_t bits, F f) {
  for (; bits != 0; bits &= bits - 1) f(lowest_bit(bits));
}

}  // namespace smap
