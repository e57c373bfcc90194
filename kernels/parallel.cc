// parallel_for: the one place that knows of OpenMP (or, without it, of std::thread).
#include <algorithm>

#include "kernels/denormals.h"
#include "kernels/kernel_context.h"

#if defined(_OPENMP)
#include <omp.h>
#else
#include <thread>
#include <vector>
#endif

namespace mini_infer {
namespace {

thread_local bool inside_parallel = false;

// Part `part` of `parts` nearly equal ones of [0, count).
Range part_of(std::int64_t count, int part, int parts) {
  const std::int64_t each = count / parts, rest = count % parts;
  const std::int64_t begin = part * each + std::min<std::int64_t>(part, rest);
  return {begin, begin + each + (part < rest ? 1 : 0)};
}

void run_part(std::int64_t count, int part, int parts, ParallelBody body) {
  const FlushDenormals flush;
  const bool outer = inside_parallel;
  inside_parallel = true;
  body(part_of(count, part, parts), part);
  inside_parallel = outer;
}

}  // namespace

void parallel_for(int threads, std::int64_t count, double work_per_item, ParallelBody body) {
  if (count <= 0) return;
  const int parts = static_cast<int>(std::min<std::int64_t>(threads, count));
  if (parts <= 1 || inside_parallel ||
      static_cast<double>(count) * work_per_item < kParallelThreshold) {
    body({0, count}, 0);
    return;
  }
#if defined(_OPENMP)
#pragma omp parallel num_threads(parts)
  // OpenMP may give fewer threads than asked for; the parts stay the same.
  for (int part = omp_get_thread_num(); part < parts; part += omp_get_num_threads()) {
    run_part(count, part, parts, body);
  }
#else
  std::vector<std::thread> workers;
  for (int part = 1; part < parts; ++part) workers.emplace_back(run_part, count, part, parts, body);
  run_part(count, 0, parts, body);
  for (std::thread& worker : workers) worker.join();
#endif
}

}  // namespace mini_infer
