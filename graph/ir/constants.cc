#include "graph/ir/constants.h"

#include <type_traits>

namespace mini_infer {

std::optional<Ints> integers(const Tensor& tensor) {
  std::optional<Ints> out;
  dispatch_dtype(tensor.dtype(), [&]<class T>() {
    if constexpr (std::is_integral_v<T>) {
      const T* data = tensor.data<T>();
      out.emplace(data, data + tensor.elements());
    }
  });
  return out;
}

std::optional<std::vector<double>> numbers(const Tensor& tensor) {
  std::optional<std::vector<double>> out;
  dispatch_dtype(tensor.dtype(), [&]<class T>() {
    const T* data = tensor.data<T>();
    out.emplace();
    out->reserve(static_cast<std::size_t>(tensor.elements()));
    for (std::int64_t i = 0; i < tensor.elements(); ++i) {
      if constexpr (std::is_arithmetic_v<T>) {
        out->push_back(static_cast<double>(data[i]));
      } else {
        out->push_back(to_float(data[i]));
      }
    }
  });
  return out;
}

std::optional<double> single_number(const Tensor& tensor) {
  if (tensor.empty() || tensor.elements() != 1) return std::nullopt;
  const auto values = numbers(tensor);
  return values ? std::optional(values->front()) : std::nullopt;
}

}  // namespace mini_infer
