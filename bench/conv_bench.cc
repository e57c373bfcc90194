// Convolution kernels on the layers of common networks, one thread, for every instruction set of
// this machine.
//
//   conv_bench --benchmark_filter=avx512/.*3x3
//
// "best" is the fastest iteration by this thread's own CPU time, so that a busy machine spoils it
// least; for Winograd it counts the operations of the direct convolution.
#include <benchmark/benchmark.h>
#include <mini_infer/tensor.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include "kernels/conv/conv_algorithm.h"
#include "kernels/layout/reorder.h"

namespace mini_infer {
namespace {

struct Algorithm {
  const char* name;
  const char* (*declines)(const ConvShape&, Isa);
  std::unique_ptr<ConvAlgorithm> (*make)(const ConvShape&, Isa);
  bool plain_input;
};

constexpr Algorithm kDirect{"direct", direct_conv_declines, make_direct_conv, false};
constexpr Algorithm kStem{"stem", stem_conv_declines, make_stem_conv, true};
constexpr Algorithm kDepthwise{"depthwise", depthwise_conv_declines, make_depthwise_conv, false};
constexpr Algorithm kWinograd4{"winograd4", winograd_conv_declines, make_winograd4_conv, false};
constexpr Algorithm kWinograd2{"winograd2", winograd_conv_declines, make_winograd2_conv, false};

struct Layer {
  std::int64_t ic, oc, size, kernel, stride;
  std::vector<Algorithm> algorithms;
};

std::vector<Layer> layers() {
  std::vector<Layer> all = {
      {3, 64, 224, 7, 2, {kStem}},  // resnet50
      {3, 32, 224, 3, 2, {kStem}},  // mobilenet
      {3, 64, 224, 3, 1, {kStem}},  // vgg16
  };
  const std::int64_t pointwise[][4] = {
      {64, 64, 56, 1},    {64, 256, 56, 1},  {256, 64, 56, 1},  {256, 128, 56, 1},
      {128, 512, 28, 1},  {512, 128, 28, 1}, {256, 512, 56, 2}, {256, 1024, 14, 1},
      {1024, 256, 14, 1}, {2048, 512, 7, 1}, {512, 2048, 7, 1}, {16, 96, 112, 1},
      {24, 144, 56, 1},   {144, 24, 56, 1},  {192, 32, 28, 1},  {320, 1280, 7, 1}};
  for (const auto& [ic, oc, size, stride] : pointwise)
    all.push_back({ic, oc, size, 1, stride, {kDirect}});
  const std::int64_t square[][3] = {
      {64, 64, 56},   {128, 128, 28}, {256, 256, 14}, {512, 512, 7}, {64, 64, 224}, {128, 128, 112},
      {256, 256, 56}, {512, 512, 28}, {512, 512, 14}, {32, 32, 112}, {16, 16, 112}, {16, 16, 14},
      {32, 32, 13},   {64, 64, 13},   {64, 64, 8},    {128, 128, 8}, {128, 128, 5}, {512, 512, 4},
      {32, 32, 7},    {256, 256, 10}, {64, 64, 4},    {96, 96, 6}};
  for (const auto& [ic, oc, size] : square)
    all.push_back({ic, oc, size, 3, 1, {kDirect, kWinograd4, kWinograd2}});
  for (const auto& [ic, oc, size] :
       {std::array<std::int64_t, 3>{128, 128, 56}, {256, 256, 28}, {512, 512, 14}}) {
    all.push_back({ic, oc, size, 3, 2, {kDirect}});
  }
  const std::int64_t depthwise[][4] = {{32, 112, 3, 1}, {96, 112, 3, 2}, {144, 56, 3, 1},
                                       {144, 56, 3, 2}, {192, 28, 3, 1}, {384, 14, 3, 1},
                                       {576, 14, 3, 2}, {960, 7, 3, 1},  {240, 28, 5, 2},
                                       {672, 14, 5, 1}, {96, 56, 7, 1}};
  for (const auto& [channels, size, kernel, stride] : depthwise)
    all.push_back({channels, channels, size, kernel, stride, {kDepthwise}});
  return all;
}

double thread_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

Tensor random_floats(std::int64_t count, float scale) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(-scale, scale);
  Tensor t(DType::kFloat32, Shape{count});
  std::generate_n(t.mutable_data<float>(), count, [&] { return uniform(random); });
  return t;
}

void run_layer(benchmark::State& state, const Algorithm& algorithm, const ConvShape& s, Isa isa) {
  const int lanes = isa_lanes(isa);
  const auto conv = algorithm.make(s, isa);
  const auto padded = [&](std::int64_t channels) { return (channels + lanes - 1) / lanes * lanes; };
  const Tensor x = random_floats(s.n * padded(s.ic) * s.ih * s.iw, 1.f);
  const Tensor w = random_floats(s.oc * (s.ic / s.groups) * s.kh * s.kw, 0.1f);
  const Tensor bias = random_floats(s.oc, 1.f);
  Tensor packed(DType::kFloat32, Shape{static_cast<std::int64_t>(conv->packed_floats())});
  conv->pack(w.data<float>(), packed.mutable_data<float>());
  Tensor y(DType::kFloat32, Shape{s.n * padded(s.oc) * s.oh * s.ow});
  Tensor scratch(DType::kUInt8, Shape{static_cast<std::int64_t>(conv->scratch_bytes(1)) + 64});
  ConvArgs args;
  args.input = x.data<float>();
  args.weights = packed.data<float>();
  args.bias = bias.data<float>();
  args.activation.kind = Activation::kRelu;
  args.output = y.mutable_data<float>();
  args.scratch = static_cast<std::byte*>(scratch.mutable_data());
  double best = 1e9;
  for (auto _ : state) {
    const double start = thread_seconds();
    conv->run(args);
    best = std::min(best, thread_seconds() - start);
  }
  state.counters["best GFLOP/s"] = 2e-9 * conv_macs(s) / best;
  state.counters["best ms"] = 1e3 * best;
}

// Both directions of the reorder, in bytes read and written.
void run_reorder(benchmark::State& state, std::int64_t channels, std::int64_t pixels, Isa isa) {
  const Tensor plain = random_floats(channels * pixels, 1.f);
  const int lanes = isa_lanes(isa);
  Tensor blocked(DType::kFloat32, Shape{(channels + lanes - 1) / lanes * lanes * pixels});
  Tensor back(DType::kFloat32, Shape{channels * pixels});
  double best[2] = {1e9, 1e9};
  for (auto _ : state) {
    const double start = thread_seconds();
    reorder_to_blocked(isa, 1, 1, channels, pixels, plain.data<float>(),
                       blocked.mutable_data<float>());
    const double middle = thread_seconds();
    reorder_to_plain(isa, 1, 1, channels, pixels, blocked.data<float>(),
                     back.mutable_data<float>());
    best[0] = std::min(best[0], middle - start);
    best[1] = std::min(best[1], thread_seconds() - middle);
  }
  const double bytes = 8e-9 * static_cast<double>(channels * pixels);
  state.counters["to blocked GB/s"] = bytes / best[0];
  state.counters["to plain GB/s"] = bytes / best[1];
}

void register_all(Isa isa) {
  const std::string prefix = std::string(isa_name(isa)) + "/";
  for (const Layer& layer : layers()) {
    for (const Algorithm& algorithm : layer.algorithms) {
      const std::int64_t pad = layer.kernel / 2;
      ConvShape s{.ic = layer.ic,
                  .ih = layer.size,
                  .iw = layer.size,
                  .oc = layer.oc,
                  .kh = layer.kernel,
                  .kw = layer.kernel,
                  .stride_h = layer.stride,
                  .stride_w = layer.stride,
                  .pad_top = pad,
                  .pad_left = pad,
                  .pad_bottom = pad,
                  .pad_right = pad};
      if (algorithm.make == make_depthwise_conv) s.groups = layer.ic;
      set_output_extents(s);
      if (algorithm.declines(s, isa) != nullptr) continue;
      const std::string k = std::to_string(layer.kernel);
      const std::string name = prefix + algorithm.name + "/" + k + "x" + k + "s" +
                               std::to_string(layer.stride) + "/" + std::to_string(layer.ic) + "-" +
                               std::to_string(layer.oc) + "@" + std::to_string(layer.size);
      benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
        run_layer(state, algorithm, s, isa);
      })->Unit(benchmark::kMillisecond);
    }
  }
  for (const std::int64_t size : {112, 28}) {
    benchmark::RegisterBenchmark(
        (prefix + "reorder/64@" + std::to_string(size)).c_str(),
        [=](benchmark::State& state) { run_reorder(state, 64, size * size, isa); })
        ->Unit(benchmark::kMillisecond);
  }
}

}  // namespace
}  // namespace mini_infer

int main(int argc, char** argv) {
  for (int i = 0; i < static_cast<int>(mini_infer::Isa::count); ++i) {
    const auto isa = static_cast<mini_infer::Isa>(i);
    // Sets that differ in their dot products only run the same float kernels.
    if (mini_infer::isa_supported(isa) &&
        std::string(mini_infer::isa_name(isa)).find("vnni") == std::string::npos) {
      mini_infer::register_all(isa);
    }
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
