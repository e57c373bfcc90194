// before:  x -> Squeeze(a) -> y -> Squeeze(b) -> z        also Unsqueeze twice
// after:   x -> Squeeze(a and b, as axes of x) -> z       Unsqueeze(a and b, as axes of z)
// when:    the axes and the rank of y are known; y may have other uses, then the first stays
//
// fuse_reshapes makes one Reshape of such pairs; this is for shapes that no Reshape can tell.

#include <algorithm>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

// As bits by axis; no value unless they are known.
std::optional<std::vector<bool>> axes_of(const Graph& graph, NodeId id, std::size_t rank) {
  const Ints* attribute = graph.attribute<Ints>(id, "axes");
  const auto axes =
      attribute != nullptr ? std::optional(*attribute) : known_ints(graph, graph.input(id, 1));
  if (!axes || axes->empty()) return std::nullopt;
  std::vector<bool> bits(rank);
  for (const std::int64_t axis : *axes) {
    const auto at = normal_axis(axis, rank);
    if (!at || bits[*at]) return std::nullopt;
    bits[*at] = true;
  }
  return bits;
}

// `inner` are axes of what is left when `outer` are taken away; both as axes of the whole.
Ints combined(const std::vector<bool>& outer, const std::vector<bool>& inner) {
  Ints axes;
  std::size_t left = 0;
  for (std::size_t i = 0; i < outer.size(); ++i) {
    if (outer[i] || inner[left++]) axes.push_back(static_cast<std::int64_t>(i));
  }
  return axes;
}

bool fuse(Graph& graph, NodeId id) {
  const std::string type = graph.node(id).op_type;
  const ValueId y = graph.input(id, 0);
  const NodeId first = y != kNoValue ? made_by(graph, y, type) : kNoNode;
  const auto rank = rank_of(graph, y);
  if (first == kNoNode || !rank || graph.node(first).opset != graph.node(id).opset) return false;
  const ValueId x = graph.input(first, 0), z = graph.output(id);
  const auto x_rank = rank_of(graph, x), z_rank = rank_of(graph, z);
  if (!x_rank || !z_rank) return false;
  const bool squeezes = type == "Squeeze";
  const auto a = axes_of(graph, first, squeezes ? *x_rank : *rank);
  const auto b = axes_of(graph, id, squeezes ? *rank : *z_rank);
  if (!a || !b) return false;
  const Ints axes = squeezes ? combined(*a, *b) : combined(*b, *a);
  Attributes attributes;
  std::vector<ValueId> inputs = {x};
  if (graph.node(id).opset < 13) {
    attributes["axes"] = axes;
  } else {
    inputs.push_back(add_ints(graph, graph.value(z).name + "_axes", axes));
  }
  replace_node(graph, id, type, std::move(inputs), std::move(attributes));
  return true;
}

}  // namespace

Result<int> fuse_squeezes(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, {"Squeeze", "Unsqueeze"},
                      [&](NodeId id) { return fuse(graph, id); });
}

}  // namespace mini_infer
