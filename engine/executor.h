// Executor: runs a plan. One per plan; run() is safe from many threads at once, each run takes
// memory of its own from a pool.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "engine/plan.h"
#include "graph/ir/memory.h"

namespace mini_infer {

// Adds up the times of steps. Not thread-safe: one profiler for one run at a time.
struct Profiler {
  std::vector<double> seconds;  // by step
  long long runs = 0;
};

// Whether steps that threads can share make up for waking them. True where steps are dynamic: what
// those do is not known.
bool is_worth_threads(const Plan& plan);

class Executor {
 public:
  // `ops` must outlive the executor; the plan was made in the environment.
  Executor(std::shared_ptr<const Plan> plan, const OpLookup& ops,
           PrepareContext::Environment environment, std::size_t memory_limit);
  ~Executor();

  const Plan& plan() const { return *plan_; }
  // `inputs` in the plan's order, with the dtypes and shapes that the plan was made for. Outputs in
  // the plan's order, owned by the caller.
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs, Profiler* profiler = nullptr);
  // The same, step by step in view of `observer`.
  Result<std::vector<Tensor>> trace(std::span<const Tensor> inputs, const StepObserver& observer);

 private:
  Result<std::vector<Tensor>> run_images(std::span<const Tensor> inputs, Profiler* profiler);
  // One image of a batch, or all that the plan is for, to memory of its own for each output; where
  // an output is an empty tensor, it is made.
  Status run_once(std::span<const Tensor> inputs, std::span<Tensor> outputs, Profiler* profiler,
                  const StepObserver* observer);
  struct State;
  std::unique_ptr<State> take_state();
  void give_back(std::unique_ptr<State> state);
  Status run_steps(State& state, Profiler* profiler, const StepObserver* observer);
  Status run_step(const Step& step, State& state);
  Result<Tensor> plain_tensor_of(ValueId id, const State& state) const;
  Status show_outputs(std::size_t step, const State& state, const StepObserver& observer) const;
  Status run_static(const Step& step, State& state);
  Status run_dynamic(const Step& step, State& state);
  Tensor tensor_of(ValueId id, const State& state) const;
  Status make_memory(State& state);
  Status start(State& state, std::span<const Tensor> inputs, std::span<Tensor> outputs);
  Status finish(State& state);

  std::shared_ptr<const Plan> plan_;
  const OpLookup& ops_;
  const PrepareContext::Environment environment_;
  std::size_t memory_limit_;
  std::shared_ptr<BlockPool> output_memory_;  // waits for the next run when callers are done
  int threads_;                               // 1 when no step is worth more
  std::mutex mutex_;
  std::vector<std::unique_ptr<State>> idle_;
};

}  // namespace mini_infer
