// compare --bisect: which rewrite of which pass, or which kernel, makes a plan's outputs wrong.
#pragma once

#include <mini_infer/session.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tools/print.h"

namespace mini_infer::tools {

// What came of a plan with a limit on rewrites and an instruction set.
struct Attempt {
  std::string problem;  // empty: its outputs are right
  std::vector<PassInfo> passes;
  std::vector<std::string> steps;  // a line each: operator, inputs, outputs
};
// `rewrites` -1: no limit; `isa` "": the best.
using TryPlan = std::function<Result<Attempt>(long long rewrites, const std::string& isa)>;

struct Culprit {
  enum class Kind { kNone, kPass, kKernel };
  Kind kind = Kind::kNone;
  std::string problem;      // of the outputs
  long long rewrite = 0;    // its number, from 1; 0 where no rewrite is needed to be wrong
  std::string pass, stage;  // that made it
  // Steps that the rewrite took away and put in their place.
  std::vector<std::string> removed, added;
  // A kernel: the best instruction set of those whose kernels give right outputs from the same
  // plan.
  std::string right_isa;
  // And the first step whose values differ between the two sets, where the caller has looked.
  std::string node, kernel;
};

// Searches for the first rewrite after which outputs are wrong, by halving. Where the plan that it
// leads to is right with the kernels of a lower set among `isas` (worst first, the last is the
// best), the kernel is at fault, otherwise the pass.
Result<Culprit> bisect(const TryPlan& attempt, const std::vector<std::string>& isas);

std::string print_culprit(const Culprit& culprit);
Json culprit_json(const Culprit& culprit);

}  // namespace mini_infer::tools
