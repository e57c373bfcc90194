// before:  If, Loop or Scan captures c, a constant        or a value its subgraphs do not use
// after:   c is a constant inside, and not captured       or is captured no more
// when:    always; the bytes of the constant are shared, and the subgraphs are replaced by copies

#include <algorithm>
#include <memory>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

// The value inside that receives capture `i` of `captures`.
ValueId receiver(const Graph& inner, std::size_t captures, std::size_t i) {
  return inner.inputs[inner.inputs.size() - captures + i];
}

bool used_inside(const std::vector<GraphPtr*>& subgraphs, std::size_t captures, std::size_t i) {
  return std::any_of(subgraphs.begin(), subgraphs.end(), [&](const GraphPtr* subgraph) {
    const ValueId in = receiver(**subgraph, captures, i);
    return !(*subgraph)->value(in).users.empty() || (*subgraph)->is_output(in);
  });
}

GraphPtr without_capture(const Graph& subgraph, std::size_t captures, std::size_t i,
                         const Value& outer) {
  auto copy = std::make_shared<Graph>(subgraph);
  const ValueId in = receiver(*copy, captures, i);
  copy->inputs.erase(copy->inputs.end() - static_cast<std::ptrdiff_t>(captures - i));
  if (outer.is_constant()) {
    Value& value = copy->value(in);
    value.dtype = outer.dtype;
    value.shape = outer.shape;
    value.contents = outer.contents;
    value.constant = outer.constant;
  }
  return copy;
}

int propagate(Graph& graph, PassContext& context, NodeId id) {
  Node& node = graph.node(id);
  const std::vector<GraphPtr*> subgraphs = subgraphs_of(node);
  int count = 0;
  for (int i = node.captures - 1; i >= 0 && context.rewrites_left > 0; --i) {
    const auto captures = static_cast<std::size_t>(node.captures), k = static_cast<std::size_t>(i);
    const bool closed = std::all_of(
        subgraphs.begin(), subgraphs.end(),
        [&](const GraphPtr* subgraph) { return (*subgraph)->inputs.size() >= captures; });
    if (!closed || node.inputs.size() < captures) break;
    const std::size_t index = node.inputs.size() - captures + k;
    const ValueId outer = node.inputs[index];
    if (outer == kNoValue) continue;
    if (graph.constant(outer) == nullptr && used_inside(subgraphs, captures, k)) continue;
    for (GraphPtr* subgraph : subgraphs) {
      *subgraph = without_capture(**subgraph, captures, k, graph.value(outer));
    }
    graph.remove_input(id, index);
    --node.captures;
    --context.rewrites_left;
    ++count;
  }
  return count;
}

}  // namespace

Result<int> propagate_captured_constants(Graph& graph, PassContext& context) {
  int count = 0;
  for (const NodeId id : graph.order()) {
    if (graph.node(id).captures > 0) count += propagate(graph, context, id);
  }
  return count;
}

}  // namespace mini_infer
