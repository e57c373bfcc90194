// before:  x -> Reshape, Flatten, Squeeze or Unsqueeze -> another of them -> y
// after:   x -> Reshape(shape of y) -> y
// when:    the shape of y is known but for one extent; the first may have other uses, then it stays

#include "graph/passes/match.h"
#include "graph/passes/shape_argument.h"

namespace mini_infer {
namespace {

bool is_reshape(const Graph& graph, NodeId id) {
  if (id == kNoNode || !graph.node(id).domain.empty() || graph.output(id) == kNoValue) return false;
  const std::string& type = graph.node(id).op_type;
  return type == "Reshape" || type == "Flatten" || type == "Squeeze" || type == "Unsqueeze";
}

bool fuse(Graph& graph, NodeId id) {
  const NodeId first = graph.producer(graph.input(id, 0));
  if (!is_reshape(graph, first) || graph.opset() < 5) return false;
  const ValueId x = graph.input(first, 0), y = graph.output(id);
  if (x == kNoValue || !graph.value(x).shape || !graph.value(y).shape) return false;
  const auto shape = reshape_argument(*graph.value(x).shape, *graph.value(y).shape);
  if (!shape) return false;
  const ValueId argument = add_ints(graph, graph.value(y).name + "_shape", *shape);
  replace_node(graph, id, "Reshape", {x, argument});
  return true;
}

}  // namespace

Result<int> fuse_reshapes(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, {"Reshape", "Flatten", "Squeeze", "Unsqueeze"},
                      [&](NodeId id) { return fuse(graph, id); });
}

}  // namespace mini_infer
