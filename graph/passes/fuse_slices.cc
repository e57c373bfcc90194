// before:  x -> Slice(axis 1) -> y -> Slice(axis 2) -> z
// after:   x -> Slice(axes 1 and 2) -> z
// when:    the arguments are known, no axis is cut twice, and y has no other use

#include <algorithm>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

// Axes counted from the front.
std::optional<SliceArguments> arguments_of(const Graph& graph, NodeId id, std::size_t rank) {
  auto arguments = slice_arguments(graph, id);
  if (!arguments) return std::nullopt;
  for (std::int64_t& axis : arguments->axes) {
    const auto normal = normal_axis(axis, rank);
    if (!normal) return std::nullopt;
    axis = static_cast<std::int64_t>(*normal);
  }
  return arguments;
}

void append(Ints& to, const Ints& from) { to.insert(to.end(), from.begin(), from.end()); }

bool fuse(Graph& graph, NodeId id) {
  const NodeId first = made_only_for(graph, graph.input(id, 0), "Slice");
  const auto rank = rank_of(graph, graph.input(id, 0));
  if (first == kNoNode || !rank || graph.node(first).opset != graph.node(id).opset) return false;
  auto all = arguments_of(graph, first, *rank);
  const auto more = arguments_of(graph, id, *rank);
  if (!all || !more) return false;
  const bool twice = std::any_of(more->axes.begin(), more->axes.end(), [&](std::int64_t axis) {
    return std::find(all->axes.begin(), all->axes.end(), axis) != all->axes.end();
  });
  if (twice) return false;
  append(all->starts, more->starts);
  append(all->ends, more->ends);
  append(all->axes, more->axes);
  append(all->steps, more->steps);
  const ValueId x = graph.input(first, 0);
  if (graph.node(id).opset < 10) {
    replace_node(graph, id, "Slice", {x},
                 {{"starts", all->starts}, {"ends", all->ends}, {"axes", all->axes}});
    return true;
  }
  const std::string name = graph.value(graph.output(id)).name;
  replace_node(
      graph, id, "Slice",
      {x, add_ints(graph, name + "_starts", all->starts),
       add_ints(graph, name + "_ends", all->ends), add_ints(graph, name + "_axes", all->axes),
       add_ints(graph, name + "_steps", all->steps)});
  return true;
}

}  // namespace

Result<int> fuse_slices(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, "Slice", [&](NodeId id) { return fuse(graph, id); });
}

}  // namespace mini_infer
