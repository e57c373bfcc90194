// Element types as the scalar kernels compute with them.
#pragma once

#include <mini_infer/tensor.h>

#include <concepts>
#include <string>
#include <type_traits>

namespace mini_infer {

template <class T>
inline constexpr bool kIsHalf = std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>;
template <class T>
inline constexpr bool kIsFloating = std::is_floating_point_v<T> || kIsHalf<T>;
template <class T>
inline constexpr bool kIsInteger = std::is_integral_v<T> && !std::is_same_v<T, bool>;

// Arithmetic on half-precision elements happens in float.
template <class T>
using ComputeType = std::conditional_t<kIsHalf<T>, float, T>;

template <class T>
inline decltype(auto) widen(const T& x) {
  if constexpr (kIsHalf<T>) {
    return to_float(x);
  } else {
    return (x);
  }
}
template <class T, class C>
inline T narrow(C x) {
  if constexpr (std::is_same_v<T, Float16>) {
    return to_float16(static_cast<float>(x));
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return to_bfloat16(static_cast<float>(x));
  } else {
    return static_cast<T>(x);
  }
}

}  // namespace mini_infer
