// `GreedyAssociation` by a block of threads per image: the same people. Every pair of peaks is scored first, side by
// side; then limbs that do not wait for each other are joined together.
#pragma once

#include "core/block.h"
#include "core/greedy.h"

namespace smap {

/// Two peaks of a limb: its score without the length term, and how far they are apart in map px.
struct ScoredPair {
  float score, distance;
};

/// int32 words of memory for an image: its pairs, then what the block shares.
struct AssociationMemory {
  int64_t pairs, scratch;

  SMAP_HOST_DEVICE explicit AssociationMemory(const AssociationProblem& all) {
    const int64_t joints = all.count.size[1], capacity = all.xy.size[2], people = all.people.size[1];
    const int64_t limbs = all.limbs.size[0], wishes = capacity > people ? capacity : people;
    pairs = 2 * limbs * capacity * capacity;
    scratch = people * (2 * joints + 3) + 2 * capacity + limbs * (3 + 2 * capacity + wishes);
    scratch += scratch % 2;  // the next image's pairs start at a multiple of their size
  }

  SMAP_HOST_DEVICE int64_t words() const { return pairs + scratch; }
};

/// The pairs of an image, (L, K, K). Only those of peaks that are there are written and read.
struct ScorePairs {
  const AssociationProblem& all;
  ScoredPair* pairs;

  /// Every `step`th pair of limb l of image b, from `first`.
  SMAP_DEVICE void operator()(int64_t b, int64_t l, int32_t first, int32_t step) const {
    const int64_t joints = all.count.size[1], parent = all.limbs(l, 0), child = all.limbs(l, 1);
    if (parent < 0 || child < 0 || parent >= joints || child >= joints) return;
    GreedyAssociation image(all, b);
    const auto limb = image.limb(l);
    const auto parents = static_cast<int32_t>(limb.parents), children = static_cast<int32_t>(limb.children);
    for (int32_t i = first; i < parents * children; i += step) {
      const int32_t a = i / children, c = i % children;
      ScoredPair& pair = pairs[(l * image.capacity + a) * image.capacity + c];
      pair.score = image.pair_score(limb, a, c, &pair.distance);
    }
  }
};

/// The work on one image, `ScorePairs` done.
template <class Block>
class BlockAssociation {
 public:
  SMAP_DEVICE BlockAssociation(Block& block, const AssociationProblem& all, int64_t b, const ScoredPair* pairs,
                               int32_t* scratch)
      : block_(block),
        all_(all),
        image_(all, b),
        b_(b),
        pairs_(pairs),
        joints_(static_cast<int32_t>(image_.joints)),
        capacity_(static_cast<int32_t>(image_.capacity)),
        max_people_(static_cast<int32_t>(image_.max_people)),
        limbs_(static_cast<int32_t>(all.limbs.size[0])),
        wishes_(capacity_ > max_people_ ? capacity_ : max_people_) {
    const auto take = [&scratch](int32_t words) {
      int32_t* const here = scratch;
      scratch += words;
      return here;
    };
    member_ = take(max_people_ * joints_);
    next_member_ = take(max_people_ * joints_);
    depth_ = reinterpret_cast<float*>(take(max_people_));
    next_depth_ = reinterpret_cast<float*>(take(max_people_));
    kept_ = take(max_people_);
    peak_depth_ = reinterpret_cast<float*>(take(capacity_));
    candidate_ = take(capacity_);
    parent_ = take(limbs_);
    child_ = take(limbs_);
    level_ = take(limbs_);
    holder_ = take(limbs_ * capacity_);
    claim_ = take(limbs_ * capacity_);
    wish_ = take(limbs_ * wishes_);
  }

