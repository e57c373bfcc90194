// The vector kernels of elementwise operators, reductions, softmax and quantization on arrays that
// fit the second-level cache, one thread, for every instruction set of this machine.
//
//   elementwise_bench --benchmark_filter=avx512/softmax
//
// "best_ns" is nanoseconds for each element in the fastest iteration, by this thread's CPU time.
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "kernels/elementwise/binary.simd.h"
#include "kernels/quantize/quantize.simd.h"
#include "kernels/reduce/reduce.simd.h"
#include "kernels/reduce/softmax.simd.h"
#include "kernels/simd/activate.simd.h"

namespace mini_infer {
namespace {

constexpr std::int64_t kElements = 1 << 15;

struct Arrays {
  std::vector<float> a = std::vector<float>(kElements, 0.5f);
  std::vector<float> b = std::vector<float>(kElements, 1.5f);
  std::vector<float> y = std::vector<float>(kElements);
  std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(kElements);
};

using Kernel = std::function<void(Arrays&)>;

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void run(benchmark::State& state, const Kernel& kernel) {
  Arrays arrays;
  for (std::int64_t i = 0; i < kElements; ++i) {
    arrays.a[static_cast<std::size_t>(i)] = static_cast<float>(i % 1001) / 125.f - 4.f;
  }
  double best = std::numeric_limits<double>::infinity();
  for (auto _ : state) {
    const double start = thread_seconds();
    kernel(arrays);
    best = std::min(best, thread_seconds() - start);
    benchmark::ClobberMemory();
  }
  state.counters["best_ns"] = 1e9 * best / static_cast<double>(kElements);
}

void add(Isa isa, const std::string& name, Kernel kernel) {
  benchmark::RegisterBenchmark(
      (std::string(isa_name(isa)) + "/" + name).c_str(),
      [kernel = std::move(kernel)](benchmark::State& state) { run(state, kernel); });
}

void add_activations(Isa isa) {
  const std::pair<const char*, Activation> kinds[] = {
      {"relu", Activation::kRelu}, {"sigmoid", Activation::kSigmoid}, {"silu", Activation::kSilu},
      {"gelu", Activation::kGelu}, {"tanh", Activation::kTanh},       {"mish", Activation::kMish},
      {"erf", Activation::kErf},   {"exp", Activation::kExp}};
  for (const auto& [name, kind] : kinds) {
    add(isa, std::string("unary/") + name, [isa, kind = kind](Arrays& m) {
      simd::activate_f32.get(isa)({kind}, m.a.data(), m.y.data(), kElements);
    });
  }
}

// Tiles of `n` columns; b repeats along the rows, along the columns, or not at all.
void add_binary(Isa isa) {
  const std::int64_t lanes = isa_lanes(isa);
  const std::pair<const char*, Tile> tiles[] = {
      {"same", {.rows = 1, .n = kElements, .step = {1, 1}}},
      {"scalar", {.rows = 1, .n = kElements, .step = {1, 0}}},
      {"rows_of_1000", {.rows = 32, .n = 1000, .row_stride = {1000, 0}, .step = {1, 1}}},
      {"blocked_channel",
       {.rows = kElements / lanes, .n = lanes, .row_stride = {lanes, 0}, .step = {1, 1}}},
      {"rows_of_3", {.rows = kElements / 3, .n = 3, .row_stride = {3, 0}, .step = {1, 1}}},
  };
  for (const auto& [name, tile] : tiles) {
    add(isa, std::string("mul/") + name, [isa, tile = tile](Arrays& m) {
      simd::binary_f32.get(isa)(BinaryKind::kMul, tile, m.a.data(), m.b.data(), m.y.data());
    });
  }
}

void add_reductions(Isa isa) {
  for (const std::int64_t k : {4, 64, 1024}) {
    const std::string shape = std::to_string(k);
    add(isa, "softmax/rows_of_" + shape, [=](Arrays& m) {
      simd::softmax_rows_f32.get(isa)(m.a.data(), m.y.data(), kElements / k, k, false);
    });
    add(isa, "reduce_sum/rows_of_" + shape, [=](Arrays& m) {
      const auto row = simd::reduce_row_f32.get(isa);
      for (std::int64_t r = 0; r < kElements / k; ++r) {
        m.y[static_cast<std::size_t>(r)] = row(Accumulate::kSum, m.a.data() + r * k, k);
      }
    });
  }
  add(isa, "softmax/columns_of_16", [=](Arrays& m) {
    simd::softmax_columns_f32.get(isa)(m.a.data(), m.y.data(), kElements / 16, 16, kElements / 16,
                                       false);
  });
  add(isa, "reduce_mean/blocked_map", [=](Arrays& m) {
    const std::int64_t lanes = isa_lanes(isa);
    simd::reduce_columns_f32.get(isa)(Accumulate::kSum, m.a.data(), kElements / lanes, lanes, lanes,
                                      m.y.data());
  });
}

void add_quantization(Isa isa) {
  add(isa, "quantize", [=](Arrays& m) {
    simd::quantize_f32.get(isa)(m.a.data(), kElements, 0.03f, 128.f, 0.f, 255.f, m.bytes.data());
  });
  add(isa, "dequantize", [=](Arrays& m) {
    simd::dequantize_u8.get(isa)(m.bytes.data(), kElements, 0.03f, 128.f, m.y.data());
  });
}

}  // namespace
}  // namespace mini_infer

int main(int argc, char** argv) {
  using namespace mini_infer;
  for (int i = 0; i < static_cast<int>(Isa::count); ++i) {
    const auto isa = static_cast<Isa>(i);
    if (!isa_supported(isa)) continue;
    add_activations(isa);
    add_binary(isa);
    add_reductions(isa);
    add_quantization(isa);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
