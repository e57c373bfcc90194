#include "graph/edit/shapes.h"

#include <algorithm>

#include "graph/ir/text.h"
#include "graph/onnx/value_type.h"

namespace mini_infer {

Status infer_anew(Graph& graph, const OpLookup& ops) {
  for (ValueId id = 0; id < static_cast<ValueId>(graph.value_count()); ++id) {
    Value& value = graph.value(id);
    if (value.is_constant() || value.producer == kNoNode) continue;
    const Node& node = graph.node(value.producer);
    if (ops.find(node.domain, node.op_type, node.opset) == nullptr) continue;
    value.shape.reset();
    value.contents.reset();
  }
  return infer_shapes(graph, ops);
}

std::string type_str(const Value& value) { return type_str(ValueType{value.dtype, value.shape}); }

bool may_be_same_type(const Value& a, const Value& b) {
  if (a.dtype != DType::kUndefined && b.dtype != DType::kUndefined && a.dtype != b.dtype) {
    return false;
  }
  if (!a.shape || !b.shape) return true;
  return std::equal(
      a.shape->begin(), a.shape->end(), b.shape->begin(), b.shape->end(),
      [](const Dim& x, const Dim& y) { return x == y || x.made_up() || y.made_up(); });
}

std::size_t remove_dead_nodes(Graph& graph) {
  std::vector<NodeId> order = graph.order();
  std::reverse(order.begin(), order.end());
  std::size_t removed = 0;
  for (const NodeId id : order) {
    const std::vector<ValueId>& outputs = graph.node(id).outputs;
    const bool needed = std::any_of(outputs.begin(), outputs.end(), [&](ValueId out) {
      return out != kNoValue && (!graph.value(out).users.empty() || graph.is_output(out));
    });
    if (needed) continue;
    graph.remove_node(id);
    ++removed;
  }
  return removed;
}

ValueId replace_constant(Graph& graph, NodeId node, std::size_t input, Tensor tensor) {
  const std::string& name = graph.value(graph.input(node, input)).name;
  const ValueId added = graph.add_constant(name, std::move(tensor));
  graph.set_input(node, input, added);
  return added;
}

}  // namespace mini_infer
