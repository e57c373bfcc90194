// before:  x -> Cast(to = dtype of x) -> y        also CastLike
// after:   x
// when:    the dtype of x is known

#include "graph/passes/match.h"

namespace mini_infer {

Result<int> eliminate_noop_cast(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, {"Cast", "CastLike"}, [&](NodeId id) {
    const ValueId x = graph.input(id, 0);
    if (x == kNoValue || graph.value(x).dtype == DType::kUndefined) return false;
    const auto from = static_cast<std::int64_t>(graph.value(x).dtype);
    if (graph.node(id).op_type == "Cast") {
      const auto* to = graph.attribute<std::int64_t>(id, "to");
      if (to == nullptr || *to != from) return false;
    } else {
      const ValueId like = graph.input(id, 1);
      if (like == kNoValue || graph.value(like).dtype != graph.value(x).dtype) return false;
    }
    bypass(graph, id, x);
    return true;
  });
}

}  // namespace mini_infer
