// A vector of floats of the instruction set being compiled for. The one place that names xsimd, and
// the operations that xsimd 8.1 lacks or lowers badly. Included by *.simd.cc only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <xsimd/xsimd.hpp>

#define MINI_INLINE inline __attribute__((always_inline))

namespace mini_infer::simd::MINI_ISA {

using Arch = xsimd::MINI_XSIMD_ARCH;
using Vec = xsimd::batch<float, Arch>;
using VecI = xsimd::batch<std::int32_t, Arch>;
using Mask = xsimd::batch_bool<float, Arch>;
inline constexpr int kLanes = static_cast<int>(Vec::size);

MINI_INLINE Vec load(const float* p) { return Vec::load_unaligned(p); }
MINI_INLINE void store(float* p, Vec v) { v.store_unaligned(p); }
MINI_INLINE Vec broadcast(float x) { return Vec(x); }
MINI_INLINE Vec zero() { return Vec(0.f); }

// The first n lanes, 0 < n <= kLanes; the rest read as zero, and are not written. Memory behind the
// n lanes is not touched.
#if defined(__AVX2__) && !defined(__AVX512F__)
MINI_INLINE __m256i first_lanes(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
#endif
MINI_INLINE Vec load(const float* p, int n) {
  if (__builtin_constant_p(n) && n == kLanes) return load(p);
#if defined(__AVX512F__)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1u), p);
#elif defined(__AVX2__)
  return _mm256_maskload_ps(p, first_lanes(n));
#else
  if (n == kLanes) return load(p);
  return Vec{p[0], n > 1 ? p[1] : 0.f, n > 2 ? p[2] : 0.f, 0.f};
#endif
}
MINI_INLINE void store(float* p, Vec v, int n) {
  if (__builtin_constant_p(n) && n == kLanes) return store(p, v);
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1u), v);
#elif defined(__AVX2__)
  _mm256_maskstore_ps(p, first_lanes(n), v);
#else
  if (n == kLanes) return store(p, v);
  alignas(16) float lanes[kLanes];
  v.store_aligned(lanes);
  p[0] = lanes[0];
  if (n > 1) p[1] = lanes[1];
  if (n > 2) p[2] = lanes[2];
#endif
}

MINI_INLINE VecI load(const std::int32_t* p) { return VecI::load_unaligned(p); }
MINI_INLINE void store(std::int32_t* p, VecI v) { v.store_unaligned(p); }

// a * b + c and c - a * b, fused where the set has FMA. (xsimd 8.1 lowers fma to mul and add on
// AVX-512.)
MINI_INLINE Vec fma(Vec a, Vec b, Vec c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__)
  return _mm256_fmadd_ps(a, b, c);
#elif defined(__aarch64__)
  return vfmaq_f32(c, a, b);
#else
  return a * b + c;
#endif
}
MINI_INLINE Vec fnma(Vec a, Vec b, Vec c) {
#if defined(__AVX512F__)
  return _mm512_fnmadd_ps(a, b, c);
#elif defined(__AVX2__)
  return _mm256_fnmadd_ps(a, b, c);
#elif defined(__aarch64__)
  return vfmsq_f32(c, a, b);
#else
  return c - a * b;
#endif
}

// max and min that return NaN when x is NaN, as ONNX's reference does; `bound` must not be NaN.
// (x86 returns its second operand when either is NaN, so the order matters.)
MINI_INLINE Vec max_nan(Vec x, Vec bound) {
#if defined(__AVX512F__)
  return _mm512_max_ps(bound, x);
#elif defined(__AVX2__)
  return _mm256_max_ps(bound, x);
#elif defined(__SSE2__)
  return _mm_max_ps(bound, x);
#else
  return vmaxq_f32(x, bound);
#endif
}
MINI_INLINE Vec min_nan(Vec x, Vec bound) {
#if defined(__AVX512F__)
  return _mm512_min_ps(bound, x);
#elif defined(__AVX2__)
  return _mm256_min_ps(bound, x);
#elif defined(__SSE2__)
  return _mm_min_ps(bound, x);
#else
  return vminq_f32(x, bound);
#endif
}

