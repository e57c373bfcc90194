// One more output: a value by its name, or an output of a node: NODE, NODE:1.
#include "graph/edit/edit.h"
#include "graph/edit/names.h"
#include "graph/edit/shapes.h"
#include "graph/ir/text.h"

namespace mini_infer {
namespace {

// An output of a node: NODE is its first, NODE:I counts from 0. kNoValue where the text names no
// node.
Result<ValueId> output_of_node(const Graph& graph, const std::string& text) {
  const NodeId whole = find_node_id(graph, text);
  if (whole != kNoNode) return graph.output(whole);
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return kNoValue;
  const NodeId node = find_node_id(graph, text.substr(0, colon));
  const std::string_view place = std::string_view(text).substr(colon + 1);
  if (node == kNoNode || (place != "0" && !parse_count(place))) return kNoValue;
  const auto index = place == "0" ? 0 : static_cast<std::size_t>(*parse_count(place));
  if (graph.output(node, index) != kNoValue) return graph.output(node, index);
  return error(Code::kInvalidArgument, graph.node(node).str(), " has no output ", index,
               "; it has ", counted(graph.node(node).outputs.size(), "output"));
}

}  // namespace

Result<std::string> add_output(Edit& edit, const std::string& text) {
  Graph& graph = edit.model.graph;
  ValueId value = find_value_id(graph, text);
  if (value == kNoValue) {
    MINI_TRY_ASSIGN(value, output_of_node(graph, text));
  }
  if (value == kNoValue) return find_value(graph, text).status();
  for (const GraphOutput& output : graph.outputs()) {
    if (output.value == value) {
      return error(Code::kInvalidArgument, "value '", graph.value(value).name, "' is output '",
                   output.name, "' already");
    }
  }
  UsedNames outputs;
  for (const GraphOutput& output : graph.outputs()) outputs.unique(output.name);
  for (const ValueId in : graph.inputs) {
    if (in == value) outputs.unique(graph.value(in).name);
  }
  const std::string name = outputs.unique(graph.value(value).name);
  graph.add_output(name, value);
  return cat("output '", name, "' ", type_str(graph.value(value)));
}

}  // namespace mini_infer
