// Reading constants as numbers.
#pragma once

#include <mini_infer/tensor.h>

#include <optional>
#include <vector>

#include "graph/ir/attribute.h"

namespace mini_infer {

// The elements of an int64, int32 or narrower integer or bool tensor; no value for other dtypes.
std::optional<Ints> integers(const Tensor& tensor);
// The elements of any numeric tensor as double; no value for strings and complex numbers.
std::optional<std::vector<double>> numbers(const Tensor& tensor);
// The one element of a tensor with one element.
std::optional<double> single_number(const Tensor& tensor);

// Calls f.template operator()<T>() with the C++ type of a numeric or bool dtype; false when there
// is none (strings, complex).
template <class F>
bool dispatch_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kFloat32:
      f.template operator()<float>();
      return true;
    case DType::kFloat64:
      f.template operator()<double>();
      return true;
    case DType::kFloat16:
      f.template operator()<Float16>();
      return true;
    case DType::kBFloat16:
      f.template operator()<BFloat16>();
      return true;
    case DType::kInt8:
      f.template operator()<std::int8_t>();
      return true;
    case DType::kInt16:
      f.template operator()<std::int16_t>();
      return true;
    case DType::kInt32:
      f.template operator()<std::int32_t>();
      return true;
    case DType::kInt64:
      f.template operator()<std::int64_t>();
      return true;
    case DType::kUInt8:
      f.template operator()<std::uint8_t>();
      return true;
    case DType::kUInt16:
      f.template operator()<std::uint16_t>();
      return true;
    case DType::kUInt32:
      f.template operator()<std::uint32_t>();
      return true;
    case DType::kUInt64:
      f.template operator()<std::uint64_t>();
      return true;
    case DType::kBool:
      f.template operator()<bool>();
      return true;
    default:
      return false;
  }
}

}  // namespace mini_infer
