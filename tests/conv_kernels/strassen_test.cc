// Strassen's algorithm for 1x1 convolutions: against the reference, and how far off it may be.
#include "kernels/conv/strassen.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/conv_kernels/conv_checks.h"

namespace mini_infer::conv_test {
namespace {

TEST(Strassen, channels) {
  for (const std::int64_t ic : {32, 64, 96, 160, 224}) {
    for (const std::int64_t oc : {32, 64, 96, 160, 224}) {
      check({kStrassen}, square(ic, oc, 5, 1, 1, 0));
    }
  }
  check({kStrassen}, square(8, 8, 9, 1, 1, 0));  // where blocks are narrow
  check({kStrassen}, square(48, 16, 9, 1, 1, 0));
}

TEST(Strassen, sizes_and_strides) {
  for (const std::int64_t size : {2, 3, 4, 7, 11, 14, 15, 19, 37}) {
    for (const std::int64_t stride : {1, 2, 3}) {
      ConvShape s = square(32, 64, size, 1, stride, 0);
      check({kStrassen}, s);
      s.iw = size + 5;
      s.n = 2;
      check({kStrassen}, s);
    }
  }
}

TEST(Strassen, many_blocks_of_pixels) {
  check({kStrassen}, square(1024, 32, 23, 1, 1, 0));
  check({kStrassen}, square(64, 128, 61, 1, 1, 0));
}

TEST(Strassen, epilogues) {
  for (const ProblemOptions& options : epilogues()) {
    check({kStrassen}, square(32, 96, 9, 1, 1, 0), options);
  }
}

TEST(Strassen, declines_what_has_no_halves) {
  const auto declines = [](const ConvShape& s) {
    ConvShape shape = s;
    set_output_extents(shape);
    return strassen_conv_declines(shape, best_isa()) != nullptr;
  };
  const std::int64_t lanes = isa_lanes(best_isa());
  EXPECT_FALSE(declines(square(2 * lanes, 2 * lanes, 2, 1, 1, 0)));
  EXPECT_TRUE(declines(square(3 * lanes, 2 * lanes, 2, 1, 1, 0)));
  EXPECT_TRUE(declines(square(2 * lanes, 2 * lanes + 1, 2, 1, 1, 0)));
  EXPECT_TRUE(declines(square(2 * lanes, 2 * lanes, 1, 1, 1, 0)));
  EXPECT_TRUE(declines(square(2 * lanes, 2 * lanes, 2, 1, 1, 1)));
  EXPECT_TRUE(declines(square(2 * lanes, 2 * lanes, 3, 3, 1, 0)));
}

// Of the root mean square of the output, and times the error of a direct convolution.
TEST(Strassen, error_is_bounded) {
  for (const Isa isa : supported_isas()) {
    for (const std::int64_t channels : {64, 256, 512, 1024, 2048}) {
      const ConvShape shape = square(channels, 64, 14, 1, 1, 0);
      const double error = relative_error(kStrassen, shape, isa);
      EXPECT_LT(error, channels <= 512 ? 8e-6 : 1.2e-5) << isa_name(isa) << " " << channels;
      EXPECT_LT(error, 3.5 * relative_error(kDirect, shape, isa))
          << isa_name(isa) << " " << channels;
    }
  }
}

// Channels of very different magnitudes, as folded batch normalisation leaves them: each output
// channel is as good as if it were alone.
TEST(Strassen, scales_of_channels_do_not_mix) {
  ConvShape s = square(128, 64, 14, 1, 1, 0);
  set_output_extents(s);
  Problem p = make_problem(s, {.with_bias = false});
  const auto scale = [](std::int64_t i) {
    return std::pow(10.f, static_cast<float>(i * 7 % 9 - 4));
  };
  const std::int64_t pixels = s.oh * s.ow;
  for (std::int64_t i = 0; i < s.ic; ++i) {
    // Channel 5 is large, and no output reads it.
    const float x_scale = i == 5 ? 1e6f : scale(i);
    for (std::int64_t j = 0; j < pixels; ++j)
      p.x[static_cast<std::size_t>(i * pixels + j)] *= x_scale;
    for (std::int64_t o = 0; o < s.oc; ++o) {
      float& w = p.w[static_cast<std::size_t>(o * s.ic + i)];
      w = i == 5 ? 0.f : w * scale(3 * o) / scale(i);
    }
  }
  const Reference expected = reference_conv(p);
  for (const Isa isa : supported_isas()) {
    const auto conv = make_strassen_conv(s, isa);
    const std::vector<float> y = run_conv(*conv, p, isa, 1, InputLayout::kBlocked);
    for (std::int64_t o = 0; o < s.oc; ++o) {
      double worst = 0, squares = 0;
      for (std::int64_t j = 0; j < pixels; ++j) {
        const auto at = static_cast<std::size_t>(o * pixels + j);
        worst = std::max(worst, std::abs(y[at] - expected.y[at]));
        squares += expected.y[at] * expected.y[at];
      }
      EXPECT_LT(worst, 5e-6 * std::sqrt(squares / static_cast<double>(pixels)))
          << isa_name(isa) << ", output channel " << o;
    }
  }
}

// A product of matrices, in the clothes of a convolution of one column. kInputsFirst: B is [k, n],
// and not its transpose.
template <bool kInputsFirst>
class ProductConv final : public ConvAlgorithm {
 public:
  ProductConv(const ConvShape& s, Isa isa)
      : s_(s), lanes_(isa_lanes(isa)), product_(make_strassen_product(s.oh, s.oc, s.ic, isa)) {}

