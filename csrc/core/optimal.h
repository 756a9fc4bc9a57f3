// Exact association with second thoughts: `Association::kOptimal`.
#pragma once

#include "core/duplicates.h"
#include "core/limb_search.h"

namespace smap {

/// The work on one image.
///
/// People start at the root peaks (and, without a visible root, at what is left of the next joint). Limb after limb,
/// children are assigned exactly: the largest sum of scores over all people. A joint without a peak gets a place at the
/// end of the PAF that leads to it, so that the limbs behind it still find their person. Then everything is assigned
/// once more: people now have a size, from the limbs that they were given, and a peak comes with the branch that hangs
/// on it: an arm of the wrong size moves to whom it fits.
struct OptimalAssociation : LimbSearch {
  using LimbSearch::LimbSearch;

  // Chosen on the scenes of benchmarks/association_scenes.py.
  static constexpr float kNearFirst = 0.1f;  // in favour of the nearest person, falling with depth (ordinal prior)
  static constexpr float kOnePlace = 0.07f;  // metres between roots in the picture, of people who share a place
  static constexpr float kNoWalk = 5.0f;     // map px: the end of a limb with a shorter reach is put at its start
  static constexpr int kSweeps = 2;
  static constexpr float kMostWorth = 1000.0f;  // of PAFs that are no unit vectors: the sums stay in range
  static constexpr float kUnit = 65536.0f;      // profits are whole numbers of 1 / kUnit

  /// By all threads of a block (see block.h), or by one of a CPU.
  template <class Block>
  SMAP_DEVICE void run(Block& block) {
    prepare(block);
    start(block);
    for (int sweep = 0; sweep < kSweeps; ++sweep) {
      if (sweep > 0) block.each(state->found, [this](int32_t p) { measure(p); });
      // Who is left at the far end of the first limb, which comes alone, starts a half body.
      for (int32_t step = 0, steps = *order.steps; step < steps; ++step) {
        find_candidates(block, step, sweep > 0);
        assign(block, step);
        if (step == 0 && sweep == 0 && all.options.half_bodies && limbs > 0 && exists(0)) add_half_bodies(block);
      }
    }
    Duplicates(*this).run(block);
    write(block);
  }

 private:
  /// A person at every root peak.
  template <class Block>
  SMAP_DEVICE void start(Block& block) const {
    const int32_t people = rows == 0 ? 0 : peak_count[root()];
    block.each(people, [this](int32_t k) { add(k, root(), k); });
    block.each(1, [this, people](int32_t) { state->found = people; });
    compare_depths(block);
  }

  /// Makes person p one of peak k of a joint and nothing else.
  SMAP_HOST_DEVICE void add(int64_t p, int64_t joint, int64_t k) const {
    const float width = static_cast<float>(all.root_depth.size[2]);
    depth[p] = depth_at(joint, k);
    scales[p] = depth[p] > 0.0f ? width / depth[p] : width;
    size[p] = 1.0f;
    origin[p] = static_cast<int32_t>(joint);
    for (int64_t j = 0; j < joints; ++j) node(p, j) = nowhere();
    for (int64_t l = 0; l < limbs; ++l) {
      Candidates& none = candidates_of(l, p);
      none.count = none.led = 0;
      none.parent = -1;
      none.x = none.y = NAN;
    }
    node(p, joint) = at_peak(joint, k, {0.0f, 0.0f, 0.0f});
  }

  /// Who is nearest, and who gives way to whom; whenever people have come.
  template <class Block>
  SMAP_DEVICE void compare_depths(Block& block) const {
    block.each(1, [this](int32_t) {
      float nearest = 0.0f;
      for (int64_t p = 0; p < state->found; ++p)
        if (depth[p] > 0.0f && !(nearest > 0.0f && nearest < depth[p])) nearest = depth[p];
      state->nearest = nearest;
    });
    block.each(state->found, [this](int32_t p) { weight[p] = weight_of(p); });
  }

  /// People at what is left at the far end of the first limb.
  template <class Block>
  SMAP_DEVICE void add_half_bodies(Block& block) const {
    const int64_t joint = child(0);
    const int32_t people = state->found;
    int32_t *taken = owner, *peak = twin;
    block.each(peak_count[joint], [taken](int32_t k) { taken[k] = 0; });
    block.each(people, [this, joint, taken](int32_t p) {
      if (node(p, joint).peak >= 0) taken[node(p, joint).peak] = 1;
    });
    block.each(1, [this, joint, taken, peak](int32_t) {
      int32_t found = state->found;
      for (int32_t k = 0; k < peak_count[joint]; ++k)
        if (!taken[k]) peak[found++] = k;
      state->found = found;
    });
    block.each(state->found - people, [this, joint, people, peak](int32_t i) {
      const int64_t p = people + i;
      add(p, joint, peak[p]);
      lead(p, 0, node(p, joint), -1.0f, &node(p, root()).x, &node(p, root()).y);
    });
    compare_depths(block);
  }

  /// Of what somebody would gain: who stands right behind another person gives way. The maps there are the nearer one's
  /// (the paper's Fig. 3), and what hides in them tells little.
  SMAP_HOST_DEVICE float weight_of(int64_t p) const {
    float nearest = depth[p];
    const Node& mine = node(p, root());
    for (int64_t q = 0; all.options.ordinal_prior && q < state->found; ++q) {
      const Node& other = node(q, root());
      const float dx = mine.x - other.x, dy = mine.y - other.y, reach = kOnePlace * scale(q);
      if (dx * dx + dy * dy <= reach * reach && depth[q] > 0.0f && depth[q] < nearest) nearest = depth[q];
    }
    return nearest < depth[p] ? nearest / depth[p] : 1.0f;
  }

