#include "kernels/quantize/quantize.simd.h"

#include "kernels/simd/vec.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

// The low bytes of integers within [-128, 255].
MINI_INLINE void store_bytes(std::uint8_t* y, VecI v) {
#if defined(__AVX512F__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(y), _mm512_cvtepi32_epi8(v));
#elif defined(__AVX2__)
  const __m256i all = v;
  const __m128i words =
      _mm_packs_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
  const __m128i low = _mm_and_si128(words, _mm_set1_epi16(0xff));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(y), _mm_packus_epi16(low, low));
#elif defined(__SSE2__)
  const __m128i low = _mm_and_si128(_mm_packs_epi32(v, v), _mm_set1_epi16(0xff));
  const std::int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(low, low));
  __builtin_memcpy(y, &bytes, sizeof(bytes));
#else
  const int16x4_t words = vmovn_s32(v);
  const int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
  vst1_lane_s32(reinterpret_cast<std::int32_t*>(y), vreinterpret_s32_s8(bytes), 0);
#endif
}

MINI_INLINE Vec load_bytes(const std::uint8_t* x) {
#if defined(__AVX512F__)
  return _mm512_cvtepi32_ps(
      _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x))));
#elif defined(__AVX2__)
  return _mm256_cvtepi32_ps(
      _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(x))));
#else
  std::int32_t bytes = 0;
  __builtin_memcpy(&bytes, x, sizeof(bytes));
#if defined(__SSE2__)
  return _mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(bytes)));
#else
  return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_s32(vdup_n_s32(bytes))))));
#endif
#endif
}

MINI_INLINE Vec load_bytes(const std::int8_t* x) {
#if defined(__AVX512F__)
  return _mm512_cvtepi32_ps(
      _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x))));
#elif defined(__AVX2__)
  return _mm256_cvtepi32_ps(
      _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(x))));
#else
  std::int32_t bytes = 0;
  __builtin_memcpy(&bytes, x, sizeof(bytes));
#if defined(__SSE2__)
  return _mm_cvtepi32_ps(_mm_cvtepi8_epi32(_mm_cvtsi32_si128(bytes)));
#else
  return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(bytes))))));
#endif
#endif
}

template <class T>
MINI_INLINE void dequantize(const T* x, std::int64_t n, float scale, float zero_point, float* y) {
  const Vec s(scale), z(zero_point);
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, (load_bytes(x + i) - z) * s);
  if (i < n) {
    T rest[kLanes] = {};
    __builtin_memcpy(rest, x + i, static_cast<std::size_t>(n - i));
    store(y + i, (load_bytes(rest) - z) * s, static_cast<int>(n - i));
  }
}

}  // namespace

void quantize_f32(const float* x, std::int64_t n, float scale, float zero_point, float low,
                  float high, std::uint8_t* y) {
  const Vec s(scale), z(zero_point), least(low), most(high);
  const auto whole = [&](Vec v) {
    // A NaN becomes `low`.
    const Vec rounded = round_even(v / s) + z;
    return round_to_int(min_nan(max_number(rounded, least), most));
  };
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store_bytes(y + i, whole(load(x + i)));
  if (i < n) {
    std::uint8_t rest[kLanes];
    store_bytes(rest, whole(load(x + i, static_cast<int>(n - i))));
    __builtin_memcpy(y + i, rest, static_cast<std::size_t>(n - i));
  }
}

void dequantize_u8(const std::uint8_t* x, std::int64_t n, float scale, float zero_point, float* y) {
  dequantize(x, n, scale, zero_point, y);
}

void dequantize_s8(const std::int8_t* x, std::int64_t n, float scale, float zero_point, float* y) {
  dequantize(x, n, scale, zero_point, y);
}

}  // namespace mini_infer::simd::MINI_ISA
