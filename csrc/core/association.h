// Peaks -> people: which peaks belong together (paper Sec. 3.2).
#pragma once

#include "core/limb_score.h"
#include "core/map_view.h"

namespace smap {

enum class Association : int32_t {
  kPaf,         // best pairs first, no depth (Cao et al.), the 2-D baseline
  kDepthAware,  // nearest person first, length limited by depth (Eq. 2)
};

struct AssociationOptions {
  Association mode = Association::kDepthAware;
  LimbScoreOptions limb;
  double length_slack = 1.2;  // lambda of Eq. 2
  bool half_bodies = true;    // people without a visible root, rooted at the first limb's far end
  int64_t min_joints = 2;     // people with fewer are dropped
};

/// Image b of a batch: `associate(b)`.
struct Associate {
  AssociationOptions options;
  MapView<5> pafs;                // (B, L, 2, h, w)
  MapView<4> limb_depths;         // (B, L, h, w) metres, child minus parent
  MapView<3> root_depth;          // (B, h, w) normalised, metres (Eq. 1)
  View<const float, 4> xy;        // (B, J, K, 2) map px, centres at integers
  View<const float, 3> score;     // (B, J, K)
  View<const int64_t, 2> count;   // (B, J)
  View<const int64_t, 2> limbs;   // (L, 3) parent, child, 1 when sampled from the child; root outwards
  View<const double, 1> lengths;  // (L) metres, mean length of the limb
  View<int64_t, 3> people;        // (B, P, J) peak or -1, near to far; out
  View<int64_t, 1> people_count;  // (B); out
  View<float, 2> root_depths;     // (B, P) root-depth map at the person's root, 0 beyond the count; out
  View<int32_t, 2> workspace;     // (B, workspace_size(K))
  View<int32_t, 1> status;        // (B) 0, or which map held a value that is not finite; out

  enum Status : int32_t { kFine, kPafsNotFinite, kRootDepthNotFinite };

  /// int32 words that an image needs, see `ImageAssociation`.
  SMAP_HOST_DEVICE static int64_t workspace_size(Association mode, int64_t capacity) {
    return 4 * capacity + (mode == Association::kPaf ? 3 * capacity * capacity : 0);
  }

  SMAP_HOST_DEVICE void operator()(int64_t b) const;
};

/// All images on the CPU. Throws std::invalid_argument when a map value that is read is not finite or a limb names a
/// joint that does not exist. `workspace` and `status` are not used.
void associate_on_host(Associate associate);

// ---------------------------------------------------------------------------------------------------------------------

namespace detail {

struct Pair {
  int32_t a, c;  // parent peak, child peak
  float score;
};

/// The work on one image.
struct ImageAssociation {
  const Associate& all;
  int64_t b;
  int64_t joints, capacity, max_people;
  int32_t* taken;           // (K) child peaks that the limb has given away
  int32_t* partner;         // (K) child peak of a parent peak
  int32_t* best_of_parent;  // (K) pair
  int32_t* best_of_child;   // (K) pair
  Pair* pairs;              // (K K) candidates of one limb
  int64_t found = 0;
  int32_t status = Associate::kFine;

  SMAP_HOST_DEVICE ImageAssociation(const Associate& all, int64_t b)
      : all(all),
        b(b),
        joints(all.count.size[1]),
        capacity(all.xy.size[2]),
        max_people(all.people.size[1]),
        taken(all.workspace.data + b * all.workspace.stride[0]),
        partner(taken + capacity),
        best_of_parent(partner + capacity),
        best_of_child(best_of_parent + capacity),
        pairs(reinterpret_cast<Pair*>(best_of_child + capacity)) {}

  SMAP_HOST_DEVICE int64_t peaks(int64_t joint) const {
    const int64_t n = all.count(b, joint);
    return n < 0 ? 0 : n < capacity ? n : capacity;
  }

  SMAP_HOST_DEVICE int64_t& member(int64_t person, int64_t joint) const { return all.people(b, person, joint); }

