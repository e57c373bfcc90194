// before:  Conv(x, W, b) -> y -> BatchNormalization(y, scale, B, mean, var) -> z
// after:   Conv(x, W * k, (b - mean) * k + B) -> z        k = scale / sqrt(var + epsilon), one for
//                                                         each output channel
// when:    everything but x is constant, and y has no other use; also with ConvTranspose, Gemm and
//          MatMul of matrices in place of Conv
//
// W may be shared with another Conv, so the products are new constants. k is computed in double:
// epsilon may be 1e-12.

#include <cmath>

#include "graph/passes/linear_node.h"

namespace mini_infer {
namespace {

struct Affine {
  std::vector<double> factors, shift;
};

std::optional<Affine> batch_norm(const Graph& graph, NodeId id, std::size_t channels) {
  const AttributeReader node(graph.node(id));
  if (node.integer("training_mode", 0) != 0 || node.integer("spatial", 1) != 1) return std::nullopt;
  std::vector<double> parts[4];  // scale, B, mean, variance
  for (std::size_t i = 0; i < 4; ++i) {
    auto values = known_numbers(graph, graph.input(id, i + 1));
    if (!values || values->size() != channels) return std::nullopt;
    parts[i] = std::move(*values);
  }
  const auto epsilon = static_cast<double>(node.number("epsilon", 1e-5f));
  Affine affine;
  for (std::size_t c = 0; c < channels; ++c) {
    const double k = parts[0][c] / std::sqrt(parts[3][c] + epsilon);
    affine.factors.push_back(k);
    affine.shift.push_back(parts[1][c] - parts[2][c] * k);
    if (!std::isfinite(k) || !std::isfinite(affine.shift.back())) return std::nullopt;
  }
  return affine;
}

bool other_outputs_used(const Graph& graph, NodeId id) {
  for (std::size_t i = 1; i < graph.node(id).outputs.size(); ++i) {
    const ValueId out = graph.output(id, i);
    if (out != kNoValue && (!graph.value(out).users.empty() || graph.is_output(out))) return true;
  }
  return false;
}

bool fold(Graph& graph, PassContext& context, NodeId id) {
  const auto linear = linear_node_only_for(graph, graph.input(id, 0));
  if (!linear || linear->channel_axis != 1 || other_outputs_used(graph, id)) return false;
  if (linear->kind == LinearNode::Kind::kMatMul && !has_internal(context, "FusedMatMul")) {
    return false;
  }
  const auto affine = batch_norm(graph, id, linear->channels);
  if (!affine || !bias_of(graph, *linear)) return false;
  scale_and_shift(graph, *linear, affine->factors, affine->shift);
  absorb(graph, id, linear->id);
  return true;
}

}  // namespace

Result<int> fold_conv_batch_norm(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, "BatchNormalization",
                      [&](NodeId id) { return fold(graph, context, id); });
}

}  // namespace mini_infer
