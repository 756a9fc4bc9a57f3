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
    order_limbs(block);
    start(block);
    for (int sweep = 0; sweep < kSweeps; ++sweep) {
      if (sweep > 0) block.each(state->found, [this](int32_t p) { measure(p); });
      // The first limb alone: who is left at its far end starts a half body. Then level after level, as the limbs of
      // one level concern different joints.
      for (int32_t step = 0; step <= state->levels; ++step) {
        find_candidates(block, step, sweep > 0);
        assign(block, step);
        if (step == 0 && sweep == 0 && all.options.half_bodies && limbs > 0 && exists(0)) add_half_bodies(block);
      }
    }
    Duplicates(*this).run(block);
    write(block);
  }

 private:
  SMAP_HOST_DEVICE float length(int64_t l) const { return static_cast<float>(all.lengths(l)); }
  SMAP_HOST_DEVICE int32_t step_of(int64_t l) const { return l == 0 && level[0] > 0 ? 0 : level[l]; }

  /// work(l, p) for the limbs of a step and all people.
  template <class Block, class Work>
  SMAP_DEVICE void each_person(Block& block, int32_t step, Work work) const {
    const int32_t people = state->found, first = begin[step], limb_count = begin[step + 1] - first;
    block.each(limb_count * people, [this, first, people, work](int32_t row) {
      const auto [l, p] = pair(first, people, row);
      work(l, p);
    });
  }

  struct LimbOfPerson {
    int32_t l, p;
  };

  /// Row of a step whose limbs begin at `first`: everybody for the first limb, then for the next.
  SMAP_HOST_DEVICE LimbOfPerson pair(int32_t first, int32_t people, int32_t row) const {
    return {order[first + row / people], row % people};
  }

  /// Copies joints and peak counts of the problem, and finds which limbs come when: all tables up to `waits`.
  template <class Block>
  SMAP_DEVICE void order_limbs(Block& block) const {
    const auto all_limbs = static_cast<int32_t>(limbs);
    block.each(all_limbs + static_cast<int32_t>(joints), [this, all_limbs](int32_t i) {
      if (i < all_limbs) {
        ends[2 * i] = all.is_limb(i) ? static_cast<int32_t>(ImageProblem::parent(i)) : -1;
        ends[2 * i + 1] = all.is_limb(i) ? static_cast<int32_t>(ImageProblem::child(i)) : -1;
      } else {
        peak_count[i - all_limbs] = static_cast<int32_t>(peaks(i - all_limbs));
      }
    });
    block.each(all_limbs, [this](int32_t l) {
      level[l] = exists(l) ? 1 : -1;
      for (int64_t j = 0; j < joints; ++j) below[l * joints + j] = 0;
      for (int64_t k = l + 1; exists(l) && k < limbs; ++k)
        if (exists(k) && (parent(k) == child(l) || below[l * joints + parent(k)])) below[l * joints + child(k)] = 1;
    });
    block.each(all_limbs * all_limbs, [this, all_limbs](int32_t i) {
      const int32_t l = i / all_limbs, k = i % all_limbs;
      waits[i] = k < l && exists(l) && exists(k) && waits_for(l, k);
    });
    block.each(1, [this](int32_t) {
      report(AssociationProblem::kFine);
      *state = {0, 1, 0.0f};
      for (int64_t l = 0; l < limbs; ++l) {
        for (int64_t k = 0; k < l; ++k)
          if (waits[l * limbs + k] && level[k] >= level[l]) level[l] = level[k] + 1;
        if (level[l] > state->levels) state->levels = level[l];
      }
      int32_t listed = 0;
      for (int32_t step = 0; step <= state->levels; ++step) {
        begin[step] = listed;
        for (int64_t l = 0; l < limbs; ++l)
          if (step_of(l) == step) order[listed++] = static_cast<int32_t>(l);
      }
      begin[state->levels + 1] = listed;
    });
  }

  /// A person at every root peak.
  template <class Block>
  SMAP_DEVICE void start(Block& block) const {
    const int32_t people = rows == 0 ? 0 : peak_count[root()] < rows ? peak_count[root()] : rows;
    block.each(people, [this](int32_t k) { add(k, root(), k); });
    block.each(1, [this, people](int32_t) {
      state->found = people;
      find_nearest();
    });
  }

  /// Whether limb l reads or gives joints that the earlier limb k gives, or the other way round.
  SMAP_HOST_DEVICE bool waits_for(int64_t l, int64_t k) const {
    if (gives(k, parent(l)) || gives(l, parent(k))) return true;
    for (int64_t j = 0; j < joints; ++j)
      if (gives(k, j) && gives(l, j)) return true;
    return false;
  }

  SMAP_HOST_DEVICE bool gives(int64_t l, int64_t joint) const {
    return joint == child(l) || below[l * joints + joint] != 0;
  }

  /// Makes person p one of peak k of a joint and nothing else.
  SMAP_HOST_DEVICE void add(int64_t p, int64_t joint, int64_t k) const {
    depth[p] = depth_at(joint, k);
    size[p] = 1.0f;
    origin[p] = static_cast<int32_t>(joint);
    for (int64_t j = 0; j < joints; ++j) node(p, j) = nowhere();
    for (int64_t l = 0; l < limbs; ++l) candidates_of(l, p) = {0, -1, NAN, NAN, {}};
    node(p, joint) = at_peak(joint, k, {0.0f, 0.0f, 0.0f});
  }

  SMAP_HOST_DEVICE void find_nearest() const {
    for (int64_t p = 0; p < state->found; ++p)
      if (depth[p] > 0.0f && !(state->nearest > 0.0f && state->nearest < depth[p])) state->nearest = depth[p];
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
      for (int32_t k = 0; k < peak_count[joint] && state->found < rows; ++k)
        if (!taken[k]) peak[state->found++] = k;
    });
    block.each(state->found - people, [this, joint, people, peak](int32_t i) {
      const int64_t p = people + i;
      add(p, joint, peak[p]);
      lead(p, 0, node(p, joint), -1.0f, &node(p, root()));
    });
    block.each(1, [this](int32_t) { find_nearest(); });
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

  /// Marks who holds the child peaks of the step's limbs, and finds whom they may go to.
  template <class Block>
  SMAP_DEVICE void find_candidates(Block& block, int32_t step, bool again) const {
    block.each(most_peaks, [this, step](int32_t k) {
      for (int32_t i = begin[step]; i < begin[step + 1]; ++i) owner[order[i] * most_peaks + k] = -1;
    });
    // With memory to spare every pair of a person and a peak has a thread; else a person looks at peak after peak.
    const int32_t pairs = (begin[step + 1] - begin[step]) * state->found;
    const int64_t room = pairs > 0 ? spare_words / (pairs * words<Candidate>(1)) : 0;
    const auto stretch = static_cast<int32_t>(room < most_peaks ? room : most_peaks);
    each_person(block, step, [this, again, stretch](int32_t l, int32_t p) {
      const Node& held = node(p, child(l));
      if (held.peak >= 0) owner[l * most_peaks + held.peak] = p;
      const bool wanted = begin_search(l, p, again);
      searching[l * rows + p] = wanted;
      if (stretch > 0 || !wanted) return;
      const Search along(*this, l, p);
      for (int32_t c = 0, last = peak_count[child(l)]; c < last; ++c) {
        const Candidate found = look_at(along, l, p, c);
        if (found.peak >= 0) keep(p, l, found, &candidates_of(l, p));
      }
    });
    if (stretch > 0) search(block, step, stretch);
  }

  /// As many peaks at a time as `spare` holds for all the step's limbs and people.
  template <class Block>
  SMAP_DEVICE void search(Block& block, int32_t step, int32_t stretch) const {
    auto* const looked = reinterpret_cast<Candidate*>(spare);
    const int32_t people = state->found, first = begin[step], limb_count = begin[step + 1] - first;
    for (int32_t from = 0; from < most_peaks; from += stretch) {
      block.each(limb_count * people * stretch, [this, first, people, from, stretch, looked](int32_t i) {
        const auto [l, p] = pair(first, people, i / stretch);
        const int32_t c = from + i % stretch;
        const bool wanted = searching[l * rows + p] && c < peak_count[child(l)];
        looked[i] = wanted ? look_at(Search(*this, l, p), l, p, c) : Candidate{-1, {}};
      });
      block.each(limb_count * people, [this, first, people, stretch, looked](int32_t row) {
        const auto [l, p] = pair(first, people, row);
        for (int32_t i = 0; i < stretch; ++i) {
          const Candidate& found = looked[row * stretch + i];
          if (found.peak >= 0) keep(p, l, found, &candidates_of(l, p));
        }
      });
    }
  }

  /// Whether person p must look for the children of limb l: not when what was found before still holds.
  SMAP_HOST_DEVICE bool begin_search(int64_t l, int64_t p, bool again) const {
    Candidates& found = candidates_of(l, p);
    const Node& from = node(p, parent(l));
    if (again && found.parent == from.peak && found.x == from.x && found.y == from.y) return false;
    found.count = 0;
    found.parent = from.peak;
    found.x = from.x;
    found.y = from.y;
    return placed(from) && origin[p] != child(l);
  }

  /// What looking for the children of a person along a limb needs again and again.
  struct Search {
    Node from;
    float reach;
    View<const float, 2> xy;
    LimbMaps maps;

    SMAP_HOST_DEVICE Search(const OptimalAssociation& people, int64_t l, int64_t p)
        : from(people.node(p, people.parent(l))),
          reach(kReach * people.scale(p) * people.length(l) + kReachMargin),
          xy(people.all.xy[people.b][people.child(l)]),
          maps(people.maps(l)) {}
  };

  /// Child peak c as the end of limb l of person p; peak -1: it is none.
  SMAP_HOST_DEVICE Candidate look_at(const Search& search, int64_t l, int64_t p, int32_t c) const {
    const Node& from = search.from;
    const float dx = search.xy(c, 0) - from.x, dy = search.xy(c, 1) - from.y;
    Candidate candidate{-1, {}};
    if (!(dx * dx + dy * dy <= search.reach * search.reach)) return candidate;
    if (!search.maps.look(from.x, from.y, dx, dy, &candidate.limb)) return candidate;
    if (from.peak < 0) candidate.limb.paf *= kImaginedFactor;
    if (fit(p, l, candidate.limb) > 0.0f) candidate.peak = c;
    return candidate;
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

  /// Gives everybody the children of the step's limbs that are best for all together, and moves the branches below.
  template <class Block>
  SMAP_DEVICE void assign(Block& block, int32_t step) const {
    each_person(block, step, [this](int32_t l, int32_t p) {
      judge(l, p);
      for (int64_t j = 0; j < joints; ++j)
        if (below[l * joints + j]) before[p * joints + j] = node(p, j);
    });
    block.each_apart(begin[step + 1] - begin[step],
                     [this, step](int32_t i) { problem(order[begin[step] + i]).solve(); });
    each_person(block, step, [this](int32_t l, int32_t p) {
      hand_over(l, p);
      imagine(l, p);
    });
  }

  SMAP_HOST_DEVICE Assignment problem(int64_t l) const {
    Assignment problem;
    problem.rows = state->found;
    problem.columns = peak_count[child(l)];
    problem.edges = edges_of(l, 0);
    problem.count = edge_count + l * rows;
    problem.stride = kCandidates;
    problem.lend(lent + l * Assignment::words(rows, most_peaks));
    return problem;
  }

  SMAP_HOST_DEVICE Assignment::Edge* edges_of(int64_t l, int64_t p) const {
    return edges + (l * rows + p) * kCandidates;
  }

  /// What the candidates of limb l are worth to person p.
  SMAP_HOST_DEVICE void judge(int64_t l, int64_t p) const {
    const Candidates& mine = candidates_of(l, p);
    Assignment::Edge* list = edges_of(l, p);
    int32_t n = 0;
    for (int32_t i = 0; i < mine.count; ++i) {
      const int32_t c = mine.list[i].peak, from = owner[l * most_peaks + c];
      if (from >= 0 && origin[from] == child(l)) continue;  // somebody starts there
      float worth = fit(p, l, mine.list[i].limb) + near_first(p) + (from >= 0 ? branch(p, from, l) : 0.0f);
      if (!(worth > 0.0f)) continue;
      worth = worth < kMostWorth ? worth : kMostWorth;
      const int32_t profit = static_cast<int32_t>(worth * kUnit);
      if (profit > 0) list[n++] = {c, profit};
    }
    edge_count[l * rows + p] = n;
  }

  /// Gives person p the child of limb l that it was assigned, and the branch of whoever held it.
  SMAP_HOST_DEVICE void hand_over(int64_t l, int64_t p) const {
    const int64_t joint = child(l);
    if (origin[p] == joint) return;
    const int32_t c = problem(l).column_of[p], from = c >= 0 ? owner[l * most_peaks + c] : -1;
    node(p, joint) = c >= 0 ? at_peak(joint, c, evidence_of(candidates_of(l, p), c)) : nowhere();
    if (from == p) return;
    for (int64_t j = 0; j < joints; ++j)
      if (below[l * joints + j]) node(p, j) = from >= 0 ? before[from * joints + j] : nowhere();
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
      if (!exists(k)) continue;
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

  /// An order whatever the depths: a GPU cannot refuse what is no number.
  SMAP_HOST_DEVICE bool nearer(int64_t p, int64_t q) const {
    return depth[p] < depth[q] || (depth[p] == depth[p] && depth[q] != depth[q]);
  }

  /// People of enough joints, near to far; equal depths in raster order, those with a root first.
  template <class Block>
  SMAP_DEVICE void write(Block& block) const {
    const int32_t people = state->found;
    block.each(people, [this](int32_t p) { tallies[p] = tally_of(p); });
    block.each(1, [this, people](int32_t) {
      int32_t kept = 0;
      for (int32_t p = 0; p < people; ++p) kept += is_kept(tallies[p]);
      all.people_count(b) = kept;
    });
    block.each(static_cast<int32_t>(max_people), [this](int32_t row) {
      if (row >= all.people_count(b)) empty_row(row);
    });
    block.each(people, [this, people](int32_t p) {
      if (!is_kept(tallies[p])) return;
      int64_t row = 0;
      for (int32_t q = 0; q < people; ++q) row += is_kept(tallies[q]) && (nearer(q, p) || (q < p && !nearer(p, q)));
      all.root_depths(b, row) = depth[p];
      for (int64_t j = 0; j < joints; ++j) all.people(b, row, j) = node(p, j).peak;
    });
  }
};

}  // namespace smap
