// `GreedyAssociation` by a block of threads per image: the same people. Every pair of peaks is scored first, side by
// side; then limbs that do not wait for each other are joined together.
#pragma once

#include "core/block.h"
#include "core/greedy.h"
#include "core/limb_order.h"
#include "core/memory.h"
#include "core/scored_pairs.h"

namespace smap {

/// int32 words of memory for an image: its pairs, then what the block shares.
struct AssociationMemory {
  int64_t pairs, scratch;

  SMAP_HOST_DEVICE explicit AssociationMemory(const AssociationProblem& all) {
    const int64_t joints = all.count.size[1], capacity = all.xy.size[2];
    const int64_t people = ImageProblem::most_people(all);
    const int64_t limbs = all.limbs.size[0], wishes = capacity > people ? capacity : people;
    pairs = 2 * limbs * capacity * capacity;
    scratch = LimbOrder::words(limbs, joints) + joints + people * (2 * joints + 4) + 3 * capacity +
              limbs * (2 * capacity + wishes + people);
    scratch += scratch % 2;  // the next image's pairs start at a multiple of their size
  }

  SMAP_HOST_DEVICE int64_t words() const { return pairs + scratch; }
};

/// The work on one image, `ScorePairs` done.
template <class Block>
class BlockAssociation {
 public:
  SMAP_DEVICE BlockAssociation(Block& block, const AssociationProblem& all, int64_t b, const ScoredPair* pairs,
                               Memory memory)
      : block_(block),
        all_(all),
        image_(all, b),
        b_(b),
        pairs_(pairs),
        memory_(memory),
        joints_(static_cast<int32_t>(image_.joints)),
        capacity_(static_cast<int32_t>(image_.capacity)),
        max_people_(static_cast<int32_t>(image_.max_people)),
        order_(image_.limbs, image_.joints, &memory_),
        peak_count_(memory_.take(joints_)) {}

  SMAP_DEVICE void run() {
    block_.each(joints_, [&](int32_t j) { peak_count_[j] = static_cast<int32_t>(image_.peaks(j)); });
    order_.find(block_, all_);
    take_tables();
    if (all_.options.mode == Association::kPaf) match_by_score();
    const bool rooted = order_.limbs > 0 && order_.exists(0);
    if (rooted || order_.limbs == 0) add_people(rooted ? order_.parent(0) : 0, false);
    for (int32_t step = 0, steps = *order_.steps; step < steps; ++step) {
      if (all_.options.mode == Association::kPaf) {
        connect_matched(step);
      } else {
        connect_by_depth(step);
      }
      if (step == 0 && rooted && all_.options.half_bodies) add_people(order_.child(0), true);
    }
    write();
  }

 private:
  static constexpr int32_t kNobody = 0x7fffffff;

  Block& block_;
  const AssociationProblem& all_;
  GreedyAssociation image_;
  int64_t b_;
  const ScoredPair* pairs_;
  Memory memory_;
  int32_t joints_, capacity_, max_people_;
  LimbOrder order_;
  int32_t* peak_count_;                // (J)
  int32_t most_peaks_ = 0, rows_ = 0;  // of a joint: K; people there can be: P
  int32_t found_ = 0;
  int32_t *member_, *next_member_;  // (P, J) peak, -1 none; the second takes a changed list
  float *depth_, *next_depth_;      // (P)
  int32_t *kept_, *place_;          // (P) whether a person is kept, and where; (P + K) where people go in a new list
  float* peak_depth_;               // (K) of peaks that become people
  int32_t* candidate_;              // (K) whether they do
  int32_t* holder_;                 // (L, K) who has this child peak: a person, or a parent peak
  int32_t* claim_;                  // (L, K) parent peak that this child peak scores best with
  float* longest_;                  // (L, P) limb that a person may have, map px
  int32_t* wish_;                   // (L, max(K, P)) child peak that this person or parent peak would like, -1 none
  int32_t wishes_ = 0;