  SMAP_HOST_DEVICE float depth_at(int64_t joint, int64_t k) {
    const int64_t px = pixel_at(all.xy(b, joint, k, 0) + 0.5f, all.root_depth.size[2]);
    const int64_t py = pixel_at(all.xy(b, joint, k, 1) + 0.5f, all.root_depth.size[1]);
    const float depth = all.root_depth(b, py, px);
    if (!is_finite(depth)) status = Associate::kRootDepthNotFinite;
    return depth;
  }

  /// Keeps the list near to far; of equal depths the earlier comes first. The farthest leave a full list. (The authors'
  /// 2-D baseline leaves people in the order of their root peaks.)
  SMAP_HOST_DEVICE void add_person(int64_t joint, int64_t k) {
    const float depth = depth_at(joint, k);
    int64_t at = found;
    const bool sorted = !(all.options.mode == Association::kPaf && all.options.limb.official);
    while (sorted && at > 0 && depth < all.root_depths(b, at - 1)) --at;
    if (at == max_people) return;
    if (found < max_people) ++found;
    for (int64_t p = found - 1; p > at; --p) {
      all.root_depths(b, p) = all.root_depths(b, p - 1);
      for (int64_t j = 0; j < joints; ++j) member(p, j) = member(p - 1, j);
    }
    all.root_depths(b, at) = depth;
    for (int64_t j = 0; j < joints; ++j) member(at, j) = -1;
    member(at, joint) = k;
  }

  struct Limb {
    int64_t parent, child, parents, children;
    LimbScore score;
  };

  SMAP_HOST_DEVICE Limb limb(int64_t l) const {
    const int64_t parent = all.limbs(l, 0), child = all.limbs(l, 1);
    return {parent, child, peaks(parent), peaks(child),
            LimbScore(all.options.limb, all.pafs[b][l], all.limbs(l, 2) != 0)};
  }

  /// Score of a pair without its length term; `distance` in map px.
  SMAP_HOST_DEVICE float pair_score(const Limb& limb, int64_t a, int64_t c, float* distance) {
    const float s = limb.score(all.xy(b, limb.parent, a, 0), all.xy(b, limb.parent, a, 1), all.xy(b, limb.child, c, 0),
                               all.xy(b, limb.child, c, 1), distance);
    if (!is_finite(s)) status = Associate::kPafsNotFinite;
    return s;
  }

  /// Longest expected limb in map px at this depth, d_cons of Eq. 2, rounded as the authors do: their map holds
  /// centimetres per pixel of focal length in float32, their product is a double.
  SMAP_HOST_DEVICE float longest(int64_t l, float depth) const {
    const double width = static_cast<double>(all.root_depth.size[2]);
    const float raw = static_cast<float>(static_cast<double>(depth) * 100.0 / width);
    return static_cast<float>(all.options.length_slack * (100.0 * all.lengths(l)) / static_cast<double>(raw));
  }

  /// Lowers the score of a limb that is longer than it should be; never below -1 for positive lengths.
  SMAP_HOST_DEVICE static float length_penalty(float longest, float distance) {
    const float excess = longest / distance - 1.0f;
    return excess < 0.0f ? excess : 0.0f;
  }

  /// Nearest person first, best child peak that is left.
  SMAP_HOST_DEVICE void connect_by_depth(int64_t l) {
    const Limb limb = this->limb(l);
    for (int64_t c = 0; c < limb.children; ++c) taken[c] = 0;
    for (int64_t p = 0; p < found; ++p) {
      const int64_t a = member(p, limb.parent);
      if (a < 0) continue;
      const float longest = this->longest(l, all.root_depths(b, p));
      int64_t best = -1;
      float best_score = 0.0f;
      for (int64_t c = 0; c < limb.children; ++c) {
        if (taken[c]) continue;
        float distance;
        float s = pair_score(limb, a, c, &distance);
        if (!(s > best_score)) continue;  // the penalty only lowers it
        s += length_penalty(longest, distance);
        if (s > best_score) {
          best_score = s;
          best = c;
        }
      }
      if (best >= 0) {
        member(p, limb.child) = best;
        taken[best] = 1;
      }
    }
  }

