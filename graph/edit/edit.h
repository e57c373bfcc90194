// Steps that change a model on purpose: what `mini-infer edit` does. One <step>.cc each, and one
// line in steps.def.
#pragma once

#include <mini_infer/status.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/onnx/exporter.h"
#include "graph/onnx/importer.h"

namespace mini_infer {

// A model on its way from one file to another.
struct Edit {
  ImportedModel model;
  ExportOptions output;  // how it will be written
  const OpLookup& ops;
};

// Does the step and says what it did, without its own name: "2 inputs, 3 Reshape constants". After
// a failure the model may be in any state; run_steps() drops it then.
using StepFn = Result<std::string> (*)(Edit& edit, const std::string& argument);

enum class StepArgument {
  kNone,
  kCount,          // a positive number
  kOptionalCount,  // the same, or nothing
  kText,
  kOptionalText,
  kAssignment,  // A=B, neither empty
};

struct StepDef {
  std::string_view name;         // of the option, without "--"
  std::string_view placeholder;  // of its argument in the help
  StepArgument argument = StepArgument::kNone;
  std::string_view help;
  StepFn run = nullptr;
};
// In the order of steps.def.
std::span<const StepDef> all_steps();
// nullptr when there is no such step.
const StepDef* find_step(std::string_view name);

struct StepCall {
  const StepDef* step = nullptr;
  std::string argument;
};
// Whether the argument is of the kind that the step takes; what is wrong with all calls at once.
Status check_calls(std::span<const StepCall> calls);

struct StepReport {
  std::string step, argument, what;
};
// Does the steps in order. Before the first and after each, shapes are inferred anew; after each
// the graph is verified, and a step after which shapes do not fit, where they did before, is
// refused. A step that fails leaves the model as it was before it, and the next ones are tried all
// the same, so that all problems come in one Status, a line each.
Result<std::vector<StepReport>> run_steps(Edit& edit, std::span<const StepCall> calls);

#define MINI_STEP(function, name, placeholder, argument, help) \
  Result<std::string> function(Edit& edit, const std::string& argument_text);
#include "graph/edit/steps.def"
#undef MINI_STEP

}  // namespace mini_infer
