// The vector functions against double precision, over the whole range of floats, for each
// instruction set of this machine.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "kernels/simd/activate.simd.h"

namespace mini_infer {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<Isa> supported_isas() {
  std::vector<Isa> isas;
  for (int i = 0; i < static_cast<int>(Isa::count); ++i) {
    if (isa_supported(static_cast<Isa>(i))) isas.push_back(static_cast<Isa>(i));
  }
  return isas;
}

// Every 5003rd float of both signs, infinities and NaN included.
const std::vector<float>& all_floats() {
  static const std::vector<float> values = [] {
    std::vector<float> v = {0.f, -0.f, 1.f, -1.f, kInf, -kInf, kNan};
    for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 5003) {
      const std::uint32_t word = static_cast<std::uint32_t>(bits);
      float x;
      std::memcpy(&x, &word, sizeof x);
      v.push_back(x);
    }
    return v;
  }();
  return values;
}

std::vector<float> run(Isa isa, ActivationParams activation, const std::vector<float>& x) {
  std::vector<float> y(x.size());
  simd::activate_f32.get(isa)(activation, x.data(), y.data(), x.size());
  return y;
}

// Distance to the reference in units in the last place of the float nearest to it.
double ulps(float got, double want) {
  const float nearest = static_cast<float>(want);
  if (std::isnan(want)) return std::isnan(got) ? 0 : 1e30;
  if (std::isinf(nearest)) return got == nearest ? 0 : 1e30;
  const double ulp =
      std::max(static_cast<double>(std::nextafter(std::fabs(nearest), kInf)) - std::fabs(nearest),
               static_cast<double>(std::numeric_limits<float>::denorm_min()));
  return std::fabs(got - want) / ulp;
}

struct Case {
  const char* name;
  ActivationParams activation;
  std::function<double(double)> reference;
  double max_ulps;
  double absolute = 0;  // errors below this are accepted too
  float low = -kInf, high = kInf;
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }
double clamp01(double x) { return std::isnan(x) ? x : std::min(std::max(x, 0.0), 1.0); }
double elu(double x, double alpha) { return x > 0 ? x : alpha * std::expm1(x); }

const std::vector<Case>& cases() {
  using A = Activation;
  static const std::vector<Case> list = {
      {"exp", {A::kExp}, [](double x) { return std::exp(x); }, 1.0},
      {"log", {A::kLog}, [](double x) { return x < 0 ? NAN : std::log(x); }, 2.0},
      {"tanh", {A::kTanh}, [](double x) { return std::tanh(x); }, 2.0},
      {"erf", {A::kErf}, [](double x) { return std::erf(x); }, 1.5},
      {"sqrt", {A::kSqrt}, [](double x) { return std::sqrt(x); }, 0.5},
      {"sigmoid", {A::kSigmoid}, sigmoid, 2.5, 1e-37},
      {"silu", {A::kSilu}, [](double x) { return x * sigmoid(x); }, 3, 1e-35, -1e38f, kInf},
      {"swish",
       {A::kSwish, 1.5f},
       [](double x) { return x * sigmoid(1.5 * x); },
       100,
       1e-35,
       -1e38f,
       kInf},
      {"softplus", {A::kSoftplus}, softplus, 2.5},
      {"mish",
       {A::kMish},
       [](double x) { return x * std::tanh(softplus(x)); },
       4,
       1e-37,
       -1e38f,
       kInf},
      {"gelu",
       {A::kGelu},
       [](double x) { return 0.5 * x * std::erfc(-x * std::sqrt(0.5)); },
       4,
       5e-7,
       -1e38f,
       kInf},
      {"gelu_tanh",
       {A::kGeluTanh},
       [](double x) { return x * sigmoid(2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)); },
       4,
       5e-7,
       -1e38f,
       kInf},
      {"elu", {A::kElu, 0.7f}, [](double x) { return elu(x, 0.7f); }, 2.5},
      {"selu",
       {A::kSelu, 1.67326319f, 1.05070102f},
       [](double x) { return 1.05070102f * elu(x, 1.67326319f); },
       3},
      {"celu",
       {A::kCelu, 2.f},
       [](double x) { return x > 0           ? x
                             : std::isnan(x) ? x
                                             : 2 * std::expm1(x / 2); },
       3},
      {"softsign",
       {A::kSoftsign},
       [](double x) { return x / (1 + std::fabs(x)); },
       1.5,
       0,
       -1e38f,
       1e38f},
      {"relu", {A::kRelu}, [](double x) { return x < 0 ? 0 : x; }, 0},
      {"clip", {A::kClip, -1.5f, 6.f}, [](double x) { return x < -1.5 ? -1.5
                                                             : x > 6  ? 6
                                                                      : x; }, 0},
      {"leaky_relu", {A::kLeakyRelu, 0.1f}, [](double x) { return x < 0 ? 0.1f * x : x; }, 0.5},
      {"thresholded_relu", {A::kThresholdedRelu, 1.f}, [](double x) { return x <= 1 ? 0 : x; }, 0},
      {"hard_sigmoid",
       {A::kHardSigmoid, 0.2f, 0.5f},
       [](double x) { return clamp01(0.2f * x + 0.5); },
       2,
       1e-7},
      {"hard_swish",
       {A::kHardSwish, 1.f / 6, 0.5f},
       [](double x) { return x * clamp01(static_cast<double>(1.f / 6) * x + 0.5); },
       2,
       5e-7,
       -1e38f,
       kInf},
      {"affine", {A::kAffine, 2.f, 0.f}, [](double x) { return 2 * x; }, 0},
      {"abs", {A::kAbs}, [](double x) { return std::fabs(x); }, 0},
      {"neg", {A::kNeg}, [](double x) { return -x; }, 0},
      {"reciprocal", {A::kReciprocal}, [](double x) { return 1 / x; }, 0.5},
      {"floor", {A::kFloor}, [](double x) { return std::floor(x); }, 0},
      {"ceil", {A::kCeil}, [](double x) { return std::ceil(x); }, 0},
      {"round", {A::kRound}, [](double x) { return std::nearbyint(x); }, 0},
      {"sign", {A::kSign}, [](double x) { return std::isnan(x) ? x : (x > 0) - (x < 0); }, 0},
      {"scaled_tanh", {A::kScaledTanh, 3.f, 1.f}, [](double x) { return 3 * std::tanh(x); }, 3},
      {"none", {A::kNone}, [](double x) { return x; }, 0},
  };
  return list;
}

