// Builds a Graph from a GraphProto: names become ids, subgraphs are closed, calls of the model's
// functions are replaced by their bodies.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "graph/ir/graph.h"
#include "graph/onnx/import_state.h"
#include "graph/onnx/value_type.h"

namespace mini_infer {

// A value of the surrounding graph that a subgraph uses, and the value that stands for it inside.
struct Capture {
  ValueId outer = kNoValue;
  ValueId inner = kNoValue;
};

// A graph in the making.
struct GraphDraft {
  Graph graph;
  UsedNames value_names;
  std::vector<Capture> captures;
};

// What names mean in one list of nodes: that of a graph, or that of a function's body within the
// graph that calls it.
struct Scope {
  GraphDraft& draft;
  const OpsetVersions& opsets;
  Scope* outer = nullptr;      // where a subgraph finds what it does not define itself
  std::string prefix;          // of the names of values and nodes: "caller/" in a function's body
  std::string unnamed_prefix;  // of the names of nodes without one
  const Attributes* arguments = nullptr;  // of the call, in a function's body
  std::unordered_map<std::string, ValueId> values;
  std::unordered_map<std::string, ValueId> results;  // of a function: ids that exist in the caller
};

class GraphBuilder {
 public:
  explicit GraphBuilder(ImportState& state) : state_(state) {}

  // The main graph. Problems go to the state.
  Graph build(const pb::GraphProto& proto, const OpsetVersions& opsets);

 private:
  struct Subgraph {
    std::string attribute;
    int place = -1;  // in a list of graphs; -1: the attribute is the graph
    GraphDraft draft;
  };
  // Attributes of a node as they are collected.
  struct Collected {
    Attributes attributes;
    std::vector<Subgraph> subgraphs;
  };

  void fill(const pb::GraphProto& proto, Scope& scope);
  void add_initialisers(const pb::GraphProto& proto, Scope& scope);
  void add_initialiser(Scope& scope, const std::string& name, Result<Tensor> tensor);
  void add_inputs(const pb::GraphProto& proto, Scope& scope);
  void add_hints(const pb::GraphProto& proto, Scope& scope);
  void add_hint(const pb::ValueInfoProto& info, Scope& scope);
  void add_outputs(const pb::GraphProto& proto, Scope& scope);
  void report_cycle(const Graph& graph);

  using Nodes = google::protobuf::RepeatedPtrField<pb::NodeProto>;
  void add_nodes(const Nodes& nodes, Scope& scope);
  std::string node_name(const pb::NodeProto& proto, int index, Scope& scope);
  // The value of an output: a new one, or the caller's. kNoValue (and a problem) if the name is
  // taken.
  ValueId declare(Scope& scope, const std::string& name, const std::string& node);
  void add_constant_node(const pb::NodeProto& proto, const std::string& name, Scope& scope);
  void add_node(const pb::NodeProto& proto, const std::string& name, Scope& scope);
  std::vector<ValueId> read_inputs(const pb::NodeProto& proto, const Node& node, Scope& scope);
  void close_subgraphs(std::vector<Subgraph>& subgraphs, Node& node);
  int opset_of(const std::string& domain, const Scope& scope);

  Collected read_attributes(const pb::NodeProto& proto, const Node& node, Scope& scope);
  void read_attribute(const pb::AttributeProto& proto, const Node& node, Scope& scope,
                      Collected& collected);
  GraphDraft build_subgraph(const pb::GraphProto& proto, const Node& node, Scope& scope);

  const Function* find_function(const pb::NodeProto& proto, FunctionKey& key) const;
  void inline_call(const pb::NodeProto& proto, const Function& function, const FunctionKey& key,
                   const std::string& name, Scope& scope);
  bool may_inline(const Function& function, const FunctionKey& key, const std::string& where);

  // nullopt: not defined anywhere. kNoValue: an input that the function's caller leaves out.
  std::optional<ValueId> lookup(Scope& scope, const std::string& name);

  ImportState& state_;
};

// The value of an attribute that is no graph and no reference. No value (without a problem) for
// kinds that only mean something to operators that mini-infer lacks.
Result<std::optional<Attribute>> read_plain_attribute(const pb::AttributeProto& proto,
                                                      TensorStore& tensors);
// The type an attribute says it has, or else the one of the field that is set.
pb::AttributeProto::AttributeType attribute_type(const pb::AttributeProto& proto);
// The tensor of a Constant node.
Result<Tensor> constant_of(const Attributes& attributes);

}  // namespace mini_infer
