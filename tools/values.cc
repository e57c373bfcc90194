#include "tools/values.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "tools/common.h"

namespace mini_infer::tools {
namespace {

template <class T>
T from_double(double value) {
  if constexpr (std::is_same_v<T, Float16>) {
    return to_float16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return to_bfloat16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<T, bool>) {
    return value != 0;
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else {
    if (std::isnan(value)) return 0;
    const double rounded = std::nearbyint(value);
    if (rounded <= static_cast<double>(std::numeric_limits<T>::min())) {
      return std::numeric_limits<T>::min();
    }
    if (rounded >= static_cast<double>(std::numeric_limits<T>::max())) {
      return std::numeric_limits<T>::max();
    }
    return static_cast<T>(rounded);
  }
}

}  // namespace

std::vector<double> as_doubles(const Tensor& tensor) {
  std::vector<double> out;
  visit(tensor, [&]<class T>(std::span<const T> values) {
    if constexpr (!std::is_same_v<T, std::string>) {
      out.reserve(values.size());
      for (const T value : values) out.push_back(to_double(value));
    }
  });
  const auto append = [&](const auto* numbers) {
    out.assign(numbers, numbers + 2 * tensor.elements());
  };
  if (tensor.dtype() == DType::kComplex64) append(static_cast<const float*>(tensor.data()));
  if (tensor.dtype() == DType::kComplex128) append(static_cast<const double*>(tensor.data()));
  return out;
}

Status set_all(Tensor& tensor, std::span<const double> values) {
  bool numeric = true;
  const bool known = visit(tensor, [&]<class T>(std::span<const T>) {
    if constexpr (std::is_same_v<T, std::string>) {
      numeric = false;
    } else {
      T* out = tensor.mutable_data<T>();
      for (std::size_t i = 0; i < values.size(); ++i) out[i] = from_double<T>(values[i]);
    }
  });
  if (known && numeric) return ok();
  return {Code::kNotImplemented, format("numbers cannot be put into a tensor of type %s",
                                        std::string(dtype_name(tensor.dtype())).c_str())};
}

Result<Tensor> as_float_type(const Tensor& tensor, DType dtype) {
  if (tensor.dtype() == dtype || !is_float(tensor.dtype()) || !is_float(dtype)) return tensor;
  MINI_TRY_ASSIGN(Tensor converted, Tensor::allocate(dtype, tensor.shape()));
  MINI_TRY(set_all(converted, as_doubles(tensor)));
  return converted;
}

Result<Tensor> filled(DType dtype, const Shape& shape, double value) {
  MINI_TRY_ASSIGN(Tensor tensor, Tensor::allocate(dtype, shape));
  const std::vector<double> values(static_cast<std::size_t>(tensor.elements()), value);
  MINI_TRY(set_all(tensor, values));
  return tensor;
}

}  // namespace mini_infer::tools
