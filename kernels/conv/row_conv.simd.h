// Convolution of plain rows, for few output channels: vectors run along a row of outputs.
#pragma once

#include "kernels/simd/kernel.h"

namespace mini_infer::simd {

inline constexpr int kRowChannels = 4;  // output channels computed together

// out[c][x] = bias[c] + residual[c][x] + sum over taps of source[x + offsets[tap]] *
// weights[tap][c], c < channels <= kRowChannels, x < width.
struct ConvRow {
  const float* source;
  const std::ptrdiff_t* offsets;
  std::int64_t taps;
  const float* weights;
  int channels;
  std::int64_t width;
  const float* bias;      // null: zeros
  const float* residual;  // null, or as out
  float* out;
  std::ptrdiff_t plane;  // floats between channels of out and residual
};
MINI_SIMD_KERNEL(conv_row_f32, void(const ConvRow& row))

// y[i] = x[i * stride], i < n.
MINI_SIMD_KERNEL(take_every_f32,
                 void(const float* x, std::int64_t stride, float* y, std::int64_t n))

}  // namespace mini_infer::simd
