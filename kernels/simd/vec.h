// A vector of floats of the instruction set being compiled for. The one place that names xsimd, and
// the operations that xsimd 8.1 lacks or lowers badly. Included by *.simd.cc only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <xsimd/xsimd.hpp>

#define MINI_INLINE inline __attribute__((always_inline))

// Before a loop over registers, which must be unrolled wholly.
#if defined(__clang__)
#define MINI_UNROLL _Pragma("unroll")
#else
#define MINI_UNROLL _Pragma("GCC unroll 64")
#endif

#if defined(__aarch64__)
namespace xsimd {
// xsimd 8.1 divides floats by an estimate of the reciprocal on NEON, which is off by several ulp
// and fails for denormals.
template <>
inline batch<float, neon64>& batch<float, neon64>::operator/=(
    batch<float, neon64> const& other) noexcept {
  return *this = vdivq_f32(*this, other);
}
}  // namespace xsimd
#endif

namespace mini_infer::simd::MINI_ISA {

using Arch = xsimd::MINI_XSIMD_ARCH;
using Vec = xsimd::batch<float, Arch>;
using VecI = xsimd::batch<std::int32_t, Arch>;
using Mask = xsimd::batch_bool<float, Arch>;
inline constexpr int kLanes = static_cast<int>(Vec::size);
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int kRegisters = 32;
#else
inline constexpr int kRegisters = 16;
#endif

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

// Whether fma_low() may take less time than fma().
#if defined(__AVX512F__)
inline constexpr bool kHalfPays = true;
#else
inline constexpr bool kHalfPays = false;
#endif

// fma(broadcast(a), b, c) of the lower half of the lanes; what the others hold means nothing.
MINI_INLINE Vec fma_low(float a, Vec b, Vec c) {
#if defined(__AVX512F__)
  return _mm512_castps256_ps512(_mm256_fmadd_ps(_mm256_set1_ps(a), _mm512_castps512_ps256(b),
                                                _mm512_castps512_ps256(c)));
#else
  return fma(broadcast(a), b, c);
#endif
}
// The same address, but the compiler does not know: what is read there is read again.
MINI_INLINE const float* same_address(const float* p) {
  asm("" : "+r"(p));
  return p;
}
// The same vector, but the compiler does not know: it stays in a register instead of being read
// again from where it came from.
MINI_INLINE Vec in_register(Vec v) {
#if defined(__aarch64__)
  asm("" : "+w"(v.data));
#else
  asm("" : "+v"(v.data));
#endif
  return v;
}

// The same vector, but the compiler does not use it before it has done what is above.
MINI_INLINE Vec not_earlier(Vec v) {
#if defined(__aarch64__)
  asm volatile("" : "+w"(v.data) : : "memory");
#else
  asm volatile("" : "+v"(v.data) : : "memory");
#endif
  return v;
}

// a[lane] * b + c; one instruction on NEON.
MINI_INLINE Vec fma_lane(Vec a, int lane, Vec b, Vec c) {
#if defined(__aarch64__)
  switch (lane) {
    case 0:
      return vfmaq_laneq_f32(c, b, a, 0);
    case 1:
      return vfmaq_laneq_f32(c, b, a, 1);
    case 2:
      return vfmaq_laneq_f32(c, b, a, 2);
    default:
      return vfmaq_laneq_f32(c, b, a, 3);
  }
#else
  return fma(broadcast(a.get(static_cast<std::size_t>(lane))), b, c);
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

// The greater of the two; `bound` where x is NaN.
MINI_INLINE Vec max_number(Vec x, Vec bound) {
#if defined(__aarch64__)
  return vmaxnmq_f32(x, bound);
#else
  return max_nan(bound, x);
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

// The same bits as the other type. (xsimd 8.1 copies bytes in memory on NEON, in a function that g++
// does not inline.)
MINI_INLINE Vec as_float(VecI x) {
#if defined(__aarch64__)
  return vreinterpretq_f32_s32(x);
#else
  return xsimd::bitwise_cast<Vec>(x);
#endif
}
MINI_INLINE VecI as_int(Vec x) {
#if defined(__aarch64__)
  return vreinterpretq_s32_f32(x);
#else
  return xsimd::bitwise_cast<VecI>(x);
#endif
}

MINI_INLINE Vec abs(Vec x) { return xsimd::abs(x); }
MINI_INLINE Vec sqrt(Vec x) {
#if defined(__aarch64__)
  return vsqrtq_f32(x);  // xsimd 8.1 estimates
#else
  return xsimd::sqrt(x);
#endif
}
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

// The square of vectors v[row][lane] transposed.
MINI_INLINE void transpose(Vec (&v)[kLanes]) {
#if defined(__AVX512F__)
  __m512 t[16], u[16];
  MINI_UNROLL
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
  }
  // u[4 g + c]: columns c, c + 4, c + 8, c + 12 of rows 4 g .. 4 g + 3
  MINI_UNROLL
  for (int i = 0; i < 16; i += 4) {
    u[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
    u[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
    u[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    u[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  MINI_UNROLL
  for (int c = 0; c < 4; ++c) {
    const __m512 low01 = _mm512_shuffle_f32x4(u[c], u[4 + c], 0x44);
    const __m512 high01 = _mm512_shuffle_f32x4(u[c], u[4 + c], 0xee);
    const __m512 low23 = _mm512_shuffle_f32x4(u[8 + c], u[12 + c], 0x44);
    const __m512 high23 = _mm512_shuffle_f32x4(u[8 + c], u[12 + c], 0xee);
    v[c] = _mm512_shuffle_f32x4(low01, low23, 0x88);
    v[4 + c] = _mm512_shuffle_f32x4(low01, low23, 0xdd);
    v[8 + c] = _mm512_shuffle_f32x4(high01, high23, 0x88);
    v[12 + c] = _mm512_shuffle_f32x4(high01, high23, 0xdd);
  }
#elif defined(__AVX2__)
  __m256 u[8];
  MINI_UNROLL
  for (int i = 0; i < 8; i += 4) {
    const __m256 a = _mm256_unpacklo_ps(v[i], v[i + 1]), b = _mm256_unpackhi_ps(v[i], v[i + 1]);
    const __m256 c = _mm256_unpacklo_ps(v[i + 2], v[i + 3]);
    const __m256 d = _mm256_unpackhi_ps(v[i + 2], v[i + 3]);
    u[i] = _mm256_shuffle_ps(a, c, 0x44);
    u[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
    u[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
    u[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
  }
  MINI_UNROLL
  for (int c = 0; c < 4; ++c) {
    v[c] = _mm256_permute2f128_ps(u[c], u[4 + c], 0x20);
    v[4 + c] = _mm256_permute2f128_ps(u[c], u[4 + c], 0x31);
  }
#elif defined(__SSE2__)
  const __m128 a = _mm_unpacklo_ps(v[0], v[1]), b = _mm_unpackhi_ps(v[0], v[1]);
  const __m128 c = _mm_unpacklo_ps(v[2], v[3]), d = _mm_unpackhi_ps(v[2], v[3]);
  v[0] = _mm_shuffle_ps(a, c, 0x44);
  v[1] = _mm_shuffle_ps(a, c, 0xee);
  v[2] = _mm_shuffle_ps(b, d, 0x44);
  v[3] = _mm_shuffle_ps(b, d, 0xee);
#else
  const float32x4x2_t low = vzipq_f32(v[0], v[2]), high = vzipq_f32(v[1], v[3]);
  const float32x4x2_t even = vzipq_f32(low.val[0], high.val[0]);
  const float32x4x2_t odd = vzipq_f32(low.val[1], high.val[1]);
  v[0] = even.val[0];
  v[1] = even.val[1];
  v[2] = odd.val[0];
  v[3] = odd.val[1];
#endif
}

// body(i, n) for consecutive chunks of at most kLanes elements: n == kLanes for all but perhaps the
// last.
template <class Body>
MINI_INLINE void for_each_vector(std::size_t size, Body&& body) {
  std::size_t i = 0;
  for (; i + kLanes <= size; i += kLanes) body(i, kLanes);
  if (i < size) body(i, static_cast<int>(size - i));
}

}  // namespace mini_infer::simd::MINI_ISA
