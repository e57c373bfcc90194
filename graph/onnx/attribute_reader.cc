#include <utility>

#include "graph/ir/text.h"
#include "graph/onnx/graph_builder.h"

namespace mini_infer {

using Type = pb::AttributeProto;

pb::AttributeProto::AttributeType attribute_type(const pb::AttributeProto& proto) {
  if (proto.type() != Type::UNDEFINED) return proto.type();
  if (proto.has_f()) return Type::FLOAT;
  if (proto.has_i()) return Type::INT;
  if (proto.has_s()) return Type::STRING;
  if (proto.has_t()) return Type::TENSOR;
  if (proto.has_g()) return Type::GRAPH;
  if (proto.has_sparse_tensor()) return Type::SPARSE_TENSOR;
  if (proto.has_tp()) return Type::TYPE_PROTO;
  if (proto.floats_size() > 0) return Type::FLOATS;
  if (proto.strings_size() > 0) return Type::STRINGS;
  if (proto.tensors_size() > 0) return Type::TENSORS;
  if (proto.graphs_size() > 0) return Type::GRAPHS;
  return Type::INTS;  // perhaps an empty list
}

Result<std::optional<Attribute>> read_plain_attribute(const pb::AttributeProto& proto,
                                                      TensorStore& tensors) {
  using Some = std::optional<Attribute>;
  switch (attribute_type(proto)) {
    case Type::FLOAT:
      return Some(proto.f());
    case Type::INT:
      return Some(std::int64_t{proto.i()});
    case Type::STRING:
      return Some(proto.s());
    case Type::FLOATS:
      return Some(Floats(proto.floats().begin(), proto.floats().end()));
    case Type::INTS:
      return Some(Ints(proto.ints().begin(), proto.ints().end()));
    case Type::STRINGS:
      return Some(Strings(proto.strings().begin(), proto.strings().end()));
    case Type::TENSOR: {
      MINI_TRY_ASSIGN(Tensor tensor, tensors.read(proto.t()));
      return Some(std::move(tensor));
    }
    case Type::SPARSE_TENSOR: {
      MINI_TRY_ASSIGN(Tensor tensor, tensors.read(proto.sparse_tensor()));
      return Some(std::move(tensor));
    }
    case Type::TENSORS: {
      std::vector<Tensor> list;
      for (const pb::TensorProto& item : proto.tensors()) {
        MINI_TRY_ASSIGN(Tensor tensor, tensors.read(item));
        list.push_back(std::move(tensor));
      }
      return Some(std::move(list));
    }
    default:
      return Some();
  }
}

Result<Tensor> constant_of(const Attributes& attributes) {
  for (const auto& [name, value] : attributes) {
    if (name == "value" || name == "sparse_value") {
      if (const auto* tensor = std::get_if<Tensor>(&value)) return *tensor;
    } else if (name == "value_float") {
      if (const auto* number = std::get_if<float>(&value)) return Tensor::scalar(*number);
    } else if (name == "value_int") {
      if (const auto* number = std::get_if<std::int64_t>(&value)) return Tensor::scalar(*number);
    } else if (name == "value_string") {
      if (const auto* text = std::get_if<std::string>(&value)) return Tensor::scalar(*text);
    } else if (name == "value_floats") {
      if (const auto* list = std::get_if<Floats>(&value)) {
        return Tensor::from<float>({static_cast<std::int64_t>(list->size())}, *list);
      }
    } else if (name == "value_ints") {
      if (const auto* list = std::get_if<Ints>(&value)) {
        return Tensor::from<std::int64_t>({static_cast<std::int64_t>(list->size())}, *list);
      }
    } else if (name == "value_strings") {
      if (const auto* list = std::get_if<Strings>(&value)) {
        return Tensor::from<std::string>({static_cast<std::int64_t>(list->size())}, *list);
      }
    }
  }
  return invalid_model(
      "a Constant needs one of value, sparse_value, value_float, value_floats, value_int, "
      "value_ints, value_string, value_strings");
}

}  // namespace mini_infer
