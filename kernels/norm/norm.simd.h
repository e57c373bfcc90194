// The loops of normalisation over float32 rows, planes and blocks of channels.
#pragma once

#include "kernels/simd/kernel.h"

namespace mini_infer::simd {

// Mean and variance (biased) of x[0..n), n > 0: two passes, partial sums of chunks in double.
MINI_SIMD_KERNEL(moments_f32, void(const float* x, std::size_t n, double* mean, double* variance))

// The same for each lane of a block: x is [n][lanes], mean and variance are [lanes].
MINI_SIMD_KERNEL(moments_blocked_f32,
                 void(const float* x, std::size_t n, double* mean, double* variance))

// y[i] = x[i] * k + b
MINI_SIMD_KERNEL(scale_shift_f32, void(const float* x, float* y, std::size_t n, float k, float b))

// The same for each lane of a block: x and y are [n][lanes], k and b are [lanes].
MINI_SIMD_KERNEL(scale_shift_blocked_f32,
                 void(const float* x, float* y, std::size_t n, const float* k, const float* b))

// y[i] = (x[i] - mean) * factor * scale[i] + bias[i]; scale and bias may be null.
MINI_SIMD_KERNEL(normalize_row_f32, void(const float* x, float* y, std::size_t n, float mean,
                                         float factor, const float* scale, const float* bias))

// sum[i] = a[i] + b[i] (+ c[i] where c is not null)
MINI_SIMD_KERNEL(add_rows_f32,
                 void(const float* a, const float* b, const float* c, float* sum, std::size_t n))

// Sum of squares of x[0..n), partial sums of chunks in double.
MINI_SIMD_KERNEL(sum_squares_f32, double(const float* x, std::size_t n))

// LRN of one channel: y[i] = x[i] * (bias + factor * sum over `count` channels of squares)^-beta;
// channel j of the window begins at window + j * stride.
MINI_SIMD_KERNEL(lrn_f32,
                 void(const float* x, const float* window, std::size_t count, std::size_t stride,
                      float* y, std::size_t n, float bias, float factor, float beta))

}  // namespace mini_infer::simd
