#include "ops/winograd_conv.h"

#include <algorithm>
#include <optional>

#include "ops/op.h"

namespace smap {
namespace {

using torch::headeronly::MemoryFormat;

/// `t` `(B, C, H, W)`, or a copy of it, with its channels side by side.
Tensor channels_last(const Tensor& t, const char* what) {
  check(t.dim() == 4, what, "be 4-dimensional", t.dim());
  return torch::stable::contiguous(t, MemoryFormat::ChannelsLast);
}

/// Tiles among threads, and outputs too where tiles are few: weights are read once then, patches twice.
void convolve_on_threads(const WinogradConv& conv, const Tensor& like) {
  if (conv.tiles() == 0 || conv.outputs == 0) return;
  const int64_t threads = torch::stable::get_num_threads(), blocks = conv.output_blocks();
  const int64_t rows =
      std::min(threads, (conv.tiles() + WinogradConv::kTilesTogether - 1) / WinogradConv::kTilesTogether);
  const int64_t columns = std::max(int64_t{1}, std::min(threads / rows, blocks));
  const int64_t size = winograd_scratch(conv, (blocks + columns - 1) / columns);
  const Tensor scratch = empty(like, {rows * columns, size}, ScalarType::Float);
  float* const memory = static_cast<float*>(scratch.mutable_data_ptr());
  const auto part = [](int64_t count, int64_t i, int64_t parts) {
    return WinogradConv::Range{count * i / parts, count * (i + 1) / parts};
  };
  torch::stable::parallel_for(0, rows * columns, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      convolve(conv, part(conv.tiles(), i / columns, rows), part(blocks, i % columns, columns), memory + i * size);
  });
}

}  // namespace

Tensor winograd_conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const std::optional<Tensor>& plus,
                     int64_t outputs, bool relu) {
  const Tensor pixels = channels_last(x, "x"), matrices = dense(weight), offsets = dense(bias);
  const std::optional<Tensor> summand = plus ? std::optional(channels_last(*plus, "plus")) : std::nullopt;
  WinogradConv conv;
  conv.x = elements<const float>(pixels, "x", {-1, -1, -1, -1}, x);
  conv.batch = x.size(0), conv.inputs = x.size(1), conv.height = x.size(2), conv.width = x.size(3);
  check(conv.inputs > 0 && conv.inputs % WinogradConv::kLanes == 0, "x", "have a multiple of 8 channels", conv.inputs);
  conv.outputs = outputs;
  conv.relu = relu;
  check(outputs >= 0 && outputs <= INT32_MAX, "outputs", "be a count below 2^31", outputs);
  conv.weight = elements<const float>(
      matrices, "weight", {WinogradConv::kPlaces, conv.output_blocks(), conv.inputs, WinogradConv::kColumns}, x);
  conv.bias = elements<const float>(offsets, "bias", {conv.output_blocks() * WinogradConv::kColumns}, x);
  const int64_t shape[] = {conv.batch, outputs, conv.height, conv.width};
  conv.plus = summand ? elements<const float>(*summand, "plus", shape, x) : nullptr;
  Tensor y = torch::stable::empty(torch::headeronly::IntHeaderOnlyArrayRef(shape, 4), ScalarType::Float, std::nullopt,
                                  x.device(), std::nullopt, MemoryFormat::ChannelsLast);
  conv.y = static_cast<float*>(y.mutable_data_ptr());
  convolve_on_threads(conv, x);
  return y;
}

}  // namespace smap

SMAP_REGISTER(winograd_conv, "(Tensor x, Tensor weight, Tensor bias, Tensor? plus, int outputs, bool relu) -> Tensor")
