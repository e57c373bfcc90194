// before:  x [N,H W,C] -> Transpose {perm = 0,2,1} -> Reshape -> y [N,C,H,W]
//          x [N,H,W,C] -> Transpose {perm = 0,3,1,2} -> y
// after:   x -> ChannelsFirst {pixels = H,W} -> y
// when:    x is float32, shapes are known, and an operator that may want y in blocks takes it:
//          channels stay neighbours there, and the plain map between need not exist

#include <algorithm>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

// 0, last, 1, 2, ...
bool moves_last_axis(const Ints& perm) {
  const auto rank = static_cast<std::int64_t>(perm.size());
  if (rank < 3 || perm[0] != 0 || perm[1] != rank - 1) return false;
  for (std::int64_t i = 2; i < rank; ++i) {
    if (perm[static_cast<std::size_t>(i)] != i - 1) return false;
  }
  return true;
}

bool is_wanted_in_blocks(const Graph& graph, const PassContext& context, ValueId y) {
  const std::vector<NodeId>& users = graph.value(y).users;
  return std::any_of(users.begin(), users.end(), [&](NodeId id) {
    const Node& node = graph.node(id);
    const OpDef* op = context.ops.find(node.domain, node.op_type, node.opset);
    return op != nullptr && op->layout != nullptr;
  });
}

// The Reshape of a map's pixels, where nobody else needs the map as it was.
NodeId reshape_of_pixels(const Graph& graph, ValueId map) {
  if (!only_use(graph, map)) return kNoNode;
  const NodeId user = graph.value(map).users[0];
  const auto from = known_shape(graph, map), to = known_shape(graph, graph.output(user));
  if (!graph.node(user).is("Reshape", "") || graph.input(user, 0) != map || !from || !to) {
    return kNoNode;
  }
  const bool pixels = to->rank() > 2 && (*to)[0] == (*from)[0] && (*to)[1] == (*from)[1];
  return pixels ? user : kNoNode;
}

bool fuse(Graph& graph, const PassContext& context, NodeId transpose) {
  const Ints* perm = graph.attribute<Ints>(transpose, "perm");
  const ValueId x = graph.input(transpose, 0);
  if (perm == nullptr || !moves_last_axis(*perm) || !has_dtype(graph, x, DType::kFloat32)) {
    return false;
  }
  const NodeId reshape = reshape_of_pixels(graph, graph.output(transpose));
  const NodeId last = reshape != kNoNode ? reshape : transpose;
  const auto from = known_shape(graph, x), to = known_shape(graph, graph.output(last));
  if (!from || !to || from->elements() == 0 ||
      !is_wanted_in_blocks(graph, context, graph.output(last))) {
    return false;
  }
  replace_node(graph, last, "ChannelsFirst", {x}, {{"pixels", Ints(to->begin() + 2, to->end())}},
               kInternalDomain);
  return true;
}

}  // namespace

Result<int> fuse_channels_first(Graph& graph, PassContext& context) {
  if (!has_internal(context, "ChannelsFirst")) return 0;
  return rewrite_each(graph, context, "Transpose",
                      [&](NodeId id) { return fuse(graph, context, id); });
}

}  // namespace mini_infer
