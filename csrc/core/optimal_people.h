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
    float nearest;  // smallest positive depth
  };

  int32_t rows;        // people there can be: R
  int32_t most_peaks;  // of a joint: K

  State* state;
  int32_t* ends;            // (L, 2) parent and child, -1 for a limb without one of them
  int32_t* peak_count;      // (J)
  int32_t* level;           // (L) limbs from the root, 1 for its own
  int32_t* order;           // (L) limbs by step
  int32_t* begin;           // (L + 3) where a step's limbs start
  int32_t* below;           // (L, J) whether the joint lies beyond the limb's child
  int32_t* waits;           // (L, L) whether the limb must come after the earlier one
  float* depth;             // (R) normalised
  float* size;              // (R) of the person's limbs, in mean lengths
  int32_t* twin;            // (R) earlier person found on the same body, or itself
  int32_t* dropped;         // (R) whether the person lies on a surer one
  int32_t* origin;          // (R) joint that the person started from
  Tally* tallies;           // (R) of the whole people
  Node* nodes;              // (R, J)
  int32_t* owner;           // (L, K) person who holds a child peak
  int32_t* edge_count;      // (L, R) of a person's edges
  int32_t* searching;       // (L, R) whether the person looks for child peaks: `edge_count` before there are edges
  int32_t* lent;            // (L, Assignment::words)
  Node* before;             // (R, J) while branches move
  Assignment::Edge* edges;  // (L, R, kCandidates)
  Candidates* candidates;   // (L, R)

  int32_t* spare;       // what is left of the fast memory,
  int64_t spare_words;  // so many words

  SMAP_HOST_DEVICE static int64_t workspace_size(int64_t joints, int64_t limbs, int64_t capacity, int64_t people) {
    return words<State>(1) + limbs * (joints + limbs + 5) + 3 + joints + 5 * people + words<Tally>(people) +
           2 * words<Node>(people * joints) + words<Candidates>(limbs * people) + limbs * (capacity + people) +
           words<Assignment::Edge>(limbs * people * kCandidates) + limbs * Assignment::words(people, capacity);
  }

  /// Everything lies in the problem's workspace, or in `fast` memory as long as there is room.
  SMAP_HOST_DEVICE OptimalPeople(const AssociationProblem& problem, int64_t b, int32_t* fast = nullptr,
                                 int64_t fast_words = 0)
      : ImageProblem(problem, b), rows(0), most_peaks(0), spare(fast), spare_words(fast_words) {
    for (int64_t j = 0; j < joints; ++j) {
      const auto n = static_cast<int32_t>(peaks(j));
      most_peaks = n > most_peaks ? n : most_peaks;
    }
    const bool roots = limbs == 0 || all.is_limb(0);
    const int64_t half = roots && limbs > 0 && all.options.half_bodies ? peaks(ImageProblem::child(0)) : 0;
    const int64_t most = roots ? peaks(root()) + half : 0;
    rows = static_cast<int32_t>(most < max_people ? most : max_people);
    int32_t* next = all.workspace.data + b * all.workspace.stride[0];
    take(&state, 1, &next);
    take(&ends, 2 * limbs, &next);
    take(&peak_count, joints, &next);
    take(&level, limbs, &next);
    take(&order, limbs, &next);
    take(&begin, limbs + 3, &next);
    take(&below, limbs * joints, &next);
    take(&waits, limbs * limbs, &next);
    take(&depth, rows, &next);
    take(&size, rows, &next);
    take(&twin, rows, &next);
    take(&dropped, rows, &next);
    take(&origin, rows, &next);
    take(&tallies, rows, &next);
    take(&nodes, rows * joints, &next);
    take(&owner, limbs * most_peaks, &next);
    take(&edge_count, limbs * rows, &next);
    searching = edge_count;
    take(&lent, limbs * Assignment::words(rows, most_peaks), &next);
    take(&before, rows * joints, &next);
    take(&edges, limbs * rows * kCandidates, &next);
    take(&candidates, limbs * rows, &next);
  }

  template <class T>
  SMAP_HOST_DEVICE static int64_t words(int64_t count) {
    static_assert(sizeof(T) % sizeof(int32_t) == 0 && alignof(T) == alignof(int32_t), "made of 32-bit words");
    return count * static_cast<int64_t>(sizeof(T) / sizeof(int32_t));
  }

  template <class T>
  SMAP_HOST_DEVICE void take(T** array, int64_t count, int32_t** next) {
    const int64_t needed = words<T>(count);
    int32_t*& from = needed <= spare_words ? spare : *next;
    if (needed <= spare_words) spare_words -= needed;
    *array = reinterpret_cast<T*>(from);
    from += needed;
  }

  SMAP_HOST_DEVICE bool exists(int64_t l) const { return ends[2 * l] >= 0; }
  SMAP_HOST_DEVICE int32_t parent(int64_t l) const { return ends[2 * l]; }
  SMAP_HOST_DEVICE int32_t child(int64_t l) const { return ends[2 * l + 1]; }

  SMAP_HOST_DEVICE Node& node(int64_t p, int64_t joint) const { return nodes[p * joints + joint]; }
  SMAP_HOST_DEVICE Candidates& candidates_of(int64_t l, int64_t p) const { return candidates[l * rows + p]; }

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
