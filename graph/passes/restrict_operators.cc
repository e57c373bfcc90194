#include "graph/passes/restrict_operators.h"

#include <algorithm>
#include <memory>

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

// Steps from one operator to those it ends as, at most.
constexpr int kMostSteps = 8;

const Decomposition* decomposition_of(std::string_view type) {
  for (const Decomposition& each : decompositions()) {
    if (each.type == type) return &each;
  }
  return nullptr;
}

// Whether an operator is in the set or ends there.
bool reaches(std::string_view type, const OperatorSet& target, int steps = kMostSteps) {
  if (target.contains(type)) return true;
  const Decomposition* found = steps > 0 ? decomposition_of(type) : nullptr;
  return found != nullptr &&
         std::all_of(found->into.begin(), found->into.end(),
                     [&](std::string_view part) { return reaches(part, target, steps - 1); });
}

Result<int> once(Graph& graph, const OperatorSet& target, PassContext& context) {
  int count = 0;
  for (const NodeId id : graph.order()) {
    Node& node = graph.node(id);
    for (GraphPtr* subgraph : subgraphs_of(node)) {
      auto copy = std::make_shared<Graph>(**subgraph);
      MINI_TRY_ASSIGN(const int inner, restrict_operators(*copy, target, context));
      if (inner > 0) *subgraph = std::move(copy);
      count += inner;
    }
    if (!node.domain.empty() || target.contains(node.op_type)) continue;
    const Decomposition* found = decomposition_of(node.op_type);
    if (found != nullptr && reaches(node.op_type, target) && found->apply(graph, id)) ++count;
  }
  return count;
}

struct Producer {
  std::string_view pass, type;
};
constexpr Producer kProducers[] = {
    {"fuse_focus", "SpaceToDepth"},
    {"fuse_depth_to_space", "DepthToSpace"},
    {"fuse_hard_swish", "HardSwish"},
    {"fuse_hard_swish", "HardSigmoid"},
    {"fuse_gelu", "Gelu"},
    {"fuse_mish", "Mish"},
    {"fuse_prelu", "PRelu"},
    {"fuse_prelu", "LeakyRelu"},
    {"fuse_layer_norm", "LayerNormalization"},
    {"fuse_log_softmax", "LogSoftmax"},
    {"fuse_matmul_gemm", "Gemm"},
    {"fuse_qkv", "Split"},
    {"fuse_reshapes", "Reshape"},
    {"replace_einsum", "MatMul"},
};

}  // namespace

Result<int> restrict_operators(Graph& graph, const OperatorSet& target, PassContext& context) {
  int total = 0;
  for (int step = 0; step < kMostSteps; ++step) {
    MINI_TRY_ASSIGN(const int count, once(graph, target, context));
    if (count == 0) break;
    total += count;
    MINI_TRY(infer_shapes(graph, context.ops));
  }
  return total;
}

std::vector<std::string> passes_outside(const OperatorSet& target) {
  std::vector<std::string> passes;
  for (const Producer& producer : kProducers) {
    // Focus is worth finding for what becomes of it; other operators are best left as they are
    // said.
    const bool wanted = producer.type == "SpaceToDepth" ? reaches(producer.type, target)
                                                        : target.contains(producer.type);
    if (!wanted) passes.emplace_back(producer.pass);
  }
  return passes;
}

}  // namespace mini_infer
