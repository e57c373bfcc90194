// before:  x * Tanh(Softplus(x))                   Softplus also as Log(1 + Exp(x))
// after:   Mish(x)
// when:    nothing between has another use

#include "graph/passes/product.h"

namespace mini_infer {
namespace {

// x where `value` is log(1 + exp(x)).
ValueId softplus_input(const Graph& graph, ValueId value) {
  if (const NodeId softplus = made_only_for(graph, value, "Softplus"); softplus != kNoNode) {
    return graph.input(softplus, 0);
  }
  const NodeId log = made_only_for(graph, value, "Log");
  const auto sum = log != kNoNode ? shifted(graph, graph.input(log, 0)) : std::nullopt;
  const NodeId exp = sum && sum->number == 1 ? made_only_for(graph, sum->x, "Exp") : kNoNode;
  return exp != kNoNode ? graph.input(exp, 0) : kNoValue;
}

}  // namespace

Result<int> fuse_mish(Graph& graph, PassContext& context) {
  const std::string_view domain = graph.opset() >= 18 ? "" : kInternalDomain;
  if (context.ops.find(domain, "Mish", graph.opset(domain)) == nullptr) return 0;
  return rewrite_each(graph, context, "Mul", [&](NodeId id) {
    for (const std::size_t i : {0u, 1u}) {
      const ValueId x = graph.input(id, 1 - i);
      const NodeId tanh = made_only_for(graph, graph.input(id, i), "Tanh");
      if (tanh == kNoNode || x == kNoValue || softplus_input(graph, graph.input(tanh, 0)) != x) {
        continue;
      }
      replace_node(graph, id, "Mish", {x}, {}, domain);
      return true;
    }
    return false;
  });
}

}  // namespace mini_infer
