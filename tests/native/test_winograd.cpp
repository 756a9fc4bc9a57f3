// The convolution by minimal filtering, part by part, against its definition.
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "check.h"
#include "core/winograd.h"

namespace {

const double kRoot = std::sqrt(2.);
const double kTransform[6][3] = {{1, 0, 0},
                                 {-2. / 3, -kRoot / 3, -1. / 3},
                                 {-2. / 3, kRoot / 3, -1. / 3},
                                 {1. / 6, kRoot / 6, 1. / 3},
                                 {1. / 6, -kRoot / 6, 1. / 3},
                                 {0, 0, 1}};

struct Shape {
  int64_t batch, height, width, inputs, outputs;
};

/// Checks y against the definition and returns it.
std::vector<float> compare(smap::Simd simd, const Shape& s, bool with_plus, bool relu) {
  std::mt19937 random(static_cast<uint32_t>(s.height * 31 + s.outputs));
  std::normal_distribution<float> normal;
  const auto draw = [&](int64_t count) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& v : values) v = normal(random);
    return values;
  };
  smap::WinogradConv conv{};
  conv.batch = s.batch, conv.height = s.height, conv.width = s.width, conv.inputs = s.inputs, conv.outputs = s.outputs;
  conv.relu = relu;
  const int64_t pixels = s.batch * s.height * s.width, blocks = conv.output_blocks();
  const auto x = draw(pixels * s.inputs), kernel = draw(s.outputs * s.inputs * 9), plus = draw(pixels * s.outputs);
  const auto bias = draw(blocks * smap::WinogradConv::kColumns);
  std::vector<float> weight(
      static_cast<size_t>(smap::WinogradConv::kPlaces * blocks * s.inputs * smap::WinogradConv::kColumns));
  for (int64_t place = 0; place < smap::WinogradConv::kPlaces; ++place)
    for (int64_t o = 0; o < s.outputs; ++o)
      for (int64_t c = 0; c < s.inputs; ++c) {
        double sum = 0;
        for (int64_t i = 0; i < 3; ++i)
          for (int64_t j = 0; j < 3; ++j)
            sum += kTransform[place / 6][i] * kTransform[place % 6][j] * kernel[(o * s.inputs + c) * 9 + i * 3 + j];
        weight[((place * blocks + o / smap::WinogradConv::kColumns) * s.inputs + c) * smap::WinogradConv::kColumns +
               o % smap::WinogradConv::kColumns] = static_cast<float>(sum);
      }
  std::vector<float> y(static_cast<size_t>(pixels * s.outputs), NAN);
  conv.x = x.data(), conv.weight = weight.data(), conv.bias = bias.data(), conv.y = y.data();
  conv.plus = with_plus ? plus.data() : nullptr;
  std::vector<float> scratch(static_cast<size_t>(smap::winograd_scratch(conv, blocks)));
  smap::convolve(conv, {0, conv.tiles()}, {0, blocks}, scratch.data(), simd);
  const int64_t half = conv.tiles() / 2, columns = smap::WinogradConv::kColumns;
  for (int64_t begin = 0; begin < blocks; ++begin)
    for (int64_t end = begin + 1; end <= blocks; ++end) {
      std::vector<float> part(y.size(), NAN), small(static_cast<size_t>(smap::winograd_scratch(conv, end - begin)));
      conv.y = part.data();
      smap::convolve(conv, {0, half}, {begin, end}, small.data(), simd);
      smap::convolve(conv, {half, conv.tiles()}, {begin, end}, small.data(), simd);
      for (size_t i = 0; i < y.size(); ++i) {
        const int64_t block = static_cast<int64_t>(i) % s.outputs / columns;
        CHECK(block >= begin && block < end ? part[i] == y[i] : std::isnan(part[i]));
      }
    }
  for (int64_t p = 0; p < pixels; ++p)
    for (int64_t o = 0; o < s.outputs; ++o) {
      const int64_t row = p / s.width % s.height, column = p % s.width;
      double sum = bias[o] + (with_plus ? plus[p * s.outputs + o] : 0);
      for (int64_t i = -1; i <= 1; ++i)
        for (int64_t j = -1; j <= 1; ++j) {
          if (row + i < 0 || row + i >= s.height || column + j < 0 || column + j >= s.width) continue;
          for (int64_t c = 0; c < s.inputs; ++c)
            sum += static_cast<double>(x[(p + i * s.width + j) * s.inputs + c]) *
                   kernel[(o * s.inputs + c) * 9 + (i + 1) * 3 + j + 1];
        }
      if (relu && sum < 0) sum = 0;
      CHECK(std::abs(y[p * s.outputs + o] - sum) < 1e-3);
    }
  return y;
}

void every_way(const Shape& shape, bool plus, bool relu) {
  compare(smap::Simd::kNone, shape, plus, relu);
  if (smap::widest_simd() == smap::Simd::kNone) return;
  const std::vector<float> y = compare(smap::Simd::kAvx2, shape, plus, relu);
  if (smap::widest_simd() == smap::Simd::kAvx512) CHECK(compare(smap::Simd::kAvx512, shape, plus, relu) == y);
}

}  // namespace

int main() {
  for (const Shape& shape :
       {Shape{1, 1, 1, 8, 1}, Shape{1, 4, 4, 8, 16}, Shape{2, 5, 9, 16, 17}, Shape{1, 23, 31, 24, 40}})
    for (const bool plus : {false, true})
      for (const bool relu : {false, true}) every_way(shape, plus, relu);
  for (int64_t tiles = 1; tiles <= smap::WinogradConv::kTilesTogether + 1; ++tiles)
    every_way({1, 4, 4 * tiles, 8, 64}, false, false);
}
