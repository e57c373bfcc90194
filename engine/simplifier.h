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
#include "graph/passes/restrict_operators.h"

namespace mini_infer {

struct SimplifyOptions {
  std::map<std::string, Shape> shapes;      // of inputs; what these leave open becomes numbers
  std::vector<std::string> skip;            // passes to leave out
  std::vector<std::string> unused_outputs;  // that the model gives no more
  bool keep_unused_inputs = false;
  OperatorSet target;  // the operators that may be used; empty: all
  int opset = 0;       // to raise the model's opset to; 0: to 7 where it is older
  // No constant is computed that has more bytes, unless those it is made of have as many.
  std::size_t largest_constant = std::numeric_limits<std::size_t>::max();
  LogFn log;
};

// The operators that may stand in a file: all but mini-infer's own.
const OpLookup& file_operators();

// Rewrites the model in place: standard operators of its opset only, symbolic extents stay
// symbolic, quantised weights stay quantised. Inputs that nothing uses go, unless they are to be
// kept. What the file declares for extents of outputs that inference leaves open is kept. Operators
// that mini-infer does not know stay as they are. kInvalidArgument for names that do not exist and
// shapes that do not fit.
Result<std::vector<PassReport>> simplify(ImportedModel& model, const SimplifyOptions& options);

}  // namespace mini_infer
