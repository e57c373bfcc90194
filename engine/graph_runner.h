// GraphRunner: a graph with its plans by input shapes. The model itself is one, and so is each
// subgraph of If, Loop and Scan.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "engine/executor.h"
#include "engine/tuner.h"
#include "engine/weight_cache.h"

namespace mini_infer {

// What all graphs of a session share.
class Engine {
 public:
  struct Options {
    int threads = 1;
    std::vector<std::string> disabled_passes;
    LogFn log;
    std::size_t memory_limit = 0;  // 0: see Engine::memory_limit()
    std::size_t file_bytes = 0;
    bool tune = false;
    std::string tune_cache;
    bool batch_by_image = true;
    Isa isa = best_isa();
  };
  explicit Engine(Options options);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const Options& options() const { return options_; }
  const OpLookup& ops() const { return ops_; }
  const PrepareContext::Environment& environment() const { return environment_; }
  // What plans are made in. Kernels that are prepared at each run, or folded away, are not tuned.
  PrepareContext::Environment planning_environment() const;
  // The same for plans whose runs have one thread each. The measurements are of kernels with all.
  PrepareContext::Environment one_thread_environment() const;
  int timed_layers() const { return tuner_ == nullptr ? 0 : tuner_->timed_layers(); }
  SessionWeights& weights() const { return weights_; }
  // Most bytes that a run with these inputs may hold.
  std::size_t memory_limit(std::span<const Tensor> inputs) const;
  PassContext pass_context(Evaluator& evaluator) const;
  // Rewrites that the plan stage may make, see PassOptions::stop_after; set by load() once.
  void set_plan_rewrites(long long most) { plan_rewrites_ = most; }
  long long plan_rewrites() const { return plan_rewrites_; }

 private:
  std::shared_ptr<SubgraphRunner> subgraph(const GraphPtr& graph);

  Options options_;
  const OpLookup& ops_;
  mutable SessionWeights weights_;  // a cache, and thread-safe
  PrepareContext::Environment environment_;
  long long plan_rewrites_ = -1;
  std::unique_ptr<SessionTuner> tuner_;  // null: neither measurements nor a file of them
  std::mutex mutex_;
  std::map<GraphPtr, std::shared_ptr<SubgraphRunner>> subgraphs_;
};

class GraphRunner {
 public:
  // `engine` must outlive the runner. The graph has gone through the passes of the load stage.
  GraphRunner(GraphPtr graph, const Engine& engine) : graph_(std::move(graph)), engine_(engine) {}

  const Graph& graph() const { return *graph_; }
  // The executor for inputs of these dtypes and shapes, made at the first call. Thread-safe.
  Result<std::shared_ptr<Executor>> executor(std::span<const Tensor> inputs);

 private:
  using Key = std::vector<std::int64_t>;
  struct Entry {
    Key key;
    std::shared_ptr<Executor> executor;
  };
  Result<std::shared_ptr<Executor>> make_executor(std::span<const Tensor> inputs) const;
  // A plan for all threads, or for one where the others would not pay.
  struct ThreadedPlan {
    std::shared_ptr<Plan> plan;
    bool one_thread = false;
  };
  Result<ThreadedPlan> make_plan_for(std::span<const Tensor> inputs) const;
  // The same of a graph that has their shapes.
  Result<std::shared_ptr<Plan>> make_plan_of(Graph graph, std::span<const Tensor> inputs,
                                             const PrepareContext::Environment& environment) const;
  // A plan for one image of a batch where that is better, or null.
  std::shared_ptr<Plan> plan_for_image(std::span<const Tensor> inputs) const;
  // The graph with these inputs.
  Graph with_inputs(std::span<const Tensor> inputs) const;

  GraphPtr graph_;
  const Engine& engine_;
  std::mutex mutex_;
  std::list<Entry> recent_;  // most recently used first
};

}  // namespace mini_infer
