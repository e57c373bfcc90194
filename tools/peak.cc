#include "tools/peak.h"

#include <time.h>

#include <algorithm>
#include <numeric>
#include <thread>
#include <vector>

#include "kernels/simd/peak.simd.h"
#include "tools/common.h"

namespace mini_infer::tools {
namespace {

double thread_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// The fastest of many short bursts by the thread's own time: other processes disturb it least.
double best_burst() {
  constexpr double kSeconds = 0.05;
  constexpr std::int64_t kSteps = 20'000;
  float values[32], sink[16];
  std::fill(std::begin(values), std::end(values), 0.5F);
  double best = 0;
  for (const double end = now_seconds() + kSeconds; now_seconds() < end;) {
    const double start = thread_seconds();
    const double flop = simd::peak_multiply_add.get()(kSteps, values, sink);
    best = std::max(best, flop / (thread_seconds() - start));
  }
  return best;
}

}  // namespace

double peak_flops(int threads) {
  std::vector<double> best(static_cast<std::size_t>(threads));
  {
    std::vector<std::jthread> helpers;
    for (std::size_t i = 1; i < best.size(); ++i) {
      helpers.emplace_back([&best, i] { best[i] = best_burst(); });
    }
    best[0] = best_burst();
  }
  return std::accumulate(best.begin(), best.end(), 0.0);
}

}  // namespace mini_infer::tools