  /// In favour of the nearest person, falling with depth.
  SMAP_HOST_DEVICE float near_first(int64_t p) const {
    return all.options.ordinal_prior && depth[p] > 0.0f ? kNearFirst * state->nearest / depth[p] : 0.0f;
  }

  /// Gives everybody the children of the step's limbs that are best for all together, and moves the branches below.
  template <class Block>
  SMAP_DEVICE void assign(Block& block, int32_t step) const {
    each_person(block, step, 1 + kCandidates, [this](int32_t l, int32_t p, int32_t turn) {
      if (turn > 0) return judge(l, p, turn - 1);
      order.each_joint_below(l, [this, p](int32_t j) { before[p * joints + j] = node(p, j); });
    });
    each_person(block, step,
                [this, &block](int32_t l, int32_t p) { problem(l).bid(block, p, candidates_of(l, p).count); });
    block.each_apart(order.limbs_of(step), [this, step](int32_t i) { problem(order.limb(step, i)).solve(); });
    each_person(block, step, [this](int32_t l, int32_t p) {
      hand_over(l, p);
      imagine(l, p);
    });
  }

  /// What the i-th candidate of limb l, if there is one, is worth to person p.
  SMAP_HOST_DEVICE void judge(int64_t l, int64_t p, int32_t i) const {
    const Candidates& mine = candidates_of(l, p);
    if (i >= mine.count) return;
    Assignment::Edge& edge = edges_of(l, p)[i];
    edge = {-1, 0};
    const int32_t c = mine.list[i].peak, from = owner[l * most_peaks + c];
    if (from >= 0 && origin[from] == child(l)) return;  // somebody starts there
    const float own = fit(p, l, mine.list[i].limb) + near_first(p) + (from >= 0 ? branch(p, from, l) : 0.0f);
    const float worth = weight[p] * own;
    if (worth > 0.0f) edge = {c, static_cast<int32_t>((worth < kMostWorth ? worth : kMostWorth) * kUnit)};
  }

  /// Gives person p the child of limb l that it was assigned, and the branch of whoever held it.
  SMAP_HOST_DEVICE void hand_over(int64_t l, int64_t p) const {
    const int64_t joint = child(l);
    if (origin[p] == joint) return;
    const int32_t c = problem(l).column_of[p], from = c >= 0 ? owner[l * most_peaks + c] : -1;
    node(p, joint) = c >= 0 ? at_peak(joint, c, evidence_of(candidates_of(l, p), c)) : nowhere();
    if (from == p) return;
    order.each_joint_below(
        l, [this, p, from](int32_t j) { node(p, j) = from >= 0 ? before[from * joints + j] : nowhere(); });
  }

  SMAP_HOST_DEVICE static LimbEvidence evidence_of(const Candidates& candidates, int32_t peak) {
    int i = 0;
    while (candidates.list[i].peak != peak) ++i;
    return candidates.list[i].limb;
  }

  /// What the limbs that `from` holds below limb l would be worth to person p.
  SMAP_HOST_DEVICE float branch(int64_t p, int64_t from, int64_t l) const {
    float sum = 0.0f;
    order.each_limb_below(l, [this, p, from, &sum](int32_t k) {
      const Node& end = node(from, child(k));
      if (end.peak >= 0) sum += fit(p, k, end.limb);
    });
    return sum;
  }

  /// Places the child of limb l where no peak was found, from the parent's place, itself perhaps imagined.
  SMAP_HOST_DEVICE void imagine(int64_t l, int64_t p) const {
    const Node from = node(p, parent(l));
    Node& to = node(p, child(l));
    if (to.peak >= 0 || !placed(from)) return;
    Candidates& known = candidates_of(l, p);
    if (!known.led) {
      known.led = 1;
      known.to_x = known.to_y = NAN;
      if (!lead(p, l, from, 1.0f, &known.to_x, &known.to_y) && scale(p) * length(l) < kNoWalk) {
        known.to_x = from.x;
        known.to_y = from.y;
      }
    }
    to.x = known.to_x;
    to.y = known.to_y;
  }

  SMAP_HOST_DEVICE bool lead(int64_t p, int64_t l, const Node& from, float direction, float* x, float* y) const {
    return maps(l).follow(from.x, from.y, scale(p) * length(l), direction, x, y);
  }

  /// People of enough joints, near to far, of too many the nearest; equal depths in raster order, those with a root
  /// first.
  template <class Block>
  SMAP_DEVICE void write(Block& block) const {
    const int32_t people = state->found, all_joints = static_cast<int32_t>(joints);
    int32_t *kept = dropped, *row = twin;
    count_joints(block);
    block.each(people, [this, kept](int32_t p) { kept[p] = is_kept(tallies[p]); });
    block.each(people + 1, [this, people, kept, row](int32_t p) {
      int32_t nearer_ones = 0;
      for (int32_t q = 0; q < people; ++q) nearer_ones += kept[q] && (p == people || comes_before(depth, q, p));
      if (p == people) {
        all.people_count(b) = state->kept = nearer_ones < max_people ? nearer_ones : static_cast<int32_t>(max_people);
      } else {
        row[p] = nearer_ones;
      }
    });
    const int32_t empty = static_cast<int32_t>(max_people) - state->kept;
    block.each_pair(people + empty, all_joints, [this, people, kept, row](int32_t p, int32_t j) {
      if (p < people && !kept[p]) return;
      const int32_t at = p < people ? row[p] : state->kept + p - people;
      if (at >= max_people) return;
      all.people(b, at, j) = p < people ? node(p, j).peak : -1;
      if (j == 0) all.root_depths(b, at) = p < people ? depth[p] : 0.0f;
    });
  }
};

}  // namespace smap
