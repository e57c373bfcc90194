// Elements of any numeric dtype as double, for kernels that compute by definition.
#pragma once

#include <mini_infer/tensor.h>

#include <type_traits>

#include "graph/ir/constants.h"

namespace mini_infer {

template <class T>
double real(T value) {
  if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>) {
    return static_cast<double>(to_float(value));
  } else {
    return static_cast<double>(value);
  }
}

// Rounds where T has fewer bits; the value must be in the range of an integer T.
template <class T>
T from_real(double value) {
  if constexpr (std::is_same_v<T, Float16>) {
    return to_float16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return to_bfloat16(static_cast<float>(value));
  } else {
    return static_cast<T>(value);
  }
}

// Calls f.template operator()<T>() with the C++ type of a floating dtype; false for other dtypes.
template <class F>
bool dispatch_floating(DType dtype, F&& f) {
  bool floating = false;
  dispatch_dtype(dtype, [&]<class T>() {
    if constexpr (!std::is_integral_v<T>) {
      f.template operator()<T>();
      floating = true;
    }
  });
  return floating;
}

}  // namespace mini_infer
