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
  static constexpr float kOnePlace = 0.07f;       // metres between roots in the picture, of people who share a place
  static constexpr float kNoWalk = 5.0f;          // map px: the end of a limb with a shorter reach is put at its start
  static constexpr int kSweeps = 2;
  static constexpr float kSizePrior = 6.0f;     // so many limbs of mean length say that the person has mean size
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
  /// work(l, p, i) for the limbs of a step, all people and i in 0..turns-1: what threads of a warp do is alike.
  template <class Block, class Work>
  SMAP_DEVICE void each_person(Block& block, int32_t step, int32_t turns, Work work) const {
    const int32_t people = state->found, searches = order.limbs_of(step) * people;
    if constexpr (Block::kSideBySide) {
      block.each(searches * turns, [this, step, people, searches, work](int32_t i) {
        const auto [l, p] = pair(step, people, i % searches);
        work(l, p, i / searches);
      });
    } else {  // the same without dividing, which one thread would have to wait for
      for (int32_t k = 0; k < order.limbs_of(step); ++k)
        for (int32_t p = 0; p < people; ++p)
          for (int32_t i = 0; i < turns; ++i) work(order.limb(step, k), p, i);
    }
  }

  template <class Block, class Work>
  SMAP_DEVICE void each_person(Block& block, int32_t step, Work work) const {
    each_person(block, step, 1, [work](int32_t l, int32_t p, int32_t) { work(l, p); });
  }

  struct LimbOfPerson {
    int32_t l, p;
  };

  /// Row of a step: everybody for its first limb, then for the next.
  SMAP_HOST_DEVICE LimbOfPerson pair(int32_t step, int32_t people, int32_t row) const {
    return {order.limb(step, row / people), row % people};
  }

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
    block.each_pair(order.limbs_of(step), most_peaks, [this, step](int32_t i, int32_t c) {
      const int32_t l = order.limb(step, i);
      owner[l * most_peaks + c] = -1;
      if (c < peak_count[child(l)]) problem(l).clear(c);
    });
    each_person(block, step, [this, again](int32_t l, int32_t p) {
      const Node& held = node(p, child(l));
      if (held.peak >= 0) owner[l * most_peaks + held.peak] = p;
      const float longest = kReach * scale(p) * length(l) + kReachMargin;
      reach[l * rows + p] = begin_search(l, p, again) ? longest * longest : -1.0f;
      if (Block::kSideBySide || reach[l * rows + p] < 0.0f) return;
      const Search along(*this, l, p);
      for (int32_t c = 0, last = peak_count[child(l)]; c < last; ++c) {
        if (!along.reaches(c)) continue;
        const Candidate found = look_at(along, l, p, c);
        if (found.peak >= 0) keep(p, l, found, &candidates_of(l, p));
      }
    });
    if constexpr (Block::kSideBySide) search(block, step);
  }

  /// What is in reach of everyone first, then a thread for each of it, so many at a time as a person may keep.
  template <class Block>
  SMAP_DEVICE void search(Block& block, int32_t step) const {
    const int32_t people = state->found, searches = order.limbs_of(step) * people;
    const int32_t words = bit_words(most_peaks), columns = words * 32;
    block.mask(
        searches * columns, near, [](int32_t) { return 0.0f; },
        [this, step, people, columns](int32_t i, float) {
          const auto [l, p] = pair(step, people, i / columns);
          const int32_t c = i % columns;
          return c < peak_count[child(l)] && Search(*this, l, p).reaches(c);
        });
    bool more = searches > 0;
    for (int32_t first = 0; more; first += kCandidates) {
      // Turn by turn: what threads of a warp do is alike.
      more = block.any(searches * kCandidates, [this, step, people, searches, words, first](int32_t i) {
        const int32_t row = i % searches, turn = i / searches;
        const auto [l, p] = pair(step, people, row);
        const int32_t c = nth_bit(near + row * words, words, first + turn);
        looked[i] = c >= 0 ? look_at(Search(*this, l, p), l, p, c) : Candidate{-1, {}};
        return c >= 0 && turn + 1 == kCandidates;
      });
      block.each(searches, [this, step, people, searches](int32_t row) {
        const auto [l, p] = pair(step, people, row);
        for (int32_t i = 0; i < kCandidates; ++i) {
          const Candidate& found = looked[i * searches + row];
          if (found.peak >= 0) keep(p, l, found, &candidates_of(l, p));
        }
      });
    }
  }

  /// Place of the n-th bit that is set, from 0; -1: there is none.
  SMAP_HOST_DEVICE static int32_t nth_bit(const uint32_t* bits, int32_t words, int32_t n) {
    for (int32_t w = 0; w < words; ++w) {
      uint32_t left = bits[w];
      const int32_t count = count_bits(left);
      if (n >= count) {
        n -= count;
        continue;
      }
      for (; n > 0; --n) left &= left - 1;
      return w * 32 + lowest_bit(left);
    }
    return -1;
  }

  /// Whether person p must look for the children of limb l: not when what was found before still holds.
  SMAP_HOST_DEVICE bool begin_search(int64_t l, int64_t p, bool again) const {
    Candidates& found = candidates_of(l, p);
    const Node& from = node(p, parent(l));
    if (again && found.parent == from.peak && found.x == from.x && found.y == from.y) return false;
    found.count = found.led = 0;
    found.parent = from.peak;
    found.x = from.x;
    found.y = from.y;
    return placed(from) && origin[p] != child(l);
  }

  /// What looking for the children of a person along a limb needs again and again.
  struct Search {
    Node from;
    float reach;  // squared
    View<const float, 2> xy;
    LimbMaps maps;

    SMAP_HOST_DEVICE Search(const OptimalAssociation& people, int64_t l, int64_t p)
        : from(people.node(p, people.parent(l))),
          reach(people.reach[l * people.rows + p]),
          xy(people.all.xy[people.b][people.child(l)]),
          maps(people.maps(l)) {}

    SMAP_HOST_DEVICE bool reaches(int32_t c) const {
      const float dx = xy(c, 0) - from.x, dy = xy(c, 1) - from.y;
      return dx * dx + dy * dy <= reach;
    }
  };

  /// Child peak c as the end of limb l of person p; peak -1: it is none.
  SMAP_HOST_DEVICE Candidate look_at(const Search& search, int64_t l, int64_t p, int32_t c) const {
    const Node& from = search.from;
    Candidate candidate{-1, {}};
    const float dx = search.xy(c, 0) - from.x, dy = search.xy(c, 1) - from.y;
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

  SMAP_HOST_DEVICE Assignment problem(int64_t l) const {
    Assignment problem;
    problem.rows = state->found;
    problem.columns = peak_count[child(l)];
    problem.edges = edges_of(l, 0);
    problem.stride = kCandidates;
    problem.lend(lent + l * Assignment::words(rows, most_peaks));
    return problem;
  }

  SMAP_HOST_DEVICE Assignment::Edge* edges_of(int64_t l, int64_t p) const {
    return edges + (l * rows + p) * kCandidates;
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
