// A pass rewrites a graph and keeps its meaning. One <verb>_<what>.cc each, and one line in
// passes.def.
#pragma once

#include <mini_infer/status.h>

#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/ir/graph.h"
#include "graph/ir/op_def.h"

namespace mini_infer {

struct PassContext {
  const OpLookup& ops;
  Evaluator& evaluator;
  LogFn log;       // may be empty
  int block = 16;  // channels in a block of the blocked layout
  // Constant folding may grow the model's constants by this many bytes at most, in all.
  std::size_t fold_budget = 4u << 20;
  // Bytes of one folded constant at most, unless the constants it is made of have as many.
  std::size_t largest_folded = std::numeric_limits<std::size_t>::max();
  // The graph will be written to a file: weights that are stored quantised or as text stay so.
  bool for_file = false;
  // Rewrites that are still allowed, see PassOptions::stop_after. Passes that the engine cannot do
  // without (infer_shapes, widen_float16) do not look at it.
  long long rewrites_left = std::numeric_limits<long long>::max();
};

// Rewrites what it can and returns how many rewrites it made. An error means that the model is
// broken.
using PassFn = Result<int> (*)(Graph&, PassContext&);

enum class PassStage {
  kLoad,      // once for each model, shapes symbolic: what any engine could use
  kPlan,      // once for each set of input shapes, on a copy of the graph with numbers for shapes
  kLayout,    // once at the end of kPlan, when nothing else changes any more
  kSimplify,  // in place of all others, for a model that becomes a file again
};

struct Pass {
  std::string_view name;
  PassFn run;
  PassStage stage;
};
// The pipeline, in order (passes.def).
std::span<const Pass> all_passes();

struct PassReport {
  std::string name;
  PassStage stage = PassStage::kLoad;
  int rewrites = 0;
  double seconds = 0;
  bool disabled = false;
};

struct PassOptions {
  std::vector<std::string> disabled;  // names
  long long stop_after = -1;  // at most this many rewrites, all passes together; -1: no limit
  std::vector<Pass> added;    // after those of the pipeline, each in its stage: for tests
};

// Runs the passes of kLoad, kPlan or kSimplify, the whole list again while it changes anything (a
// bounded number of rounds); after kPlan those of kLayout. All but the plan stage go into
// subgraphs; that one does not, because whoever runs a subgraph plans it for the shapes it gets.
// The graph is verified after each pass that changed it. The reports are in the order of the
// pipeline, one for each of its lines that were run.
Result<std::vector<PassReport>> run_passes(Graph& graph, PassStage stage, PassContext& context,
                                           const PassOptions& options = {});

#define MINI_PASS(name, stage) Result<int> name(Graph& graph, PassContext& context);
#include "graph/passes/passes.def"
#undef MINI_PASS

}  // namespace mini_infer
