// before:  x -> Softmax -> y -> Log -> z
// after:   x -> LogSoftmax -> z                   with Softmax's axis
// when:    y has no other use; both are written in the same opset
//
// Also more exact: where Softmax underflows to 0, Log gives minus infinity.

#include "graph/passes/match.h"

namespace mini_infer {

Result<int> fuse_log_softmax(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, "Log", [&](NodeId id) {
    const NodeId softmax = made_only_for(graph, graph.input(id, 0), "Softmax");
    if (softmax == kNoNode || graph.node(softmax).opset != graph.node(id).opset) return false;
    const ValueId x = graph.input(softmax, 0);
    Attributes attributes = graph.node(softmax).attributes;
    replace_node(graph, id, "LogSoftmax", {x}, std::move(attributes));
    return true;
  });
}

}  // namespace mini_infer
