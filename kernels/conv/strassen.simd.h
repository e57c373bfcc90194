// 1x1 convolutions by Strassen's algorithm in Winograd's form: sums, and their products.
//
// The pixels of a block and the input channels are halved, X = [X11 X12; X21 X22] with a row for
// each half of the pixels, and so are the weights, W = [W11 W12; W21 W22] with a row for each half
// of the input channels and a column for each half of the output channels. Y = X W takes seven
// products of halves instead of eight, and 15 sums (S. Winograd, On multiplication of 2x2 matrices,
// 1971). What several outputs need waits in four parts:
//
//      X sum                   W sum
//   0  X11                     W11                       part 0 =          0
//   1  X12                     W21                       Y11    = part 0 + 1
//   2  X21 + X22 - X11         W22 - W12 + W11           part 1 = part 0 + 2
//   3  X21 + X22               W12 - W11                 part 2 = part 1 + 3
//   4  X11 + X12 - X21 - X22   W22                       Y12    = part 2 + 4
//   5  X11 - X21               W22 - W12                 part 3 = part 1 + 5
//   6  X22                     W21 - W22 + W12 - W11     Y21    = part 3 + 6
//                                                        Y22    = part 3 + part 2 - part 1
#pragma once

#include "kernels/conv/epilogue.h"
#include "kernels/simd/kernel.h"

namespace mini_infer {

inline constexpr int kStrassenProducts = 7;

// The sums of X for a run of pairs of pixels, one of each half. Distances are in floats.
struct StrassenSums {
  const float* input;
  std::ptrdiff_t input_plane;  // from a block of c channels to the next
  const int* upper;            // where the pixels of the first half are in a plane
  const int* lower;            // those of the second half
  int pairs;
  int whole;                    // pairs, or one less: the last may have no pixel in the second half
  int blocks;                   // of half of the input channels
  const float* scales;          // [2 * blocks * c]: each channel is multiplied by its own before
  float* sums;                  // [products][blocks][pairs][c]
  std::ptrdiff_t product_sums;  // between products
};

// Output channels of one panel in both of their halves, for a run of pairs.
struct StrassenPanel {
  const float* sums;  // as strassen_sums_f32 wrote them
  std::ptrdiff_t product_sums;
  int pairs, whole;
  int channels;           // half of the input channels
  const float* weights;   // [products][channels][out_channels]
  int out_channels;       // of each half: c or 2 * c
  int half;               // channels from one half of the output channels to the other
  const float* scales;    // [from the first output channel here]: y is multiplied by it
  float* parts;           // scratch, strassen_parts_floats()
  const float* residual;  // null, or in the output's layout
  float* output;          // the first pixel
  // To the next block of channels, pair, and the other pixel of a pair. Where pixels are no
  // neighbours, blocks are.
  std::ptrdiff_t output_plane, output_step, output_lower;
  ConvEpilogue epilogue;  // bias and slopes of the first output channel here
};

// Incomplete outputs of a panel.
constexpr std::int64_t strassen_parts_floats(std::int64_t pairs, int lanes) {
  return 4 * 2 * pairs * lanes;
}

namespace simd {

MINI_SIMD_KERNEL(strassen_sums_f32, void(const StrassenSums& sums))
MINI_SIMD_KERNEL(strassen_panel_f32, void(const StrassenPanel& panel))

}  // namespace simd
}  // namespace mini_infer
