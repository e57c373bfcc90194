#include "tools/file_graph.h"

#include "kernels/op_registry.h"

namespace mini_infer::tools {

Result<ImportedModel> read_graph(const std::string& path) {
  MINI_TRY_ASSIGN(ImportedModel model, import_file(path));
  Graph inferred = model.graph;
  // Where inference fails, what the file says of shapes is shown.
  if (infer_shapes(inferred, op_registry()).ok()) model.graph = std::move(inferred);
  return model;
}

}  // namespace mini_infer::tools
