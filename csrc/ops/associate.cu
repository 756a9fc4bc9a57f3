#include "core/association_block.h"
#include "core/optimal.h"
#include "ops/associate.h"
#include "ops/block.cuh"
#include "ops/loop.cuh"

namespace smap {
namespace {

constexpr int kScoreThreads = 128, kScoreBlocks = 8;  // of a limb: a thread each for the pairs of 32 people
constexpr int kThreads = 384;                         // more would leave each fewer registers than it needs
constexpr int64_t kSpareWords = 12 * 1024;            // of shared memory: room for what the pairs of a step are worth

SMAP_DEVICE int32_t* workspace_of(const Associate& associate, int64_t b) {
  return associate.workspace.data + b * associate.workspace.stride[0];
}

// Apart from the solver: an image is one block there, and its pairs would wait for a single multiprocessor.
__global__ void __launch_bounds__(kScoreThreads) score_pairs_kernel(const Associate associate) {
  const int64_t limb = blockIdx.x / kScoreBlocks, b = limb / associate.limbs.size[0],
                l = limb % associate.limbs.size[0];
  const auto first = static_cast<int32_t>(blockIdx.x % kScoreBlocks * kScoreThreads + threadIdx.x);
  auto* const pairs = reinterpret_cast<ScoredPair*>(workspace_of(associate, b));
  ScorePairs{associate, pairs}(b, l, first, kScoreBlocks * kScoreThreads);
}

__global__ void __launch_bounds__(kThreads, 1) greedy_kernel(const Associate associate, int64_t fast_words) {
  extern __shared__ int32_t memory[];
  int32_t* const pairs = workspace_of(associate, blockIdx.x);
  CudaBlock block(memory);
  const Memory lent{pairs + AssociationMemory(associate).pairs, memory + CudaBlock::kMaxWarps, fast_words};
  BlockAssociation<CudaBlock>(block, associate, blockIdx.x, reinterpret_cast<const ScoredPair*>(pairs), lent).run();
}

// Scores the pairs it needs by itself: by then it knows the person, and few are in reach.
__global__ void __launch_bounds__(kThreads, 1) optimal_kernel(const Associate associate, int64_t fast_words) {
  extern __shared__ int32_t memory[];
  CudaBlock block(memory);
  const Memory lent{workspace_of(associate, blockIdx.x), memory + CudaBlock::kMaxWarps, fast_words};
  OptimalAssociation(associate, blockIdx.x, lent).run(block);
}

/// An image per block, with as much shared memory for its `words` of tables, and some to spare, as a block can have.
void launch_images(void (*kernel)(const Associate, int64_t), const Associate& associate, int64_t count, int64_t words,
                   cudaStream_t stream) {
  int device = 0, most = 0;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  const int64_t wanted = (CudaBlock::kMaxWarps + words + kSpareWords) * 4;
  const int bytes = static_cast<int>(wanted < most ? wanted : most);
  // Of the function, not of the launch: every thread of the host asks for the same.
  cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most);
  kernel<<<static_cast<unsigned>(count), kThreads, static_cast<size_t>(bytes), stream>>>(
      associate, bytes / 4 - CudaBlock::kMaxWarps);
  check_launch("associate");
}

}  // namespace

// Blocks, not a thread per image (`loop`), which would take milliseconds for what a CPU does in a tenth of one.
template <>
void launch<Associate>(const Associate& associate, int64_t count, void* stream) {
  const auto cuda_stream = static_cast<cudaStream_t>(stream);
  if (associate.options.mode == Association::kOptimal) {
    launch_images(optimal_kernel, associate, count, associate.workspace_size(), cuda_stream);
    return;
  }
  const int64_t limbs = count * associate.limbs.size[0];
  if (limbs > 0) {
    score_pairs_kernel<<<static_cast<unsigned>(limbs * kScoreBlocks), kScoreThreads, 0, cuda_stream>>>(associate);
    check_launch("associate: pairs");
  }
  launch_images(greedy_kernel, associate, count, AssociationMemory(associate).scratch, cuda_stream);
}

}  // namespace smap
