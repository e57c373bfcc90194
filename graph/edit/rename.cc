// Gives a value, a node, an input or an output another name; a node and a value of one name both.
#include "graph/edit/edit.h"
#include "graph/edit/names.h"
#include "graph/ir/text.h"

namespace mini_infer {
namespace {

// What has the name, and where a new one would clash.
struct Found {
  ValueId value = kNoValue;
  NodeId node = kNoNode;
  std::optional<std::size_t> output;
  bool any() const { return value != kNoValue || node != kNoNode || output; }
};

Found find_all(const Graph& graph, const std::string& name) {
  Found found{.node = find_node_id(graph, name)};
  for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
    if (graph.outputs()[i].name == name) found.output = i;
  }
  if (found.output) {
    const ValueId value = graph.outputs()[*found.output].value;
    if (graph.value(value).name == name) found.value = value;
  } else {
    found.value = find_value_id(graph, name);
  }
  return found;
}

Status check_free(const Graph& graph, const Found& old, const std::string& name) {
  const Found there = find_all(graph, name);
  const bool value = old.value != kNoValue || old.output;
  if (value && (there.value != kNoValue || there.output)) {
    return error(Code::kInvalidArgument, "there is a value '", name, "' already");
  }
  if (old.node != kNoNode && there.node != kNoNode) {
    return error(Code::kInvalidArgument, "there is a ", graph.node(there.node).str(), " already");
  }
  return ok();
}

void rename_output(Graph& graph, std::size_t index, const std::string& name) {
  std::vector<GraphOutput> outputs = graph.outputs();
  outputs[index].name = name;
  while (!graph.outputs().empty()) graph.remove_output(graph.outputs().size() - 1);
  for (GraphOutput& each : outputs) graph.add_output(std::move(each.name), each.value);
}

}  // namespace

Result<std::string> rename(Edit& edit, const std::string& text) {
  Graph& graph = edit.model.graph;
  for (const auto& [from, to] : cuts(text, '=')) {
    const Found old = find_all(graph, from);
    if (!old.any()) continue;
    MINI_TRY(check_free(graph, old, to));
    std::string what;
    const auto say = [&](std::string_view kind) { what += cat(what.empty() ? "" : " and ", kind); };
    if (old.output) say("output");
    if (old.value != kNoValue && graph.is_input(old.value)) say("input");
    if (old.value != kNoValue && !old.output && !graph.is_input(old.value)) say("value");
    if (old.node != kNoNode) say("node");
    if (old.output) rename_output(graph, *old.output, to);
    if (old.value != kNoValue) graph.value(old.value).name = to;
    if (old.node != kNoNode) {
      graph.node(old.node).name = to;
      auto& docs = edit.model.header.node_docs;
      if (auto doc = docs.extract(from)) {
        doc.key() = to;
        docs.insert(std::move(doc));
      }
    }
    return cat(what, " '", from, "' is now '", to, "'");
  }
  const std::string name = text.substr(0, text.find('='));
  const Status value = find_value(graph, name).status();
  const Status node = find_node(graph, name).status();
  if (value.message().find("nearest") == std::string::npos) return node;
  return value;
}

}  // namespace mini_infer
