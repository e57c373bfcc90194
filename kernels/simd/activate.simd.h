#pragma once

#include "kernels/activation.h"
#include "kernels/simd/kernel.h"

namespace mini_infer::simd {

// y[i] = activation(x[i]), i < n; x == y is allowed.
MINI_SIMD_KERNEL(activate_f32,
                 void(ActivationParams activation, const float* x, float* y, std::size_t n))

// The same for rows of n floats in place, `stride` floats apart.
MINI_SIMD_KERNEL(activate_rows_f32, void(ActivationParams activation, float* y, std::int64_t rows,
                                         std::int64_t n, std::int64_t stride))

}  // namespace mini_infer::simd
