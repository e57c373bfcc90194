// Exactness of the integer product: random 8-bit operands, and the extremes, against sums in 64
// bits.
#include "kernels/gemm/igemm.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <vector>

namespace mini_infer {
namespace {

// Values from `low` to `high`; only these two where `extreme`.
std::vector<float> integers(std::int64_t count, int low, int high, bool extreme, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<int> uniform(low, high), coin(0, 7);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& v : values) {
    v = static_cast<float>(extreme ? (coin(generator) == 0 ? low : high) : uniform(generator));
  }
  return values;
}

void check(std::int64_t m, std::int64_t n, std::int64_t k, bool extreme, GemmSource b_source,
           Isa isa) {
  const std::int64_t batch = 2;
  const auto a = integers(batch * m * k, -255, 255, extreme, 1);
  const auto b = integers(k * n, -255, 255, extreme, 2);
  for (const int threads : {1, 3}) {
    const GemmPlan plan =
        plan_gemm({.m = m, .n = n, .k = k, .batch = batch, .b = b_source}, threads, isa);
    std::vector<float> packed(static_cast<std::size_t>(packed_b_floats(k, n, isa)));
    GemmInput b_input{.data = b.data(), .row_stride = n};
    if (b_source == GemmSource::kPacked) {
      pack_b(b_input, k, n, packed.data(), isa);
      b_input = {.data = packed.data()};
    }
    const auto size = static_cast<std::size_t>(batch * m * n);
    std::vector<float> scratch(plan.scratch_bytes() / sizeof(float)), products(size);
    std::vector<std::int32_t> sums(size, 7);
    igemm_batch(
        plan,
        [&](std::int64_t i) {
          return GemmOperands{.a = {.data = a.data() + i * m * k, .row_stride = k}, .b = b_input};
        },
        scratch.data(), products.data(), sums.data());
    for (std::int64_t row = 0; row < batch * m; ++row) {
      for (std::int64_t column = 0; column < n; ++column) {
        std::int64_t want = 0;
        for (std::int64_t l = 0; l < k; ++l) {
          want += static_cast<std::int64_t>(a[row * k + l]) *
                  static_cast<std::int64_t>(b[l * n + column]);
        }
        ASSERT_EQ(want, sums[row * n + column])
            << isa_name(isa) << ' ' << m << 'x' << n << 'x' << k;
      }
    }
  }
}

TEST(Igemm, sums_are_exact) {
  for (int i = 0; i < static_cast<int>(Isa::count); ++i) {
    const Isa isa = static_cast<Isa>(i);
    if (!isa_supported(isa)) continue;
    for (const auto& [m, n, k] : {std::array<int, 3>{1, 1, 1},
                                  {3, 17, 0},
                                  {1, 129, 256},
                                  {7, 5, 257},
                                  {31, 47, 512},
                                  {65, 33, 1301},
                                  {64, 64, 2304}}) {
      for (const bool extreme : {false, true}) {
        for (const GemmSource b : {GemmSource::kStrided, GemmSource::kPacked})
          check(m, n, k, extreme, b, isa);
      }
    }
  }
}

}  // namespace
}  // namespace mini_infer
