// One thread per index: the CUDA side of `run`.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace smap {

template <class Body>
void launch(const Body& body, int64_t count, void* stream);

inline void check_launch(const char* name) {
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) throw std::runtime_error(std::string(name) + ": " + cudaGetErrorString(error));
}

template <class Body>
__global__ void loop(const Body body, int64_t count) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count) body(i);
}

}  // namespace smap

// Defines `launch` for a body; write it at global scope.
#define SMAP_CUDA_LOOP(Body)                                                             \
  template <>                                                                            \
  void smap::launch<Body>(const Body& body, int64_t count, void* stream) {               \
    constexpr int kThreads = 256;                                                        \
    const auto blocks = static_cast<unsigned>((count + kThreads - 1) / kThreads);        \
    smap::loop<<<blocks, kThreads, 0, static_cast<cudaStream_t>(stream)>>>(body, count); \
    smap::check_launch(#Body);                                                           \
  }
