// A block of threads on one CPU thread (see core/block.h). Within a step the threads run one after the other, forwards,
// backwards or shuffled: an algorithm whose steps do not depend on each other's order gives the same in all three.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

enum class Order { kForward, kBackward, kShuffled };

class EmulatedBlock {
 public:
  static constexpr bool kSideBySide = true;

  explicit EmulatedBlock(Order order) : order_(order) {}

  template <class F>
  void each(int32_t count, F f) {
    std::vector<int32_t> turns(static_cast<size_t>(count > 0 ? count : 0));
    std::iota(turns.begin(), turns.end(), 0);
    if (order_ == Order::kBackward) std::reverse(turns.begin(), turns.end());
    if (order_ == Order::kShuffled) std::shuffle(turns.begin(), turns.end(), random_);
    for (int32_t i : turns) f(i);
  }

  template <class F>
  void each_pair(int32_t rows, int32_t columns, F f) {
    each(rows * columns, [&](int32_t i) { f(i / columns, i % columns); });
  }

  template <class F>
  void each_apart(int32_t count, F f) {
    each(count, f);
  }

  template <class F>
  bool any(int32_t count, F f) {
    bool found = false;
    each(count, [&](int32_t i) { found = f(i) || found; });
    return found;
  }

  template <class F>
  int32_t sum(int32_t count, F f) {
    int32_t total = 0;
    each(count, [&](int32_t i) { total += f(i); });
    return total;
  }

  int32_t exclusive_sum(int32_t* values, int32_t count) {
    int32_t total = 0;
    for (int32_t i = 0; i < count; ++i) {
      const int32_t value = values[i];
      values[i] = total;
      total += value;
    }
    return total;
  }

  template <class Load, class Test>
  void mask(int32_t count, uint32_t* words, Load load, Test test) {
    each((count + 31) / 32, [&](int32_t w) {
      words[w] = 0;
      for (int32_t i = w * 32; i < std::min(count, w * 32 + 32); ++i)
        if (test(i, load(i))) words[w] |= 1u << (i % 32);
    });
  }

  void lower(int32_t* place, int32_t value) { *place = std::min(*place, value); }

 private:
  Order order_;
  std::mt19937 random_{1};
};
