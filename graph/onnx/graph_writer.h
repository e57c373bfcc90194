// From a Graph to a GraphProto: ids become names again, and what subgraphs capture becomes the
// names of outer scopes.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "graph/onnx/importer.h"
#include "graph/onnx/proto.h"

namespace mini_infer {

struct Initialiser {
  std::string name;
  Tensor tensor;
};

struct WrittenGraph {
  pb::GraphProto proto;                   // without the initialisers of the main graph
  std::vector<Initialiser> initialisers;  // of the main graph, in the order of their first use
};

// Names of inputs, outputs, nodes and values stay as they are; where one is taken already, by
// another value of the graph or of one around it, it gets the suffix _2, _3, ... An output that is
// an input, a value of an outer graph, or a value that is an output already comes from an Identity.
// Large constants of subgraphs become initialisers of the main graph. kInvalidArgument where the
// model cannot be written: an operator of mini-infer's own, a node in another opset than the file's
// that means something else there (judged by `ops`, which may be null: any other opset).
Result<WrittenGraph> write_graph(const ImportedModel& model, const OpLookup* ops);

// The domains of all nodes, those of subgraphs too, and ONNX's own.
std::set<std::string> used_domains(const pb::GraphProto& graph);

// The tensor without its elements, unless these are strings.
pb::TensorProto write_tensor_header(const Tensor& tensor, const std::string& name);
// The same with its elements.
pb::TensorProto write_tensor(const Tensor& tensor, const std::string& name);
// An attribute that is no graph.
pb::AttributeProto write_plain_attribute(const std::string& name, const Attribute& attribute);

}  // namespace mini_infer
