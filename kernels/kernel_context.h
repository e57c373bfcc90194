// KernelContext: what a prepared kernel gets when it runs: pointers, scratch memory, threads.
#pragma once

#include <mini_infer/status.h>
#include <mini_infer/tensor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

namespace mini_infer {

struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

// A reference to a callable, for the time of one call.
template <class Signature>
class FunctionRef;
template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef>) FunctionRef(F&& f)  // NOLINT
      : object_(const_cast<void*>(static_cast<const void*>(&f))),
        call_([](void* object, Args... args) -> R {
          return (*static_cast<std::remove_reference_t<F>*>(object))(args...);
        }) {}
  R operator()(Args... args) const { return call_(object_, args...); }

 private:
  void* object_;
  R (*call_)(void*, Args...);
};

// Calls body(range, thread) with [0, count) cut into at most `threads` ranges of nearly equal
// length, 0 <= thread < threads, all at the same time. Serial when the whole work (count *
// work_per_item, in multiply-adds or elements touched) is below kParallelThreshold. The cut depends
// on `count` and `threads` only; a kernel must give the same bits whatever it is. Nested calls run
// serially.
using ParallelBody = FunctionRef<void(Range, int)>;
inline constexpr double kParallelThreshold = 32768;
void parallel_for(int threads, std::int64_t count, double work_per_item, ParallelBody body);

// Runs body() with threads - 1 workers beside it that wait for its parallel_for() calls, which
// need not wake them then. Calls outside of it open a region for themselves. What body()
// throws is thrown here.
void with_threads(int threads, FunctionRef<void()> body);

class KernelContext {
 public:
  // nullptr for optional inputs and outputs that are left out.
  std::span<const void* const> inputs;
  std::span<void* const> outputs;
  std::byte* scratch = nullptr;  // 64-byte aligned, PreparedKernel::scratch_bytes long
  int threads = 1;
  // Receives the outputs whose shape was not known before the kernel ran; see set_output().
  std::span<Tensor> dynamic_outputs;

  template <class T>
  const T* input(std::size_t i) const {
    return i < inputs.size() ? static_cast<const T*>(inputs[i]) : nullptr;
  }
  template <class T>
  T* output(std::size_t i) const {
    return i < outputs.size() ? static_cast<T*>(outputs[i]) : nullptr;
  }
  // For an output whose shape infer() left open: the kernel makes the tensor and hands it over.
  void set_output(std::size_t i, Tensor tensor) const {
    if (i < dynamic_outputs.size()) dynamic_outputs[i] = std::move(tensor);
  }
  void parallel_for(std::int64_t count, double work_per_item, ParallelBody body) const {
    mini_infer::parallel_for(threads, count, work_per_item, body);
  }
};

// Runs a subgraph of a control-flow node. Thread-safe.
class SubgraphRunner {
 public:
  virtual ~SubgraphRunner() = default;
  virtual Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) = 0;
};

}  // namespace mini_infer
