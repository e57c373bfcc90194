// before:  MatMul(a, b) -> y -> Add(y, c) -> z
// after:   Gemm(a, b, c) -> z
// when:    a and b are matrices of floats, c broadcasts to z (but not z to c), y has no other use,
//          and the opset is 7 or newer
//
// For files alone: mini-infer itself has FusedMatMul for this.

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

bool is_float(const Graph& graph, ValueId value) {
  return has_dtype(graph, value, DType::kFloat32) || has_dtype(graph, value, DType::kFloat16) ||
         has_dtype(graph, value, DType::kFloat64);
}

bool is_matrix(const Graph& graph, ValueId value) {
  return rank_of(graph, value) == std::optional<std::size_t>(2);
}

bool broadcasts_to(const Graph& graph, ValueId c, ValueId y) {
  if (!rank_of(graph, c) || *rank_of(graph, c) > 2 || !rank_of(graph, y)) return false;
  const auto both = broadcast(*graph.value(c).shape, *graph.value(y).shape);
  return both && *both == *graph.value(y).shape;
}

bool fuse(Graph& graph, NodeId add) {
  if (graph.node(add).opset < 7) return false;
  for (const std::size_t i : {0u, 1u}) {
    const ValueId y = graph.input(add, i), c = graph.input(add, 1 - i);
    const NodeId product = y != kNoValue ? made_only_for(graph, y, "MatMul") : kNoNode;
    if (product == kNoNode || c == kNoValue) continue;
    const ValueId a = graph.input(product, 0), b = graph.input(product, 1);
    if (!is_float(graph, y) || !is_matrix(graph, a) || !is_matrix(graph, b) ||
        !broadcasts_to(graph, c, y)) {
      continue;
    }
    replace_node(graph, add, "Gemm", {a, b, c});
    return true;
  }
  return false;
}

}  // namespace

Result<int> fuse_matmul_gemm(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, "Add", [&](NodeId id) { return fuse(graph, id); });
}

}  // namespace mini_infer
