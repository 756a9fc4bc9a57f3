// Peaks -> people: which peaks belong together (paper Sec. 3.2).
#pragma once

#include "core/limb_score.h"
#include "core/map_view.h"

namespace smap {

enum class Association : int32_t {
  kPaf,         // best pairs first, no depth (Cao et al.), the 2-D baseline
  kDepthAware,  // nearest person first, length limited by depth (Eq. 2)
  kOptimal,     // exact assignment with second thoughts, see optimal.h
};

struct AssociationOptions {
  Association mode = Association::kDepthAware;
  LimbScoreOptions limb;
  double length_slack = 1.2;  // lambda of Eq. 2
  bool half_bodies = true;    // people without a visible root, rooted at the first limb's far end
  bool ordinal_prior = true;  // nearer people choose first (Sec. 3.2)
  int64_t min_joints = 2;     // people with fewer are dropped
  float min_score = 0.0f;     // and those whose mean joint score, 0 for joints that were not found, is lower
  // `kOptimal` drops people more of whose joints, as a share, lie on joints of a surer person who is as near and may be
  // dropped as well.
  float max_overlap = 1.0f;
};

/// A batch of images. Views say what is given and where the result goes.
struct AssociationProblem {
  AssociationOptions options;
  MapView<5> pafs;                // (B, L, 2, h, w)
  MapView<4> limb_depths;         // (B, L, h, w) metres, child minus parent
  MapView<3> root_depth;          // (B, h, w) normalised, metres (Eq. 1)
  View<const float, 4> xy;        // (B, J, K, 2) map px, centres at integers
  View<const float, 3> score;     // (B, J, K)
  View<const int64_t, 2> count;   // (B, J)
  View<const int64_t, 2> limbs;   // (L, 3) parent, child, 1 when sampled from the child; root outwards
  View<const double, 1> lengths;  // (L) metres, mean length of the limb
  View<int64_t, 3> people;        // (B, P, J) peak or -1, near to far, of more people the first P; out
  View<int64_t, 1> people_count;  // (B); out
  View<float, 2> root_depths;     // (B, P) root-depth map at the person's root, 0 beyond the count; out
  View<int32_t, 2> workspace;     // (B, `Associate::workspace_size`)
  View<int32_t, 1> status;        // (B) 0, or which map held a value that is not finite; out

  enum Status : int32_t { kFine, kPafsNotFinite, kLimbDepthsNotFinite, kRootDepthNotFinite };

  /// Whether both joints of a limb are there. A GPU cannot refuse others; it leaves them out.
  SMAP_HOST_DEVICE bool is_limb(int64_t l) const {
    const int64_t parent = limbs(l, 0), child = limbs(l, 1), joints = count.size[1];
    return parent >= 0 && child >= 0 && parent < joints && child < joints;
  }
};

/// What every solver needs to know of one image.
struct ImageProblem {
  const AssociationProblem& all;
  int64_t b;
  int64_t joints, limbs, capacity, max_people;

  SMAP_HOST_DEVICE ImageProblem(const AssociationProblem& all, int64_t b)
      : all(all),
        b(b),
        joints(all.count.size[1]),
        limbs(all.limbs.size[0]),
        capacity(all.xy.size[2]),
        max_people(all.people.size[1]) {}

  /// How many people there may be before any is dropped: one for every root peak and, as half bodies, one for every
  /// peak at the far end of the first limb.
  SMAP_HOST_DEVICE static int64_t most_people(const AssociationProblem& all) {
    return (all.options.half_bodies ? 2 : 1) * all.xy.size[2];
  }

  SMAP_HOST_DEVICE int64_t parent(int64_t limb) const { return all.limbs(limb, 0); }
  SMAP_HOST_DEVICE int64_t child(int64_t limb) const { return all.limbs(limb, 1); }
  SMAP_HOST_DEVICE int64_t root() const { return limbs > 0 ? parent(0) : 0; }

  SMAP_HOST_DEVICE int64_t peaks(int64_t joint) const {
    const int64_t n = all.count(b, joint);
    return n < 0 ? 0 : n < capacity ? n : capacity;
  }

  /// The score of a peak, in the range that the options speak of.
  SMAP_HOST_DEVICE float height(int64_t joint, int64_t k) const {
    return all.score(b, joint, k) * all.options.limb.scale;
  }

  /// How many joints a person has, those with `has(j)`, and the sum of their scores `height_of(j)`.
  struct Tally {
    int32_t size;
    float sum;
  };
  template <class Has, class HeightOf>
  SMAP_HOST_DEVICE Tally tally(Has has, HeightOf height_of) const {
    Tally result{0, 0.0f};
    for (int64_t j = 0; j < joints; ++j) {
      if (!has(j)) continue;
      ++result.size;
      result.sum += height_of(j);
    }
    return result;
  }
  /// Of a person whose peak of joint j, or -1, is `peak_of(j)`.
  template <class PeakOf>
  SMAP_HOST_DEVICE Tally tally(PeakOf peak_of) const {
    return tally([&](int64_t j) { return peak_of(j) >= 0; }, [&](int64_t j) { return height(j, peak_of(j)); });
  }

  SMAP_HOST_DEVICE bool is_kept(const Tally& of) const {
    return of.size > 0 && of.size >= all.options.min_joints &&
           !(of.sum < all.options.min_score * static_cast<float>(joints));
  }
  template <class PeakOf>
  SMAP_HOST_DEVICE bool is_kept(PeakOf peak_of) const {
    return is_kept(tally(peak_of));
  }

  SMAP_HOST_DEVICE void report(AssociationProblem::Status status) const { all.status(b) = status; }

  /// Whether the first of two depths is nearer. An order whatever they are, NaN farthest: a GPU cannot refuse it.
  SMAP_HOST_DEVICE static bool nearer(float a, float b) { return (a < b) | ((a == a) & (b != b)); }

  /// Whether q comes before p in a list near to far; of equal depths the earlier.
  SMAP_HOST_DEVICE static bool comes_before(const float* depth, int32_t q, int32_t p) {
    return q < p ? !nearer(depth[p], depth[q]) : nearer(depth[q], depth[p]);
  }

  /// The root-depth map at a peak.
  SMAP_HOST_DEVICE float depth_at(int64_t joint, int64_t k) const {
    const int64_t x = nearest_pixel(all.xy(b, joint, k, 0), all.root_depth.size[2]);
    const int64_t y = nearest_pixel(all.xy(b, joint, k, 1), all.root_depth.size[1]);
    const float depth = all.root_depth(b, y, x);
    if (!is_finite(depth)) report(AssociationProblem::kRootDepthNotFinite);
    return depth;
  }

  /// Marks the rows beyond the people that were found.
  SMAP_HOST_DEVICE void finish(int64_t found) const {
    for (int64_t p = found; p < max_people; ++p) empty_row(p);
    all.people_count(b) = found;
  }

  SMAP_HOST_DEVICE void empty_row(int64_t p) const {
    all.root_depths(b, p) = 0.0f;
    for (int64_t j = 0; j < joints; ++j) all.people(b, p, j) = -1;
  }
};

}  // namespace smap
