// In which steps a block of threads joins limbs: those of one step concern different joints and go side by side.
#pragma once

#include "core/association.h"
#include "core/block.h"
#include "core/memory.h"

namespace smap {

/// A bit for each of so many things, in words of 32.
struct BitRow {
  uint32_t* words;

  SMAP_HOST_DEVICE bool operator[](int32_t i) const { return words[i / 32] >> (i % 32) & 1u; }
  SMAP_HOST_DEVICE void set(int32_t i) const { words[i / 32] |= 1u << (i % 32); }
};

/// The first limb, which decides who the people are, is step 0; every other comes after those that give its joints.
struct LimbOrder {
  int32_t limbs, joints, limb_words, joint_words;
  int32_t* steps;        // (1)
  int32_t* ends;         // (L, 2) parent and child, -1 for a limb without one of them
  uint32_t* below_bits;  // (L, joint_words) joints beyond the limb's child
  uint32_t* waits_bits;  // (L, limb_words) earlier limbs that must come first
  uint32_t* hangs_bits;  // (L, limb_words) later limbs that give a joint beyond its child
  int32_t* level;        // (L) its step, -1 for a limb without one of its joints
  int32_t* order;        // (L) limbs by step
  int32_t* begin;        // (L + 2) where a step's limbs start

  SMAP_HOST_DEVICE static int64_t words(int64_t limbs, int64_t joints) {
    return 3 + limbs * (5 + 2 * bit_words(limbs) + bit_words(joints));
  }

  SMAP_HOST_DEVICE LimbOrder(int64_t limbs, int64_t joints, Memory* memory)
      : limbs(static_cast<int32_t>(limbs)),
        joints(static_cast<int32_t>(joints)),
        limb_words(bit_words(limbs)),
        joint_words(bit_words(joints)),
        steps(memory->take(1)),
        ends(memory->take(2 * limbs)),
        below_bits(memory->take<uint32_t>(limbs * joint_words)),
        waits_bits(memory->take<uint32_t>(limbs * limb_words)),
        hangs_bits(memory->take<uint32_t>(limbs * limb_words)),
        level(memory->take(limbs)),
        order(memory->take(limbs)),
        begin(memory->take(limbs + 2)) {}

  SMAP_HOST_DEVICE bool exists(int64_t l) const { return ends[2 * l] >= 0; }
  SMAP_HOST_DEVICE int32_t parent(int64_t l) const { return ends[2 * l]; }
  SMAP_HOST_DEVICE int32_t child(int64_t l) const { return ends[2 * l + 1]; }
  /// Joints beyond the child of limb l.
  SMAP_HOST_DEVICE BitRow below(int64_t l) const { return {below_bits + l * joint_words}; }

  SMAP_HOST_DEVICE int32_t limbs_of(int32_t step) const { return begin[step + 1] - begin[step]; }
  SMAP_HOST_DEVICE int32_t limb(int32_t step, int32_t i) const { return order[begin[step] + i]; }

  /// f(j) for the joints beyond the child of limb l.
  template <class F>
  SMAP_HOST_DEVICE void each_joint_below(int64_t l, F f) const {
    each_of(below(l), joint_words, f);
  }
  /// f(k) for the limbs beyond limb l.
  template <class F>
  SMAP_HOST_DEVICE void each_limb_below(int64_t l, F f) const {
    each_of(hangs(l), limb_words, f);
  }

  /// Fills the tables.
  template <class Block>
  SMAP_DEVICE void find(Block& block, const AssociationProblem& all) const {
    block.each(limbs, [this, &all](int32_t l) {
      const bool there = all.is_limb(l);
      ends[2 * l] = there ? static_cast<int32_t>(all.limbs(l, 0)) : -1;
      ends[2 * l + 1] = there ? static_cast<int32_t>(all.limbs(l, 1)) : -1;
      level[l] = !there ? -1 : l > 0 ? 1 : 0;
    });
    block.each(limbs, [this](int32_t l) {
      const BitRow mine = below(l);
      const int32_t end = child(l);
      for (int32_t w = 0; w < joint_words; ++w) mine.words[w] = 0;
      for (int32_t k = l + 1; k < limbs; ++k)
        if (const int32_t start = parent(k); start >= 0 && (start == end || mine[start])) mine.set(child(k));
    });
    block.each(limbs, [this](int32_t l) {
      for (int32_t w = 0; w < limb_words; ++w) waits(l).words[w] = hangs(l).words[w] = 0;
      for (int32_t k = 0; exists(l) && k < limbs; ++k) {
        if (k < l && exists(k) && must_follow(l, k)) waits(l).set(k);
        if (k > l && exists(k) && below(l)[child(k)]) hangs(l).set(k);
      }
    });
    block.each(1, [this](int32_t) {
      int32_t last = 0;
      for (int32_t l = 0; l < limbs; ++l) {
        int32_t mine = level[l];
        each_of(waits(l), limb_words, [this, &mine](int32_t k) { mine = level[k] >= mine ? level[k] + 1 : mine; });
        level[l] = mine;
        last = mine > last ? mine : last;
      }
      *steps = last + 1;
    });
    block.each(limbs + *steps + 1, [this](int32_t i) {
      const int32_t step = i < limbs ? level[i] : i - limbs;
      int32_t before = 0;
      for (int32_t k = 0; k < limbs; ++k)
        before += (level[k] >= 0) & ((level[k] < step) | ((level[k] == step) & (k < i) & (i < limbs)));
      if (i >= limbs) {
        begin[step] = before;
      } else if (step >= 0) {
        order[before] = i;
      }
    });
  }

 private:
  template <class F>
  SMAP_HOST_DEVICE static void each_of(const BitRow& row, int32_t words, F f) {
    for (int32_t w = 0; w < words; ++w) each_bit(row.words[w], [&f, w](int32_t i) { f(w * 32 + i); });
  }

  SMAP_HOST_DEVICE BitRow waits(int64_t l) const { return {waits_bits + l * limb_words}; }
  SMAP_HOST_DEVICE BitRow hangs(int64_t l) const { return {hangs_bits + l * limb_words}; }

  SMAP_HOST_DEVICE bool gives(int64_t l, int32_t joint) const { return joint == child(l) || below(l)[joint]; }

  /// Whether limb l reads or gives joints that the earlier limb k, or what hangs on it, gives, or the other way round.
  SMAP_HOST_DEVICE bool must_follow(int64_t l, int64_t k) const {
    bool shared = gives(k, parent(l)) || gives(l, parent(k)) || gives(k, child(l)) || gives(l, child(k));
    for (int32_t w = 0; w < joint_words; ++w) shared |= (below(l).words[w] & below(k).words[w]) != 0;
    return shared;
  }
};

}  // namespace smap
