// Convolution kernels on the layers of common networks, one thread, for every instruction set of
// this machine.
//
//   conv_bench --benchmark_filter=avx512/.*3x3
//
// Winograd counts the operations of the direct convolution, so it may pass the peak.
#include <mini_infer/tensor.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "kernels/conv/conv_algorithm.h"
#include "kernels/conv/row_conv.simd.h"
#include "kernels/layout/reorder.h"

namespace mini_infer {
namespace {

struct Algorithm {
  const char* name;
  const char* (*declines)(const ConvShape&, Isa);
  std::unique_ptr<ConvAlgorithm> (*make)(const ConvShape&, Isa);
  bool plain_input;
  bool depthwise = false;
};

constexpr Algorithm kDirect{"direct", direct_conv_declines, make_direct_conv, false};
constexpr Algorithm kStem{"stem", stem_conv_declines, make_stem_conv, true};
constexpr Algorithm kStemWinograd{"stem_winograd", stem_winograd_conv_declines,
                                  make_stem_winograd_conv, true};
constexpr Algorithm kDepthwise{"depthwise", depthwise_conv_declines, make_depthwise_conv, false,
                               true};
constexpr Algorithm kDepthwiseWinograd{"depthwise_winograd", depthwise_winograd_conv_declines,
                                       make_depthwise_winograd_conv, false, true};
constexpr Algorithm kWinograd4{"winograd4", winograd4_conv_declines, make_winograd4_conv, false};
constexpr Algorithm kWinograd2{"winograd2", winograd2_conv_declines, make_winograd2_conv, false};
constexpr Algorithm kWinograd5{"winograd5", winograd5_conv_declines, make_winograd5_conv, false};
constexpr Algorithm kStrassen{"strassen", strassen_conv_declines, make_strassen_conv, false};
constexpr Algorithm kTransposed{"transposed", transposed_conv_declines, make_transposed_conv,
                                false};

// The axes along which a kernel has its taps.
enum class Extent { kArea, kRow, kColumn };

struct Layer {
  std::int64_t ic, oc, size, kernel, stride;
  std::vector<Algorithm> algorithms;
  Extent extent = Extent::kArea;
};

std::vector<Layer> layers() {
  std::vector<Layer> all = {
      {3, 64, 224, 7, 2, {kStem}},                 // resnet50
      {3, 32, 224, 3, 2, {kStem}},                 // mobilenet
      {3, 64, 224, 3, 1, {kStem}},                 // vgg16
      {3, 32, 640, 6, 2, {kStem, kStemWinograd}},  // yolov5s
      {3, 96, 224, 4, 4, {kStem}},                 // patches
  };
  const std::int64_t pointwise[][4] = {
      {64, 64, 56, 1},    {64, 256, 56, 1},  {256, 64, 56, 1},  {256, 128, 56, 1},
      {128, 512, 28, 1},  {512, 128, 28, 1}, {256, 512, 56, 2}, {256, 1024, 14, 1},
      {1024, 256, 14, 1}, {2048, 512, 7, 1}, {512, 2048, 7, 1}, {16, 96, 112, 1},
      {24, 144, 56, 1},   {144, 24, 56, 1},  {192, 32, 28, 1},  {320, 1280, 7, 1}};
  for (const auto& [ic, oc, size, stride] : pointwise)
    all.push_back({ic, oc, size, 1, stride, {kDirect, kStrassen}});
  const std::int64_t square[][3] = {
      {64, 64, 56},   {128, 128, 28}, {256, 256, 14}, {512, 512, 7}, {64, 64, 224}, {128, 128, 112},
      {256, 256, 56}, {512, 512, 28}, {512, 512, 14}, {32, 32, 112}, {16, 16, 112}, {16, 16, 14},
      {32, 32, 13},   {64, 64, 13},   {64, 64, 8},    {128, 128, 8}, {128, 128, 5}, {512, 512, 4},
      {32, 32, 7},    {256, 256, 10}, {64, 64, 4},    {96, 96, 6}};
  for (const auto& [ic, oc, size] : square)
    all.push_back({ic, oc, size, 3, 1, {kDirect, kWinograd4, kWinograd2}});
  for (const auto& [ic, oc, size] : {std::array<std::int64_t, 3>{32, 64, 320},
                                     {64, 128, 160},
                                     {128, 128, 56},
                                     {256, 256, 28},
                                     {512, 512, 14},
                                     {256, 256, 56},
                                     {512, 512, 28},
                                     {1024, 1024, 14}}) {
    all.push_back({ic, oc, size, 3, 2, {kDirect, kWinograd4, kWinograd2}});
  }
  for (const auto& [ic, oc, size] : {std::array<std::int64_t, 3>{96, 96, 28},
                                     {48, 64, 35},
                                     {64, 192, 27},
                                     {32, 32, 56},
                                     {16, 16, 56},
                                     {32, 32, 7},
                                     {256, 256, 7}}) {
    all.push_back({ic, oc, size, 5, 1, {kDirect, kWinograd5}});
  }
  for (const Extent extent : {Extent::kRow, Extent::kColumn}) {
    for (const auto& [ic, oc, size, kernel, stride] :
         {std::array<std::int64_t, 5>{64, 64, 56, 3, 1},
          {192, 192, 17, 7, 1},
          {64, 64, 28, 11, 1},
          {32, 32, 56, 3, 1},
          {64, 64, 56, 3, 2}}) {
      all.push_back({ic, oc, size, kernel, stride, {kDirect, kWinograd4}, extent});
    }
  }
  const std::int64_t depthwise[][4] = {{32, 112, 3, 1}, {96, 112, 3, 2}, {144, 56, 3, 1},
                                       {144, 56, 3, 2}, {192, 28, 3, 1}, {384, 14, 3, 1},
                                       {576, 14, 3, 2}, {960, 7, 3, 1},  {240, 28, 5, 2},
                                       {672, 14, 5, 1}, {96, 56, 7, 1}};
  for (const auto& [channels, size, kernel, stride] : depthwise)
    all.push_back({channels, channels, size, kernel, stride, {kDepthwise, kDepthwiseWinograd}});
  // A head with one output, and what doubles a map in networks that segment and generate.
  all.push_back({64, 1, 56, 3, 1, {kDirect}});
  all.push_back({256, 128, 28, 2, 2, {kTransposed}});
  all.push_back({128, 64, 56, 4, 2, {kTransposed}});
  return all;
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
  conv->pack(w.data<float>(), packed.mutable_data<float>(), 1);
  Tensor y(DType::kFloat32, Shape{s.n * padded(s.oc) * s.oh * s.ow});
  Tensor scratch(DType::kUInt8, Shape{static_cast<std::int64_t>(conv->scratch_bytes(1)) + 64});
  ConvArgs args;
  args.input = x.data<float>();
  args.weights = packed.data<float>();
  args.bias = bias.data<float>();
  args.activation.kind = Activation::kRelu;
  args.output = y.mutable_data<float>();
  args.scratch = static_cast<std::byte*>(scratch.mutable_data());
  // Every input of a transposed convolution meets every tap; of another one every output does.
  const bool transposed = algorithm.make == make_transposed_conv;
  const double macs =
      transposed ? static_cast<double>(s.ic * s.oc) * static_cast<double>(s.ih * s.iw * s.kh * s.kw)
                 : conv_macs(s);
  measure_flop(state, isa, 2 * macs, [&] { conv->run(args); });
}

// A row of a few output channels in plain layout: 3x3 taps of 16 channels.
void add_row(Isa isa, std::int64_t width) {
  constexpr std::int64_t kTaps = 9 * 16;
  const std::string name = "row/3x3s1/16-" + std::to_string(simd::kRowChannels) + "@";
  add_benchmark(isa, name + std::to_string(width), [=](benchmark::State& state) {
    std::vector<std::ptrdiff_t> offsets(kTaps);
    for (std::int64_t t = 0; t < kTaps; ++t)
      offsets[static_cast<std::size_t>(t)] = t / 3 * (width + 2) + t % 3;
    const Tensor x = random_floats(kTaps / 3 * (width + 2), 1.f);
    const Tensor w = random_floats(kTaps * simd::kRowChannels, 0.1f);
    Tensor y = random_floats(width * simd::kRowChannels, 1.f);
    simd::ConvRow row{.source = x.data<float>(),
                      .offsets = offsets.data(),
                      .taps = kTaps,
                      .weights = w.data<float>(),
                      .channels = simd::kRowChannels,
                      .width = width,
                      .bias = nullptr,
                      .residual = nullptr,
                      .out = y.mutable_data<float>(),
                      .plane = width};
    const double flop = 2.0 * kTaps * simd::kRowChannels * static_cast<double>(width);
    measure_flop(state, isa, flop, [&] { simd::conv_row_f32.get(isa)(row); });
  });
}

// From plain to blocked, and back.
void add_reorders(Isa isa, std::int64_t channels, std::int64_t size) {
  const std::int64_t pixels = size * size, lanes = isa_lanes(isa);
  const std::string layer = std::to_string(channels) + "@" + std::to_string(size);
  const Tensor plain = random_floats(channels * pixels, 1.f);
  const Tensor blocked = random_floats((channels + lanes - 1) / lanes * lanes * pixels, 1.f);
  const double bytes = 8 * static_cast<double>(channels * pixels);
  add_benchmark(isa, "reorder_to_blocked/" + layer, [=](benchmark::State& state) {
    Tensor y = blocked.clone();
    measure_bytes(state, bytes, [&] {
      reorder_to_blocked(isa, 1, 1, channels, pixels, plain.data<float>(), y.mutable_data<float>());
    });
  });
  add_benchmark(isa, "reorder_to_plain/" + layer, [=](benchmark::State& state) {
    Tensor y = plain.clone();
    measure_bytes(state, bytes, [&] {
      reorder_to_plain(isa, 1, 1, channels, pixels, blocked.data<float>(), y.mutable_data<float>());
    });
  });
}

ConvShape shape_of(const Layer& layer, const Algorithm& algorithm) {
  const bool transposed = algorithm.make == make_transposed_conv;
  const std::int64_t pad = transposed ? (layer.kernel - layer.stride) / 2 : layer.kernel / 2;
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
  if (layer.extent == Extent::kRow) s.kh = s.stride_h = 1, s.pad_top = s.pad_bottom = 0;
  if (layer.extent == Extent::kColumn) s.kw = s.stride_w = 1, s.pad_left = s.pad_right = 0;
  if (algorithm.depthwise) s.groups = layer.ic;
  set_output_extents(s);
  if (transposed) s.oh = s.ow = layer.size * layer.stride;
  return s;
}

void register_all(Isa isa) {
  for (const Layer& layer : layers()) {
    for (const Algorithm& algorithm : layer.algorithms) {
      const ConvShape s = shape_of(layer, algorithm);
      if (algorithm.declines(s, isa) != nullptr) continue;
      const std::string name = std::string(algorithm.name) + "/" + std::to_string(s.kh) + "x" +
                               std::to_string(s.kw) + "s" + std::to_string(layer.stride) + "/" +
                               std::to_string(layer.ic) + "-" + std::to_string(layer.oc) + "@" +
                               std::to_string(layer.size);
      add_benchmark(isa, name,
                    [=](benchmark::State& state) { run_layer(state, algorithm, s, isa); });
    }
  }
  add_row(isa, 224);
  for (const std::int64_t size : {112, 28}) add_reorders(isa, 64, size);
}

}  // namespace
}  // namespace mini_infer

int main(int argc, char** argv) {
  return mini_infer::run_benchmarks(argc, argv, mini_infer::register_all);
}
