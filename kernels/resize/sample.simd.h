#pragma once

#include "kernels/simd/kernel.h"

namespace mini_infer::simd {

// out[i] = sum over t < taps of weights[t] * rows[t][i].
MINI_SIMD_KERNEL(blend_rows, void(const float* const* rows, const float* weights, int taps,
                                  float* out, std::int64_t size))

// A row of pixels, each `inner` floats, resampled: out[o] = sum over t < taps of
// weight[t * count + o] * row[index[t * count + o]], for 0 <= o < count.
MINI_SIMD_KERNEL(sample_row, void(const float* row, const std::int32_t* index, const float* weight,
                                  int taps, std::int64_t count, std::int64_t inner, float* out))

}  // namespace mini_infer::simd
