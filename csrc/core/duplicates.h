// Bodies that were found more than once.
#pragma once

#include "core/block.h"
#include "core/optimal_people.h"

namespace smap {

struct Duplicates : OptimalPeople {
  // Chosen on the scenes of benchmarks/association_scenes.py, those of overlaps on rendered pictures.
  static constexpr float kSamePlace = 0.1f;      // metres between the joints of one body found twice
  static constexpr float kSameDepth = 1.15f;     // ratio
  static constexpr float kOverlapPlace = 0.15f;  // metres between joints that count as overlapping,
  static constexpr float kOverlapMargin = 0.4f;  // map px on top of it
  static constexpr float kOverlapDepth = 1.3f;   // ratio of such people's depths

  SMAP_HOST_DEVICE explicit Duplicates(const OptimalPeople& people) : OptimalPeople(people) {}

  template <class Block>
  SMAP_DEVICE void run(Block& block) const {
    unite(block);
    if (all.options.max_overlap < 1.0f) drop_overlapping(block);
  }

 private:
  /// A body that was found twice, at two roots or necks beside each other, becomes one person.
  template <class Block>
  SMAP_DEVICE void unite(Block& block) const {
    const int32_t people = state->found;
    block.each(people, [this](int32_t p) { twin[p] = p; });
    block.each_pair(people, people, [this, &block](int32_t p, int32_t q) {
      if (q < p && same_body(p, q)) block.lower(&twin[p], q);
    });
    block.each(1, [this, people](int32_t) {
      for (int32_t p = 0; p < people; ++p)
        if (twin[p] < p) merge(p, twin[p]);
    });
  }

  /// Whether two people stand in one place, as near, and no joint that both have tells them apart.
  SMAP_HOST_DEVICE bool same_body(int64_t p, int64_t q) const {
    if (!as_near(p, q, kSameDepth)) return false;
    const float apart = kSamePlace * scale(p) + 1.0f;
    int32_t shared = 0;
    for (int64_t j = 0; j < joints; ++j) {
      const Node &a = node(p, j), &b = node(q, j);
      if (a.peak < 0 || b.peak < 0) continue;
      if (!within(apart, a, b)) return false;
      ++shared;
    }
    return shared > 0;
  }

  /// The person with more joints stays, gets what it lacks, with a root its depth, and the other one nothing.
  SMAP_HOST_DEVICE void merge(int64_t p, int64_t q) const {
    int32_t more = 0;
    for (int64_t j = 0; j < joints; ++j) more += (node(p, j).peak >= 0) - (node(q, j).peak >= 0);
    const int64_t stays = more > 0 ? p : q, goes = more > 0 ? q : p;
    if (node(stays, root()).peak < 0 && node(goes, root()).peak >= 0) {
      depth[stays] = depth[goes];
      scales[stays] = scales[goes];
    }
    for (int64_t j = 0; j < joints; ++j) {
      if (node(stays, j).peak < 0) node(stays, j) = node(goes, j);
      node(goes, j) = nowhere();
    }
  }

  /// A body that was found once more, with its joints in other places of their maps (left and right confused, say), has
  /// next to no place of its own: what pose NMS is for.
  template <class Block>
  SMAP_DEVICE void drop_overlapping(Block& block) const {
    const int32_t people = state->found;
    count_joints(block);
    block.each(people, [this](int32_t p) { dropped[p] = 0; });
    block.each_pair(people, people, [this](int32_t p, int32_t q) {
      if (lies_on_surer(p, q)) dropped[p] = 1;
    });
    block.each_pair(people, static_cast<int32_t>(joints), [this](int32_t p, int32_t j) {
      if (dropped[p]) node(p, j) = nowhere();
    });
  }

  /// Whether too much of person p lies on the surer person q.
  SMAP_HOST_DEVICE bool lies_on_surer(int64_t p, int64_t q) const {
    const Tally &mine = tallies[p], &other = tallies[q];
    if (q == p || mine.size == 0 || !as_near(p, q, kOverlapDepth) || !is_kept(other)) return false;
    if (!(other.sum > mine.sum || (other.sum == mine.sum && q < p))) return false;
    return static_cast<float>(shared(p, q)) > all.options.max_overlap * static_cast<float>(mine.size);
  }

  /// How many joints of p lie on joints of q, whichever.
  SMAP_HOST_DEVICE int32_t shared(int64_t p, int64_t q) const {
    const float reach = kOverlapPlace * scale(q) + kOverlapMargin;
    int32_t count = 0;
    for (int64_t i = 0; i < joints; ++i) {
      const Node& a = node(p, i);
      for (int64_t j = 0; a.peak >= 0 && j < joints; ++j) {
        const Node& b = node(q, j);
        if (b.peak < 0 || !within(reach, a, b)) continue;
        ++count;
        break;
      }
    }
    return count;
  }

  SMAP_HOST_DEVICE static bool within(float reach, const Node& a, const Node& b) {
    const float dx = a.x - b.x, dy = a.y - b.y;
    return dx * dx + dy * dy <= reach * reach;
  }

  SMAP_HOST_DEVICE bool as_near(int64_t p, int64_t q, float ratio) const {
    return depth[p] < ratio * depth[q] && depth[q] < ratio * depth[p];
  }
};

}  // namespace smap
