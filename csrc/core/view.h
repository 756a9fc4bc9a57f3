// Strided access to arrays that somebody else owns, and the host/device macro of the library.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define SMAP_HOST_DEVICE __host__ __device__
#else
#define SMAP_HOST_DEVICE
#endif

namespace smap {

/// An array of rank N: `view(i, j, ...)` is an element; strides count elements. Holds no memory, checks no bounds.
template <class T, int N>
struct View {
  T* data = nullptr;
  int64_t size[N] = {};
  int64_t stride[N] = {};

  template <class... Index>
  SMAP_HOST_DEVICE T& operator()(Index... index) const {
    static_assert(sizeof...(Index) == N, "one index per dimension");
    const int64_t at[N] = {static_cast<int64_t>(index)...};
    int64_t offset = 0;
    for (int d = 0; d < N; ++d) offset += at[d] * stride[d];
    return data[offset];
  }

  SMAP_HOST_DEVICE int64_t numel() const {
    int64_t n = 1;
    for (int d = 0; d < N; ++d) n *= size[d];
    return n;
  }

  /// The array of rank N-1 at `index` of the first dimension.
  SMAP_HOST_DEVICE View<T, N - 1> operator[](int64_t index) const {
    View<T, N - 1> inner;
    inner.data = data + index * stride[0];
    for (int d = 1; d < N; ++d) {
      inner.size[d - 1] = size[d];
      inner.stride[d - 1] = stride[d];
    }
    return inner;
  }
};

}  // namespace smap
