// before:  Concat(a, b) -> y;  Concat(y, c) -> z       over the same axis
// after:   Concat(a, b, c) -> z
// when:    y has no other use

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

// The axis counted from the front, where the rank is known or it is counted so already.
std::optional<std::int64_t> axis_of(const Graph& graph, NodeId id) {
  const auto* axis = graph.attribute<std::int64_t>(id, "axis");
  if (axis == nullptr) return std::nullopt;  // before opset 4: 1
  if (*axis >= 0) return *axis;
  const auto rank = rank_of(graph, graph.output(id));
  const auto normal = rank ? normal_axis(*axis, *rank) : std::nullopt;
  return normal ? std::optional(static_cast<std::int64_t>(*normal)) : std::nullopt;
}

bool fuse(Graph& graph, NodeId id) {
  const auto axis = axis_of(graph, id);
  if (!axis) return false;
  std::vector<ValueId> parts;
  bool found = false;
  for (const ValueId in : graph.node(id).inputs) {
    const NodeId inner = in != kNoValue ? made_only_for(graph, in, "Concat") : kNoNode;
    const bool same = inner != kNoNode && axis_of(graph, inner) == axis;
    const std::vector<ValueId> taken = same ? graph.node(inner).inputs : std::vector<ValueId>{in};
    parts.insert(parts.end(), taken.begin(), taken.end());
    found = found || same;
  }
  if (!found) return false;
  replace_node(graph, id, "Concat", std::move(parts), {{"axis", *axis}});
  return true;
}

}  // namespace

Result<int> fuse_concats(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, "Concat", [&](NodeId id) { return fuse(graph, id); });
}

}  // namespace mini_infer
