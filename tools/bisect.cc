#include "tools/bisect.h"

#include <algorithm>
#include <map>

#include "tools/common.h"
#include "tools/text.h"

namespace mini_infer::tools {
namespace {

// Passes that the engine cannot do without: they run whatever the limit is, and are not counted.
bool is_counted(const PassInfo& pass) {
  return pass.name != "infer_shapes" && pass.name != "widen_float16";
}

// The lines of `a` that `b` lacks.
std::vector<std::string> lines_only_in(const std::vector<std::string>& a,
                                       const std::vector<std::string>& b) {
  std::map<std::string, int> counts;
  for (const std::string& line : b) ++counts[line];
  std::vector<std::string> out;
  for (const std::string& line : a) {
    if (counts[line]-- <= 0) out.push_back(line);
  }
  return out;
}

void name_pass(const Attempt& before, const Attempt& after, Culprit& culprit) {
  for (std::size_t i = 0; i < std::min(before.passes.size(), after.passes.size()); ++i) {
    const PassInfo& pass = after.passes[i];
    if (!is_counted(pass) || pass.rewrites <= before.passes[i].rewrites) continue;
    culprit.pass = pass.name;
    culprit.stage = pass.stage;
    return;
  }
}

// More rewrites than these are none.
long long most_rewrites(const Attempt& attempt) {
  long long most = 0;
  for (const PassInfo& pass : attempt.passes) most += is_counted(pass) ? pass.rewrites : 0;
  return most;
}

}  // namespace

Result<Culprit> bisect(const TryPlan& attempt, const std::vector<std::string>& isas) {
  MINI_TRY_ASSIGN(const Attempt full, attempt(-1, ""));
  Culprit culprit{.problem = full.problem};
  if (full.problem.empty()) return culprit;

  MINI_TRY_ASSIGN(Attempt right, attempt(0, ""));
  Attempt wrong = right;
  if (right.problem.empty()) {
    long long low = 0, high = most_rewrites(full);
    // assign_layouts reports values, and counts as one rewrite: the limit may be far too high.
    wrong = full;
    while (high - low > 1) {
      const long long middle = low + (high - low) / 2;
      MINI_TRY_ASSIGN(Attempt tried, attempt(middle, ""));
      const bool is_right = tried.problem.empty();
      (is_right ? low : high) = middle;
      (is_right ? right : wrong) = std::move(tried);
    }
    culprit.rewrite = high;
    name_pass(right, wrong, culprit);
    culprit.removed = lines_only_in(right.steps, wrong.steps);
    culprit.added = lines_only_in(wrong.steps, right.steps);
  }
  culprit.problem = wrong.problem;
  culprit.kind = culprit.rewrite > 0 ? Culprit::Kind::kPass : Culprit::Kind::kNone;
  for (std::size_t i = isas.size(); i-- > 1;) {
    MINI_TRY_ASSIGN(const Attempt tried, attempt(culprit.rewrite, isas[i - 1]));
    if (!tried.problem.empty()) continue;
    culprit.kind = Culprit::Kind::kKernel;
    culprit.right_isa = isas[i - 1];
    break;
  }
  return culprit;
}

namespace {

// How to do without what is at fault until it is mended; empty where nothing is.
std::string remedy(const Culprit& culprit) {
  if (culprit.kind == Culprit::Kind::kKernel) {
    return "MINI_ISA=" + culprit.right_isa +
           " in the environment, or SessionOptions::isa, runs it with other kernels";
  }
  if (culprit.kind == Culprit::Kind::kPass) {
    return "SessionOptions::disabled_passes = {\"" + culprit.pass + "\"} leaves the pass out";
  }
  return "";
}

}  // namespace

std::string print_culprit(const Culprit& culprit) {
  if (culprit.problem.empty())
    return "the optimised plan gives the right outputs: nothing to find\n";
  std::string text = "wrong: " + printable(culprit.problem) + '\n';
  if (culprit.kind == Culprit::Kind::kKernel) {
    text += format("a kernel is at fault: with the instruction set %s the same plan is right\n",
                   culprit.right_isa.c_str());
    if (!culprit.kernel.empty()) {
      text += format("the first values that differ are of node '%s', by kernel %s\n",
                     printable(culprit.node).c_str(), culprit.kernel.c_str());
    }
  } else if (culprit.kind == Culprit::Kind::kPass) {
    text += format("pass %s (%s) is at fault\n", culprit.pass.c_str(), culprit.stage.c_str());
  } else {
    text +=
        "neither a pass nor a lower instruction set makes a difference: an operator is wrong in "
        "itself\n";
  }
  if (const std::string how = remedy(culprit); !how.empty())
    text += "until it is mended: " + how + '\n';
  if (culprit.rewrite == 0) return text;
  text += format("rewrite %lld, by pass %s (%s), is the first after which outputs are wrong:\n",
                 culprit.rewrite, culprit.pass.c_str(), culprit.stage.c_str());
  for (const std::string& line : culprit.removed) text += "  - " + printable(line) + '\n';
  for (const std::string& line : culprit.added) text += "  + " + printable(line) + '\n';
  return text;
}

Json culprit_json(const Culprit& culprit) {
  static constexpr const char* kKinds[] = {"none", "pass", "kernel"};
  return {{"wrong", !culprit.problem.empty()},
          {"problem", culprit.problem},
          {"kind", kKinds[static_cast<int>(culprit.kind)]},
          {"rewrite", culprit.rewrite},
          {"pass", culprit.pass},
          {"stage", culprit.stage},
          {"removed", culprit.removed},
          {"added", culprit.added},
          {"right_isa", culprit.right_isa},
          {"node", culprit.node},
          {"kernel", culprit.kernel},
          {"remedy", remedy(culprit)}};
}

}  // namespace mini_infer::tools
