// Which plans are worth more threads than one.
#include "engine/executor.h"

#include <gtest/gtest.h>

namespace mini_infer {
namespace {

// A plan of equal steps; their one input and one output have as many elements as said.
Plan plan_of(int steps, double flop, std::int64_t read = 1, std::int64_t written = 1) {
  Plan plan;
  plan.slots.resize(2);
  plan.slots[0].shape = Shape{read};
  plan.slots[1].shape = Shape{written};
  for (int i = 0; i < steps; ++i) {
    Step step;
    step.kernel.flop = flop;
    step.inputs = {0};
    step.outputs = {1};
    plan.steps.push_back(std::move(step));
  }
  return plan;
}

constexpr auto kShared = static_cast<std::int64_t>(kParallelThreshold);  // least that is shared

TEST(WorthThreads, counts_the_steps_that_threads_share) {
  const double flop = 8 * kParallelThreshold;
  EXPECT_FALSE(is_worth_threads(plan_of(0, flop)));
  EXPECT_FALSE(is_worth_threads(plan_of(29, flop)));
  EXPECT_TRUE(is_worth_threads(plan_of(30, flop)));
  EXPECT_TRUE(is_worth_threads(plan_of(30, 0, 1, kShared)));
  EXPECT_TRUE(is_worth_threads(plan_of(1, 30 * flop)));
}

TEST(WorthThreads, steps_too_small_to_share_count_for_nothing) {
  EXPECT_FALSE(is_worth_threads(plan_of(10000, 7 * kParallelThreshold)));
  EXPECT_FALSE(is_worth_threads(plan_of(10000, 0, 100 * kShared, kShared - 1)));
}

TEST(WorthThreads, weights_to_read_count) {
  EXPECT_FALSE(is_worth_threads(plan_of(1, 8 * kParallelThreshold, 29 * kShared)));
  EXPECT_TRUE(is_worth_threads(plan_of(1, 8 * kParallelThreshold, 30 * kShared)));
}

TEST(WorthThreads, what_dynamic_steps_do_is_not_known) {
  Plan plan = plan_of(1, 0);
  plan.steps[0].dynamic = true;
  EXPECT_TRUE(is_worth_threads(plan));
}

}  // namespace
}  // namespace mini_infer
