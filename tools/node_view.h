// Single nodes of a file's graph with all that belongs to them.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "graph/ir/graph.h"
#include "tools/print.h"

namespace mini_infer::tools {

// A node of the graph, or of the body of a control-flow node.
struct NodePlace {
  const Graph* graph;
  NodeId id;
  std::string where;  // "then_branch of 'If_3'"; empty in the graph itself

  const Node& node() const { return graph->node(id); }
};
// All nodes in order, those of bodies after the node that has them.
std::vector<NodePlace> all_nodes(const Graph& graph);

struct NodeQuery {
  std::vector<std::string> names, ops, patterns;
  bool any() const { return !names.empty() || !ops.empty() || !patterns.empty(); }
};
// Empty, or why `pattern` is no regular expression (ECMAScript).
std::string pattern_problem(const std::string& pattern);
// Nodes with one of the names, of one of the operators, and with a match of one of the patterns in
// their name or a name of their outputs; what is empty does not count. An error names what no node
// has, with the nearest that there are. The patterns must be valid; of long names the first 1000
// characters are looked at.
Result<std::vector<NodePlace>> find_nodes(const Graph& graph, const NodeQuery& query);

// How often values are in each of equal parts of the range of a tensor's finite elements.
using Histogram = std::array<std::int64_t, 16>;
Histogram histogram(const Tensor& tensor);
// "▁▂▅█▅▂▁": eight heights, a blank for none.
std::string sparkline(const Histogram& histogram);

std::string print_node(const NodePlace& place);
// Attributes with more than 1000 elements are described only.
Json node_json(const NodePlace& place);

}  // namespace mini_infer::tools
