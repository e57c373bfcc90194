// Towards a restricted set of operators, for engines that have few.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/passes/pass.h"

namespace mini_infer {

using OperatorSet = std::set<std::string, std::less<>>;  // types of ONNX's own domain

// How one operator is said by others: new nodes beside the old one, which is removed. False where
// its arguments do not allow it; nothing is changed then.
struct Decomposition {
  std::string_view type;
  std::vector<std::string_view> into;
  bool (*apply)(Graph& graph, NodeId node);
};
std::span<const Decomposition> decompositions();

// Replaces operators outside of `target` where what they become lies inside, perhaps after several
// steps; goes into subgraphs. Returns how many nodes were replaced. Shapes must have been inferred.
Result<int> restrict_operators(Graph& graph, const OperatorSet& target, PassContext& context);

// The passes that would put operators outside of `target` into the graph again.
std::vector<std::string> passes_outside(const OperatorSet& target);

}  // namespace mini_infer
