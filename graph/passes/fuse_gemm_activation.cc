// before:  Gemm(a, b, c) -> y -> Relu -> z            also MatMul; activations: activation.cc
// after:   FusedGemm(a, b, c) {activation = "Relu"} -> z
// when:    y has no other use

#include "graph/passes/activation.h"

namespace mini_infer {
namespace {

struct Product {
  NodeId id = kNoNode;
  std::string_view fused;
};

Product product_for(const Graph& graph, ValueId y) {
  for (const std::string_view type : {"Gemm", "MatMul"}) {
    const std::string_view fused = type == "Gemm" ? "FusedGemm" : "FusedMatMul";
    if (const NodeId id = made_only_for(graph, y, type); id != kNoNode) return {id, fused};
    const NodeId id = made_only_for(graph, y, fused, kInternalDomain);
    if (id != kNoNode && !has_activation(graph, id)) return {id, fused};
  }
  return {};
}

bool fuse(Graph& graph, PassContext& context, NodeId id) {
  const ValueId y = graph.input(id, 0);
  const Product product = product_for(graph, y);
  if (product.id == kNoNode || !has_dtype(graph, y, DType::kFloat32) ||
      !has_internal(context, product.fused)) {
    return false;
  }
  const auto activation = activation_of(graph, id);
  if (!activation || activation->slope != kNoValue) return false;
  retype(graph, product.id, product.fused, kInternalDomain);
  set_activation(graph, product.id, *activation);
  absorb(graph, id, product.id);
  return true;
}

}  // namespace

Result<int> fuse_gemm_activation(Graph& graph, PassContext& context) {
  int count = 0;
  for (const ActivationType& type : activation_types()) {
    count += rewrite_each(
        graph, context, type.type, [&](NodeId id) { return fuse(graph, context, id); },
        type.domain);
  }
  return count;
}

}  // namespace mini_infer
