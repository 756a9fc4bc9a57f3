// Which child peaks may be whose: the half of `OptimalAssociation` that reads the maps.
#pragma once

#include "core/optimal_people.h"

namespace smap {

/// People look for the child peaks of their limbs; the best stay, as `Candidates`.
struct LimbSearch : OptimalPeople {
  using OptimalPeople::OptimalPeople;

  // Chosen on the scenes of benchmarks/association_scenes.py.
  static constexpr float kReach = 1.9f;           // longest limb, in mean lengths at the person's depth
  static constexpr float kReachMargin = 2.0f;     // map px on top of it
  static constexpr float kShortRatio = 0.9f;      // of the person's limbs, in space; shorter ones are worth less
  static constexpr float kImaginedFactor = 0.7f;  // on the PAF of a limb whose parent was not found
  static constexpr float kSizePrior = 6.0f;       // so many limbs of mean length say that the person has mean size

  SMAP_HOST_DEVICE LimbMaps maps(int64_t l) const {
    const MapView<3> paf = all.pafs[b][l];
    const MapView<2> depths = all.limb_depths[b][l];
#ifdef __CUDA_ARCH__
    const bool vectors = false;
#else
    const bool vectors = can_look_with_vectors(paf, depths);
#endif
    return {paf, depths, all.options.limb, &all.status(b), vectors};
  }

  /// In space, in mean lengths of limb l.
  SMAP_HOST_DEVICE float relative_length(int64_t p, int64_t l, const LimbEvidence& limb) const {
    const float flat = limb.length / (scale(p) * length(l)), deep = limb.depth / length(l);
    return sqrtf(flat * flat + deep * deep);
  }

  /// How well such a limb suits the person; 0 or below: not at all.
  SMAP_HOST_DEVICE float fit(int64_t p, int64_t l, const LimbEvidence& limb) const {
    float s = limb.paf;
    if (limb.length < LimbMaps::kPoint) return s;
    const float ratio = relative_length(p, l, limb) / size[p], slack = static_cast<float>(all.options.length_slack);
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
      sum += relative_length(p, l, end.limb);
      count += 1.0f;
    }
    size[p] = sum / count;
  }

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
      if constexpr (!Block::kSideBySide) search_alone(l, p);
    });
    if constexpr (Block::kSideBySide) search(block, step);
  }

  /// On a CPU.
  void search_alone(int32_t l, int32_t p) const {
    if (reach[l * rows + p] < 0.0f) return;
    const Search along(*this, l, p);
    for (int32_t first = 0, last = peak_count[child(l)]; first < last; first += 32) {
      uint32_t near_ones = rows_in_reach(along.xy, first, last, along.from.x, along.from.y, along.reach);
      for (; near_ones != 0; near_ones &= near_ones - 1) {
        const Candidate found = look_at(along, l, p, first + lowest_bit(near_ones));
        if (found.peak >= 0) keep(p, l, found, &candidates_of(l, p));
      }
    }
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

    SMAP_HOST_DEVICE Search(const LimbSearch& people, int64_t l, int64_t p)
        : from(people.node(p, people.parent(l))),
          reach(people.reach[l * people.rows + p]),
          xy(people.all.xy[people.b][people.child(l)]),
          maps(people.maps(l)) {}

    SMAP_HOST_DEVICE bool reaches(int32_t c) const { return is_in_reach(xy, c, from.x, from.y, reach); }
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
};

}  // namespace smap
