// How to mark a function that uses instructions which not every processor has, and whether this one has them: the
// library is compiled for any x86 and chooses as it runs. Without `SMAP_AVX2` the compiler cannot.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define SMAP_AVX2 __attribute__((target("avx2")))
#define SMAP_AVX2_FMA __attribute__((target("avx2,fma")))
#define SMAP_AVX512 __attribute__((target("avx512f")))

namespace smap {

inline bool processor_has_avx2() {
  static const bool has = __builtin_cpu_supports("avx2");
  return has;
}

inline bool processor_has_avx2_fma() {
  static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return has;
}

inline bool processor_has_avx512() {
  static const bool has = processor_has_avx2_fma() && __builtin_cpu_supports("avx512f");
  return has;
}

}  // namespace smap
#endif
