#include "engine/executor.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>

#include "engine/node_runner.h"
#include "graph/ir/sequence.h"
#include "kernels/denormals.h"

namespace mini_infer {
namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

constexpr std::size_t kMostIdleStates = 8;

// A tensor whose memory comes from `pool`, if it is so large that malloc would take it from the
// system anew for each run.
Result<Tensor> allocate_from(BlockPool& pool, DType dtype, const Shape& shape) {
  constexpr std::size_t kLarge = 64 << 10;
  MINI_TRY_ASSIGN(const std::size_t bytes, checked_bytes(dtype, shape));
  if (bytes < kLarge || has_objects(dtype)) return Tensor::allocate(dtype, shape);
  try {
    std::shared_ptr<void> memory = pool.allocate(bytes);
    void* const data = memory.get();
    return Tensor::share(dtype, shape, data, std::move(memory));
  } catch (const std::bad_alloc&) {
    return error(Code::kResourceExhausted, "out of memory: an output needs ", bytes, " bytes");
  }
}

double most_elements(const Plan& plan, std::span<const ValueId> values) {
  double most = 0;
  for (const ValueId id : values) {
    if (id == kNoValue) continue;
    const Slot& slot = plan.slots[static_cast<std::size_t>(id)];
    if (slot.shape) most = std::max(most, static_cast<double>(slot.shape->elements()));
  }
  return most;
}

// What a step computes or writes, as parallel_for() counts it. (What dynamic steps do is not known;
// those open a region for themselves.)
double work_of(const Plan& plan, const Step& step) {
  if (step.dynamic) return 0;
  return std::max(step.kernel.flop / 8, most_elements(plan, step.outputs));
}

int useful_threads(const Plan& plan, int threads) {
  const auto worth = [&](const Step& step) { return work_of(plan, step) >= kParallelThreshold; };
  return std::any_of(plan.steps.begin(), plan.steps.end(), worth) ? threads : 1;
}

}  // namespace

bool is_worth_threads(const Plan& plan) {
  // Half a hundred microseconds of one thread: to wake the others takes ten to twenty.
  constexpr double kLeast = 30 * kParallelThreshold;
  double shared = 0;
  for (const Step& step : plan.steps) {
    if (step.dynamic) return true;
    const double work = work_of(plan, step);
    // Products of few rows wait for their weights.
    if (work >= kParallelThreshold) shared += std::max(work, most_elements(plan, step.inputs));
  }
  return shared >= kLeast;
}

// The memory of one run.
struct Executor::State {
  Tensor arena;
  std::vector<void*> pointers;     // by value; nullptr until it is there
  std::vector<ValueId> external;   // those in the caller's inputs and outputs
  std::vector<Tensor> heap;        // by value, for those that dynamic steps make
  std::span<const Tensor> inputs;  // the caller's
  std::span<Tensor> outputs;
  // Pointers and tensors of one step, kept to save allocations.
  std::vector<const void*> in;
  std::vector<void*> out;
  std::vector<Tensor> made;
};

Executor::Executor(std::shared_ptr<const Plan> plan, const OpLookup& ops,
                   PrepareContext::Environment environment, std::size_t memory_limit)
    : plan_(std::move(plan)),
      ops_(ops),
      environment_(std::move(environment)),
      memory_limit_(memory_limit),
      output_memory_(std::make_shared<BlockPool>(2 * plan_->outputs.size(), SIZE_MAX)),
      threads_(useful_threads(*plan_, environment_.threads)) {}

Executor::~Executor() = default;

std::unique_ptr<Executor::State> Executor::take_state() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return nullptr;
  std::unique_ptr<State> state = std::move(idle_.back());
  idle_.pop_back();
  return state;
}

void Executor::give_back(std::unique_ptr<State> state) {
  for (Tensor& tensor : state->heap) tensor = Tensor();
  const std::lock_guard lock(mutex_);
  const auto most = std::max(kMostIdleStates, static_cast<std::size_t>(plan_->image_threads));
  if (idle_.size() < most) idle_.push_back(std::move(state));
}

