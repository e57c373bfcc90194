// Takes a node out: what used its output uses its input from then on.
#include "graph/edit/edit.h"
#include "graph/edit/names.h"
#include "graph/edit/shapes.h"
#include "graph/ir/text.h"

namespace mini_infer {
namespace {

struct Target {
  NodeId node;
  std::string input;  // empty: the only one that there is
};

Result<Target> find_target(const Graph& graph, const std::string& text) {
  const NodeId whole = find_node_id(graph, text);
  if (whole != kNoNode) return Target{whole, ""};
  for (const auto& [name, input] : cuts(text, '=')) {
    const NodeId node = find_node_id(graph, name);
    if (node != kNoNode) return Target{node, input};
  }
  return find_node(graph, text.substr(0, text.find('='))).status();
}

// The value that goes on in the place of the output.
Result<ValueId> find_substitute(const Graph& graph, const Target& target) {
  const Node& node = graph.node(target.node);
  std::vector<std::string> names;
  ValueId found = kNoValue;
  for (const ValueId in : node.inputs) {
    if (in == kNoValue || (target.input.empty() && graph.value(in).is_constant())) continue;
    if (!target.input.empty() && graph.value(in).name != target.input) continue;
    if (found == in) continue;
    names.push_back(graph.value(in).name);
    found = in;
  }
  if (names.size() == 1) return found;
  if (!target.input.empty()) {
    return error(Code::kInvalidArgument, node.str(), " has no input '", target.input, "'");
  }
  if (names.empty()) {
    return error(Code::kInvalidArgument, node.str(), " has no input that could go on in its place");
  }
  return error(Code::kInvalidArgument, node.str(), " has the inputs ", names,
               ": say which goes on in its place, NODE=INPUT");
}

}  // namespace

Result<std::string> remove_node(Edit& edit, const std::string& text) {
  Graph& graph = edit.model.graph;
  MINI_TRY_ASSIGN(const Target target, find_target(graph, text));
  const Node& node = graph.node(target.node);
  ValueId output = kNoValue;
  for (const ValueId out : node.outputs) {
    if (out == kNoValue || (graph.value(out).users.empty() && !graph.is_output(out))) continue;
    if (output != kNoValue) {
      return error(Code::kInvalidArgument, node.str(), " has more than one output that is used: '",
                   graph.value(output).name, "', '", graph.value(out).name, "'");
    }
    output = out;
  }
  const std::string what = node.str();
  if (output == kNoValue) {
    graph.remove_node(target.node);
    return cat(what, ", which nothing used");
  }
  MINI_TRY_ASSIGN(const ValueId input, find_substitute(graph, target));
  const Value &from = graph.value(output), &to = graph.value(input);
  if (!may_be_same_type(from, to)) {
    return error(Code::kInvalidArgument, node.str(), " makes ", type_str(from), " of ",
                 type_str(to),
                 "; only a node that changes neither dtype nor shape can be taken out");
  }
  const std::string name = to.name;
  graph.replace_uses(output, input);
  graph.remove_node(target.node);
  remove_dead_nodes(graph);
  return cat(what, "; '", name, "' goes on in its place");
}

}  // namespace mini_infer