// The greater, or the lesser, of two vectors; NaN where either is NaN.
MINI_INLINE Vec max_both_nan(Vec a, Vec b) {
#if defined(__aarch64__)
  return vmaxq_f32(a, b);
#else
  return xsimd::select(a == a, max_nan(b, a), a);
#endif
}
MINI_INLINE Vec min_both_nan(Vec a, Vec b) {
#if defined(__aarch64__)
  return vminq_f32(a, b);
#else
  return xsimd::select(a == a, min_nan(b, a), a);
#endif
}

// To an integer value: nearest (ties to even), down, up, towards zero.
MINI_INLINE Vec round_even(Vec x) {
#if defined(__AVX512F__)
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(__AVX2__)
  return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(__SSE4_1__)
  return _mm_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
  return vrndnq_f32(x);
#endif
}
MINI_INLINE Vec floor(Vec x) {
#if defined(__AVX512F__)
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
#elif defined(__AVX2__)
  return _mm256_floor_ps(x);
#elif defined(__SSE4_1__)
  return _mm_floor_ps(x);
#else
  return vrndmq_f32(x);
#endif
}
MINI_INLINE Vec ceil(Vec x) {
#if defined(__AVX512F__)
  return _mm512_roundscale_ps(x, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
#elif defined(__AVX2__)
  return _mm256_ceil_ps(x);
#elif defined(__SSE4_1__)
  return _mm_ceil_ps(x);
#else
  return vrndpq_f32(x);
#endif
}

// To int32: round_to_int to nearest even, truncate_to_int towards zero. Out of range is
// unspecified.
MINI_INLINE VecI round_to_int(Vec x) {
#if defined(__AVX512F__)
  return _mm512_cvtps_epi32(x);
#elif defined(__AVX2__)
  return _mm256_cvtps_epi32(x);
#elif defined(__SSE2__)
  return _mm_cvtps_epi32(x);
#else
  return vcvtnq_s32_f32(x);
#endif
}
MINI_INLINE VecI truncate_to_int(Vec x) { return xsimd::to_int(x); }
MINI_INLINE Vec to_float(VecI x) { return xsimd::to_float(x); }

// The same bits as the other type.
MINI_INLINE Vec as_float(VecI x) { return xsimd::bitwise_cast<Vec>(x); }
MINI_INLINE VecI as_int(Vec x) { return xsimd::bitwise_cast<VecI>(x); }

MINI_INLINE Vec abs(Vec x) { return xsimd::abs(x); }
MINI_INLINE Vec sqrt(Vec x) { return xsimd::sqrt(x); }
// |magnitude| with the sign bit of `sign`; magnitude must not be negative.
MINI_INLINE Vec with_sign(Vec magnitude, Vec sign) { return magnitude | (sign & Vec(-0.f)); }

MINI_INLINE float reduce_add(Vec v) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps(v);
#else
  return xsimd::hadd(v);
#endif
}
// The greatest lane; unspecified where a lane is NaN.
MINI_INLINE float reduce_max(Vec v) {
#if defined(__AVX512F__)
  return _mm512_reduce_max_ps(v);
#endif
  alignas(64) float lanes[kLanes];
  v.store_aligned(lanes);
  float most = lanes[0];
  for (int i = 1; i < kLanes; ++i) most = lanes[i] > most ? lanes[i] : most;
  return most;
}
MINI_INLINE Vec select(Mask m, Vec yes, Vec no) { return xsimd::select(m, yes, no); }

// body(i, n) for consecutive chunks of at most kLanes elements: n == kLanes for all but perhaps the
// last.
template <class Body>
MINI_INLINE void for_each_vector(std::size_t size, Body&& body) {
  std::size_t i = 0;
  for (; i + kLanes <= size; i += kLanes) body(i, kLanes);
  if (i < size) body(i, static_cast<int>(size - i));
}

}  // namespace mini_infer::simd::MINI_ISA
