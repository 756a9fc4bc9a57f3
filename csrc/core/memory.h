// Memory that a caller lends for the tables of one image.
#pragma once

#include <cstdint>

#include "core/view.h"

namespace smap {

/// int32 words: fast ones as long as they last, then slow ones. The fast ones that are left may serve a step.
struct Memory {
  int32_t* slow;
  int32_t* fast = nullptr;
  int64_t fast_words = 0;

  template <class T>
  SMAP_HOST_DEVICE static int64_t words(int64_t count) {
    static_assert(sizeof(T) % sizeof(int32_t) == 0 && alignof(T) == alignof(int32_t), "made of 32-bit words");
    return count * static_cast<int64_t>(sizeof(T) / sizeof(int32_t));
  }

  template <class T = int32_t>
  SMAP_HOST_DEVICE T* take(int64_t count) {
    const int64_t needed = words<T>(count);
    int32_t*& from = needed <= fast_words ? fast : slow;
    if (needed <= fast_words) fast_words -= needed;
    int32_t* const here = from;
    from += needed;
    return reinterpret_cast<T*>(here);
  }
};

}  // namespace smap
