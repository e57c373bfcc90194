// Winograd convolutions: 3x3 with stride 1 and 2, 5x5 with stride 1, and other kernels in parts.
#include <gtest/gtest.h>

#include <array>

#include "tests/conv_kernels/conv_checks.h"

namespace mini_infer::conv_test {
namespace {

// A shape with a 3x3 kernel, also with stride 2, and with a 5x5 kernel.
void check_winograd(ConvShape shape, const ProblemOptions& options = {}) {
  check({kWinograd4, kWinograd2}, shape, options);
  ConvShape larger = shape;
  larger.kh = larger.kw = 5;
  set_output_extents(larger);
  if (larger.oh > 0 && larger.ow > 0) check({kWinograd5}, larger, options);
  if (shape.dilation_h != 1 || shape.dilation_w != 1) return;
  shape.stride_h = shape.stride_w = 2;
  check({kWinograd4, kWinograd2}, shape, options);
}

TEST(Winograd, odd_channels) {
  for (const std::int64_t ic : kChannels) {
    for (const std::int64_t oc : kChannels) check_winograd(square(ic, oc, 6, 3, 1, 1));
  }
}

TEST(Winograd, sizes_and_padding) {
  for (std::int64_t size = 1; size <= 18; ++size) {
    for (const std::int64_t pad : {0, 1, 2, 4}) {
      if (size + 2 * pad >= 3) check_winograd(square(18, 33, size, 3, 1, pad));
    }
  }
  check_winograd({.n = 3,
                  .ic = 17,
                  .ih = 9,
                  .iw = 14,
                  .oc = 20,
                  .kh = 3,
                  .kw = 3,
                  .pad_top = 2,
                  .pad_left = 0,
                  .pad_bottom = 0,
                  .pad_right = 3});
}

TEST(Winograd, many_blocks_of_tiles) {
  check_winograd(square(40, 48, 61, 3, 1, 1));
  check_winograd(square(130, 70, 30, 3, 1, 1));
}

TEST(Winograd, few_tiles_and_many_channels) { check_winograd(square(160, 200, 7, 3, 1, 1)); }

TEST(Winograd, dilations) {
  for (const std::int64_t dilation : {2, 3, 5, 12}) {
    for (const std::int64_t size : {3, 7, 16, 25}) {
      check_winograd(square(18, 33, size, 3, 1, dilation, dilation));
    }
    for (const ProblemOptions& options : epilogues()) {
      check_winograd(square(5, 18, 13, 3, 1, dilation, dilation), options);
    }
  }
  ConvShape uneven = square(17, 20, 23, 3, 1, 1, 2);
  uneven.dilation_w = 1;
  uneven.n = 2;
  check_winograd(uneven);
}

TEST(WinogradInParts, error_is_bounded) {
  for (const Isa isa : supported_isas()) {
    for (const auto& [channels, kernel] :
         {std::array<std::int64_t, 2>{64, 7}, {160, 5}, {64, 9}, {32, 11}}) {
      const ConvShape shape = square(channels, 24, 12, kernel, 1, kernel / 2);
      const auto where = testing::Message() << isa_name(isa) << " " << channels << " " << kernel;
      ASSERT_EQ(winograd4_conv_declines(shape, isa), nullptr) << where;
      EXPECT_LT(relative_error(kWinograd4, shape, isa), 2e-5) << where;
      EXPECT_LT(relative_error(kWinograd2, shape, isa), 5e-6) << where;
    }
    EXPECT_NE(winograd4_conv_declines(square(96, 24, 12, 7, 1, 3), isa), nullptr);
  }
}

// Kernels of other extents are taken in parts of 3x3.
TEST(WinogradInParts, kernels) {
  for (const auto& [kh, kw] : {std::array<std::int64_t, 2>{2, 2},
                               {2, 3},
                               {4, 4},
                               {5, 3},
                               {3, 6},
                               {7, 7},
                               {2, 9},
                               {11, 4}}) {
    for (const std::int64_t size : {11, 18}) {
      ConvShape s = square(18, 21, size, 3, 1, 1);
      s.kh = kh;
      s.kw = kw;
      s.pad_top = kh / 2;
      s.pad_right = kw - 1;
      check({kWinograd4, kWinograd2}, s);
    }
  }
  check({kWinograd4, kWinograd2}, square(5, 18, 9, 2, 1, 1));  // one part
  check({kWinograd4, kWinograd2}, square(32, 18, 9, 5, 1, 2));
}

// An element of all tiles is more than half an L2 cache of 1 MiB.
TEST(WinogradInParts, inputs_that_are_far) {
  check({kWinograd4, kWinograd2}, square(64, 20, 48, 7, 1, 3));
  ConvShape batch = square(100, 5, 20, 9, 1, 4);
  batch.n = 3;
  check({kWinograd2}, batch, {.with_bias = true});
}

TEST(WinogradInParts, groups_dilations_batches_and_few_tiles) {
  ConvShape s = square(96, 96, 13, 5, 1, 2);
  s.groups = 3;
  s.n = 2;
  check({kWinograd4, kWinograd2}, s);
  s.groups = 4;  // merged where blocks have 16 channels
  check({kWinograd4, kWinograd2}, s);
  check({kWinograd4, kWinograd2}, square(16, 33, 17, 5, 1, 4, 2));
  check({kWinograd4, kWinograd2}, square(160, 200, 7, 5, 1, 2));
}

// A kernel with `taps` taps along one axis and one along the other, "same" padding.
ConvShape one_axis(std::int64_t ic, std::int64_t oc, std::int64_t taps, std::int64_t dilation,
                   bool column) {
  ConvShape s = square(ic, oc, 1, 1, 1, 0);
  const std::int64_t pad = taps / 2 * dilation;
  (column ? s.kh : s.kw) = taps;
  (column ? s.dilation_h : s.dilation_w) = dilation;
  (column ? s.pad_top : s.pad_left) = (column ? s.pad_bottom : s.pad_right) = pad;
  return s;
}

// One row or one column, as maps and as sequences.
TEST(WinogradOneAxis, kernels_and_sizes) {
  for (const bool column : {false, true}) {
    for (const std::int64_t taps : {2, 3, 4, 7, 11}) {
      for (const auto& [ih, iw] :
           {std::array<std::int64_t, 2>{1, 12}, {12, 1}, {2, 19}, {19, 3}, {13, 17}}) {
        ConvShape s = one_axis(18, 33, taps, 1, column);
        s.ih = ih;
        s.iw = iw;
        check({kWinograd4}, s);
        (column ? s.pad_top : s.pad_left) = 0;
        set_output_extents(s);
        if (s.oh > 0 && s.ow > 0) check({kWinograd4}, s);
      }
    }
    ConvShape long_one = one_axis(40, 48, 3, 1, column);
    (column ? long_one.ih : long_one.iw) = 1500;
    check({kWinograd4}, long_one);
  }
}

TEST(WinogradOneAxis, stride_2) {
  for (const bool column : {false, true}) {
    for (std::int64_t size = 2; size <= 19; ++size) {
      ConvShape s = one_axis(18, 33, 3, 1, column);
      s.ih = column ? size : 3;
      s.iw = column ? 3 : size;
      (column ? s.stride_h : s.stride_w) = 2;
      check({kWinograd4}, s);
      (column ? s.pad_top : s.pad_left) = 0;
      check({kWinograd4}, s);
    }
    ConvShape s = one_axis(200, 70, 3, 1, column);
    (column ? s.ih : s.iw) = 300;
    (column ? s.stride_h : s.stride_w) = 2;
    check({kWinograd4}, s);
  }
}

TEST(WinogradOneAxis, channels_dilations_batches_groups_and_depth) {
  for (const bool column : {false, true}) {
    for (const std::int64_t channels : kChannels) {
      ConvShape s = one_axis(channels, 2 * channels, 3, 1, column);
      s.ih = s.iw = 9;
      check({kWinograd4}, s);
    }
    for (const std::int64_t dilation : {2, 3, 5}) {
      ConvShape s = one_axis(17, 20, 7, dilation, column);
      s.ih = 11;
      s.iw = 14;
      s.n = 2;
      check({kWinograd4}, s);
    }
    ConvShape s = one_axis(96, 96, 5, 1, column);
    s.ih = s.iw = 10;
    s.groups = 3;
    check({kWinograd4}, s);
    s.groups = 1;
    s.depth = {.in = 4, .out = 4, .kernel = 3, .pad_front = 1};
    check({kWinograd4}, s);
  }
}

TEST(WinogradOneAxis, epilogues) {
  for (const bool column : {false, true}) {
    ConvShape s = one_axis(19, 41, 3, 1, column);
    s.ih = s.iw = 10;
    for (const ProblemOptions& options : epilogues()) check({kWinograd4}, s, options);
  }
}

TEST(WinogradOneAxis, error_is_bounded) {
  for (const Isa isa : supported_isas()) {
    for (const auto& [channels, taps] :
         {std::array<std::int64_t, 2>{64, 3}, {512, 3}, {256, 7}, {512, 11}, {1024, 11}}) {
      for (const bool column : {false, true}) {
        ConvShape s = one_axis(channels, 24, taps, 1, column);
        s.ih = s.iw = 12;
        ASSERT_EQ(winograd4_conv_declines(s, isa), nullptr);
        EXPECT_LT(relative_error(kWinograd4, s, isa), 2e-5)
            << isa_name(isa) << " " << channels << " " << taps;
      }
    }
    EXPECT_NE(winograd4_conv_declines(one_axis(2048, 24, 7, 1, false), isa), nullptr);
    EXPECT_NE(winograd4_conv_declines(one_axis(32, 24, 1, 1, false), isa), nullptr);
    EXPECT_NE(winograd2_conv_declines(one_axis(32, 24, 3, 1, true), isa), nullptr);
    ConvShape strided = one_axis(32, 24, 3, 1, true);
    strided.stride_w = 2;
    EXPECT_NE(winograd4_conv_declines(strided, isa), nullptr);
    strided.stride_h = 2;
    EXPECT_NE(winograd4_conv_declines(strided, isa), nullptr);
    strided.stride_w = 1;
    EXPECT_EQ(winograd4_conv_declines(strided, isa), nullptr);
    strided.kh = 5;
    EXPECT_NE(winograd4_conv_declines(strided, isa), nullptr);
  }
}

constexpr Algorithm kStemWinograd{"stem winograd",
                                  stem_winograd_conv_declines,
                                  make_stem_winograd_conv,
                                  InputLayout::kPlain,
                                  2e-6,
                                  true};

TEST(StemWinograd, channels_kernels_and_padding) {
  for (const std::int64_t ic : {1, 2, 3, 4}) {
    for (const std::int64_t kernel : {5, 6}) {
      for (const std::int64_t pad : {0, 2, 4})
        check({kStemWinograd}, square(ic, 5 + 7 * ic, 21, kernel, 2, pad));
    }
  }
  ConvShape s = square(3, 20, 14, 6, 2, 0);
  s.n = 3;
  s.kw = 5;
  s.pad_top = 2;
  s.pad_right = 3;
  check({kStemWinograd}, s);
}

// Odd extents, and rows and columns that no output reads.
TEST(StemWinograd, sizes) {
  for (std::int64_t size = 6; size <= 33; ++size) {
    for (const std::int64_t pad : {0, 2}) {
      ConvShape s = square(3, 17, size, 6, 2, pad);
      s.iw = size + 9;
      s.pad_bottom = s.pad_right = 0;
      check({kStemWinograd}, s);
    }
  }
}

TEST(StemWinograd, epilogues) {
  for (const ProblemOptions& options : epilogues())
    check({kStemWinograd}, square(3, 41, 30, 6, 2, 2), options);
}

TEST(StemWinograd, error_is_bounded_and_others_are_declined) {
  for (const Isa isa : supported_isas()) {
    const ConvShape s = square(3, 32, 64, 6, 2, 2);
    EXPECT_LT(relative_error(kStemWinograd, s, isa), 2e-5) << isa_name(isa);
    const auto declines = [&](ConvShape shape) {
      set_output_extents(shape);
      return stem_winograd_conv_declines(shape, isa) != nullptr;
    };
    EXPECT_FALSE(declines(s));
    for (const ConvShape& other :
         {square(5, 32, 64, 6, 2, 2), square(3, 32, 64, 7, 2, 2), square(3, 32, 64, 6, 1, 2),
          square(3, 32, 64, 6, 2, 1), square(3, 32, 64, 6, 2, 2, 2), square(3, 32, 64, 3, 2, 2)}) {
      EXPECT_TRUE(declines(other)) << other.ic << " " << other.kh << " " << other.stride_h;
    }
  }
}

// Of a third axis each tap is a part.
TEST(WinogradInDepth, kernels_strides_padding_dilations) {
  for (const auto& [kernel, stride, dilation, pad] : {std::array<std::int64_t, 4>{1, 1, 1, 0},
                                                      {3, 1, 1, 1},
                                                      {3, 2, 1, 1},
                                                      {2, 1, 3, 2},
                                                      {5, 3, 1, 4}}) {
    ConvShape s = square(18, 21, 9, 3, 1, 1);
    s.n = 2;
    s.iw = 7;
    s.depth = {.in = 5, .kernel = kernel, .stride = stride, .dilation = dilation, .pad_front = pad};
    s.depth.out = (5 + 2 * pad - (kernel - 1) * dilation - 1) / stride + 1;
    check_winograd(s);
  }
}

TEST(WinogradInDepth, error_is_bounded) {
  const auto cube = [](std::int64_t channels) {
    ConvShape s = square(channels, 16, 8, 3, 1, 1);
    s.depth = {.in = 4, .out = 4, .kernel = 3, .pad_front = 1};
    return s;
  };
  for (const Isa isa : supported_isas()) {
    ASSERT_EQ(winograd4_conv_declines(cube(208), isa), nullptr);
    EXPECT_NE(winograd4_conv_declines(cube(256), isa), nullptr);
    EXPECT_LT(relative_error(kWinograd4, cube(208), isa), 2e-5) << isa_name(isa);
    EXPECT_LT(relative_error(kWinograd2, cube(512), isa), 7e-6) << isa_name(isa);
  }
}

TEST(WinogradInDepth, epilogues) {
  ConvShape s = square(17, 33, 6, 3, 1, 1);
  s.depth = {.in = 3, .out = 3, .kernel = 3, .pad_front = 1};
  for (const ProblemOptions& options : epilogues()) check_winograd(s, options);
}

TEST(WinogradInParts, decline_what_they_would_get_wrong) {
  ConvShape s = square(32, 32, 9, 5, 1, 2);
  EXPECT_EQ(winograd4_conv_declines(s, best_isa()), nullptr);
  s.border = Border::kReflect;
  EXPECT_NE(winograd4_conv_declines(s, best_isa()), nullptr);
  EXPECT_NE(winograd4_conv_declines(square(32, 32, 9, 5, 2, 2), best_isa()), nullptr);
  EXPECT_NE(winograd4_conv_declines(square(32, 32, 9, 1, 1, 0), best_isa()), nullptr);
  EXPECT_EQ(winograd2_conv_declines(square(128, 32, 9, 31, 1, 15), best_isa()), nullptr);
  EXPECT_NE(winograd2_conv_declines(square(128, 32, 9, 61, 1, 30), best_isa()), nullptr);
}

TEST(Winograd, epilogues) {
  for (const ProblemOptions& options : epilogues())
    check_winograd(square(19, 41, 10, 3, 1, 1), options);
}

TEST(Winograd, error_is_bounded_up_to_512_channels) {
  for (const Isa isa : supported_isas()) {
    for (const std::int64_t channels : {16, 64, 256, 512}) {
      for (const int stride : {1, 2}) {
        const auto where = testing::Message() << isa_name(isa) << " " << channels << " " << stride;
        const ConvShape shape = square(channels, 24, 12 * stride, 3, stride, 1);
        EXPECT_LT(relative_error(kWinograd4, shape, isa), 2e-5) << where;
        EXPECT_LT(relative_error(kWinograd2, shape, isa), 5e-6) << where;
      }
      const ConvShape larger = square(channels, 24, 12, 5, 1, 2);
      EXPECT_LT(relative_error(kWinograd5, larger, isa), 2e-5) << isa_name(isa) << " " << channels;
    }
  }
}

}  // namespace
}  // namespace mini_infer::conv_test
