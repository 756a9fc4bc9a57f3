// The people of one image while `OptimalAssociation` puts them together, and the memory they are kept in.
#pragma once

#include "core/assignment.h"
#include "core/association.h"
#include "core/limb_evidence.h"
#include "core/limb_order.h"
#include "core/memory.h"

namespace smap {

struct OptimalPeople : ImageProblem {
  static constexpr int kCandidates = 8;  // child peaks kept for a person and limb, the best

  struct Node {
    int32_t peak;       // -1: not found
    float x, y;         // map px, of the peak or imagined; NaN: nowhere
    LimbEvidence limb;  // to the parent, when the peak was found
  };
  struct Candidate {
    int32_t peak;
    LimbEvidence limb;
  };
  /// Candidates of one person for one limb, and the parent's place that they were found from.
  struct Candidates {
    int32_t count, parent;
    float x, y;
    int32_t led;       // whether the PAF was followed from there,
    float to_x, to_y;  // and where it led; NaN: nowhere
    Candidate list[kCandidates];
  };

  struct State {
    int32_t found, kept;
    float nearest;  // smallest positive depth
  };

  int32_t rows = 0;        // people there can be: R
  int32_t most_peaks = 0;  // of a joint: K

  Memory memory;  // what is left of it
  LimbOrder order;
  State* state;
  int32_t* peak_count;      // (J)
  float* lengths;           // (L) metres
  float* depth;             // (R) normalised
  float* scales;            // (R) map px per metre at the person's depth
  float* size;              // (R) of the person's limbs, in mean lengths
  float* weight;            // (R) of what they would gain, see `weight_of`
  int32_t* twin;            // (R) earlier person found on the same body, or itself
  int32_t* dropped;         // (R) whether the person lies on a surer one
  int32_t* origin;          // (R) joint that the person started from
  Tally* tallies;           // (R) of the whole people
  Node* nodes;              // (R, J)
  int32_t* owner;           // (L, K) person who holds a child peak
  float* reach;             // (L, R) square of how far the person looks for child peaks, map px; negative: it does not
  int32_t* lent;            // (L, Assignment::words)
  uint32_t* near;           // (searches of a step, bit_words(K)) child peaks in reach
  Candidate* looked;        // (kCandidates, searches of a step) what became of some of them
  Node* before;             // (R, J) while branches move
  Assignment::Edge* edges;  // (L, R, kCandidates)
  Candidates* candidates;   // (L, R)

  SMAP_HOST_DEVICE static int64_t workspace_size(const AssociationProblem& all) {
    const int64_t joints = all.count.size[1], limbs = all.limbs.size[0], capacity = all.xy.size[2];
    const int64_t people = most_people(all);
    const int64_t of_people = 7 * people + Memory::words<Tally>(people) + 2 * Memory::words<Node>(people * joints);
    const int64_t of_searches = Memory::words<Candidates>(1) + 1 + bit_words(capacity) +
                                Memory::words<Candidate>(kCandidates) + Memory::words<Assignment::Edge>(kCandidates);
    const int64_t of_limbs = 1 + capacity + Assignment::words(people, capacity) + people * of_searches;
    return Memory::words<State>(1) + LimbOrder::words(limbs, joints) + joints + of_people + limbs * of_limbs;
  }

  SMAP_HOST_DEVICE OptimalPeople(const AssociationProblem& problem, int64_t b, Memory lent_memory)
      : ImageProblem(problem, b),
        memory(lent_memory),
        order(limbs, joints, &memory),
        state(memory.take<State>(1)),
        peak_count(memory.take(joints)),
        lengths(memory.take<float>(limbs)) {}

