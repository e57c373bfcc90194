// before:  x -> Dropout -> y
// after:   x
// when:    training_mode (input 2 since opset 12) is left out or false, and the mask is not used
//
// Before opset 7 an attribute said whether this is a training run; files that were exported for
// training by mistake are meant for inference all the same.

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

bool unused(const Graph& graph, ValueId value) {
  return value == kNoValue || (graph.value(value).users.empty() && !graph.is_output(value));
}

}  // namespace

Result<int> eliminate_dropout(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, "Dropout", [&](NodeId id) {
    const ValueId training = graph.input(id, 2);
    const bool inference = training == kNoValue || scalar_constant(graph, training) == 0.0;
    if (!inference || graph.input(id, 0) == kNoValue || !unused(graph, graph.output(id, 1))) {
      return false;
    }
    bypass(graph, id, graph.input(id, 0));
    return true;
  });
}

}  // namespace mini_infer
