// before:  0.5 * x * (1 + Erf(x / sqrt(2)))                                       -> Gelu
//          0.5 * x * (1 + Tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))              -> Gelu "tanh"
//          0.5 * x * (1 + Tanh(sqrt(2 / pi) * x * (1 + 0.044715 * x^2)))          -> Gelu "tanh"
// after:   Gelu(x) {approximate}
// when:    nothing between has another use; factors in any order and nesting

#include "graph/passes/product.h"

namespace mini_infer {
namespace {

constexpr double kSqrtHalf = 0.70710678118654752440;
constexpr double kSqrtTwoOverPi = 0.79788456080286535588;
constexpr double kCubic = 0.044715;

// Whether `value` is kCubic times `x` to the power `exponent`.
bool is_cubic_term(const Graph& graph, ValueId value, ValueId x, std::size_t exponent) {
  if (!only_use(graph, value)) return false;
  const Product term = product_of(graph, value);
  return term.scale_is(kCubic) && term.factors == std::vector<ValueId>(exponent, x);
}

// Whether `value` is sqrt(2/pi) (x + 0.044715 x^3).
bool is_tanh_argument(const Graph& graph, ValueId value, ValueId x) {
  Product product = product_of(graph, value);
  if (!product.scale_is(kSqrtTwoOverPi) || product.factors.empty()) return false;
  if (product.factors.size() == 2 && product.take(x)) {
    const auto sum = shifted(graph, product.factors[0]);
    return sum && sum->number == 1 && is_cubic_term(graph, sum->x, x, 2);
  }
  const NodeId sum =
      product.factors.size() == 1 ? made_only_for(graph, product.factors[0], "Add") : kNoNode;
  const ValueId term = sum != kNoNode ? other_input(graph, sum, x) : kNoValue;
  return is_cubic_term(graph, term, x, 3);
}

// "none" or "tanh" where `gate` is 1 + the function of x that Gelu has.
const char* approximation(const Graph& graph, ValueId gate, ValueId x) {
  const auto sum = shifted(graph, gate);
  if (!sum || sum->number != 1) return nullptr;
  if (const NodeId erf = made_only_for(graph, sum->x, "Erf"); erf != kNoNode) {
    const ValueId argument = graph.input(erf, 0);
    if (!only_use(graph, argument)) return nullptr;
    const Product product = product_of(graph, argument);
    const bool matches = product.scale_is(kSqrtHalf) && product.factors == std::vector{x};
    return matches ? "none" : nullptr;
  }
  const NodeId tanh = made_only_for(graph, sum->x, "Tanh");
  if (tanh == kNoNode || !only_use(graph, graph.input(tanh, 0))) return nullptr;
  return is_tanh_argument(graph, graph.input(tanh, 0), x) ? "tanh" : nullptr;
}

bool fuse(Graph& graph, NodeId id, std::string_view domain) {
  const Product product = product_of(graph, graph.output(id));
  if (product.factors.size() != 2 || !product.scale_is(0.5)) return false;
  for (const std::size_t i : {0u, 1u}) {
    const ValueId x = product.factors[i];
    const char* approximate = approximation(graph, product.factors[1 - i], x);
    if (approximate == nullptr) continue;
    replace_node(graph, id, "Gelu", {x}, {{"approximate", std::string(approximate)}}, domain);
    return true;
  }
  return false;
}

}  // namespace

Result<int> fuse_gelu(Graph& graph, PassContext& context) {
  const std::string_view domain = graph.opset() >= 20 ? "" : kInternalDomain;
  if (context.ops.find(domain, "Gelu", graph.opset(domain)) == nullptr) return 0;
  return rewrite_products(graph, context, [&](NodeId id) { return fuse(graph, id, domain); });
}

}  // namespace mini_infer
