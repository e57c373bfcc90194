// before:  x + 0, x - 0, x * 1, x / 1, x ^ 1
// after:   x
// when:    the other operand is a constant of equal elements that neither broadcasts x to another
//          shape nor changes its dtype

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

bool rewrite(Graph& graph, NodeId id, double neutral, bool commutative) {
  for (const std::size_t i : {1u, 0u}) {
    const ValueId x = graph.input(id, 1 - i), unit = graph.input(id, i);
    if (x != kNoValue && unit != kNoValue && uniform_constant(graph, unit) == neutral &&
        same_shape(graph, x, graph.output(id)) &&
        graph.value(x).dtype == graph.value(graph.output(id)).dtype) {
      bypass(graph, id, x);
      return true;
    }
    if (!commutative) break;
  }
  return false;
}

}  // namespace

Result<int> eliminate_unit_arithmetic(Graph& graph, PassContext& context) {
  int count = 0;
  count +=
      rewrite_each(graph, context, "Add", [&](NodeId n) { return rewrite(graph, n, 0, true); });
  count +=
      rewrite_each(graph, context, "Mul", [&](NodeId n) { return rewrite(graph, n, 1, true); });
  count +=
      rewrite_each(graph, context, "Sub", [&](NodeId n) { return rewrite(graph, n, 0, false); });
  count += rewrite_each(graph, context, {"Div", "Pow"},
                        [&](NodeId n) { return rewrite(graph, n, 1, false); });
  return count;
}

}  // namespace mini_infer
