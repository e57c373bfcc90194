// before:  PRelu(x [N,C,H,W], slope [C])          as MXNet's exporter writes it
// after:   PRelu(x, slope [C,1,1])
// when:    the slope is constant, does not broadcast to x as ONNX has it, and has one number for
//          each channel
//
// mini-infer reads such slopes as channels anyway; other engines refuse them.

#include "graph/passes/match.h"

namespace mini_infer {
namespace {

bool fold(Graph& graph, NodeId id) {
  const ValueId x = graph.input(id, 0), slope = graph.input(id, 1);
  const Tensor* tensor = graph.constant(slope);
  const auto rank = rank_of(graph, x);
  if (tensor == nullptr || !rank || *rank < 3 || tensor->shape().rank() != 1) return false;
  const SymShape& shape = *graph.value(x).shape;
  const std::int64_t count = tensor->shape()[0];
  const Dim& last = shape[*rank - 1];
  if (count == 1 || !shape[1].is(count) || !last.known() || last.is(count)) return false;
  Shape channels{count};
  for (std::size_t i = 2; i < *rank; ++i) channels.push_back(1);
  graph.set_input(id, 1,
                  graph.add_constant(graph.value(slope).name + "_channels",
                                     tensor->reshaped(std::move(channels))));
  return true;
}

}  // namespace

Result<int> fold_prelu_slope(Graph& graph, PassContext& context) {
  return rewrite_each(graph, context, "PRelu", [&](NodeId id) { return fold(graph, id); });
}

}  // namespace mini_infer
