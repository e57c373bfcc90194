#include "graph/onnx/graph_builder.h"

#include <algorithm>
#include <unordered_set>

#include "graph/ir/text.h"

namespace mini_infer {
namespace {

ValueType type_of(const Value& value) { return {value.dtype, value.shape}; }

// Drops what is left out at the end.
void trim(std::vector<ValueId>& values) {
  while (!values.empty() && values.back() == kNoValue) values.pop_back();
}

}  // namespace

Graph GraphBuilder::build(const pb::GraphProto& proto, const OpsetVersions& opsets) {
  GraphDraft draft;
  Scope scope{.draft = draft, .opsets = opsets};
  fill(proto, scope);
  return std::move(draft.graph);
}

void GraphBuilder::fill(const pb::GraphProto& proto, Scope& scope) {
  Graph& graph = scope.draft.graph;
  graph.name = proto.name();
  graph.opsets = scope.opsets;
  add_initialisers(proto, scope);
  add_inputs(proto, scope);
  add_nodes(proto.node(), scope);
  add_hints(proto, scope);
  add_outputs(proto, scope);
  if (graph.order().size() != graph.node_count()) report_cycle(graph);
}

std::optional<ValueId> GraphBuilder::lookup(Scope& scope, const std::string& name) {
  const auto found = scope.values.find(name);
  if (found != scope.values.end()) return found->second;
  if (scope.outer == nullptr) return std::nullopt;
  const std::optional<ValueId> outer = lookup(*scope.outer, name);
  if (!outer || *outer == kNoValue) return outer;
  const Value& value = scope.outer->draft.graph.value(*outer);
  ValueId inner = kNoValue;
  if (value.is_constant()) {  // copies of a tensor share its bytes
    inner =
        scope.draft.graph.add_constant(scope.draft.value_names.unique(value.name), value.constant);
  } else {
    std::vector<Capture>& captures = scope.draft.captures;
    const auto known = std::find_if(captures.begin(), captures.end(),
                                    [&](const Capture& c) { return c.outer == *outer; });
    if (known != captures.end()) {
      inner = known->inner;
    } else {
      inner = scope.draft.graph.add_value(scope.draft.value_names.unique(value.name), value.dtype,
                                          value.shape);
      captures.push_back({*outer, inner});
    }
  }
  scope.values[name] = inner;
  return inner;
}

// --- constants, inputs, outputs

void GraphBuilder::add_initialisers(const pb::GraphProto& proto, Scope& scope) {
  for (const pb::TensorProto& tensor : proto.initializer()) {
    add_initialiser(scope, tensor.name(), state_.tensors.read(tensor));
  }
  for (const pb::SparseTensorProto& tensor : proto.sparse_initializer()) {
    add_initialiser(scope, tensor.values().name(), state_.tensors.read(tensor));
  }
}

void GraphBuilder::add_initialiser(Scope& scope, const std::string& name, Result<Tensor> tensor) {
  if (!tensor.ok()) {
    state_.problems.add(std::move(tensor).status().at(cat("initialiser '", name, "'")));
    if (!scope.values.contains(name)) scope.values[name] = scope.draft.graph.add_value(name);
    return;
  }
  state_.info.parameters += tensor->elements();
  state_.info.tensor_dtypes.insert(tensor->dtype());
  if (scope.values.contains(name)) {
    state_.notes.add("initialiser",
                     cat("initialiser '", name, "' is there twice; the last counts"));
    scope.draft.graph.make_constant(scope.values[name], std::move(tensor).value());
    return;
  }
  scope.draft.value_names.unique(name);
  scope.values[name] = scope.draft.graph.add_constant(name, std::move(tensor).value());
}

void GraphBuilder::add_inputs(const pb::GraphProto& proto, Scope& scope) {
  std::unordered_set<std::string> seen;
  for (const pb::ValueInfoProto& info : proto.input()) {
    if (!seen.insert(info.name()).second) {
      state_.problems.add(invalid_model("input '", info.name(), "' is declared twice"));
      continue;
    }
    // An initialiser is the value of its input: mini-infer has no inputs that may be left out.
    if (scope.values.contains(info.name())) {
      add_hint(info, scope);
      continue;
    }
    Result<ValueType> type = read_type(info);
    if (!type.ok()) {
      state_.problems.add(std::move(type).status().at(cat("input '", info.name(), "'")));
      type = ValueType();
    }
    if (scope.outer == nullptr && type->dtype != DType::kUndefined) {
      state_.info.tensor_dtypes.insert(type->dtype);
    }
    scope.draft.value_names.unique(info.name());
    scope.values[info.name()] = scope.draft.graph.add_input(info.name(), type->dtype, type->shape);
  }
}

void GraphBuilder::add_hints(const pb::GraphProto& proto, Scope& scope) {
  for (const pb::ValueInfoProto& info : proto.value_info()) add_hint(info, scope);
  for (const pb::ValueInfoProto& info : proto.output()) add_hint(info, scope);
}

void GraphBuilder::add_hint(const pb::ValueInfoProto& info, Scope& scope) {
  const auto found = scope.values.find(info.name());
  const Result<ValueType> type = read_type(info);
  if (!type.ok() || found == scope.values.end() || found->second == kNoValue) return;
  Value& value = scope.draft.graph.value(found->second);
  const ValueType known = type_of(value);
  if (!compatible(known, *type)) {
    state_.notes.add("value_info",
                     cat("the model says that '", info.name(), "' is ", type_str(*type),
                         ", but it is ", type_str(known), "; ignored"));
    return;
  }
  if (value.dtype == DType::kUndefined) value.dtype = type->dtype;
  if (!value.shape) value.shape = type->shape;
}

void GraphBuilder::add_outputs(const pb::GraphProto& proto, Scope& scope) {
  const bool main = scope.outer == nullptr;
  std::unordered_set<std::string> seen;
  for (const pb::ValueInfoProto& info : proto.output()) {
    const std::string& name = info.name();
    const Result<ValueType> type = read_type(info);
    if (!type.ok()) state_.problems.add(type.status().at(cat("output '", name, "'")));
    if (main && !seen.insert(name).second) {
      state_.problems.add(invalid_model("output '", name, "' is declared twice"));
      continue;
    }
    const std::optional<ValueId> value = lookup(scope, name);
    if (!value || *value == kNoValue) {
      state_.problems.add(
          invalid_model("output '", name, "': no node, input or initialiser has that name"));
      continue;
    }
    const DType dtype = type.ok() ? type->dtype : DType::kUndefined;
    if (main && dtype != DType::kUndefined) state_.info.tensor_dtypes.insert(dtype);
    scope.draft.graph.add_output(name, *value);
  }
  if (main && proto.output_size() == 0) {
    state_.problems.add(invalid_model("the graph has no outputs"));
  }
}

// Some node that order() leaves out is on a cycle: from one of them always a producer that is left
// out, too, leads there.
void GraphBuilder::report_cycle(const Graph& graph) {
  const std::vector<NodeId> sorted = graph.order();
  const std::unordered_set<NodeId> done(sorted.begin(), sorted.end());
  NodeId at = kNoNode;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.node_slots()) && at == kNoNode; ++id) {
    if (graph.alive(id) && !done.contains(id)) at = id;
  }
  std::vector<NodeId> path;
  std::unordered_set<NodeId> visited;
  while (at != kNoNode && visited.insert(at).second) {
    path.push_back(at);
    NodeId next = kNoNode;
    for (const ValueId in : graph.node(at).inputs) {
      const NodeId producer = graph.producer(in);
      if (producer != kNoNode && !done.contains(producer)) next = producer;
    }
    at = next;
  }
  if (at == kNoNode) return;
  constexpr std::size_t kMostNames = 8;
  std::string names;
  const auto first = std::find(path.begin(), path.end(), at);
  for (auto it = first; it != path.end(); ++it) {
    if (static_cast<std::size_t>(it - first) < kMostNames)
      names += cat("'", graph.node(*it).name, "' needs ");
  }
  if (static_cast<std::size_t>(path.end() - first) > kMostNames) names += "... needs ";
  state_.problems.add(
      invalid_model("the graph has a cycle: ", names, "'", graph.node(at).name, "'"));
}

