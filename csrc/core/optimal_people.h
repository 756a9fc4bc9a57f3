// The people of one image while `OptimalAssociation` puts them together, and the memory they are kept in.
#pragma once

#include "core/assignment.h"
#include "core/association.h"
#include "core/limb_evidence.h"

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
    Candidate list[kCandidates];
  };

  struct State {
    int32_t found, levels;
    float nearest;       // smallest positive depth
    int32_t most_peaks;  // of a joint
  };

  State* state;
  float* depth;             // (P) normalised
  float* size;              // (P) of the person's limbs, in mean lengths
  int32_t* twin;            // (P) earlier person found on the same body, or itself
  int32_t* dropped;         // (P) whether the person lies on a surer one
  Tally* tallies;           // (P) of the whole people
  int32_t* origin;          // (P) joint that the person started from
  Node* nodes;              // (P, J)
  Node* before;             // (P, J) while branches move
  Candidates* candidates;   // (L, P)
  int32_t* below;           // (L, J) whether the joint lies beyond the limb's child
  int32_t* waits;           // (L, L) whether the limb must come after the earlier one
  int32_t* level;           // (L) limbs from the root, 1 for its own
  int32_t* order;           // (L) limbs by step
  int32_t* begin;           // (L + 3) where a step's limbs start
  int32_t* owner;           // (L, K) person who holds a child peak
  int32_t* edge_count;      // (L, P) of a person's edges
  Assignment::Edge* edges;  // (L, P, kCandidates)
  int32_t* lent;            // (L, Assignment::words)

  SMAP_HOST_DEVICE static int64_t workspace_size(int64_t joints, int64_t limbs, int64_t capacity, int64_t people) {
    return words<State>(1) + 5 * people + words<Tally>(people) + 2 * words<Node>(people * joints) +
           words<Candidates>(limbs * people) + limbs * (joints + limbs + 3) + 3 + limbs * (capacity + people) +
           words<Assignment::Edge>(limbs * people * kCandidates) + limbs * Assignment::words(people, capacity);
  }

  SMAP_HOST_DEVICE OptimalPeople(const AssociationProblem& problem, int64_t b) : ImageProblem(problem, b) {
    int32_t* next = all.workspace.data + b * all.workspace.stride[0];
    state = take<State>(&next, 1);
    depth = take<float>(&next, max_people);
    size = take<float>(&next, max_people);
    twin = take<int32_t>(&next, max_people);
    dropped = take<int32_t>(&next, max_people);
    tallies = take<Tally>(&next, max_people);
    origin = take<int32_t>(&next, max_people);
    nodes = take<Node>(&next, max_people * joints);
    before = take<Node>(&next, max_people * joints);
    candidates = take<Candidates>(&next, limbs * max_people);
    below = take<int32_t>(&next, limbs * joints);
    waits = take<int32_t>(&next, limbs * limbs);
    level = take<int32_t>(&next, limbs);
    order = take<int32_t>(&next, limbs);
    begin = take<int32_t>(&next, limbs + 3);
    owner = take<int32_t>(&next, limbs * capacity);
    edge_count = take<int32_t>(&next, limbs * max_people);
    edges = take<Assignment::Edge>(&next, limbs * max_people * kCandidates);
    lent = next;
  }

  template <class T>
  SMAP_HOST_DEVICE static int64_t words(int64_t count) {
    static_assert(sizeof(T) % sizeof(int32_t) == 0 && alignof(T) == alignof(int32_t), "made of 32-bit words");
    return count * static_cast<int64_t>(sizeof(T) / sizeof(int32_t));
  }

  template <class T>
  SMAP_HOST_DEVICE static T* take(int32_t** next, int64_t count) {
    T* here = reinterpret_cast<T*>(*next);
    *next += words<T>(count);
    return here;
  }

  SMAP_HOST_DEVICE Node& node(int64_t p, int64_t joint) const { return nodes[p * joints + joint]; }
  SMAP_HOST_DEVICE Candidates& candidates_of(int64_t l, int64_t p) const { return candidates[l * max_people + p]; }

  /// Map pixels per metre at the person's depth.
  SMAP_HOST_DEVICE float scale(int64_t p) const {
    const float width = static_cast<float>(all.root_depth.size[2]);
    return depth[p] > 0.0f ? width / depth[p] : width;
  }

  SMAP_HOST_DEVICE static Node nowhere() { return {-1, NAN, NAN, {0.0f, 0.0f, 0.0f}}; }
  SMAP_HOST_DEVICE static bool placed(const Node& node) { return node.x == node.x; }

  SMAP_HOST_DEVICE Node at_peak(int64_t joint, int64_t k, const LimbEvidence& limb) const {
    return {static_cast<int32_t>(k), all.xy(b, joint, k, 0), all.xy(b, joint, k, 1), limb};
  }

  SMAP_HOST_DEVICE Tally tally_of(int64_t p) const {
    return tally([this, p](int64_t j) { return static_cast<int64_t>(node(p, j).peak); });
  }
};

}  // namespace smap
