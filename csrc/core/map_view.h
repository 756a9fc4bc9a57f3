// A map of any floating-point type that networks give, read as float.
#pragma once

#include "core/half.h"
#include "core/view.h"

namespace smap {

enum class Element : int32_t { kFloat32, kFloat16, kBFloat16 };

/// As `View`, but the element type is known only when it runs: one compiled kernel serves all three.
template <int N>
struct MapView {
  const void* data = nullptr;
  Element type = Element::kFloat32;
  int64_t size[N] = {};
  int64_t stride[N] = {};

  SMAP_HOST_DEVICE float at(int64_t offset) const {
    if (type == Element::kFloat32) return static_cast<const float*>(data)[offset];
    if (type == Element::kFloat16) return static_cast<const Float16*>(data)[offset];
    return static_cast<const BFloat16*>(data)[offset];
  }

  template <class... Index>
  SMAP_HOST_DEVICE float operator()(Index... index) const {
    static_assert(sizeof...(Index) == N, "one index per dimension");
    const int64_t place[N] = {static_cast<int64_t>(index)...};
    int64_t offset = 0;
    for (int d = 0; d < N; ++d) offset += place[d] * stride[d];
    return at(offset);
  }

  /// The map of rank N-1 at `index` of the first dimension.
  SMAP_HOST_DEVICE MapView<N - 1> operator[](int64_t index) const {
    MapView<N - 1> inner;
    const int64_t bytes = index * stride[0] * (type == Element::kFloat32 ? 4 : 2);
    inner.data = static_cast<const char*>(data) + bytes;
    inner.type = type;
    for (int d = 1; d < N; ++d) {
      inner.size[d - 1] = size[d];
      inner.stride[d - 1] = stride[d];
    }
    return inner;
  }
};

/// The pixel of a line of `size` that holds `place`, truncated; the nearest one when it lies outside, however far, and
/// 0 for NaN: peaks may come from anywhere, and a wild float does not fit an integer.
SMAP_HOST_DEVICE inline int64_t pixel_at(float place, int64_t size) {
  if (!(place > 0.0f)) return 0;
  return place < static_cast<float>(size) ? static_cast<int64_t>(place) : size - 1;
}

/// The pixel whose centre is nearest: centres are at integers.
SMAP_HOST_DEVICE inline int64_t nearest_pixel(float place, int64_t size) {
  return pixel_at(place + 0.5f, size);
}

}  // namespace smap