TEST(VecMath, every_activation_agrees_with_double_precision) {
  ASSERT_EQ(cases().size(), static_cast<std::size_t>(Activation::kCount));
  const std::vector<float>& x = all_floats();
  for (const Isa isa : supported_isas()) {
    for (const Case& c : cases()) {
      const std::vector<float> y = run(isa, c.activation, x);
      double worst = 0;
      std::size_t at = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        if (x[i] < c.low || x[i] > c.high) continue;
        const double want = c.reference(x[i]);
        if (std::fabs(y[i] - want) <= c.absolute) continue;
        const double error = ulps(y[i], want);
        if (error > worst) worst = error, at = i;
      }
      EXPECT_LE(worst, c.max_ulps) << c.name << " on " << isa_name(isa) << " at " << x[at] << ": "
                                   << y[at] << ", not " << c.reference(x[at]);
    }
  }
}

TEST(VecMath, any_length_gives_the_same_bits_and_writes_nothing_else) {
  for (const Isa isa : supported_isas()) {
    for (const Case& c : cases()) {
      std::vector<float> x(131);
      for (std::size_t i = 0; i < x.size(); ++i) x[i] = 0.25f * static_cast<float>(i) - 9.f;
      const std::vector<float> whole = run(isa, c.activation, x);
      for (std::size_t n = 0; n < x.size(); ++n) {
        std::vector<float> y(x.size(), -77.f);
        simd::activate_f32.get(isa)(c.activation, x.data(), y.data(), n);
        ASSERT_EQ(0, std::memcmp(y.data(), whole.data(), n * sizeof(float))) << c.name << ' ' << n;
        for (std::size_t i = n; i < y.size(); ++i) ASSERT_EQ(y[i], -77.f) << c.name << ' ' << n;
      }
    }
  }
}

TEST(VecMath, rows_are_strided) {
  for (const Isa isa : supported_isas()) {
    for (const int n : {1, 3, 7, 16, 33}) {
      std::vector<float> y(5 * 40, -1.f);
      simd::activate_rows_f32.get(isa)({Activation::kRelu}, y.data(), 5, n, 40);
      for (int i = 0; i < 5 * 40; ++i) ASSERT_EQ(y[i], i % 40 < n ? 0.f : -1.f);
    }
  }
}

}  // namespace
}  // namespace mini_infer
