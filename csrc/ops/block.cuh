// The block of threads that core/block.h describes, on a GPU.
#pragma once

#include <cstdint>

#include "core/block.h"

namespace smap {

/// One per thread of a one-dimensional block of up to 1024 threads, a multiple of 32.
class CudaBlock {
 public:
  static constexpr int kMaxWarps = 32;
  static constexpr bool kSideBySide = true;

  /// `partial`: kMaxWarps words of shared memory.
  __device__ explicit CudaBlock(int32_t* partial)
      : partial_(partial), thread_(static_cast<int32_t>(threadIdx.x)), threads_(static_cast<int32_t>(blockDim.x)) {}

  template <class F>
  __device__ void each(int32_t count, F f) {
    for (int32_t i = thread_; i < count; i += threads_) f(i);
    __syncthreads();
  }

  template <class F>
  __device__ void each_pair(int32_t rows, int32_t columns, F f) {
    each(rows * columns, [columns, f](int32_t i) { f(i / columns, i % columns); });
  }

  template <class F>
  __device__ void each_apart(int32_t count, F f) {
    if (thread_ % 32 == 0)
      for (int32_t i = thread_ / 32; i < count; i += threads_ / 32) f(i);
    __syncthreads();
  }

  template <class F>
  __device__ bool any(int32_t count, F f) {
    bool found = false;
    for (int32_t i = thread_; i < count; i += threads_) found |= f(i);
    return __syncthreads_or(found) != 0;
  }

  template <class F>
  __device__ int32_t sum(int32_t count, F f) {
    int32_t mine = 0;
    for (int32_t i = thread_; i < count; i += threads_) mine += f(i);
    int32_t total;
    before_me(mine, &total);
    return total;
  }

  __device__ int32_t exclusive_sum(int32_t* values, int32_t count) {
    // A run of neighbours for each thread, so that only one sum per thread is exchanged.
    const int32_t run = (count + threads_ - 1) / threads_;
    const int32_t first = min(thread_ * run, count), last = min(first + run, count);
    int32_t mine = 0;
    for (int32_t i = first; i < last; ++i) mine += values[i];
    int32_t total;
    int32_t before = before_me(mine, &total);
    for (int32_t i = first; i < last; ++i) {
      const int32_t value = values[i];
      values[i] = before;
      before += value;
    }
    __syncthreads();
    return total;
  }

  template <class Load, class Test>
  __device__ void mask(int32_t count, uint32_t* words, Load load, Test test) {
    constexpr int kAhead = 8;  // loads on their way at a time: one alone leaves the memory idle
    const int32_t lane = thread_ % 32, warps = threads_ / 32, total = (count + 31) / 32;
    for (int32_t first = thread_ / 32; first < total; first += warps * kAhead) {
      float value[kAhead];
#pragma unroll
      for (int a = 0; a < kAhead; ++a) {
        const int32_t i = (first + a * warps) * 32 + lane;
        value[a] = i < count ? load(i) : 0.0f;
      }
#pragma unroll
      for (int a = 0; a < kAhead; ++a) {
        const int32_t word = first + a * warps, i = word * 32 + lane;
        const uint32_t bits = __ballot_sync(0xffffffffu, i < count && test(i, value[a]));
        if (lane == 0 && word < total) words[word] = bits;
      }
    }
    __syncthreads();
  }

  __device__ void lower(int32_t* place, int32_t value) { atomicMin(place, value); }

 private:
  int32_t* partial_;
  int32_t thread_, threads_;

  /// Sum of the values of the threads before this one, and of all.
  __device__ int32_t before_me(int32_t value, int32_t* total) {
    const int32_t lane = thread_ % 32, warp = thread_ / 32, warps = threads_ / 32;
    int32_t upto = warp_sum_upto(value, lane);
    if (lane == 31) partial_[warp] = upto;
    __syncthreads();
    if (warp == 0) {
      const int32_t of_warps = warp_sum_upto(lane < warps ? partial_[lane] : 0, lane);
      if (lane < warps) partial_[lane] = of_warps;
    }
    __syncthreads();
    *total = partial_[warps - 1];
    const int32_t before = upto - value + (warp > 0 ? partial_[warp - 1] : 0);
    __syncthreads();  // the next call writes `partial_` again
    return before;
  }

  __device__ static int32_t warp_sum_upto(int32_t value, int32_t lane) {
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
      const int32_t below = __shfl_up_sync(0xffffffffu, value, step);
      if (lane >= step) value += below;
    }
    return value;
  }
};

}  // namespace smap
