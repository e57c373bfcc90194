#include "kernels/simd/activate.simd.h"

#include "kernels/simd/activation.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

template <Activation A>
MINI_INLINE void activate_array(const float* x, float* y, std::size_t n, Vec alpha, Vec beta) {
  constexpr std::size_t kUnroll = 4;  // hides the latency of the polynomials
  std::size_t i = 0;
  for (; i + kUnroll * kLanes <= n; i += kUnroll * kLanes) {
    Vec v[kUnroll];
    MINI_UNROLL
    for (std::size_t j = 0; j < kUnroll; ++j) v[j] = load(x + i + j * kLanes);
    MINI_UNROLL
    for (std::size_t j = 0; j < kUnroll; ++j) v[j] = activate<A>(v[j], alpha, beta);
    MINI_UNROLL
    for (std::size_t j = 0; j < kUnroll; ++j) store(y + i + j * kLanes, v[j]);
  }
  for_each_vector(n - i, [&](std::size_t j, int lanes) {
    store(y + i + j, activate<A>(load(x + i + j, lanes), alpha, beta), lanes);
  });
}

}  // namespace

void activate_f32(ActivationParams activation, const float* x, float* y, std::size_t n) {
  const Vec alpha(activation.alpha), beta(activation.beta);
  with_activation(activation.kind,
                  [&](auto tag) { activate_array<decltype(tag)::kind>(x, y, n, alpha, beta); });
}

void activate_rows_f32(ActivationParams activation, float* y, std::int64_t rows, std::int64_t n,
                       std::int64_t stride) {
  const Vec alpha(activation.alpha), beta(activation.beta);
  with_activation(activation.kind, [&](auto tag) {
    for (std::int64_t r = 0; r < rows; ++r) {
      float* row = y + r * stride;
      for_each_vector(static_cast<std::size_t>(n), [&](std::size_t i, int lanes) {
        store(row + i, activate<decltype(tag)::kind>(load(row + i, lanes), alpha, beta), lanes);
      });
    }
  });
}

}  // namespace mini_infer::simd::MINI_ISA
