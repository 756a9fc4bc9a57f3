// Random arrays for fuzzing: each in heap memory of exactly its size, so that ASan sees every step outside.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "core/map_view.h"

using Random = std::mt19937;

inline int64_t integer(Random& random, int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(random);
}

inline float number(Random& random, float low, float high) {
  return std::uniform_real_distribution<float>(low, high)(random);
}

/// A contiguous array, and views of it.
template <class T, int N>
struct Array {
  int64_t size[N], stride[N];
  std::vector<T> data;

  explicit Array(const int64_t (&extent)[N], T value = T()) {
    int64_t step = 1;
    for (int d = N; d-- > 0; step *= size[d]) {
      size[d] = extent[d];
      stride[d] = step;
    }
    data.assign(static_cast<size_t>(step), value);
    data.shrink_to_fit();
  }

  template <class V>
  smap::View<V, N> view_as() {
    smap::View<V, N> v;
    v.data = data.data();
    memcpy(v.size, size, sizeof size);
    memcpy(v.stride, stride, sizeof stride);
    return v;
  }

  smap::View<T, N> view() { return view_as<T>(); }
  smap::View<const T, N> read() { return view_as<const T>(); }
};

template <class T, int N>
bool same_bits(const Array<T, N>& a, const Array<T, N>& b) {
  return a.data.size() == b.data.size() &&
         (a.data.empty() || !memcmp(a.data.data(), b.data.data(), a.data.size() * sizeof(T)));
}

/// A map of any element type with any strides: dimensions in random order, sometimes with gaps between elements.
template <int N>
struct RandomMap {
  std::unique_ptr<char[]> data;
  smap::MapView<N> view;

  template <class Value>
  RandomMap(Random& random, const int64_t (&extent)[N], Value value) {
    int order[N];
    for (int d = 0; d < N; ++d) order[d] = d;
    if (integer(random, 0, 2) == 0) std::shuffle(order, order + N, random);
    const int64_t gap = integer(random, 0, 3) == 0 ? 2 : 1;
    int64_t step = gap, reach = 1;
    for (int i = N; i-- > 0;) {
      view.size[order[i]] = extent[order[i]];
      view.stride[order[i]] = step;
      reach += (extent[order[i]] - 1) * step;
      step *= extent[order[i]];
    }
    view.type = static_cast<smap::Element>(integer(random, 0, 2));
    const int64_t bytes = view.type == smap::Element::kFloat32 ? 4 : 2;
    const bool empty = step == 0;
    data.reset(new char[static_cast<size_t>(empty ? 0 : reach * bytes)]);
    view.data = data.get();
    for (int64_t i = 0; !empty && i < reach; ++i) put(i, value());
  }

 private:
  void put(int64_t i, float value) {
    const uint32_t bits = smap::float_to_bits(value);
    if (view.type == smap::Element::kFloat32) {
      memcpy(data.get() + i * 4, &bits, 4);
    } else {
      // bfloat16 by truncation; any 16 bits will do for float16, as long as values that should be finite are.
      uint16_t half = static_cast<uint16_t>(bits >> 16);
      if (view.type == smap::Element::kFloat16) half = to_half(value);
      memcpy(data.get() + i * 2, &half, 2);
    }
  }

  static uint16_t to_half(float value) {
    if (value != value) return 0x7e00;
    const uint16_t sign = value < 0 ? 0x8000 : 0;
    const float magnitude = value < 0 ? -value : value;
    if (magnitude > 65504.0f) return sign | 0x7c00;
    uint16_t low = 0, high = 0x7bff;  // the largest half that is not above
    while (low < high) {
      const uint16_t middle = static_cast<uint16_t>((low + high + 1) / 2);
      if (static_cast<float>(smap::Float16{middle}) <= magnitude) {
        low = middle;
      } else {
        high = static_cast<uint16_t>(middle - 1);
      }
    }
    return sign | low;
  }
};
