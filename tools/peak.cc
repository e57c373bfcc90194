#include "tools/peak.h"

#include <time.h>

#include <algorithm>
#include <functional>
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

// What a quarter of many short bursts reach by the thread's own time: other processes disturb the
// slow ones, and now and then make a clock jump for the fastest.
double typical_burst() {
  constexpr double kSeconds = 0.05;
  constexpr std::int64_t kSteps = 20'000;
  float values[32], sink[16];
  std::fill(std::begin(values), std::end(values), 0.5F);
  std::vector<double> rates;
  for (const double end = now_seconds() + kSeconds; rates.empty() || now_seconds() < end;) {
    const double start = thread_seconds();
    const double flop = simd::peak_multiply_add.get()(kSteps, values, sink);
    rates.push_back(flop / (thread_seconds() - start));
  }
  const auto quarter = rates.begin() + static_cast<std::ptrdiff_t>(rates.size() / 4);
  std::nth_element(rates.begin(), quarter, rates.end(), std::greater<>());
  return *quarter;
}

}  // namespace

double peak_flops(int threads) {
  std::vector<double> rates(static_cast<std::size_t>(threads));
  {
    std::vector<std::jthread> helpers;
    for (std::size_t i = 1; i < rates.size(); ++i) {
      helpers.emplace_back([&rates, i] { rates[i] = typical_burst(); });
    }
    rates[0] = typical_burst();
  }
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

}  // namespace mini_infer::tools
