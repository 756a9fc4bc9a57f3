#include "core/peaks_block.h"
#include "ops/block.cuh"
#include "ops/find_peaks.h"
#include "ops/loop.cuh"

namespace smap {
namespace {

constexpr int kMarkThreads = 256, kMarkWords = 64;  // of the mask: 2048 pixels, eight for each thread
constexpr int kListThreads = 512;
constexpr int64_t kSharedBytes = 48 * 1024;  // what every GPU gives without being asked

// Many blocks for a channel: one alone has one multiprocessor look at all of its pixels.
__global__ void __launch_bounds__(kMarkThreads) mark_kernel(const FindPeaks find, int32_t parts) {
  __shared__ int32_t memory[CudaBlock::kMaxWarps];
  CudaBlock block(memory);
  BlockPeaks<CudaBlock>(block, find, blockIdx.x / parts).mark(blockIdx.x % parts * kMarkWords, kMarkWords);
}

__global__ void __launch_bounds__(kListThreads) list_kernel(const FindPeaks find) {
  extern __shared__ int32_t memory[];
  CudaBlock block(memory);
  BlockPeaks<CudaBlock>(block, find, blockIdx.x).list(memory + CudaBlock::kMaxWarps);
}

}  // namespace

// Blocks, not a thread per channel (`loop`): 26,624 pixels one after the other take milliseconds.
template <>
void launch<FindPeaks>(const FindPeaks& find, int64_t count, void* stream) {
  const auto cuda_stream = static_cast<cudaStream_t>(stream);
  const auto words = static_cast<int32_t>(find.marks.size[1]);
  const int64_t bytes = (CudaBlock::kMaxWarps + words) * 4;
  if (bytes <= kSharedBytes) {
    const int32_t parts = (words + kMarkWords - 1) / kMarkWords;
    if (parts > 0) mark_kernel<<<static_cast<unsigned>(count * parts), kMarkThreads, 0, cuda_stream>>>(find, parts);
    list_kernel<<<static_cast<unsigned>(count), kListThreads, static_cast<size_t>(bytes), cuda_stream>>>(find);
  } else {  // maps beyond 620x620
    loop<<<static_cast<unsigned>((count + 31) / 32), 32, 0, cuda_stream>>>(find, count);
  }
  check_launch("find_peaks");
}

}  // namespace smap
