// The float GEMM against sums in double, for each instruction set of this machine, with 1 and 3
// threads.
#include "kernels/gemm/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/gemm/reference.h"

namespace mini_infer {
namespace {

std::vector<Isa> supported_isas() {
  std::vector<Isa> isas;
  for (int i = 0; i < static_cast<int>(Isa::count); ++i) {
    if (isa_supported(static_cast<Isa>(i))) isas.push_back(static_cast<Isa>(i));
  }
  return isas;
}

// Floats aligned to 64 bytes, with a guard behind them that a kernel must not touch.
class Floats {
 public:
  explicit Floats(std::int64_t size)
      : size_(size), bytes_(static_cast<std::size_t>(size + kGuard) * 4 + 64) {
    for (std::int64_t i = 0; i < size + kGuard; ++i) data()[i] = kGuardValue;
  }
  Floats(const Floats& other) : Floats(other.size_) {
    std::memcpy(data(), const_cast<Floats&>(other).data(),
                static_cast<std::size_t>(size_) * sizeof(float));
  }
  static Floats random(std::int64_t size, unsigned seed) {
    Floats f(size);
    std::mt19937 generator(seed);
    std::uniform_real_distribution<float> uniform(-1.f, 1.f);
    for (std::int64_t i = 0; i < size; ++i) f.data()[i] = uniform(generator);
    return f;
  }
  float* data() {
    return reinterpret_cast<float*>((reinterpret_cast<std::uintptr_t>(bytes_.data()) + 63) / 64 *
                                    64);
  }
  bool guard_intact() {
    for (std::int64_t i = 0; i < kGuard; ++i) {
      if (data()[size_ + i] != kGuardValue) return false;
    }
    return true;
  }

 private:
  static constexpr int kGuard = 64;
  static constexpr float kGuardValue = -12345.f;
  std::int64_t size_;
  std::vector<unsigned char> bytes_;
};

struct Case {
  std::int64_t m, n, k;
  bool transpose_a = false, transpose_b = false;
  GemmSource a = GemmSource::kStrided, b = GemmSource::kStrided;
  bool row_bias = false, column_bias = false, residual = false, in_place = false;
  float alpha = 1.f, beta = 1.f;
  ActivationParams activation = {};
  int padding = 0;  // of the rows of all matrices

  std::string name() const {
    return std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) + " a" +
           std::to_string(static_cast<int>(a)) + (transpose_a ? "T" : "") + " b" +
           std::to_string(static_cast<int>(b)) + (transpose_b ? "T" : "") + " activation " +
           std::to_string(static_cast<int>(activation.kind));
  }
};

// As an operator with im2col does it: writes the panels element by element.
struct StridedSource {
  const float* data;
  std::int64_t stride, k_stride;
};
void pack_elements(const void* context, const GemmPanels& part, float* out) {
  const auto& source = *static_cast<const StridedSource*>(context);
  for (std::int64_t i = 0; i < (part.count + part.width - 1) / part.width * part.width; ++i) {
    for (std::int64_t k = 0; k < part.kc; ++k) {
      out[i / part.width * part.panel_stride + k * part.width + i % part.width] =
          i < part.count
              ? source.data[(part.first + i) * source.stride + (part.k0 + k) * source.k_stride]
              : 0.f;
    }
  }
}

class Problem {
 public:
  explicit Problem(const Case& c)
      : case_(c),
        a_(Floats::random((c.m + c.padding) * (c.k + c.padding), 1)),
        b_(Floats::random((c.n + c.padding) * (c.k + c.padding), 2)),
        row_bias_(Floats::random(c.m, 3)),
        column_bias_(Floats::random(c.n, 4)),
        residual_(Floats::random(c.m * c_stride(), 5)) {
    a_input_ = input(a_, c.transpose_a, c.m, c.k);
    b_input_ = input(b_, c.transpose_b, c.k, c.n);
    reference();
  }

  std::int64_t c_stride() const { return case_.n + case_.padding; }

