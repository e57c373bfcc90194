#include "kernels/elementwise/half.simd.h"

#include "kernels/simd/vec.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

// n elements of X to Y by vectors of kStep; the last ones through a copy.
template <int kStep, class X, class Y, class Convert>
MINI_INLINE void convert_array(const X* x, std::int64_t n, Y* y, Convert&& convert) {
  std::int64_t i = 0;
  for (; i + kStep <= n; i += kStep) convert(x + i, y + i);
  if (i == n) return;
  X in[kStep] = {};
  Y out[kStep];
  const auto rest = static_cast<std::size_t>(n - i);
  __builtin_memcpy(in, x + i, rest * sizeof(X));
  convert(in, out);
  __builtin_memcpy(y + i, out, rest * sizeof(Y));
}

#if !defined(__F16C__) && !defined(__aarch64__)
// Without denormal floats, which threads may treat as zero.
MINI_INLINE float widen(std::uint32_t half) {
  const std::uint32_t sign = (half & 0x8000u) << 16;
  const std::uint32_t exponent = half & 0x7c00u, mantissa = half & 0x3ffu;
  const float subnormal = static_cast<float>(static_cast<std::int32_t>(mantissa)) * 0x1p-24f;
  // The bias is 112 more; infinities and NaN have the highest exponent.
  const std::uint32_t bias = exponent == 0x7c00u ? 224u << 23 : 112u << 23;
  const std::uint32_t normal = ((half & 0x7fffu) << 13) + bias;
  const auto small = __builtin_bit_cast(std::uint32_t, subnormal);
  return __builtin_bit_cast(float, (exponent == 0 ? small : normal) | sign);
}

MINI_INLINE std::uint16_t narrow(float x) {
  const auto bits = __builtin_bit_cast(std::uint32_t, x);
  const std::uint32_t sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
  // Below 2^-14 adding 1/2 leaves the rounded subnormal in the low bits.
  const float shifted = __builtin_bit_cast(float, magnitude) + 0.5f;
  const std::uint32_t small = __builtin_bit_cast(std::uint32_t, shifted) - 0x3f000000u;
  const std::uint32_t normal = (magnitude + 0xfffu + ((magnitude >> 13) & 1u) - (112u << 23)) >> 13;
  std::uint32_t half = magnitude < 0x38800000u ? small : normal;
  half = magnitude >= 0x477ff000u ? 0x7c00u : half;  // rounds past 65504
  half = magnitude > 0x7f800000u ? 0x7e00u : half;
  return static_cast<std::uint16_t>(half | sign);
}
#endif

}  // namespace

void half_to_float(const std::uint16_t* x, std::int64_t n, float* y) {
#if defined(__AVX512F__)
  convert_array<16>(x, n, y, [](const std::uint16_t* p, float* q) {
    _mm512_storeu_ps(q, _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
  });
#elif defined(__F16C__)
  convert_array<8>(x, n, y, [](const std::uint16_t* p, float* q) {
    _mm256_storeu_ps(q, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  });
#elif defined(__aarch64__)
  convert_array<4>(x, n, y, [](const std::uint16_t* p, float* q) {
    vst1q_f32(q, vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))));
  });
#else
  convert_array<1>(x, n, y, [](const std::uint16_t* p, float* q) { *q = widen(*p); });
#endif
}

void float_to_half(const float* x, std::int64_t n, std::uint16_t* y) {
#if defined(__AVX512F__)
  convert_array<16>(x, n, y, [](const float* p, std::uint16_t* q) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(q),
                        _mm512_cvtps_ph(_mm512_loadu_ps(p), _MM_FROUND_TO_NEAREST_INT));
  });
#elif defined(__F16C__)
  convert_array<8>(x, n, y, [](const float* p, std::uint16_t* q) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(q),
                     _mm256_cvtps_ph(_mm256_loadu_ps(p), _MM_FROUND_TO_NEAREST_INT));
  });
#elif defined(__aarch64__)
  convert_array<4>(x, n, y, [](const float* p, std::uint16_t* q) {
    vst1_u16(q, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(p))));
  });
#else
  convert_array<1>(x, n, y, [](const float* p, std::uint16_t* q) { *q = narrow(*p); });
#endif
}

}  // namespace mini_infer::simd::MINI_ISA
