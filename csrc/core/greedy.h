// Association limb by limb with what is best now: the paper's (Sec. 3.2, Eq. 2) and the 2-D baseline.
#pragma once

#include "core/association.h"
#include "core/limb_pairs.h"

namespace smap {

struct Pair {
  int32_t a, c;  // parent peak, child peak
  float score;
};

/// The work on one image.
struct GreedyAssociation : ImageProblem {
  int32_t* taken;            // (K) child peaks that the limb has given away
  int32_t* partner;          // (K) child peak of a parent peak
  int32_t* best_of_parent;   // (K) pair
  int32_t* best_of_child;    // (K) pair
  int32_t* possible;         // (K) child peaks worth a look
  float *child_x, *child_y;  // (K) map px
  int32_t* members;          // (`most_people`, J) peaks, -1 none; people near to far
  float* depths;             // (`most_people`)
  Pair* pairs;               // (K K) candidates of one limb
  int64_t found = 0;

  /// int32 words of lent memory.
  SMAP_HOST_DEVICE static int64_t workspace_size(const AssociationProblem& all) {
    const int64_t joints = all.count.size[1], capacity = all.xy.size[2];
    return 7 * capacity + most_people(all) * (joints + 1) +
           (all.options.mode == Association::kPaf ? 3 * capacity * capacity : 0);
  }

  SMAP_HOST_DEVICE GreedyAssociation(const AssociationProblem& problem, int64_t b)
      : ImageProblem(problem, b),
        taken(all.workspace.data + b * all.workspace.stride[0]),
        partner(taken + capacity),
        best_of_parent(partner + capacity),
        best_of_child(best_of_parent + capacity),
        possible(best_of_child + capacity),
        child_x(reinterpret_cast<float*>(possible + capacity)),
        child_y(child_x + capacity),
        members(reinterpret_cast<int32_t*>(child_y + capacity)),
        depths(reinterpret_cast<float*>(members + most_people(problem) * joints)),
        pairs(reinterpret_cast<Pair*>(depths + most_people(problem))) {}

  SMAP_HOST_DEVICE int32_t& member(int64_t person, int64_t joint) const { return members[person * joints + joint]; }

  /// Keeps the list near to far; of equal depths the earlier comes first. Without the ordinal prior people stay in the
  /// order of their peaks.
  SMAP_HOST_DEVICE void add_person(int64_t joint, int64_t k) {
    const float depth = depth_at(joint, k);
    int64_t at = found;
    while (all.options.ordinal_prior && at > 0 && depth < depths[at - 1]) --at;
    ++found;
    for (int64_t p = found - 1; p > at; --p) {
      depths[p] = depths[p - 1];
      for (int64_t j = 0; j < joints; ++j) member(p, j) = member(p - 1, j);
    }
    depths[at] = depth;
    for (int64_t j = 0; j < joints; ++j) member(at, j) = -1;
    member(at, joint) = static_cast<int32_t>(k);
  }

  struct Limb {
    int64_t parent, child, parents, children;
    LimbScore score;
  };

  SMAP_HOST_DEVICE Limb limb(int64_t l) const {
    return {parent(l), child(l), peaks(parent(l)), peaks(child(l)),
            LimbScore(all.options.limb, all.pafs[b][l], all.limbs(l, 2) != 0)};
  }

  /// Score of a pair without its length term; `distance` in map px.
  SMAP_HOST_DEVICE float pair_score(const Limb& limb, int64_t a, int64_t c, float* distance) {
    const float s = limb.score(all.xy(b, limb.parent, a, 0), all.xy(b, limb.parent, a, 1), all.xy(b, limb.child, c, 0),
                               all.xy(b, limb.child, c, 1), distance);
    if (!is_finite(s)) report(AssociationProblem::kPafsNotFinite);
    return s;
  }

  /// Longest expected limb in map px at this depth, d_cons of Eq. 2.
  SMAP_HOST_DEVICE float longest(int64_t l, float depth) const {
    const double width = static_cast<double>(all.root_depth.size[2]), length = all.lengths(l);
    if (!all.options.limb.official) return static_cast<float>(all.options.length_slack * length * width / depth);
    // Rounded as the authors do: bones in centimetres and a map in centimetres per input pixel of focal length, both
    // float32, their product a double; four input pixels are one of the map.
    const float bone = static_cast<float>(100 * length), per_metre = static_cast<float>(4 * width / 100);
    const float raw = static_cast<float>(static_cast<double>(depth) / per_metre);
    return static_cast<float>(all.options.length_slack * bone / raw) / 4;
  }

