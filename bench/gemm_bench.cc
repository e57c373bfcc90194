// GEMM. MINI_BENCH_THREADS=2 uses two threads.
//
//   gemm_bench --benchmark_filter=avx512/gemm/bert
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>

#include "bench/measure.h"
#include "kernels/gemm/gemm.h"

namespace mini_infer {
namespace {

struct FreeDelete {
  void operator()(void* p) const { std::free(p); }
};
using Floats = std::unique_ptr<float, FreeDelete>;

Floats make_floats(std::int64_t count) {
  const std::size_t bytes = (static_cast<std::size_t>(count) * sizeof(float) + 63) / 64 * 64 + 64;
  Floats floats(static_cast<float*>(std::aligned_alloc(64, bytes)));
  for (std::int64_t i = 0; i < count; ++i) floats.get()[i] = 1e-3f * static_cast<float>(i % 17);
  return floats;
}

struct Shape {
  const char* name;
  std::int64_t m, n, k;
  GemmSource a, b;
  bool transpose_b = false;
};

void run_gemm(benchmark::State& state, Shape s, Isa isa, int threads) {
  Floats a = make_floats(std::max(s.m * s.k, packed_a_floats(s.m, s.k, isa)));
  Floats b = make_floats(std::max(s.k * s.n, packed_b_floats(s.k, s.n, isa)));
  Floats c = make_floats(s.m * s.n), bias = make_floats(std::max(s.m, s.n));
  const GemmPlan plan = plan_gemm({s.m, s.n, s.k, 1, s.a, s.b}, threads, isa);
  Floats scratch = make_floats(static_cast<std::int64_t>(plan.scratch_bytes() / sizeof(float)));
  GemmOperands o{.a = {a.get(), s.k}, .b = {b.get(), s.n}, .c = c.get(), .c_stride = s.n};
  if (s.transpose_b) o.b = {.data = b.get(), .row_stride = 1, .column_stride = s.k};
  o.epilogue.activation = {Activation::kRelu};
  (s.a == GemmSource::kPacked ? o.epilogue.row_bias : o.epilogue.column_bias) = bias.get();
  const double flop =
      2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
  measure_flop(
      state, isa, flop, [&] { gemm(plan, o, scratch.get()); }, threads);
}

constexpr GemmSource kStrided = GemmSource::kStrided, kPacked = GemmSource::kPacked;
constexpr Shape kShapes[] = {
    {"square_1024", 1024, 1024, 1024, kStrided, kPacked},
    {"square_1024_raw", 1024, 1024, 1024, kStrided, kStrided},
    {"bert_qkv", 128, 768, 768, kStrided, kPacked},
    {"bert_ffn", 128, 3072, 768, kStrided, kPacked},
    {"bert_ffn_out", 128, 768, 3072, kStrided, kPacked},
    {"vit_qkv", 197, 768, 768, kStrided, kPacked},
    {"scores", 128, 128, 64, kStrided, kStrided, true},
    {"scores_times_v", 128, 64, 128, kStrided, kStrided},
    {"conv1x1_64_256_56", 256, 3136, 64, kPacked, kStrided},
    {"conv1x1_256_64_56", 64, 3136, 256, kPacked, kStrided},
    {"conv1x1_512_2048_7", 2048, 49, 512, kPacked, kStrided},
    {"conv3x3_512_7", 512, 49, 4608, kPacked, kPacked},
    {"conv_16_24_112", 24, 12544, 16, kPacked, kStrided},
    {"vector_1000_2048", 1, 1000, 2048, kStrided, kPacked},
    {"vector_4096_4096", 1, 4096, 4096, kStrided, kPacked},
    {"rows_4_1024_1024", 4, 1024, 1024, kStrided, kPacked},
};

void register_all(Isa isa) {
  const char* wanted = std::getenv("MINI_BENCH_THREADS");
  const int threads = wanted != nullptr ? std::max(1, std::atoi(wanted)) : 1;
  for (const Shape& shape : kShapes) {
    add_benchmark(isa, std::string("gemm/") + shape.name,
                  [=](benchmark::State& state) { run_gemm(state, shape, isa, threads); });
  }
}

}  // namespace
}  // namespace mini_infer

int main(int argc, char** argv) {
  return mini_infer::run_benchmarks(argc, argv, mini_infer::register_all);
}