  Floats run(Isa isa, int threads) {
    const Case& c = case_;
    const GemmPlan plan = plan_gemm({c.m, c.n, c.k, 1, c.a, c.b}, threads, isa);
    Floats packed_a(packed_a_floats(c.m, c.k, isa)), packed_b(packed_b_floats(c.k, c.n, isa));
    Floats scratch(static_cast<std::int64_t>(plan.scratch_bytes() / sizeof(float)));
    Floats out = c.in_place ? residual_ : Floats(c.m * c_stride());
    const StridedSource source_a{a_.data(), a_input_.row_stride, a_input_.column_stride};
    const StridedSource source_b{b_.data(), b_input_.column_stride, b_input_.row_stride};
    GemmOperands o{.a = a_input_, .b = b_input_, .c = out.data(), .c_stride = c_stride()};
    if (c.a == GemmSource::kPacked) {
      pack_a(a_input_, c.m, c.k, packed_a.data(), isa);
      o.a = {.data = packed_a.data()};
    } else if (c.a == GemmSource::kCallback) {
      o.a = {.pack = pack_elements, .context = &source_a};
    }
    if (c.b == GemmSource::kPacked) {
      pack_b(b_input_, c.k, c.n, packed_b.data(), isa);
      o.b = {.data = packed_b.data()};
    } else if (c.b == GemmSource::kCallback) {
      o.b = {.pack = pack_elements, .context = &source_b};
    }
    o.epilogue = {.alpha = c.alpha,
                  .beta = c.beta,
                  .row_bias = c.row_bias ? row_bias_.data() : nullptr,
                  .column_bias = c.column_bias ? column_bias_.data() : nullptr,
                  .residual = c.in_place   ? out.data()
                              : c.residual ? residual_.data()
                                           : nullptr,
                  .residual_stride = c_stride(),
                  .activation = c.activation};
    gemm(plan, o, scratch.data());
    EXPECT_TRUE(packed_a.guard_intact() && packed_b.guard_intact() && scratch.guard_intact() &&
                out.guard_intact())
        << c.name() << ' ' << isa_name(isa);
    return out;
  }

  void check(Isa isa) {
    Floats one = run(isa, 1), three = run(isa, 3);
    const std::size_t bytes = static_cast<std::size_t>(case_.m * c_stride()) * sizeof(float);
    EXPECT_EQ(0, std::memcmp(one.data(), three.data(), bytes))
        << case_.name() << ' ' << isa_name(isa);
    for (std::int64_t i = 0; i < case_.m; ++i) {
      for (std::int64_t j = 0; j < case_.n; ++j) {
        const double want = want_[i * case_.n + j], got = one.data()[i * c_stride() + j];
        ASSERT_NEAR(got, want, tolerance())
            << case_.name() << ' ' << isa_name(isa) << " at " << i << ", " << j;
      }
    }
  }

 private:
  GemmInput input(Floats& f, bool transposed, std::int64_t rows, std::int64_t columns) {
    if (transposed)
      return {.data = f.data(), .row_stride = 1, .column_stride = rows + case_.padding};
    return {.data = f.data(), .row_stride = columns + case_.padding, .column_stride = 1};
  }
  double tolerance() const { return 1e-6 * (4 + 2 * std::sqrt(static_cast<double>(case_.k))); }

  void reference() {
    const Case& c = case_;
    std::vector<float> out(c.m * c.n);
    want_.resize(c.m * c.n);
    const auto finish = [&](double sum, std::int64_t i, std::int64_t j) {
      double y = c.alpha * sum;
      if (c.row_bias) y += c.beta * row_bias_.data()[i];
      if (c.column_bias) y += c.beta * column_bias_.data()[j];
      if (c.residual || c.in_place) y += c.beta * residual_.data()[i * c_stride() + j];
      if (c.activation.kind == Activation::kRelu) y = std::max(y, 0.0);
      if (c.activation.kind == Activation::kClip)
        y = std::min<double>(std::max<double>(y, c.activation.alpha), c.activation.beta);
      if (c.activation.kind == Activation::kLeakyRelu) y = y < 0 ? c.activation.alpha * y : y;
      if (c.activation.kind == Activation::kTanh) y = std::tanh(y);
      if (c.activation.kind == Activation::kSilu) y = y / (1 + std::exp(-y));
      want_[i * c.n + j] = y;
      return static_cast<float>(y);
    };
    reference_gemm<float>(
        c.m, c.n, c.k, {a_input_.data, a_input_.row_stride, a_input_.column_stride},
        {b_input_.data, b_input_.row_stride, b_input_.column_stride}, {out.data(), c.n}, finish);
  }

