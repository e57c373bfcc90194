#include "graph/ir/dim.h"

#include <gtest/gtest.h>

namespace mini_infer {
namespace {

const Dim kN{std::string("N")}, kM{std::string("M")};

TEST(Dim, SpellsEqualExpressionsAlike) {
  EXPECT_EQ(kN + kM, kM + kN);
  EXPECT_EQ(kN * kM, kM * kN);
  EXPECT_EQ(Dim(2) * kN, kN * 2);
  EXPECT_EQ((kN + 3).str(), "(N+3)");
  EXPECT_EQ((3 + kN).str(), "(N+3)");
  EXPECT_EQ((kN - 3).str(), "(N-3)");
}

TEST(Dim, GathersConstantsInSums) {
  EXPECT_EQ(kN - 1 + 1, kN);
  EXPECT_EQ(kN + 2 - 3 + 1, kN);
  EXPECT_EQ((floor_div(kN, 2) + -1 + 1).str(), "floor(N/2)");
  EXPECT_EQ((kN * 2 + 3 - 5).str(), "((N*2)-2)");
  EXPECT_EQ((kN - kM + 1 + 1).str(), "((N-M)+2)");
}

TEST(Dim, DividesWholeProducts) {
  EXPECT_EQ(floor_div(kN * 4, 2), kN * 2);
  EXPECT_EQ(floor_div(kN * 4, 4), kN);
  EXPECT_EQ(floor_div(kN * 3, 2).str(), "floor((N*3)/2)");
  EXPECT_EQ(floor_div((kN + 3) * (kM + 2), 2).str(), "floor(((M+2)*(N+3))/2)");
  EXPECT_EQ(floor_div(Dim(-3), 2), Dim(-2));
  EXPECT_EQ(ceil_div(Dim(3), 2), Dim(2));
}

TEST(Dim, BroadcastsSymbols) {
  EXPECT_EQ(broadcast(SymShape{kN, 1}, SymShape{4}), SymShape({kN, 4}));
  EXPECT_EQ(broadcast(SymShape{kN}, SymShape{7}), SymShape({7}));
  EXPECT_FALSE(broadcast(SymShape{3}, SymShape{4}));
}

}  // namespace
}  // namespace mini_infer
