#include "kernels/resize/sample.simd.h"

#include "kernels/simd/vec.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

// kLanes floats base[index[0]], base[index[1]], ...
MINI_INLINE Vec gather(const float* base, const std::int32_t* index) {
#if defined(__AVX512F__)
  return _mm512_i32gather_ps(_mm512_loadu_si512(index), base, 4);
#elif defined(__AVX2__)
  return _mm256_i32gather_ps(base, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(index)), 4);
#else
  alignas(64) float lanes[kLanes];
  for (int i = 0; i < kLanes; ++i) lanes[i] = base[index[i]];
  return Vec::load_aligned(lanes);
#endif
}

// One float a pixel: vectors of pixels.
void sample_single(const float* row, const std::int32_t* index, const float* weight, int taps,
                   std::int64_t count, float* out) {
  std::int64_t o = 0;
  for (; o + kLanes <= count; o += kLanes) {
    Vec sum = load(weight + o) * gather(row, index + o);
    for (int t = 1; t < taps; ++t) {
      sum = fma(load(weight + t * count + o), gather(row, index + t * count + o), sum);
    }
    store(out + o, sum);
  }
  for (; o < count; ++o) {
    float sum = 0;
    for (int t = 0; t < taps; ++t) sum += weight[t * count + o] * row[index[t * count + o]];
    out[o] = sum;
  }
}

}  // namespace

void blend_rows(const float* const* rows, const float* weights, int taps, float* out,
                std::int64_t size) {
  for_each_vector(static_cast<std::size_t>(size), [&](std::size_t i, int n) {
    if (n == kLanes) {
      Vec sum = broadcast(weights[0]) * load(rows[0] + i);
      for (int t = 1; t < taps; ++t) sum = fma(broadcast(weights[t]), load(rows[t] + i), sum);
      store(out + i, sum);
    } else {
      Vec sum = broadcast(weights[0]) * load(rows[0] + i, n);
      for (int t = 1; t < taps; ++t) sum = fma(broadcast(weights[t]), load(rows[t] + i, n), sum);
      store(out + i, sum, n);
    }
  });
}

void sample_row(const float* row, const std::int32_t* index, const float* weight, int taps,
                std::int64_t count, std::int64_t inner, float* out) {
  if (inner == 1) return sample_single(row, index, weight, taps, count, out);
  for (std::int64_t o = 0; o < count; ++o) {
    float* to = out + o * inner;
    for_each_vector(static_cast<std::size_t>(inner), [&](std::size_t i, int n) {
      const auto at = [&](int t) { return row + index[t * count + o] * inner + i; };
      Vec sum = zero();
      for (int t = 0; t < taps; ++t) {
        const Vec x = n == kLanes ? load(at(t)) : load(at(t), n);
        sum = fma(broadcast(weight[t * count + o]), x, sum);
      }
      if (n == kLanes) {
        store(to + i, sum);
      } else {
        store(to + i, sum, n);
      }
    });
  }
}

}  // namespace mini_infer::simd::MINI_ISA
