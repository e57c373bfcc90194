#include "graph/onnx/graph_writer.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <tuple>

#include "graph/ir/text.h"
#include "graph/onnx/import_state.h"
#include "graph/onnx/value_type.h"

namespace mini_infer {
namespace {

// Larger constants of subgraphs are initialisers of the main graph: they are often shared by
// branches, and only there can they be external data.
constexpr std::size_t kLargestInSubgraph = 1024;

// What makes two constants one.
using TensorKey = std::tuple<const void*, DType, std::vector<std::int64_t>>;
TensorKey key_of(const Tensor& tensor) {
  return {tensor.identity(), tensor.dtype(), tensor.shape().dims()};
}

// Inference writes every expression with parentheses (dim.h).
bool is_plain_name(const std::string& symbol) { return symbol.find('(') == std::string::npos; }

// One graph while it is written.
struct WriteScope {
  const Graph& graph;
  const WriteScope* outer = nullptr;
  pb::GraphProto& proto;
  UsedNames used;                  // here and in the graphs around
  std::vector<std::string> names;  // by value; empty: none so far
  std::vector<std::string> output_names;
  std::map<TensorKey, std::string> constants;  // initialisers of this graph
  std::size_t captures = 0;                    // its last inputs

  std::string& name(ValueId id) { return names[static_cast<std::size_t>(id)]; }
};

// Calls f with the constants that nodes and outputs use, in order.
template <class F>
void for_each_constant(const Graph& graph, const std::vector<NodeId>& order, F&& f) {
  for (const NodeId id : order) {
    for (const ValueId in : graph.node(id).inputs) {
      if (graph.constant(in) != nullptr) f(in);
    }
  }
  for (const GraphOutput& out : graph.outputs()) {
    if (graph.constant(out.value) != nullptr) f(out.value);
  }
}

template <class F>
void for_each_subgraph(const Node& node, F&& f) {
  for (const auto& [name, attribute] : node.attributes) {
    if (const auto* one = std::get_if<GraphPtr>(&attribute)) {
      if (*one != nullptr) f(**one);
    } else if (const auto* many = std::get_if<std::vector<GraphPtr>>(&attribute)) {
      for (const GraphPtr& each : *many) {
        if (each != nullptr) f(*each);
      }
    }
  }
}

class GraphWriter {
 public:
  GraphWriter(const ImportedModel& model, const OpLookup* ops) : model_(model), ops_(ops) {}

  Result<WrittenGraph> run() {
    const Graph& graph = model_.graph;
    for (const ValueId in : graph.inputs) {
      if (!graph.value(in).shape) continue;
      for (const Dim& dim : *graph.value(in).shape) {
        if (!dim.known()) input_symbols_.insert(dim.symbol());
      }
    }
    WriteScope scope{.graph = graph, .proto = written_.proto};
    MINI_TRY(write(scope));
    if (!model_.header.graph_doc.empty()) {
      written_.proto.set_doc_string(model_.header.graph_doc);
    }
    return std::move(written_);
  }

 private:
  Status write(WriteScope& scope) {
    const Graph& graph = scope.graph;
    scope.names.resize(graph.value_count());
    scope.proto.set_name(graph.name.empty() ? "graph" : graph.name);
    const std::vector<NodeId> order = graph.order();
    if (order.size() != graph.node_count()) return invalid_model("the graph has a cycle");
    name_inputs(scope);
    MINI_TRY(name_outputs(scope));
    name_constants(scope, order);
    if (scope.outer == nullptr) hoist_constants(scope, order);
    for (const NodeId id : order) name_results(scope, graph.node(id));
    for (const NodeId id : order) MINI_TRY(write_node(scope, graph.node(id)));
    write_outputs(scope);
    return ok();
  }

  // --- names

  void name_inputs(WriteScope& scope) {
    const std::size_t own = scope.graph.inputs.size() - scope.captures;
    for (std::size_t i = 0; i < own; ++i) {
      const ValueId in = scope.graph.inputs[i];
      scope.name(in) = scope.used.unique(scope.graph.value(in).name);
      describe(scope, in, scope.name(in), *scope.proto.add_input());
    }
  }

  // The value of an output takes its name, unless it has one already.
  Status name_outputs(WriteScope& scope) {
    const bool main = scope.outer == nullptr;
    for (const GraphOutput& out : scope.graph.outputs()) {
      const bool named = !scope.name(out.value).empty();
      const bool same = main && named && scope.name(out.value) == out.name;
      const std::string name = same ? out.name : scope.used.unique(out.name);
      if (main && name != out.name) {
        return error(Code::kInvalidArgument, "output '", out.name,
                     "' has the name of an input or of another output");
      }
      scope.output_names.push_back(name);
      if (!named && !inherited(scope, out.value)) scope.name(out.value) = name;
    }
    return ok();
  }

