// A vector of floats of the instruction set being compiled for. The one place that names xsimd, and the operations that xsimd 8.1 lacks
// or lowers badly. Included by *.simd.cc only.
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

// The first n lanes, 0 < n <= kLanes; the rest read as zero, and are not written.
MINI_INLINE Vec load(const float* p, int n) {
#if defined(__AVX512F__)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1u), p);
#else
  alignas(64) float lanes[kLanes] = {};
  for (int i = 0; i < n; ++i) lanes[i] = p[i];
  return Vec::load_aligned(lanes);
#endif
}
MINI_INLINE void store(float* p, Vec v, int n) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1u), v);
#else
  alignas(64) float lanes[kLanes];
  v.store_aligned(lanes);
  for (int i = 0; i < n; ++i) p[i] = lanes[i];
#endif
}

// a * b + c and c - a * b, fused where the set has FMA. (xsimd 8.1 lowers fma to mul and add on AVX-512.)
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

// max and min that return NaN when x is NaN, as ONNX's reference does; `bound` must not be NaN. (x86 returns its second operand when either is
// NaN, so the order matters.)
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

MINI_INLINE float reduce_add(Vec v) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps(v);
#else
  return xsimd::hadd(v);
#endif
}
MINI_INLINE float reduce_max(Vec v) {
  alignas(64) float lanes[kLanes];
  v.store_aligned(lanes);
  float most = lanes[0];
  for (int i = 1; i < kLanes; ++i) most = lanes[i] > most ? lanes[i] : most;
  return most;
}
MINI_INLINE Vec select(Mask m, Vec yes, Vec no) { return xsimd::select(m, yes, no); }

// body(i, n) for consecutive chunks of at most kLanes elements: n == kLanes for all but perhaps the last.
template <class Body>
MINI_INLINE void for_each_vector(std::size_t size, Body&& body) {
  std::size_t i = 0;
  for (; i + kLanes <= size; i += kLanes) body(i, kLanes);
  if (i < size) body(i, static_cast<int>(size - i));
}

}  // namespace mini_infer::simd::MINI_ISA
