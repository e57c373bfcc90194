// Elements of 8-bit tensors and their parameters, for the integer operators.
#pragma once

#include <mini_infer/tensor.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/op.h"

namespace mini_infer {

constexpr bool is_8bit(DType dtype) { return dtype == DType::kInt8 || dtype == DType::kUInt8; }

// Calls f.template operator()<X, W>() with the C++ types of two 8-bit dtypes.
template <class F>
void dispatch_8bit(DType x, DType w, F&& f) {
  if (x == DType::kInt8 && w == DType::kInt8) f.template operator()<std::int8_t, std::int8_t>();
  if (x == DType::kInt8 && w == DType::kUInt8) f.template operator()<std::int8_t, std::uint8_t>();
  if (x == DType::kUInt8 && w == DType::kInt8) f.template operator()<std::uint8_t, std::int8_t>();
  if (x == DType::kUInt8 && w == DType::kUInt8) f.template operator()<std::uint8_t, std::uint8_t>();
}

// A zero point or a scale: one for all, or one for each channel. Reads as `fallback` when left out.
class QuantParam {
 public:
  QuantParam() = default;
  // Input i of a node that has one of `count` elements; an error when it has another size.
  static Result<QuantParam> of(const PrepareContext& c, std::size_t i, std::int64_t count) {
    QuantParam param;
    if (!c.has_input(i)) return param;
    const std::int64_t elements = c.shape(i).elements();
    if (elements != 1 && elements != count) {
      return invalid_model("input ", i, " has shape ", c.shape(i),
                           "; a scale or zero point has one element, or one for each of the ",
                           count, " channels");
    }
    param.input_ = static_cast<int>(i);
    param.dtype_ = c.dtype(i);
    param.step_ = elements == 1 ? 0 : 1;
    return param;
  }

  std::int32_t integer(const KernelContext& k, std::int64_t channel) const {
    if (input_ < 0) return 0;
    const auto i = static_cast<std::size_t>(input_);
    switch (dtype_) {
      case DType::kInt8:
        return k.input<std::int8_t>(i)[channel * step_];
      case DType::kUInt8:
        return k.input<std::uint8_t>(i)[channel * step_];
      case DType::kInt32:
        return k.input<std::int32_t>(i)[channel * step_];
      default:
        return 0;
    }
  }
  float number(const KernelContext& k, std::int64_t channel) const {
    if (input_ < 0) return 1.f;
    const auto i = static_cast<std::size_t>(input_);
    switch (dtype_) {
      case DType::kFloat32:
        return k.input<float>(i)[channel * step_];
      case DType::kFloat16:
        return to_float(k.input<Float16>(i)[channel * step_]);
      case DType::kBFloat16:
        return to_float(k.input<BFloat16>(i)[channel * step_]);
      default:
        return 1.f;
    }
  }

 private:
  int input_ = -1;
  DType dtype_ = DType::kUndefined;
  std::int64_t step_ = 0;
};

// The zero point of input i (-1: none) where it is known before the run and the same for all
// channels; 0 where it is left out.
inline std::optional<std::int32_t> constant_zero_point(const PrepareContext& c, int i) {
  if (i < 0 || !c.has_input(static_cast<std::size_t>(i))) return 0;
  const Tensor* zero = c.constant(static_cast<std::size_t>(i));
  if (zero == nullptr || zero->elements() == 0 || !is_8bit(zero->dtype())) return std::nullopt;
  const auto value = [&](std::int64_t at) -> std::int32_t {
    return zero->dtype() == DType::kInt8 ? zero->data<std::int8_t>()[at]
                                         : zero->data<std::uint8_t>()[at];
  };
  for (std::int64_t at = 1; at < zero->elements(); ++at) {
    if (value(at) != value(0)) return std::nullopt;
  }
  return value(0);
}

// saturate(round half to even(value) + zero).
template <class T>
T requantize(float value, std::int32_t zero) {
  const float rounded = std::nearbyintf(value) + static_cast<float>(zero);
  constexpr float kLow = std::numeric_limits<T>::min(), kHigh = std::numeric_limits<T>::max();
  return static_cast<T>(rounded > kLow ? std::min(rounded, kHigh) : kLow);
}

}  // namespace mini_infer
