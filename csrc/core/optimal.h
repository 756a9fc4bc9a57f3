// Exact association with second thoughts: `Association::kOptimal`.
#pragma once

#include "core/duplicates.h"
#include "core/optimal_people.h"

namespace smap {

/// The work on one image.
///
/// People start at the root peaks (and, without a visible root, at what is left of the next joint). Limb after limb,
/// children are assigned exactly: the largest sum of scores over all people. A joint without a peak gets a place at the
/// end of the PAF that leads to it, so that the limbs behind it still find their person. Then everything is assigned
/// once more: people now have a size, from the limbs that they were given, and a peak comes with the branch that hangs
/// on it: an arm of the wrong size moves to whom it fits.
struct OptimalAssociation : OptimalPeople {
  using OptimalPeople::OptimalPeople;

  // Chosen on the scenes of benchmarks/association_scenes.py.
  static constexpr float kReach = 1.9f;           // longest limb, in mean lengths at the person's depth
  static constexpr float kReachMargin = 2.0f;     // map px on top of it
  static constexpr float kShortRatio = 0.9f;      // of the person's limbs, in space; shorter ones are worth less
  static constexpr float kImaginedFactor = 0.7f;  // on the PAF of a limb whose parent was not found
  static constexpr float kNearFirst = 0.1f;       // in favour of the nearest person, falling with depth (ordinal prior)
  static constexpr float kNoWalk = 5.0f;          // map px: the end of a limb with a shorter reach is put at its start
  static constexpr int kSweeps = 2;
  static constexpr float kSizePrior = 6.0f;     // so many limbs of mean length say that the person has mean size
  static constexpr float kMostWorth = 1000.0f;  // of PAFs that are no unit vectors: the sums stay in range
  static constexpr float kUnit = 65536.0f;      // profits are whole numbers of 1 / kUnit

  /// By all threads of a block (see block.h), or by one of a CPU.
  template <class Block>
  SMAP_DEVICE void run(Block& block) const {
    block.each(1, [this](int32_t) { start(); });
    const auto each_person = [this, &block](int32_t step, auto work) {
      const int32_t people = state->found;
      block.each(static_cast<int32_t>(limbs) * people, [this, step, people, work](int32_t i) {
        if (step_of(i / people) == step) work(i / people, i % people);
      });
    };
    for (int sweep = 0; sweep < kSweeps; ++sweep) {
      if (sweep > 0) block.each(state->found, [this](int32_t p) { measure(p); });
      // The first limb alone: who is left at its far end starts a half body. Then level after level, as the limbs of
      // one level concern different joints.
      for (int32_t step = 0; step <= state->levels; ++step) {
        each_person(step, [this, sweep](int32_t l, int32_t p) { gather(l, p, sweep > 0); });
        block.each(static_cast<int32_t>(limbs), [this, step](int32_t l) {
          if (step_of(l) == step) assign(l);
        });
        each_person(step, [this](int32_t l, int32_t p) { imagine(l, p); });
        if (step == 0 && sweep == 0 && all.options.half_bodies && limbs > 0 && exists(0)) {
          block.each(1, [this](int32_t) { add_half_bodies(); });
        }
      }
    }
    Duplicates(*this).run(block);
    block.each(1, [this](int32_t) { write(); });
  }

 private:
  SMAP_HOST_DEVICE float length(int64_t l) const { return static_cast<float>(all.lengths(l)); }
  SMAP_HOST_DEVICE int32_t step_of(int64_t l) const { return l == 0 && level[0] > 0 ? 0 : level[l]; }

  /// A GPU cannot refuse limbs without a joint; they are left out.
  SMAP_HOST_DEVICE bool exists(int64_t l) const {
    return parent(l) >= 0 && child(l) >= 0 && parent(l) < joints && child(l) < joints;
  }

  SMAP_HOST_DEVICE void start() const {
    report(AssociationProblem::kFine);
    *state = {0, 1, 0.0f};
    for (int64_t l = 0; l < limbs; ++l) {
      level[l] = exists(l) ? 1 : -1;
      for (int64_t j = 0; j < joints; ++j) below[l * joints + j] = 0;
      if (!exists(l)) continue;
      for (int64_t k = l + 1; k < limbs; ++k)
        if (exists(k) && (parent(k) == child(l) || below[l * joints + parent(k)])) below[l * joints + child(k)] = 1;
      for (int64_t k = 0; k < l; ++k)
        if (level[k] >= level[l] && waits(l, k)) level[l] = level[k] + 1;
      if (level[l] > state->levels) state->levels = level[l];
    }
    if (limbs > 0 && !exists(0)) return;
    for (int64_t k = 0; k < peaks(root()); ++k) add(root(), k);
  }

  /// Whether limb l reads or gives joints that the earlier limb k gives, or the other way round.
  SMAP_HOST_DEVICE bool waits(int64_t l, int64_t k) const {
    if (gives(k, parent(l)) || gives(l, parent(k))) return true;
    for (int64_t j = 0; j < joints; ++j)
      if (gives(k, j) && gives(l, j)) return true;
    return false;
  }

