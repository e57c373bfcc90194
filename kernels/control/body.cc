#include "kernels/control/body.h"

#include <algorithm>
#include <cstring>

#include "graph/ir/constants.h"
#include "graph/ir/sequence.h"

namespace mini_infer {

Result<Graph> infer_body(const InferContext& c, std::string_view name,
                         std::span<const InferInput> inputs) {
  const GraphPtr graph = c.graph(name);
  if (graph == nullptr) return invalid_model("attribute '", name, "' is missing");
  Result<Graph> inferred = infer_subgraph(*graph, inputs, c.ops());
  if (!inferred.ok()) return std::move(inferred).status().at(std::string(name));
  return inferred;
}

std::vector<InferInput> inputs_from(const InferContext& c, std::size_t first) {
  std::vector<InferInput> inputs;
  for (std::size_t i = first; i < c.input_count(); ++i) inputs.push_back(c.input(i));
  return inputs;
}

const Value& output_value(const Graph& graph, std::size_t i) {
  return graph.value(graph.outputs()[i].value);
}

std::optional<SymShape> common_shape(const InferContext& c, std::size_t i,
                                     const std::optional<SymShape>& a,
                                     const std::optional<SymShape>& b) {
  if (!a || !b || a->rank() != b->rank()) return std::nullopt;
  SymShape shape = *a;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] != (*b)[axis]) shape[axis] = c.unknown(i, axis);
  }
  return shape;
}

Result<Body> Body::prepare(const PrepareContext& c, const std::string& attribute,
                           std::size_t inputs, std::size_t outputs) {
  Body body{attribute, c.graph(attribute), c.subgraph(attribute)};
  if (body.graph == nullptr) return invalid_model("attribute '", attribute, "' is missing");
  if (body.runner == nullptr) {
    return not_implemented("subgraphs cannot be run here");
  }
  if (body.graph->inputs.size() != inputs || body.graph->outputs().size() != outputs) {
    return invalid_model("attribute '", attribute, "' is a graph with ", body.graph->inputs.size(),
                         " inputs and ", body.graph->outputs().size(), " outputs; the node needs ",
                         inputs, " and ", outputs);
  }
  return body;
}

Result<std::vector<Tensor>> Body::run(std::span<const Tensor> inputs) const {
  Result<std::vector<Tensor>> outputs = runner->run(inputs);
  if (!outputs.ok()) return Status(outputs.status()).at(attribute);
  return outputs;
}

std::vector<Port> input_ports(const PrepareContext& c) {
  std::vector<Port> ports;
  for (std::size_t i = 0; i < c.input_count(); ++i) {
    ports.push_back({c.has_input(i), c.dtype(i), c.shape(i)});
  }
  return ports;
}

Tensor input_tensor(const KernelContext& k, const std::vector<Port>& ports, std::size_t i) {
  if (i >= ports.size() || !ports[i].present) return {};
  return Tensor::view(ports[i].dtype, ports[i].shape, const_cast<void*>(k.inputs[i]));
}

void append_inputs(const KernelContext& k, const std::vector<Port>& ports, std::size_t first,
                   std::size_t last, std::vector<Tensor>& to) {
  for (std::size_t i = first; i < last; ++i) to.push_back(input_tensor(k, ports, i));
}

std::vector<OutputPort> output_ports(const PrepareContext& c) {
  std::vector<OutputPort> ports;
  for (std::size_t i = 0; i < c.output_count(); ++i) {
    ports.push_back({c.has_output(i), c.output_dtype(i), c.output(i).shape});
  }
  return ports;
}

namespace {

Status check_output(const OutputPort& port, std::size_t i, DType dtype, const Shape& shape) {
  const bool fits = port.dtype == DType::kUndefined || dtype == port.dtype;
  if (fits && (!port.shape || *port.shape == shape)) return ok();
  return invalid_model("output ", i, " is ", dtype, shape, "; inferred was ", port.dtype,
                       port.shape ? port.shape->str() : std::string("[?]"));
}

}  // namespace

Status hand_over(const KernelContext& k, const std::vector<OutputPort>& ports, std::size_t i,
                 const Tensor& value) {
  if (i >= ports.size() || !ports[i].present) return ok();
  MINI_TRY(check_output(ports[i], i, value.dtype(), value.shape()));
  if (ports[i].shape) {
    copy_elements(value.dtype(), value.data(), k.outputs[i], value.elements());
  } else {
    // What lies in the memory of the caller does not outlive the run.
    k.set_output(i, value.owner() != nullptr ? value : value.clone());
  }
  return ok();
}

Result<Tensor> output_memory(const KernelContext& k, const std::vector<OutputPort>& ports,
                             std::size_t i, DType dtype, const Shape& shape) {
  MINI_TRY(check_output(ports[i], i, dtype, shape));
  if (ports[i].shape) return Tensor::view(dtype, shape, k.outputs[i]);
  return Tensor::allocate(dtype, shape);
}

void copy_elements(DType dtype, const void* from, void* to, std::int64_t count) {
  if (count == 0 || from == to) return;
  if (dtype == DType::kString) {
    std::copy_n(static_cast<const std::string*>(from), count, static_cast<std::string*>(to));
  } else if (dtype == kSequence) {
    std::copy_n(static_cast<const Tensor*>(from), count, static_cast<Tensor*>(to));
  } else {
    std::memcpy(to, from, static_cast<std::size_t>(count) * dtype_size(dtype));
  }
}

Tensor part_of(const Tensor& tensor, std::int64_t offset, Shape shape) {
  const auto* data = static_cast<const std::byte*>(tensor.data()) +
                     static_cast<std::size_t>(offset) * dtype_size(tensor.dtype());
  return Tensor::share(tensor.dtype(), std::move(shape), data, tensor.owner());
}

Result<std::int64_t> scalar_of(const Tensor& tensor, std::string_view what) {
  const auto values = tensor.elements() == 1 ? integers(tensor) : std::nullopt;
  if (!values) {
    return invalid_model(what, " is ", tensor.dtype(), tensor.shape(),
                         "; it must be one bool or integer");
  }
  return values->front();
}

}  // namespace mini_infer
