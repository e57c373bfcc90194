// before:  Op(constants...) -> y            a computed value whose contents are known numbers
// after:   y is a constant
// when:    the operator is deterministic and has no subgraphs, and the constants do not grow past
//          the budget: bytes of the outputs, less the bytes of inputs that nobody else needs; in a
//          graph that becomes a file, quantised weights stay quantised
//
// A node that cannot be evaluated is left alone: it may sit on a path that never runs, and if it
// does not, the same error comes up there.

#include <algorithm>
#include <type_traits>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

bool needed(const Graph& graph, ValueId id) {
  return id != kNoValue && (!graph.value(id).users.empty() || graph.is_output(id));
}

bool foldable(const Graph& graph, NodeId id, const PassContext& context) {
  const Node& node = graph.node(id);
  if (has_subgraph(node)) return false;
  if (context.for_file && node.op_type == "DequantizeLinear") return false;
  const OpDef* op = context.ops.find(node.domain, node.op_type, node.opset);
  if (op == nullptr || op->prepare == nullptr || (op->traits & kNotDeterministic) != 0) {
    return false;
  }
  return std::all_of(node.inputs.begin(), node.inputs.end(),
                     [&](ValueId in) { return in == kNoValue || graph.constant(in) != nullptr; });
}

// Bytes of constants that vanish with the node.
std::size_t bytes_freed(const Graph& graph, NodeId id) {
  std::size_t bytes = 0;
  for (const ValueId in : graph.node(id).inputs) {
    if (in != kNoValue && graph.only_use(in)) bytes += graph.value(in).constant.bytes();
  }
  return bytes;
}

// Bytes of the outputs as far as they are known beforehand. An impossible shape counts as endless.
std::size_t bytes_expected(const Graph& graph, NodeId id) {
  std::size_t bytes = 0;
  for (const ValueId out : graph.node(id).outputs) {
    if (!needed(graph, out) || !graph.value(out).shape) continue;
    const auto shape = graph.value(out).shape->concrete();
    if (!shape) continue;
    const auto size = checked_bytes(graph.value(out).dtype, *shape);
    if (!size.ok()) return std::numeric_limits<std::size_t>::max();
    bytes += *size;
  }
  return bytes;
}

bool fold_node(Graph& graph, NodeId id, PassContext& context) {
  const std::size_t freed = bytes_freed(graph, id);
  const std::size_t allowed = std::min(context.fold_budget, context.largest_folded) + freed;
  if (bytes_expected(graph, id) > allowed) return false;
  std::vector<Tensor> inputs;
  for (const ValueId in : graph.node(id).inputs) {
    inputs.push_back(in == kNoValue ? Tensor() : graph.value(in).constant);
  }
  Result<std::vector<Tensor>> results = context.evaluator.evaluate(graph.node(id), inputs);
  const std::vector<ValueId> outputs = graph.node(id).outputs;
  if (!results.ok() || results->size() < outputs.size()) return false;

  std::size_t bytes = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!needed(graph, outputs[i])) continue;
    if ((*results)[i].empty()) return false;
    bytes += (*results)[i].bytes();
  }
  if (bytes > allowed) return false;
  context.fold_budget -= bytes > freed ? bytes - freed : 0;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (needed(graph, outputs[i])) graph.make_constant(outputs[i], (*results)[i]);
  }
  return true;
}

// Contents as a tensor; no value unless they are numbers and of an integer dtype.
std::optional<Tensor> contents_tensor(const Value& value) {
  if (!value.contents || !value.shape) return std::nullopt;
  const auto shape = value.shape->concrete();
  const auto bytes = shape ? checked_bytes(value.dtype, *shape) : Result<std::size_t>(0);
  if (!shape || !bytes.ok() ||
      shape->elements() != static_cast<std::int64_t>(value.contents->size()) ||
      !std::all_of(value.contents->begin(), value.contents->end(),
                   [](const Dim& dim) { return dim.known(); })) {
    return std::nullopt;
  }
  std::optional<Tensor> tensor;
  dispatch_dtype(value.dtype, [&]<class T>() {
    if constexpr (std::is_integral_v<T>) {
      tensor.emplace(value.dtype, *shape);
      T* out = tensor->mutable_data<T>();
      for (const Dim& dim : *value.contents) *out++ = static_cast<T>(dim.value());
    }
  });
  return tensor;
}

bool fold_contents(Graph& graph, NodeId id) {
  bool folded = false;
  const std::vector<ValueId> outputs = graph.node(id).outputs;
  for (const ValueId out : outputs) {
    if (!needed(graph, out) || graph.constant(out) != nullptr) continue;
    if (auto tensor = contents_tensor(graph.value(out))) {
      graph.make_constant(out, std::move(*tensor));
      folded = true;
    }
  }
  return folded;
}

}  // namespace

Result<int> fold_constants(Graph& graph, PassContext& context) {
  int folded = 0;
  for (const NodeId id : graph.order()) {
    if (context.rewrites_left <= 0) break;
    if (!graph.alive(id)) continue;
    // An output may have been removed together with its node by make_constant.
    if (!fold_contents(graph, id) &&
        !(foldable(graph, id, context) && fold_node(graph, id, context))) {
      continue;
    }
    --context.rewrites_left;
    ++folded;
  }
  return folded;
}

}  // namespace mini_infer
