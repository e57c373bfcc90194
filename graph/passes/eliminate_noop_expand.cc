// before:  x [N,64] -> Expand or Tile -> y [N,64]
// after:   x
// when:    both shapes are known and equal, symbols included

#include "graph/passes/match.h"

namespace mini_infer {

Result<int> eliminate_noop_expand(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, {"Expand", "Tile"}, [&](NodeId id) {
    if (!same_shape(graph, graph.input(id, 0), graph.output(id))) return false;
    bypass(graph, id, graph.input(id, 0));
    return true;
  });
}

}  // namespace mini_infer
