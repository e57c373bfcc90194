#pragma once

#include "kernels/simd/kernel.h"

namespace mini_infer::simd {

// Multiply-adds on registers alone: `steps` of them on each lane of each of several independent
// accumulators; returns the floating-point operations done. What a machine reaches here is the peak
// that kernels are measured against. values: 2 * 16 floats; sink: 16 floats.
MINI_SIMD_KERNEL(peak_multiply_add, double(std::int64_t steps, const float* values, float* sink))

}  // namespace mini_infer::simd
