// Direct convolution of one block of output rows: accumulators stay in registers over all taps and
// input channels.
#pragma once

#include "kernels/conv/epilogue.h"
#include "kernels/simd/kernel.h"

namespace mini_infer {

// The taps of a kernel that a row of outputs meets within the image; the others meet zeros.
struct RowTaps {
  int first, count;
  bool operator==(const RowTaps&) const = default;
};

// Output (row, x) of every block of output channels reads source[row * source_row + x * step +
// taps[t]] and its channel lanes, for blocks of input channels `source_plane` apart. Borders are
// part of the source. Distances are in floats.
struct DirectBlock {
  const float* source;
  std::ptrdiff_t source_plane;
  std::ptrdiff_t source_row;
  int step;  // c for NCHWc; 1 or 2 for plain sources
  const std::ptrdiff_t* taps;
  int tap_count;
  int channels;  // input channels that exist, >= 1
  int chunk;     // of them that all pixels meet before the next: whole blocks, or all; 0: all
  int rows, width;
  const RowTaps* row_taps;  // by row; null: all rows meet all taps
  const float* weights;   // [panels][ic blocks][taps][lanes that exist][2 * c]; the last panel is c
                          // wide when the blocks are odd
  int out_channels;       // output channels that exist, starting at a panel
  const float* residual;  // null, or in the output's layout
  float* output;
  std::ptrdiff_t output_plane, output_row;
  std::ptrdiff_t output_step;  // between neighbouring pixels; c but for transposed convolutions
  bool inwards;                // see piece_order.h: rows, or the pixels of the only one
  ConvEpilogue epilogue;       // bias and slopes of the first output channel here
};

inline constexpr int kFewOutputs = 4;

namespace simd {

// The source is NCHWc.
MINI_SIMD_KERNEL(direct_conv_f32, void(const DirectBlock& block))
// The source is planes of plain rows; a tap is an input channel and a place in the kernel;
// channels == 1.
MINI_SIMD_KERNEL(direct_conv_plain_f32, void(const DirectBlock& block))

// The source is NCHWc; at most kFewOutputs output channels, which would leave most lanes of a block
// empty: lanes are input channels, summed at the end.
//   weights: [ic blocks][taps][out_channels][c], zero for channels that do not exist
MINI_SIMD_KERNEL(few_outputs_conv_f32, void(const DirectBlock& block))

// The source is one channel block of NCHWc, and each channel has its own filter.
//   weights: [taps][c]
MINI_SIMD_KERNEL(depthwise_taps_f32, void(const DirectBlock& block))

}  // namespace simd
}  // namespace mini_infer
