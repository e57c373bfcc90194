// Products and sums with constants, whatever order and nesting they are written in.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "graph/passes/match.h"

namespace mini_infer {

// scale * factors[0] * factors[1] * ...
struct Product {
  double scale = 1;
  std::vector<ValueId> factors;

  // Takes one factor out, if it is there.
  bool take(ValueId factor) {
    const auto it = std::find(factors.begin(), factors.end(), factor);
    if (it == factors.end()) return false;
    factors.erase(it);
    return true;
  }
  // Whether the scale is `number`, as exactly as a float16 constant in it allows.
  bool scale_is(double number) const;
};

// `root` and what it is made of: Mul, division by a constant, Neg, Pow(x, 2) and Pow(x, 3), as far
// as the results between have no other use. A value that is no product is its own only factor.
Product product_of(const Graph& graph, ValueId root);

// x + number, of a node Add or Sub with a constant.
struct Shifted {
  ValueId x = kNoValue;
  double number = 0;
};
// No value when the producer of `value` is nothing such, or `value` has other uses.
std::optional<Shifted> shifted(const Graph& graph, ValueId value);

// Tries rewrite(NodeId) on the nodes that can be the outermost of a product: Mul and Div.
template <class F>
int rewrite_products(Graph& graph, PassContext& context, F&& rewrite) {
  return rewrite_each(graph, context, {"Mul", "Div"}, rewrite);
}

}  // namespace mini_infer
