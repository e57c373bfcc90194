#include "kernels/simd/activate.simd.h"

#include "kernels/simd/activation.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

// Vectors computed at a time, as many as hide the latency of the polynomials and fit into the
// registers.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr std::size_t kUnroll = 4;
#else
constexpr std::size_t kUnroll = 2;
#endif

// Not inline: one copy for each activation serves arrays and rows.
template <Activation A>
__attribute__((noinline)) void activate_array(const float* x, float* y, std::size_t n, Vec alpha,
                                              Vec beta) {
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
  for (; i < n; i += kLanes) {
    const int lanes = n - i < kLanes ? static_cast<int>(n - i) : kLanes;
    store(y + i, activate<A>(load(x + i, lanes), alpha, beta), lanes);
  }
}

// Whole vectors of rows in place. Short rows fill the unrolled loop together.
template <Activation A>
__attribute__((noinline)) void activate_vectors(float* y, std::int64_t rows, std::int64_t vectors,
                                                std::int64_t stride, Vec alpha, Vec beta) {
  const std::int64_t gap = stride - vectors * kLanes;
  std::int64_t left = vectors;  // of the row
  const auto next = [&] {
    float* const at = y;
    y += kLanes;
    if (--left == 0) {
      left = vectors;
      y += gap;
    }
    return at;
  };
  std::int64_t count = rows * vectors;
  constexpr auto kTogether = static_cast<std::int64_t>(kUnroll);
  for (; count >= kTogether; count -= kTogether) {
    float* at[kUnroll];
    Vec v[kUnroll];
    MINI_UNROLL
    for (std::size_t j = 0; j < kUnroll; ++j) v[j] = load(at[j] = next());
    MINI_UNROLL
    for (std::size_t j = 0; j < kUnroll; ++j) v[j] = activate<A>(v[j], alpha, beta);
    MINI_UNROLL
    for (std::size_t j = 0; j < kUnroll; ++j) store(at[j], v[j]);
  }
  for (; count > 0; --count) {
    float* const at = next();
    store(at, activate<A>(load(at), alpha, beta));
  }
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
    if (n % kLanes == 0) {
      return activate_vectors<decltype(tag)::kind>(y, rows, n / kLanes, stride, alpha, beta);
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      float* const row = y + r * stride;
      activate_array<decltype(tag)::kind>(row, row, static_cast<std::size_t>(n), alpha, beta);
    }
  });
}

}  // namespace mini_infer::simd::MINI_ISA
