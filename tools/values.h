// Reading the elements of a tensor of any type.
#pragma once

#include <mini_infer/tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mini_infer::tools {

// Calls fn(std::span<const T>) with the elements of `tensor`; false when the type has no C++ type
// here (complex, undefined).
template <class Fn>
bool visit(const Tensor& tensor, Fn&& fn) {
  switch (tensor.dtype()) {
    case DType::kFloat32:
      fn(tensor.values<float>());
      return true;
    case DType::kFloat64:
      fn(tensor.values<double>());
      return true;
    case DType::kFloat16:
      fn(tensor.values<Float16>());
      return true;
    case DType::kBFloat16:
      fn(tensor.values<BFloat16>());
      return true;
    case DType::kInt8:
      fn(tensor.values<std::int8_t>());
      return true;
    case DType::kInt16:
      fn(tensor.values<std::int16_t>());
      return true;
    case DType::kInt32:
      fn(tensor.values<std::int32_t>());
      return true;
    case DType::kInt64:
      fn(tensor.values<std::int64_t>());
      return true;
    case DType::kUInt8:
      fn(tensor.values<std::uint8_t>());
      return true;
    case DType::kUInt16:
      fn(tensor.values<std::uint16_t>());
      return true;
    case DType::kUInt32:
      fn(tensor.values<std::uint32_t>());
      return true;
    case DType::kUInt64:
      fn(tensor.values<std::uint64_t>());
      return true;
    case DType::kBool:
      fn(tensor.values<bool>());
      return true;
    case DType::kString:
      fn(tensor.values<std::string>());
      return true;
    default:
      return false;
  }
}

inline double to_double(Float16 value) { return to_float(value); }
inline double to_double(BFloat16 value) { return to_float(value); }
template <class T>
double to_double(T value) {
  return static_cast<double>(value);
}

inline bool is_float(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat64 || dtype == DType::kFloat16 ||
         dtype == DType::kBFloat16;
}

// The elements as double; empty for text; two for each complex number.
std::vector<double> as_doubles(const Tensor& tensor);
// Element i becomes values[i], rounded and clamped for integers. There are as many values as
// elements.
Status set_all(Tensor& tensor, std::span<const double> values);
// The same numbers as another type of floats, rounded; a tensor as it is where it or `dtype` is not
// of floats.
Result<Tensor> as_float_type(const Tensor& tensor, DType dtype);
// A tensor whose elements are all `value`.
Result<Tensor> filled(DType dtype, const Shape& shape, double value);

}  // namespace mini_infer::tools