// --- nodes

void GraphBuilder::add_nodes(const Nodes& nodes, Scope& scope) {
  // All outputs first: nodes may stand in any order.
  std::vector<std::string> names;
  for (int i = 0; i < nodes.size(); ++i) {
    const pb::NodeProto& proto = nodes[i];
    names.push_back(node_name(proto, i, scope));
    for (const std::string& output : proto.output()) {
      if (!output.empty()) declare(scope, output, names.back());
    }
  }
  const auto is_constant = [](const pb::NodeProto& proto) {
    return proto.op_type() == "Constant" && canonical_domain(proto.domain()).empty();
  };
  for (int i = 0; i < nodes.size(); ++i) {
    if (is_constant(nodes[i]))
      add_constant_node(nodes[i], names[static_cast<std::size_t>(i)], scope);
  }
  for (int i = 0; i < nodes.size(); ++i) {
    if (!is_constant(nodes[i])) add_node(nodes[i], names[static_cast<std::size_t>(i)], scope);
  }
}

std::string GraphBuilder::node_name(const pb::NodeProto& proto, int index, Scope& scope) {
  const std::string name = proto.name().empty()
                               ? cat(scope.unnamed_prefix, proto.op_type(), '_', index)
                               : scope.prefix + proto.name();
  return state_.node_names.unique(name);
}

