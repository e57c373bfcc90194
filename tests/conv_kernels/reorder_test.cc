#include "kernels/layout/reorder.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "tests/conv_kernels/conv_reference.h"

namespace mini_infer::conv_test {
namespace {

std::vector<float> numbers(std::int64_t count) {
  std::vector<float> v(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i + 1);
  return v;
}

TEST(Reorder, agrees_with_the_definition_both_ways) {
  for (const Isa isa : supported_isas()) {
    const int lanes = isa_lanes(isa);
    for (const std::int64_t n : {1, 2}) {
      for (const std::int64_t channels : {1, 3, 4, 5, 8, 15, 16, 17, 33}) {
        for (const std::int64_t pixels : {1, 3, 4, 7, 15, 16, 17, 49, 1023, 1024, 1025, 2100}) {
          SCOPED_TRACE(testing::Message()
                       << isa_name(isa) << " " << n << "x" << channels << "x" << pixels);
          const std::vector<float> plain = numbers(n * channels * pixels);
          const std::vector<float> blocked = to_blocked(plain, n, channels, pixels, lanes);
          for (const int threads : {1, 3}) {
            std::vector<float> y(blocked.size(), std::numeric_limits<float>::quiet_NaN());
            reorder_to_blocked(isa, threads, n, channels, pixels, plain.data(), y.data());
            EXPECT_EQ(from_blocked(y.data(), n, channels, pixels, lanes), plain);
            std::vector<float> back(plain.size(), -1.f);
            reorder_to_plain(isa, threads, n, channels, pixels, blocked.data(), back.data());
            EXPECT_EQ(back, plain);
          }
        }
      }
    }
  }
}

TEST(Reorder, writes_zeros_into_missing_lanes) {
  for (const Isa isa : supported_isas()) {
    const int lanes = isa_lanes(isa);
    std::vector<float> y(static_cast<std::size_t>(7 * lanes),
                         std::numeric_limits<float>::quiet_NaN());
    const std::vector<float> x = numbers(7 * 3);
    reorder_to_blocked(isa, 1, 1, 3, 7, x.data(), y.data());
    for (int p = 0; p < 7; ++p) {
      for (int lane = 3; lane < lanes; ++lane)
        EXPECT_EQ(y[static_cast<std::size_t>(p * lanes + lane)], 0.f);
    }
  }
}

}  // namespace
}  // namespace mini_infer::conv_test
