#pragma once

#include "kernels/simd/kernel.h"

namespace mini_infer::simd {

// Between the bits of IEEE half precision and float32; rounds to nearest even.
MINI_SIMD_KERNEL(half_to_float, void(const std::uint16_t* x, std::int64_t n, float* y))
MINI_SIMD_KERNEL(float_to_half, void(const float* x, std::int64_t n, std::uint16_t* y))

}  // namespace mini_infer::simd
