// Calls of functions that the model itself defines.
#include <algorithm>

#include "graph/ir/text.h"
#include "graph/onnx/graph_builder.h"

namespace mini_infer {
namespace {

// Functions that call functions can grow a small file without bound.
constexpr std::size_t kMostInlinedNodes = 200'000;
constexpr std::size_t kMostCalls = 32;

std::string str(const FunctionKey& key) {
  return (key.domain.empty() ? "" : key.domain + ".") + key.name +
         (key.overload.empty() ? "" : ":" + key.overload);
}

}  // namespace

const Function* GraphBuilder::find_function(const pb::NodeProto& proto, FunctionKey& key) const {
  if (state_.functions.empty()) return nullptr;
  key = {canonical_domain(proto.domain()), proto.op_type(), overload_of(proto)};
  const auto it = state_.functions.find(key);
  return it == state_.functions.end() ? nullptr : &it->second;
}

bool GraphBuilder::may_inline(const Function& function, const FunctionKey& key,
                              const std::string& where) {
  const auto again = std::find(state_.calls.begin(), state_.calls.end(), key);
  if (again != state_.calls.end()) {
    std::string chain;
    for (auto it = again; it != state_.calls.end(); ++it) chain += str(*it) + " -> ";
    state_.problems.add(invalid_model(where, ": the function calls itself: ", chain, str(key)));
    return false;
  }
  if (state_.calls.size() >= kMostCalls) {
    state_.problems.add(not_implemented(where, ": functions call each other more than ", kMostCalls,
                                        " levels deep"));
    return false;
  }
  const bool had_room = state_.inlined_nodes <= kMostInlinedNodes;
  state_.inlined_nodes += static_cast<std::size_t>(function.proto->node_size()) + 1;
  if (state_.inlined_nodes <= kMostInlinedNodes) return true;
  if (had_room) {
    state_.problems.add(error(Code::kResourceExhausted, where,
                              ": the model's functions expand to more than ", kMostInlinedNodes,
                              " nodes"));
  }
  return false;
}

void GraphBuilder::inline_call(const pb::NodeProto& proto, const Function& function,
                               const FunctionKey& key, const std::string& name, Scope& scope) {
  const Node call{.name = name, .domain = key.domain, .op_type = key.name, .opset = 1};
  const pb::FunctionProto& body = *function.proto;
  const std::vector<ValueId> inputs = read_inputs(proto, call, scope);
  if (!may_inline(function, key, call.str())) return;
  if (proto.input_size() > body.input_size()) {
    state_.problems.add(invalid_model(call.str(), " has ", inputs.size(),
                                      " inputs; the function has ", body.input_size()));
    return;
  }
  if (proto.output_size() > body.output_size()) {
    state_.problems.add(invalid_model(call.str(), " has ", proto.output_size(),
                                      " outputs; the function has ", body.output_size()));
    return;
  }
  Collected arguments = read_attributes(proto, call, scope);
  if (!arguments.subgraphs.empty()) {
    state_.problems.add(
        not_implemented(call.str(), ": a graph as an argument of a function is not implemented"));
    return;
  }
  for (const pb::AttributeProto& attribute : function.defaults) {
    if (!arguments.attributes.contains(attribute.name())) {
      read_attribute(attribute, call, scope, arguments);
    }
  }

  Scope inner{.draft = scope.draft,
              .opsets = function.opsets,
              .prefix = name + "/",
              .unnamed_prefix = name + "/",
              .arguments = &arguments.attributes};
  for (std::size_t i = 0; i < static_cast<std::size_t>(body.input_size()); ++i) {
    inner.values[body.input(static_cast<int>(i))] = i < inputs.size() ? inputs[i] : kNoValue;
  }
  for (int i = 0; i < proto.output_size(); ++i) {
    if (!proto.output(i).empty())
      inner.results.emplace(body.output(i), scope.values[proto.output(i)]);
  }
  state_.calls.push_back(key);
  add_nodes(body.node(), inner);
  state_.calls.pop_back();

  Graph& graph = scope.draft.graph;
  for (int i = 0; i < proto.output_size(); ++i) {
    if (proto.output(i).empty()) continue;
    const ValueId outside = scope.values[proto.output(i)];
    const std::optional<ValueId> inside = lookup(inner, body.output(i));
    if (!inside || *inside == kNoValue) {
      state_.problems.add(invalid_model(call.str(), ": the function does not compute its output '",
                                        body.output(i), "'"));
    } else if (*inside != outside && graph.producer(outside) == kNoNode &&
               !graph.value(outside).is_constant()) {
      // An input that is an output as well, or an output that has two names.
      Node identity{.name = state_.node_names.unique(name + "/Identity"),
                    .op_type = "Identity",
                    .inputs = {*inside},
                    .outputs = {outside},
                    .opset = std::max(scope.draft.graph.opset(), 1)};
      graph.add_node(std::move(identity));
    }
  }
}

}  // namespace mini_infer
