#include "kernels/recurrent/cell.simd.h"

#include "kernels/simd/vec.h"

namespace mini_infer::simd::MINI_ISA {

void add_product_f32(float* gates, const float* weights, const float* state, std::size_t n) {
  for_each_vector(n, [&](std::size_t i, int m) {
    const Vec sum = fma(load(weights + i, m), load(state + i, m), load(gates + i, m));
    store(gates + i, sum, m);
  });
}

void lstm_cell_f32(float* state, const float* forget, const float* input, const float* candidate,
                   std::size_t n) {
  for_each_vector(n, [&](std::size_t i, int m) {
    const Vec added = load(input + i, m) * load(candidate + i, m);
    store(state + i, fma(load(forget + i, m), load(state + i, m), added), m);
  });
}

void product_f32(float* y, const float* a, const float* b, std::size_t n) {
  for_each_vector(n,
                  [&](std::size_t i, int m) { store(y + i, load(a + i, m) * load(b + i, m), m); });
}

void gru_state_f32(float* state, const float* update, const float* candidate, std::size_t n) {
  for_each_vector(n, [&](std::size_t i, int m) {
    const Vec z = load(update + i, m);
    const Vec fresh = (Vec(1.f) - z) * load(candidate + i, m);
    store(state + i, fma(z, load(state + i, m), fresh), m);
  });
}

}  // namespace mini_infer::simd::MINI_ISA