// Arena and constants: the same for all runs with this state.
Status Executor::make_memory(State& state) {
  if (plan_->arena_bytes > memory_limit_) {
    return error(Code::kResourceExhausted, "a run needs ", plan_->arena_bytes,
                 " bytes of memory; the limit is ", memory_limit_,
                 " (SessionOptions::memory_limit)");
  }
  MINI_TRY_ASSIGN(
      state.arena,
      Tensor::allocate(DType::kUInt8, Shape{static_cast<std::int64_t>(plan_->arena_bytes)}));
  state.pointers.assign(plan_->slots.size(), nullptr);
  state.heap.resize(plan_->slots.size());
  for (std::size_t v = 0; v < plan_->slots.size(); ++v) {
    const Slot& slot = plan_->slots[v];
    if (slot.kind == Slot::Kind::kArena) {
      state.pointers[v] = static_cast<std::byte*>(state.arena.mutable_data()) + slot.offset;
    } else if (slot.kind == Slot::Kind::kConstant) {
      // A view of a constant has the constant's slot as its index.
      const void* base = plan_->slots[slot.index].constant.data();
      state.pointers[v] = static_cast<std::byte*>(const_cast<void*>(base)) + slot.offset;
    } else if (slot.kind == Slot::Kind::kInput || slot.kind == Slot::Kind::kOutput) {
      state.external.push_back(static_cast<ValueId>(v));
    }
  }
  return ok();
}

// Memory and pointers that are known before the first step.
Status Executor::start(State& state, std::span<const Tensor> inputs, std::span<Tensor> outputs) {
  if (state.arena.empty()) MINI_TRY(make_memory(state));
  state.inputs = inputs;
  state.outputs = outputs;
  for (std::size_t i = 0; i < plan_->outputs.size(); ++i) {
    const PlanOutput& out = plan_->outputs[i];
    if (!out.in_place || !outputs[i].empty()) continue;
    const Slot& slot = plan_->slots[static_cast<std::size_t>(out.value)];
    MINI_TRY_ASSIGN(outputs[i], allocate_from(*output_memory_, slot.dtype, *slot.shape));
  }
  for (const ValueId id : state.external) {
    const Slot& slot = plan_->slots[static_cast<std::size_t>(id)];
    void* base = slot.kind == Slot::Kind::kInput ? const_cast<void*>(inputs[slot.index].data())
                                                 : state.outputs[slot.index].mutable_data();
    state.pointers[static_cast<std::size_t>(id)] = static_cast<std::byte*>(base) + slot.offset;
  }
  return ok();
}

Tensor Executor::tensor_of(ValueId id, const State& state) const {
  const auto v = static_cast<std::size_t>(id);
  const Slot& slot = plan_->slots[v];
  if (slot.kind == Slot::Kind::kHeap) return state.heap[v];
  if (slot.kind == Slot::Kind::kInput && !slot.shape) return state.inputs[slot.index];
  if (slot.kind == Slot::Kind::kConstant) {
    if (!slot.constant.empty()) return slot.constant;
    const auto base = std::make_shared<const Tensor>(plan_->slots[slot.index].constant);
    return Tensor::share(slot.dtype, *slot.shape, state.pointers[v], base);
  }
  return Tensor::view(slot.dtype, *slot.shape, state.pointers[v]);
}

Status Executor::run_static(const Step& step, State& state) {
  state.in.clear();
  for (const ValueId id : step.inputs)
    state.in.push_back(id == kNoValue ? nullptr : state.pointers[static_cast<std::size_t>(id)]);
  state.out.clear();
  for (const ValueId id : step.outputs)
    state.out.push_back(id == kNoValue ? nullptr : state.pointers[static_cast<std::size_t>(id)]);
  return step.kernel.run(
      {.inputs = state.in,
       .outputs = state.out,
       .scratch = static_cast<std::byte*>(state.arena.mutable_data()) + step.scratch_offset,
       .threads = environment_.threads,
       .dynamic_outputs = {}});
}

