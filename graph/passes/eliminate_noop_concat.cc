// before:  x -> Concat, Sum, Mean, Max or Min of x alone, or Split in one -> y
// after:   x
// when:    always

#include "graph/passes/match.h"

namespace mini_infer {

Result<int> eliminate_noop_concat(Graph& graph, PassContext& context) {
  int count = rewrite_each(graph, context, {"Concat", "Sum", "Mean", "Max", "Min"}, [&](NodeId id) {
    if (graph.node(id).inputs.size() != 1 || graph.input(id, 0) == kNoValue) return false;
    bypass(graph, id, graph.input(id, 0));
    return true;
  });
  count += rewrite_each(graph, context, "Split", [&](NodeId id) {
    if (graph.node(id).outputs.size() != 1 ||
        !same_shape(graph, graph.input(id, 0), graph.output(id))) {
      return false;
    }
    bypass(graph, id, graph.input(id, 0));
    return true;
  });
  return count;
}

}  // namespace mini_infer
