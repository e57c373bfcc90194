#include "bench/measure.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <vector>

#include "kernels/simd/peak.simd.h"

namespace mini_infer {
namespace {

double seconds(int threads) {
  timespec t{};
  clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double seconds_of(int threads, int repetitions, const Work& work) {
  const double start = seconds(threads);
  for (int i = 0; i < repetitions; ++i) work();
  return (seconds(threads) - start) / repetitions;
}

// How often `work` must be repeated for a millisecond.
int repetitions_of(int threads, const Work& work) {
  work();  // caches and page tables are cold
  const double once = seconds_of(threads, 1, work);
  return static_cast<int>(std::clamp(1e-3 / std::max(once, 1e-9), 1.0, 1e6));
}

double typical(std::vector<double>& times) {
  const auto quarter = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 4);
  std::nth_element(times.begin(), quarter, times.end());
  return *quarter;
}

struct Seconds {
  double work, peak;
};

Seconds take_turns(benchmark::State& state, int threads, const Work& work, const Work& peak) {
  const int work_repetitions = repetitions_of(threads, work);
  const int peak_repetitions = repetitions_of(1, peak);
  std::vector<double> work_times, peak_times;
  for (auto _ : state) {
    work_times.push_back(seconds_of(threads, work_repetitions, work));
    peak_times.push_back(seconds_of(1, peak_repetitions, peak));
    state.SetIterationTime(work_times.back());
  }
  return {typical(work_times), typical(peak_times)};
}

}  // namespace

void measure_flop(benchmark::State& state, Isa isa, double flop, const Work& work, int threads) {
  constexpr std::int64_t kSteps = 20'000;
  float values[32], sink[16];
  std::fill(std::begin(values), std::end(values), 0.5F);
  double peak_flop = 0;
  const Seconds took = take_turns(state, threads, work, [&] {
    peak_flop = simd::peak_multiply_add.get(isa)(kSteps, values, sink);
    benchmark::DoNotOptimize(sink);
  });
  state.counters["GFLOP/s"] = flop / took.work * 1e-9;
  state.counters["% of peak"] = 100 * (flop / took.work) / (threads * peak_flop / took.peak);
}

void measure_bytes(benchmark::State& state, double bytes, const Work& work) {
  std::vector<char> from(static_cast<std::size_t>(bytes / 2), 1), to(from.size());
  const Seconds took = take_turns(state, 1, work, [&] {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::ClobberMemory();
  });
  state.counters["GB/s"] = bytes / took.work * 1e-9;
  state.counters["% of copy"] = 100 * took.peak / took.work;
}

void measure_time(benchmark::State& state, int threads, const Work& work) {
  const int repetitions = repetitions_of(threads, work);
  std::vector<double> times;
  for (auto _ : state) {
    times.push_back(seconds_of(threads, repetitions, work));
    state.SetIterationTime(times.back());
  }
  state.counters["us"] = typical(times) * 1e6;
}

void add_benchmark(Isa isa, const std::string& name, std::function<void(benchmark::State&)> body) {
  add_benchmark(std::string(isa_name(isa)) + "/" + name, std::move(body));
}

void add_benchmark(const std::string& name, std::function<void(benchmark::State&)> body) {
  constexpr int kIterations = 20;
  benchmark::RegisterBenchmark(name.c_str(), std::move(body))
      ->Unit(benchmark::kMicrosecond)
      ->UseManualTime()
      ->Iterations(kIterations);
}

int run_benchmarks(int argc, char** argv, const std::function<void(Isa)>& add) {
  for (int i = 0; i < static_cast<int>(Isa::count); ++i) {
    const auto isa = static_cast<Isa>(i);
    // Sets that differ in their dot products only run the float kernels of the one before.
    const auto* kernels = simd::peak_multiply_add.variants;
    const bool own = i == 0 || kernels[i] != kernels[i - 1];
    if (own && isa_supported(isa)) add(isa);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace mini_infer
