// What every op's .cpp needs of torch: tensors as views, checks with the library's error texts, and `run`, which
// applies a kernel body to 0..count-1 on the tensors' device.
#pragma once

#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <array>
#include <initializer_list>
#include <string>
#include <type_traits>

#include "core/half.h"
#include "core/large_pages.h"
#include "core/map_view.h"
#include "core/text.h"
#include "core/view.h"

namespace smap {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

inline const char* dtype_name(ScalarType type) {
  switch (type) {
    case ScalarType::Float:
      return "float32";
    case ScalarType::Double:
      return "float64";
    case ScalarType::Half:
      return "float16";
    case ScalarType::BFloat16:
      return "bfloat16";
    case ScalarType::Long:
      return "int64";
    case ScalarType::Int:
      return "int32";
    case ScalarType::Byte:
      return "uint8";
    case ScalarType::Bool:
      return "bool";
    default:
      return "another dtype";
  }
}

template <class T>
inline constexpr ScalarType kScalarType = ScalarType::Undefined;
template <>
inline constexpr ScalarType kScalarType<float> = ScalarType::Float;
template <>
inline constexpr ScalarType kScalarType<double> = ScalarType::Double;
template <>
inline constexpr ScalarType kScalarType<Float16> = ScalarType::Half;
template <>
inline constexpr ScalarType kScalarType<BFloat16> = ScalarType::BFloat16;
template <>
inline constexpr ScalarType kScalarType<int64_t> = ScalarType::Long;
template <>
inline constexpr ScalarType kScalarType<int32_t> = ScalarType::Int;
template <>
inline constexpr ScalarType kScalarType<uint8_t> = ScalarType::Byte;

/// Calls `f` with a value of the map's element type (float, Float16 or BFloat16).
template <class F>
auto with_map_type(const Tensor& map, const char* what, F&& f) {
  switch (map.scalar_type()) {
    case ScalarType::Float:
      return f(float{});
    case ScalarType::Half:
      return f(Float16{});
    case ScalarType::BFloat16:
      return f(BFloat16{});
    default:
      check(false, what, "be float32, float16 or bfloat16", dtype_name(map.scalar_type()));
      throw;
  }
}

/// `t` as a view of rank N and element type T, any strides. `what` names it in errors; an extent of -1 is free.
template <class T, size_t N>
View<T, N> view(const Tensor& t, const char* what, const int64_t (&shape)[N]) {
  constexpr ScalarType type = kScalarType<std::remove_const_t<T>>;
  check(t.scalar_type() == type, what, std::string("be ") + dtype_name(type), dtype_name(t.scalar_type()));
  bool fits = t.dim() == static_cast<int64_t>(N);
  for (size_t d = 0; fits && d < N; ++d) fits = shape[d] < 0 || t.size(d) == shape[d];
  if (!fits) check(false, what, "have shape " + shape_text(shape, N), shape_text(t.sizes().data(), t.dim()));
  View<T, N> v;
  v.data = static_cast<T*>(t.data_ptr());
  for (size_t d = 0; d < N; ++d) {
    v.size[d] = t.size(d);
    v.stride[d] = t.stride(d);
  }
  return v;
}

/// `t` as a map of rank N of any map type, any strides; otherwise as `view`.
template <size_t N>
MapView<N> map_view(const Tensor& t, const char* what, const int64_t (&shape)[N]) {
  return with_map_type(t, what, [&](auto element) {
    using T = decltype(element);
    const View<const T, N> v = view<const T>(t, what, shape);
    MapView<N> map;
    map.data = v.data;
    map.type = std::is_same_v<T, float>     ? Element::kFloat32
               : std::is_same_v<T, Float16> ? Element::kFloat16
                                            : Element::kBFloat16;
    for (size_t d = 0; d < N; ++d) {
      map.size[d] = v.size[d];
      map.stride[d] = v.stride[d];
    }
    return map;
  });
}

/// An uninitialised contiguous tensor on the device of `like`.
inline Tensor empty(const Tensor& like, std::initializer_list<int64_t> shape, ScalarType dtype) {
  Tensor t =
      torch::stable::new_empty(like, torch::headeronly::IntHeaderOnlyArrayRef(shape.begin(), shape.size()), dtype);
#ifndef SMAP_WITH_CUDA
  ask_for_large_pages(t.mutable_data_ptr(), t.numel() * static_cast<int64_t>(t.element_size()));
#endif
  return t;
}

inline void check_same_device(const Tensor& t, const char* what, const Tensor& like) {
  check(t.device() == like.device(), what, "be on the same device as the other tensors", "another device");
}

/// `t`, or a contiguous copy of it, for kernels that address elements without strides.
inline Tensor dense(const Tensor& t) {
  return t.is_contiguous() ? t : torch::stable::contiguous(t);
}

/// The elements of a dense tensor of this shape (-1 is free).
template <class T, size_t N>
T* elements(const Tensor& t, const char* what, const int64_t (&shape)[N], const Tensor& like) {
  check_same_device(t, what, like);
  return view<T>(t, what, shape).data;
}

#ifdef SMAP_WITH_CUDA
/// The stream that torch launches on for this tensor's device (a `cudaStream_t`). See stream.cpp.
void* current_stream(const Tensor& t);

/// Defined for one body by `SMAP_CUDA_LOOP(Body)` in the op's .cu.
template <class Body>
void launch(const Body& body, int64_t count, void* stream);
#endif

/// body(i) for i in 0..count-1, on the device of `like`.
template <class Body>
void run(const Body& body, int64_t count, [[maybe_unused]] const Tensor& like) {
  if (count == 0) return;
#ifdef SMAP_WITH_CUDA
  torch::stable::accelerator::DeviceGuard guard(like.get_device_index());
  launch(body, count, current_stream(like));
#else
  for (int64_t i = 0; i < count; ++i) body(i);
#endif
}

/// `run` over the flattened (picture, y, x) grid. On the CPU `body.pixel(picture, y, x)`, which spares three divisions
/// a pixel.
template <class Body>
void run_pixels(const Body& body, int64_t pictures, int64_t height, int64_t width, const Tensor& like) {
#ifdef SMAP_WITH_CUDA
  run(body, pictures * height * width, like);
#else
  static_cast<void>(like);
  for (int64_t b = 0; b < pictures; ++b)
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x) body.pixel(b, y, x);
#endif
}

}  // namespace smap

// The foot of an op's .cpp: its schema once, its implementation for whichever library is being compiled.
#ifdef SMAP_WITH_CUDA
#define SMAP_REGISTER(name, schema)                \
  STABLE_TORCH_LIBRARY_IMPL(smap, CUDA, library) { \
    library.impl(#name, TORCH_BOX(&smap::name));   \
  }
#else
#define SMAP_REGISTER(name, schema)               \
  STABLE_TORCH_LIBRARY_FRAGMENT(smap, library) {  \
    library.def(#name schema);                    \
  }                                               \
  STABLE_TORCH_LIBRARY_IMPL(smap, CPU, library) { \
    library.impl(#name, TORCH_BOX(&smap::name));  \
  }
#endif