  /// Best pair of all first, whoever it belongs to; of equal scores the lower parent peak, then the lower child peak.
  SMAP_HOST_DEVICE void connect_by_score(int64_t l) {
    const Limb limb = this->limb(l);
    const float half_height = static_cast<float>(all.pafs.size[3]) / 2;
    int64_t n = 0;
    for (int64_t a = 0; a < limb.parents; ++a) {
      partner[a] = -1;
      for (int64_t c = 0; c < limb.children; ++c) {
        float distance;
        float s = pair_score(limb, a, c, &distance);
        if (!(s > 0.0f)) continue;
        s += length_penalty(half_height, distance);
        if (s > 0.0f) pairs[n++] = {static_cast<int32_t>(a), static_cast<int32_t>(c), s};
      }
    }
    for (int64_t c = 0; c < limb.children; ++c) taken[c] = 0;
    // A pair that is the best for both its ends is one that going through all pairs by score would accept.
    while (n > 0) {
      for (int64_t a = 0; a < limb.parents; ++a) best_of_parent[a] = -1;
      for (int64_t c = 0; c < limb.children; ++c) best_of_child[c] = -1;
      for (int64_t i = 0; i < n; ++i) {  // listed in the order of ties: the first of equals stays
        int32_t &of_parent = best_of_parent[pairs[i].a], &of_child = best_of_child[pairs[i].c];
        if (of_parent < 0 || pairs[i].score > pairs[of_parent].score) of_parent = static_cast<int32_t>(i);
        if (of_child < 0 || pairs[i].score > pairs[of_child].score) of_child = static_cast<int32_t>(i);
      }
      for (int64_t i = 0; i < n; ++i) {
        if (best_of_parent[pairs[i].a] != i || best_of_child[pairs[i].c] != i) continue;
        partner[pairs[i].a] = pairs[i].c;
        taken[pairs[i].c] = 1;
      }
      int64_t left = 0;
      for (int64_t i = 0; i < n; ++i)
        if (partner[pairs[i].a] < 0 && !taken[pairs[i].c]) pairs[left++] = pairs[i];
      n = left;
    }
    for (int64_t p = 0; p < found; ++p)
      if (const int64_t a = member(p, limb.parent); a >= 0) member(p, limb.child) = partner[a];
  }

  /// Peaks of this joint that nobody has become people of their own.
  SMAP_HOST_DEVICE void add_half_bodies(int64_t joint) {
    for (int64_t k = 0; k < peaks(joint); ++k) taken[k] = 0;
    for (int64_t p = 0; p < found; ++p)
      if (member(p, joint) >= 0) taken[member(p, joint)] = 1;
    for (int64_t k = 0; k < peaks(joint); ++k)
      if (!taken[k]) add_person(joint, k);
  }

  SMAP_HOST_DEVICE void drop_small() {
    int64_t kept = 0;
    for (int64_t p = 0; p < found; ++p) {
      int64_t size = 0;
      for (int64_t j = 0; j < joints; ++j) size += member(p, j) >= 0;
      if (size < all.options.min_joints) continue;
      all.root_depths(b, kept) = all.root_depths(b, p);
      for (int64_t j = 0; j < joints; ++j) member(kept, j) = member(p, j);
      ++kept;
    }
    found = kept;
  }

  SMAP_HOST_DEVICE void run() {
    const int64_t limbs = all.limbs.size[0];
    const int64_t root = limbs > 0 ? all.limbs(0, 0) : 0;
    for (int64_t k = 0; k < peaks(root); ++k) add_person(root, k);
    for (int64_t l = 0; l < limbs; ++l) {
      if (all.options.mode == Association::kPaf) {
        connect_by_score(l);
      } else {
        connect_by_depth(l);
      }
      if (l == 0 && all.options.half_bodies) add_half_bodies(all.limbs(0, 1));
    }
    drop_small();
    for (int64_t p = found; p < max_people; ++p) {
      all.root_depths(b, p) = 0.0f;
      for (int64_t j = 0; j < joints; ++j) member(p, j) = -1;
    }
    all.people_count(b) = found;
    all.status(b) = status;
  }
};

}  // namespace detail

SMAP_HOST_DEVICE inline void Associate::operator()(int64_t b) const {
  detail::ImageAssociation(*this, b).run();
}

}  // namespace smap
