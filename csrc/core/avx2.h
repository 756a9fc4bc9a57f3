// Functions for eight floats at a time, where compiler and processor have AVX2: the rest of the library is compiled for
// any x86, so each of them is marked and chosen as it runs.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define SMAP_AVX2 __attribute__((target("avx2")))

namespace smap {

inline bool processor_has_avx2() {
  static const bool has = __builtin_cpu_supports("avx2");
  return has;
}

}  // namespace smap
#endif
