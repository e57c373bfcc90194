#pragma once

#include "kernels/simd/kernel.h"

namespace mini_infer::simd {

// Softmax of `rows` rows of k floats, one after the other; its logarithm when `log`. y may be x.
MINI_SIMD_KERNEL(softmax_rows_f32,
                 void(const float* x, float* y, std::int64_t rows, std::int64_t k, bool log))

// Softmax of n columns of k floats: x[j * stride + i] for j < k, i < n.
MINI_SIMD_KERNEL(softmax_columns_f32, void(const float* x, float* y, std::int64_t n, std::int64_t k,
                                           std::int64_t stride, bool log))

}  // namespace mini_infer::simd
