// How work is divided between 4 to 64 threads, by the arithmetic of the splits alone: no machine
// with so many cores is needed.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "kernels/conv/conv_algorithm.h"
#include "kernels/conv/conv_cost.h"
#include "kernels/conv/piece_order.h"
#include "kernels/gemm/gemm.h"
#include "kernels/thread_scratch.h"
#include "tests/conv_kernels/conv_reference.h"

namespace mini_infer {
namespace {

using Make = std::unique_ptr<ConvAlgorithm>(const ConvShape&, Isa);

struct Layer {
  int count;  // of such layers in the network
  Make* make;
  ConvShape shape;
};

ConvShape square(std::int64_t ic, std::int64_t oc, std::int64_t extent, std::int64_t kernel,
                 std::int64_t stride = 1, std::int64_t groups = 1) {
  ConvShape s{.ic = ic, .ih = extent, .iw = extent, .oc = oc, .kh = kernel, .kw = kernel};
  s.stride_h = s.stride_w = stride;
  s.pad_top = s.pad_left = s.pad_bottom = s.pad_right = kernel / 2;
  s.groups = groups;
  set_output_extents(s);
  return s;
}

struct Network {
  const char* name;
  std::vector<Layer> layers;
};

std::vector<Network> networks() {
  Make* const direct = make_direct_conv;
  Make* const stem = make_stem_conv;
  Make* const depthwise = make_depthwise_conv;
  Make* const winograd4 = make_winograd4_conv;
  Make* const winograd2 = make_winograd2_conv;
  return {{"resnet50",
           {{1, stem, square(3, 64, 224, 7, 2)},
            {4, direct, square(64, 256, 56, 1)},
            {2, direct, square(256, 64, 56, 1)},
            {3, winograd4, square(64, 64, 56, 3)},
            {1, direct, square(256, 128, 56, 1)},
            {1, winograd4, square(128, 128, 56, 3, 2)},
            {4, direct, square(128, 512, 28, 1)},
            {3, direct, square(512, 128, 28, 1)},
            {3, winograd4, square(128, 128, 28, 3)},
            {1, direct, square(256, 512, 56, 1, 2)},
            {1, winograd2, square(256, 256, 28, 3, 2)},
            {6, direct, square(256, 1024, 14, 1)},
            {5, direct, square(1024, 256, 14, 1)},
            {5, winograd2, square(256, 256, 14, 3)},
            {1, direct, square(512, 512, 14, 3, 2)},
            {3, direct, square(512, 2048, 7, 1)},
            {2, direct, square(2048, 512, 7, 1)},
            {2, winograd2, square(512, 512, 7, 3)}}},
          {"mobilenet_v2",
           {{1, stem, square(3, 32, 224, 3, 2)},
            {1, depthwise, square(32, 32, 112, 3, 1, 32)},
            {1, direct, square(16, 96, 112, 1)},
            {1, depthwise, square(96, 96, 112, 3, 2, 96)},
            {2, direct, square(24, 144, 56, 1)},
            {3, direct, square(32, 192, 28, 1)},
            {5, direct, square(64, 384, 14, 1)},
            {4, direct, square(384, 64, 14, 1)},
            {4, depthwise, square(384, 384, 14, 3, 1, 384)},
            {3, direct, square(96, 576, 14, 1)},
            {3, direct, square(160, 960, 7, 1)},
            {3, depthwise, square(960, 960, 7, 3, 1, 960)},
            {2, direct, square(960, 160, 7, 1)},
            {1, direct, square(320, 1280, 7, 1)}}},
          {"vgg16",
           {{1, stem, square(3, 64, 224, 3)},
            {1, winograd4, square(64, 64, 224, 3)},
            {2, winograd4, square(128, 128, 112, 3)},
            {3, winograd4, square(256, 256, 56, 3)},
            {3, winograd4, square(512, 512, 28, 3)},
            {3, winograd4, square(512, 512, 14, 3)}}}};
}

// Strassen's algorithm where the cost model prefers it to a direct convolution.
std::unique_ptr<ConvAlgorithm> algorithm_of(const Layer& layer, Isa isa) {
  const ConvShape& s = layer.shape;
  const bool strassen = layer.make == make_direct_conv &&
                        strassen_conv_declines(s, isa) == nullptr &&
                        strassen_conv_cost(s, isa) < direct_conv_cost(s, isa);
  return (strassen ? make_strassen_conv : layer.make)(s, isa);
}

constexpr double kMacsForThread = 128 * 1024;  // less is not worth waking one

// The busiest thread's work over the mean, in a network: layers weigh what they compute. A layer
// that is not worth so many threads is measured by what it is worth.
double load_of(const Network& network, Isa isa, int threads) {
  double busiest = 0, all = 0;
  for (const Layer& layer : network.layers) {
    const double macs = conv_macs(layer.shape);
    const auto worth = static_cast<int>(std::min<double>(threads, 1 + macs / kMacsForThread));
    const ConvSplit split = algorithm_of(layer, isa)->split(threads);
    busiest += layer.count * macs * split.load(threads) * worth / threads;
    all += layer.count * macs;
  }
  return busiest / all;
}

std::string units_of(const Network& network, Isa isa, int threads) {
  std::string text;
  for (const Layer& layer : network.layers) {
    const ConvSplit split = algorithm_of(layer, isa)->split(threads);
    text += " " + std::to_string(split.blocks) + "x" + std::to_string(split.chunks);
  }
  return text;
}

class Splits : public ::testing::TestWithParam<Isa> {};

TEST_P(Splits, KeepThreadsBusyInNetworks) {
  const struct {
    int threads;
    double most;
  } limits[] = {{4, 1.06}, {8, 1.06}, {16, 1.1}, {64, 1.3}};
  for (const Network& network : networks()) {
    for (const auto& limit : limits) {
      EXPECT_LT(load_of(network, GetParam(), limit.threads), limit.most)
          << network.name << ", " << limit.threads
          << " threads, units of each layer:" << units_of(network, GetParam(), limit.threads);
    }
  }
}

TEST_P(Splits, MakeNoUnitsTooSmallToBeWorthAThread) {
  constexpr double kLeastMacs = 16384;
  for (const Network& network : networks()) {
    for (const Layer& layer : network.layers) {
      const auto algorithm = algorithm_of(layer, GetParam());
      for (const int threads : {1, 4, 8, 16, 64}) {
        const ConvSplit split = algorithm->split(threads);
        const double macs = conv_macs(layer.shape);
        // Depthwise units are maps, however small.
        const double least = layer.shape.groups > 1 ? 9 * 49 : kLeastMacs;
        EXPECT_GE(macs / static_cast<double>(split.units()), least)
            << network.name << " " << algorithm->name() << " " << layer.shape.ic << "->"
            << layer.shape.oc << " at " << layer.shape.ih << ", " << threads << " threads";
      }
    }
  }
}

TEST_P(Splits, OfMatrixProductsAreEven) {
  const struct {
    std::int64_t m, n, k;
  } products[] = {{128, 768, 768},  {128, 3072, 768}, {197, 2304, 768},
                  {197, 768, 3072}, {1, 4096, 25088}, {1024, 1024, 1024}};
  for (const auto& p : products) {
    for (const int threads : {2, 4, 8, 16, 64}) {
      const GemmPlan plan =
          plan_gemm({.m = p.m, .n = p.n, .k = p.k, .b = GemmSource::kPacked}, threads, GetParam());
      const auto part = [](std::int64_t extent, std::int64_t unit, std::int64_t parts) {
        const std::int64_t units = (extent + unit - 1) / unit;
        return std::min(extent, (units + parts - 1) / parts * unit);
      };
      const double busiest = static_cast<double>(part(p.m, plan.mr, plan.row_tasks)) *
                             static_cast<double>(part(p.n, plan.nr, plan.column_tasks)) * threads;
      const double load = busiest / (static_cast<double>(p.m) * static_cast<double>(p.n));
      EXPECT_LT(load, threads <= 16 ? 1.35 : 1.7)
          << p.m << "x" << p.n << ", " << threads << " threads: " << plan.row_tasks << " x "
          << plan.column_tasks;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, Splits, ::testing::ValuesIn(conv_test::supported_isas()),
                         [](const auto& isa) { return std::string(isa_name(isa.param)); });

// Parts of threads do not meet, a gap lies between them, and what many threads reserve beyond what
// they need stays small.
TEST(ThreadScratch, has_gaps_and_is_bounded) {
  for (const std::int64_t floats : {1, 17, 65536, 262144, 300001}) {
    for (int thread = 1; thread < 1024; ++thread) {
      const std::int64_t before = scratch_offset(floats, thread - 1);
      ASSERT_GE(scratch_offset(floats, thread), before + floats + kScratchGap);
      ASSERT_EQ(scratch_offset(floats, thread) % 16, 0);
    }
    const std::int64_t rounding = 32 * (std::int64_t{256} << 10);
    EXPECT_LE(scratch_of_threads(floats, 1024), 1024 * (floats + 16 + kScratchGap) + rounding);
  }
  EXPECT_EQ(scratch_offset(100000, 1), scratch_offset(200000, 1));
  EXPECT_EQ(scratch_of_threads(0, 64), 0);
}

TEST(PieceOrder, takes_each_piece_once_and_ends_in_the_middle) {
  for (int count = 1; count < 20; ++count) {
    std::vector<int> forwards, inwards;
    for (int step = 0; step < count; ++step) {
      forwards.push_back(piece_at(step, count, false));
      inwards.push_back(piece_at(step, count, true));
    }
    EXPECT_TRUE(std::is_sorted(forwards.begin(), forwards.end()));
    EXPECT_EQ(inwards.front(), 0);
    EXPECT_EQ(inwards.back(), count == 1 ? 0 : (count + 1) / 2);
    std::sort(inwards.begin(), inwards.end());
    EXPECT_EQ(inwards, forwards);
  }
}

}  // namespace
}  // namespace mini_infer
