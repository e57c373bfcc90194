// before:  Conv(x, W, b) -> y -> Relu -> z             also Clip, LeakyRelu, SiLU, ...:
// activation.cc after:   FusedConv(x, W, b) {activation = "Relu"} -> z when:    y has no other use;
// also after FusedConv with a residual, and after ConvTranspose
//          PRelu: the slopes are constant, one for each channel whatever their shape; they become
//          input 4

#include "graph/passes/activation.h"

namespace mini_infer {
namespace {

NodeId convolution_for(const Graph& graph, ValueId y) {
  for (const std::string_view type : {"Conv", "ConvTranspose"}) {
    const NodeId plain = made_only_for(graph, y, type);
    if (plain != kNoNode) return plain;
    const NodeId fused = made_only_for(
        graph, y, type == "Conv" ? "FusedConv" : "FusedConvTranspose", kInternalDomain);
    if (fused != kNoNode) return has_activation(graph, fused) ? kNoNode : fused;
  }
  return kNoNode;
}

// Slopes that broadcast to y [N,C,H,W], such as [C,1,1], as [C].
std::optional<std::vector<double>> channel_slopes(const Graph& graph, ValueId slope, ValueId y) {
  const auto rank = rank_of(graph, y);
  if (!rank || *rank < 3 || graph.constant(slope)->shape().rank() > *rank) return std::nullopt;
  const Dim& channels = (*graph.value(y).shape)[1];
  const auto lead = static_cast<std::int64_t>(*rank - graph.constant(slope)->shape().rank());
  if (!channels.known() || channels.value() < 1) return std::nullopt;
  return channel_numbers(graph, slope, 1 - lead, static_cast<std::size_t>(channels.value()));
}

bool fuse(Graph& graph, PassContext& context, NodeId id) {
  const ValueId y = graph.input(id, 0);
  const NodeId conv = convolution_for(graph, y);
  if (conv == kNoNode || !has_dtype(graph, y, DType::kFloat32)) return false;
  const bool transposed = graph.node(conv).op_type.ends_with("ConvTranspose");
  const char* fused = transposed ? "FusedConvTranspose" : "FusedConv";
  const auto activation = activation_of(graph, id);
  if (!activation || !has_internal(context, fused)) return false;
  if (activation->slope != kNoValue) {
    const auto slopes = channel_slopes(graph, activation->slope, y);
    if (!slopes || transposed) return false;
    const auto count = static_cast<std::int64_t>(slopes->size());
    graph.set_input(conv, 4, add_floats(graph, graph.node(id).name + "_slopes", {count}, *slopes));
  }
  retype(graph, conv, fused, kInternalDomain);
  set_activation(graph, conv, *activation);
  absorb(graph, id, conv);
  return true;
}

}  // namespace

Result<int> fuse_conv_activation(Graph& graph, PassContext& context) {
  int count = 0;
  for (const ActivationType& type : activation_types()) {
    count += rewrite_each(
        graph, context, type.type, [&](NodeId id) { return fuse(graph, context, id); },
        type.domain);
  }
  return count;
}

}  // namespace mini_infer