ValueId GraphBuilder::declare(Scope& scope, const std::string& name, const std::string& node) {
  const auto result = scope.results.find(name);
  if (scope.values.contains(name)) {
    state_.problems.add(invalid_model("node '", node, "': output '", name,
                                      "' has the name of another value; names must be unique"));
    return kNoValue;
  }
  const ValueId id =
      result != scope.results.end()
          ? result->second
          : scope.draft.graph.add_value(scope.draft.value_names.unique(scope.prefix + name));
  scope.values[name] = id;
  return id;
}

void GraphBuilder::add_constant_node(const pb::NodeProto& proto, const std::string& name,
                                     Scope& scope) {
  if (scope.arguments == nullptr) ++state_.info.op_counts["Constant"];
  const Node node{.name = name, .op_type = "Constant", .opset = opset_of("", scope)};
  const Collected collected = read_attributes(proto, node, scope);
  Result<Tensor> tensor = constant_of(collected.attributes);
  if (!tensor.ok()) {
    state_.problems.add(std::move(tensor).status().at(node.str()));
    return;
  }
  state_.info.tensor_dtypes.insert(tensor->dtype());
  // Of a function's body once, as of its file.
  if (scope.arguments == nullptr) state_.info.parameters += tensor->elements();
  if (proto.output_size() == 0 || proto.output(0).empty()) return;
  const ValueId id = scope.values[proto.output(0)];
  Graph& graph = scope.draft.graph;
  if (graph.producer(id) == kNoNode && !graph.value(id).is_constant() && !graph.is_input(id)) {
    graph.make_constant(id, std::move(tensor).value());
  }
}

int GraphBuilder::opset_of(const std::string& domain, const Scope& scope) {
  const auto it = scope.opsets.find(domain);
  if (it != scope.opsets.end()) return it->second;
  state_.notes.add("domain " + domain, cat("the model does not import domain '", domain,
                                           "' which its nodes use; its version is taken as 1"));
  return 1;
}

std::vector<ValueId> GraphBuilder::read_inputs(const pb::NodeProto& proto, const Node& node,
                                               Scope& scope) {
  std::vector<ValueId> inputs;
  for (int i = 0; i < proto.input_size(); ++i) {
    const std::string& name = proto.input(i);
    std::optional<ValueId> value = name.empty() ? kNoValue : lookup(scope, name);
    if (!value) {
      state_.problems.add(invalid_model(node.str(), ": input ", i, " '", name,
                                        "' is not defined: no node, input or initialiser has that "
                                        "name"));
    }
    inputs.push_back(value.value_or(kNoValue));
  }
  return inputs;
}

void GraphBuilder::add_node(const pb::NodeProto& proto, const std::string& name, Scope& scope) {
  FunctionKey key;
  const std::string domain = canonical_domain(proto.domain());
  if (scope.arguments == nullptr) {
    ++state_.info.op_counts[domain.empty() ? proto.op_type() : domain + "." + proto.op_type()];
  }
  if (const Function* function = find_function(proto, key)) {
    inline_call(proto, *function, key, name, scope);
    return;
  }
  Node node{.name = name, .domain = domain, .op_type = proto.op_type()};
  node.opset = opset_of(domain, scope);
  if (!proto.doc_string().empty()) state_.header.node_docs[name] = proto.doc_string();
  node.inputs = read_inputs(proto, node, scope);
  Collected collected = read_attributes(proto, node, scope);
  node.attributes = std::move(collected.attributes);
  // Before captured values, which follow, the places of inputs that are left out must stay.
  if (collected.subgraphs.empty()) trim(node.inputs);
  close_subgraphs(collected.subgraphs, node);
  Graph& graph = scope.draft.graph;
  for (const std::string& output : proto.output()) {
    ValueId id = output.empty() ? kNoValue : scope.values[output];
    // Taken: a name that is there twice, which declare() reported.
    if (id != kNoValue &&
        (graph.producer(id) != kNoNode || graph.value(id).is_constant() || graph.is_input(id) ||
         std::find(node.outputs.begin(), node.outputs.end(), id) != node.outputs.end())) {
      id = kNoValue;
    }
    node.outputs.push_back(id);
  }
  trim(node.outputs);
  if (proto.op_type().empty()) {
    state_.problems.add(invalid_model("node '", name, "' has no operator type"));
  }
  graph.add_node(std::move(node));
}

