// Shape inference over a graph: calls each operator's infer() and merges what it says into the
// values.
#include <algorithm>

#include "graph/ir/constants.h"
#include "graph/ir/op_def.h"
#include "graph/ir/text.h"

namespace mini_infer {
namespace {

// Longest tensor whose contents take part in shape arithmetic.
constexpr std::int64_t kMostContents = 64;

// Contents of a small integer constant.
std::optional<std::vector<Dim>> constant_contents(const Tensor& tensor) {
  if (tensor.dtype() != DType::kInt64 && tensor.dtype() != DType::kInt32) return std::nullopt;
  if (tensor.shape().rank() > 1 || tensor.elements() > kMostContents) return std::nullopt;
  const auto values = integers(tensor);
  if (!values) return std::nullopt;
  return std::vector<Dim>(values->begin(), values->end());
}

InferInput describe(Value& value) {
  if (value.is_constant() && !value.contents) value.contents = constant_contents(value.constant);
  return {.present = true,
          .dtype = value.dtype,
          .shape = value.shape,
          .constant = value.is_constant() ? &value.constant : nullptr,
          .contents = value.contents ? &*value.contents : nullptr};
}

// Tells of a shape that the model states and inference refutes.
void report_conflict(const Value& value, const SymShape& inferred, const Node& node,
                     const LogFn& log) {
  if (!log || !value.shape) return;
  const bool agree =
      value.shape->rank() == inferred.rank() &&
      std::equal(inferred.begin(), inferred.end(), value.shape->begin(),
                 [](const Dim& a, const Dim& b) { return !a.known() || !b.known() || a == b; });
  if (agree) return;
  log(cat(node.str(), ": output '", value.name, "' has shape ", inferred.str(), "; the model says ",
          value.shape->str(), ", which is ignored"));
}

// What the model states about the shape of a computed value is never trusted: where inference knows
// less, the shape depends on data.
void merge(Value& value, InferOutput& inferred, const Node& node, const LogFn& log) {
  if (value.is_constant()) return;
  if (inferred.dtype != DType::kUndefined) value.dtype = inferred.dtype;
  if (inferred.shape) report_conflict(value, *inferred.shape, node, log);
  value.shape = std::move(inferred.shape);
  if (inferred.contents && inferred.contents->size() <= kMostContents) {
    value.contents = std::move(inferred.contents);
  }
}

}  // namespace

Status infer_node(Graph& graph, NodeId id, const OpLookup& ops, const LogFn& log) {
  const Node& node = graph.node(id);
  const OpDef* op = ops.find(node.domain, node.op_type, node.opset);
  if (op == nullptr || op->infer == nullptr)
    return ok();  // the engine reports missing operators, all at once
  std::vector<InferInput> inputs;
  for (const ValueId in : node.inputs) {
    inputs.push_back(in == kNoValue ? InferInput{} : describe(graph.value(in)));
  }
  InferContext context(node, std::move(inputs), ops);
  Status status = op->infer(context);
  if (status.ok()) status = context.status();
  if (!status.ok()) return std::move(status).at(node.str());
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue) {
      if ((op->traits & kDataShapes) != 0) graph.value(node.outputs[i]).shape.reset();
      merge(graph.value(node.outputs[i]), context.outputs()[i], node, log);
    }
  }
  return ok();
}

Status infer_shapes(Graph& graph, const OpLookup& ops, const LogFn& log) {
  std::string problems;
  Code code = Code::kOk;
  for (const NodeId id : graph.order()) {
    const Status status = infer_node(graph, id, ops, log);
    if (status.ok()) continue;
    if (code == Code::kOk) code = status.code();
    problems += (problems.empty() ? "" : "\n") + status.message();
  }
  return code == Code::kOk ? ok() : Status(code, problems);
}

Result<Graph> infer_subgraph(const Graph& graph, std::span<const InferInput> inputs,
                             const OpLookup& ops) {
  Graph copy = graph;
  if (inputs.size() != copy.inputs.size()) {
    return invalid_model("subgraph '", graph.name, "' has ", copy.inputs.size(),
                         " inputs and is given ", inputs.size());
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Value& value = copy.value(copy.inputs[i]);
    if (inputs[i].dtype != DType::kUndefined) value.dtype = inputs[i].dtype;
    if (inputs[i].shape) value.shape = inputs[i].shape;
    if (inputs[i].contents != nullptr) value.contents = *inputs[i].contents;
  }
  MINI_TRY(infer_shapes(copy, ops));
  return copy;
}

}  // namespace mini_infer
