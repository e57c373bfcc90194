// Shapes anew, and what steps do with them.
#pragma once

#include <mini_infer/status.h>

#include <string>
#include <vector>

#include "graph/ir/graph.h"
#include "graph/ir/op_def.h"

namespace mini_infer {

// Forgets what was inferred of all computed values, which may stem from what a step has changed,
// and infers it again. Values of operators that the engine lacks keep what the file says of them.
Status infer_anew(Graph& graph, const OpLookup& ops);
// "float32[N,3]"
std::string type_str(const Value& value);
// Neither rank nor an extent nor the dtype is known to differ. Made-up extents could be anything,
// names only what has the same name.
bool may_be_same_type(const Value& a, const Value& b);
// Removes the nodes that no output needs. Returns how many there were.
std::size_t remove_dead_nodes(Graph& graph);
// The node's input becomes a new constant; others may use the one that was there.
ValueId replace_constant(Graph& graph, NodeId node, std::size_t input, Tensor tensor);

}  // namespace mini_infer
