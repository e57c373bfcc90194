// before:  x [N,64] -> Reshape, Flatten, Squeeze or Unsqueeze -> y [N,64]
// after:   x
// when:    both shapes are known and equal, symbols included

#include "graph/passes/match.h"

namespace mini_infer {

Result<int> eliminate_noop_reshape(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, {"Reshape", "Flatten", "Squeeze", "Unsqueeze"},
                      [&](NodeId id) {
                        if (!same_shape(graph, graph.input(id, 0), graph.output(id))) return false;
                        bypass(graph, id, graph.input(id, 0));
                        return true;
                      });
}

}  // namespace mini_infer
