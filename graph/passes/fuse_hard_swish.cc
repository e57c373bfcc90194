// before:  Clip(x + 3, 0, 6) / 6 -> y              any order, * 1/6 too
// after:   HardSigmoid(x) {alpha = 1/6, beta = 1/2} -> y
//
// before:  Clip(x / 6 + 1/2, 0, 1)                 also Clip((x + 3) / 6, 0, 1) and Clip(x / 5 +
// 1/2, 0, 1) after:   HardSigmoid(x) {alpha = 1/6 or 1/5, beta = 1/2}
//
// before:  x * HardSigmoid(x) {1/6, 1/2}           x * Clip(x + 3, 0, 6) / 6, any order and nesting
// after:   HardSwish(x)
// when:    nothing between has another use

#include <cmath>

#include "graph/passes/activation.h"
#include "graph/passes/product.h"

namespace mini_infer {
namespace {

constexpr double kSixth = 1.0 / 6.0;

// x where `value` is Clip(x + 3, 0, 6).
ValueId relu6_input(const Graph& graph, ValueId value) {
  const NodeId clip = made_only_for(graph, value, "Clip");
  const auto bounds = clip != kNoNode ? activation_of(graph, clip) : std::nullopt;
  if (!bounds || bounds->params != Floats{0.f, 6.f}) return kNoValue;
  const auto sum = shifted(graph, graph.input(clip, 0));
  return sum && sum->number == 3 ? sum->x : kNoValue;
}

// x where `value` is HardSigmoid(x) with the parameters that HardSwish has.
ValueId hard_sigmoid_input(const Graph& graph, ValueId value) {
  const NodeId id = made_only_for(graph, value, "HardSigmoid");
  if (id == kNoNode) return kNoValue;
  const AttributeReader node(graph.node(id));
  const double alpha = static_cast<double>(node.number("alpha", 0.2f));
  const bool same = std::abs(alpha - kSixth) < 1e-4 && node.number("beta", 0.5f) == 0.5f;
  return same ? graph.input(id, 0) : kNoValue;
}

bool fuse_sigmoid(Graph& graph, NodeId id) {
  const Product product = product_of(graph, graph.output(id));
  if (product.factors.size() != 1 || !product.scale_is(kSixth)) return false;
  const ValueId x = relu6_input(graph, product.factors[0]);
  if (x == kNoValue) return false;
  replace_node(graph, id, "HardSigmoid", {x},
               {{"alpha", static_cast<float>(kSixth)}, {"beta", 0.5f}});
  return true;
}

bool fuse_clip(Graph& graph, NodeId id) {
  const auto bounds = activation_of(graph, id);
  if (!bounds || bounds->params != Floats{0.f, 1.f}) return false;
  // (x + shift) * scale, or x * scale + shift
  const ValueId argument = graph.input(id, 0);
  if (!only_use(graph, argument)) return false;
  Product product = product_of(graph, argument);
  auto sum = product.factors.size() == 1 ? shifted(graph, product.factors[0]) : std::nullopt;
  if (!sum) return false;
  if (product.scale == 1) {
    if (!only_use(graph, sum->x)) return false;
    product = product_of(graph, sum->x);
    if (product.factors.size() != 1) return false;
    sum->x = product.factors[0];
  } else {
    sum->number *= product.scale;
  }
  const bool known = product.scale_is(kSixth) || product.scale_is(0.2);
  if (!known || std::abs(sum->number - 0.5) > 1e-3) return false;
  replace_node(graph, id, "HardSigmoid", {sum->x},
               {{"alpha", static_cast<float>(product.scale)}, {"beta", 0.5f}});
  return true;
}

bool fuse_swish(Graph& graph, NodeId id, std::string_view domain) {
  const Product product = product_of(graph, graph.output(id));
  if (product.factors.size() != 2) return false;
  for (const std::size_t i : {0u, 1u}) {
    const ValueId x = product.factors[i], gate = product.factors[1 - i];
    if ((product.scale_is(1) && hard_sigmoid_input(graph, gate) == x) ||
        (product.scale_is(kSixth) && relu6_input(graph, gate) == x)) {
      replace_node(graph, id, "HardSwish", {x}, {}, domain);
      return true;
    }
  }
  return false;
}

}  // namespace

Result<int> fuse_hard_swish(Graph& graph, PassContext& context) {
  const std::string_view domain = graph.opset() >= 14 ? "" : kInternalDomain;
  int count = 0;
  if (context.ops.find(domain, "HardSwish", graph.opset(domain)) != nullptr) {
    count +=
        rewrite_products(graph, context, [&](NodeId id) { return fuse_swish(graph, id, domain); });
  }
  if (graph.opset() >= 6) {
    count += rewrite_products(graph, context, [&](NodeId id) { return fuse_sigmoid(graph, id); });
    count += rewrite_each(graph, context, "Clip", [&](NodeId id) { return fuse_clip(graph, id); });
  }
  return count;
}

}  // namespace mini_infer
