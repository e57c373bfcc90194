// Session: load -> import -> passes -> plan -> run.
#include <mini_infer/session.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <string_view>

#include "engine/cpu.h"
#include "engine/graph_runner.h"
#include "engine/input_check.h"
#include "engine/node_runner.h"
#include "graph/ir/text.h"
#include "graph/onnx/importer.h"
#include "kernels/op_registry.h"

namespace mini_infer {

struct Session::Impl {
  explicit Impl(Engine::Options options) : engine(std::move(options)) {}

  ModelInfo model;
  std::vector<ValueInfo> inputs, outputs;
  Engine engine;
  std::unique_ptr<GraphRunner> runner;
  std::vector<PassReport> load_passes;
};

namespace {

// No exception crosses the API: what the standard library throws becomes a Status.
template <class F>
auto guarded(F&& f) -> decltype(f()) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    return Status(Code::kResourceExhausted, "out of memory");
  } catch (const std::exception& e) {
    return Status(Code::kInternal, cat("unexpected exception: ", e.what()));
  }
}

ValueInfo value_info(const std::string& name, const Value& value) {
  ValueInfo info{.name = name, .dtype = value.dtype, .dims = {}};
  if (!value.shape) return info;
  info.dims.emplace();
  for (const Dim& dim : *value.shape) {
    info.dims->push_back({.value = dim.known() ? dim.value() : -1,
                          .name = dim.known() || dim.made_up() ? "" : dim.symbol()});
  }
  return info;
}

// What inference knows of an output, and what the model states where it knows less.
ValueInfo output_info(const GraphOutput& output, const Graph& graph, const ValueInfo& declared) {
  ValueInfo info = value_info(output.name, graph.value(output.value));
  if (!info.dims) info.dims = declared.dims;
  if (!info.dims || !declared.dims || info.dims->size() != declared.dims->size()) return info;
  for (std::size_t i = 0; i < info.dims->size(); ++i) {
    DimInfo& dim = (*info.dims)[i];
    if (dim.value < 0 && dim.name.empty()) dim = (*declared.dims)[i];
  }
  return info;
}

Status add_extra_outputs(Graph& graph, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const ValueId id = graph.find_value(name);
    if (id == kNoValue) {
      return error(Code::kInvalidArgument, "extra output '", name,
                   "': the model has no value of that name; `mini-infer inspect` lists them");
    }
    graph.add_output(name, id);
  }
  return ok();
}

Result<std::vector<Tensor>> run_checked(const Session& session, GraphRunner& runner,
                                        std::span<const Tensor> inputs, Profiler* profiler) {
  MINI_TRY(check_inputs(session.inputs(), inputs));
  MINI_TRY_ASSIGN(const std::shared_ptr<Executor> executor, runner.executor(inputs));
  return executor->run(inputs, profiler);
}

}  // namespace

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

namespace {

// What MINI_ISA names must be a set of this build; one that the CPU lacks gives way to the best
// below it.
Status check_environment() {
  const char* forced = std::getenv("MINI_ISA");
  if (forced == nullptr || *forced == '\0') return {};
  std::string known;
  for (int i = 0; i < static_cast<int>(Isa::count); ++i) {
    const char* name = isa_name(static_cast<Isa>(i));
    if (std::string_view(forced) == name) return {};
    known += cat(known.empty() ? "" : ", ", name);
  }
  return error(Code::kInvalidArgument, "MINI_ISA=", forced,
               " in the environment: no such instruction set; it may be one of ", known);
}

Result<Isa> chosen_isa(const std::string& name) {
  MINI_TRY(check_environment());
  if (name.empty()) return best_isa();
  std::string known;
  for (int i = 0; i < static_cast<int>(Isa::count); ++i) {
    const Isa isa = static_cast<Isa>(i);
    if (!isa_supported(isa)) continue;
    if (name == isa_name(isa)) return isa;
    known += cat(known.empty() ? "" : ", ", isa_name(isa));
  }
  return error(Code::kInvalidArgument, "instruction set '", name, "': this CPU has ", known);
}

Result<Engine::Options> engine_options(const SessionOptions& options, std::size_t file_bytes) {
  MINI_TRY_ASSIGN(const Isa isa, chosen_isa(options.isa));
  return Engine::Options{.threads = options.threads > 0 ? options.threads : default_threads(),
                         .disabled_passes = options.disabled_passes,
                         .log = options.log,
                         .memory_limit = options.memory_limit,
                         .file_bytes = file_bytes,
                         .tune = options.tune,
                         .tune_cache = options.tune_cache,
                         .batch_by_image = options.batch_by_image,
                         .isa = isa};
}

}  // namespace

Result<Session> Session::load(ImportedModel&& imported, const SessionOptions& options) {
  Graph graph = std::move(imported.graph);
  MINI_TRY(graph.verify());
  MINI_TRY(check_operators(graph, op_registry()));
  MINI_TRY(add_extra_outputs(graph, options.extra_outputs));
  MINI_TRY_ASSIGN(Engine::Options chosen, engine_options(options, imported.info.file_bytes));
  auto impl = std::make_unique<Impl>(std::move(chosen));
  impl->model = std::move(imported.info);
  for (const ValueId in : graph.inputs)
    impl->inputs.push_back(value_info(graph.value(in).name, graph.value(in)));

  for (const GraphOutput& out : graph.outputs())
    impl->outputs.push_back(value_info(out.name, graph.value(out.value)));

  NodeEvaluator evaluator(impl->engine.ops(), impl->engine.environment(),
                          impl->engine.memory_limit({}));
  PassContext context = impl->engine.pass_context(evaluator);
  MINI_TRY_ASSIGN(impl->load_passes, run_passes(graph, PassStage::kLoad, context,
                                                {.disabled = options.disabled_passes,
                                                 .stop_after = options.max_rewrites}));
  if (options.max_rewrites >= 0) impl->engine.set_plan_rewrites(context.rewrites_left);
  graph.unread_constants();
  for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
    impl->outputs[i] = output_info(graph.outputs()[i], graph, impl->outputs[i]);
  }
  impl->runner =
      std::make_unique<GraphRunner>(std::make_shared<const Graph>(std::move(graph)), impl->engine);
  return Session(std::move(impl));
}

