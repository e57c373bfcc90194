// From an opset of ONNX's own domain to an older one.
#pragma once

#include <mini_infer/status.h>

#include <span>
#include <string>
#include <string_view>

#include "graph/ir/graph.h"
#include "graph/ir/op_def.h"

namespace mini_infer {

// The oldest opset that is written: before it, operands did not broadcast as in numpy.
inline constexpr int kOldestLowered = 7;

// Rewrites the nodes of the graph and of its subgraphs so that they mean in `opset`, from
// kOldestLowered on, what they meant before; nodes that are in it or in an older one stay as they
// are. Shapes must have been inferred as far as they can be. kNotImplemented, with a line for each,
// where nodes cannot be said in the old opset; the graph is of no use then.
Status lower_opset(Graph& graph, int opset, const OpLookup& ops);

// What one version brought to an operator, and how a node goes back to the version before.
struct OpsetChange {
  std::string_view type;
  int version;
  std::string_view dtypes;      // that its first input and output may have since
  std::string_view attributes;  // it has since, each with the value that does nothing
  // Rewrites the node, with new nodes of the graph's opset around it where it takes some, and says
  // why where that is not possible. nullptr: nothing else changed.
  std::string (*undo)(Graph& graph, NodeId node);
};
// In the order of lower_opset.def.
std::span<const OpsetChange> opset_changes();

}  // namespace mini_infer