  const char* name() const noexcept override { return "product"; }
  std::size_t packed_floats() const noexcept override { return product_->packed_floats(); }
  void pack(const float* w, float* packed, int threads) const noexcept override {
    if (!kInputsFirst) return product_->pack_weights({w, s_.ic, 1}, packed, threads);
    std::vector<float> b;
    for (std::int64_t i = 0; i < s_.ic; ++i) {
      for (std::int64_t o = 0; o < s_.oc; ++o) b.push_back(w[o * s_.ic + i]);
    }
    product_->pack_weights({b.data(), 1, s_.oc}, packed, threads);
  }
  std::size_t scratch_bytes(int threads) const noexcept override {
    return product_->scratch_bytes(threads);
  }
  ConvSplit split(int threads) const noexcept override { return product_->split(threads); }
  void run(const ConvArgs& args) const noexcept override {
    std::vector<float> a(static_cast<std::size_t>(s_.oh * s_.ic), NAN);
    for_each(s_.ic, [&](std::int64_t row, std::int64_t i, std::int64_t at) {
      a[static_cast<std::size_t>(row * s_.ic + i)] = args.input[at];
    });
    std::vector<float> y(static_cast<std::size_t>(s_.oh * s_.oc), NAN);
    ConvArgs own = args;
    own.input = a.data();
    own.output = y.data();
    product_->run(own);
    for_each(s_.oc, [&](std::int64_t row, std::int64_t o, std::int64_t at) {
      args.output[at] = y[static_cast<std::size_t>(row * s_.oc + o)];
    });
  }

 private:
  // body(row, channel, where it is in blocked layout)
  template <class Body>
  void for_each(std::int64_t channels, Body&& body) const {
    for (std::int64_t row = 0; row < s_.oh; ++row) {
      for (std::int64_t i = 0; i < channels; ++i)
        body(row, i, (i / lanes_ * s_.oh + row) * lanes_ + i % lanes_);
    }
  }
  ConvShape s_;
  std::int64_t lanes_;
  std::unique_ptr<StrassenAlgorithm> product_;
};

template <bool kInputsFirst>
constexpr Algorithm kProduct{"product",
                             strassen_conv_declines,
                             [](const ConvShape& s, Isa isa) -> std::unique_ptr<ConvAlgorithm> {
                               return std::make_unique<ProductConv<kInputsFirst>>(s, isa);
                             },
                             InputLayout::kBlocked,
                             1e-6,
                             true};

TEST(StrassenProduct, sizes) {
  for (const std::int64_t m : {2, 3, 7, 28, 29, 64, 127, 197}) {
    check({kProduct<false>, kProduct<true>}, strassen_product_shape(m, 96, 64));
    check({kProduct<false>, kProduct<true>}, strassen_product_shape(m, 32, 160));
  }
  check({kProduct<false>, kProduct<true>}, strassen_product_shape(61, 224, 512));
}

TEST(StrassenProduct, activations) {
  for (const Activation kind :
       {Activation::kNone, Activation::kRelu, Activation::kSilu, Activation::kHardSwish}) {
    for (const bool with_bias : {false, true}) {
      check({kProduct<false>}, strassen_product_shape(41, 96, 64),
            {.with_bias = with_bias, .activation = {.kind = kind, .alpha = 0.2f, .beta = 0.5f}});
    }
  }
}

}  // namespace
}  // namespace mini_infer::conv_test
