// Peaks -> people of a batch of images, with the solver that the options name.
#pragma once

#include <string>

#include "core/greedy.h"
#include "core/optimal.h"

namespace smap {

/// Image b on one thread of a CPU: `associate(b)`.
struct Associate : AssociationProblem {
  /// int32 words of workspace that an image needs.
  SMAP_HOST_DEVICE int64_t workspace_size() const {
    return options.mode == Association::kOptimal ? OptimalAssociation::workspace_size(*this)
                                                 : GreedyAssociation::workspace_size(*this);
  }

  void operator()(int64_t b) const;
};

/// Throws std::invalid_argument for numbers that no association can go by; before memory is asked for.
void check_rules(int64_t max_people, int64_t joints, double counted_share);

/// All images on the CPU. Throws std::invalid_argument when a map value that is read is not finite, a limb names a
/// joint that does not exist or a length is negative. `workspace` and `status` are not used.
void associate_on_host(Associate associate);

/// "paf", "depth-aware" or "optimal"; throws std::invalid_argument for other names.
Association association_named(const std::string& name);

}  // namespace smap