// --- attributes and subgraphs

GraphBuilder::Collected GraphBuilder::read_attributes(const pb::NodeProto& proto, const Node& node,
                                                      Scope& scope) {
  Collected collected;
  for (const pb::AttributeProto& attribute : proto.attribute()) {
    read_attribute(attribute, node, scope, collected);
  }
  return collected;
}

void GraphBuilder::read_attribute(const pb::AttributeProto& proto, const Node& node, Scope& scope,
                                  Collected& collected) {
  const std::string& name = proto.name();
  if (collected.attributes.contains(name)) {
    state_.problems.add(invalid_model(node.str(), ": attribute '", name, "' is there twice"));
    return;
  }
  if (!proto.ref_attr_name().empty()) {
    if (scope.arguments == nullptr) {
      state_.problems.add(invalid_model(node.str(), ": attribute '", name,
                                        "' refers to one of a function, but is in none"));
      return;
    }
    const auto argument = scope.arguments->find(proto.ref_attr_name());
    if (argument != scope.arguments->end()) collected.attributes[name] = argument->second;
    return;
  }
  const pb::AttributeProto::AttributeType type = attribute_type(proto);
  if (type == pb::AttributeProto::GRAPH) {
    collected.attributes[name] = GraphPtr();
    collected.subgraphs.push_back({name, -1, build_subgraph(proto.g(), node, scope)});
    return;
  }
  if (type == pb::AttributeProto::GRAPHS) {
    collected.attributes[name] =
        std::vector<GraphPtr>(static_cast<std::size_t>(proto.graphs_size()));
    for (int i = 0; i < proto.graphs_size(); ++i) {
      collected.subgraphs.push_back({name, i, build_subgraph(proto.graphs(i), node, scope)});
    }
    return;
  }
  Result<std::optional<Attribute>> value = read_plain_attribute(proto, state_.tensors);
  if (!value.ok()) {
    state_.problems.add(std::move(value).status().at(cat(node.str(), ": attribute '", name, "'")));
  } else if (*value) {
    collected.attributes[name] = std::move(**value);
  } else {
    state_.header.dropped.push_back(
        cat(node.str(), ": attribute '", name, "', which is a type or a kind unknown"));
  }
}

GraphDraft GraphBuilder::build_subgraph(const pb::GraphProto& proto, const Node& node,
                                        Scope& scope) {
  GraphDraft draft;
  Scope inner{.draft = draft,
              .opsets = scope.opsets,
              .outer = &scope,
              .prefix = scope.prefix,
              .unnamed_prefix = node.name + "/",
              .arguments = scope.arguments};
  fill(proto, inner);
  return draft;
}

// All subgraphs of a node get the same captured values, in the same order, after their own inputs.
void GraphBuilder::close_subgraphs(std::vector<Subgraph>& subgraphs, Node& node) {
  std::vector<ValueId> captured;
  for (const Subgraph& subgraph : subgraphs) {
    for (const Capture& capture : subgraph.draft.captures) {
      if (std::find(captured.begin(), captured.end(), capture.outer) == captured.end()) {
        captured.push_back(capture.outer);
      }
    }
  }
  for (auto& [name, place, draft] : subgraphs) {
    for (const ValueId outer : captured) {
      const auto capture = std::find_if(draft.captures.begin(), draft.captures.end(),
                                        [&](const Capture& c) { return c.outer == outer; });
      draft.graph.inputs.push_back(capture != draft.captures.end()
                                       ? capture->inner
                                       : draft.graph.add_value(draft.value_names.unique("unused")));
    }
    auto graph = std::make_shared<const Graph>(std::move(draft.graph));
    Attribute& attribute = node.attributes[name];
    if (place < 0) {
      attribute = std::move(graph);
    } else {
      std::get<std::vector<GraphPtr>>(attribute)[static_cast<std::size_t>(place)] =
          std::move(graph);
    }
  }
  node.captures = static_cast<int>(captured.size());
  node.inputs.insert(node.inputs.end(), captured.begin(), captured.end());
}

}  // namespace mini_infer
