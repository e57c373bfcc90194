// Elementwise parts of recurrent cells, on rows of n floats.
#pragma once

#include "kernels/simd/kernel.h"

namespace mini_infer::simd {

// gates[i] += weights[i] * state[i]
MINI_SIMD_KERNEL(add_product_f32,
                 void(float* gates, const float* weights, const float* state, std::size_t n))
// state[i] = forget[i] * state[i] + input[i] * candidate[i]
MINI_SIMD_KERNEL(lstm_cell_f32, void(float* state, const float* forget, const float* input,
                                     const float* candidate, std::size_t n))
// y[i] = a[i] * b[i]
MINI_SIMD_KERNEL(product_f32, void(float* y, const float* a, const float* b, std::size_t n))
// state[i] = (1 - update[i]) * candidate[i] + update[i] * state[i]
MINI_SIMD_KERNEL(gru_state_f32,
                 void(float* state, const float* update, const float* candidate, std::size_t n))

}  // namespace mini_infer::simd