Status Executor::run_dynamic(const Step& step, State& state) {
  std::vector<Tensor> inputs;
  std::vector<bool> lasting;
  for (const ValueId id : step.inputs) {
    inputs.push_back(id == kNoValue ? Tensor() : tensor_of(id, state));
    lasting.push_back(id != kNoValue &&
                      plan_->slots[static_cast<std::size_t>(id)].kind == Slot::Kind::kConstant);
  }
  MINI_TRY_ASSIGN(std::vector<Tensor> outputs,
                  run_node(step.node, inputs, lasting, ops_, environment_, memory_limit_));
  for (std::size_t i = 0; i < step.outputs.size(); ++i) {
    if (step.outputs[i] == kNoValue) continue;
    const auto v = static_cast<std::size_t>(step.outputs[i]);
    const Slot& slot = plan_->slots[v];
    if (slot.shape && (*slot.shape != outputs[i].shape() || slot.dtype != outputs[i].dtype())) {
      return error(Code::kInternal, step.node.str(), ": output ", i, " is ", outputs[i].dtype(),
                   outputs[i].shape(), "; the plan expects ", slot.dtype, *slot.shape);
    }
    state.pointers[v] = outputs[i].mutable_data();
    state.heap[v] = std::move(outputs[i]);
  }
  return ok();
}

Status Executor::run_step(const Step& step, State& state) {
  if (step.dynamic) return run_dynamic(step, state);
  Status status = run_static(step, state);
  if (status.ok()) return status;  // the node is spelt for failures only
  return std::move(status).at(step.node.str());
}

Status Executor::run_steps(State& state, Profiler* profiler, const StepObserver* observer) {
  for (std::size_t s = 0; s < plan_->steps.size(); ++s) {
    const Step& step = plan_->steps[s];
    const double begin = profiler != nullptr ? now_seconds() : 0;
    MINI_TRY(run_step(step, state));
    if (profiler != nullptr) profiler->seconds[s] += now_seconds() - begin;
    if (observer != nullptr) MINI_TRY(show_outputs(s, state, *observer));
    for (const ValueId id : step.last_uses) state.heap[static_cast<std::size_t>(id)] = Tensor();
  }
  return ok();
}

// A view, or a copy of a value that lies in blocks.
Result<Tensor> Executor::plain_tensor_of(ValueId id, const State& state) const {
  const Slot& slot = plan_->slots[static_cast<std::size_t>(id)];
  if (slot.layout == Layout::kPlain) return tensor_of(id, state);
  MINI_TRY_ASSIGN(Tensor plain, Tensor::allocate(slot.dtype, *slot.shape));
  const std::int64_t block = isa_lanes(environment_.isa), channels = (*slot.shape)[1];
  const std::int64_t pixels = slot.shape->elements(2, slot.shape->rank());
  const std::int64_t blocks = (channels + block - 1) / block;
  const auto* from = static_cast<const float*>(state.pointers[static_cast<std::size_t>(id)]);
  float* to = plain.mutable_data<float>();
  for (std::int64_t row = 0; row < (*slot.shape)[0] * channels; ++row) {
    const std::int64_t n = row / channels, c = row % channels;
    const float* in = from + ((n * blocks + c / block) * pixels) * block + c % block;
    for (std::int64_t p = 0; p < pixels; ++p) *to++ = in[p * block];
  }
  return plain;
}

Status Executor::show_outputs(std::size_t s, const State& state,
                              const StepObserver& observer) const {
  std::vector<Tensor> outputs;
  for (const ValueId id : plan_->steps[s].outputs) {
    outputs.emplace_back();
    if (id != kNoValue) {
      MINI_TRY_ASSIGN(outputs.back(), plain_tensor_of(id, state));
    }
  }
  return observer(s, outputs);
}

Status Executor::finish(State& state) {
  for (std::size_t i = 0; i < plan_->outputs.size(); ++i) {
    const PlanOutput& out = plan_->outputs[i];
    if (out.in_place) continue;
    const Tensor tensor = tensor_of(out.value, state);
    const bool owned = plan_->slots[static_cast<std::size_t>(out.value)].kind == Slot::Kind::kHeap;
    if (!state.outputs[i].empty()) {
      std::memcpy(state.outputs[i].mutable_data(), tensor.data(), tensor.bytes());
    } else {
      state.outputs[i] = owned ? tensor : tensor.clone();
    }
  }
  return ok();
}

