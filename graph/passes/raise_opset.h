// From an opset of ONNX's own domain to a newer one.
#pragma once

#include <mini_infer/status.h>

#include <span>
#include <string_view>

#include "graph/ir/graph.h"

namespace mini_infer {

// The newest opset whose changes the steps know.
inline constexpr int kNewestRaised = 23;

// The newest opset that the graph or one of its nodes is written in: functions have their own.
int newest_opset(const Graph& graph);

// Rewrites the nodes of the graph and of its subgraphs so that they mean in `opset` what they meant
// before; nodes that are in it or in a newer one stay as they are. Shapes must have been inferred
// as far as they can be. kNotImplemented, with a line for each, where a node cannot be said in the
// new opset; the graph is of no use then.
Status raise_opset(Graph& graph, int opset);

// How one operator changes at one version: rewrites the node in place, with new nodes around it
// where it takes some. False where that is not possible.
struct OpsetStep {
  std::string_view type;
  int version;
  bool (*convert)(Graph& graph, NodeId node);
};
// All steps that are not compatible as they are: raise_opset_steps.cc.
std::span<const OpsetStep> opset_steps();

}  // namespace mini_infer
