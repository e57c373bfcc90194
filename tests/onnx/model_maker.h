// Small ONNX models for tests, made with the protobuf classes.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

#include "graph/ir/text.h"
#include "graph/onnx/importer.h"
#include "graph/onnx/proto.h"

namespace mini_infer {

inline constexpr int kFloat = pb::TensorProto::FLOAT;
inline constexpr int kInt64 = pb::TensorProto::INT64;

// A dimension that is negative has the name "N" + its amount: -1 is "N1".
inline void set_type(pb::ValueInfoProto* info, const std::string& name, int dtype,
                     const std::vector<int>& dims) {
  info->set_name(name);
  auto* tensor = info->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(dtype);
  tensor->mutable_shape()->clear_dim();
  for (const int dim : dims) {
    auto* added = tensor->mutable_shape()->add_dim();
    if (dim >= 0) {
      added->set_dim_value(dim);
    } else {
      added->set_dim_param(cat('N', -dim));
    }
  }
}

inline pb::NodeProto make_node(const std::string& type, const std::vector<std::string>& inputs,
                               const std::vector<std::string>& outputs,
                               const std::string& name = "") {
  pb::NodeProto node;
  node.set_op_type(type);
  if (!name.empty()) node.set_name(name);
  for (const auto& input : inputs) node.add_input(input);
  for (const auto& output : outputs) node.add_output(output);
  return node;
}

inline pb::TensorProto float_tensor(const std::string& name, const std::vector<int>& dims,
                                    const std::vector<float>& values) {
  pb::TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(kFloat);
  for (const int dim : dims) tensor.add_dims(dim);
  for (const float value : values) tensor.add_float_data(value);
  return tensor;
}

inline pb::AttributeProto* add_attribute(pb::NodeProto& node, const std::string& name,
                                         pb::AttributeProto::AttributeType type) {
  auto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(type);
  return attribute;
}

// A model with input "x": float32[N1,2] and output "y"; nodes to be added.
inline pb::ModelProto make_model(int opset = 13) {
  pb::ModelProto model;
  model.set_ir_version(7);
  auto* import = model.add_opset_import();
  import->set_domain("");
  import->set_version(opset);
  set_type(model.mutable_graph()->add_input(), "x", kFloat, {-1, 2});
  model.mutable_graph()->add_output()->set_name("y");
  return model;
}

// The same with one node from x to y.
inline pb::ModelProto relu_model() {
  pb::ModelProto model = make_model();
  *model.mutable_graph()->add_node() = make_node("Relu", {"x"}, {"y"}, "relu");
  return model;
}

struct Imported {
  Result<ImportedModel> result;
  std::vector<std::string> notes;

  bool ok() const { return result.ok(); }
  std::string message() const { return result.status().message(); }
  const Graph& graph() const { return result->graph; }
  const Node& node(const std::string& type) const {
    const std::vector<NodeId> found = graph().nodes_of(type);
    if (found.empty()) throw std::runtime_error("no node " + type);
    return graph().node(found.front());
  }
  const Value& value(const std::string& name) const {
    const ValueId id = graph().find_value(name);
    if (id == kNoValue) throw std::runtime_error("no value " + name);
    return graph().value(id);
  }
};

inline Imported import_string(const std::string& bytes) {
  std::vector<std::string> notes;
  Result<ImportedModel> result = import_bytes(
      std::as_bytes(std::span(bytes)), [&](const std::string& note) { notes.push_back(note); });
  return {std::move(result), std::move(notes)};
}

inline Imported import_proto(const pb::ModelProto& model) {
  return import_string(model.SerializeAsString());
}

}  // namespace mini_infer
