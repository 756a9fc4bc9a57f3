#include "ops/loop.cuh"
#include "ops/rasterize.h"

namespace smap {
namespace {

constexpr int kThreads = 256, kColumns = 32, kRows = kThreads / kColumns;
constexpr int64_t kAlone = 1024;  // samples of a triangle's box that one thread looks at

/// A thread for each triangle; a large one is drawn by its whole block: all else would wait for that thread.
__global__ void __launch_bounds__(kThreads) draw_triangles(const Rasterize body, int64_t count) {
  __shared__ int large[kThreads];
  __shared__ int found;
  if (threadIdx.x == 0) found = 0;
  __syncthreads();
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kThreads, mine = first + threadIdx.x;
  if (mine < count) {
    const int32_t* instance = body.meshes.find(mine);
    if (!body.draw<1, 1>(instance, mine - instance[kFirstId], 0, 0, kAlone)) {
      large[atomicAdd(&found, 1)] = static_cast<int>(threadIdx.x);
    }
  }
  __syncthreads();
  const int column = static_cast<int>(threadIdx.x) % kColumns, row = static_cast<int>(threadIdx.x) / kColumns;
  for (int i = 0; i < found; ++i) {
    const int64_t id = first + large[i];
    const int32_t* instance = body.meshes.find(id);
    body.draw<kColumns, kRows>(instance, id - instance[kFirstId], column, row, 0);
  }
}

}  // namespace

template <>
void launch<Rasterize>(const Rasterize& body, int64_t count, void* stream) {
  const auto blocks = static_cast<unsigned>((count + kThreads - 1) / kThreads);
  draw_triangles<<<blocks, kThreads, 0, static_cast<cudaStream_t>(stream)>>>(body, count);
  check_launch("rasterize");
}

}  // namespace smap