  SMAP_DEVICE void take_tables() {
    for (int32_t j = 0; j < joints_; ++j) most_peaks_ = peak_count_[j] > most_peaks_ ? peak_count_[j] : most_peaks_;
    rows_ = (all_.options.half_bodies ? 2 : 1) * most_peaks_;
    wishes_ = most_peaks_ > rows_ ? most_peaks_ : rows_;
    member_ = memory_.template take<int32_t>(rows_ * joints_);
    next_member_ = memory_.template take<int32_t>(rows_ * joints_);
    depth_ = memory_.template take<float>(rows_);
    next_depth_ = memory_.template take<float>(rows_);
    kept_ = memory_.template take<int32_t>(rows_);
    place_ = memory_.template take<int32_t>(rows_ + most_peaks_);
    peak_depth_ = memory_.template take<float>(most_peaks_);
    candidate_ = memory_.template take<int32_t>(most_peaks_);
    holder_ = memory_.template take<int32_t>(order_.limbs * most_peaks_);
    claim_ = memory_.template take<int32_t>(order_.limbs * most_peaks_);
    longest_ = memory_.template take<float>(order_.limbs * rows_);
    wish_ = memory_.template take<int32_t>(order_.limbs * wishes_);
  }

  SMAP_DEVICE int32_t& member(int32_t p, int32_t j) const { return member_[p * joints_ + j]; }
  SMAP_DEVICE const ScoredPair& pair(int32_t l, int32_t a, int32_t c) const {
    return pairs_[(static_cast<int64_t>(l) * capacity_ + a) * capacity_ + c];
  }

  /// Peaks of a joint become people, `unclaimed` ones only those that nobody has. The list stays sorted near to far, of
  /// equals the earlier first, unless the ordinal prior is off.
  SMAP_DEVICE void add_people(int32_t joint, bool unclaimed) {
    const bool sorted = all_.options.ordinal_prior;
    const int32_t n = peak_count_[joint], before = found_;
    block_.each(n, [&](int32_t k) {
      peak_depth_[k] = image_.depth_at(joint, k);
      int32_t is_free = 1;
      for (int32_t p = 0; unclaimed && p < before; ++p) is_free &= member(p, joint) != k;
      candidate_[k] = is_free;
    });
    const auto farther = [sorted](float a, float b) {
      return static_cast<int32_t>(sorted & ImageProblem::nearer(b, a));
    };
    block_.each(before + n, [&](int32_t i) {
      int32_t at = 0;
      if (i < before) {
        at = i;
        for (int32_t k = 0; k < n; ++k) at += candidate_[k] & farther(depth_[i], peak_depth_[k]);
      } else {
        const int32_t k = i - before;
        const float mine = peak_depth_[k];
        for (int32_t p = 0; p < before; ++p) at += 1 - farther(depth_[p], mine);
        for (int32_t o = 0; o < n; ++o)
          at += candidate_[o] & (o < k ? 1 - farther(peak_depth_[o], mine) : farther(mine, peak_depth_[o]));
        if (!candidate_[k]) at = rows_;
      }
      place_[i] = at;
      if (at < rows_) next_depth_[at] = i < before ? depth_[i] : peak_depth_[i - before];
    });
    block_.each((before + n) * joints_, [&](int32_t i) {
      const int32_t person = i / joints_, j = i % joints_, at = place_[person];
      if (at < rows_)
        next_member_[at * joints_ + j] = person < before ? member(person, j) : j == joint ? person - before : -1;
    });
    found_ = before + block_.sum(n, [&](int32_t k) { return candidate_[k]; });
    int32_t* const old_member = member_;
    float* const old_depth = depth_;
    member_ = next_member_;
    depth_ = next_depth_;
    next_member_ = old_member;
    next_depth_ = old_depth;
  }

  /// f(l, p) for the limbs of a step and all people.
  template <class F>
  SMAP_DEVICE void each_person(int32_t step, F f) {
    block_.each(order_.limbs_of(step) * found_, [&](int32_t i) { f(order_.limb(step, i / found_), i % found_); });
  }

