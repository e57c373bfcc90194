// How the benchmarks measure: each iteration of the work takes turns with the peak of this machine,
// since the clock of the processor changes with what runs. Both figures are those that a quarter of
// the iterations beat: other processes disturb the slow ones. One thread is timed by its own CPU
// time for the same reason, several by the wall clock.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <string>

#include "kernels/simd/isa.h"

namespace mini_infer {

using Work = std::function<void()>;

// Counters "GFLOP/s" and "% of peak", which is that of multiply-adds on registers alone.
void measure_flop(benchmark::State& state, Isa isa, double flop, const Work& work, int threads = 1);
// Counters "GB/s" and "% of copy", which is memcpy that reads and writes as many bytes in all.
void measure_bytes(benchmark::State& state, double bytes, const Work& work);

// Counter "us": of a call, with nothing to compare it to.
void measure_time(benchmark::State& state, int threads, const Work& work);

// Registers "name" or "isa/name".
void add_benchmark(const std::string& name, std::function<void(benchmark::State&)> body);
void add_benchmark(Isa isa, const std::string& name, std::function<void(benchmark::State&)> body);
// Calls `add` for each instruction set of this machine that has float kernels of its own, then runs
// the benchmarks that the command line asks for.
int run_benchmarks(int argc, char** argv, const std::function<void(Isa)>& add);

}  // namespace mini_infer
