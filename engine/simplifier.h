// What `mini-infer simplify` does to a model: the passes of kSimplify, and nothing that a file
// could not hold.
#pragma once

#include <mini_infer/session.h>

#include <cstddef>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "graph/onnx/importer.h"
#include "graph/passes/pass.h"

namespace mini_infer {

struct SimplifyOptions {
  std::map<std::string, Shape> shapes;      // of inputs; what these leave open becomes numbers
  std::vector<std::string> skip;            // passes to leave out
  std::vector<std::string> unused_outputs;  // that the model gives no more
  bool keep_unused_inputs = false;
  // No constant is computed that has more bytes, unless those it is made of have as many.
  std::size_t largest_constant = std::numeric_limits<std::size_t>::max();
  LogFn log;
};

// Rewrites the model in place: standard operators of its opset only, symbolic extents stay
// symbolic, quantised weights stay quantised. Inputs that nothing uses go, unless they are to be
// kept. What the file declares for extents of outputs that inference leaves open is kept. Operators
// that mini-infer does not know stay as they are. kInvalidArgument for names that do not exist and
// shapes that do not fit.
Result<std::vector<PassReport>> simplify(ImportedModel& model, const SimplifyOptions& options);

// How often each operator stands in the graph and its subgraphs; those of other domains than ONNX's
// as "domain.Type".
std::map<std::string, int> count_operators(const Graph& graph);

}  // namespace mini_infer