Result<Session> Session::load(const std::string& path, const SessionOptions& options) {
  return guarded([&]() -> Result<Session> {
    MINI_TRY_ASSIGN(ImportedModel model, import_file(path, options.log));
    return load(std::move(model), options);
  });
}

Result<Session> Session::load(std::span<const std::byte> bytes, const SessionOptions& options) {
  return guarded([&]() -> Result<Session> {
    MINI_TRY_ASSIGN(ImportedModel model, import_bytes(bytes, options.log));
    return load(std::move(model), options);
  });
}

const std::vector<ValueInfo>& Session::inputs() const { return impl_->inputs; }
const std::vector<ValueInfo>& Session::outputs() const { return impl_->outputs; }
const ModelInfo& Session::model() const { return impl_->model; }
int Session::threads() const { return impl_->engine.options().threads; }
std::string Session::print() const { return impl_->runner->graph().print(); }

Result<std::vector<Tensor>> Session::run(std::span<const Tensor> inputs) const {
  return guarded([&] { return run_checked(*this, *impl_->runner, inputs, nullptr); });
}

Result<TensorMap> Session::run(const TensorMap& inputs) const {
  return guarded([&]() -> Result<TensorMap> {
    MINI_TRY_ASSIGN(const std::vector<Tensor> ordered, order_inputs(this->inputs(), inputs));
    MINI_TRY_ASSIGN(std::vector<Tensor> results,
                    run_checked(*this, *impl_->runner, ordered, nullptr));
    TensorMap named;
    for (std::size_t i = 0; i < results.size(); ++i)
      named[outputs()[i].name] = std::move(results[i]);
    return named;
  });
}

Result<PlanInfo> Session::plan(std::span<const Shape> input_shapes) const {
  return guarded([&]() -> Result<PlanInfo> {
    std::vector<Tensor> described;
    for (std::size_t i = 0; i < input_shapes.size() && i < inputs().size(); ++i) {
      described.push_back(Tensor::view(inputs()[i].dtype, input_shapes[i], nullptr));
    }
    MINI_TRY(check_inputs(inputs(), described));
    MINI_TRY_ASSIGN(const std::shared_ptr<Executor> executor, impl_->runner->executor(described));
    PlanInfo info = describe_plan(executor->plan(), impl_->load_passes);
    info.weight_bytes = impl_->engine.weights().bytes() + executor->plan().constant_bytes;
    info.timed_layers = impl_->engine.timed_layers();
    return info;
  });
}

Result<std::vector<Tensor>> Session::profile(std::span<const Tensor> inputs,
                                             PlanInfo& profile) const {
  return guarded([&]() -> Result<std::vector<Tensor>> {
    Profiler profiler;
    MINI_TRY_ASSIGN(std::vector<Tensor> outputs,
                    run_checked(*this, *impl_->runner, inputs, &profiler));
    if (profile.steps.size() != profiler.seconds.size()) {
      return error(Code::kInvalidArgument, "the profile has ", profile.steps.size(),
                   " steps and the plan ", profiler.seconds.size(),
                   "; it must come from plan() for the same input shapes");
    }
    for (std::size_t s = 0; s < profiler.seconds.size(); ++s) {
      profile.steps[s].seconds += profiler.seconds[s];
      ++profile.steps[s].runs;
    }
    return outputs;
  });
}

Result<std::vector<Tensor>> Session::trace(std::span<const Tensor> inputs,
                                           const StepObserver& observer) const {
  return guarded([&]() -> Result<std::vector<Tensor>> {
    MINI_TRY(check_inputs(this->inputs(), inputs));
    MINI_TRY_ASSIGN(const std::shared_ptr<Executor> executor, impl_->runner->executor(inputs));
    return executor->trace(inputs, observer);
  });
}

std::vector<std::string> isa_names() {
  std::vector<std::string> names;
  for (int i = 0; i < static_cast<int>(Isa::count); ++i) {
    if (isa_supported(static_cast<Isa>(i))) names.emplace_back(isa_name(static_cast<Isa>(i)));
  }
  return names;
}

std::string isa_name() { return isa_name(best_isa()); }

int default_threads() {
  static const int threads = usable_cores();
  return threads;
}

std::vector<OperatorInfo> supported_operators() {
  std::vector<OperatorInfo> list;
  for (const OpDef* op : all_ops()) {
    if (op->domain == kInternalDomain) continue;
    list.push_back(
        {.domain = std::string(op->domain), .type = std::string(op->type), .since = op->since});
  }
  std::sort(list.begin(), list.end(), [](const OperatorInfo& a, const OperatorInfo& b) {
    return std::pair(a.domain, a.type) < std::pair(b.domain, b.type);
  });
  return list;
}

}  // namespace mini_infer
