// The range of a tensor's elements.
#pragma once

#include <mini_infer/tensor.h>

#include <string>

#include "tools/print.h"

namespace mini_infer::tools {

struct ValueRange {
  DType dtype = DType::kUndefined;
  Shape shape;
  double min = 0, max = 0;  // over the finite elements
  std::int64_t finite = 0, infinite = 0, nan = 0;

  // 0: all elements are finite; 1: some are infinite; 2: some are NaN.
  int severity() const { return nan > 0 ? 2 : infinite > 0 ? 1 : 0; }
};

ValueRange range_of(const Tensor& tensor);
// "x  float32 [1,3]  from -1 to 2, 3 infinite, 1 NaN"
std::string range_line(const std::string& name, const ValueRange& range);
Json range_json(const std::string& name, const ValueRange& range);

}  // namespace mini_infer::tools