  /// Fills the tables that all others depend on, and takes memory for these.
  template <class Block>
  SMAP_DEVICE void prepare(Block& block) {
    const auto all_joints = static_cast<int32_t>(joints), all_limbs = static_cast<int32_t>(limbs);
    block.each(all_joints + all_limbs + 1, [this, all_joints, all_limbs](int32_t i) {
      if (i < all_joints) {
        peak_count[i] = static_cast<int32_t>(peaks(i));
      } else if (i < all_joints + all_limbs) {
        lengths[i - all_joints] = static_cast<float>(all.lengths(i - all_joints));
      } else {
        report(AssociationProblem::kFine);
        *state = {0, 0, 0.0f};
      }
    });
    order.find(block, all);
    for (int64_t j = 0; j < joints; ++j) most_peaks = peak_count[j] > most_peaks ? peak_count[j] : most_peaks;
    const bool rooted = limbs == 0 || exists(0);
    const int32_t half = rooted && limbs > 0 && all.options.half_bodies ? peak_count[child(0)] : 0;
    rows = rooted ? peak_count[root()] + half : 0;
    depth = memory.take<float>(rows);
    scales = memory.take<float>(rows);
    size = memory.take<float>(rows);
    weight = memory.take<float>(rows);
    twin = memory.take(rows);
    dropped = memory.take(rows);
    origin = memory.take(rows);
    tallies = memory.take<Tally>(rows);
    nodes = memory.take<Node>(rows * joints);
    owner = memory.take(limbs * most_peaks);
    reach = memory.take<float>(limbs * rows);
    lent = memory.take(limbs * Assignment::words(rows, most_peaks));
    int32_t widest = 0;
    for (int32_t step = 0; step < *order.steps; ++step)
      widest = order.limbs_of(step) > widest ? order.limbs_of(step) : widest;
    near = memory.take<uint32_t>(widest * rows * bit_words(most_peaks));
    looked = memory.take<Candidate>(widest * rows * kCandidates);
    before = memory.take<Node>(rows * joints);
    edges = memory.take<Assignment::Edge>(limbs * rows * kCandidates);
    candidates = memory.take<Candidates>(limbs * rows);
  }

  SMAP_HOST_DEVICE bool exists(int64_t l) const { return order.exists(l); }
  SMAP_HOST_DEVICE int32_t parent(int64_t l) const { return order.parent(l); }
  SMAP_HOST_DEVICE int32_t child(int64_t l) const { return order.child(l); }
  SMAP_HOST_DEVICE int32_t root() const { return limbs > 0 ? parent(0) : 0; }

  SMAP_HOST_DEVICE Node& node(int64_t p, int64_t joint) const { return nodes[p * joints + joint]; }
  SMAP_HOST_DEVICE Candidates& candidates_of(int64_t l, int64_t p) const { return candidates[l * rows + p]; }

  SMAP_HOST_DEVICE float length(int64_t l) const { return lengths[l]; }
  SMAP_HOST_DEVICE float scale(int64_t p) const { return scales[p]; }

  SMAP_HOST_DEVICE static Node nowhere() { return {-1, NAN, NAN, {0.0f, 0.0f, 0.0f}}; }
  SMAP_HOST_DEVICE static bool placed(const Node& node) { return node.x == node.x; }

  SMAP_HOST_DEVICE Node at_peak(int64_t joint, int64_t k, const LimbEvidence& limb) const {
    return {static_cast<int32_t>(k), all.xy(b, joint, k, 0), all.xy(b, joint, k, 1), limb};
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

  /// Fills `tallies` of the people as they are; overwrites `before`.
  template <class Block>
  SMAP_DEVICE void count_joints(Block& block) const {
    block.each_pair(state->found, static_cast<int32_t>(joints), [this](int32_t p, int32_t j) {
      const int32_t k = node(p, j).peak;
      before[p * joints + j].x = k < 0 ? 0.0f : height(j, k);
    });
    block.each(state->found, [this](int32_t p) {
      tallies[p] = tally([this, p](int64_t j) { return node(p, j).peak >= 0; },
                         [this, p](int64_t j) { return before[p * joints + j].x; });
    });
  }
};

}  // namespace smap
