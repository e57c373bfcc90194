#include "kernels/simd/isa.h"

#include <gtest/gtest.h>

namespace mini_infer {
namespace {

TEST(Isa, the_best_set_is_supported) { EXPECT_TRUE(isa_supported(best_isa())); }

TEST(Isa, lanes_are_a_vector_of_floats) {
  for (int i = 0; i < static_cast<int>(Isa::count); ++i) {
    const Isa isa = static_cast<Isa>(i);
    if (!isa_supported(isa)) continue;
    const int lanes = isa_lanes(isa);
    EXPECT_TRUE(lanes == 4 || lanes == 8 || lanes == 16) << isa_name(isa) << " has " << lanes;
  }
}

}  // namespace
}  // namespace mini_infer
