#pragma once

#include "kernels/simd/kernel.h"

namespace mini_infer::simd {

// y[i] = the low byte of clamp(round half to even(x[i] / scale) + zero, low, high): uint8 or int8.
MINI_SIMD_KERNEL(quantize_f32, void(const float* x, std::int64_t n, float scale, float zero,
                                    float low, float high, std::uint8_t* y))

// y[i] = (x[i] - zero) * scale.
MINI_SIMD_KERNEL(dequantize_u8,
                 void(const std::uint8_t* x, std::int64_t n, float scale, float zero, float* y))
MINI_SIMD_KERNEL(dequantize_s8,
                 void(const std::int8_t* x, std::int64_t n, float scale, float zero, float* y))

}  // namespace mini_infer::simd
