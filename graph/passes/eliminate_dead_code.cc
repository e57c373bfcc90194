// before:  a node none of whose outputs is used; a constant that nobody reads
// after:   gone; the constant's bytes are given back
// when:    always

#include <algorithm>
#include <vector>

#include "graph/passes/match.h"

namespace mini_infer {

Result<int> eliminate_dead_code(Graph& graph, PassContext& context) {
  std::vector<bool> wanted(graph.value_count());
  for (const GraphOutput& output : graph.outputs()) {
    if (output.value != kNoValue) wanted[static_cast<std::size_t>(output.value)] = true;
  }
  for (const ValueId input : graph.inputs) wanted[static_cast<std::size_t>(input)] = true;
  const auto used = [&](ValueId id) {
    return id != kNoValue &&
           (!graph.value(id).users.empty() || wanted[static_cast<std::size_t>(id)]);
  };

  int removed = 0;
  std::vector<NodeId> order = graph.order();
  std::reverse(order.begin(), order.end());
  for (const NodeId id : order) {
    if (context.rewrites_left <= 0) break;
    const auto& outputs = graph.node(id).outputs;
    if (std::any_of(outputs.begin(), outputs.end(), used)) continue;
    graph.remove_node(id);
    --context.rewrites_left;
    ++removed;
  }
  for (ValueId id = 0; id < static_cast<ValueId>(graph.value_count()); ++id) {
    if (graph.value(id).is_constant() && !used(id)) graph.value(id).constant = Tensor();
  }
  return removed;
}

}  // namespace mini_infer