  Case case_;
  Floats a_, b_, row_bias_, column_bias_, residual_;
  GemmInput a_input_, b_input_;
  std::vector<double> want_;
};

void check_everywhere(const Case& c) {
  Problem problem(c);
  for (const Isa isa : supported_isas()) {
    problem.check(isa);
    if (testing::Test::HasFatalFailure()) return;
  }
}

constexpr GemmSource kSources[] = {GemmSource::kStrided, GemmSource::kPacked,
                                   GemmSource::kCallback};

TEST(Gemm, every_small_number_of_rows_and_columns) {
  for (std::int64_t m = 1; m <= 30; ++m) {
    for (const std::int64_t n : {1, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 23, 31, 32, 33, 49, 65}) {
      check_everywhere(
          {.m = m, .n = n, .k = 19, .b = GemmSource::kPacked, .column_bias = true, .padding = 3});
    }
  }
}

TEST(Gemm, every_small_depth) {
  for (std::int64_t k = 0; k <= 37; ++k) {
    for (const std::int64_t m : {1, 2, 3, 7}) {
      for (const std::int64_t n : {5, 16, 41}) check_everywhere({.m = m, .n = n, .k = k});
    }
  }
}

TEST(Gemm, every_kind_of_operand_transposed_or_not) {
  for (const GemmSource a : kSources) {
    for (const GemmSource b : kSources) {
      for (const bool transpose_a : {false, true}) {
        for (const bool transpose_b : {false, true}) {
          for (const std::int64_t m : {1, 6, 29, 61}) {
            check_everywhere({.m = m,
                              .n = 83,
                              .k = 67,
                              .transpose_a = transpose_a,
                              .transpose_b = transpose_b,
                              .a = a,
                              .b = b,
                              .padding = 5});
          }
        }
      }
    }
  }
}

TEST(Gemm, several_blocks_in_each_direction) {
  for (const GemmSource a : kSources) {
    for (const GemmSource b : kSources) {
      check_everywhere({.m = 211,
                        .n = 307,
                        .k = 1291,
                        .a = a,
                        .b = b,
                        .row_bias = true,
                        .activation = {Activation::kRelu}});
    }
  }
  check_everywhere({.m = 1, .n = 1009, .k = 2053, .b = GemmSource::kPacked, .column_bias = true});
  check_everywhere({.m = 601, .n = 1, .k = 1031});
  check_everywhere({.m = 4, .n = 2500, .k = 600, .transpose_b = true});
}

TEST(Gemm, b_read_in_place_or_packed) {
  for (const std::int64_t m : {1, 9, 20, 100, 170, 230}) {
    for (const std::int64_t n : {33, 95, 1024, 1030}) {
      for (const int padding : {0, 3}) {
        check_everywhere({.m = m,
                          .n = n,
                          .k = 53,
                          .a = GemmSource::kPacked,
                          .row_bias = true,
                          .padding = padding});
      }
    }
  }
}

TEST(Gemm, epilogues) {
  const ActivationParams activations[] = {{},
                                          {Activation::kRelu},
                                          {Activation::kClip, -0.5f, 1.5f},
                                          {Activation::kLeakyRelu, 0.1f},
                                          {Activation::kTanh},
                                          {Activation::kSilu}};
  for (const std::int64_t k : {37, 1100}) {
    for (const ActivationParams& activation : activations) {
      for (const std::int64_t n : {31, 48, 67}) {
        check_everywhere({.m = 17,
                          .n = n,
                          .k = k,
                          .row_bias = true,
                          .column_bias = true,
                          .residual = true,
                          .alpha = 0.75f,
                          .beta = -1.25f,
                          .activation = activation,
                          .padding = 1});
        check_everywhere({.m = 31, .n = n, .k = k, .in_place = true, .activation = activation});
      }
    }
  }
}

TEST(Gemm, residual_may_be_one_row_for_all) {
  for (const Isa isa : supported_isas()) {
    const float a[] = {1, 2, 3}, b[] = {10, 20};
    float c[6] = {};
    const GemmPlan plan = plan_gemm({.m = 3, .n = 2, .k = 1}, 1, isa);
    Floats scratch(static_cast<std::int64_t>(plan.scratch_bytes() / 4));
    const float row[] = {0.5f, 0.25f};
    gemm(plan,
         {.a = {a, 1},
          .b = {b, 2},
          .c = c,
          .c_stride = 2,
          .epilogue = {.residual = row, .residual_stride = 0}},
         scratch.data());
    const float want[] = {10.5f, 20.25f, 20.5f, 40.25f, 30.5f, 60.25f};
    for (int i = 0; i < 6; ++i) EXPECT_EQ(c[i], want[i]);
  }
}

TEST(Gemm, batches_with_their_own_operands) {
  constexpr std::int64_t kBatch = 5, kM = 9, kN = 21, kK = 33;
  Floats a = Floats::random(kBatch * kM * kK, 1), b = Floats::random(kK * kN, 2);
  for (const Isa isa : supported_isas()) {
    for (const int threads : {1, 3}) {
      Floats c(kBatch * kM * kN);
      const GemmPlan plan = plan_gemm({.m = kM, .n = kN, .k = kK, .batch = kBatch}, threads, isa);
      Floats scratch(static_cast<std::int64_t>(plan.scratch_bytes() / 4));
      gemm_batch(
          plan,
          [&](std::int64_t i) {
            return GemmOperands{.a = {a.data() + i * kM * kK, kK},
                                .b = {b.data(), kN},
                                .c = c.data() + i * kM * kN,
                                .c_stride = kN};
          },
          scratch.data());
      std::vector<float> want(kBatch * kM * kN);
      reference_gemm<float>(kBatch * kM, kN, kK, {a.data(), kK}, {b.data(), kN}, {want.data(), kN});
      for (std::size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(c.data()[i], want[i], 1e-5);
    }
  }
}

TEST(Gemm, nan_and_infinity_reach_the_result) {
  for (const Isa isa : supported_isas()) {
    std::vector<float> a(20 * 40, 1.f), b(40 * 50, 1.f), c(20 * 50);
    a[3 * 40 + 7] = std::numeric_limits<float>::quiet_NaN();
    b[9 * 50 + 49] = std::numeric_limits<float>::infinity();
    const GemmPlan plan = plan_gemm({.m = 20, .n = 50, .k = 40}, 1, isa);
    Floats scratch(static_cast<std::int64_t>(plan.scratch_bytes() / 4));
    gemm(plan,
         {.a = {a.data(), 40},
          .b = {b.data(), 50},
          .c = c.data(),
          .c_stride = 50,
          .epilogue = {.activation = {Activation::kRelu}}},
         scratch.data());
    for (int i = 0; i < 20; ++i) {
      for (int j = 0; j < 50; ++j) {
        const float y = c[i * 50 + j];
        EXPECT_TRUE(i == 3    ? std::isnan(y)
                    : j == 49 ? std::isinf(y)
                              : y == 40.f)
            << isa_name(isa) << i << ' ' << j;
      }
    }
  }
}

TEST(Gemm, sizes_that_overflow_are_reported_as_zero_floats) {
  EXPECT_EQ(0, packed_b_floats(std::int64_t{1} << 40, std::int64_t{1} << 40));
  EXPECT_EQ(0, packed_a_floats(std::int64_t{1} << 40, std::int64_t{1} << 40));
}

TEST(Gemm, reference_for_other_types) {
  const std::int32_t a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8};
  std::int32_t c[4];
  reference_gemm<std::int32_t>(2, 2, 2, {a, 2}, {b, 2}, {c, 2});
  EXPECT_EQ(c[0], 19);
  EXPECT_EQ(c[3], 50);
}

}  // namespace
}  // namespace mini_infer
