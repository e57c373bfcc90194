// Nodes that multiply by constant weights and add a constant bias for each output channel: what a
// following scale and shift can be folded into.
#pragma once

#include <optional>
#include <vector>

#include "graph/passes/match.h"

namespace mini_infer {

struct LinearNode {
  enum class Kind { kConv, kConvTranspose, kGemm, kMatMul };
  NodeId id = kNoNode;
  Kind kind = Kind::kConv;
  std::size_t channels = 0;      // of the output
  std::size_t channel_axis = 1;  // of the output
  std::size_t rank = 4;          // of the output
};

// Conv, ConvTranspose, Gemm, MatMul with float32 constant weights, and FusedMatMul without an
// activation.
std::optional<LinearNode> linear_node(const Graph& graph, NodeId id);
// The producer of `value` if it is one and `value` has no other use.
std::optional<LinearNode> linear_node_only_for(const Graph& graph, ValueId value);

// The bias, one number for each channel, zeros where there is none; no value unless it is constant
// and of a shape that says nothing more.
std::optional<std::vector<double>> bias_of(const Graph& graph, const LinearNode& linear);
// A constant operand of `user`, which is elementwise on the linear node's output, as one number for
// each channel.
std::optional<std::vector<double>> channel_constant(const Graph& graph, const LinearNode& linear,
                                                    NodeId user, ValueId operand);

// From now on the node computes factors[c] * y + shift[c]. Weights and bias become new constants.
void scale_and_shift(Graph& graph, const LinearNode& linear, const std::vector<double>& factors,
                     const std::vector<double>& shift);

}  // namespace mini_infer
