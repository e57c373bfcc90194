#include "kernels/simd/peak.simd.h"

#include "kernels/simd/vec.h"

namespace mini_infer::simd::MINI_ISA {

double peak_multiply_add(std::int64_t steps, const float* values, float* sink) {
#if defined(__AVX512F__) || defined(__aarch64__)
  constexpr int kAccumulators = 24;
#else
  constexpr int kAccumulators = 12;
#endif
  const Vec a = load(values), b = load(values + 16);
  Vec sum[kAccumulators];
  MINI_UNROLL
  for (int i = 0; i < kAccumulators; ++i) sum[i] = broadcast(values[0] + static_cast<float>(i));
  for (std::int64_t step = 0; step < steps; ++step) {
    MINI_UNROLL
    for (int i = 0; i < kAccumulators; ++i) sum[i] = fma(sum[i], a, b);
  }
  Vec total = sum[0];
  MINI_UNROLL
  for (int i = 1; i < kAccumulators; ++i) total = total + sum[i];
  store(sink, total);
  return 2.0 * kAccumulators * kLanes * static_cast<double>(steps);
}

}  // namespace mini_infer::simd::MINI_ISA
