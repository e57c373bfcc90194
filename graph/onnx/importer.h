// From an ONNX file to a Graph.
#pragma once

#include <mini_infer/session.h>

#include <cstddef>
#include <span>
#include <string>

#include "graph/ir/graph.h"
#include "graph/ir/op_def.h"

namespace mini_infer {

struct ImportedModel {
  // Inputs that the model gives an initialiser for are constants of the graph, not inputs. Nodes of
  // domain "ai.onnx" have domain "", calls of the model's own functions are replaced by their
  // bodies, Constant nodes by constants.
  Graph graph;
  ModelInfo info;
};

// Reads a model; big constants share the mapped file. Problems of the model come all together in
// one Status, a line each. Whether the operators exist is not looked at. `log` receives notes about
// what is unusual.
Result<ImportedModel> import_file(const std::string& path, const LogFn& log = {});
// The same from memory: what is kept is copied, external data is refused.
Result<ImportedModel> import_bytes(std::span<const std::byte> model, const LogFn& log = {});

}  // namespace mini_infer
