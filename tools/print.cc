#include "tools/print.h"

#include <algorithm>
#include <cmath>

#include "tools/common.h"
#include "tools/text.h"
#include "tools/values.h"

namespace mini_infer::tools {
namespace {

constexpr std::size_t kFirst = 5;

std::vector<std::string> first_elements(const Tensor& tensor) {
  std::vector<std::string> first;
  visit(tensor, [&]<class T>(std::span<const T> values) {
    for (const T& value : values.first(std::min(kFirst, values.size()))) {
      if constexpr (std::is_same_v<T, std::string>) {
        first.push_back('\'' + printable(value) + '\'');
      } else if constexpr (std::is_integral_v<T>) {
        first.push_back(std::to_string(value));
      } else {
        first.push_back(format("%.6g", to_double(value)));
      }
    }
  });
  return first;
}

}  // namespace

Summary summarize(const Tensor& tensor) {
  Summary summary{.first = first_elements(tensor)};
  double sum = 0;
  std::int64_t finite = 0;
  const auto add = [&](double value) {
    if (!std::isfinite(value)) {
      ++summary.not_finite;
      return;
    }
    summary.min = finite == 0 ? value : std::min(summary.min, value);
    summary.max = finite == 0 ? value : std::max(summary.max, value);
    sum += value;
    ++finite;
  };
  // One by one: weights may be too large for a copy in double precision.
  const bool known = visit(tensor, [&]<class T>(std::span<const T> values) {
    if constexpr (!std::is_same_v<T, std::string>) {
      for (const T value : values) add(to_double(value));
    }
  });
  if (!known) {
    for (const double value : as_doubles(tensor)) add(value);
  }
  summary.mean = finite > 0 ? sum / static_cast<double>(finite) : 0;
  return summary;
}

std::string summary_line(const std::string& name, const Tensor& tensor) {
  const Summary summary = summarize(tensor);
  std::string line =
      printable(name) + "  " + std::string(dtype_name(tensor.dtype())) + ' ' + tensor.shape().str();
  if (tensor.elements() == 0) return line + "  (no elements)";
  if (tensor.dtype() != DType::kString) {
    line += format("  min %.6g  max %.6g  mean %.6g", summary.min, summary.max, summary.mean);
  }
  if (summary.not_finite > 0)
    line += format("  not finite %lld", static_cast<long long>(summary.not_finite));
  line += "  first";
  for (const std::string& element : summary.first) line += ' ' + element;
  if (static_cast<std::size_t>(tensor.elements()) > summary.first.size()) line += " ...";
  return line;
}

Json summary_json(const std::string& name, const Tensor& tensor) {
  const Summary summary = summarize(tensor);
  Json json = {
      {"name", name}, {"dtype", dtype_name(tensor.dtype())}, {"shape", shape_json(tensor.shape())}};
  Json first = Json::array();
  visit(tensor, [&]<class T>(std::span<const T> values) {
    for (const T& value : values.first(std::min(kFirst, values.size()))) {
      if constexpr (std::is_class_v<T> && !std::is_same_v<T, std::string>) {
        first.push_back(to_double(value));
      } else {
        first.push_back(value);
      }
    }
  });
  if (tensor.dtype() != DType::kString) {
    json["min"] = summary.min;
    json["max"] = summary.max;
    json["mean"] = summary.mean;
    json["not_finite"] = summary.not_finite;
  }
  json["first"] = first;
  return json;
}

std::string describe(const ValueInfo& value) {
  return printable(value.name) + " (" + std::string(dtype_name(value.dtype)) + ' ' +
         value.shape_str() + ')';
}

Json describe_json(const ValueInfo& value) {
  Json json = {{"name", value.name}, {"dtype", dtype_name(value.dtype)}, {"shape", nullptr}};
  if (!value.dims) return json;
  json["shape"] = Json::array();
  for (const DimInfo& dim : *value.dims) {
    if (dim.value >= 0) {
      json["shape"].push_back(dim.value);
    } else if (dim.name.empty()) {
      json["shape"].push_back(nullptr);
    } else {
      json["shape"].push_back(dim.name);
    }
  }
  return json;
}

Json shape_json(const Shape& shape) { return shape.dims(); }

std::string Table::str() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t c = 0; c < row.size(); ++c) {
      widths[c] = std::max(widths[c], from_utf8(row[c]).size());
    }
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string blanks(widths[c] - from_utf8(row[c]).size(), ' ');
      const bool right = std::find(right_.begin(), right_.end(), c) != right_.end();
      line += (c > 0 ? "  " : "") + (right ? blanks + row[c] : row[c] + blanks);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  return out;
}

std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace mini_infer::tools
