#include "engine/graph_runner.h"

#include <algorithm>

#include "engine/batch.h"
#include "engine/node_runner.h"
#include "graph/ir/sequence.h"
#include "kernels/op_registry.h"

namespace mini_infer {
namespace {

// Plans kept for different input shapes.
constexpr std::size_t kMostPlans = 16;

// The same number of things, more than one, in every input.
bool is_batch(std::span<const Tensor> inputs) {
  const auto first = [](const Tensor& t) {
    return t.dtype() != kSequence && t.shape().rank() > 0 ? t.shape()[0] : 0;
  };
  return !inputs.empty() && first(inputs[0]) > 1 &&
         std::all_of(inputs.begin(), inputs.end(),
                     [&](const Tensor& t) { return first(t) == first(inputs[0]); });
}

// The outputs of the plan are one image each of those of the graph for the whole batch.
bool gives_images_of(const Plan& plan, const Graph& batch) {
  for (std::size_t i = 0; i < plan.outputs.size(); ++i) {
    const auto& one = plan.slots[static_cast<std::size_t>(plan.outputs[i].value)].shape;
    const auto& all = batch.value(batch.outputs()[i].value).shape;
    if (!one || !all || one->rank() == 0 || one->rank() != all->rank()) return false;
    SymShape expected = *all;
    expected[0] = Dim(1);
    if (SymShape(*one) != expected) return false;
  }
  return true;
}

class Subgraph : public SubgraphRunner {
 public:
  Subgraph(GraphPtr graph, const Engine& engine) : runner_(std::move(graph), engine) {}
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) override {
    MINI_TRY_ASSIGN(const std::shared_ptr<Executor> executor, runner_.executor(inputs));
    return executor->run(inputs);
  }

 private:
  GraphRunner runner_;
};

}  // namespace

Engine::Engine(Options options)
    : options_(std::move(options)),
      ops_(op_registry()),
      environment_{.isa = options_.isa,
                   .threads = options_.threads,
                   .weights = &weights_,
                   .log = options_.log,
                   .subgraph = [this](const GraphPtr& graph) { return subgraph(graph); }} {
  if (!options_.tune && options_.tune_cache.empty()) return;
  tuner_ = std::make_unique<SessionTuner>(SessionTuner::Options{.measure = options_.tune,
                                                                .cache = options_.tune_cache,
                                                                .environment = environment_,
                                                                .memory_limit = memory_limit({})});
}

PrepareContext::Environment Engine::planning_environment() const {
  PrepareContext::Environment environment = environment_;
  environment.tuner = tuner_.get();
  return environment;
}

PrepareContext::Environment Engine::one_thread_environment() const {
  PrepareContext::Environment environment = environment_;
  environment.threads = 1;
  environment.packing_threads = environment_.threads;
  return environment;
}

std::size_t Engine::memory_limit(std::span<const Tensor> inputs) const {
  if (options_.memory_limit > 0) return options_.memory_limit;
  constexpr std::size_t kLeast = std::size_t{768} << 20, kTimes = 32;
  std::size_t given = options_.file_bytes;
  for (const Tensor& input : inputs) given += input.bytes();
  return std::max(kLeast, kTimes * given);
}

PassContext Engine::pass_context(Evaluator& evaluator) const {
  return {.ops = ops_,
          .evaluator = evaluator,
          .log = options_.log,
          .block = isa_lanes(environment_.isa)};
}

std::shared_ptr<SubgraphRunner> Engine::subgraph(const GraphPtr& graph) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<SubgraphRunner>& runner = subgraphs_[graph];
  if (runner == nullptr) runner = std::make_shared<Subgraph>(graph, *this);
  return runner;
}

Result<std::shared_ptr<Executor>> GraphRunner::executor(std::span<const Tensor> inputs) {
  Key key;
  for (const Tensor& input : inputs) {
    key.push_back(static_cast<std::int64_t>(input.dtype()));
    if (input.dtype() == kSequence) continue;  // one plan for all lengths
    key.push_back(static_cast<std::int64_t>(input.shape().rank()));
    key.insert(key.end(), input.shape().begin(), input.shape().end());
  }
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(recent_.begin(), recent_.end(),
                                  [&](const Entry& entry) { return entry.key == key; });
  if (found != recent_.end()) {
    recent_.splice(recent_.begin(), recent_, found);
    return recent_.front().executor;
  }
  MINI_TRY_ASSIGN(std::shared_ptr<Executor> made, make_executor(inputs));
  recent_.push_front({std::move(key), made});
  if (recent_.size() > kMostPlans) {
    recent_.pop_back();
    // Constants that the passes of kPlan made were this plan's alone.
    engine_.weights().drop_unused();
  }
  return made;
}

