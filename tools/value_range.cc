#include "tools/value_range.h"

#include <algorithm>
#include <cmath>

#include "tools/common.h"
#include "tools/text.h"
#include "tools/values.h"

namespace mini_infer::tools {

ValueRange range_of(const Tensor& tensor) {
  ValueRange range{.dtype = tensor.dtype(), .shape = tensor.shape()};
  visit(tensor, [&]<class T>(std::span<const T> values) {
    if constexpr (!std::is_same_v<T, std::string>) {
      for (const T element : values) {
        const double value = to_double(element);
        if (std::isnan(value)) {
          ++range.nan;
        } else if (std::isinf(value)) {
          ++range.infinite;
        } else {
          range.min = range.finite == 0 ? value : std::min(range.min, value);
          range.max = range.finite == 0 ? value : std::max(range.max, value);
          ++range.finite;
        }
      }
    }
  });
  return range;
}

std::string range_line(const std::string& name, const ValueRange& range) {
  std::string line =
      printable(name) + "  " + std::string(dtype_name(range.dtype)) + ' ' + range.shape.str();
  if (range.finite > 0) line += format("  from %.6g to %.6g", range.min, range.max);
  if (range.infinite > 0) line += format(", %lld infinite", static_cast<long long>(range.infinite));
  if (range.nan > 0) line += format(", %lld NaN", static_cast<long long>(range.nan));
  return line;
}

Json range_json(const std::string& name, const ValueRange& range) {
  Json json = {{"name", name},
               {"dtype", dtype_name(range.dtype)},
               {"shape", shape_json(range.shape)},
               {"min", nullptr},
               {"max", nullptr},
               {"infinite", range.infinite},
               {"nan", range.nan}};
  if (range.finite > 0) {
    json["min"] = range.min;
    json["max"] = range.max;
  }
  return json;
}

}  // namespace mini_infer::tools
