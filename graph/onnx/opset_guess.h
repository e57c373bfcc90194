// The opset of models that do not say which they are written in.
#pragma once

#include <string>

#include "graph/onnx/proto.h"

namespace mini_infer {

struct OpsetGuess {
  int opset = 1;
  std::string because;  // what rules out an older one; empty for 1
};

// Opset 1, which such models come from, unless a node is written in a way that came later.
OpsetGuess guess_opset(const pb::GraphProto& graph);

}  // namespace mini_infer
