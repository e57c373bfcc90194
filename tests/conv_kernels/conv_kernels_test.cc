// Every algorithm on every instruction set this machine has, against the double-precision
// reference; 2 and 3 threads must give the same bits as 1.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/conv_kernels/conv_checks.h"

namespace mini_infer::conv_test {
namespace {

constexpr Algorithm kStem{"stem", stem_conv_declines, make_stem_conv, InputLayout::kPlain, 1e-6};
constexpr Algorithm kDepthwise{"depthwise", depthwise_conv_declines, make_depthwise_conv,
                               InputLayout::kBlocked, 1e-6};
constexpr Algorithm kDepthwiseWinograd{"depthwise winograd",
                                       depthwise_winograd_conv_declines,
                                       make_depthwise_winograd_conv,
                                       InputLayout::kBlocked,
                                       1e-6,
                                       true};
const std::vector<Algorithm> kDepthwises = {kDepthwise, kDepthwiseWinograd};

constexpr Algorithm kTransposed{"transposed", transposed_conv_declines, make_transposed_conv,
                                InputLayout::kBlocked, 1e-6};

TEST(Pointwise, odd_channels) {
  for (const std::int64_t ic : kChannels) {
    for (const std::int64_t oc : kChannels) check({kDirect}, square(ic, oc, 5, 1, 1, 0));
  }
}

TEST(Pointwise, sizes_strides_and_padding) {
  for (const std::int64_t size : {1, 2, 3, 4, 7, 13, 14, 15, 19}) {
    check({kDirect}, square(19, 35, size, 1, 1, 0));
    check({kDirect}, square(19, 35, size, 1, 2, 0));
    check({kDirect}, square(7, 20, size, 1, 1, 1));
    check({kDirect}, square(7, 20, size, 1, 3, 1));
  }
}

TEST(Pointwise, many_blocks_of_pixels) {
  check({kDirect}, square(160, 72, 37, 1, 1, 0));
  check({kDirect}, square(600, 40, 29, 1, 2, 0));
  ConvShape batch = square(33, 65, 11, 1, 1, 0);
  batch.n = 3;
  check({kDirect}, batch);
}

// Runs of tiles and what is left of them, for each kind of a last panel, and channels that are a
// block or two, or just not.
TEST(Pointwise, runs_of_pixels) {
  for (std::int64_t pixels = 1; pixels <= 74; ++pixels) {
    for (const std::int64_t oc : {8, 24, 33, 64}) {
      ConvShape s = square(pixels % 4 < 2 ? 16 : 33, oc, 1, 1, 1, 0);
      s.iw = pixels;
      check({kDirect}, s);
    }
  }
  for (const std::int64_t ic : {15, 17, 31, 32, 255, 256})
    check({kDirect}, square(ic, 40, 7, 1, 1, 0));
}

TEST(Pointwise, epilogues) {
  for (const ProblemOptions& options : epilogues()) {
    check({kDirect}, square(20, 41, 9, 1, 1, 0), options);
    check({kDirect}, square(20, 24, 11, 1, 1, 0), options);
  }
}

TEST(Pointwise, groups) {
  ConvShape s = square(96, 64, 9, 1, 1, 0);
  s.groups = 2;
  check({kDirect}, s);
}

TEST(Direct, odd_channels) {
  for (const std::int64_t ic : kChannels) {
    for (const std::int64_t oc : kChannels) check({kDirect}, square(ic, oc, 5, 3, 1, 1));
  }
}

TEST(Direct, kernels_strides_padding_dilations) {
  for (const std::int64_t kernel : {2, 3, 5, 7}) {
    for (const std::int64_t stride : {1, 2, 3}) {
      for (const std::int64_t pad : {std::int64_t{0}, kernel / 2, kernel}) {
        check({kDirect}, square(18, 21, 15, kernel, stride, pad));
        check({kDirect}, square(5, 18, 16, kernel, stride, pad, 2));
      }
    }
  }
}

TEST(Direct, widths) {
  for (std::int64_t width = 1; width <= 31; ++width) {
    ConvShape s = square(9, 33, 5, 3, 1, 1);
    s.iw = width;
    check({kDirect}, s);
  }
}

TEST(Direct, uneven_everything) {
  ConvShape s{.n = 2,
              .ic = 17,
              .ih = 19,
              .iw = 23,
              .oc = 50,
              .kh = 3,
              .kw = 5,
              .stride_h = 2,
              .stride_w = 3,
              .dilation_h = 3,
              .dilation_w = 2,
              .pad_top = 2,
              .pad_left = 5,
              .pad_bottom = 1,
              .pad_right = 0};
  check({kDirect}, s);
  check({kStem}, s);
  s.stride_h = 7;  // rows that no kernel row reads
  check({kDirect}, s);
  check({kStem}, s);
}

TEST(Direct, many_blocks_of_rows) {
  check({kDirect}, square(200, 48, 40, 3, 1, 1));
  check({kDirect}, square(128, 33, 41, 3, 2, 1));
}

TEST(Direct, few_outputs) {
  for (const std::int64_t oc : {1, 2, 3, 4, 5}) {
    for (const std::int64_t ic : {2, 8, 15, 16, 17, 40}) {
      check({kDirect}, square(ic, oc, 11, 3, 1, 1));
      check({kDirect}, square(ic, oc, 13, 5, 2, 2));
    }
  }
  check({kDirect}, square(20, 3, 40, 9, 1, 4));
  for (const ProblemOptions& options : epilogues()) {
    check({kDirect}, square(18, 3, 13, 3, 1, 2, 2), options);
  }
}

TEST(Border, mirrors_and_edges) {
  const std::vector<Algorithm> all = {kDirect,    kStem,      kWinograd4,
                                      kWinograd2, kWinograd5, kDepthwise};
  for (const Border border : {Border::kReflect, Border::kEdge}) {
    for (const std::int64_t size : {4, 5, 7, 9, 13, 16, 17, 31}) {
      for (const auto& [kernel, stride, pad, dilation] : {std::array<std::int64_t, 4>{3, 1, 1, 1},
                                                          {3, 2, 1, 1},
                                                          {5, 1, 2, 1},
                                                          {7, 2, 3, 1},
                                                          {3, 1, 3, 3},
                                                          {1, 1, 1, 1},
                                                          {1, 2, 2, 1}}) {
        ConvShape s = square(19, 34, size, kernel, stride, pad, dilation);
        s.border = border;
        s.iw = size + 3;
        check(all, s);
      }
    }
  }
  ConvShape depthwise = square(16, 16, 9, 3, 1, 1);
  depthwise.groups = 16;
  depthwise.border = Border::kReflect;
  EXPECT_NE(depthwise_conv_declines(depthwise, best_isa()), nullptr);
}

TEST(Direct, large_dilations) {
  check({kDirect}, square(18, 20, 20, 3, 1, 8, 8));
  check({kDirect}, square(18, 20, 7, 3, 1, 16, 16));
  check({kDirect}, square(40, 33, 64, 3, 1, 7, 7));
}

TEST(Direct, epilogues) {
  for (const ProblemOptions& options : epilogues())
    check({kDirect}, square(11, 41, 7, 3, 1, 1), options);
}

TEST(Direct, one_column) {
  for (const std::int64_t stride : {1, 2}) {
    for (const std::int64_t width : {1, 6, 7, 13, 17, 29}) {
      ConvShape s = square(18, 21, 17, 1, stride, 0);
      s.iw = width;
      s.kh = 7;
      s.pad_top = 3, s.pad_bottom = 2;
      check({kDirect}, s, {.with_bias = true, .residual_place = ConvResidual::kAfterActivation});
      s.dilation_h = 2;
      check({kDirect}, s);
    }
  }
}

TEST(Direct, chunks_of_channels) {
  for (const ProblemOptions& options : epilogues())
    check({kDirect}, square(1031, 41, 4, 3, 1, 1), options);
  check({kDirect}, square(2050, 20, 9, 3, 2, 1));
}

// Kernels of which few rows are within the image at once.
TEST(Direct, rows_of_the_kernel_outside_of_the_image) {
  for (const ProblemOptions& options : epilogues()) {
    check({kDirect}, square(18, 33, 7, 7, 1, 3), options);
    check({kDirect}, square(18, 20, 9, 3, 1, 8, 8), options);
  }
  ConvShape wide = square(24, 40, 8, 11, 3, 5);
  wide.iw = 47;
  wide.n = 2;
  check({kDirect}, wide);
  check({kDirect}, square(1031, 20, 6, 5, 1, 2));
  check({kDirect}, square(5, 18, 2, 3, 1, 6));  // rows of the border alone
}

TEST(Direct, groups) {
  ConvShape s = square(64, 128, 9, 3, 1, 1);
  s.groups = 4;
  s.n = 2;
  check({kDirect}, s);
}

TEST(Direct, declines_groups_of_split_blocks) {
  ConvShape s = square(6, 6, 9, 3, 1, 1);
  s.groups = 2;
  set_output_extents(s);
  EXPECT_NE(direct_conv_declines(s, best_isa()), nullptr);
}

TEST(Stem, channels_and_kernels) {
  for (const std::int64_t ic : {1, 2, 3, 4, 9}) {
    for (const std::int64_t oc : kChannels) {
      check({kStem}, square(ic, oc, 19, 3, 2, 1));
      check({kStem}, square(ic, oc, 9, 3, 1, 1));
    }
    check({kStem}, square(ic, 64, 37, 7, 2, 3));
    check({kStem}, square(ic, 32, 36, 6, 2, 2));
    check({kStem}, square(ic, 40, 32, 4, 4, 0));
    check({kStem}, square(ic, 40, 33, 8, 8, 3));
  }
}

TEST(Stem, sizes) {
  for (std::int64_t size = 3; size <= 40; ++size) check({kStem}, square(3, 24, size, 3, 2, 1));
  check({kStem}, square(3, 33, 150, 3, 2, 1));
}

// Columns are sorted where the stride is above 2.
TEST(Stem, wide_strides) {
  for (const std::int64_t width : {1, 5, 16, 31, 47, 66}) {
    for (const auto& [kernel, stride, pad, dilation] : {std::array<std::int64_t, 4>{3, 3, 1, 1},
                                                        {3, 5, 0, 1},
                                                        {4, 4, 3, 1},
                                                        {7, 4, 3, 1},
                                                        {3, 4, 9, 2},
                                                        {16, 16, 8, 1},
                                                        {5, 16, 2, 1}}) {
      ConvShape s = square(3, 20, 33, kernel, stride, pad, dilation);
      s.iw = width;
      if (width + 2 * pad < (kernel - 1) * dilation + 1) continue;  // no output
      check({kStem}, s);
      s.border = Border::kEdge;
      check({kStem}, s);
    }
  }
}

TEST(Stem, wide_rows) {
  for (const std::int64_t width : {29, 43, 64}) {
    for (const auto& [kernel, stride, pad, dilation] :
         {std::array<std::int64_t, 4>{3, 1, 1, 1}, {3, 2, 1, 1}, {5, 1, 0, 2}, {3, 1, 9, 1}}) {
      ConvShape s = square(3, 20, 7, kernel, stride, pad, dilation);
      if (kernel == 5) s.ih = 11;
      s.iw = width;
      check({kStem}, s);
      s.border = Border::kEdge;
      check({kStem}, s);
    }
  }
}

TEST(Stem, epilogues) {
  for (const ProblemOptions& options : epilogues()) {
    check({kStem}, square(3, 41, 15, 3, 2, 1), options);
    ConvShape wide = square(3, 57, 5, 3, 1, 1);
    wide.iw = 81;
    check({kStem}, wide, options);
  }
}

ConvShape depthwise(std::int64_t channels, std::int64_t size, std::int64_t kernel,
                    std::int64_t stride, std::int64_t pad, std::int64_t dilation = 1) {
  ConvShape s = square(channels, channels, size, kernel, stride, pad, dilation);
  s.groups = channels;
  return s;
}

TEST(Depthwise, channels) {
  for (const std::int64_t channels : kChannels) check(kDepthwises, depthwise(channels, 9, 3, 1, 1));
}

TEST(Depthwise, kernels_strides_padding_dilations) {
  for (const std::int64_t kernel : {2, 3, 4, 5, 7, 9}) {
    for (const std::int64_t stride : {1, 2, 3}) {
      for (const std::int64_t pad : {std::int64_t{0}, kernel / 2, kernel - 1, kernel + 2}) {
        check(kDepthwises, depthwise(20, 17, kernel, stride, pad));
        check(kDepthwises, depthwise(5, 19, kernel, stride, pad, 2));
      }
    }
  }
}

TEST(Depthwise, widths) {
  for (const std::int64_t kernel : {3, 5, 7}) {
    for (const std::int64_t stride : {1, 2}) {
      for (std::int64_t width = 1; width <= 40; ++width) {
        ConvShape s = depthwise(18, 6, kernel, stride, kernel / 2);
        s.iw = width;
        check(kDepthwises, s);
      }
    }
  }
}

TEST(Depthwise, uneven_everything) {
  ConvShape s{.n = 2, .ic = 35, .ih = 19, .iw = 23, .oc = 35, .kh = 3, .kw = 5, .groups = 35};
  s.pad_top = 2;
  s.pad_left = 3;
  s.pad_bottom = 1;
  ConvShape strided = s;
  strided.stride_h = 2;
  strided.dilation_h = 3;
  check(kDepthwises, strided);
  s.kw = 3;
  check(kDepthwises, s);
}

TEST(Depthwise, epilogues) {
  for (const ProblemOptions& options : epilogues())
    for (const std::int64_t size : {13, 20}) {
      check(kDepthwises, depthwise(37, size, 3, 1, 1), options);
      check(kDepthwises, depthwise(37, size, 3, 2, 1), options);
    }
}

TEST(Depthwise, larger_maps) { check(kDepthwises, depthwise(40, 57, 3, 2, 1)); }

// Each side of an image may be padded or not.
TEST(Depthwise, uneven_padding_with_stride) {
  for (int sides = 0; sides < 16; ++sides) {
    for (const std::int64_t size : {2, 3, 8, 9, 37}) {
      ConvShape s = depthwise(20, size, 3, 2, 0);
      s.iw = size + 1;
      s.pad_top = sides & 1;
      s.pad_left = sides >> 1 & 1;
      s.pad_bottom = sides >> 2 & 1;
      s.pad_right = sides >> 3 & 1;
      if (size + s.pad_top + s.pad_bottom < 3) continue;
      check(kDepthwises, s);
    }
  }
}

// Bands of rows, which the Winograd kernel makes of tall and of wide maps.
TEST(Depthwise, bands_of_rows) {
  for (const auto& [height, width] : {std::pair<std::int64_t, std::int64_t>{31, 6},
                                      {32, 5},
                                      {33, 6},
                                      {34, 7},
                                      {67, 9},
                                      {17, 150},
                                      {25, 301}}) {
    ConvShape s = depthwise(18, height, 3, 1, 1);
    s.iw = width;
    check(kDepthwises, s);
  }
}

// It reaches the outputs whose windows have it, and no others.
TEST(Depthwise, infinity_stays_in_its_window) {
  constexpr std::int64_t kSize = 12, kRow = 5, kColumn = 6;
  ConvShape s = depthwise(16, kSize, 3, 1, 1);
  set_output_extents(s);
  Problem problem = make_problem(s, {});
  for (std::int64_t c = 0; c < s.ic; ++c)
    problem.x[static_cast<std::size_t>((c * kSize + kRow) * kSize + kColumn)] = INFINITY;
  for (const Algorithm& algorithm : kDepthwises) {
    const auto y =
        run_conv(*algorithm.make(s, best_isa()), problem, best_isa(), 1, algorithm.layout);
    for (std::int64_t i = 0; i < s.ic * kSize * kSize; ++i) {
      const bool meets =
          std::abs(i / kSize % kSize - kRow) < 2 && std::abs(i % kSize - kColumn) < 2;
      EXPECT_NE(std::isfinite(y[static_cast<std::size_t>(i)]), meets) << algorithm.name << " " << i;
    }
  }
}

// Splits that few threads never need: some of the tiles or pixels, some of the channels.
TEST(ManyThreads, give_the_same_bits) {
  ConvShape depthwise = square(64, 64, 14, 3, 1, 1);
  depthwise.groups = 64;
  const std::pair<Algorithm, ConvShape> layers[] = {{kDirect, square(64, 96, 14, 1, 1, 0)},
                                                    {kStrassen, square(64, 160, 21, 1, 1, 0)},
                                                    {kDirect, square(64, 96, 14, 3, 2, 1)},
                                                    {kStem, square(3, 40, 33, 3, 2, 1)},
                                                    {kDepthwise, depthwise},
                                                    {kDepthwiseWinograd, depthwise},
                                                    {kWinograd4, square(40, 96, 28, 3, 1, 1)},
                                                    {kWinograd2, square(40, 160, 14, 3, 1, 1)},
                                                    {kWinograd2, square(64, 96, 13, 3, 1, 2, 2)},
                                                    {kWinograd4, square(40, 96, 28, 3, 2, 1)},
                                                    {kWinograd5, square(40, 96, 14, 5, 1, 2)},
                                                    {kWinograd2, square(40, 160, 7, 3, 1, 1)}};
  for (auto [algorithm, shape] : layers) {
    set_output_extents(shape);
    const Problem problem = make_problem(shape, {});
    for (const Isa isa : supported_isas()) {
      const auto conv = algorithm.make(shape, isa);
      const std::vector<float> y = run_conv(*conv, problem, isa, 1, algorithm.layout);
      for (const int threads : {2, 7, 16, 64}) {
        EXPECT_EQ(run_conv(*conv, problem, isa, threads, algorithm.layout), y)
            << algorithm.name << " " << isa_name(isa) << ", " << threads << " threads";
      }
    }
  }
}

// The output gets `extra` more rows and columns (output_padding).
void check_transposed(ConvShape s, std::int64_t extra = 0, const ProblemOptions& options = {}) {
  s.oh = (s.ih - 1) * s.stride_h + (s.kh - 1) * s.dilation_h + 1 - s.pad_top - s.pad_bottom + extra;
  s.ow = (s.iw - 1) * s.stride_w + (s.kw - 1) * s.dilation_w + 1 - s.pad_left - s.pad_right + extra;
  if (s.oh < 1 || s.ow < 1) return;
  const Problem problem = make_problem(s, options);
  check({kTransposed}, problem, reference_transposed_conv(problem));
}

TEST(Transposed, odd_channels) {
  for (const std::int64_t ic : kChannels) {
    for (const std::int64_t oc : kChannels) check_transposed(square(ic, oc, 4, 2, 2, 0));
  }
}

TEST(Transposed, kernels_strides_padding_dilations) {
  for (const std::int64_t kernel : {1, 2, 3, 4, 5}) {
    for (const std::int64_t stride : {1, 2, 3, 4}) {
      for (const std::int64_t pad : {0, 1, 2, 5}) {
        for (const std::int64_t dilation : {1, 2, 3}) {
          check_transposed(square(9, 18, 7, kernel, stride, pad, dilation), pad % 2);
        }
      }
    }
  }
}

TEST(Transposed, uneven_everything) {
  check_transposed({.n = 2,
                    .ic = 17,
                    .ih = 9,
                    .iw = 13,
                    .oc = 50,
                    .kh = 3,
                    .kw = 5,
                    .stride_h = 2,
                    .stride_w = 3,
                    .dilation_h = 3,
                    .dilation_w = 2,
                    .pad_top = 2,
                    .pad_left = 4,
                    .pad_bottom = 1,
                    .pad_right = 0});
  ConvShape grouped = square(32, 64, 9, 4, 2, 1);
  grouped.groups = 2;
  check_transposed(grouped);
}

TEST(Transposed, depthwise) {
  for (const std::int64_t channels : {1, 3, 16, 21, 35}) {
    for (const std::int64_t stride : {1, 2, 3, 8}) {
      ConvShape s = square(channels, channels, 9, 2 * stride, stride, stride / 2);
      s.groups = channels;
      s.n = 2;
      s.iw = 20;
      check_transposed(s);
    }
  }
  for (const ProblemOptions& options : epilogues()) {
    ConvShape s = square(18, 18, 6, 3, 2, 1);
    s.groups = 18;
    check_transposed(s, 1, options);
  }
}

TEST(Transposed, many_blocks_of_rows) { check_transposed(square(150, 40, 33, 3, 2, 1), 1); }

TEST(Transposed, epilogues) {
  for (const ProblemOptions& options : epilogues())
    check_transposed(square(11, 41, 6, 4, 2, 1), 0, options);
}

}  // namespace
}  // namespace mini_infer::conv_test
