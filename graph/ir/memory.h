// Memory with few page faults. A page of 4 KiB that is touched first costs a quarter of a
// microsecond, in virtual machines up to ten: packing the weights of ResNet-50 met 25000 of them.
//
// All blocks are aligned to 64 bytes, with room for a vector that ends past the last byte. All
// functions throw std::bad_alloc.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace mini_infer {

// In pages of 2 MiB where it is large. Uninitialised.
std::shared_ptr<void> allocate_block(std::size_t bytes);
// The same, zeros.
std::shared_ptr<void> allocate_zeros(std::size_t bytes);

// Blocks one behind the other in regions of large pages, for many that live about as long. What
// lies wholly in a block goes back to the system with it, its region with the last block.
class BlockRegions {
 public:
  // Zeros. Not thread-safe; letting go of blocks is.
  std::shared_ptr<void> allocate(std::size_t bytes);

 private:
  std::shared_ptr<void> region_;
  std::size_t used_ = 0, size_ = 0;
};

// Blocks that are used again: those that their owners have let go of wait here for the next who
// asks. Made by std::make_shared only. Thread-safe.
class BlockPool : public std::enable_shared_from_this<BlockPool> {
 public:
  // It keeps the `most_idle` largest of the idle blocks that have at most `most_bytes`.
  BlockPool(std::size_t most_idle, std::size_t most_bytes);
  // Uninitialised.
  std::shared_ptr<void> allocate(std::size_t bytes);

 private:
  struct Block {
    std::shared_ptr<void> memory;
    std::size_t bytes = 0;
  };
  Block take(std::size_t bytes);
  void give_back(Block block) noexcept;

  const std::size_t most_idle_, most_bytes_;
  std::mutex mutex_;
  std::vector<Block> idle_;  // smallest first
};

}  // namespace mini_infer
