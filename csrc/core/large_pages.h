// Pages of two megabytes for what is large and about to be filled.
#pragma once

#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace smap {

/// Memory that comes fresh from the kernel is handed over page by page, each at its first touch: with pages of four
/// kilobytes that takes ten times as long as filling them. A wish, which the kernel may not grant. Small memory, which
/// malloc has in use again and again, is left alone.
inline void ask_for_large_pages([[maybe_unused]] void* data, [[maybe_unused]] int64_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr uintptr_t kPage = uintptr_t{1} << 21;
  constexpr int64_t kLarge = int64_t{1} << 23;
  if (bytes < kLarge) return;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(data);
  const uintptr_t from = (begin + kPage - 1) / kPage * kPage,
                  to = (begin + static_cast<uintptr_t>(bytes)) / kPage * kPage;
  madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);
#endif
}

}  // namespace smap
