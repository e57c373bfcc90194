#include "graph/onnx/value_type.h"

#include <algorithm>
#include <string_view>

#include "graph/ir/text.h"
#include "graph/onnx/tensor_store.h"

namespace mini_infer {
namespace {

// Exporters write these where they do not know an extent; equal spellings do not mean equal
// extents.
constexpr std::string_view kUnknownNames[] = {"None", "none", "unk", "unknown", "-1", "?"};

Dim read_dim(const pb::TensorShapeProto::Dimension& dim, const std::string& value, int axis) {
  if (dim.has_dim_value() && dim.dim_value() >= 0) return dim.dim_value();
  const std::string& name = dim.dim_param();
  const bool unknown = name.empty() || name[0] == '?' ||
                       std::find(std::begin(kUnknownNames), std::end(kUnknownNames), name) !=
                           std::end(kUnknownNames);
  return unknown ? Dim(cat('?', value, '_', axis)) : Dim(name);
}

const char* kind_of(const pb::TypeProto& type) {
  switch (type.value_case()) {
    case pb::TypeProto::kSequenceType:
      return "a sequence";
    case pb::TypeProto::kMapType:
      return "a map";
    case pb::TypeProto::kOptionalType:
      return "an optional";
    case pb::TypeProto::kSparseTensorType:
      return "a sparse tensor";
    default:
      return "of an unknown kind";
  }
}

}  // namespace

Result<ValueType> read_type(const pb::ValueInfoProto& info) {
  ValueType type;
  if (!info.has_type() || info.type().value_case() == pb::TypeProto::VALUE_NOT_SET) return type;
  if (!info.type().has_tensor_type()) {
    return not_implemented(kind_of(info.type()), "; only tensors are implemented");
  }
  const pb::TypeProto::Tensor& tensor = info.type().tensor_type();
  if (tensor.elem_type() != 0) {
    MINI_TRY_ASSIGN(type.dtype, read_dtype(tensor.elem_type()));
  }
  if (tensor.has_shape()) {
    type.shape.emplace();
    for (int axis = 0; axis < tensor.shape().dim_size(); ++axis) {
      type.shape->push_back(read_dim(tensor.shape().dim(axis), info.name(), axis));
    }
  }
  return type;
}

void write_type(const ValueType& type, const std::function<bool(const std::string&)>& names,
                pb::TypeProto& proto) {
  pb::TypeProto::Tensor& tensor = *proto.mutable_tensor_type();
  tensor.set_elem_type(static_cast<int>(type.dtype));
  if (!type.shape) return;
  pb::TensorShapeProto& shape = *tensor.mutable_shape();  // present for a scalar, too
  for (const Dim& dim : *type.shape) {
    pb::TensorShapeProto::Dimension& added = *shape.add_dim();
    if (dim.known()) {
      added.set_dim_value(dim.value());
    } else if (!dim.made_up() && names(dim.symbol())) {
      added.set_dim_param(dim.symbol());
    }
  }
}

bool compatible(const ValueType& a, const ValueType& b) {
  if (a.dtype != DType::kUndefined && b.dtype != DType::kUndefined && a.dtype != b.dtype) {
    return false;
  }
  if (!a.shape || !b.shape) return true;
  return std::equal(a.shape->begin(), a.shape->end(), b.shape->begin(), b.shape->end(),
                    [](const Dim& x, const Dim& y) { return !x.known() || !y.known() || x == y; });
}

std::string type_str(const ValueType& type) {
  return cat(type.dtype, type.shape ? type.shape->str() : std::string("[?]"));
}

}  // namespace mini_infer
