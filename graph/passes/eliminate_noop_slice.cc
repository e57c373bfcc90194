// before:  x [N,64] -> Slice(starts = 0) -> y [N,64]
// after:   x
// when:    the starts are 0, the steps 1, and both shapes known and equal

#include <algorithm>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

bool all_equal(const std::optional<Ints>& values, std::int64_t to) {
  return values && std::all_of(values->begin(), values->end(), [to](auto v) { return v == to; });
}

bool takes_all(const Graph& graph, NodeId id) {
  if (graph.node(id).opset < 10) {
    const Ints* starts = graph.attribute<Ints>(id, "starts");
    return starts != nullptr && all_equal(*starts, 0);
  }
  const ValueId steps = graph.input(id, 4);
  return all_equal(known_ints(graph, graph.input(id, 1)), 0) &&
         (steps == kNoValue || all_equal(known_ints(graph, steps), 1));
}

}  // namespace

Result<int> eliminate_noop_slice(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, "Slice", [&](NodeId id) {
    if (!same_shape(graph, graph.input(id, 0), graph.output(id)) || !takes_all(graph, id)) {
      return false;
    }
    bypass(graph, id, graph.input(id, 0));
    return true;
  });
}

}  // namespace mini_infer
