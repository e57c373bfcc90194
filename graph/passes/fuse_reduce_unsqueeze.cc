// before:  x -> ReduceMean(axes, keepdims = 0) -> y -> Unsqueeze(axes) -> z    any Reduce, ArgMax,
// ArgMin after:   x -> ReduceMean(axes, keepdims = 1) -> z when:    y has no other use, and the
// axes are known and the same

#include <algorithm>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

// Sorted and counted from the front; no value unless all are known and different.
std::optional<std::vector<std::size_t>> normal_axes(const Ints& axes, std::size_t rank) {
  std::vector<std::size_t> normal;
  for (const std::int64_t axis : axes) {
    const auto at = normal_axis(axis, rank);
    if (!at) return std::nullopt;
    normal.push_back(*at);
  }
  std::sort(normal.begin(), normal.end());
  const bool twice = std::adjacent_find(normal.begin(), normal.end()) != normal.end();
  return twice ? std::nullopt : std::optional(normal);
}

// From the attribute, or from input 1 where newer opsets have it.
std::optional<Ints> axes_of(const Graph& graph, NodeId id) {
  if (const Ints* axes = graph.attribute<Ints>(id, "axes")) return *axes;
  return known_ints(graph, graph.input(id, 1));
}

bool fuse(Graph& graph, NodeId unsqueeze) {
  const ValueId y = graph.input(unsqueeze, 0);
  const NodeId reduce = y != kNoValue && only_use(graph, y) ? graph.producer(y) : kNoNode;
  if (reduce == kNoNode || !graph.node(reduce).domain.empty()) return false;
  const std::string& type = graph.node(reduce).op_type;
  const bool arg = type == "ArgMax" || type == "ArgMin";
  if (!arg && !type.starts_with("Reduce")) return false;
  const auto rank = rank_of(graph, graph.input(reduce, 0));
  const AttributeReader node(graph.node(reduce));
  if (!rank || node.integer("keepdims", 1) != 0) return false;
  const auto reduced = arg ? Ints{node.integer("axis", 0)} : axes_of(graph, reduce);
  const auto added = axes_of(graph, unsqueeze);
  if (!reduced || reduced->empty() || !added) return false;
  const auto a = normal_axes(*reduced, *rank), b = normal_axes(*added, *rank);
  if (!a || a != b) return false;
  graph.node(reduce).attributes["keepdims"] = std::int64_t{1};
  absorb(graph, unsqueeze, reduce);
  return true;
}

}  // namespace

Result<int> fuse_reduce_unsqueeze(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, "Unsqueeze", [&](NodeId id) { return fuse(graph, id); });
}

}  // namespace mini_infer
