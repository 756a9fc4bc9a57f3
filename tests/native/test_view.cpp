// View: every element of a strided array is reached, exactly once, and none outside it.
#include <cstdint>
#include <vector>

#include "check.h"
#include "core/view.h"

using smap::View;

namespace {

void elements_of_a_transposed_array() {
  std::vector<int> memory(2 * 3 * 4);
  for (size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<int>(i);
  // (4, 2, 3) over memory laid out as (2, 3, 4): heap memory of exactly this size, so that ASan sees a wrong stride.
  const View<int, 3> v{memory.data(), {4, 2, 3}, {1, 12, 4}};
  CHECK(v.numel() == 24);
  std::vector<int> seen(memory.size());
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 2; ++j) {
      for (int k = 0; k < 3; ++k) {
        CHECK(v(i, j, k) == j * 12 + k * 4 + i);
        CHECK(&v[i](j, k) == &v(i, j, k));
        CHECK(&v[i][j](k) == &v(i, j, k));
        ++seen[v(i, j, k)];
      }
    }
  }
  for (int count : seen) CHECK(count == 1);
}

void negative_and_zero_strides() {
  std::vector<float> memory = {1, 2, 3};
  const View<float, 2> v{memory.data() + 2, {2, 3}, {0, -1}};
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 3; ++j) CHECK(v(i, j) == 3 - j);
  }
}

void writes_reach_the_owner() {
  std::vector<int64_t> memory(6);
  const View<int64_t, 2> v{memory.data(), {2, 3}, {3, 1}};
  v[1](2) = 7;
  CHECK(memory[5] == 7);
}

void empty_arrays() {
  const View<float, 2> v{nullptr, {0, 5}, {5, 1}};
  CHECK(v.numel() == 0);
}

}  // namespace

int main() {
  elements_of_a_transposed_array();
  negative_and_zero_strides();
  writes_reach_the_owner();
  empty_arrays();
}