  /// What child peak c of limb l is worth to person p, with the length term; 0 or below: nothing.
  SMAP_DEVICE float worth(int32_t l, int32_t p, int32_t c) const {
    const int32_t a = member(p, order_.parent(l));
    if (a < 0) return 0.0f;
    const ScoredPair scored = pair(l, a, c);
    if (!(scored.score > 0.0f)) return 0.0f;  // the penalty only lowers it
    return scored.score + image_.length_penalty(longest_[l * rows_ + p], scored.distance);
  }

  /// Nearest person first, best child peak that is left. Everyone asks for the best peak at once and each peak keeps
  /// the nearest who asks, the others ask elsewhere (Gale and Shapley): as all peaks rank people alike, this ends as it
  /// would one after the other.
  SMAP_DEVICE void connect_by_depth(int32_t step) {
    const int32_t limbs = order_.limbs_of(step), people = limbs * found_, stride = most_peaks_;
    const bool listed = static_cast<int64_t>(people) * stride <= memory_.fast_words;
    auto* const worths = reinterpret_cast<float*>(memory_.fast);
    block_.each(limbs * stride + people, [&](int32_t i) {
      if (i < limbs * stride) {
        holder_[order_.limb(step, i / stride) * stride + i % stride] = kNobody;
      } else {
        const int32_t row = i - limbs * stride, l = order_.limb(step, row / found_), p = row % found_;
        wish_[l * wishes_ + p] = -1;
        longest_[l * rows_ + p] = image_.longest(l, depth_[p]);
      }
    });
    block_.each(listed ? people * stride : 0, [&](int32_t i) {
      const int32_t row = i / stride, c = i % stride, l = order_.limb(step, row / found_);
      if (c < peak_count_[order_.child(l)]) worths[i] = worth(l, row % found_, c);
    });
    // Who asks anew?
    while (block_.any(people, [&](int32_t row) {
      const int32_t l = order_.limb(step, row / found_), p = row % found_;
      const int32_t* const holder = holder_ + l * stride;
      int32_t& wish = wish_[l * wishes_ + p];
      if (wish >= 0 && holder[wish] == p) return false;
      const int32_t children = peak_count_[order_.child(l)];
      const auto best_left = [holder, children, p](auto worth_of) {
        float best = 0.0f;
        int32_t wanted = -1;
        for (int32_t c = 0; c < children; ++c) {
          const float mine = worth_of(c);
          const bool better = (mine > best) & (holder[c] >= p);
          best = better ? mine : best;
          wanted = better ? c : wanted;
        }
        return wanted;
      };
      wish = listed ? best_left([&](int32_t c) { return worths[row * stride + c]; })
                    : best_left([&](int32_t c) { return worth(l, p, c); });
      return wish >= 0;
    })) {
      each_person(step, [&](int32_t l, int32_t p) {
        const int32_t wish = wish_[l * wishes_ + p];
        if (wish >= 0) block_.lower(&holder_[l * stride + wish], p);
      });
    }
    each_person(step, [&](int32_t l, int32_t p) {
      if (const int32_t wish = wish_[l * wishes_ + p]; wish >= 0) member(p, order_.child(l)) = wish;
    });
  }

  /// Is f(l, k) true for any limb and any peak of its parent (end 0) or child (end 1)? Calls all.
  template <class F>
  SMAP_DEVICE bool any_peak(int32_t end, F f) {
    return block_.any(order_.limbs * most_peaks_, [&](int32_t i) {
      const int32_t l = i / most_peaks_, k = i % most_peaks_;
      return order_.exists(l) && k < peak_count_[order_.ends[2 * l + end]] && f(l, k);
    });
  }

