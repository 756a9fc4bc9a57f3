// Convolution with 3x3 kernels by minimal filtering, F(4x4, 3x3) (Lavin and Gray, "Fast algorithms for convolutional
// neural networks", CVPR 2016): a square of 4x4 outputs takes 36 products of two channels instead of 144.
//
// Squares ("tiles") are read as patches of 6x6 pixels, patches transformed to 36 numbers a channel, each of the 36
// multiplied with a matrix of its own (inputs x outputs, the transformed weight), and the sums transformed back.
#pragma once

#include <cstdint>

namespace smap {

/// y = relu(x * weight + bias + plus), zeros around x; pixels are rows of channels, without gaps.
struct WinogradConv {
  static constexpr int64_t kTile = 4, kPatch = kTile + 2, kPlaces = kPatch * kPatch;
  static constexpr int64_t kLanes = 8;           // numbers computed together
  static constexpr int64_t kColumns = 16;        // outputs whose weights lie together
  static constexpr int64_t kTilesTogether = 24;  // of a few tens the patches stay in the cache beside the weights

  /// From `begin` up to, not including, `end`.
  struct Range {
    int64_t begin, end;
  };

  const float* x;       // (batch, height, width, inputs); inputs a multiple of kLanes
  const float* weight;  // (36, padded outputs / kColumns, inputs, kColumns)
  const float* bias;    // (padded outputs)
  const float* plus;    // (batch, height, width, outputs), or none
  float* y;             // likewise
  int64_t batch, height, width, inputs, outputs;
  bool relu;

  int64_t rows() const { return (height + kTile - 1) / kTile; }
  int64_t columns() const { return (width + kTile - 1) / kTile; }
  int64_t tiles() const { return batch * rows() * columns(); }
  int64_t output_blocks() const { return (outputs + kColumns - 1) / kColumns; }
};

/// Numbers that `convolve` needs as scratch, for this many blocks of outputs.
int64_t winograd_scratch(const WinogradConv& conv, int64_t output_blocks);

/// Instructions that `convolve` can use; what it computes with the last two is the same to the bit.
enum class Simd { kNone, kAvx2, kAvx512 };
Simd widest_simd();  // of this processor

/// The part of y that is made of these tiles and blocks of kColumns outputs. Every number of y is computed the same way
/// whatever the ranges. `simd` is at most `widest_simd()`.
void convolve(const WinogradConv& conv, WinogradConv::Range tiles, WinogradConv::Range output_blocks, float* scratch,
              Simd simd = widest_simd());

}  // namespace smap