Status Executor::run_once(std::span<const Tensor> inputs, std::span<Tensor> outputs,
                          Profiler* profiler, const StepObserver* observer) {
  std::unique_ptr<State> state = take_state();
  if (state == nullptr) state = std::make_unique<State>();
  MINI_TRY(start(*state, inputs, outputs));
  Status status;
  // Waiting threads would only spin while somebody looks at the values.
  const int region = observer == nullptr ? threads_ : 1;
  with_threads(region, [&] { status = run_steps(*state, profiler, observer); });
  MINI_TRY(status);
  MINI_TRY(finish(*state));
  give_back(std::move(state));
  return ok();
}

namespace {

// Image i of a tensor [images, ...].
Tensor image_of(const Tensor& batch, std::int64_t images, std::int64_t i) {
  Shape shape = batch.shape();
  shape[0] /= images;
  const std::size_t bytes = batch.bytes() / static_cast<std::size_t>(images);
  auto* data = static_cast<std::byte*>(const_cast<void*>(batch.data()));
  return Tensor::view(batch.dtype(), shape, data + static_cast<std::size_t>(i) * bytes);
}

}  // namespace

Result<std::vector<Tensor>> Executor::trace(std::span<const Tensor> inputs,
                                            const StepObserver& observer) {
  if (plan_->images > 1) {
    return error(
        Code::kInvalidArgument, "the ", plan_->images,
        " images of the batch run one after the other, so that no step has all of a value; "
        "set SessionOptions::batch_by_image to false");
  }
  const FlushDenormals flush;
  std::vector<Tensor> outputs(plan_->outputs.size());
  MINI_TRY(run_once(inputs, outputs, nullptr, &observer));
  return outputs;
}

Result<std::vector<Tensor>> Executor::run(std::span<const Tensor> inputs, Profiler* profiler) {
  const FlushDenormals flush;
  if (profiler != nullptr) {
    profiler->seconds.resize(plan_->steps.size(), 0);
    ++profiler->runs;
  }
  if (plan_->images > 1) return run_images(inputs, profiler);
  std::vector<Tensor> outputs(plan_->outputs.size());
  MINI_TRY(run_once(inputs, outputs, profiler, nullptr));
  return outputs;
}

Result<std::vector<Tensor>> Executor::run_images(std::span<const Tensor> inputs,
                                                 Profiler* profiler) {
  const std::int64_t images = plan_->images;
  std::vector<Tensor> outputs;
  for (const PlanOutput& out : plan_->outputs) {
    const Slot& slot = plan_->slots[static_cast<std::size_t>(out.value)];
    Shape shape = *slot.shape;
    shape[0] *= images;
    MINI_TRY_ASSIGN(Tensor batch, allocate_from(*output_memory_, slot.dtype, shape));
    outputs.push_back(std::move(batch));
  }
  const auto run_image = [&](std::int64_t i) -> Status {
    std::vector<Tensor> image, results;
    for (const Tensor& batch : inputs) image.push_back(image_of(batch, images, i));
    for (const Tensor& batch : outputs) results.push_back(image_of(batch, images, i));
    return run_once(image, results, profiler, nullptr);
  };
  std::vector<Status> statuses(static_cast<std::size_t>(images));
  const auto run_range = [&](Range range, int /*thread*/) {
    for (std::int64_t i = range.begin; i < range.end; ++i)
      statuses[static_cast<std::size_t>(i)] = run_image(i);
  };
  // Within parallel_for() kernels would have one thread each.
  const bool apart = plan_->image_threads > 1 && profiler == nullptr;
  if (apart) parallel_for(plan_->image_threads, images, kParallelThreshold, run_range);
  if (!apart) run_range({0, images}, 0);
  for (Status& status : statuses) MINI_TRY(std::move(status));
  return outputs;
}

}  // namespace mini_infer
