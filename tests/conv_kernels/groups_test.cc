// Convolutions with groups: whole channel blocks, or several groups merged to them.
#include <gtest/gtest.h>

#include <array>

#include "kernels/conv/conv_driver.h"
#include "kernels/conv/expanded_conv.h"
#include "tests/conv_kernels/conv_checks.h"

namespace mini_infer::conv_test {
namespace {

ConvShape grouped(std::int64_t groups, std::int64_t ic, std::int64_t oc, std::int64_t size,
                  std::int64_t stride) {
  ConvShape s = square(groups * ic, groups * oc, size, 3, stride, 1);
  s.groups = groups;
  return s;
}

ConvShape large_kernels(ConvShape s) {
  s.kh = s.kw = 5;
  s.pad_top = s.pad_left = s.pad_bottom = s.pad_right = 2;
  return s;
}

TEST(Expanded, groups) {
  for (const auto& [groups, ic, oc] : {std::array<std::int64_t, 3>{13, 8, 8},
                                       {5, 24, 24},
                                       {9, 8, 2},
                                       {3, 5, 20},
                                       {7, 16, 4},
                                       {33, 4, 4},
                                       {2, 1, 3},
                                       {5, 48, 32}}) {
    ConvShape s = square(groups * ic, groups * oc, 9, 3, 2, 1);
    s.n = 2;
    s.groups = groups;
    check({kExpanded}, s);
    s.kh = s.kw = 1;
    check({kExpanded}, s);
    s.stride_h = s.stride_w = 1;
    check({kExpanded}, s, {.with_bias = true, .with_slope = true});
  }
}

// Groups of whole blocks, of parts of them, and of both; the last merged group is often smaller.
TEST(GroupedWinograd, channels_of_a_group) {
  for (const auto& [groups, ic, oc] : {std::array<std::int64_t, 3>{3, 16, 32},
                                       {5, 24, 24},
                                       {13, 8, 8},
                                       {2, 40, 40},
                                       {3, 56, 24},
                                       {9, 4, 4},
                                       {5, 8, 2},
                                       {3, 32, 48}}) {
    for (const std::int64_t stride : {1, 2}) {
      check({kWinograd4, kWinograd2}, grouped(groups, ic, oc, 9, stride));
    }
    check({kWinograd5}, large_kernels(grouped(groups, ic, oc, 9, 1)));
  }
}

TEST(GroupedWinograd, sizes_and_batches) {
  for (const std::int64_t size : {1, 4, 7, 13, 30}) {
    ConvShape s = grouped(3, 24, 24, size, 1);
    s.n = 3;
    s.iw = size + 2;
    check({kWinograd4, kWinograd2}, s);
  }
  ConvShape dilated = grouped(5, 8, 16, 11, 1);
  dilated.dilation_h = dilated.dilation_w = 2;
  check({kWinograd4, kWinograd2}, dilated);
}

TEST(GroupedWinograd, epilogues) {
  for (const ProblemOptions& options : epilogues())
    check({kWinograd4, kWinograd2}, grouped(5, 24, 24, 10, 1), options);
}

TEST(Groups, are_merged_where_little_is_wasted) {
  const auto pointwise = [](std::int64_t groups, std::int64_t channels) {
    ConvShape s = grouped(groups, channels, channels, 9, 1);
    s.kh = s.kw = 1;
    return s;
  };
  for (const Isa isa : supported_isas()) {
    SCOPED_TRACE(isa_name(isa));
    EXPECT_EQ(expanded_conv_declines(pointwise(32, 4), isa), nullptr);
    EXPECT_EQ(winograd4_conv_declines(grouped(4, 56, 56, 9, 1), isa), nullptr);
    EXPECT_EQ(winograd4_conv_declines(grouped(8, 36, 36, 9, 1), isa), nullptr);
    EXPECT_EQ(winograd5_conv_declines(large_kernels(grouped(4, 56, 56, 9, 1)), isa), nullptr);
    EXPECT_NE(expanded_conv_declines(pointwise(8, 36), isa), nullptr);
    if (isa_lanes(isa) < 16) continue;
    EXPECT_NE(winograd4_conv_declines(grouped(16, 17, 17, 9, 1), isa), nullptr);
    EXPECT_NE(expanded_conv_declines(pointwise(8, 30), isa), nullptr);
    EXPECT_NE(winograd4_conv_declines(grouped(64, 1, 1, 9, 1), isa), nullptr);
    EXPECT_NE(winograd5_conv_declines(large_kernels(grouped(8, 36, 36, 9, 1)), isa), nullptr);
  }
}

// Smaller last groups, more threads than groups, blocks of pixels for each thread.
TEST(GroupedManyThreads, give_the_same_bits) {
  for (const Algorithm& algorithm : {kExpanded, kWinograd4, kWinograd2}) {
    for (ConvShape shape : {grouped(3, 24, 24, 30, 1), grouped(17, 24, 24, 7, 1),
                            grouped(5, 8, 8, 29, 2), grouped(4, 16, 32, 14, 1)}) {
      set_output_extents(shape);
      const Problem problem = make_problem(shape, {});
      for (const Isa isa : supported_isas()) {
        if (algorithm.declines(shape, isa) != nullptr) continue;
        const auto conv = algorithm.make(shape, isa);
        const std::vector<float> y = run_conv(*conv, problem, isa, 1, algorithm.layout);
        for (const int threads : {2, 7, 16, 64}) {
          EXPECT_EQ(run_conv(*conv, problem, isa, threads, algorithm.layout), y)
              << algorithm.name << " " << isa_name(isa) << ", " << threads << " threads";
        }
      }
    }
  }
}

// Of a smaller last group each thread has its part.
TEST(GroupedSplit, gives_threads_equal_work) {
  for (const auto& make : {make_expanded_conv, make_winograd4_conv}) {
    ConvShape shape = grouped(3, 24, 24, 56, 1);
    set_output_extents(shape);
    for (const int threads : {2, 4}) {
      const ConvSplit split = make(shape, best_isa())->split(threads);
      EXPECT_EQ(split.blocks / ceil_div(3, merged_groups(shape, best_isa())) % threads, 0)
          << threads;
    }
  }
}

}  // namespace
}  // namespace mini_infer::conv_test
