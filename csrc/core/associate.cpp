#include "core/associate.h"

#include <memory>
#include <stdexcept>
#include <string>

#include "core/text.h"

namespace smap {
namespace {

void check_limbs(const View<const int64_t, 2>& limbs, const View<const double, 1>& lengths, int64_t joints) {
  for (int64_t l = 0; l < lengths.size[0]; ++l) check(lengths(l) >= 0, "lengths", "be at least 0", lengths(l));
  for (int64_t l = 0; l < limbs.size[0]; ++l)
    for (int end = 0; end < 2; ++end)
      if (limbs(l, end) < 0 || limbs(l, end) >= joints)
        check(false, "limbs", "name joints 0 to " + std::to_string(joints - 1), limbs(l, end));
}

[[noreturn]] void report_not_finite(int32_t status, int64_t b) {
  const char* what = status == AssociationProblem::kPafsNotFinite         ? "pafs"
                     : status == AssociationProblem::kLimbDepthsNotFinite ? "limb_depths"
                                                                          : "root_depth";
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

void Associate::operator()(int64_t b) const {
  if (options.mode == Association::kOptimal) {
    OneThread block;
    OptimalAssociation(*this, b, {workspace.data + b * workspace.stride[0]}).run(block);
  } else {
    GreedyAssociation(*this, b).run();
  }
}

Association association_named(const std::string& name) {
  if (name == "paf") return Association::kPaf;
  if (name == "depth-aware") return Association::kDepthAware;
  if (name == "optimal") return Association::kOptimal;
  throw std::invalid_argument("mode must be paf, depth-aware or optimal, got " + name);
}

void check_rules(int64_t max_people, int64_t joints, double counted_share) {
  check(max_people >= 1, "max_people", "be at least 1", max_people);
  check(max_people < (int64_t{1} << 31) / joints, "max_people", "be less than 2^31 with all their joints", max_people);
  check(counted_share >= 0, "counted_share", "be at least 0", counted_share);
}

void associate_on_host(Associate associate) {
  check_limbs(associate.limbs, associate.lengths, associate.count.size[1]);
  const int64_t batch = associate.count.size[0];
  const int64_t words = associate.workspace_size();
  int32_t status = 0;
  associate.workspace = {scratch(words), {batch, words}, {0, 1}};  // stride 0: image after image
  associate.status = {&status, {batch}, {0}};
  for (int64_t b = 0; b < batch; ++b) {
    associate(b);
    if (status != Associate::kFine) report_not_finite(status, b);
  }
}

}  // namespace smap