  /// Best pair of all first, of equal ones the lower parent peak, then the lower child peak; no matter whose, so all
  /// limbs at once. A pair that is the best for both its ends is one that going through all by score would accept.
  SMAP_DEVICE void match_by_score() {
    const int32_t stride = most_peaks_;
    block_.each(order_.limbs * stride, [&](int32_t i) {
      holder_[i] = kNobody;
      wish_[i / stride * wishes_ + i % stride] = -1;
    });
    const auto matched = [&](int32_t l, int32_t a) {
      const int32_t wish = wish_[l * wishes_ + a];
      return wish >= 0 && holder_[l * stride + wish] == a;
    };
    bool more = true;
    while (more) {
      any_peak(1, [&](int32_t l, int32_t c) {
        const int32_t parents = peak_count_[order_.parent(l)];
        float best = 0.0f;
        int32_t claim = -1;
        for (int32_t a = 0; holder_[l * stride + c] == kNobody && a < parents; ++a) {
          const float score = pair(l, a, c).score;
          const bool better = (score > best) && !matched(l, a);
          best = better ? score : best;
          claim = better ? a : claim;
        }
        claim_[l * stride + c] = claim;
        return false;
      });
      any_peak(0, [&](int32_t l, int32_t a) {
        if (matched(l, a)) return false;
        const int32_t children = peak_count_[order_.child(l)];
        float best = 0.0f;
        int32_t wish = -1;
        for (int32_t c = 0; c < children; ++c) {
          const float score = pair(l, a, c).score;
          const bool better = (score > best) & (holder_[l * stride + c] == kNobody);
          best = better ? score : best;
          wish = better ? c : wish;
        }
        wish_[l * wishes_ + a] = wish;
        return false;
      });
      more = any_peak(0, [&](int32_t l, int32_t a) {
        const int32_t wish = wish_[l * wishes_ + a];
        if (wish < 0 || claim_[l * stride + wish] != a) return false;  // a peak that is taken claims nobody
        holder_[l * stride + wish] = a;
        return true;
      });
    }
  }

  SMAP_DEVICE void connect_matched(int32_t step) {
    each_person(step, [&](int32_t l, int32_t p) {
      if (const int32_t a = member(p, order_.parent(l)); a >= 0) member(p, order_.child(l)) = wish_[l * wishes_ + a];
    });
  }

  SMAP_DEVICE void write() {
    auto* const heights = reinterpret_cast<float*>(next_member_);  // (P, J) scores of the joints
    block_.each(found_ * joints_, [&](int32_t i) {
      if (member_[i] >= 0) heights[i] = image_.height(i % joints_, member_[i]);
    });
    block_.each(found_, [&](int32_t p) {
      kept_[p] = image_.is_kept(image_.tally([&](int64_t j) { return member_[p * joints_ + j] >= 0; },
                                             [&](int64_t j) { return heights[p * joints_ + j]; }));
      place_[p] = kept_[p];
    });
    const int32_t total = block_.exclusive_sum(place_, found_), shown = total < max_people_ ? total : max_people_;
    // Without the ordinal prior they are not sorted yet; the authors' 2-D baseline leaves them so.
    if (!all_.options.ordinal_prior && !(all_.options.mode == Association::kPaf && all_.options.limb.official)) {
      block_.each(found_, [&](int32_t p) {
        int32_t at = 0;
        for (int32_t q = 0; q < found_; ++q) at += kept_[q] && ImageProblem::comes_before(depth_, q, p);
        place_[p] = at;
      });
    }
    block_.each((found_ + max_people_ - shown) * joints_, [&](int32_t i) {
      const int32_t p = i / joints_, j = i % joints_;
      if (p < found_ && !kept_[p]) return;
      const int32_t row = p < found_ ? place_[p] : shown + p - found_;
      if (row >= max_people_) return;
      all_.people(b_, row, j) = p < found_ ? member_[i] : -1;
      if (j == 0) all_.root_depths(b_, row) = p < found_ ? depth_[p] : 0.0f;
    });
    block_.each(1, [&](int32_t) { all_.people_count(b_) = shown; });
  }
};

}  // namespace smap