Graph GraphRunner::with_inputs(std::span<const Tensor> inputs) const {
  Graph graph = *graph_;
  graph.unread_constants();  // what the passes read of them is let go with this copy
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Value& value = graph.value(graph.inputs[i]);
    value.dtype = inputs[i].dtype();
    value.shape = SymShape(inputs[i].shape());
    if (value.dtype == kSequence) value.shape.reset();
  }
  return graph;
}

Result<GraphRunner::ThreadedPlan> GraphRunner::make_plan_for(std::span<const Tensor> inputs) const {
  const PrepareContext::Environment environment = engine_.planning_environment();
  ThreadedPlan made;
  MINI_TRY_ASSIGN(made.plan, make_plan_of(with_inputs(inputs), inputs, environment));
  // Measured kernels are for all threads.
  if (environment.threads == 1 || environment.tuner != nullptr || is_worth_threads(*made.plan)) {
    return made;
  }
  MINI_TRY_ASSIGN(made.plan,
                  make_plan_of(with_inputs(inputs), inputs, engine_.one_thread_environment()));
  engine_.weights().drop_unused();  // of constants that the passes made for the other plan
  made.one_thread = true;
  return made;
}

Result<std::shared_ptr<Plan>> GraphRunner::make_plan_of(
    Graph graph, std::span<const Tensor> inputs,
    const PrepareContext::Environment& environment) const {
  NodeEvaluator evaluator(engine_.ops(), engine_.environment(), engine_.memory_limit(inputs));
  PassContext context = engine_.pass_context(evaluator);
  MINI_TRY_ASSIGN(std::vector<PassReport> reports,
                  run_passes(graph, PassStage::kPlan, context,
                             {.disabled = engine_.options().disabled_passes,
                              .stop_after = engine_.plan_rewrites()}));
  MINI_TRY_ASSIGN(std::shared_ptr<Plan> plan, make_plan(graph, engine_.ops(), environment));
  plan->passes = std::move(reports);
  return plan;
}

std::shared_ptr<Plan> GraphRunner::plan_for_image(std::span<const Tensor> inputs) const {
  if (!engine_.options().batch_by_image || !is_batch(inputs)) return nullptr;
  Graph graph = with_inputs(inputs);
  if (!infer_shapes(graph, engine_.ops()).ok()) return nullptr;
  const std::int64_t images = separate_images(graph, engine_.ops());
  if (images < 2 || !prefers_single_images(graph, images)) return nullptr;
  std::vector<Tensor> image;
  for (const Tensor& input : inputs) {
    Shape shape = input.shape();
    shape[0] = 1;
    image.push_back(Tensor::view(input.dtype(), shape, nullptr));
  }
  Graph single = with_inputs(image);
  for (const NodeId id : single.order()) {  // what is stated of them is about the batch
    for (const ValueId out : single.node(id).outputs) {
      if (out != kNoValue) single.value(out).shape.reset();
    }
  }
  const auto make = [&](int threads) -> std::shared_ptr<Plan> {
    Result<std::shared_ptr<Plan>> plan = make_plan_of(
        single, image,
        threads > 1 ? engine_.one_thread_environment() : engine_.planning_environment());
    if (!plan.ok() || !gives_images_of(**plan, graph)) return nullptr;
    (*plan)->images = images;
    (*plan)->image_threads = threads;
    return std::move(plan).value();
  };
  const int threads = threads_for_images(images, engine_.environment().threads);
  std::shared_ptr<Plan> plan = make(threads);
  // Threads that take whole images have an arena each.
  const std::size_t most = engine_.memory_limit(inputs) / static_cast<std::size_t>(threads);
  if (plan == nullptr || plan->arena_bytes <= most) return plan;
  plan = make(1);
  engine_.weights().drop_unused();
  return plan;
}

Result<std::shared_ptr<Executor>> GraphRunner::make_executor(std::span<const Tensor> inputs) const {
  const std::size_t limit = engine_.memory_limit(inputs);
  std::shared_ptr<Plan> plan = plan_for_image(inputs);
  bool one_thread = plan != nullptr && plan->image_threads > 1;
  if (plan == nullptr) {
    MINI_TRY_ASSIGN(ThreadedPlan made, make_plan_for(inputs));
    plan = std::move(made.plan);
    one_thread = made.one_thread;
  }
  const std::size_t share = limit / static_cast<std::size_t>(plan->image_threads);
  return std::make_shared<Executor>(
      std::move(plan), engine_.ops(),
      one_thread ? engine_.one_thread_environment() : engine_.environment(), share);
}

}  // namespace mini_infer
