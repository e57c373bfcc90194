#include "graph/ir/memory.h"

#include <gtest/gtest.h>
#include <mini_infer/tensor.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <thread>
#include <utility>
#include <vector>

namespace mini_infer {
namespace {

bool is_aligned(const std::shared_ptr<void>& block) {
  return reinterpret_cast<std::uintptr_t>(block.get()) % 64 == 0;
}

bool is_zero(const std::shared_ptr<void>& block, std::size_t bytes) {
  const auto* p = static_cast<const unsigned char*>(block.get());
  return std::all_of(p, p + bytes, [](unsigned char byte) { return byte == 0; });
}

constexpr std::size_t kSizes[] = {
    0, 1, 63, 64, 65, 4097, (1 << 20) - 1, (1 << 20) + 1, (5 << 20) / 2, (9 << 20) + 3};

TEST(Memory, BlocksAreAlignedAndCanBeWritten) {
  for (const std::size_t bytes : kSizes) {
    const std::shared_ptr<void> block = allocate_block(bytes), zeros = allocate_zeros(bytes);
    EXPECT_TRUE(is_aligned(block) && is_aligned(zeros)) << bytes;
    EXPECT_TRUE(is_zero(zeros, bytes)) << bytes;
    std::memset(block.get(), 1, bytes);
    std::memset(zeros.get(), 1, bytes);
  }
}

TEST(Memory, ImpossibleSizesThrow) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer ends the program here";
#endif
  constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max();
  for (const std::size_t bytes : {kMost, kMost - 100, kMost / 2}) {
    EXPECT_THROW(allocate_block(bytes), std::bad_alloc);
    EXPECT_THROW(allocate_zeros(bytes), std::bad_alloc);
    EXPECT_THROW(BlockRegions().allocate(bytes), std::bad_alloc);
    EXPECT_THROW(std::make_shared<BlockPool>(1, kMost)->allocate(bytes), std::bad_alloc);
  }
}

TEST(Memory, BlocksOfRegionsAreZerosOfTheirOwn) {
  std::vector<std::shared_ptr<void>> blocks;
  {
    BlockRegions regions;
    for (int round = 0; round < 4; ++round) {
      for (const std::size_t bytes : kSizes) {
        blocks.push_back(regions.allocate(bytes));
        EXPECT_TRUE(is_aligned(blocks.back()));
        EXPECT_TRUE(is_zero(blocks.back(), bytes)) << bytes;
        std::memset(blocks.back().get(), round + 1, bytes);
      }
    }
  }
  // Letting go of some, their regions too, leaves the others as they are.
  for (std::size_t i = 0; i < blocks.size(); i += 2) blocks[i].reset();
  for (std::size_t i = 1; i < blocks.size(); i += 2) {
    const auto* p = static_cast<const unsigned char*>(blocks[i].get());
    const auto written = static_cast<unsigned char>(i / std::size(kSizes) + 1);
    const std::size_t bytes = kSizes[i % std::size(kSizes)];
    EXPECT_TRUE(std::all_of(p, p + bytes, [&](unsigned char byte) { return byte == written; }));
  }
}

TEST(Memory, PoolGivesABlockAgain) {
  const auto pool = std::make_shared<BlockPool>(2, 1 << 20);
  std::shared_ptr<void> a = pool->allocate(1000), b = pool->allocate(2000);
  const void* const first = a.get();
  const void* const second = b.get();
  EXPECT_NE(first, second);
  a.reset(), b.reset();
  // The smallest that fits.
  a = pool->allocate(900);
  b = pool->allocate(900);
  EXPECT_EQ(a.get(), first);
  EXPECT_EQ(b.get(), second);
}

TEST(Memory, PoolKeepsTheLargestBlocksWithinItsBounds) {
  const auto pool = std::make_shared<BlockPool>(1, 100000);
  std::shared_ptr<void> small = pool->allocate(1000), large = pool->allocate(50000);
  const void* const kept = large.get();
  large.reset();
  small.reset();
  EXPECT_EQ(pool->allocate(500).get(), kept);
  // With blocks that are too large, nothing waits but what did before.
  pool->allocate(200000).reset();
  EXPECT_EQ(pool->allocate(500).get(), kept);
}

TEST(Memory, BlocksOutliveTheirPool) {
  auto pool = std::make_shared<BlockPool>(4, 1 << 20);
  std::shared_ptr<void> block = pool->allocate(1000);
  pool.reset();
  std::memset(block.get(), 1, 1000);
  block.reset();
}

TEST(Memory, RowsOfDeferredTensorsAreReadAlone) {
  const float values[] = {0, 1, 2, 3, 4, 5, 6, 7};
  std::vector<std::pair<std::size_t, std::size_t>> asked;
  const Tensor whole =
      Tensor::defer_parts(DType::kFloat32, {4, 2}, [&](std::size_t offset, std::size_t bytes) {
        asked.emplace_back(offset, bytes);
        return std::shared_ptr<const void>(reinterpret_cast<const std::byte*>(values) + offset,
                                           [](const void*) {});
      });
  const Tensor middle = whole.rows(1, 2);
  EXPECT_TRUE(asked.empty());
  EXPECT_EQ(middle.shape(), (Shape{2, 2}));
  EXPECT_EQ(middle.data<float>()[0], 2);
  EXPECT_EQ(middle.rows(1, 1).data<float>()[1], 5);
  EXPECT_EQ(whole.data<float>()[7], 7);
  const std::vector<std::pair<std::size_t, std::size_t>> expected = {{8, 16}, {16, 8}, {0, 32}};
  EXPECT_EQ(asked, expected);
  // Where bytes are there, or come as a whole, rows share them.
  const Tensor plain = Tensor::from<float>({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(plain.rows(1, 1).data<float>(), plain.data<float>() + 2);
  const Tensor made = Tensor::defer(DType::kFloat32, {2, 2}, [&] { return plain.owner(); });
  EXPECT_EQ(made.rows(1, 1).data<float>()[0], 3);
}

TEST(Memory, ThreadsShareAPool) {
  const auto pool = std::make_shared<BlockPool>(4, 1 << 20);
  const auto use = [&](int value) {
    for (int i = 0; i < 1000; ++i) {
      const std::shared_ptr<void> block = pool->allocate(static_cast<std::size_t>(64 + i));
      auto* p = static_cast<unsigned char*>(block.get());
      std::memset(p, value, 64);
      EXPECT_TRUE(std::all_of(p, p + 64, [&](unsigned char byte) { return byte == value; }));
    }
  };
  std::thread other(use, 1);
  use(2);
  other.join();
}

}  // namespace
}  // namespace mini_infer
