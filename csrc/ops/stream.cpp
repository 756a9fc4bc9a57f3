// The current CUDA stream, for a library that links no CUDA part of torch.
#include <dlfcn.h>

#include "ops/op.h"

namespace smap {
namespace {

using CurrentCudaStream = int32_t (*)(int32_t, void**);

// Looked up, not a weak reference: the symbol lives in libtorch_cuda.so, which this library does not link, and a weak
// one would silently resolve to null.
CurrentCudaStream find_current_cuda_stream() {
  void* library = dlopen("libtorch_cuda.so", RTLD_NOLOAD | RTLD_LAZY);
  void* symbol = library ? dlsym(library, "aoti_torch_get_current_cuda_stream") : nullptr;
  if (!symbol) throw std::runtime_error("torch must be built with CUDA to run smap's CUDA ops, got a build without");
  return reinterpret_cast<CurrentCudaStream>(symbol);
}

}  // namespace

void* current_stream(const Tensor& t) {
  static const CurrentCudaStream current_cuda_stream = find_current_cuda_stream();
  void* stream = nullptr;
  if (current_cuda_stream(t.get_device_index(), &stream) != 0) {
    throw std::runtime_error("torch did not tell its current CUDA stream");
  }
  return stream;
}

}  // namespace smap
