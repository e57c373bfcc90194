#include "graph/edit/edit.h"

#include <algorithm>

#include "graph/edit/names.h"
#include "graph/edit/shapes.h"
#include "graph/ir/text.h"

namespace mini_infer {
namespace {

constexpr StepDef kSteps[] = {
#define MINI_STEP(function, name, placeholder, argument, help) \
  {name, placeholder, StepArgument::argument, help, function},
#include "graph/edit/steps.def"
#undef MINI_STEP
};

std::string spelt(const StepCall& call) {
  return cat("--", call.step->name, call.argument.empty() ? "" : " ", call.argument);
}

// What is wrong with an argument; empty: nothing.
std::string wrong_argument(const StepDef& step, const std::string& text) {
  const bool optional =
      step.argument == StepArgument::kOptionalCount || step.argument == StepArgument::kOptionalText;
  if (text.empty()) return optional || step.argument == StepArgument::kNone ? "" : "it is empty";
  switch (step.argument) {
    case StepArgument::kNone:
      return "the step takes no argument";
    case StepArgument::kCount:
    case StepArgument::kOptionalCount:
      return parse_count(text) ? "" : "it takes a number from 1 on";
    case StepArgument::kAssignment: {
      const std::size_t at = text.find('=');
      const bool fits = at != std::string::npos && at > 0 && text.back() != '=';
      return fits ? "" : cat("it takes ", step.placeholder);
    }
    case StepArgument::kText:
    case StepArgument::kOptionalText:
      break;
  }
  return "";
}

void add_problem(Problems& problems, const StepCall& call, const Status& status) {
  std::string_view rest = status.message();
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    problems.add(status.code(), cat(spelt(call), ": ", rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

// One step on the model itself.
Result<std::string> do_step(Edit& edit, const StepCall& call, bool& fits) {
  MINI_TRY_ASSIGN(std::string what, call.step->run(edit, call.argument));
  MINI_TRY(edit.model.graph.verify());
  const Status after = infer_anew(edit.model.graph, edit.ops);
  if (fits && !after.ok()) return after;
  fits = after.ok();
  return what;
}

}  // namespace

std::span<const StepDef> all_steps() { return kSteps; }

const StepDef* find_step(std::string_view name) {
  const auto it = std::find_if(std::begin(kSteps), std::end(kSteps),
                               [&](const StepDef& step) { return step.name == name; });
  return it == std::end(kSteps) ? nullptr : it;
}

Status check_calls(std::span<const StepCall> calls) {
  Problems problems;
  for (const StepCall& call : calls) {
    const std::string wrong = wrong_argument(*call.step, call.argument);
    if (!wrong.empty()) problems.add(Code::kInvalidArgument, cat(spelt(call), ": ", wrong));
  }
  return problems.status();
}

Result<std::vector<StepReport>> run_steps(Edit& edit, std::span<const StepCall> calls) {
  MINI_TRY(check_calls(calls));
  Problems problems;
  std::vector<StepReport> reports;
  // A step may be the remedy of what does not fit in the file.
  bool fits = infer_anew(edit.model.graph, edit.ops).ok();
  for (const StepCall& call : calls) {
    const ImportedModel before = edit.model;
    const bool fitted = fits;
    Result<std::string> what = do_step(edit, call, fits);
    if (what.ok()) {
      reports.push_back({std::string(call.step->name), call.argument, std::move(*what)});
      continue;
    }
    add_problem(problems, call, what.status());
    edit.model = before;
    fits = fitted;
  }
  MINI_TRY(problems.status());
  return reports;
}

}  // namespace mini_infer
