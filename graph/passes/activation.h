// Activations as nodes, and as what a fused node applies to its result: attributes `activation` (an
// operator's name) and `activation_params`.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "graph/passes/match.h"

namespace mini_infer {

// Every operator type and domain that activation_of() knows.
struct ActivationType {
  std::string_view type, domain;
};
std::span<const ActivationType> activation_types();

struct ActivationMatch {
  std::string name;  // "Relu", "Clip", ...
  Floats params;
  // PRelu: the constant slopes, in the shape that broadcasts to x.
  ValueId slope = kNoValue;
};
// The activation that the node is, if it is one with constant parameters.
std::optional<ActivationMatch> activation_of(const Graph& graph, NodeId id);

// Whether the node applies an activation to its result already.
bool has_activation(const Graph& graph, NodeId id);
void set_activation(Graph& graph, NodeId id, const ActivationMatch& activation);

}  // namespace mini_infer
