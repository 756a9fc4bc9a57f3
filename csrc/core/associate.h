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

/// All images on the CPU. Throws std::invalid_argument when a map value that is read is not finite or a limb names a
/// joint that does not exist. `workspace` and `status` are not used.
void associate_on_host(Associate associate);

/// "paf", "depth-aware" or "optimal"; throws std::invalid_argument for other names.
Association association_named(const std::string& name);

}  // namespace smap
