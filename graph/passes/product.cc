#include "graph/passes/product.h"

#include <cmath>

namespace mini_infer {
namespace {

// More factors than any pattern has.
constexpr std::size_t kMostFactors = 8;

void collect(const Graph& graph, ValueId value, bool root, Product& product) {
  const NodeId id = graph.producer(value);
  const bool inside = id != kNoNode && graph.node(id).domain.empty() &&
                      (root || only_use(graph, value)) && product.factors.size() < kMostFactors;
  const std::string type = inside ? graph.node(id).op_type : "";
  const auto operand = inside ? scalar_operand(graph, id) : std::nullopt;
  if (type == "Neg") {
    product.scale = -product.scale;
    collect(graph, graph.input(id, 0), false, product);
  } else if (type == "Mul" && operand) {
    product.scale *= operand->number;
    collect(graph, operand->x, false, product);
  } else if (type == "Div" && operand && operand->number != 0) {
    product.scale /= operand->number;
    collect(graph, operand->x, false, product);
  } else if (type == "Mul" && !has_legacy_broadcast(graph.node(id))) {
    collect(graph, graph.input(id, 0), false, product);
    collect(graph, graph.input(id, 1), false, product);
  } else if (type == "Pow" && operand && (operand->number == 2 || operand->number == 3)) {
    product.factors.insert(product.factors.end(), static_cast<std::size_t>(operand->number),
                           operand->x);
  } else {
    product.factors.push_back(value);
  }
}

}  // namespace

bool Product::scale_is(double number) const {
  return std::abs(scale - number) <= 6e-4 * std::abs(number);
}

Product product_of(const Graph& graph, ValueId root) {
  Product product;
  if (root != kNoValue) collect(graph, root, true, product);
  return product;
}

std::optional<Shifted> shifted(const Graph& graph, ValueId value) {
  if (!only_use(graph, value)) return std::nullopt;
  const NodeId add = made_by(graph, value, "Add"), sub = made_by(graph, value, "Sub");
  const NodeId id = add != kNoNode ? add : sub;
  const auto operand = id != kNoNode ? scalar_operand(graph, id) : std::nullopt;
  if (!operand) return std::nullopt;
  return Shifted{operand->x, add != kNoNode ? operand->number : -operand->number};
}

}  // namespace mini_infer
