#include "core/peaks_block.h"
#include "ops/block.cuh"
#include "ops/find_peaks.h"
#include "ops/loop.cuh"

namespace smap {
namespace {

constexpr int kThreads = 1024;
constexpr int64_t kSharedBytes = 48 * 1024;  // what every GPU gives without being asked

__global__ void __launch_bounds__(kThreads) find_peaks_kernel(const FindPeaks find) {
  extern __shared__ int32_t memory[];
  CudaBlock block(memory);
  BlockPeaks<CudaBlock>(block, find, blockIdx.x, memory + CudaBlock::kMaxWarps).run();
}

}  // namespace

// A block per channel, not a thread (`loop`): 26,624 pixels one after the other take milliseconds.
template <>
void launch<FindPeaks>(const FindPeaks& find, int64_t count, void* stream) {
  const auto cuda_stream = static_cast<cudaStream_t>(stream);
  const int64_t pixels = find.heatmaps.size[2] * find.heatmaps.size[3];
  const int64_t bytes = (CudaBlock::kMaxWarps + BlockPeaks<CudaBlock>::scratch_words(pixels)) * 4;
  if (bytes <= kSharedBytes) {
    find_peaks_kernel<<<static_cast<unsigned>(count), kThreads, static_cast<size_t>(bytes), cuda_stream>>>(find);
  } else {  // maps beyond 440x440
    loop<<<static_cast<unsigned>((count + 31) / 32), 32, 0, cuda_stream>>>(find, count);
  }
  check_launch("find_peaks");
}

}  // namespace smap
