// Types of values: dtype and shape from TypeProto.
#pragma once

#include <mini_infer/tensor.h>

#include <functional>
#include <optional>
#include <string>

#include "graph/ir/dim.h"
#include "graph/onnx/proto.h"

namespace mini_infer {

struct ValueType {
  DType dtype = DType::kUndefined;
  std::optional<SymShape> shape;
};

// Each dimension that the model leaves open becomes an unknown of its own. kNotImplemented for
// what is no dense tensor. A missing type is a ValueType that says nothing.
Result<ValueType> read_type(const pb::ValueInfoProto& info);

// The inverse: extents that are numbers or `names(symbol)`s; the others are left open.
void write_type(const ValueType& type, const std::function<bool(const std::string&)>& names,
                pb::TypeProto& proto);

// Whether a value could be both: known dtypes, ranks and extents agree.
bool compatible(const ValueType& a, const ValueType& b);
// "float32[N,3]"
std::string type_str(const ValueType& type);

}  // namespace mini_infer
