// Reductions of single elements, for the Scatter operators.
#pragma once

#include <mini_infer/tensor.h>

#include <algorithm>
#include <type_traits>

#include "kernels/op.h"

namespace mini_infer {

enum class Reduction { kNone, kAdd, kMul, kMin, kMax };

// Attribute `reduction`, "none" by default.
inline Result<Reduction> reduction_of(const AttributeReader& c) {
  const std::string name = c.string("reduction", "none");
  if (name == "none") return Reduction::kNone;
  if (name == "add") return Reduction::kAdd;
  if (name == "mul") return Reduction::kMul;
  if (name == "min") return Reduction::kMin;
  if (name == "max") return Reduction::kMax;
  return not_implemented("reduction '", name, "'");
}

template <class T>
inline constexpr bool kIsHalf = std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>;

// What numbers of type T are reckoned in.
template <class T>
auto widened(T value) {
  if constexpr (kIsHalf<T>) {
    return to_float(value);
  } else {
    return value;
  }
}

template <class T, class From>
T narrowed(From value) {
  if constexpr (std::is_same_v<T, Float16>) {
    return to_float16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return to_bfloat16(static_cast<float>(value));
  } else {
    return static_cast<T>(value);
  }
}

template <class T>
T reduce(Reduction reduction, T a, T b) {
  const auto x = widened(a), y = widened(b);
  switch (reduction) {
    case Reduction::kAdd:
      return narrowed<T>(x + y);
    case Reduction::kMul:
      return narrowed<T>(x * y);
    case Reduction::kMin:
      return narrowed<T>(std::min(x, y));
    case Reduction::kMax:
      return narrowed<T>(std::max(x, y));
    case Reduction::kNone:
      break;
  }
  return b;
}

}  // namespace mini_infer
