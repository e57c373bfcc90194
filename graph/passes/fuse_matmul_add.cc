// before:  MatMul(a, b) -> y -> Add(y, d)          also Mul(y, s) or Div(y, s)
// after:   FusedMatMul(a, b, d)                    FusedMatMul(a, b) {alpha = s}
// when:    y has no other use; d is a float32 constant with one element or one for each column of
// b;
//          s is a constant with one element, and no d was added yet
//
// Unlike fold_conv_mul_add this asks nothing of a and b: they may be computed, as in attention.

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

NodeId product_for(const Graph& graph, ValueId y) {
  const NodeId plain = made_only_for(graph, y, "MatMul");
  const NodeId fused =
      plain != kNoNode ? plain : made_only_for(graph, y, "FusedMatMul", kInternalDomain);
  if (fused == kNoNode || graph.node(fused).attributes.contains("activation") ||
      !has_dtype(graph, y, DType::kFloat32)) {
    return kNoNode;
  }
  return graph.input(fused, 2) == kNoValue ? fused : kNoNode;
}

// d as one number for each column.
std::optional<std::vector<double>> row_constant(const Graph& graph, ValueId d, ValueId y) {
  auto values = known_numbers(graph, d);
  const auto rank = rank_of(graph, y);
  if (!values || !rank || *rank < 2) return std::nullopt;
  const Dim& columns = (*graph.value(y).shape)[*rank - 1];
  const Shape& shape = graph.constant(d)->shape();
  if (!columns.known() || shape.rank() > *rank) return std::nullopt;
  const auto count = static_cast<std::size_t>(columns.value());
  if (values->size() == 1) return std::vector<double>(count, values->front());
  if (values->size() != count || shape[shape.rank() - 1] != columns.value()) return std::nullopt;
  return values;
}

bool fuse_add(Graph& graph, NodeId id) {
  if (has_legacy_broadcast(graph.node(id))) return false;
  for (const std::size_t i : {0u, 1u}) {
    const ValueId y = graph.input(id, i), d = graph.input(id, 1 - i);
    const NodeId product = product_for(graph, y);
    const auto row = product != kNoNode ? row_constant(graph, d, y) : std::nullopt;
    if (!row) continue;
    const auto count = static_cast<std::int64_t>(row->size());
    graph.set_input(product, 2, add_floats(graph, graph.value(d).name + "_row", {count}, *row));
    retype(graph, product, "FusedMatMul", kInternalDomain);
    absorb(graph, id, product);
    return true;
  }
  return false;
}

bool fuse_scale(Graph& graph, NodeId id) {
  const auto operand = scalar_operand(graph, id);
  if (!operand) return false;
  const NodeId product = product_for(graph, operand->x);
  if (product == kNoNode) return false;
  const auto* before = graph.attribute<float>(product, "alpha");
  const double scale = graph.node(id).op_type == "Div" ? 1 / operand->number : operand->number;
  const double alpha = (before != nullptr ? static_cast<double>(*before) : 1.0) * scale;
  graph.node(product).attributes["alpha"] = static_cast<float>(alpha);
  retype(graph, product, "FusedMatMul", kInternalDomain);
  absorb(graph, id, product);
  return true;
}

}  // namespace

Result<int> fuse_matmul_add(Graph& graph, PassContext& context) {
  if (!has_internal(context, "FusedMatMul")) return 0;
  int count = rewrite_each(graph, context, {"Mul", "Div"},
                           [&](NodeId id) { return fuse_scale(graph, id); });
  count += rewrite_each(graph, context, "Add", [&](NodeId id) { return fuse_add(graph, id); });
  return count;
}

}  // namespace mini_infer
