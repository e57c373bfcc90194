#include "graph/onnx/graph_writer.h"

namespace mini_infer {

pb::TensorProto write_tensor_header(const Tensor& tensor, const std::string& name) {
  pb::TensorProto proto;
  if (!name.empty()) proto.set_name(name);
  proto.set_data_type(static_cast<int>(tensor.dtype()));
  for (const std::int64_t dim : tensor.shape()) proto.add_dims(dim);
  if (tensor.dtype() == DType::kString) {
    for (const std::string& text : tensor.values<std::string>()) proto.add_string_data(text);
  }
  return proto;
}

pb::TensorProto write_tensor(const Tensor& tensor, const std::string& name) {
  pb::TensorProto proto = write_tensor_header(tensor, name);
  if (tensor.dtype() != DType::kString) {
    const Tensor read = tensor.unread();  // its bytes go as they came
    std::string& raw = *proto.mutable_raw_data();
    if (read.bytes() > 0) raw.assign(static_cast<const char*>(read.data()), read.bytes());
  }
  return proto;
}

namespace {

using Type = pb::AttributeProto;

struct AttributeWriter {
  pb::AttributeProto& proto;

  void operator()(std::int64_t value) const {
    proto.set_type(Type::INT);
    proto.set_i(value);
  }
  void operator()(float value) const {
    proto.set_type(Type::FLOAT);
    proto.set_f(value);
  }
  void operator()(const std::string& value) const {
    proto.set_type(Type::STRING);
    proto.set_s(value);
  }
  void operator()(const Tensor& value) const {
    proto.set_type(Type::TENSOR);
    *proto.mutable_t() = write_tensor(value, "");
  }
  void operator()(const Ints& values) const {
    proto.set_type(Type::INTS);
    for (const std::int64_t value : values) proto.add_ints(value);
  }
  void operator()(const Floats& values) const {
    proto.set_type(Type::FLOATS);
    for (const float value : values) proto.add_floats(value);
  }
  void operator()(const Strings& values) const {
    proto.set_type(Type::STRINGS);
    for (const std::string& value : values) proto.add_strings(value);
  }
  void operator()(const std::vector<Tensor>& values) const {
    proto.set_type(Type::TENSORS);
    for (const Tensor& value : values) *proto.add_tensors() = write_tensor(value, "");
  }
  // The caller fills in the graphs.
  void operator()(const GraphPtr&) const { proto.set_type(Type::GRAPH); }
  void operator()(const std::vector<GraphPtr>&) const { proto.set_type(Type::GRAPHS); }
};

}  // namespace

pb::AttributeProto write_plain_attribute(const std::string& name, const Attribute& attribute) {
  pb::AttributeProto proto;
  proto.set_name(name);
  std::visit(AttributeWriter{proto}, attribute);
  return proto;
}

}  // namespace mini_infer
