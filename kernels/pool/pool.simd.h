// Window pooling of float32 planes over two axes.
#pragma once

#include "kernels/simd/kernel.h"

namespace mini_infer::simd {

// One row of outputs. The window of output ox takes rows source + r * row_step, 0 <= r < rows, all
// of them in the input, and columns ox * stride + k * dilation - pad, 0 <= k < taps, those in
// [0, width).
struct PoolRow {
  const float* source;
  std::ptrdiff_t row_step;
  std::int64_t rows;
  std::int64_t width;
  std::int64_t taps, stride, dilation, pad;
  std::int64_t out_width;
  float* out;
  float* column;         // scratch for a row, in which rows are joined first; blocked: or null
  const float* factors;  // averages: what each output's sum is multiplied by, [out_width]
};

// Plain rows of floats.
MINI_SIMD_KERNEL(max_pool_row_f32, void(const PoolRow& row))
MINI_SIMD_KERNEL(average_pool_row_f32, void(const PoolRow& row))
// Rows of pixels of one channel block.
MINI_SIMD_KERNEL(max_pool_row_blocked_f32, void(const PoolRow& row))
MINI_SIMD_KERNEL(average_pool_row_blocked_f32, void(const PoolRow& row))

// Of n floats, n > 0.
MINI_SIMD_KERNEL(sum_f32, float(const float* x, std::int64_t n))
MINI_SIMD_KERNEL(max_f32, float(const float* x, std::int64_t n))
// Of n pixels of one channel block: one number a channel.
MINI_SIMD_KERNEL(mean_blocked_f32, void(const float* x, std::int64_t n, float* out))
MINI_SIMD_KERNEL(max_blocked_f32, void(const float* x, std::int64_t n, float* out))

}  // namespace mini_infer::simd
