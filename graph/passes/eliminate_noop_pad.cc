// before:  x -> Pad(pads = 0,...,0) -> y
// after:   x
// when:    the pads are constant

#include <algorithm>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

// An attribute before opset 11, named differently in opset 1; then an input.
std::optional<Ints> pads_of(const Graph& graph, NodeId id) {
  if (graph.node(id).opset >= 11) return known_ints(graph, graph.input(id, 1));
  const Ints* pads = graph.attribute<Ints>(id, graph.node(id).opset == 1 ? "paddings" : "pads");
  return pads != nullptr ? std::optional(*pads) : std::nullopt;
}

}  // namespace

Result<int> eliminate_noop_pad(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, "Pad", [&](NodeId id) {
    const auto pads = pads_of(graph, id);
    if (!pads || graph.input(id, 0) == kNoValue ||
        std::any_of(pads->begin(), pads->end(), [](auto pad) { return pad != 0; })) {
      return false;
    }
    bypass(graph, id, graph.input(id, 0));
    return true;
  });
}

}  // namespace mini_infer