  // A constant that a graph around has.
  static bool inherited(const WriteScope& scope, ValueId id) {
    const Tensor* constant = scope.graph.constant(id);
    return constant != nullptr && find_constant(scope, *constant) != nullptr;
  }

  // The name of an initialiser of this graph or of one around.
  static const std::string* find_constant(const WriteScope& scope, const Tensor& tensor) {
    const TensorKey key = key_of(tensor);
    for (const WriteScope* at = &scope; at != nullptr; at = at->outer) {
      const auto found = at->constants.find(key);
      if (found != at->constants.end()) return &found->second;
    }
    return nullptr;
  }

  void name_constants(WriteScope& scope, const std::vector<NodeId>& order) {
    std::set<ValueId> done;
    for_each_constant(scope.graph, order, [&](ValueId id) {
      if (!done.insert(id).second) return;
      const Value& value = scope.graph.value(id);
      std::string& name = scope.name(id);
      const std::string* known = name.empty() ? find_constant(scope, value.constant) : nullptr;
      if (known != nullptr) {
        name = *known;
        return;
      }
      if (name.empty()) name = scope.used.unique(wanted(value.name));
      scope.constants.emplace(key_of(value.constant), name);
      add_initialiser(scope, name, value.constant);
    });
  }

  void add_initialiser(WriteScope& scope, const std::string& name, const Tensor& tensor) {
    if (scope.outer != nullptr) {
      *scope.proto.add_initializer() = write_tensor(tensor, name);
    } else {
      written_.initialisers.push_back({name, tensor});
    }
  }

  // Constants that only subgraphs use: large ones, and those that the main graph has.
  void hoist_constants(WriteScope& main, const std::vector<NodeId>& order) {
    std::map<TensorKey, std::string> unused;
    for (ValueId id = 0; id < static_cast<ValueId>(main.graph.value_count()); ++id) {
      const Tensor* tensor = main.graph.constant(id);
      if (tensor != nullptr) unused.emplace(key_of(*tensor), main.graph.value(id).name);
    }
    const std::function<void(const Graph&)> visit = [&](const Graph& graph) {
      const std::vector<NodeId> inner = graph.order();
      for_each_constant(graph, inner, [&](ValueId id) {
        const Value& value = graph.value(id);
        const TensorKey key = key_of(value.constant);
        const auto known = unused.find(key);
        const bool hoisted = known != unused.end() || value.constant.bytes() > kLargestInSubgraph;
        if (!hoisted || main.constants.contains(key)) return;
        const std::string& near = known != unused.end() ? known->second : value.name;
        const std::string name = main.used.unique(wanted(near));
        main.constants.emplace(key, name);
        add_initialiser(main, name, value.constant);
      });
      for (const NodeId id : inner) for_each_subgraph(graph.node(id), visit);
    };
    for (const NodeId id : order) for_each_subgraph(main.graph.node(id), visit);
  }

  void name_results(WriteScope& scope, const Node& node) {
    for (const ValueId out : node.outputs) {
      if (out == kNoValue || !scope.name(out).empty()) continue;
      scope.name(out) = scope.used.unique(wanted(scope.graph.value(out).name));
    }
  }

  static std::string wanted(const std::string& name) { return name.empty() ? "value" : name; }

  // --- nodes

  Status write_node(WriteScope& scope, const Node& node) {
    MINI_TRY(check_node(node));
    pb::NodeProto& proto = *scope.proto.add_node();
    add_node_name(proto, node.name);
    const auto doc = model_.header.node_docs.find(node.name);
    if (doc != model_.header.node_docs.end() && proto.name() == node.name) {
      proto.set_doc_string(doc->second);
    }
    proto.set_op_type(node.op_type);
    if (!node.domain.empty()) proto.set_domain(node.domain);
    const auto captures = static_cast<std::size_t>(node.captures);
    for (std::size_t i = 0; i + captures < node.inputs.size(); ++i) {
      proto.add_input(node.inputs[i] == kNoValue ? "" : scope.name(node.inputs[i]));
    }
    bool has_graph = false;
    for (const auto& [name, attribute] : node.attributes) {
      pb::AttributeProto& added = *proto.add_attribute();
      added = write_plain_attribute(name, attribute);
      MINI_TRY(write_subgraphs(scope, node, attribute, added, has_graph));
    }
    // Loop(, cond) needs its empty place.
    while (!has_graph && proto.input_size() > 0 && proto.input().rbegin()->empty()) {
      proto.mutable_input()->RemoveLast();
    }
    for (const ValueId out : node.outputs) add_result(scope, out, proto);
    return ok();
  }

  void add_node_name(pb::NodeProto& proto, const std::string& name) {
    if (!name.empty()) proto.set_name(node_names_.unique(name));
  }

