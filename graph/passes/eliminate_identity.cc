// before:  x -> Identity -> y
// after:   x
// when:    always

#include "graph/passes/match.h"

namespace mini_infer {

Result<int> eliminate_identity(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, "Identity", [&](NodeId id) {
    if (graph.input(id, 0) == kNoValue) return false;
    bypass(graph, id, graph.input(id, 0));
    return true;
  });
}

}  // namespace mini_infer
