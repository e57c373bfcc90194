// Expected tensors written as functions of the output's index.
#pragma once

#include <mini_infer/tensor.h>

#include <functional>
#include <vector>

namespace mini_infer {

using Index = std::vector<std::int64_t>;

// f(index) for every index of `shape`, in row-major order.
inline std::vector<double> tabulate(const Shape& shape,
                                    const std::function<double(const Index&)>& f) {
  std::vector<double> out;
  Index index(shape.rank(), 0);
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    out.push_back(f(index));
    for (std::size_t axis = shape.rank(); axis-- > 0;) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
  return out;
}

// Number of the element at `index`.
inline std::int64_t offset_of(const Shape& shape, const Index& index) {
  std::int64_t offset = 0;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    offset = offset * shape[axis] + index[axis];
  }
  return offset;
}

// Element of a float tensor.
inline double at(const Tensor& tensor, const Index& index) {
  return static_cast<double>(tensor.data<float>()[offset_of(tensor.shape(), index)]);
}

}  // namespace mini_infer