  SMAP_HOST_DEVICE bool gives(int64_t l, int64_t joint) const {
    return joint == child(l) || below[l * joints + joint] != 0;
  }

  SMAP_HOST_DEVICE void add(int64_t joint, int64_t k) const {
    if (state->found == max_people) return;
    const int64_t p = state->found++;
    depth[p] = depth_at(joint, k);
    size[p] = 1.0f;
    if (depth[p] > 0.0f && !(state->nearest > 0.0f && state->nearest < depth[p])) state->nearest = depth[p];
    origin[p] = static_cast<int32_t>(joint);
    for (int64_t j = 0; j < joints; ++j) node(p, j) = nowhere();
    for (int64_t l = 0; l < limbs; ++l) candidates_of(l, p).count = 0;
    node(p, joint) = at_peak(joint, k, {0.0f, 0.0f, 0.0f});
  }

  SMAP_HOST_DEVICE void add_half_bodies() const {
    const int64_t joint = child(0), people = state->found;
    int32_t* taken = owner;
    for (int64_t k = 0; k < peaks(joint); ++k) taken[k] = 0;
    for (int64_t p = 0; p < people; ++p)
      if (node(p, joint).peak >= 0) taken[node(p, joint).peak] = 1;
    for (int64_t k = 0; k < peaks(joint); ++k) {
      if (taken[k]) continue;
      add(joint, k);
      if (state->found > people)
        lead(state->found - 1, 0, node(state->found - 1, joint), -1.0f, &node(state->found - 1, root()));
    }
  }

  SMAP_HOST_DEVICE LimbMaps maps(int64_t l) const {
    return {all.pafs[b][l], all.limb_depths[b][l], all.options.limb, &all.status(b)};
  }

  /// How well such a limb suits the person; 0 or below: not at all.
  SMAP_HOST_DEVICE float fit(int64_t p, int64_t l, const LimbEvidence& limb) const {
    float s = limb.paf;
    if (limb.length < LimbMaps::kPoint) return s;
    const float flat = limb.length / (scale(p) * length(l)), deep = limb.depth / length(l);
    const float ratio = sqrtf(flat * flat + deep * deep) / size[p],
                slack = static_cast<float>(all.options.length_slack);
    if (ratio > slack) s -= ratio - slack;
    if (ratio < kShortRatio) s -= kShortRatio - ratio;
    return s;
  }

  /// How large the person is, from the limbs found so far; `kSizePrior` limbs of mean length are added.
  SMAP_HOST_DEVICE void measure(int64_t p) const {
    float sum = kSizePrior, count = kSizePrior;
    for (int64_t l = 0; l < limbs; ++l) {
      if (!exists(l)) continue;
      const Node& end = node(p, child(l));
      if (end.peak < 0 || !(end.limb.length >= LimbMaps::kPoint)) continue;
      const float flat = end.limb.length / (scale(p) * length(l)), deep = end.limb.depth / length(l);
      sum += sqrtf(flat * flat + deep * deep);
      count += 1.0f;
    }
    size[p] = sum / count;
  }

  /// In favour of the nearest person, falling with depth.
  SMAP_HOST_DEVICE float near_first(int64_t p) const {
    return all.options.ordinal_prior && depth[p] > 0.0f ? kNearFirst * state->nearest / depth[p] : 0.0f;
  }

  // ---- steps

  /// Finds the child peaks that person p may take along limb l.
  SMAP_HOST_DEVICE void gather(int64_t l, int64_t p, bool again) const {
    Candidates& found = candidates_of(l, p);
    const Node from = node(p, parent(l));
    const bool seen = from.peak >= 0;
    if (again && found.parent == from.peak && found.x == from.x && found.y == from.y) return;
    found = {0, from.peak, from.x, from.y, {}};
    if (!placed(from) || origin[p] == child(l)) return;
    const float reach = kReach * scale(p) * length(l) + kReachMargin;
    const View<const float, 2> xy = all.xy[b][child(l)];
    const LimbMaps limb_maps = maps(l);
    const int64_t count = peaks(child(l));
    for (int64_t c = 0; c < count; ++c) {
      const float dx = xy(c, 0) - from.x, dy = xy(c, 1) - from.y;
      if (!(dx * dx + dy * dy <= reach * reach)) continue;
      Candidate candidate{static_cast<int32_t>(c), {}};
      if (!limb_maps.look(from.x, from.y, dx, dy, &candidate.limb)) continue;
      if (!seen) candidate.limb.paf *= kImaginedFactor;
      if (fit(p, l, candidate.limb) > 0.0f) keep(p, l, candidate, &found);
    }
  }

