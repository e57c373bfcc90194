// Numbers of a model that are too small or too large for what may become of them.
#pragma once

#include <string>
#include <vector>

#include "graph/ir/graph.h"

namespace mini_infer::tools {

// A line for each kind of trap in the graph and its subgraphs, with a count and the first place:
// epsilons that vanish beside a variance of ordinary size, or in half precision where the model
// uses it; weights that are not finite; weights and constants outside of the range of half
// precision.
std::vector<std::string> precision_traps(const Graph& graph, bool half_precision);

}  // namespace mini_infer::tools
