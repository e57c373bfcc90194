// before:  x -> Sigmoid -> s;  Mul(x, s) -> y
// after:   x -> SiLU -> y
// when:    s has no other use

#include "graph/passes/product.h"

namespace mini_infer {

Result<int> fuse_silu(Graph& graph, PassContext& context) {
  if (!has_internal(context, "SiLU")) return 0;
  return rewrite_each(graph, context, "Mul", [&](NodeId id) {
    for (const std::size_t i : {0u, 1u}) {
      const NodeId sigmoid = made_only_for(graph, graph.input(id, i), "Sigmoid");
      const ValueId x = graph.input(id, 1 - i);
      if (sigmoid == kNoNode || x == kNoValue || graph.input(sigmoid, 0) != x) continue;
      replace_node(graph, id, "SiLU", {x}, {}, kInternalDomain);
      return true;
    }
    return false;
  });
}

}  // namespace mini_infer
