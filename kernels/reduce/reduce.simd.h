#pragma once

#include "kernels/simd/kernel.h"

namespace mini_infer {

// What a reduction accumulates; the rest (mean, root, logarithm) is done on its result.
enum class Accumulate : std::uint8_t { kSum, kSumAbs, kSumSquare, kProduct, kMax, kMin };

}  // namespace mini_infer

namespace mini_infer::simd {

// The accumulation of x[0, n); NaN where one is NaN.
MINI_SIMD_KERNEL(reduce_row_f32, float(Accumulate kind, const float* x, std::int64_t n))

// acc[i] = accumulation of acc[i] and x[j * stride + i] for j < k; i < n.
MINI_SIMD_KERNEL(reduce_columns_f32, void(Accumulate kind, const float* x, std::int64_t k,
                                          std::int64_t stride, std::int64_t n, float* acc))

}  // namespace mini_infer::simd
