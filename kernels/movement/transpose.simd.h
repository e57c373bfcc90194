#pragma once

#include "kernels/simd/kernel.h"

namespace mini_infer::simd {

// A matrix of 32-bit elements transposed: out[r * out_stride + c] = in[r + c * in_stride] for
// 0 <= r < rows, 0 <= c < cols.
MINI_SIMD_KERNEL(transpose_32,
                 void(const std::uint32_t* in, std::int64_t in_stride, std::uint32_t* out,
                      std::int64_t out_stride, std::int64_t rows, std::int64_t cols))

}  // namespace mini_infer::simd