  /// Lowers the score of a limb that is longer than it should be; never below -1 for positive lengths.
  SMAP_HOST_DEVICE static float length_penalty(float longest, float distance) {
    const float excess = longest / distance - 1.0f;
    return excess < 0.0f ? excess : 0.0f;
  }

  float score_possible(const Limb& limb, int64_t a, int64_t c, float* distance) const {
    const float s = score_limb(limb.score, all.xy(b, limb.parent, a, 0), all.xy(b, limb.parent, a, 1), child_x[c],
                               child_y[c], distance);
    if (!is_finite(s)) report(AssociationProblem::kPafsNotFinite);
    return s;
  }

  void read_children(const Limb& limb) const {
    for (int64_t c = 0; c < limb.children; ++c) {
      taken[c] = 0;
      child_x[c] = all.xy(b, limb.child, c, 0);
      child_y[c] = all.xy(b, limb.child, c, 1);
    }
  }

  /// Lists the child peaks that a parent peak may have a score above 0 with, in their order.
  int64_t list_possible(const Limb& limb, int64_t a) const {
    return list_possible_limbs(limb.score, all.xy(b, limb.parent, a, 0), all.xy(b, limb.parent, a, 1), child_x, child_y,
                               limb.children, possible);
  }

  /// Nearest person first, best child peak that is left.
  void connect_by_depth(int64_t l) {
    const Limb limb = this->limb(l);
    read_children(limb);
    for (int64_t p = 0; p < found; ++p) {
      const int64_t a = member(p, limb.parent);
      if (a < 0) continue;
      const float longest = this->longest(l, depths[p]);
      int32_t best = -1;
      float best_score = 0.0f;
      const int64_t n = list_possible(limb, a);
      for (int64_t i = 0; i < n; ++i) {
        const int32_t c = possible[i];
        if (taken[c]) continue;
        float distance;
        float s = score_possible(limb, a, c, &distance);
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
  void connect_by_score(int64_t l) {
    const Limb limb = this->limb(l);
    read_children(limb);
    const float half_height = static_cast<float>(all.pafs.size[3]) / 2;
    int64_t n = 0;
    for (int64_t a = 0; a < limb.parents; ++a) {
      partner[a] = -1;
      const int64_t listed = list_possible(limb, a);
      for (int64_t i = 0; i < listed; ++i) {
        const int64_t c = possible[i];
        float distance;
        float s = score_possible(limb, a, c, &distance);
        if (!(s > 0.0f)) continue;
        s += length_penalty(half_height, distance);
        if (s > 0.0f) pairs[n++] = {static_cast<int32_t>(a), static_cast<int32_t>(c), s};
      }
    }
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

  SMAP_HOST_DEVICE void drop_unlikely() {
    int64_t kept = 0;
    for (int64_t p = 0; p < found; ++p) {
      if (is_kept([&](int64_t j) { return member(p, j); })) swap_people(kept++, p);
    }
    found = kept;
  }

  SMAP_HOST_DEVICE void swap_people(int64_t p, int64_t q) const {
    if (p == q) return;
    const float depth = depths[p];
    depths[p] = depths[q];
    depths[q] = depth;
    for (int64_t j = 0; j < joints; ++j) {
      const int32_t peak = member(p, j);
      member(p, j) = member(q, j);
      member(q, j) = peak;
    }
  }

  SMAP_HOST_DEVICE void sort_by_depth() const {
    for (int64_t p = 1; p < found; ++p)
      for (int64_t at = p; at > 0 && depths[at] < depths[at - 1]; --at) swap_people(at, at - 1);
  }

  SMAP_HOST_DEVICE void write() const {
    const int64_t shown = found < max_people ? found : max_people;
    for (int64_t p = 0; p < shown; ++p) {
      all.root_depths(b, p) = depths[p];
      for (int64_t j = 0; j < joints; ++j) all.people(b, p, j) = member(p, j);
    }
    finish(shown);
  }

  void run() {
    report(AssociationProblem::kFine);
    for (int64_t k = 0; k < peaks(root()); ++k) add_person(root(), k);
    for (int64_t l = 0; l < limbs; ++l) {
      if (all.options.mode == Association::kPaf) {
        connect_by_score(l);
      } else {
        connect_by_depth(l);
      }
      if (l == 0 && all.options.half_bodies) add_half_bodies(child(0));
    }
    drop_unlikely();
    // The authors' 2-D baseline knows no depth.
    if (!(all.options.mode == Association::kPaf && all.options.limb.official)) sort_by_depth();
    write();
  }
};

}  // namespace smap
