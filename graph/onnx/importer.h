// From an ONNX file to a Graph.
#pragma once

#include <mini_infer/session.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "graph/ir/graph.h"
#include "graph/ir/op_def.h"

namespace mini_infer {

// What a file says of itself that a Graph has no place for, kept for writing it again.
struct ModelHeader {
  std::string producer_name, producer_version, domain, doc, graph_doc;
  std::int64_t model_version = 0;
  std::map<std::string, std::string> node_docs;  // by the names of nodes, of subgraphs too
  bool external_data = false;                    // some tensors lie in files of their own
  std::vector<std::string> dropped;              // what is not kept, a line each
};

struct ImportedModel {
  // Inputs that the model gives an initialiser for are constants of the graph, not inputs. Nodes of
  // domain "ai.onnx" have domain "", calls of the model's own functions are replaced by their
  // bodies, Constant nodes by constants.
  Graph graph;
  ModelInfo info;
  ModelHeader header = {};
};

// Reads a model; big constants share the mapped file. Problems of the model come all together in
// one Status, a line each. Whether the operators exist is not looked at. `log` receives notes about
// what is unusual.
Result<ImportedModel> import_file(const std::string& path, const LogFn& log = {});
// The same from memory: what is kept is copied, external data is refused.
Result<ImportedModel> import_bytes(std::span<const std::byte> model, const LogFn& log = {});

}  // namespace mini_infer
