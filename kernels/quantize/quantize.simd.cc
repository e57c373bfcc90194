#include "kernels/quantize/quantize.simd.h"

#include "kernels/simd/vec.h"

namespace mini_infer::simd::MINI_ISA {
namespace {

// As many bytes, and as many integers, as a vector has floats.
using Bytes [[gnu::vector_size(kLanes)]] = std::uint8_t;
using SignedBytes [[gnu::vector_size(kLanes)]] = std::int8_t;
using Integers [[gnu::vector_size(4 * kLanes)]] = std::int32_t;
using Floats [[gnu::vector_size(4 * kLanes)]] = float;

MINI_INLINE Bytes low_bytes(VecI v) {
  Integers whole;
  alignas(64) std::int32_t lanes[kLanes];
  v.store_aligned(lanes);
  __builtin_memcpy(&whole, lanes, sizeof(whole));
  return __builtin_convertvector(whole, Bytes);
}

template <class B, class T>
MINI_INLINE Vec from_bytes(const T* x, std::size_t count) {
  B bytes = {};
  __builtin_memcpy(&bytes, x, count);
  const Floats floats = __builtin_convertvector(__builtin_convertvector(bytes, Integers), Floats);
  alignas(64) float lanes[kLanes];
  __builtin_memcpy(lanes, &floats, sizeof(floats));
  return Vec::load_aligned(lanes);
}

template <class B, class T>
MINI_INLINE void dequantize(const T* x, std::int64_t n, float scale, float zero_point, float* y) {
  const Vec s(scale), z(zero_point);
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, (from_bytes<B>(x + i, kLanes) - z) * s);
  if (i < n) {
    const Vec v = from_bytes<B>(x + i, static_cast<std::size_t>(n - i));
    store(y + i, (v - z) * s, static_cast<int>(n - i));
  }
}

}  // namespace

void quantize_f32(const float* x, std::int64_t n, float scale, float zero_point, float low,
                  float high, std::uint8_t* y) {
  const Vec s(scale), z(zero_point), least(low), most(high);
  const auto bytes = [&](Vec v) {
    // In this order a NaN becomes `low`.
    const Vec rounded = round_even(v / s) + z;
    return low_bytes(round_to_int(min_nan(max_nan(least, rounded), most)));
  };
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Bytes b = bytes(load(x + i));
    __builtin_memcpy(y + i, &b, kLanes);
  }
  if (i < n) {
    const Bytes b = bytes(load(x + i, static_cast<int>(n - i)));
    __builtin_memcpy(y + i, &b, static_cast<std::size_t>(n - i));
  }
}

void dequantize_u8(const std::uint8_t* x, std::int64_t n, float scale, float zero_point, float* y) {
  dequantize<Bytes>(x, n, scale, zero_point, y);
}

void dequantize_s8(const std::int8_t* x, std::int64_t n, float scale, float zero_point, float* y) {
  dequantize<SignedBytes>(x, n, scale, zero_point, y);
}

}  // namespace mini_infer::simd::MINI_ISA
