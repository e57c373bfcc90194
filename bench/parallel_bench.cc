// What it costs to hand parts to two threads and to wait for them, beside the work itself.
#include <chrono>
#include <cstdint>
#include <string>

#include "bench/measure.h"
#include "kernels/kernel_context.h"

namespace mini_infer {
namespace {

constexpr int kThreads = 2;

void wait(std::chrono::nanoseconds time) {
  if (time.count() == 0) return;
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

// A parallel_for of one part a thread, each of which takes `part`. Counters: "us" a call, and "% by
// worker": how often the caller had not begun the worker's part itself.
void fork_join(benchmark::State& state, std::chrono::nanoseconds part) {
  thread_local bool is_caller = false;
  is_caller = true;
  std::int64_t calls = 0, by_caller = 0;
  measure_time(state, kThreads, [&] {
    ++calls;
    parallel_for(kThreads, kThreads, kParallelThreshold, [&](Range range, int) {
      if (range.begin > 0 && is_caller) ++by_caller;
      wait(part);
    });
  });
  is_caller = false;
  state.counters["% by worker"] =
      100 - 100 * static_cast<double>(by_caller) / static_cast<double>(calls);
}

void register_all() {
  using std::chrono::microseconds;
  for (const int part : {0, 5, 20}) {
    const std::string name = "fork_join/parts_of_" + std::to_string(part) + "_us";
    add_benchmark(name + "/in_a_region", [=](benchmark::State& state) {
      with_threads(kThreads, [&] { fork_join(state, microseconds(part)); });
    });
    add_benchmark(name + "/alone",
                  [=](benchmark::State& state) { fork_join(state, microseconds(part)); });
  }
}

}  // namespace
}  // namespace mini_infer

int main(int argc, char** argv) {
  mini_infer::register_all();
  return mini_infer::run_benchmarks(argc, argv, [](mini_infer::Isa) {});
}
