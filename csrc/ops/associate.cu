#include "core/association_block.h"
#include "core/optimal.h"
#include "ops/associate.h"
#include "ops/block.cuh"
#include "ops/loop.cuh"

namespace smap {
namespace {

constexpr int kScoreThreads = 128, kScoreBlocks = 8;  // of a limb: a thread each for the pairs of 32 people
constexpr int kThreads = 512;
constexpr int64_t kSpareWords = 12 * 1024;   // of fast memory: room for a thread per pair of a person and a peak
constexpr int64_t kSharedBytes = 48 * 1024;  // what every GPU gives without being asked

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

__global__ void __launch_bounds__(kThreads, 1) associate_kernel(const Associate associate, bool shared) {
  extern __shared__ int32_t memory[];
  int32_t* const workspace = workspace_of(associate, blockIdx.x);
  int32_t* const scratch = shared ? memory + CudaBlock::kMaxWarps : workspace + AssociationMemory(associate).pairs;
  CudaBlock block(memory);
  BlockAssociation<CudaBlock>(block, associate, blockIdx.x, reinterpret_cast<const ScoredPair*>(workspace), scratch)
      .run();
}

// Scores the pairs it needs by itself: by then it knows the person, and few are in reach.
__global__ void __launch_bounds__(kThreads, 1) optimal_kernel(const Associate associate, int64_t fast_words) {
  extern __shared__ int32_t memory[];
  CudaBlock block(memory);
  OptimalAssociation(associate, blockIdx.x, memory + CudaBlock::kMaxWarps, fast_words).run(block);
}

void launch_optimal(const Associate& associate, int64_t count, cudaStream_t stream) {
  int device = 0, most = 0;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  const int64_t wanted = (CudaBlock::kMaxWarps + associate.workspace_size() + kSpareWords) * 4;
  const int bytes = static_cast<int>(wanted < most ? wanted : most);
  // Of the function, not of the launch: every thread of the host asks for the same.
  cudaFuncSetAttribute(optimal_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most);
  optimal_kernel<<<static_cast<unsigned>(count), kThreads, static_cast<size_t>(bytes), stream>>>(
      associate, bytes / 4 - CudaBlock::kMaxWarps);
  check_launch("associate: optimal");
}

}  // namespace

// Blocks, not a thread per image (`loop`), which would take milliseconds for what a CPU does in a tenth of one.
template <>
void launch<Associate>(const Associate& associate, int64_t count, void* stream) {
  const auto cuda_stream = static_cast<cudaStream_t>(stream);
  if (associate.options.mode == Association::kOptimal) {
    launch_optimal(associate, count, cuda_stream);
    return;
  }
  const int64_t limbs = count * associate.limbs.size[0];
  if (limbs > 0) {
    score_pairs_kernel<<<static_cast<unsigned>(limbs * kScoreBlocks), kScoreThreads, 0, cuda_stream>>>(associate);
    check_launch("associate: pairs");
  }
  const int64_t shared = (CudaBlock::kMaxWarps + AssociationMemory(associate).scratch) * 4;
  const bool fits = shared <= kSharedBytes;
  const int64_t bytes = fits ? shared : CudaBlock::kMaxWarps * 4;
  associate_kernel<<<static_cast<unsigned>(count), kThreads, static_cast<size_t>(bytes), cuda_stream>>>(associate,
                                                                                                        fits);
  check_launch("associate");
}

}  // namespace smap
