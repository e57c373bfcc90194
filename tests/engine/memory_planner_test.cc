#include "engine/memory_planner.h"

#include <gtest/gtest.h>

#include <random>

namespace mini_infer {
namespace {

bool overlap(const MemoryBlock& a, const MemoryBlock& b) {
  const bool time = a.first <= b.last && b.first <= a.last;
  const bool space = a.offset < b.offset + b.size && b.offset < a.offset + a.size;
  return time && space && a.size > 0 && b.size > 0;
}

TEST(PlaceBlocks, blocks_that_live_apart_share_bytes) {
  std::vector<MemoryBlock> blocks = {{.size = 100, .first = 0, .last = 1},
                                     {.size = 80, .first = 2, .last = 3}};
  EXPECT_EQ(place_blocks(blocks), 100u);
}

TEST(PlaceBlocks, blocks_that_live_together_do_not_overlap) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    std::vector<MemoryBlock> blocks;
    for (int i = 0; i < 60; ++i) {
      const int first = static_cast<int>(random() % 40);
      blocks.push_back({.size = random() % 5000,
                        .first = first,
                        .last = first + static_cast<int>(random() % 10)});
    }
    const std::size_t arena = place_blocks(blocks);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      EXPECT_LE(blocks[i].offset + blocks[i].size, std::max(arena, blocks[i].size));
      for (std::size_t j = 0; j < i; ++j)
        ASSERT_FALSE(overlap(blocks[i], blocks[j])) << "round " << round;
    }
  }
}

TEST(PlaceBlocks, fills_gaps) {
  std::vector<MemoryBlock> blocks = {{.size = 100, .first = 0, .last = 9},
                                     {.size = 90, .first = 0, .last = 4},
                                     {.size = 60, .first = 5, .last = 9}};
  EXPECT_EQ(place_blocks(blocks), 190u);
}

// A plan of a chain of steps, by hand: three values, in -> a -> b -> out.
class PlanMemory : public testing::Test {
 protected:
  PlanMemory() {
    plan_.slots.resize(4);
    for (Slot& slot : plan_.slots) slot.shape = Shape{256};
    plan_.slots[0].kind = Slot::Kind::kInput;
    plan_.inputs = {0};
    for (ValueId v = 0; v < 3; ++v) plan_.steps.push_back({.inputs = {v}, .outputs = {v + 1}});
    plan_.outputs = {{.name = "out", .value = 3}};
  }
  void alias(std::size_t step, Alias::Kind kind, std::size_t offset = 0) {
    plan_.steps[step].kernel.aliases = {{.kind = kind, .output = 0, .input = 0, .offset = offset}};
  }
  Plan plan_;
  std::vector<std::size_t> bytes_ = {1024, 1024, 1024, 1024};
};

TEST_F(PlanMemory, the_last_value_is_written_into_the_output) {
  plan_memory(plan_, bytes_, 1);
  EXPECT_EQ(plan_.slots[3].kind, Slot::Kind::kOutput);
  EXPECT_TRUE(plan_.outputs[0].in_place);
  EXPECT_EQ(plan_.arena_bytes, 2048u);
}

TEST_F(PlanMemory, an_input_is_never_overwritten) {
  alias(0, Alias::Kind::kInPlace);
  plan_memory(plan_, bytes_, 1);
  EXPECT_EQ(plan_.slots[1].kind, Slot::Kind::kArena);
}

TEST_F(PlanMemory, in_place_results_share_bytes_up_to_the_output) {
  alias(1, Alias::Kind::kInPlace);
  alias(2, Alias::Kind::kInPlace);
  plan_memory(plan_, bytes_, 1);
  EXPECT_EQ(plan_.slots[1].kind, Slot::Kind::kOutput);
  EXPECT_EQ(plan_.slots[2].kind, Slot::Kind::kOutput);
  EXPECT_EQ(plan_.arena_bytes, 0u);
}

TEST_F(PlanMemory, a_value_needed_later_is_not_overwritten) {
  alias(1, Alias::Kind::kInPlace);
  plan_.steps[2].inputs.push_back(1);
  plan_memory(plan_, bytes_, 1);
  EXPECT_NE(plan_.slots[1].offset, plan_.slots[2].offset);
}

// Conv(x) + x
TEST_F(PlanMemory, what_is_read_as_another_input_too_is_not_overwritten) {
  plan_.steps[1].inputs = {1, 1};
  alias(1, Alias::Kind::kInPlace);
  plan_memory(plan_, bytes_, 1);
  EXPECT_NE(plan_.slots[1].offset, plan_.slots[2].offset);
}

// Add(x, x)
TEST_F(PlanMemory, an_input_read_twice_is_overwritten_where_both_may_be) {
  plan_.steps[1].inputs = {1, 1};
  alias(1, Alias::Kind::kInPlace);
  plan_.steps[1].kernel.aliases.push_back({.kind = Alias::Kind::kInPlace, .input = 1});
  plan_memory(plan_, bytes_, 1);
  EXPECT_EQ(plan_.slots[1].offset, plan_.slots[2].offset);
}

TEST_F(PlanMemory, a_view_lies_inside_its_input_and_keeps_it_alive) {
  bytes_[2] = 512;
  alias(1, Alias::Kind::kOutputInInput, 256);
  plan_memory(plan_, bytes_, 1);
  EXPECT_EQ(plan_.slots[2].kind, Slot::Kind::kArena);
  EXPECT_EQ(plan_.slots[2].offset, plan_.slots[1].offset + 256);
}

TEST_F(PlanMemory, a_piece_of_a_concatenation_lies_in_the_whole) {
  bytes_[3] = 4096;
  alias(2, Alias::Kind::kInputInOutput, 1024);
  plan_memory(plan_, bytes_, 1);
  EXPECT_EQ(plan_.slots[2].kind, Slot::Kind::kOutput);
  EXPECT_EQ(plan_.slots[2].offset, 1024u);
}

TEST_F(PlanMemory, scratch_does_not_overlap_what_is_alive) {
  plan_.steps[1].kernel.scratch_bytes = 4096;
  plan_memory(plan_, bytes_, 1);
  EXPECT_EQ(plan_.arena_bytes, 4096u + 2048u);
}

// Nothing else lies where threads have their scratch memory, and all steps have it there.
TEST_F(PlanMemory, scratch_of_several_threads_is_memory_of_its_own) {
  plan_.steps[0].kernel.scratch_bytes = 512;
  plan_.steps[2].kernel.scratch_bytes = 4096;
  plan_memory(plan_, bytes_, 2);
  EXPECT_EQ(plan_.arena_bytes, 4096u + 2048u);
  const std::size_t scratch = plan_.steps[0].scratch_offset;
  for (const Step& step : plan_.steps) EXPECT_EQ(step.scratch_offset, scratch);
  for (const ValueId v : {1, 2}) {
    const std::size_t offset = plan_.slots[static_cast<std::size_t>(v)].offset;
    EXPECT_TRUE(offset + 1024 <= scratch || offset >= scratch + 4096);
  }
}

}  // namespace
}  // namespace mini_infer
