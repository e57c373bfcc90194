// before:  x [N,C,H,W] -> Reshape -> [N,G,C/G,H,W] -> Transpose {perm = 0,1,3,4,2} -> y
//          x [N,C,H,W] -> Transpose {perm = 0,2,3,1} -> y
// after:   x -> ChannelsLast {groups = G} (-> Reshape, where the Reshape merged pixels) -> y
// when:    x is float32, its shape is known, and the operator that makes it may give it in blocks:
//          channels are neighbours there, and the plain map between need not exist

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

// Whose channels are moved, in how many groups.
struct Map {
  ValueId x = kNoValue;
  std::int64_t groups = 1;
};

// The axis of channels that perm moves behind all others, which stay in order.
std::optional<std::size_t> moved_axis(const Ints& perm) {
  const auto rank = static_cast<std::int64_t>(perm.size());
  if (rank < 3) return std::nullopt;
  const std::int64_t moved = perm.back();
  if (moved < 1 || moved > 2) return std::nullopt;
  for (std::int64_t i = 0; i + 1 < rank; ++i) {
    if (perm[static_cast<std::size_t>(i)] != i + (i >= moved ? 1 : 0)) return std::nullopt;
  }
  return static_cast<std::size_t>(moved);
}

// What a transposed value is of, whose channels are at `axis`.
std::optional<Map> map_of(const Graph& graph, ValueId transposed, std::size_t axis) {
  const auto shape = known_shape(graph, transposed);
  if (!shape) return std::nullopt;
  const NodeId reshape = made_by(graph, transposed, "Reshape");
  const ValueId x = reshape == kNoNode ? transposed : graph.input(reshape, 0);
  const auto whole = known_shape(graph, x);
  if (!whole || whole->rank() < 3 || shape->rank() <= axis + 1) return std::nullopt;
  const std::int64_t groups = axis == 2 ? (*shape)[1] : 1;
  const bool channels = (*whole)[0] == (*shape)[0] && (*whole)[1] == groups * (*shape)[axis];
  if (!channels || whole->elements() == 0) return std::nullopt;
  return Map{x, groups};
}

// What ChannelsLast makes of [N,C,pixels...].
Shape moved_shape(const Shape& x, std::int64_t groups) {
  Shape y{x[0]};
  if (groups > 1) y.push_back(groups);
  for (std::size_t axis = 2; axis < x.rank(); ++axis) y.push_back(x[axis]);
  y.push_back(x[1] / groups);
  return y;
}

bool may_be_blocked(const Graph& graph, const PassContext& context, ValueId x) {
  const NodeId maker = graph.producer(x);
  if (maker == kNoNode || !has_dtype(graph, x, DType::kFloat32)) return false;
  const Node& node = graph.node(maker);
  const OpDef* op = context.ops.find(node.domain, node.op_type, node.opset);
  return op != nullptr && op->layout != nullptr;
}

bool fuse(Graph& graph, const PassContext& context, NodeId transpose) {
  const Ints* perm = graph.attribute<Ints>(transpose, "perm");
  const auto axis = perm != nullptr ? moved_axis(*perm) : std::nullopt;
  const auto map = axis ? map_of(graph, graph.input(transpose, 0), *axis) : std::nullopt;
  const auto target = known_shape(graph, graph.output(transpose));
  if (!map || !target || !may_be_blocked(graph, context, map->x)) return false;
  const Attributes groups = {{"groups", map->groups}};
  if (*target == moved_shape(*known_shape(graph, map->x), map->groups)) {
    replace_node(graph, transpose, "ChannelsLast", {map->x}, groups, kInternalDomain);
    return true;
  }
  const std::string name = graph.value(graph.output(transpose)).name;
  const NodeId last = graph.add_node(transpose, "ChannelsLast", {map->x}, groups, kInternalDomain);
  const ValueId shape = add_ints(graph, name + "_shape", Ints(target->begin(), target->end()));
  replace_node(graph, transpose, "Reshape", {graph.output(last), shape});
  return true;
}

}  // namespace

Result<int> fuse_channels_last(Graph& graph, PassContext& context) {
  if (!has_internal(context, "ChannelsLast")) return 0;
  return rewrite_each(graph, context, "Transpose",
                      [&](NodeId id) { return fuse(graph, context, id); });
}

}  // namespace mini_infer
