#include "kernels/resize/sample.simd.h"

#include "kernels/simd/vec.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

// kLanes floats base[index[0]], base[index[1]], ... The indices rise or fall steadily; where they
// span less than a vector, as they do upwards, one load and a permutation do.
MINI_INLINE Vec gather(const float* base, const std::int32_t* index) {
#if defined(__AVX512F__) || defined(__AVX2__)
  const std::int32_t first = index[0], span = index[kLanes - 1] - first;
  const bool near = span >= 0 && span < kLanes;
#endif
#if defined(__AVX512F__)
  if (near) {
    const __m512i places = _mm512_sub_epi32(_mm512_loadu_si512(index), _mm512_set1_epi32(first));
    return _mm512_permutexvar_ps(places, load(base + first, span + 1));
  }
  return _mm512_i32gather_ps(_mm512_loadu_si512(index), base, 4);
#elif defined(__AVX2__)
  if (near) {
    const __m256i wanted = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(index));
    const __m256i places = _mm256_sub_epi32(wanted, _mm256_set1_epi32(first));
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(span + 1), lanes);
    return _mm256_permutevar8x32_ps(_mm256_maskload_ps(base + first, mask), places);
  }
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
