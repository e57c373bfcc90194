// What If, Loop and Scan share: describing and running the subgraphs of a node, and handing over
// what they compute.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/op.h"

namespace mini_infer {

// --- inference

// The inferred subgraph of attribute `name` for these inputs.
Result<Graph> infer_body(const InferContext& c, std::string_view name,
                         std::span<const InferInput> inputs);
// The inputs of the node from `first` on, as a subgraph gets them.
std::vector<InferInput> inputs_from(const InferContext& c, std::size_t first);
// dtype and shape of a graph's output.
const Value& output_value(const Graph& graph, std::size_t i);
// The extents that two shapes have in common; what differs is an unknown of output `i`. No value
// where the ranks differ.
std::optional<SymShape> common_shape(const InferContext& c, std::size_t i,
                                     const std::optional<SymShape>& a,
                                     const std::optional<SymShape>& b);

// --- running

// A subgraph that is ready to run.
struct Body {
  std::string attribute;
  GraphPtr graph;
  std::shared_ptr<SubgraphRunner> runner;

  // Checks the number of inputs and outputs that the operator gives and wants.
  static Result<Body> prepare(const PrepareContext& c, const std::string& attribute,
                              std::size_t inputs, std::size_t outputs);
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) const;
};

// How an input or output of the node is described when its pointer comes.
struct Port {
  bool present = false;
  DType dtype = DType::kUndefined;
  Shape shape;
};
std::vector<Port> input_ports(const PrepareContext& c);
// A view of input `i` of the node.
Tensor input_tensor(const KernelContext& k, const std::vector<Port>& ports, std::size_t i);
// Views of inputs [first, last).
void append_inputs(const KernelContext& k, const std::vector<Port>& ports, std::size_t first,
                   std::size_t last, std::vector<Tensor>& to);

// An output of the node, whose dtype and shape may be known only when there is a value.
struct OutputPort {
  bool present = false;
  DType dtype = DType::kUndefined;
  std::optional<Shape> shape;
};
std::vector<OutputPort> output_ports(const PrepareContext& c);
// Gives `value` as output `i`; an error where it is not of the shape that was inferred.
Status hand_over(const KernelContext& k, const std::vector<OutputPort>& ports, std::size_t i,
                 const Tensor& value);
// Memory for output `i` with values of `shape`: the output's own, or a new tensor that must be
// given to k.set_output() later.
Result<Tensor> output_memory(const KernelContext& k, const std::vector<OutputPort>& ports,
                             std::size_t i, DType dtype, const Shape& shape);

// Copies `count` elements, strings included.
void copy_elements(DType dtype, const void* from, void* to, std::int64_t count);
// `tensor`, elements from `offset` on, as another shape; shares the bytes.
Tensor part_of(const Tensor& tensor, std::int64_t offset, Shape shape);

// The one element of a bool or integer tensor.
Result<std::int64_t> scalar_of(const Tensor& tensor, std::string_view what);

}  // namespace mini_infer
