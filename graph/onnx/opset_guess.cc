#include "graph/onnx/opset_guess.h"

#include <algorithm>
#include <string_view>

#include "graph/ir/text.h"

namespace mini_infer {
namespace {

// Signs that a node is written in an opset at least that new: it has an attribute, or so many
// inputs.
struct Sign {
  std::string_view op_type;
  std::string_view attribute;  // empty: look at the inputs
  int inputs;
  int opset;
};
constexpr Sign kSigns[] = {
    {"Pad", "pads", 0, 2},    {"Reshape", "", 2, 5},     {"Upsample", "", 2, 9},
    {"Slice", "", 3, 10},     {"Resize", "", 3, 11},     {"Pad", "", 2, 11},
    {"Clip", "", 2, 11},      {"Squeeze", "", 2, 13},    {"Unsqueeze", "", 2, 13},
    {"ReduceSum", "", 2, 13}, {"ReduceMean", "", 2, 18}, {"Upsample", "scales", 0, 7},
    {"Dropout", "", 2, 12},   {"TopK", "", 2, 10},
};

bool shows(const Sign& sign, const pb::NodeProto& node) {
  if (node.op_type() != sign.op_type) return false;
  if (sign.attribute.empty()) return node.input_size() >= sign.inputs;
  return std::any_of(node.attribute().begin(), node.attribute().end(),
                     [&](const auto& attribute) { return attribute.name() == sign.attribute; });
}

}  // namespace

OpsetGuess guess_opset(const pb::GraphProto& graph) {
  OpsetGuess guess;
  for (const pb::NodeProto& node : graph.node()) {
    for (const Sign& sign : kSigns) {
      if (sign.opset <= guess.opset || !shows(sign, node)) continue;
      guess.opset = sign.opset;
      guess.because = sign.attribute.empty()
                          ? cat("the ", node.input_size(), " inputs of a ", sign.op_type)
                          : cat("the attribute '", sign.attribute, "' of a ", sign.op_type);
    }
  }
  return guess;
}

}  // namespace mini_infer
