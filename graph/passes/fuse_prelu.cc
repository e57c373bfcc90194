// before:  Relu(x) + p, where p is a constant `slope` times one of
//              Relu(-x) * -1        (x - Abs(x)) / 2        Min(x, 0)
//          with signs and factors anywhere: Relu(x) - slope * Relu(-x), ...
// after:   PRelu(x, slope), or LeakyRelu(x) when the slope is one number
// when:    nothing between has another use

#include "graph/passes/activation.h"
#include "graph/passes/product.h"

namespace mini_infer {
namespace {

// The multiple of min(x, 0) that `value` is, if it is one.
std::optional<double> negative_part(const Graph& graph, ValueId value, ValueId x) {
  if (const NodeId relu = made_only_for(graph, value, "Relu"); relu != kNoNode) {
    const NodeId neg = made_only_for(graph, graph.input(relu, 0), "Neg");
    return neg != kNoNode && graph.input(neg, 0) == x ? std::optional(-1.0) : std::nullopt;
  }
  if (const NodeId sub = made_only_for(graph, value, "Sub"); sub != kNoNode) {
    const NodeId abs = made_only_for(graph, graph.input(sub, 1), "Abs");
    const bool matches = abs != kNoNode && graph.input(sub, 0) == x && graph.input(abs, 0) == x;
    return matches ? std::optional(2.0) : std::nullopt;
  }
  if (const NodeId min = made_only_for(graph, value, "Min"); min != kNoNode) {
    const ValueId zero = graph.node(min).inputs.size() == 2 ? other_input(graph, min, x) : kNoValue;
    return zero != kNoValue && scalar_constant(graph, zero) == 0.0 ? std::optional(1.0)
                                                                   : std::nullopt;
  }
  return std::nullopt;
}

struct Slope {
  double number = 1;          // times
  ValueId tensor = kNoValue;  // a constant, or nothing
};

std::optional<Slope> slope_of(const Graph& graph, ValueId p, ValueId x) {
  if (!only_use(graph, p)) return std::nullopt;
  Product product = product_of(graph, p);
  Slope slope{.number = product.scale};
  bool found = false;
  for (const ValueId factor : product.factors) {
    const auto part = found ? std::nullopt : negative_part(graph, factor, x);
    if (part) {
      slope.number *= *part;
      found = true;
    } else if (slope.tensor == kNoValue && known_numbers(graph, factor)) {
      slope.tensor = factor;
    } else {
      return std::nullopt;
    }
  }
  return found ? std::optional(slope) : std::nullopt;
}

// The slope may broadcast to x, not x to the slope.
bool broadcasts_to(const Graph& graph, ValueId slope, ValueId x) {
  const auto rank = rank_of(graph, x);
  if (!rank) return false;
  const auto both = broadcast(SymShape(graph.constant(slope)->shape()), *graph.value(x).shape);
  return both && *both == *graph.value(x).shape;
}

bool replace(Graph& graph, NodeId id, ValueId x, const Slope& slope) {
  if (slope.tensor == kNoValue) {
    replace_node(graph, id, "LeakyRelu", {x}, {{"alpha", static_cast<float>(slope.number)}});
    return true;
  }
  if (!broadcasts_to(graph, slope.tensor, x)) return false;
  std::vector<double> values = *known_numbers(graph, slope.tensor);
  for (double& value : values) value *= slope.number;
  const ValueId slopes = add_floats(graph, graph.value(slope.tensor).name + "_slope",
                                    graph.constant(slope.tensor)->shape(), values);
  replace_node(graph, id, "PRelu", {x, slopes});
  return true;
}

bool fuse(Graph& graph, NodeId id) {
  const bool subtracts = graph.node(id).op_type == "Sub";
  if (has_legacy_broadcast(graph.node(id))) return false;
  for (const std::size_t i : {0u, 1u}) {
    const NodeId relu = made_only_for(graph, graph.input(id, i), "Relu");
    const ValueId p = graph.input(id, 1 - i);
    if (relu != kNoNode && p != kNoValue) {
      auto slope = slope_of(graph, p, graph.input(relu, 0));
      if (slope && subtracts) slope->number = -slope->number;
      if (slope && replace(graph, id, graph.input(relu, 0), *slope)) return true;
    }
    if (subtracts) break;
  }
  return false;
}

}  // namespace

Result<int> fuse_prelu(Graph& graph, PassContext& context) {
  if (graph.opset() < 7) return 0;  // before, slopes did not broadcast
  return rewrite_each(graph, context, {"Add", "Sub"}, [&](NodeId id) { return fuse(graph, id); });
}

}  // namespace mini_infer