  SMAP_DEVICE void run() {
    const int32_t levels = read_limbs();
    if (all_.options.mode == Association::kPaf) match_by_score();
    const int32_t root = limbs_ > 0 ? parent_[0] : 0;
    if (limbs_ == 0 || level_[0] == 0) add_people(root, false);
    for (int32_t level = 0; level <= levels; ++level) {
      if (all_.options.mode == Association::kPaf) {
        connect_matched(level);
      } else {
        connect_by_depth(level);
      }
      if (level == 0 && limbs_ > 0 && level_[0] == 0 && all_.options.half_bodies) add_people(child_[0], true);
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
  int32_t joints_, capacity_, max_people_, limbs_, wishes_;
  int32_t found_ = 0;
  int32_t *member_, *next_member_;  // (P, J) peak, -1 none; the second takes a changed list
  float *depth_, *next_depth_;      // (P)
  int32_t* kept_;                   // (P) place in the result
  float* peak_depth_;               // (K) of peaks that become people
  int32_t* candidate_;              // (K) whether they do
  int32_t *parent_, *child_;        // (L)
  int32_t* level_;   // (L) limbs of one level do not wait for each other; -1 for one that cannot be joined
  int32_t* holder_;  // (L, K) who has this child peak: a person, or a parent peak
  int32_t* claim_;   // (L, K) parent peak that this child peak scores best with
  int32_t* wish_;    // (L, max(K, P)) child peak that this person or parent peak would like, -1 none

  SMAP_DEVICE int32_t& member(int32_t p, int32_t j) const { return member_[p * joints_ + j]; }
  SMAP_DEVICE int32_t peaks(int32_t joint) const { return static_cast<int32_t>(image_.peaks(joint)); }
  SMAP_DEVICE const ScoredPair& pair(int32_t l, int32_t a, int32_t c) const {
    return pairs_[(static_cast<int64_t>(l) * capacity_ + a) * capacity_ + c];
  }

  /// A limb comes after those that give its parent joint, and after the first one, which decides who the people are.
  SMAP_DEVICE int32_t read_limbs() {
    block_.each(limbs_, [&](int32_t l) {
      parent_[l] = static_cast<int32_t>(all_.limbs(l, 0));
      child_[l] = static_cast<int32_t>(all_.limbs(l, 1));
      level_[l] = all_.is_limb(l) ? 0 : -1;
    });
    block_.each(1, [&](int32_t) {
      for (int32_t l = 1; l < limbs_; ++l) {
        if (level_[l] < 0) continue;
        level_[l] = 1;
        for (int32_t k = 0; k < l; ++k) {
          const bool waits = child_[k] == parent_[l] || child_[k] == child_[l] || parent_[k] == child_[l];
          if (waits && level_[k] >= level_[l]) level_[l] = level_[k] + 1;
        }
      }
    });
    int32_t last = 0;
    for (int32_t l = 0; l < limbs_; ++l) last = level_[l] > last ? level_[l] : last;
    return last;
  }

  /// Peaks of a joint become people, `unclaimed` ones only those that nobody has. The list stays sorted near to far, of
  /// equals the earlier first, unless the ordinal prior is off; the last leave a full list.
  SMAP_DEVICE void add_people(int32_t joint, bool unclaimed) {
    const bool sorted = all_.options.ordinal_prior;
    const int32_t n = peaks(joint), before = found_;
    block_.each(n, [&](int32_t k) {
      peak_depth_[k] = image_.depth_at(joint, k);
      candidate_[k] = 1;
      for (int32_t p = 0; unclaimed && p < before; ++p) candidate_[k] &= member(p, joint) != k;
    });
    const auto farther = [&](float a, float b) { return sorted && (b < a || (a != a && b == b)); };  // NaN is farthest
    const auto place = [&](int32_t at, float depth) {
      if (at >= max_people_) return false;
      next_depth_[at] = depth;
      for (int32_t j = 0; j < joints_; ++j) next_member_[at * joints_ + j] = -1;
      return true;
    };
    block_.each(before, [&](int32_t p) {
      int32_t at = p;
      for (int32_t k = 0; k < n; ++k) at += candidate_[k] && farther(depth_[p], peak_depth_[k]);
      if (!place(at, depth_[p])) return;
      for (int32_t j = 0; j < joints_; ++j) next_member_[at * joints_ + j] = member(p, j);
    });
    block_.each(n, [&](int32_t k) {
      if (!candidate_[k]) return;
      int32_t at = 0;
      for (int32_t p = 0; p < before; ++p) at += !farther(depth_[p], peak_depth_[k]);
      for (int32_t i = 0; i < n; ++i)
        at += candidate_[i] &&
              (i < k ? !farther(peak_depth_[i], peak_depth_[k]) : farther(peak_depth_[k], peak_depth_[i]));
      if (place(at, peak_depth_[k])) next_member_[at * joints_ + joint] = k;
    });
    const int32_t total = before + block_.sum(n, [&](int32_t k) { return candidate_[k]; });
    found_ = total < max_people_ ? total : max_people_;
    int32_t* const old_member = member_;
    float* const old_depth = depth_;
    member_ = next_member_;
    depth_ = next_depth_;
    next_member_ = old_member;
    next_depth_ = old_depth;
  }

  /// f(l, p) for the limbs of this level and all people.
  template <class F>
  SMAP_DEVICE void each_person(int32_t level, F f) {
    block_.each(limbs_ * found_, [&](int32_t i) {
      if (level_[i / found_] == level) f(i / found_, i % found_);
    });
  }

  /// Nearest person first, best child peak that is left. Everyone asks for the best peak at once and each peak keeps
  /// the nearest who asks, the others ask elsewhere (Gale and Shapley): as all peaks rank people alike, this ends as it
  /// would one after the other.
  SMAP_DEVICE void connect_by_depth(int32_t level) {
    block_.each(limbs_ * capacity_, [&](int32_t i) {
      if (level_[i / capacity_] == level) holder_[i] = kNobody;
    });
    each_person(level, [&](int32_t l, int32_t p) { wish_[l * wishes_ + p] = -1; });
    bool refused = true;
    while (refused) {
      each_person(level, [&](int32_t l, int32_t p) {
        const int32_t *holder = holder_ + l * capacity_, a = member(p, parent_[l]);
        int32_t& wish = wish_[l * wishes_ + p];
        if (a < 0 || (wish >= 0 && holder[wish] == p)) return;
        const int32_t children = peaks(child_[l]);
        const float longest = image_.longest(l, depth_[p]);
        float best = 0.0f;
        wish = -1;
        for (int32_t c = 0; c < children; ++c) {
          const ScoredPair scored = pair(l, a, c);
          if (holder[c] < p || !(scored.score > best)) continue;
          const float score = scored.score + image_.length_penalty(longest, scored.distance);
          if (!(score > best)) continue;
          best = score;
          wish = c;
        }
      });
      each_person(level, [&](int32_t l, int32_t p) {
        const int32_t wish = wish_[l * wishes_ + p];
        if (wish >= 0) block_.lower(&holder_[l * capacity_ + wish], p);
      });
      refused = block_.any(limbs_ * found_, [&](int32_t i) {
        const int32_t l = i / found_, p = i % found_;
        if (level_[l] != level) return false;
        const int32_t wish = wish_[l * wishes_ + p];
        return wish >= 0 && holder_[l * capacity_ + wish] != p;
      });
    }
    each_person(level, [&](int32_t l, int32_t p) {
      if (const int32_t wish = wish_[l * wishes_ + p]; wish >= 0) member(p, child_[l]) = wish;
    });
  }

  /// Is f(l, k) true for any limb and any peak of its joint `end` (parent_ or child_)? Calls all.
  template <class F>
  SMAP_DEVICE bool any_peak(const int32_t* end, F f) {
    return block_.any(limbs_ * capacity_, [&](int32_t i) {
      const int32_t l = i / capacity_, k = i % capacity_;
      return level_[l] >= 0 && k < peaks(end[l]) && f(l, k);
    });
  }

  /// Score of a pair for the 2-D baseline, 0 when it cannot be a limb.
  SMAP_DEVICE float score_without_depth(int32_t l, int32_t a, int32_t c) const {
    const ScoredPair scored = pair(l, a, c);
    if (!(scored.score > 0.0f)) return 0.0f;
    const float half_height = static_cast<float>(all_.pafs.size[3]) / 2;
    const float score = scored.score + image_.length_penalty(half_height, scored.distance);
    return score > 0.0f ? score : 0.0f;
  }

  /// Best pair of all first, of equal ones the lower parent peak, then the lower child peak; no matter whose, so all
  /// limbs at once. A pair that is the best for both its ends is one that going through all by score would accept.
  SMAP_DEVICE void match_by_score() {
    block_.each(limbs_ * capacity_, [&](int32_t i) {
      holder_[i] = kNobody;
      wish_[i / capacity_ * wishes_ + i % capacity_] = -1;
    });
    const auto matched = [&](int32_t l, int32_t a) {
      const int32_t wish = wish_[l * wishes_ + a];
      return wish >= 0 && holder_[l * capacity_ + wish] == a;
    };
    bool more = true;
    while (more) {
      any_peak(child_, [&](int32_t l, int32_t c) {
        claim_[l * capacity_ + c] = -1;
        if (holder_[l * capacity_ + c] != kNobody) return false;
        float best = 0.0f;
        for (int32_t a = 0; a < peaks(parent_[l]); ++a) {
          const float score = matched(l, a) ? 0.0f : score_without_depth(l, a, c);
          if (!(score > best)) continue;
          best = score;
          claim_[l * capacity_ + c] = a;
        }
        return false;
      });
      any_peak(parent_, [&](int32_t l, int32_t a) {
        if (matched(l, a)) return false;
        wish_[l * wishes_ + a] = -1;
        float best = 0.0f;
        for (int32_t c = 0; c < peaks(child_[l]); ++c) {
          const float score = holder_[l * capacity_ + c] != kNobody ? 0.0f : score_without_depth(l, a, c);
          if (!(score > best)) continue;
          best = score;
          wish_[l * wishes_ + a] = c;
        }
        return false;
      });
      more = any_peak(parent_, [&](int32_t l, int32_t a) {
        const int32_t wish = wish_[l * wishes_ + a];
        if (wish < 0 || claim_[l * capacity_ + wish] != a) return false;  // a peak that is taken claims nobody
        holder_[l * capacity_ + wish] = a;
        return true;
      });
    }
  }

  SMAP_DEVICE void connect_matched(int32_t level) {
    each_person(level, [&](int32_t l, int32_t p) {
      if (const int32_t a = member(p, parent_[l]); a >= 0) member(p, child_[l]) = wish_[l * wishes_ + a];
    });
  }

  SMAP_DEVICE void write() {
    const auto is_kept = [&](int32_t p) {
      return image_.is_kept([&](int64_t j) { return static_cast<int64_t>(member(p, static_cast<int32_t>(j))); });
    };
    block_.each(found_, [&](int32_t p) { kept_[p] = is_kept(p); });
    const int32_t total = block_.exclusive_sum(kept_, found_);
    // Without the ordinal prior they are not sorted yet; the authors' 2-D baseline leaves them so.
    if (!all_.options.ordinal_prior && !(all_.options.mode == Association::kPaf && all_.options.limb.official)) {
      block_.each(found_, [&](int32_t p) {
        kept_[p] = 0;
        for (int32_t q = 0; q < found_; ++q) {
          const bool nearer = depth_[q] < depth_[p] || (q < p && !(depth_[p] < depth_[q]));
          kept_[p] += nearer && is_kept(q);
        }
      });
    }
    block_.each(found_ * joints_, [&](int32_t i) {
      const int32_t p = i / joints_, j = i % joints_;
      if (!is_kept(p)) return;
      all_.people(b_, kept_[p], j) = member(p, j);
      if (j == 0) all_.root_depths(b_, kept_[p]) = depth_[p];
    });
    block_.each((max_people_ - total) * joints_, [&](int32_t i) {
      all_.people(b_, total + i / joints_, i % joints_) = -1;
      if (i % joints_ == 0) all_.root_depths(b_, total + i / joints_) = 0.0f;
    });
    block_.each(1, [&](int32_t) { all_.people_count(b_) = total; });
  }
};

}  // namespace smap
