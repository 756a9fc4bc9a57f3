#include "ops/block.cuh"
#include "ops/loop.cuh"
#include "ops/make_targets_block.h"

namespace smap {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kSharedBytes = 48 * 1024;  // what every GPU gives without being asked

template <class Body>
__global__ void __launch_bounds__(kThreads) tile_kernel(const Body body) {
  extern __shared__ int32_t memory[];
  CudaBlock block(memory);
  BlockTargets<CudaBlock>(block, body.crowd, memory + CudaBlock::kMaxWarps).run(body, blockIdx.x);
}

/// Tiles, not a thread per pixel that looks at everyone: most pixels are far from all.
template <class Body>
void launch_tiles(const Body& body, int64_t count, int64_t height, int64_t width, void* stream) {
  const auto cuda_stream = static_cast<cudaStream_t>(stream);
  const int64_t bytes = (CudaBlock::kMaxWarps + BlockTargets<CudaBlock>::scratch_words(body.crowd)) * 4;
  if (bytes <= kSharedBytes) {
    const auto blocks = static_cast<unsigned>(count / (height * width) * Tile::count(height, width));
    tile_kernel<<<blocks, kThreads, static_cast<size_t>(bytes), cuda_stream>>>(body);
  } else {  // ten thousand people in a picture
    loop<<<static_cast<unsigned>((count + 255) / 256), 256, 0, cuda_stream>>>(body, count);
  }
  check_launch("make_targets");
}

}  // namespace

#define SMAP_TILES(T)                                                                      \
  template <>                                                                              \
  void launch<MakeHeatmaps<T>>(const MakeHeatmaps<T>& body, int64_t count, void* stream) { \
    launch_tiles(body, count, body.heatmaps.size[3], body.heatmaps.size[4], stream);       \
  }                                                                                        \
  template <>                                                                              \
  void launch<MakeLimbs<T>>(const MakeLimbs<T>& body, int64_t count, void* stream) {       \
    launch_tiles(body, count, body.limb_depths.size[3], body.limb_depths.size[4], stream); \
  }

SMAP_TILES(float)
SMAP_TILES(Float16)
SMAP_TILES(BFloat16)

template <>
void launch<MakeRoots>(const MakeRoots& body, int64_t count, void* stream) {
  launch_tiles(body, count, body.root_depth.size[1], body.root_depth.size[2], stream);
}

}  // namespace smap
