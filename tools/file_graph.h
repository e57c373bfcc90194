// The graph of a file as it is, for the tools that show it.
#pragma once

#include <string>

#include "graph/onnx/importer.h"

namespace mini_infer::tools {

// Imports a model and infers the shapes of its values as far as that goes. Operators need not
// exist.
Result<ImportedModel> read_graph(const std::string& path);

}  // namespace mini_infer::tools