  SMAP_HOST_DEVICE void keep(int64_t p, int64_t l, const Candidate& candidate, Candidates* found) const {
    if (found->count < kCandidates) {
      found->list[found->count++] = candidate;
      return;
    }
    int worst = 0;
    for (int i = 1; i < kCandidates; ++i)
      if (fit(p, l, found->list[i].limb) <= fit(p, l, found->list[worst].limb)) worst = i;
    if (fit(p, l, candidate.limb) > fit(p, l, found->list[worst].limb)) found->list[worst] = candidate;
  }

  /// Gives everybody the child of limb l that is best for all together, and moves the branches below.
  SMAP_HOST_DEVICE void assign(int64_t l) const {
    const int32_t people = state->found;
    const int64_t joint = child(l);
    int32_t* holder = owner + l * capacity;
    for (int64_t c = 0; c < peaks(joint); ++c) holder[c] = -1;
    for (int32_t p = 0; p < people; ++p)
      if (node(p, joint).peak >= 0) holder[node(p, joint).peak] = p;

    Assignment problem;
    problem.rows = people;
    problem.columns = static_cast<int32_t>(peaks(joint));
    int32_t* starts = first + l * (max_people + 1);
    Assignment::Edge* list = edges + l * max_people * kCandidates;
    int32_t n = 0;
    for (int32_t p = 0; p < people; ++p) {
      starts[p] = n;
      const Candidates& mine = candidates_of(l, p);
      for (int32_t i = 0; i < mine.count; ++i) {
        const int32_t c = mine.list[i].peak, from = holder[c];
        if (from >= 0 && origin[from] == joint) continue;  // somebody starts there
        float worth = fit(p, l, mine.list[i].limb) + near_first(p) + (from >= 0 ? branch(p, from, l) : 0.0f);
        if (!(worth > 0.0f)) continue;
        worth = worth < kMostWorth ? worth : kMostWorth;
        const int32_t profit = static_cast<int32_t>(worth * kUnit);
        if (profit > 0) list[n++] = {c, profit};
      }
    }
    starts[people] = n;
    problem.first = starts;
    problem.edges = list;
    problem.lend(lent + l * Assignment::words(max_people, capacity));
    problem.solve();

    for (int64_t j = 0; j < joints; ++j)
      if (below[l * joints + j])
        for (int64_t p = 0; p < people; ++p) before[p * joints + j] = node(p, j);
    for (int32_t p = 0; p < people; ++p) {
      if (origin[p] == joint) continue;
      const int32_t c = problem.column_of[p], from = c >= 0 ? holder[c] : -1;
      node(p, joint) = c >= 0 ? at_peak(joint, c, evidence_of(candidates_of(l, p), c)) : nowhere();
      if (from == p) continue;
      for (int64_t j = 0; j < joints; ++j)
        if (below[l * joints + j]) node(p, j) = from >= 0 ? before[from * joints + j] : nowhere();
    }
  }

  SMAP_HOST_DEVICE static LimbEvidence evidence_of(const Candidates& candidates, int32_t peak) {
    int i = 0;
    while (candidates.list[i].peak != peak) ++i;
    return candidates.list[i].limb;
  }

  /// What the limbs that `from` holds below limb l would be worth to person p.
  SMAP_HOST_DEVICE float branch(int64_t p, int64_t from, int64_t l) const {
    float sum = 0.0f;
    for (int64_t k = l + 1; k < limbs; ++k) {
      const Node& end = node(from, child(k));
      if (below[l * joints + child(k)] && end.peak >= 0) sum += fit(p, k, end.limb);
    }
    return sum;
  }

  /// Places the child of limb l where no peak was found, from the parent's place, itself perhaps imagined.
  SMAP_HOST_DEVICE void imagine(int64_t l, int64_t p) const {
    const Node from = node(p, parent(l));
    Node& to = node(p, child(l));
    if (to.peak >= 0 || !placed(from)) return;
    if (!lead(p, l, from, 1.0f, &to) && scale(p) * length(l) < kNoWalk) {
      to.x = from.x;
      to.y = from.y;
    }
  }

  SMAP_HOST_DEVICE bool lead(int64_t p, int64_t l, const Node& from, float direction, Node* to) const {
    return maps(l).follow(from.x, from.y, scale(p) * length(l), direction, &to->x, &to->y);
  }

  /// People of enough joints, near to far; equal depths in raster order, those with a root first.
  SMAP_HOST_DEVICE void write() const {
    int64_t kept = 0;
    for (int64_t p = 0; p < state->found; ++p) {
      if (!is_kept(tally_of(p))) continue;
      int64_t at = kept++;
      for (; at > 0 && depth[p] < all.root_depths(b, at - 1); --at) {
        all.root_depths(b, at) = all.root_depths(b, at - 1);
        for (int64_t j = 0; j < joints; ++j) all.people(b, at, j) = all.people(b, at - 1, j);
      }
      all.root_depths(b, at) = depth[p];
      for (int64_t j = 0; j < joints; ++j) all.people(b, at, j) = node(p, j).peak;
    }
    finish(kept);
  }
};

}  // namespace smap
