#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <set>
#include <utility>

#include "graph/ir/text.h"
#include "graph/passes/match.h"
#include "graph/passes/pass.h"

namespace mini_infer {
namespace {

// Each round but the last changes the graph. Real models need two or three; the bound is for a pair
// of passes that would undo each other's work for ever.
constexpr int kMostRounds = 10;

constexpr Pass kPasses[] = {
#define MINI_PASS(name, stage) {#name, name, PassStage::stage},
#include "graph/passes/passes.def"
#undef MINI_PASS
};

// The simplifier runs its own passes alone: naming another would change nothing.
Status check_names(const std::vector<std::string>& disabled, PassStage stage) {
  std::set<std::string_view> names;
  for (const Pass& pass : kPasses) {
    if (stage != PassStage::kSimplify || pass.stage == stage) names.insert(pass.name);
  }
  for (const std::string& name : disabled) {
    if (names.contains(name)) continue;
    std::string list;
    for (const std::string_view each : names) list += cat(list.empty() ? "" : ", ", each);
    return error(Code::kInvalidArgument, "disabled pass '", name,
                 "': there is no such pass; known are ", list);
  }
  return ok();
}

class Runner {
 public:
  Runner(PassStage stage, PassContext& context, const PassOptions& options)
      : stage_(stage), context_(context) {
    for (const Pass& pass : kPasses) add(pass, options);
    for (const Pass& pass : options.added) add(pass, options);
  }

  // Rounds over the list and the subgraphs until nothing changes, then the passes that come last.
  // Returns the number of rewrites.
  Result<int> run(Graph& graph) {
    int total = 0;
    for (int round = 0; round < kMostRounds; ++round) {
      MINI_TRY_ASSIGN(int changes, run_passes_of(stage_, graph));
      if (stage_ != PassStage::kPlan) {
        MINI_TRY_ASSIGN(const int rewrites, run_subgraphs(graph));
        changes += rewrites;
      }
      total += changes;
      if (changes == 0) break;
    }
    MINI_TRY_ASSIGN(const int rewrites, run_passes_of(PassStage::kLayout, graph));
    return total + rewrites;
  }

  std::vector<PassReport> take_reports() { return std::move(reports_); }

 private:
  void add(const Pass& pass, const PassOptions& options) {
    const bool last = stage_ == PassStage::kPlan && pass.stage == PassStage::kLayout;
    if (pass.stage != stage_ && !last) return;
    passes_.push_back(&pass);
    const auto& off = options.disabled;
    reports_.push_back({.name = std::string(pass.name),
                        .stage = pass.stage,
                        .disabled = std::find(off.begin(), off.end(), pass.name) != off.end()});
  }

  Result<int> run_passes_of(PassStage stage, Graph& graph) {
    int total = 0;
    for (std::size_t i = 0; i < passes_.size(); ++i) {
      if (passes_[i]->stage != stage) continue;
      MINI_TRY_ASSIGN(const int rewrites, run_pass(i, graph));
      total += rewrites;
    }
    return total;
  }

  Result<int> run_pass(std::size_t i, Graph& graph) {
    PassReport& report = reports_[i];
    if (report.disabled) return 0;
    const auto start = std::chrono::steady_clock::now();
    Result<int> rewrites = passes_[i]->run(graph, context_);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    report.seconds += elapsed.count();
    if (!rewrites.ok()) return rewrites;
    report.rewrites += *rewrites;
    if (*rewrites > 0) MINI_TRY(graph.verify().at(cat("after pass '", report.name, "'")));
    return rewrites;
  }

  Result<int> run_subgraphs(Graph& graph) {
    int total = 0;
    for (const NodeId id : graph.order()) {
      if (!has_subgraph(graph.node(id))) continue;
      for (GraphPtr* subgraph : subgraphs_of(graph.node(id))) {
        MINI_TRY_ASSIGN(const int rewrites, run_subgraph(graph, id, *subgraph));
        total += rewrites;
      }
    }
    return total;
  }

  // A subgraph is shared by copies of its node: what changes is a copy, which takes its place.
  Result<int> run_subgraph(const Graph& outer, NodeId id, GraphPtr& subgraph) {
    auto copy = std::make_shared<Graph>(*subgraph);
    const int described = describe_captures(outer, outer.node(id), *copy);
    Result<int> rewrites = run(*copy);
    // A branch that does not fit the shapes (Squeeze of an axis that is not 1) is one that will not
    // be taken; if it is after all, whoever runs it says so.
    if (!rewrites.ok()) return 0;
    if (described + *rewrites > 0) subgraph = std::move(copy);
    return described + *rewrites;
  }

  // Captured values have the dtype and shape they have outside. Returns how many were news.
  static int describe_captures(const Graph& outer, const Node& node, Graph& inner) {
    const auto captures = static_cast<std::size_t>(std::max(node.captures, 0));
    if (captures > node.inputs.size() || captures > inner.inputs.size()) return 0;
    int news = 0;
    for (std::size_t i = 0; i < captures; ++i) {
      const ValueId from = node.inputs[node.inputs.size() - captures + i];
      if (from == kNoValue) continue;
      const Value& source = outer.value(from);
      Value& target = inner.value(inner.inputs[inner.inputs.size() - captures + i]);
      const bool new_dtype = source.dtype != DType::kUndefined && source.dtype != target.dtype;
      const bool new_shape = source.shape && source.shape != target.shape;
      const bool new_contents = source.contents && source.contents != target.contents;
      if (new_dtype) target.dtype = source.dtype;
      if (new_shape) target.shape = source.shape;
      if (new_contents) target.contents = source.contents;
      news += new_dtype || new_shape || new_contents ? 1 : 0;
    }
    return news;
  }

  PassStage stage_;
  PassContext& context_;
  std::vector<const Pass*> passes_;
  std::vector<PassReport> reports_;
};

}  // namespace

std::span<const Pass> all_passes() { return kPasses; }

Result<std::vector<PassReport>> run_passes(Graph& graph, PassStage stage, PassContext& context,
                                           const PassOptions& options) {
  MINI_TRY(check_names(options.disabled, stage));
  if (options.stop_after >= 0) context.rewrites_left = options.stop_after;
  Runner runner(stage, context, options);
  if (const Result<int> rewrites = runner.run(graph); !rewrites.ok()) return rewrites.status();
  return runner.take_reports();
}

}  // namespace mini_infer