  void add_result(WriteScope& scope, ValueId out, pb::NodeProto& proto) {
    proto.add_output(out == kNoValue ? "" : scope.name(out));
    if (out == kNoValue || scope.graph.is_output(out)) return;  // outputs are described there
    if (is_tensor(scope.graph.value(out)))
      describe(scope, out, scope.name(out), *scope.proto.add_value_info());
  }

  Status check_node(const Node& node) const {
    if (node.domain == kInternalDomain) {
      return error(Code::kInvalidArgument, node.str(),
                   ": an operator of mini-infer's own cannot be written to a file");
    }
    const int opset = model_.graph.opset(node.domain);
    if (node.opset == opset) return ok();
    const OpDef* then =
        ops_ != nullptr ? ops_->find(node.domain, node.op_type, node.opset) : nullptr;
    const OpDef* now = ops_ != nullptr ? ops_->find(node.domain, node.op_type, opset) : nullptr;
    const auto version = [](const OpDef& op, int at) {
      return std::upper_bound(op.since.begin(), op.since.end(), at) - op.since.begin();
    };
    if (then != nullptr && then == now && version(*then, node.opset) == version(*now, opset)) {
      return ok();
    }
    return error(Code::kInvalidArgument, node.str(), ": the file is written in opset ", opset,
                 ", where the operator may mean something else; raise the file's opset");
  }

  Status write_subgraphs(WriteScope& scope, const Node& node, const Attribute& attribute,
                         pb::AttributeProto& proto, bool& found) {
    if (const auto* one = std::get_if<GraphPtr>(&attribute)) {
      found = true;
      if (*one == nullptr) return invalid_model(node.str(), ": a subgraph is missing");
      return write_subgraph(scope, node, **one, *proto.mutable_g());
    }
    if (const auto* many = std::get_if<std::vector<GraphPtr>>(&attribute)) {
      found = true;
      for (const GraphPtr& each : *many) {
        if (each == nullptr) return invalid_model(node.str(), ": a subgraph is missing");
        MINI_TRY(write_subgraph(scope, node, *each, *proto.add_graphs()));
      }
    }
    return ok();
  }

  Status write_subgraph(WriteScope& outer, const Node& node, const Graph& graph,
                        pb::GraphProto& proto) {
    WriteScope scope{.graph = graph, .outer = &outer, .proto = proto, .used = outer.used};
    scope.captures = static_cast<std::size_t>(node.captures);
    scope.names.resize(graph.value_count());
    for (std::size_t i = 0; i < scope.captures; ++i) {
      const ValueId from = node.inputs[node.inputs.size() - scope.captures + i];
      const ValueId to = graph.inputs[graph.inputs.size() - scope.captures + i];
      if (from != kNoValue) scope.name(to) = outer.name(from);
    }
    return write(scope);
  }

  // --- outputs

  void write_outputs(WriteScope& scope) {
    for (std::size_t i = 0; i < scope.graph.outputs().size(); ++i) {
      const ValueId value = scope.graph.outputs()[i].value;
      const std::string& name = scope.output_names[i];
      if (scope.name(value) != name) {
        pb::NodeProto& identity = *scope.proto.add_node();
        add_node_name(identity, name + "/Identity");
        identity.set_op_type("Identity");
        identity.add_input(scope.name(value));
        identity.add_output(name);
      }
      describe(scope, value, name, *scope.proto.add_output());
    }
  }

  // --- types

  static bool is_tensor(const Value& value) {
    return value.dtype != DType::kUndefined && value.dtype <= DType::kBFloat16;
  }

  void describe(const WriteScope& scope, ValueId id, const std::string& name,
                pb::ValueInfoProto& info) const {
    info.set_name(name);
    const Value& value = scope.graph.value(id);
    if (!is_tensor(value)) return;
    const auto names = [&](const std::string& symbol) {
      return input_symbols_.contains(symbol) || is_plain_name(symbol);
    };
    write_type({value.dtype, value.shape}, names, *info.mutable_type());
  }

  const ImportedModel& model_;
  const OpLookup* ops_;
  WrittenGraph written_;
  UsedNames node_names_;
  std::set<std::string> input_symbols_;
};

}  // namespace

std::set<std::string> used_domains(const pb::GraphProto& graph) {
  std::set<std::string> domains = {""};
  for (const pb::NodeProto& node : graph.node()) {
    domains.insert(node.domain());
    for (const pb::AttributeProto& attribute : node.attribute()) {
      if (attribute.has_g()) domains.merge(used_domains(attribute.g()));
      for (const pb::GraphProto& each : attribute.graphs()) domains.merge(used_domains(each));
    }
  }
  return domains;
}

Result<WrittenGraph> write_graph(const ImportedModel& model, const OpLookup* ops) {
  return GraphWriter(model, ops).run();
}

}  // namespace mini_infer
