// before:  Conv(x, W, b) -> y -> Add(y, r) -> z        r: what the shortcut brings
// after:   FusedConv(x, W, b, r) -> z
// when:    y has no other use, and y and r have the same known shape, symbols included
//
// Where both operands are convolutions, the one that comes later takes the other's result. The
// activation after z follows in fuse_conv_activation.

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

NodeId convolution_for(const Graph& graph, ValueId y) {
  const NodeId conv = y != kNoValue ? made_only_for(graph, y, "Conv") : kNoNode;
  return conv != kNoNode && has_dtype(graph, y, DType::kFloat32) ? conv : kNoNode;
}

bool fuse(Graph& graph, NodeId id) {
  const ValueId a = graph.input(id, 0), b = graph.input(id, 1);
  if (graph.node(id).inputs.size() != 2 || a == b || !same_shape(graph, a, b)) return false;
  const NodeId first = convolution_for(graph, a), second = convolution_for(graph, b);
  if (first == kNoNode && second == kNoNode) return false;
  const bool use_second =
      first == kNoNode || (second != kNoNode && graph.node(second).rank > graph.node(first).rank);
  const NodeId conv = use_second ? second : first;
  graph.set_input(conv, 3, use_second ? a : b);
  retype(graph, conv, "FusedConv", kInternalDomain);
  // Its place in the order is after the shortcut's.
  graph.node(conv).rank = graph.node(id).rank;
  absorb(graph, id, conv);
  return true;
}

}  // namespace

Result<int> fuse_conv_residual_add(Graph& graph, PassContext& context) {
  if (!has_internal(context, "FusedConv")) return 0;
  return rewrite_each(graph, context, {"Add", "Sum"}, [&](NodeId id) { return fuse(graph, id); });
}

}  // namespace mini_infer
