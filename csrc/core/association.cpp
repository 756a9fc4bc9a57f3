#include "core/association.h"

#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>

namespace smap {
namespace {

void check_limbs(const View<const int64_t, 2>& limbs, int64_t joints) {
  for (int64_t l = 0; l < limbs.size[0]; ++l)
    for (int end = 0; end < 2; ++end)
      if (limbs(l, end) < 0 || limbs(l, end) >= joints) {
        std::ostringstream text;
        text << "limbs must name joints 0 to " << joints - 1 << ", got " << limbs(l, end);
        throw std::invalid_argument(text.str());
      }
}

[[noreturn]] void report_not_finite(int32_t status, int64_t b) {
  const char* what = status == Associate::kPafsNotFinite ? "pafs" : "root_depth";
  throw std::invalid_argument(std::string(what) + " must be finite, got nan or inf in image " + std::to_string(b));
}

/// Grows and stays with the thread: decoding allocates nothing once warm.
int32_t* scratch(int64_t words) {
  thread_local std::unique_ptr<int32_t[]> memory;
  thread_local int64_t size = 0;
  if (size < words) {
    memory.reset(new int32_t[static_cast<size_t>(words)]);
    size = words;
  }
  return memory.get();
}

}  // namespace

void associate_on_host(Associate associate) {
  check_limbs(associate.limbs, associate.count.size[1]);
  const int64_t batch = associate.count.size[0];
  const int64_t words = Associate::workspace_size(associate.options.mode, associate.xy.size[2]);
  int32_t status = 0;
  associate.workspace = {scratch(words), {batch, words}, {0, 1}};  // stride 0: image after image
  associate.status = {&status, {batch}, {0}};
  for (int64_t b = 0; b < batch; ++b) {
    associate(b);
    if (status != Associate::kFine) report_not_finite(status, b);
  }
}

}  // namespace smap
