#include "tests/conv_kernels/conv_checks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace mini_infer::conv_test {
namespace {

std::string text(const ConvShape& s) {
  const auto pair = [](std::int64_t a, std::int64_t b) {
    return std::to_string(a) + "x" + std::to_string(b);
  };
  return "n " + std::to_string(s.n) + " ic " + std::to_string(s.ic) + " " + pair(s.ih, s.iw) +
         " oc " + std::to_string(s.oc) + " k " + pair(s.kh, s.kw) + " s " +
         pair(s.stride_h, s.stride_w) + " d " + pair(s.dilation_h, s.dilation_w) + " pad " +
         pair(s.pad_top, s.pad_left) + "," + pair(s.pad_bottom, s.pad_right) + " groups " +
         std::to_string(s.groups);
}

// The first element that is further from the reference than allowed, or y.size().
std::size_t first_wrong(const Algorithm& algorithm, const std::vector<float>& y,
                        const Reference& expected) {
  const double most = *std::max_element(expected.magnitude.begin(), expected.magnitude.end());
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double magnitude = algorithm.normwise ? most : expected.magnitude[i];
    const double error = std::abs(static_cast<double>(y[i]) - expected.y[i]);
    if (!(error <= algorithm.tolerance * magnitude + 1e-7)) return i;
  }
  return y.size();
}

}  // namespace

void check(const std::vector<Algorithm>& algorithms, const Problem& problem,
           const Reference& expected) {
  const ConvShape& shape = problem.shape;
  for (const Algorithm& algorithm : algorithms) {
    for (const Isa isa : supported_isas()) {
      SCOPED_TRACE(std::string(algorithm.name) + " " + isa_name(isa) + ": " + text(shape));
      if (algorithm.declines(shape, isa) != nullptr) continue;
      const auto conv = algorithm.make(shape, isa);
      const std::vector<float> y = run_conv(*conv, problem, isa, 1, algorithm.layout);
      ASSERT_EQ(y.size(), expected.y.size());
      const std::size_t wrong = first_wrong(algorithm, y, expected);
      ASSERT_EQ(wrong, y.size()) << "y is " << y[wrong] << " instead of " << expected.y[wrong];
      for (const int threads : {2, 3}) {
        const std::vector<float> many = run_conv(*conv, problem, isa, threads, algorithm.layout);
        ASSERT_EQ(many.size(), y.size());
        ASSERT_EQ(std::memcmp(many.data(), y.data(), y.size() * sizeof(float)), 0)
            << threads << " threads differ from 1";
      }
    }
  }
}

void check(const std::vector<Algorithm>& algorithms, ConvShape shape,
           const ProblemOptions& options) {
  set_output_extents(shape);
  const Problem problem = make_problem(shape, options);
  check(algorithms, problem, reference_conv(problem));
}

ConvShape square(std::int64_t ic, std::int64_t oc, std::int64_t size, std::int64_t kernel,
                 std::int64_t stride, std::int64_t pad, std::int64_t dilation) {
  return {.ic = ic,
          .ih = size,
          .iw = size,
          .oc = oc,
          .kh = kernel,
          .kw = kernel,
          .stride_h = stride,
          .stride_w = stride,
          .dilation_h = dilation,
          .dilation_w = dilation,
          .pad_top = pad,
          .pad_left = pad,
          .pad_bottom = pad,
          .pad_right = pad};
}

std::vector<ProblemOptions> epilogues() {
  std::vector<ProblemOptions> all;
  const ActivationParams activations[] = {{},
                                          {Activation::kRelu},
                                          {Activation::kClip, -0.5f, 0.75f},
                                          {Activation::kLeakyRelu, 0.1f},
                                          {Activation::kHardSwish, 1.f / 6, 0.5f},
                                          {Activation::kSilu}};
  for (const ConvResidual place :
       {ConvResidual::kNone, ConvResidual::kBeforeActivation, ConvResidual::kAfterActivation}) {
    for (const ActivationParams& activation : activations) {
      all.push_back({.with_bias = place != ConvResidual::kNone,
                     .residual_place = place,
                     .activation = activation});
    }
    all.push_back({.residual_place = place, .with_slope = true});
  }
  return all;
}

double relative_error(const Algorithm& algorithm, ConvShape shape, Isa isa) {
  set_output_extents(shape);
  Problem problem = make_problem(shape, {.with_bias = false});
  for (float& x : problem.x) x = std::max(x, 0.f);
  const Reference expected = reference_conv(problem);
  const std::vector<float> y =
      run_conv(*algorithm.make(shape, isa), problem, isa, 1, algorithm.layout);
  double worst = 0, squares = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    worst = std::max(worst, std::abs(y[i] - expected.y[i]));
    squares += expected.y[i] * expected.y[i];
  }
  return worst / std::sqrt(squares / static_cast<double>(y.size()));
}

}  // namespace mini_infer::conv_test
